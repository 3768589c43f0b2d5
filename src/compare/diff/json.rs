//! A diff as JSON (`"schema": 1`).
//!
//! | field | what |
//! |---|---|
//! | `schema` | 1 |
//! | `a`, `b` | the sides: `name`, `tool`, and `options` as in a report; missing for foreign code |
//! | `identical_files` | how many files are identical and were not compared |
//! | `counts` | functions by state: `broken`, `fixed`, `changed`, `added`, `removed`, `moved`, `same` |
//! | `totals` | for each measure `a`, `b`, `diff`, `pct`, over the functions that have it on both sides |
//! | `functions[]` | `file`, `function`, `state`; `a` and `b` as a report's functions, where they exist; `diff` and `pct`: numbers by measure |
//!
//! Percent are rounded to two decimals.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Column, Diff, DiffRow, Side, Stat, State, Value, Variant, percent};
use crate::compare::measure::Measure;
use crate::compare::report::{Options, Row, SCHEMA};

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    a: SideJson<'a>,
    b: SideJson<'a>,
    identical_files: usize,
    counts: BTreeMap<&'static str, usize>,
    totals: BTreeMap<Measure, TotalJson>,
    functions: Vec<RowJson<'a>>,
}

#[derive(Serialize)]
struct SideJson<'a> {
    name: &'a str,
    tool: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<&'a Options>,
}

#[derive(Serialize)]
struct TotalJson {
    a: u64,
    b: u64,
    diff: i64,
    pct: f64,
}

#[derive(Serialize)]
struct RowJson<'a> {
    file: &'a str,
    function: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<&'a Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b: Option<&'a Row>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    diff: BTreeMap<Measure, i64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pct: BTreeMap<Measure, f64>,
}

/// The JSON of a diff: all of its rows, with a newline at the end.
pub fn json(diff: &Diff) -> String {
    let counts = diff.counts();
    let total = |measure| {
        let total = diff.total(measure);
        let change = i64::try_from(total.b).unwrap_or(i64::MAX) - i64::try_from(total.a).unwrap_or(i64::MAX);
        let pct = rounded(percent(total.a as f64, total.b as f64));
        (measure, TotalJson { a: total.a, b: total.b, diff: change, pct })
    };
    let json = Json {
        schema: SCHEMA,
        a: side(&diff.a),
        b: side(&diff.b),
        identical_files: diff.identical_files,
        counts: State::ALL
            .into_iter()
            .map(|state| (state.name(), counts.get(&state).copied().unwrap_or(0)))
            .collect(),
        totals: Measure::ALL.into_iter().map(total).collect(),
        functions: diff.rows.iter().map(row).collect(),
    };
    let mut text = serde_json::to_string_pretty(&json).expect("strings and finite numbers have a JSON form");
    text.push('\n');
    text
}

fn side(side: &Side) -> SideJson<'_> {
    SideJson { name: &side.name, tool: &side.tool, options: side.options.as_ref() }
}

fn row(row: &DiffRow) -> RowJson<'_> {
    let value = |measure, variant| {
        Stat { column: Column::Measure(measure), variant: Some(variant), absolute: false }.value(row)
    };
    let (mut diff, mut pct) = (BTreeMap::new(), BTreeMap::new());
    for measure in Measure::ALL {
        if let Value::Number(number) = value(measure, Variant::Diff) {
            diff.insert(measure, number);
        }
        if let Value::Percent(percent) = value(measure, Variant::Pct) {
            pct.insert(measure, rounded(percent));
        }
    }
    RowJson {
        file: &row.file,
        function: &row.function,
        state: row.state.name(),
        a: row.a.as_ref(),
        b: row.b.as_ref(),
        diff,
        pct,
    }
}

/// To two decimals; no minus zero.
fn rounded(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0 + 0.0
}
