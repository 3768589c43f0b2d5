//! Two kinds of plots, as SVG text.
//!
//! In: names and numbers. Out: an image with axes in powers (of two, or of ten), a legend, and a background, so that it
//! is read on dark pages too.

use std::fmt::Write;

/// One colour and shape of dots: a value for each row, where there is one.
pub struct Dots {
    /// For the legend.
    pub name: String,
    /// In the rows' order.
    pub values: Vec<Option<f64>>,
}

/// A line.
pub struct Line {
    /// For the legend.
    pub name: String,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

/// Colours that the colour-blind tell apart (Okabe and Ito).
const COLOURS: [&str; 8] = ["#d55e00", "#e69f00", "#0072b2", "#009e73", "#56b4e9", "#cc79a7", "#000000", "#999999"];

const PUT: &str = "a string takes all";

fn open(width: f64, height: f64, title: &str) -> String {
    let mut svg = String::new();
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>"
    )
    .expect(PUT);
    text(&mut svg, 12.0, 22.0, "start", &format!("<tspan font-weight=\"bold\">{title}</tspan>"));
    svg
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, content: &str) {
    writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{content}</text>").expect(PUT);
}

fn rule(svg: &mut String, from: (f64, f64), to: (f64, f64), colour: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    writeln!(svg, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>")
        .expect(PUT);
}

/// A mark of the shape and colour of a series.
fn mark(svg: &mut String, x: f64, y: f64, series: usize) {
    let colour = COLOURS[series % COLOURS.len()];
    let shape = match series % 4 {
        0 => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.2\" fill=\"{colour}\"/>"),
        1 => format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.4\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\"/>"
        ),
        2 => {
            format!("<rect x=\"{:.1}\" y=\"{:.1}\" width=\"6\" height=\"6\" fill=\"{colour}\"/>", x - 3.0, y - 3.0)
        }
        _ => format!("<path d=\"M{x:.1} {:.1} l4 7 h-8 z\" fill=\"{colour}\"/>", y - 4.5),
    };
    writeln!(svg, "{shape}").expect(PUT);
}

/// Rows of dots, from left to right in powers of two.
pub fn dots(title: &str, rows: &[String], series: &[Dots]) -> String {
    let (left, top, step, width) = (120.0, 74.0, 15.0, 900.0);
    let bottom = top + step * rows.len() as f64;
    let all = || series.iter().flat_map(|dots| dots.values.iter().flatten().copied());
    let least = all().fold(0.8_f64, f64::min).max(1.0 / 16.0);
    let most = all().fold(2.0_f64, f64::max) * 1.05;
    let plot_width = width - left - 24.0;
    let x_of = |value: f64| left + (value.max(least) / least).ln() / (most / least).ln() * plot_width;
    let mut svg = open(width, bottom + 34.0, title);
    let mut x = 24.0;
    for (index, dots) in series.iter().enumerate() {
        mark(&mut svg, x, 44.0, index);
        text(&mut svg, x + 9.0, 48.0, "start", &dots.name);
        x += 24.0 + 6.6 * dots.name.chars().count() as f64;
    }
    for value in
        [0.125, 0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0]
    {
        if value >= least && value <= most {
            let x = x_of(value);
            rule(&mut svg, (x, top - 8.0), (x, bottom), if value == 1.0 { "#666666" } else { "#dddddd" });
            // Near 1, numbers would touch.
            if ![0.9, 1.1, 1.3].contains(&value) {
                text(&mut svg, x, bottom + 16.0, "middle", &format!("{value}"));
            }
        }
    }
    for (row, name) in rows.iter().enumerate() {
        let y = top + step * row as f64;
        text(&mut svg, left - 8.0, y + 4.0, "end", name);
        rule(&mut svg, (left, y), (width - 24.0, y), "#f2f2f2");
        // Ours come first, and are drawn last.
        for (index, dots) in series.iter().enumerate().rev() {
            if let Some(value) = dots.values[row] {
                mark(&mut svg, x_of(value), y, index);
            }
        }
    }
    svg + "</svg>\n"
}

/// Lines over axes in powers of ten.
pub fn lines(title: &str, x_title: &str, y_title: &str, series: &[Line]) -> String {
    let (left, top, width, height) = (80.0, 44.0, 820.0, 480.0);
    let (right, bottom) = (width - 190.0, height - 52.0);
    let points = || series.iter().flat_map(|line| line.points.iter().copied());
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let (least, most) = values.fold((f64::INFINITY, 0.0_f64), |(a, b), value| (a.min(value), b.max(value)));
        ((least.log10() - 0.05).min(least.log10().floor() + 0.7), most.log10() + 0.08)
    };
    let (x_range, y_range) = (range(&mut points().map(|point| point.0)), range(&mut points().map(|point| point.1)));
    let x_of = |value: f64| left + (value.log10() - x_range.0) / (x_range.1 - x_range.0) * (right - left);
    let y_of = |value: f64| bottom - (value.log10() - y_range.0) / (y_range.1 - y_range.0) * (bottom - top);
    let mut svg = open(width, height, title);
    for power in -3..=9 {
        for digit in 1..=9 {
            let value = f64::from(digit) * 10_f64.powi(power);
            let colour = if digit == 1 { "#bbbbbb" } else { "#eeeeee" };
            if (x_range.0..=x_range.1).contains(&value.log10()) {
                rule(&mut svg, (x_of(value), top), (x_of(value), bottom), colour);
                if digit == 1 {
                    text(&mut svg, x_of(value), bottom + 16.0, "middle", &number(value));
                }
            }
            if (y_range.0..=y_range.1).contains(&value.log10()) {
                rule(&mut svg, (left, y_of(value)), (right, y_of(value)), colour);
                if matches!(digit, 1 | 2 | 5) {
                    text(&mut svg, left - 6.0, y_of(value) + 4.0, "end", &number(value));
                }
            }
        }
    }
    text(&mut svg, (left + right) / 2.0, height - 14.0, "middle", x_title);
    let y = (top + bottom) / 2.0;
    writeln!(
        svg,
        "<text x=\"18\" y=\"{y:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 18 {y:.1})\">{y_title}</text>"
    )
    .expect(PUT);
    for (index, line) in series.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let path: Vec<String> =
            line.points.iter().map(|&(x, y)| format!("{:.1},{:.1}", x_of(x), y_of(y))).collect();
        writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\"/>",
            path.join(" ")
        )
        .expect(PUT);
        line.points.iter().for_each(|&(x, y)| mark(&mut svg, x_of(x), y_of(y), index));
        let y = top + 14.0 + 22.0 * index as f64;
        mark(&mut svg, right + 18.0, y - 4.0, index);
        text(&mut svg, right + 30.0, y, "start", &line.name);
    }
    svg + "</svg>\n"
}

/// A power of ten, short.
fn number(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{} M", value / 1e6),
        value if value >= 1e3 => format!("{} k", value / 1e3),
        value => format!("{value}"),
    }
}
