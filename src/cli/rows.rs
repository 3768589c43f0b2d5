//! Options for the rows of a table: filters, order, columns.

use bpf2native::compare::diff::{self, DiffRow};
use clap::Args;

use super::errors::WrongOptions;

/// Which rows are shown, and how.
#[derive(Args)]
pub struct RowOptions {
    /// Only rows that pass: 'bytes_pct>5', 'state=added', 'xdp_*', '!*.cold'; several must all pass
    #[arg(short = 'f', long = "filter", value_name = "FILTER", allow_hyphen_values = true, value_parser = parse::<diff::Filter>)]
    pub filters: Vec<diff::Filter>,
    /// Sort by columns: 'bytes_diff', 'file^,bytes_pctv' (^ smallest first, v largest first; numbers: largest first)
    #[arg(short = 's', long = "sort", value_name = "COLUMNS", value_parser = parse::<diff::Order>)]
    pub order: Option<diff::Order>,
    /// Show these columns: 'function,bytes,cycles_pct'
    #[arg(short = 'e', long = "columns", value_name = "COLUMNS")]
    pub columns: Option<String>,
}

/// Reads an argument of the library's type.
pub fn parse<T: std::str::FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}

impl RowOptions {
    /// The columns that are asked for, or those of `default`.
    pub fn stats(&self, default: &str, one_side: bool) -> anyhow::Result<Vec<diff::Stat>> {
        Ok(diff::columns(self.columns.as_deref().unwrap_or(default), one_side)?)
    }

    /// Refuses a filter for names that no row has.
    pub fn check(&self, rows: &[DiffRow]) -> anyhow::Result<()> {
        check_names("--filter", self.filters.iter().find_map(|filter| filter.unmatched(rows)))
    }

    /// The rows that pass, in order.
    pub fn rows(&self, rows: Vec<DiffRow>) -> Vec<DiffRow> {
        let mut rows = diff::filtered(rows, &self.filters);
        if let Some(order) = &self.order {
            diff::sort(&mut rows, order);
        }
        rows
    }
}

/// Refuses a name that none of the rows has.
pub fn check_names(option: &str, unmatched: Option<&str>) -> anyhow::Result<()> {
    match unmatched {
        Some(name) => Err(WrongOptions(format!("{option}: no function and no file is `{name}`")).into()),
        None => Ok(()),
    }
}
