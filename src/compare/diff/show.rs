//! The unified diff of a function.
//!
//! In: its texts on both sides. Out: the lines whose normalised forms differ (`scrub.rs`), with three lines of context, as `diff -u`
//! prints them; behind a line, after `;`, its source line, where that is not the source line before.

use std::fmt::Write;

use similar::{Algorithm, DiffOp, DiffTag};

use super::{Diff, DiffRow, State, scrub};
use crate::compare::measure::{TextKind, TextLine, Texts};
use crate::compare::report::Row;

/// Lines of context.
const CONTEXT: usize = 3;

/// The column of source lines.
const SOURCE_COLUMN: usize = 56;

/// Of texts of more lines, only common starts and ends are found: the time of a comparison grows with the square of the
/// differences.
const MAX_LINES: usize = 20_000;

/// The unified diffs of the functions that differ; functions without a text, or whose texts are equal once normalised,
/// are only named.
pub fn show(diff: &Diff, kind: TextKind) -> String {
    let mut text = String::new();
    for row in diff.rows.iter().filter(|row| row.state != State::Same) {
        text.push_str(&function(diff, row, kind));
    }
    text
}

fn function(diff: &Diff, row: &DiffRow, kind: TextKind) -> String {
    let name = |side: &Option<Row>, of: &str| match side {
        Some(row) => format!("{of}: {} ({})", row.function, row.file),
        None => "/dev/null".to_owned(),
    };
    let (a, b) = (name(&row.a, &diff.a.name), name(&row.b, &diff.b.name));
    let mut text = String::new();
    let failed = [&row.a, &row.b].map(|side| side.as_ref().filter(|side| !side.status.is_ok()));
    for side in failed.into_iter().flatten() {
        if let crate::compare::report::Status::Failed(error) = &side.status {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{}: {error}", row.function);
        }
    }
    let texts = |side: &Option<Row>| match side {
        Some(row) if row.status.is_ok() => row.texts.clone(),
        _ => Some(Texts::default()),
    };
    let (Some(old), Some(new)) = (texts(&row.a), texts(&row.b)) else {
        let _ = writeln!(text, "{} ({}): the report has no texts: make it with --texts", row.function, row.file);
        return text;
    };
    let unified = unified(&old, &new, kind, &a, &b);
    if unified.is_empty() && text.is_empty() {
        let what = "differs in nothing but labels, registers and addresses";
        let _ = writeln!(text, "{} ({}): the {} {what}", row.function, row.file, kind.name());
    }
    text + &unified
}

/// The unified diff of two texts; empty if they are equal once normalised.
pub fn unified(old: &Texts, new: &Texts, kind: TextKind, old_name: &str, new_name: &str) -> String {
    let (old_lines, new_lines) = (old.of(kind), new.of(kind));
    let (old_keys, new_keys) = (scrub::keys(kind, old_lines), scrub::keys(kind, new_lines));
    let groups = similar::group_diff_ops(operations(&old_keys, &new_keys), CONTEXT);
    let mut text = String::new();
    for group in groups {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        if group.iter().all(|operation| operation.tag() == DiffTag::Equal) {
            continue;
        }
        if text.is_empty() {
            let _ = writeln!(text, "--- {old_name}\n+++ {new_name}");
        }
        let (old_range, new_range) =
            (first.old_range().start..last.old_range().end, first.new_range().start..last.new_range().end);
        let _ = writeln!(text, "@@ -{} +{} @@", range(old_range), range(new_range));
        let mut sources = [None, None];
        for operation in &group {
            if operation.tag() == DiffTag::Equal {
                for line in &new_lines[operation.new_range()] {
                    push(&mut text, ' ', line, new, &mut sources[1]);
                    sources[0] = sources[1];
                }
                continue;
            }
            for line in &old_lines[operation.old_range()] {
                push(&mut text, '-', line, old, &mut sources[0]);
            }
            for line in &new_lines[operation.new_range()] {
                push(&mut text, '+', line, new, &mut sources[1]);
            }
        }
    }
    text
}

/// The differences; of large texts, everything between the common start and the common end is one.
pub(crate) fn operations(old: &[String], new: &[String]) -> Vec<DiffOp> {
    if old.len() + new.len() <= MAX_LINES {
        return similar::capture_diff_slices(Algorithm::Myers, old, new);
    }
    let start = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (&old[start..], &new[start..]);
    let end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old_len, new_len) = (old_rest.len() - end, new_rest.len() - end);
    let mut operations = Vec::new();
    if start > 0 {
        operations.push(DiffOp::Equal { old_index: 0, new_index: 0, len: start });
    }
    if old_len + new_len > 0 {
        operations.push(DiffOp::Replace { old_index: start, old_len, new_index: start, new_len });
    }
    if end > 0 {
        operations.push(DiffOp::Equal { old_index: start + old_len, new_index: start + new_len, len: end });
    }
    operations
}

/// `12,3`, as in the header of a hunk.
fn range(range: std::ops::Range<usize>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => format!("{}", range.start + 1),
        length => format!("{},{length}", range.start + 1),
    }
}

/// Adds a line, and its source line if that is not `last`.
fn push(text: &mut String, sign: char, line: &TextLine, texts: &Texts, last: &mut Option<(u32, bool)>) {
    let source = texts.source(line).zip(line.source).filter(|(_, index)| *last != Some((*index, sign == '-')));
    match source {
        Some((source, index)) => {
            *last = Some((index, sign == '-'));
            let width = SOURCE_COLUMN;
            let _ = writeln!(text, "{sign}{:width$} ; {}:{}: {}", line.text, source.file, source.line, source.text);
        }
        None => {
            let _ = writeln!(text, "{sign}{}", line.text);
        }
    }
}
