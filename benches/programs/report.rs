//! The tables: to standard output as they come, and to BENCHMARKS.md at the end.
//!
//! In: times and sizes. Out: Markdown and a plot. The rule: a figure is a time divided by the first column's; means are
//! geometric, over the programs that the column has.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::arguments::Column;
use super::engines::LEVELS;
#[cfg(target_os = "linux")]
use super::kernel::Compared;
use super::measure::{Effort, Measured, geomean};
use super::suite::{self, Part};
use super::support::{document, plot};

/// What was measured so far.
pub struct Report {
    titles: Vec<String>,
    rows: Vec<(Measured, Vec<Option<u64>>)>,
    kernel: String,
    effort: Effort,
}

impl Report {
    pub fn new(columns: &[Column], effort: Effort) -> Report {
        let titles = columns.iter().map(|column| column.title.clone()).collect();
        Report { titles, rows: Vec::new(), kernel: String::new(), effort }
    }

    /// The table's head, to standard output.
    pub fn head(&self) {
        print!("{}", self.head_text());
    }

    fn head_text(&self) -> String {
        let titles = self.titles[1..].join(" | ");
        format!(
            "| program | group | {}, µs | {titles} |\n|---|---|---:|{}\n",
            self.titles[0],
            "---:|".repeat(self.titles.len() - 1)
        )
    }

    pub fn add(&mut self, measured: Measured, sizes: Vec<Option<u64>>) {
        self.rows.push((measured, sizes));
        print!("{}", self.row(self.rows.len() - 1));
    }

    /// A program's time in a column divided by that in the first.
    fn ratio(&self, row: usize, column: usize) -> Option<f64> {
        let times = &self.rows[row].0.times;
        Some(*times[column].as_ref().ok()? / *times[0].as_ref().ok()?)
    }

    fn row(&self, row: usize) -> String {
        let measured = &self.rows[row].0;
        let program = &measured.program;
        let first = measured.times[0].as_ref().map_or(0.0, |time| time / 1e3);
        let cells = (1..self.titles.len()).map(|column| self.ratio(row, column));
        let cells: Vec<_> = cells.map(|cell| cell.map_or("–".to_owned(), |ratio| format!("{ratio:.2}"))).collect();
        format!("| {} | {} | {first:.2} | {} |\n", program.name, program.group, cells.join(" | "))
    }

    fn mean(&self, column: usize) -> f64 {
        geomean((0..self.rows.len()).filter_map(|row| self.ratio(row, column)))
    }

    /// The bytes of a column divided by those of another, over all programs.
    fn size_mean(&self, column: usize, base: usize) -> Option<f64> {
        let ratios = self.rows.iter().map(|(_, sizes)| Some(sizes[column]? as f64 / sizes[base]? as f64));
        ratios.collect::<Option<Vec<f64>>>().map(geomean)
    }

    fn totals_text(&self) -> String {
        let mut text = String::new();
        let columns = 1..self.titles.len();
        let cells = |cell: &dyn Fn(usize) -> String| columns.clone().map(cell).collect::<Vec<_>>().join(" | ");
        let mean = cells(&|column| format!("**{:.3}**", self.mean(column)));
        let count = cells(&|column| {
            (0..self.rows.len()).filter(|&row| self.ratio(row, column).is_some()).count().to_string()
        });
        let size = cells(&|column| self.size_mean(column, 0).map_or("–".to_owned(), |size| format!("{size:.2}")));
        let put = "a string takes all";
        writeln!(text, "| **geometric mean** | | | {mean} |").expect(put);
        writeln!(text, "| programs | | {} | {count} |", self.rows.len()).expect(put);
        writeln!(text, "| size of code | | 1 | {size} |").expect(put);
        text
    }

    /// Means, to standard output.
    pub fn totals(&self) {
        if !self.rows.is_empty() {
            print!("{}", self.totals_text());
            print!("\n{}", self.summary());
        }
    }

    /// Each of ours beside all others, over the programs that both have.
    fn summary(&self) -> String {
        let mut text = String::from(
            "| ours | against | programs | time, geometric mean | size of code |\n|---|---|---:|---:|---:|\n",
        );
        let is_ours = |title: &str| title.starts_with("ours");
        for ours in (0..self.titles.len()).filter(|&column| is_ours(&self.titles[column])) {
            for other in (0..self.titles.len()).filter(|&column| !is_ours(&self.titles[column])) {
                let both = |row| Some(self.ratio(row, ours)? / self.ratio(row, other)?);
                let ratios: Vec<f64> = (0..self.rows.len()).filter_map(both).collect();
                if ratios.is_empty() {
                    continue;
                }
                let size = self.size_mean(ours, other).map_or("–".to_owned(), |size| format!("{size:.2}"));
                let (count, mean) = (ratios.len(), geomean(ratios));
                let (ours, other) = (&self.titles[ours], &self.titles[other]);
                writeln!(text, "| {ours} | {other} | {count} | {mean:.3} | {size} |").expect("a string takes all");
            }
        }
        text
    }

    /// The kernel's table.
    #[cfg(target_os = "linux")]
    pub fn kernel(&mut self, compared: Result<Vec<Compared>, String>) {
        let put = "a string takes all";
        let compared = match compared {
            Ok(compared) => compared,
            Err(error) => {
                self.kernel = format!("The kernel was not measured: {error}.\n");
                print!("\n{}", self.kernel);
                return;
            }
        };
        let mut text = String::from(
            "| program | clang-19 novec, µs | ours, µs | kernel JIT, µs | kernel / ours |\n|---|---:|---:|---:|---:|\n",
        );
        let mut ratios = Vec::new();
        for one in &compared {
            if let Ok([native, ours, kernel]) = one.times {
                ratios.push(kernel / ours);
                let [native, ours, kernel] = [native, ours, kernel].map(|time| time / 1e3);
                let ratio = kernel / ours;
                writeln!(text, "| {} | {native:.2} | {ours:.2} | {kernel:.2} | {ratio:.2} |", one.name).expect(put);
            }
        }
        if ratios.is_empty() {
            text.push_str("| none | | | | |\n");
        } else {
            writeln!(text, "| **geometric mean** | | | | **{:.3}** |", geomean(ratios)).expect(put);
        }
        let refused = compared.iter().filter_map(|one| Some((&one.name, one.times.as_ref().err()?)));
        for (name, why) in refused.clone() {
            eprintln!("kernel: {name}: {why}");
        }
        let names: Vec<&str> = refused.map(|(name, _)| name.as_str()).collect();
        if !names.is_empty() {
            writeln!(text, "\nThe verifier refuses: {}.", names.join(", ")).expect(put);
        }
        print!("\n{text}");
        self.kernel = text;
    }

    /// Writes a part of BENCHMARKS.md.
    pub fn write(&self, part: Part) -> Result<(), String> {
        match part {
            Part::Programs => self.write_programs(),
            Part::Floats | Part::Vectors => self.write_part(part, ""),
            Part::Whole => self.write_part(part, &notes("whole.md")?),
        }
    }

    /// How it was measured.
    fn measured(&self, compilers: &[&str]) -> String {
        let Effort { rounds, placements, run } = self.effort;
        let millis = run / 1e6;
        format!(
            "{} The least of {rounds} runs of {millis} ms or more at each of {placements} places.",
            document::machine(compilers)
        )
    }

    fn table(&self) -> String {
        let rows: String = (0..self.rows.len()).map(|row| self.row(row)).collect();
        format!("Times divided by those of {}.\n\n{}{rows}{}", self.titles[0], self.head_text(), self.totals_text())
    }

    /// A part that has a table, and what is to be said of it.
    fn write_part(&self, part: Part, notes: &str) -> Result<(), String> {
        let text = format!("{}\n\n{}\n{notes}", self.measured(&["clang-22", "gcc"]), self.table());
        document::replace(part.name(), text.trim())
    }

    fn write_programs(&self) -> Result<(), String> {
        let notes = notes("notes.md")?;
        let mut text = self.measured(&["clang-19", "clang-22", "gcc"]);
        text.push_str("\n\n### Summary\n\nTimes of ours divided by the other's.\n\n");
        text.push_str(&self.summary());
        text.push_str("\n![time divided by native](docs/bench/programs.svg)\n\n### Programs\n\n");
        text.push_str(&self.table());
        text.push_str(&self.reasons());
        text.push_str("\n### The kernel's JIT\n\n");
        text.push_str(&self.kernel);
        writeln!(text, "\n### The slowest, and why\n\n{}", notes.trim()).expect("a string takes all");
        document::replace("programs", &text)?;
        document::write_plot("programs.svg", &self.plot())
    }

    /// Which peers get objects of older levels, and why they have no figure: the programs by reason.
    fn reasons(&self) -> String {
        let mut text = String::new();
        for (column, title) in self.titles.iter().enumerate() {
            for level in &LEVELS[1..] {
                let has_it = |(measured, _): &&(Measured, _)| measured.levels[column] == Some(level);
                let names: Vec<&str> =
                    self.rows.iter().filter(has_it).map(|(measured, _)| measured.program.name.as_str()).collect();
                if !names.is_empty() {
                    writeln!(text, "\n{title} runs objects of `-mcpu={level}`: {}.", names.join(", "))
                        .expect("a string takes all");
                }
            }
            let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for (measured, _) in &self.rows {
                if let Err(why) = &measured.times[column] {
                    // Compilers say which program first.
                    let why = why.lines().next().unwrap_or_default();
                    let why = why.rsplit_once("error: ").map_or(why, |(_, error)| error);
                    reasons.entry(why).or_default().push(&measured.program.name);
                }
            }
            if !reasons.is_empty() {
                let reasons: Vec<String> =
                    reasons.iter().map(|(why, programs)| format!("{why} ({})", programs.join(", "))).collect();
                writeln!(text, "\n{title} does not run all: {}.", reasons.join("; ")).expect("a string takes all");
            }
        }
        text
    }

    /// A dot for each program and column, by our time.
    fn plot(&self) -> String {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by(|&a, &b| self.ratio(a, 1).unwrap_or(1.0).total_cmp(&self.ratio(b, 1).unwrap_or(1.0)));
        let names: Vec<String> = order.iter().map(|&row| self.rows[row].0.program.name.clone()).collect();
        let series: Vec<plot::Dots> = (1..self.titles.len())
            .map(|column| plot::Dots {
                name: format!("{} ({:.2})", self.titles[column], self.mean(column)),
                values: order.iter().map(|&row| self.ratio(row, column)).collect(),
            })
            .collect();
        let title = format!("Time divided by that of {} (geometric means in brackets)", self.titles[0]);
        plot::dots(&title, &names, &series)
    }
}

/// What the disassembly of the slowest programs shows.
fn notes(name: &str) -> Result<String, String> {
    let path = suite::folder().join(name);
    std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
}
