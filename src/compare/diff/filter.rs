//! Filters, orders, and conditions of failure, as veristat writes them.
//!
//! | filter | rows that pass |
//! |---|---|
//! | `bytes_pct>5`, `<`, `>=`, `<=`, `=` or `==`, `!=` or `<>` | those whose value compares so; a row without the value never passes |
//! | `state=added`, `status_b!=ok` | those whose text compares so |
//! | `xdp_*`, `lib/*.o/main` | those whose function, file, or file and function the pattern matches: `*` any text, `?` one character |
//! | `!PATTERN` | those that it does not match |
//!
//! A row has to pass all of them. An order is a list of columns, `bytes_diff,file`, each with `^` behind it for the
//! smallest first or `v` for the largest first; numbers are largest first, text from a to z.

use std::cmp::Ordering;
use std::str::FromStr;

use super::column::UnknownColumn;
use super::{Column, DiffRow, Stat, State, Value};

/// An invalid filter or order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// No such column.
    #[error(transparent)]
    Column(#[from] UnknownColumn),
    /// A number is compared with something else.
    #[error("`{filter}` compares a number with `{value}`")]
    Number {
        /// The filter.
        filter: String,
        /// What it is compared with.
        value: String,
    },
    /// Text is compared by an order.
    #[error("`{filter}` compares text: use = or !=")]
    Text {
        /// The filter.
        filter: String,
    },
    /// It is empty.
    #[error("a filter is empty")]
    Empty,
    /// A column's name by itself.
    #[error("`{name}` is a column: compare it with something, as in `{name}{example}`")]
    NoOperator {
        /// The column.
        name: String,
        /// An operator and a value.
        example: &'static str,
    },
    /// A state or a status that does not exist.
    #[error("`{filter}`: there is no `{value}`; there are {}", known.join(", "))]
    NoValue {
        /// The filter.
        filter: String,
        /// What it compares with.
        value: String,
        /// What exists.
        known: Vec<&'static str>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Longer operators first.
const OPERATORS: [(&str, Operator); 8] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<>", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

impl Operator {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Operator::Equal => ordering.is_eq(),
            Operator::NotEqual => ordering.is_ne(),
            Operator::Less => ordering.is_lt(),
            Operator::LessOrEqual => ordering.is_le(),
            Operator::Greater => ordering.is_gt(),
            Operator::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// A filter of rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// By a column's number.
    Number(Stat, Test, f64),
    /// By a column's text.
    Text(Stat, Test, String),
    /// By names: a pattern, and whether it is to match.
    Name(String, bool),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test(Operator);

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(filter: &str) -> Result<Filter, FilterError> {
        let filter = filter.trim();
        // The first operator counts; where several start there, the longest.
        let at = filter.char_indices().skip(1).find_map(|(at, _)| {
            let found = OPERATORS.iter().find(|(sign, _)| filter[at..].starts_with(sign));
            found.map(|&(sign, operator)| (at, sign, operator))
        });
        let Some((at, sign, operator)) = at else {
            let (pattern, wanted) = filter.strip_prefix('!').map_or((filter, true), |pattern| (pattern, false));
            if let Ok(stat) = pattern.parse::<Stat>() {
                let is_number = matches!(stat.column, Column::Measure(_));
                let example = if is_number { ">5" } else { "=main" };
                return Err(FilterError::NoOperator { name: pattern.to_owned(), example });
            }
            return match pattern.is_empty() {
                true => Err(FilterError::Empty),
                false => Ok(Filter::Name(pattern.to_owned(), wanted)),
            };
        };
        let stat: Stat = filter[..at].trim().parse()?;
        let value = filter[at + sign.len()..].trim();
        match stat.column {
            Column::Measure(_) => {
                let number = value.trim_end_matches('%').parse::<f64>().ok().filter(|number| number.is_finite());
                match number {
                    Some(number) => Ok(Filter::Number(stat, Test(operator), number)),
                    None => Err(FilterError::Number { filter: filter.to_owned(), value: value.to_owned() }),
                }
            }
            _ if matches!(operator, Operator::Equal | Operator::NotEqual) => {
                let known: Vec<&'static str> = match stat.column {
                    Column::State => State::ALL.iter().map(|state| state.name()).collect(),
                    Column::Status => vec!["ok", "failed"],
                    _ => Vec::new(),
                };
                if !known.is_empty() && !known.contains(&value) {
                    return Err(FilterError::NoValue { filter: filter.to_owned(), value: value.to_owned(), known });
                }
                Ok(Filter::Text(stat, Test(operator), value.to_owned()))
            }
            _ => Err(FilterError::Text { filter: filter.to_owned() }),
        }
    }
}

impl Filter {
    /// The pattern or name of the filter, if it matches none of these rows: it is probably misspelt.
    pub fn unmatched(&self, rows: &[DiffRow]) -> Option<&str> {
        let (name, is_of): (&str, &dyn Fn(&DiffRow) -> bool) = match self {
            Filter::Name(pattern, _) => (pattern, &|row| Filter::Name(pattern.clone(), true).passes(row)),
            Filter::Text(stat, _, name) if matches!(stat.column, Column::File | Column::Function) => {
                (name, &|row| matches!(stat.value(row), Value::Text(text) if text == *name))
            }
            _ => return None,
        };
        (!rows.iter().any(is_of)).then_some(name)
    }

    /// Whether a row passes.
    pub fn passes(&self, row: &DiffRow) -> bool {
        match self {
            Filter::Number(stat, Test(operator), wanted) => {
                let value = match stat.value(row) {
                    Value::Number(number) => number as f64,
                    Value::Percent(percent) => percent,
                    Value::None | Value::Text(_) => return false,
                };
                value.partial_cmp(wanted).is_some_and(|ordering| operator.holds(ordering))
            }
            Filter::Text(stat, Test(operator), wanted) => match stat.value(row) {
                Value::Text(text) => operator.holds(text.as_str().cmp(wanted)),
                _ => *operator == Operator::NotEqual,
            },
            Filter::Name(pattern, wanted) => {
                let both = format!("{}/{}", row.file, row.function);
                let names = [row.function.as_str(), row.file.as_str(), both.as_str()];
                names.iter().any(|name| matches(pattern, name)) == *wanted
            }
        }
    }
}

/// Whether a pattern of `*` and `?` matches all of `text`. Takes at most the product of their lengths.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut in_text) = (0, 0);
    // The position of the last `*`, and the end of what it has matched.
    let mut star: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, in_text));
                at += 1;
            }
            Some(&c) if c == '?' || c == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => match &mut star {
                Some((star, matched)) => {
                    *matched += 1;
                    (at, in_text) = (*star + 1, *matched);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&c| c == '*')
}

/// The rows that pass all filters.
pub fn filtered(rows: Vec<DiffRow>, filters: &[Filter]) -> Vec<DiffRow> {
    rows.into_iter().filter(|row| filters.iter().all(|filter| filter.passes(row))).collect()
}

/// An order of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order(Vec<(Stat, bool)>);

impl FromStr for Order {
    type Err = FilterError;

    fn from_str(list: &str) -> Result<Order, FilterError> {
        let mut stats = Vec::new();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let (name, direction) = match (name.strip_suffix('^'), name.strip_suffix('v')) {
                (Some(name), _) => (name, Some(true)),
                (_, Some(stat)) if name.parse::<Stat>().is_err() => (stat, Some(false)),
                _ => (name, None),
            };
            let stat: Stat = name.parse()?;
            let is_number = matches!(stat.column, Column::Measure(_));
            stats.push((stat, direction.unwrap_or(!is_number)));
        }
        Ok(Order(stats))
    }
}

/// Sorts rows, stably; rows without a value come last.
pub fn sort(rows: &mut [DiffRow], order: &Order) {
    rows.sort_by(|left, right| {
        for (stat, ascending) in &order.0 {
            let ordering = compare(&stat.value(left), &stat.value(right), *ascending);
            if ordering.is_ne() {
                return ordering;
            }
        }
        Ordering::Equal
    });
}

fn compare(left: &Value, right: &Value, ascending: bool) -> Ordering {
    let ordering = match (left, right) {
        (Value::None, Value::None) => return Ordering::Equal,
        (Value::None, _) => return Ordering::Greater,
        (_, Value::None) => return Ordering::Less,
        (Value::Number(left), Value::Number(right)) => left.cmp(right),
        (Value::Percent(left), Value::Percent(right)) => left.total_cmp(right),
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        _ => Ordering::Equal,
    };
    if ascending { ordering } else { ordering.reverse() }
}

/// When a comparison is a failure.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// `new failure`: a function could be translated on the first side and cannot on the second.
    NewFailure,
    /// Some row passes a filter.
    Row(Filter),
}

impl FromStr for Condition {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Condition, FilterError> {
        match text.trim() {
            "new failure" | "new-failure" => Ok(Condition::NewFailure),
            filter => filter.parse().map(Condition::Row),
        }
    }
}

impl Condition {
    /// As [`Filter::unmatched`].
    pub fn unmatched(&self, rows: &[DiffRow]) -> Option<&str> {
        match self {
            Condition::NewFailure => None,
            Condition::Row(filter) => filter.unmatched(rows),
        }
    }

    /// Whether a row makes the comparison fail.
    pub fn holds(&self, row: &DiffRow) -> bool {
        match self {
            Condition::NewFailure => row.state == State::Broken,
            Condition::Row(filter) => filter.passes(row),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, text) in
            [("*", ""), ("a*c", "abbc"), ("?b*", "ab"), ("*.o/m?in", "x.o/main"), ("main", "main")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a*c", "abcd"), ("?", ""), ("main", "my_main")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let error = |filter: &str| filter.parse::<Filter>().unwrap_err().to_string();
        assert!(
            error("size>5").contains("there is no column `size`; there are file, function"),
            "{}",
            error("size>5")
        );
        assert!(error("bytes_pct>much").contains("`much`"));
        assert!(error("state>same").contains("= or !="));
        assert!("file_a=x".parse::<Filter>().is_err() && "status_pct=1".parse::<Filter>().is_err());
        assert!("".parse::<Filter>().is_err() && "!".parse::<Filter>().is_err());
        assert!("nothing^".parse::<Order>().is_err());
    }

    #[test]
    fn signs_are_those_of_veristat() {
        let operator = |filter: &str| match filter.parse::<Filter>().unwrap() {
            Filter::Number(_, Test(operator), value) => (operator, value),
            other => panic!("{other:?}"),
        };
        assert_eq!(operator("bytes>=5"), (Operator::GreaterOrEqual, 5.0));
        assert_eq!(operator("bytes_pct <> 2.5%"), (Operator::NotEqual, 2.5));
        assert_eq!(operator("|insns_diff|=-1"), (Operator::Equal, -1.0));
        assert_eq!(operator("bytes_b != 0"), (Operator::NotEqual, 0.0));
    }
}
