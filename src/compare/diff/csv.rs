//! A diff as CSV (RFC 4180), with the column names of filters in the first line; lines end in `\n`.
//!
//! A name that a spreadsheet would take for a formula has `'` before it, which marks text there.

use super::{DiffRow, Stat, Value};

/// The rows; a missing value is an empty field, percentages have two decimals.
pub fn csv(rows: &[DiffRow], columns: &[Stat]) -> String {
    let mut text = String::new();
    line(&mut text, columns.iter().map(Stat::to_string));
    for row in rows {
        line(&mut text, columns.iter().map(|column| field(column.value(row))));
    }
    text
}

fn field(value: Value) -> String {
    match value {
        Value::Text(name) if name.starts_with(['=', '+', '-', '@', '\t']) => format!("'{name}"),
        value => value.to_string(),
    }
}

fn line(text: &mut String, fields: impl Iterator<Item = String>) {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            text.push(',');
        }
        match field.contains([',', '"', '\n', '\r']) {
            true => text.push_str(&format!("\"{}\"", field.replace('"', "\"\""))),
            false => text.push_str(&field),
        }
    }
    text.push('\n');
}
