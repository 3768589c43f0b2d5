//! Matching: which function of one side is which of the other.
//!
//! In: two reports. Out: rows.
//!
//! | in this order | are the same function |
//! |---|---|
//! | 1 | functions of the same name in files of the same name; where each side has one file, its name does not matter |
//! | 2 | functions with the same BPF code in one file, if it is unique in the file: renamed |
//! | 3 | functions of the same name and BPF code in other files, if they are unique: moved |
//! | 4 | functions with the same BPF code, if it is unique |
//!
//! BPF code is the same when its instructions are, whatever the names of functions and data that they use. A file that
//! cannot be read stands for all functions that it has on the other side.

use std::collections::{BTreeMap, HashMap};

use super::{DiffRow, State};
use crate::compare::report::{File, Report, Row, Status};

/// Which files are the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// Those of one name.
    ByName,
    /// Each side was given one file: they are the same, whatever their names.
    One,
}

/// Pairs the functions of two reports, sorted by file and function.
pub fn pair(a: &Report, b: &Report, files: Files) -> Vec<DiffRow> {
    let renamed: HashMap<&str, &str> = match (files, &a.files[..], &b.files[..]) {
        (Files::One, [old], [new]) => HashMap::from([(old.name.as_str(), new.name.as_str())]),
        _ => HashMap::new(),
    };
    let new_name = |file: &str| renamed.get(file).copied().unwrap_or(file).to_owned();
    let mut by_name: BTreeMap<(String, String), [Option<&Row>; 2]> = BTreeMap::new();
    for row in &a.functions {
        by_name.entry((new_name(&row.file), row.function.clone())).or_default()[0] = Some(row);
    }
    for row in &b.functions {
        by_name.entry((row.file.clone(), row.function.clone())).or_default()[1] = Some(row);
    }
    let mut rows = Vec::with_capacity(by_name.len());
    let mut left: [Vec<&Row>; 2] = Default::default();
    let broken = [errors(&a.files, new_name), errors(&b.files, str::to_owned)];
    for ((file, function), sides) in &by_name {
        let missing = |side: usize| broken[side].get(file).map(|error| failed(file, function, error));
        match *sides {
            [Some(a), Some(b)] => rows.push(row(file, function, Some(a.clone()), Some(b.clone()))),
            [Some(a), None] => match missing(1) {
                Some(b) => rows.push(row(file, function, Some(a.clone()), Some(b))),
                None => left[0].push(a),
            },
            [None, Some(b)] => match missing(0) {
                Some(a) => rows.push(row(file, function, Some(a), Some(b.clone()))),
                None => left[1].push(b),
            },
            [None, None] => {}
        }
    }
    let (moved, left) = moved(left);
    rows.extend(moved);
    for a in &left[0] {
        rows.push(row(&new_name(&a.file), &a.function, Some((*a).clone()), None));
    }
    for b in &left[1] {
        rows.push(row(&b.file, &b.function, None, Some((*b).clone())));
    }
    rows.extend(whole_files(&rows, &broken));
    rows.sort_by(|left, right| (&left.file, &left.function).cmp(&(&right.file, &right.function)));
    rows
}

/// The errors of files, by name.
fn errors(files: &[File], name: impl Fn(&str) -> String) -> BTreeMap<String, String> {
    let broken = files.iter().filter_map(|file| Some((name(&file.name), file.error.clone()?)));
    broken.collect()
}

/// A function that is missing because its file cannot be read.
fn failed(file: &str, function: &str, error: &str) -> Row {
    Row::new(file, function, Status::Failed(error.to_owned()))
}

/// Files that cannot be read and of which no function is known have a row without a function's name.
fn whole_files(rows: &[DiffRow], broken: &[BTreeMap<String, String>; 2]) -> Vec<DiffRow> {
    let known: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.file.as_str()).collect();
    let mut files: BTreeMap<&String, [Option<Row>; 2]> = BTreeMap::new();
    for (side, broken) in broken.iter().enumerate() {
        for (file, error) in broken.iter().filter(|(file, _)| !known.contains(file.as_str())) {
            files.entry(file).or_default()[side] = Some(failed(file, "", error));
        }
    }
    files.into_iter().map(|(file, [a, b])| row(file, "", a, b)).collect()
}

/// Pairs functions by their BPF code; what is left over stays in order.
fn moved(left: [Vec<&Row>; 2]) -> (Vec<DiffRow>, [Vec<&Row>; 2]) {
    let mut rows = Vec::new();
    let mut left = left.map(|rows| rows.into_iter().map(Some).collect::<Vec<_>>());
    type Key = for<'r> fn(&'r Row) -> &'r str;
    let keys: [Key; 3] = [|row| &row.file, |row| &row.function, |_| ""];
    for key in keys {
        // The indices of functions with each key.
        let mut keys: BTreeMap<(&str, &str), [Vec<usize>; 2]> = BTreeMap::new();
        for (side, rows) in left.iter().enumerate() {
            for (index, row) in rows.iter().enumerate() {
                let Some((row, hash)) = row.and_then(|row| Some((row, row.hashes.bpf.as_deref()?))) else {
                    continue;
                };
                keys.entry((hash, key(row))).or_default()[side].push(index);
            }
        }
        for sides in keys.values() {
            if let ([a], [b]) = (&sides[0][..], &sides[1][..])
                && let (Some(a), Some(b)) = (left[0][*a].take(), left[1][*b].take())
            {
                let row = row(&b.file, &b.function, Some(a.clone()), Some(b.clone()));
                rows.push(DiffRow { state: moved_state(row.state), ..row });
            }
        }
    }
    (rows, left.map(|rows| rows.into_iter().flatten().collect()))
}

fn moved_state(state: State) -> State {
    match state {
        State::Broken | State::Fixed => state,
        _ => State::Moved,
    }
}

fn row(file: &str, function: &str, a: Option<Row>, b: Option<Row>) -> DiffRow {
    let state = match (&a, &b) {
        (None, Some(_)) => State::Added,
        (Some(_), None) | (None, None) => State::Removed,
        (Some(a), Some(b)) => match (a.status.is_ok(), b.status.is_ok()) {
            (true, false) => State::Broken,
            (false, true) => State::Fixed,
            (false, false) => State::Same,
            (true, true) if a.hashes.code == b.hashes.code && a.measures == b.measures => State::Same,
            (true, true) => State::Changed,
        },
    };
    DiffRow { file: file.to_owned(), function: function.to_owned(), state, a, b }
}
