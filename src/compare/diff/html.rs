//! A diff, or the report of one side, as the page of [`crate::compare::html`].

use std::collections::BTreeMap;

use similar::DiffOp;

use super::{Diff, DiffRow, Side, State, scrub, show};
use crate::compare::html::{self, Column, Line, Listing, Listings, Page, Run};
use crate::compare::measure::{Measure, TextKind, TextLine, Texts};
use crate::compare::report::{Report, Row, Status};

/// At most so many bytes of listings are in a page; functions that differ most get theirs first.
const MAX_LISTINGS: usize = 32 << 20;

/// The columns of a table at first; it is sorted by the first one.
const COLUMNS: [Measure; 5] = [Measure::Bytes, Measure::Insns, Measure::Frame, Measure::Spills, Measure::Cycles];
const NARROW: [Measure; 2] = [Measure::Bytes, Measure::Cycles];

/// The page of a diff: its rows, with their listings where the sides have texts.
pub fn html(diff: &Diff) -> String {
    let rows = diff.rows.iter().enumerate().map(|(id, row)| both_sides(id, row)).collect();
    let mut page = Page {
        title: format!("Code generation: {} → {}", diff.a.name, diff.b.name),
        summary: diff.summary(),
        sides: vec![side(&diff.a), side(&diff.b)],
        rows,
        ..empty_page()
    };
    let mut order: Vec<usize> = (0..diff.rows.len()).collect();
    order.sort_by_key(|&id| (diff.rows[id].state == State::Same, std::cmp::Reverse(growth(&diff.rows[id])), id));
    let rows = order.into_iter().map(|id| (id, diff.rows[id].a.as_ref(), diff.rows[id].b.as_ref()));
    add_listings(&mut page, rows, "`bpf2native diff --show asm` with the filter `-f NAME` shows them.");
    page.to_html()
}

/// The page of one side.
pub fn report_html(name: &str, report: &Report) -> String {
    let rows = report.functions.iter().enumerate().map(|(id, row)| one_side(id, row)).collect();
    let failed = report.functions.iter().filter(|row| !row.status.is_ok()).count();
    let mut page = Page {
        title: format!("Code generation: {name}"),
        summary: format!("{} functions, of which {failed} cannot be translated", report.functions.len()),
        sides: vec![side(&Side::of(name, report))],
        rows,
        ..empty_page()
    };
    let rows = report.functions.iter().enumerate().map(|(id, row)| (id, None, Some(row)));
    add_listings(&mut page, rows, "`bpf2native --emit asm --function NAME` shows them.");
    page.to_html()
}

fn empty_page() -> Page {
    let names = |measures: &[Measure]| measures.iter().map(|measure| measure.name().to_owned()).collect();
    let measure = |measure: Measure| Column { name: measure.name().to_owned(), about: about(measure).to_owned() };
    Page {
        measures: Measure::ALL.into_iter().map(measure).collect(),
        columns: names(&COLUMNS),
        narrow: names(&NARROW),
        ..Page::default()
    }
}

fn side(side: &Side) -> html::Side {
    html::Side { name: side.name.clone(), about: side.describe() }
}

/// By how many bytes a function grew or shrank.
fn growth(row: &DiffRow) -> u64 {
    let bytes = |side: &Option<Row>| side.as_ref().and_then(|row| row.measure(Measure::Bytes)).unwrap_or(0);
    bytes(&row.a).abs_diff(bytes(&row.b))
}

fn numbers(row: &Row) -> Option<Vec<Option<u64>>> {
    row.status.is_ok().then(|| Measure::ALL.into_iter().map(|measure| row.measure(measure)).collect())
}

fn error(row: &Row) -> Option<String> {
    match &row.status {
        Status::Ok => None,
        Status::Failed(error) => Some(error.clone()),
    }
}

fn both_sides(id: usize, row: &DiffRow) -> html::Row {
    let (a, b) = (row.a.as_ref(), row.b.as_ref());
    let was = a.zip(b).and_then(|(a, b)| match (a.file == b.file, a.function == b.function) {
        (_, true) if row.state != State::Moved => None,
        (true, true) => None,
        (true, false) => Some(a.function.clone()),
        (false, _) => Some(format!("{} of {}", a.function, a.file)),
    });
    let fails = |side: Option<&Row>| side.is_some_and(|side| !side.status.is_ok());
    html::Row {
        id,
        file: row.file.clone(),
        function: row.function.clone(),
        was,
        state: if row.state == State::Same && fails(b) { "failed" } else { row.state.name() },
        a: a.and_then(numbers),
        b: b.and_then(numbers),
        base_error: a.and_then(error),
        new_error: b.and_then(error),
    }
}

fn one_side(id: usize, row: &Row) -> html::Row {
    html::Row {
        id,
        file: row.file.clone(),
        function: row.function.clone(),
        state: row.status.name(),
        b: numbers(row),
        new_error: error(row),
        ..html::Row::default()
    }
}

/// Adds the listings of functions, in this order, as long as there is room.
fn add_listings<'a>(
    page: &mut Page,
    rows: impl Iterator<Item = (usize, Option<&'a Row>, Option<&'a Row>)>,
    cure: &str,
) {
    let (mut size, mut is_full, mut has_texts) = (0, false, false);
    for (id, a, b) in rows {
        let texts = |row: Option<&'a Row>| row.and_then(|row| row.texts.as_ref());
        let (a, b) = (texts(a), texts(b));
        if a.is_none() && b.is_none() {
            continue;
        }
        has_texts = true;
        size += [a, b].into_iter().flatten().map(characters).sum::<usize>();
        is_full |= size > MAX_LISTINGS;
        if is_full {
            break;
        }
        page.listings.insert(id, listings(a, b));
    }
    page.left_out = match (is_full, has_texts) {
        (true, _) => format!("It would be too large with all of them. {cure}"),
        (false, true) => "There is no text of it.".to_owned(),
        (false, false) => "Reports have them only if they are made with `bpf2native report --texts`.".to_owned(),
    };
}

fn characters(texts: &Texts) -> usize {
    TextKind::ALL.into_iter().flat_map(|kind| texts.of(kind)).map(|line| line.text.len() + 16).sum()
}

fn listings(a: Option<&Texts>, b: Option<&Texts>) -> Listings {
    if a == b {
        return Listings { same: true, b: b.map(listing), ..Listings::default() };
    }
    let runs = match (a, b) {
        (Some(a), Some(b)) => TextKind::ALL.into_iter().map(|kind| (kind.name(), runs(kind, a, b))).collect(),
        _ => BTreeMap::new(),
    };
    Listings { same: false, a: a.map(listing), b: b.map(listing), runs }
}

fn runs(kind: TextKind, a: &Texts, b: &Texts) -> Vec<Run> {
    let operations = show::operations(&scrub::keys(kind, a.of(kind)), &scrub::keys(kind, b.of(kind)));
    let run = |operation: DiffOp| match operation {
        DiffOp::Equal { len, .. } => vec![('=', len)],
        DiffOp::Delete { old_len, .. } => vec![('-', old_len)],
        DiffOp::Insert { new_len, .. } => vec![('+', new_len)],
        DiffOp::Replace { old_len, new_len, .. } => vec![('-', old_len), ('+', new_len)],
    };
    operations.into_iter().flat_map(run).collect()
}

fn listing(texts: &Texts) -> Listing {
    let index = |index: Option<u32>| index.map_or(-1, i64::from);
    let line = |line: &TextLine| -> Line { (line.text.clone(), index(line.bpf), index(line.source)) };
    let lines = |kind| texts.of(kind).iter().map(line).collect();
    let sources = texts.sources.iter().map(|source| (source.file.clone(), source.line, source.text.clone()));
    Listing {
        bpf: lines(TextKind::Bpf),
        clif: lines(TextKind::Clif),
        asm: lines(TextKind::Asm),
        sources: sources.collect(),
    }
}

/// A measure's description.
fn about(measure: Measure) -> &'static str {
    match measure {
        Measure::Bpf => "BPF instructions",
        Measure::Clif => "CLIF instructions, before Cranelift optimises",
        Measure::Bytes => "Bytes of native code, with constants and jump tables",
        Measure::Insns => "Native instructions",
        Measure::Frame => "Bytes of the stack frame",
        Measure::Spills => "Stores to spill slots",
        Measure::Reloads => "Loads from spill slots",
        Measure::Calls => "Calls",
        Measure::Branches => "Jumps and branches",
        Measure::Loads => "Instructions that read memory",
        Measure::Stores => "Instructions that write memory",
        Measure::Imports => "Functions and variables of others that it names",
        Measure::Cycles => "Estimated cycles: instructions by cost, ten times for each loop around them",
    }
}
