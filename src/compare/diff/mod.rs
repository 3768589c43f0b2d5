//! Two sides, compared function by function.
//!
//! In: two [`Report`]s, or what they are made from ([`sides`]). Out: a [`Diff`], which is filtered, sorted and shown.
//!
//! | file | what |
//! |---|---|
//! | `sides.rs` | objects, folders, reports and native code to two reports; identical files are not translated |
//! | `error.rs` | errors |
//! | `pair.rs` | matching of functions between the sides |
//! | `column.rs` | columns: names, variants, values |
//! | `filter.rs` | filters, orders, conditions of failure |
//! | `native.rs` | the functions of a native object |
//! | `kernel/` | the code of the kernel's JIT |
//! | `scrub.rs`, `show.rs` | the unified diff of a function |
//! | `table.rs`, `csv.rs`, `json.rs`, `markdown.rs`, `html.rs` | a diff as text |

mod column;
mod csv;
mod error;
mod filter;
mod html;
mod json;
mod kernel;
mod markdown;
mod native;
mod pair;
mod scrub;
mod show;
mod sides;
mod table;

use std::collections::BTreeMap;

use super::measure::Measure;
use super::report::{Options, Report, Row};

pub use column::{Column, Stat, UnknownColumn, Value, Variant, columns};
pub use csv::csv;
pub use error::CompareError;
pub use filter::{Condition, Filter, Order, filtered, sort};
pub use html::{html, report_html};
pub use json::json;
pub use kernel::kernel;
pub use markdown::markdown;
pub use native::{Native, native_report};
pub use pair::{Files, pair};
pub use show::{show, unified};
pub use sides::{Given, Setting, Side as GivenSide, against, sides};
pub use table::table;

/// What happened to a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Its code is the same, and so are its numbers.
    Same,
    /// Its code differs.
    Changed,
    /// It is on the second side only.
    Added,
    /// It is on the first side only.
    Removed,
    /// Its BPF code is the same, in another file or under another name.
    Moved,
    /// It could be translated before, and cannot now.
    Broken,
    /// It could not be translated before, and can now.
    Fixed,
}

impl State {
    /// All of them, as they are listed.
    pub const ALL: [State; 7] =
        [State::Broken, State::Fixed, State::Changed, State::Added, State::Removed, State::Moved, State::Same];

    /// Its name, in tables and filters.
    pub fn name(self) -> &'static str {
        match self {
            State::Same => "same",
            State::Changed => "changed",
            State::Added => "added",
            State::Removed => "removed",
            State::Moved => "moved",
            State::Broken => "broken",
            State::Fixed => "fixed",
        }
    }
}

/// A function, on both sides or on one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffRow {
    /// Its file: on the second side, where it exists there.
    pub file: String,
    /// Its name: on the second side, where it exists there.
    pub function: String,
    /// What happened to it.
    pub state: State,
    /// On the first side.
    pub a: Option<Row>,
    /// On the second side.
    pub b: Option<Row>,
}

/// A description of a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// What was given as this side.
    pub name: String,
    /// What made its code: `bpf2native 0.1.0`.
    pub tool: String,
    /// The options, if they are known.
    pub options: Option<Options>,
}

impl Side {
    /// The side that a report is.
    pub fn of(name: &str, report: &Report) -> Side {
        Side { name: name.to_owned(), tool: report.tool.clone(), options: Some(report.options.clone()) }
    }

    /// The tool and options as text.
    pub fn describe(&self) -> String {
        match &self.options {
            Some(options) => {
                let Options { target, cpu, opt, passes, btf, profile } = options;
                let mut text = format!("{} -O{opt} --cpu {cpu} --target {target}", self.tool);
                if let Some(passes) = passes {
                    text.push_str(" -Z none");
                    text.extend(passes.iter().map(|pass| format!(" -Z {pass}")));
                }
                if btf.is_some() {
                    text.push_str(" --btf");
                }
                if profile.is_some() {
                    text.push_str(" --profile-use");
                }
                text
            }
            None => self.tool.clone(),
        }
    }
}

/// Two sides, compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// The first side: old, or the reference.
    pub a: Side,
    /// The second side: new.
    pub b: Side,
    /// Files that are the same on both sides, translated in the same way: their functions have no rows.
    pub identical_files: usize,
    /// Notes for the user.
    pub notes: Vec<String>,
    /// The functions, by file and function.
    pub rows: Vec<DiffRow>,
}

/// The sum of a measure on both sides, over functions that have it on both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// On the first side.
    pub a: u64,
    /// On the second side.
    pub b: u64,
}

impl Diff {
    /// Whether there is any difference.
    pub fn differs(&self) -> bool {
        self.rows.iter().any(|row| row.state != State::Same)
    }

    /// How many functions there are in each state.
    pub fn counts(&self) -> BTreeMap<State, usize> {
        let mut counts = BTreeMap::new();
        for row in &self.rows {
            *counts.entry(row.state).or_insert(0) += 1;
        }
        counts
    }

    /// The sum of a measure over the functions that have it on both sides.
    pub fn total(&self, measure: Measure) -> Total {
        let mut total = Total::default();
        for row in &self.rows {
            let of = |row: &Option<Row>| row.as_ref().and_then(|row| row.measure(measure));
            if let (Some(a), Some(b)) = (of(&row.a), of(&row.b)) {
                total.a = total.a.saturating_add(a);
                total.b = total.b.saturating_add(b);
            }
        }
        total
    }

    /// The counts as text: `3 functions differ (2 changed, 1 added); 40 are the same; 2 files are identical`.
    pub fn summary(&self) -> String {
        let counts = self.counts();
        let same = counts.get(&State::Same).copied().unwrap_or(0);
        let differ = self.rows.len() - same;
        let plural =
            |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let mut text = match differ {
            0 => "no differences".to_owned(),
            _ => {
                let states = State::ALL.into_iter().filter(|&state| state != State::Same);
                let parts =
                    states.filter_map(|state| counts.get(&state).map(|count| format!("{count} {}", state.name())));
                let parts: Vec<String> = parts.collect();
                format!("{} ({})", plural(differ, "function differs", "functions differ"), parts.join(", "))
            }
        };
        if same > 0 {
            text.push_str(&format!("; {}", plural(same, "function is the same", "functions are the same")));
        }
        if self.identical_files > 0 {
            text.push_str(&format!(
                "; {}",
                plural(self.identical_files, "file is identical", "files are identical")
            ));
        }
        text
    }
}

/// The difference in percent, as in veristat: from 0 to anything is 100 %.
pub fn percent(a: f64, b: f64) -> f64 {
    match a == 0.0 {
        true if b == 0.0 => 0.0,
        true => 100.0_f64.copysign(b),
        false => 100.0 * (b - a) / a,
    }
}
