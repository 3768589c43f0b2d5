//! A diff as a table for people.

use super::{DiffRow, Stat, Value};

/// Aligned columns: text to the left, numbers to the right; empty without rows.
pub fn table(rows: &[DiffRow], columns: &[Stat]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let cells: Vec<Vec<Value>> =
        rows.iter().map(|row| columns.iter().map(|column| column.value(row)).collect()).collect();
    let names: Vec<String> = columns.iter().map(Stat::to_string).collect();
    let mut widths: Vec<usize> = names.iter().map(|name| name.chars().count()).collect();
    let mut is_text = vec![false; columns.len()];
    let signed: Vec<Vec<String>> = cells
        .iter()
        .map(|row| {
            let cells = row.iter().zip(columns).enumerate().map(|(index, (value, column))| {
                is_text[index] |= matches!(value, Value::Text(_));
                let text = cell(value, column);
                widths[index] = widths[index].max(text.chars().count());
                text
            });
            cells.collect()
        })
        .collect();
    let mut text = String::new();
    let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
    for line in [&names, &rule].into_iter().chain(&signed) {
        let mut padded = String::new();
        for ((cell, &width), &left) in line.iter().zip(&widths).zip(&is_text) {
            match left {
                true => padded.push_str(&format!("{cell:width$}  ")),
                false => padded.push_str(&format!("{cell:>width$}  ")),
            }
        }
        text.push_str(padded.trim_end());
        text.push('\n');
    }
    text
}

/// A value as text: differences have their sign, and a missing value is `-`.
pub(crate) fn cell(value: &Value, column: &Stat) -> String {
    let is_change =
        matches!(column.variant, Some(crate::compare::diff::Variant::Diff | crate::compare::diff::Variant::Pct));
    match value {
        Value::None => "-".to_owned(),
        Value::Text(text) => text.clone(),
        Value::Number(number) if is_change => format!("{number:+}"),
        Value::Number(number) => number.to_string(),
        // Minus zero is no decrease.
        Value::Percent(percent) => format!("{:+.2}%", percent + 0.0),
    }
}
