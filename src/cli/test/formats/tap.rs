//! Results as TAP 14 (<https://testanything.org/tap-version-14-specification.html>).
//!
//! What a failed test printed is the block `output` of its YAML diagnostics. The order is that of the tests.

use crate::cli::test::outcome::{Finished, Outcome};

/// The lines before the first test.
pub fn head(tests: usize) -> String {
    format!("TAP version 14\n1..{tests}\n")
}

/// The lines of a test; `number` counts from 1.
pub fn lines(number: usize, finished: &Finished) -> String {
    let name = escaped(&finished.test.name);
    match &finished.outcome {
        Outcome::Passed => format!("ok {number} - {name}\n"),
        Outcome::Skipped(reason) => format!("ok {number} - {name} # SKIP {}\n", escaped(reason)),
        Outcome::Failed(_) => {
            let object = quoted(&finished.test.object);
            let mut text = format!("not ok {number} - {name}\n  ---\n  object: {object}\n");
            let told = finished.told();
            if !told.is_empty() {
                // The indentation is said, since the first line may begin with spaces.
                text += "  output: |2\n";
                for line in told.lines() {
                    text += format!("    {}", printable(line)).trim_end();
                    text.push('\n');
                }
            }
            text + "  ...\n"
        }
    }
}

/// A description, which `#` would end.
fn escaped(text: &str) -> String {
    printable(text).replace('\\', "\\\\").replace('#', "\\#")
}

/// A YAML string in double quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(text).replace('\\', "\\\\").replace('"', "\\\""))
}

/// A line without what YAML has no plain form for.
fn printable(line: &str) -> String {
    let is_bad = |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    line.chars().map(|c| if is_bad(c) { '\u{fffd}' } else { c }).collect()
}
