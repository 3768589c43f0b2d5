//! Columns: their names, and their values.
//!
//! | name | value |
//! |---|---|
//! | `file`, `function`, `state` | text |
//! | `status_a`, `status_b` | `ok`, `failed`, or nothing where the function is missing |
//! | `bytes_a`, `bytes_b` | a number on one side; every [`Measure`] has such columns |
//! | `bytes_diff` | the second minus the first |
//! | `bytes_pct` | the same in percent of the first; from 0 to anything is 100 |
//! | `bytes` | in filters and orders, the first side's; in `-e`, all four |
//! | `\|bytes_diff\|` | without its sign, in filters and orders |

use std::fmt;
use std::str::FromStr;

use super::{DiffRow, percent};
use crate::compare::measure::Measure;
use crate::compare::report::Row;

/// What a column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// The file.
    File,
    /// The function.
    Function,
    /// What happened to the function.
    State,
    /// Whether it could be translated.
    Status,
    /// A number.
    Measure(Measure),
}

impl Column {
    fn named(name: &str) -> Option<Column> {
        Some(match name {
            "file" => Column::File,
            "function" => Column::Function,
            "state" => Column::State,
            "status" => Column::Status,
            name => Column::Measure(Measure::named(name)?),
        })
    }

    /// Its name, without a variant.
    pub fn name(self) -> &'static str {
        match self {
            Column::File => "file",
            Column::Function => "function",
            Column::State => "state",
            Column::Status => "status",
            Column::Measure(measure) => measure.name(),
        }
    }

    /// The variants that it has.
    pub fn variants(self) -> &'static [Variant] {
        match self {
            Column::File | Column::Function | Column::State => &[],
            Column::Status => &[Variant::A, Variant::B],
            Column::Measure(_) => &[Variant::A, Variant::B, Variant::Diff, Variant::Pct],
        }
    }
}

/// Which value of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variant {
    /// The first side's.
    A,
    /// The second side's.
    B,
    /// The second minus the first.
    Diff,
    /// The same in percent of the first.
    Pct,
}

impl Variant {
    fn suffix(self) -> &'static str {
        match self {
            Variant::A => "_a",
            Variant::B => "_b",
            Variant::Diff => "_diff",
            Variant::Pct => "_pct",
        }
    }
}

/// A value in a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Missing: the function is not on that side, or has no such number.
    None,
    /// Text.
    Text(String),
    /// A count, or a difference of counts.
    Number(i64),
    /// Percent.
    Percent(f64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => Ok(()),
            Value::Text(text) => f.write_str(text),
            Value::Number(number) => number.fmt(f),
            Value::Percent(percent) => write!(f, "{percent:.2}"),
        }
    }
}

/// A column and a variant of it, as filters, orders and `-e` name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The column.
    pub column: Column,
    /// Its variant; none for a column without variants, or where none is given.
    pub variant: Option<Variant>,
    /// Without the sign.
    pub absolute: bool,
}

/// There is no column with this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no column `{name}`; there are {known}; numbers also with _a, _b, _diff, _pct")]
pub struct UnknownColumn {
    name: String,
    known: String,
}

impl FromStr for Stat {
    type Err = UnknownColumn;

    fn from_str(name: &str) -> Result<Stat, UnknownColumn> {
        let inner = name.strip_prefix('|').and_then(|name| name.strip_suffix('|'));
        let (text, absolute) = inner.map_or((name, false), |name| (name, true));
        if let Some(column) = Column::named(text) {
            return Ok(Stat { column, variant: None, absolute });
        }
        for variant in [Variant::A, Variant::B, Variant::Diff, Variant::Pct] {
            let column = text.strip_suffix(variant.suffix()).and_then(Column::named);
            if let Some(column) = column.filter(|column| column.variants().contains(&variant)) {
                return Ok(Stat { column, variant: Some(variant), absolute });
            }
        }
        let texts = ["file", "function", "state", "status"];
        let known = texts.into_iter().chain(Measure::ALL.map(Measure::name)).collect::<Vec<_>>().join(", ");
        Err(UnknownColumn { name: name.to_owned(), known })
    }
}

impl fmt::Display for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bar = if self.absolute { "|" } else { "" };
        write!(f, "{bar}{}{}{bar}", self.column.name(), self.variant.map_or("", Variant::suffix))
    }
}

impl Stat {
    /// The value of a row.
    pub fn value(&self, row: &DiffRow) -> Value {
        let variant = self.variant.unwrap_or(Variant::A);
        let side = if variant == Variant::B { &row.b } else { &row.a };
        match self.column {
            Column::File => Value::Text(row.file.clone()),
            Column::Function => Value::Text(row.function.clone()),
            Column::State => Value::Text(row.state.name().to_owned()),
            Column::Status => match side {
                Some(side) => Value::Text(side.status.name().to_owned()),
                None => Value::None,
            },
            Column::Measure(measure) => self.number(measure, variant, row),
        }
    }

    fn number(&self, measure: Measure, variant: Variant, row: &DiffRow) -> Value {
        let of = |side: &Option<Row>| side.as_ref()?.measure(measure).and_then(|value| i64::try_from(value).ok());
        let (a, b) = (of(&row.a), of(&row.b));
        let value = match variant {
            Variant::A => a.map(Value::Number),
            Variant::B => b.map(Value::Number),
            Variant::Diff => a.zip(b).map(|(a, b)| Value::Number(b - a)),
            Variant::Pct => a.zip(b).map(|(a, b)| Value::Percent(percent(a as f64, b as f64))),
        };
        match value.unwrap_or(Value::None) {
            Value::Number(number) if self.absolute => Value::Number(number.abs()),
            Value::Percent(percent) if self.absolute => Value::Percent(percent.abs()),
            value => value,
        }
    }
}

/// Reads `-e file,function,bytes`: a number without a variant stands for all of its variants, or for itself where there
/// is one side only.
///
/// # Errors
///
/// [`UnknownColumn`].
pub fn columns(list: &str, one_side: bool) -> Result<Vec<Stat>, UnknownColumn> {
    let mut columns = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let stat: Stat = name.parse()?;
        match (stat.variant, stat.column.variants()) {
            (None, variants) if !one_side && !variants.is_empty() => {
                columns.extend(variants.iter().map(|&variant| Stat { variant: Some(variant), ..stat }));
            }
            _ => columns.push(stat),
        }
    }
    Ok(columns)
}
