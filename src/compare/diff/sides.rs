//! The sides of a comparison: what was given becomes two reports, and these a [`Diff`].
//!
//! | side | its report |
//! |---|---|
//! | objects, folders | made here, without the files that are identical on the other side |
//! | a saved report | read |
//! | native code ([`against`]) | its functions are compared with those of the same names on the other side |
//!
//! Where both sides are objects and the options are the same, files of the same bytes are not translated. A saved report
//! may be from another build of this tool.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::error::CompareError;
use super::{Diff, Files, Native, Side as Described, pair};
use crate::btf::Btf;
use crate::compare::measure::{Want, sha256};
use crate::compare::report::{self, Inputs, Object, Progress, Report, Row, SCHEMA, tool};
use crate::config::Config;

/// How objects are translated.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The configuration.
    pub config: Config,
    /// Types for CO-RE relocations, and the bytes that they were read from.
    pub btf: Option<(Btf, Vec<u8>)>,
}

impl Setting {
    pub(crate) fn types(&self) -> report::Types<'_> {
        self.btf.as_ref().map(|(btf, bytes)| (btf, bytes.as_slice()))
    }
}

/// What a side is given as.
#[derive(Clone, Debug)]
pub enum Given {
    /// Objects, and how to translate them.
    Objects(Inputs, Box<Setting>),
    /// A saved report.
    Report(Box<Report>),
}

/// A side of a comparison.
#[derive(Clone, Debug)]
pub struct Side {
    /// Its name.
    pub name: String,
    /// What it is.
    pub given: Given,
}

/// Compares two sides; with `all`, identical files too.
///
/// # Errors
///
/// [`CompareError`] when a side cannot be read.
pub fn sides(a: &Side, b: &Side, want: Want, all: bool, progress: Progress<'_>) -> Result<Diff, CompareError> {
    let identical = if all { Identical::default() } else { Identical::find(a, b)? };
    let (first, second) = (a.report(&identical.a, want, progress)?, b.report(&identical.b, want, progress)?);
    let files = if a.count() == 1 && b.count() == 1 { Files::One } else { Files::ByName };
    let mut notes = Vec::new();
    for (side, report) in [(a, &first), (b, &second)] {
        if let Given::Report(_) = side.given
            && report.tool != tool()
        {
            notes.push(format!("`{}` was made by {}, and this is {}", side.name, report.tool, tool()));
        }
        if report.shard.is_some() {
            notes.push(format!("`{}` is a part of a whole: see `bpf2native report --merge`", side.name));
        }
    }
    Ok(Diff {
        a: Described::of(&a.name, &first),
        b: Described::of(&b.name, &second),
        identical_files: identical.b.len(),
        notes,
        rows: pair(&first, &second, files),
    })
}

impl Side {
    /// How many files it has.
    fn count(&self) -> usize {
        match &self.given {
            Given::Objects(inputs, _) => inputs.objects.len(),
            Given::Report(report) => report.files.len(),
        }
    }

    /// Its report, without the files of these names.
    fn report(
        &self,
        without: &BTreeSet<String>,
        want: Want,
        progress: Progress<'_>,
    ) -> Result<Report, CompareError> {
        match &self.given {
            Given::Objects(inputs, setting) => {
                let mut inputs = inputs.clone();
                inputs.objects.retain(|object| !without.contains(&object.name));
                if inputs.objects.is_empty() {
                    let options = report::options(&setting.config, setting.types());
                    let (files, functions) = Default::default();
                    return Ok(Report { schema: SCHEMA, tool: tool(), options, shard: None, files, functions });
                }
                Ok(report::make(&inputs, &setting.config, setting.types(), want, progress)?)
            }
            Given::Report(report) => {
                let mut report = (**report).clone();
                report.files.retain(|file| !without.contains(&file.name));
                report.functions.retain(|row| !without.contains(&row.file));
                Ok(report)
            }
        }
    }
}

/// The files that are the same on both sides, by their names there.
#[derive(Default)]
struct Identical {
    a: BTreeSet<String>,
    b: BTreeSet<String>,
}

impl Identical {
    /// Files of two sides that are translated here in the same way.
    fn find(a: &Side, b: &Side) -> Result<Identical, CompareError> {
        let mut identical = Identical::default();
        let (Given::Objects(a, a_setting), Given::Objects(b, b_setting)) = (&a.given, &b.given) else {
            return Ok(identical);
        };
        let options = |setting: &Setting| report::options(&setting.config, setting.types());
        if options(a_setting) != options(b_setting) {
            return Ok(identical);
        }
        let (a, b) = (&a.objects, &b.objects);
        let old: HashMap<&str, &Object> = a.iter().map(|object| (object.name.as_str(), object)).collect();
        for new in b {
            let old = match (&a[..], &b[..]) {
                ([old], [_]) => Some(old),
                _ => old.get(new.name.as_str()).copied(),
            };
            if let Some(old) = old
                && sha256(&old.read()?) == sha256(&new.read()?)
            {
                identical.a.insert(old.name.clone());
                identical.b.insert(new.name.clone());
            }
        }
        Ok(identical)
    }
}

/// Compares native functions (the first side) with our functions of the same names. Functions without a counterpart are
/// counted in the notes, and those that cannot be translated are listed.
///
/// # Errors
///
/// [`CompareError`] when the objects cannot be read, or the machines are not the same.
pub fn against(
    name: &str,
    native: &Native,
    inputs: &Inputs,
    setting: &Setting,
    want: Want,
    progress: Progress<'_>,
) -> Result<Diff, CompareError> {
    let target = setting.config.target.architecture;
    let is_same = std::mem::discriminant(&target) == std::mem::discriminant(&native.architecture);
    if !is_same {
        let (found, target) = (native.architecture.to_string(), target.to_string());
        return Err(CompareError::Machine { file: name.to_owned(), found, target });
    }
    let ours = report::make(inputs, &setting.config, setting.types(), want, progress)?;
    let mut by_name: BTreeMap<&str, Option<&Row>> = BTreeMap::new();
    for row in &native.rows {
        // Static functions of the same name cannot be told apart.
        by_name.entry(&row.function).and_modify(|known| *known = None).or_insert(Some(row));
    }
    let partner = |row: &Row| by_name.get(row.function.as_str()).copied().flatten();
    let both: Vec<Row> = ours.functions.iter().filter(|row| partner(row).is_some()).cloned().collect();
    let theirs = both.iter().filter_map(|row| Some(Row { file: row.file.clone(), ..partner(row)?.clone() }));
    let theirs: Vec<Row> = theirs.collect();
    let mut notes = Vec::new();
    let (given, there) = (ours.functions.len(), native.rows.len());
    if both.len() < given {
        notes.push(format!("{} of {given} functions are not in `{name}`", given - both.len()));
    }
    if both.len() < there {
        notes.push(format!("{} of {there} functions of `{name}` are not among those given", there - both.len()));
    }
    let names: Vec<&str> = inputs.objects.iter().map(|object| object.name.as_str()).collect();
    let reference = Described { name: name.to_owned(), tool: "another compiler".to_owned(), options: None };
    Ok(beside(reference, theirs, Described::of(&names.join(", "), &ours), both, &ours, notes))
}

/// Foreign functions (the first side) and those of a report. Files of the report that cannot be read are named in the
/// notes.
pub(crate) fn beside(
    a: Described,
    theirs: Vec<Row>,
    b: Described,
    both: Vec<Row>,
    ours: &Report,
    mut notes: Vec<String>,
) -> Diff {
    let broken = ours.files.iter().filter_map(|file| Some(format!("`{}`: {}", file.name, file.error.as_ref()?)));
    notes.extend(broken);
    let side = |functions| Report { files: Vec::new(), functions, ..ours.clone() };
    let rows = pair(&side(theirs), &side(both), Files::ByName);
    Diff { a, b, identical_files: 0, notes, rows }
}
