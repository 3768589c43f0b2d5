//! A diff as one HTML file.

use std::fmt::Write;

use super::{Diff, Stat, columns};

/// The page: the sides, the counts, and a table of all rows.
pub fn html(diff: &Diff) -> String {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let columns: Vec<Stat> = columns("file,function,state,bytes,insns,cycles", false).unwrap_or_default();
    let mut text = String::from("<!doctype html>\n<meta charset=\"utf-8\">\n<title>Code generation</title>\n");
    // Writing to a string does not fail.
    let _ = writeln!(text, "<p>{}</p>\n<table>\n<tr>", escaped(&diff.summary()));
    for column in &columns {
        let _ = write!(text, "<th>{column}</th>");
    }
    text.push_str("</tr>\n");
    for row in &diff.rows {
        text.push_str("<tr>");
        for column in &columns {
            let _ = write!(text, "<td>{}</td>", escaped(&column.value(row).to_string()));
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</table>\n");
    text
}
