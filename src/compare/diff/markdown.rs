//! A diff as Markdown, for a comment in a pull request: what broke, the totals, the functions that grew and shrank most,
//! and all others collapsed. It stays below GitHub's limit for a comment (65,536 characters).

use std::fmt::Write;

use super::{Column, Diff, DiffRow, Order, Stat, State, Value, Variant, percent, sort, table};
use crate::compare::measure::Measure;
use crate::compare::report::{Row, Status};

/// Rows in the lists of functions that grew and shrank most, and that broke.
const TOP: usize = 10;
/// Characters in total, and those reserved for the end.
const LONGEST: usize = 60_000;

/// Measures in the totals.
const TOTALS: [Measure; 7] = [
    Measure::Bytes,
    Measure::Insns,
    Measure::Frame,
    Measure::Spills,
    Measure::Reloads,
    Measure::Calls,
    Measure::Cycles,
];

/// The Markdown of a diff; `rows` are those to be listed.
pub fn markdown(diff: &Diff, rows: &[DiffRow], columns: &[Stat]) -> String {
    let mut text = String::from("### Code generation\n\n");
    // Writing to a string does not fail.
    let _ = writeln!(text, "{}.\n", escaped(&diff.summary()));
    if diff.a.describe() == diff.b.describe() {
        let _ =
            writeln!(text, "{} → {} ({})\n", code(&diff.a.name), code(&diff.b.name), escaped(&diff.a.describe()));
    } else {
        for (letter, side) in [("a", &diff.a), ("b", &diff.b)] {
            let _ = writeln!(text, "- {letter}: {} ({})", code(&side.name), escaped(&side.describe()));
        }
        text.push('\n');
    }
    if !diff.differs() {
        return text;
    }
    broken(&mut text, diff);
    totals(&mut text, diff);
    let bytes = |variant| Stat { column: Column::Measure(Measure::Bytes), variant: Some(variant), absolute: false };
    let change = |row: &DiffRow| match bytes(Variant::Diff).value(row) {
        Value::Number(number) => number,
        _ => 0,
    };
    for (title, sign) in [("Largest regressions", 1), ("Largest improvements", -1)] {
        let mut changed: Vec<DiffRow> = rows.iter().filter(|row| change(row) * sign > 0).cloned().collect();
        let order = if sign > 0 { "bytes_diffv,file,function" } else { "bytes_diff^,file,function" };
        sort(&mut changed, &order.parse::<Order>().unwrap_or_default());
        changed.truncate(TOP);
        if !changed.is_empty() {
            let _ = writeln!(text, "**{title}**\n");
            push_table(&mut text, &changed, columns);
        }
    }
    let listed: Vec<DiffRow> = rows.iter().filter(|row| row.state != State::Same).cloned().collect();
    let _ = writeln!(text, "<details><summary>All {} functions that differ</summary>\n", listed.len());
    push_table(&mut text, &listed, columns);
    text.push_str("</details>\n");
    text
}

fn broken(text: &mut String, diff: &Diff) {
    let broken: Vec<&DiffRow> = diff.rows.iter().filter(|row| row.state == State::Broken).collect();
    if broken.is_empty() {
        return;
    }
    let _ = writeln!(text, "**{} no longer translated**\n", broken.len());
    for row in broken.iter().take(TOP) {
        if let Some(Row { status: Status::Failed(error), .. }) = &row.b {
            let error = error.lines().next().unwrap_or_default();
            let _ = writeln!(text, "- {} in {}: {}", code(&row.function), code(&row.file), escaped(error));
        }
    }
    if broken.len() > TOP {
        let _ = writeln!(text, "- and {} more", broken.len() - TOP);
    }
    text.push('\n');
}

fn totals(text: &mut String, diff: &Diff) {
    text.push_str("| total | a | b | diff | pct |\n|---|---:|---:|---:|---:|\n");
    for measure in TOTALS {
        let total = diff.total(measure);
        let change = i128::from(total.b) - i128::from(total.a);
        let pct = percent(total.a as f64, total.b as f64) + 0.0;
        let _ = writeln!(text, "| {measure} | {} | {} | {change:+} | {pct:+.2}% |", total.a, total.b);
    }
    text.push('\n');
}

fn push_table(text: &mut String, rows: &[DiffRow], columns: &[Stat]) {
    let is_text = |column: &Stat| !matches!(column.column, Column::Measure(_));
    let names: Vec<String> = columns.iter().map(Stat::to_string).collect();
    let rules: Vec<&str> = columns.iter().map(|column| if is_text(column) { "---" } else { "---:" }).collect();
    let _ = writeln!(text, "| {} |\n|{}|", names.join(" | "), rules.join("|"));
    for (index, row) in rows.iter().enumerate() {
        if text.len() > LONGEST {
            let _ = writeln!(text, "\nand {} more", rows.len() - index);
            break;
        }
        let cells: Vec<String> = columns
            .iter()
            .map(|column| match column.value(row) {
                Value::Text(name) if matches!(column.column, Column::File | Column::Function) => {
                    code(&name).replace('|', "\\|")
                }
                value => escaped(&table::cell(&value, column)),
            })
            .collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push('\n');
}

/// A name as inline code, whatever backticks are in it.
fn code(name: &str) -> String {
    format!("`{}`", name.replace('`', "'"))
}

/// Text, escaped for Markdown except in backticks.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '[' | ']' | '#' => escaped.extend(['\\', c]),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    escaped
}
