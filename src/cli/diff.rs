//! `diff`: compares two sides, function by function.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use bpf2native::compare::diff::{self, Condition, Diff, DiffRow, Given, GivenSide, Setting, State};
use bpf2native::compare::measure::Want;
use bpf2native::compare::report::{Inputs, Report};
use clap::{Args, Command, FromArgMatches, Parser, ValueEnum};

use super::args::{Generation, TextOption};
use super::console::warn_of;
use super::errors::{Usage, WrongOptions};
use super::outputs;
use super::progress::Progress;
use super::rows::{RowOptions, check_names, parse};
use super::types::Types;

/// The columns of a table, if none are named.
const COLUMNS: &str =
    "file,function,state,bytes_a,bytes_b,bytes_diff,bytes_pct,insns_diff,spills_diff,reloads_diff,cycles_pct";

/// The `--fail-on` condition where CI is set and none is given.
const IN_CI: Condition = Condition::NewFailure;

const AFTER_HELP: &str = "\
Exit status: 0 no differences among the rows that pass the filters, 1 differences, 2 trouble. With --fail-on, or where \
CI is set: 1 if some row, shown or not, meets one of the conditions, else 0; without --fail-on, CI=true means \
--fail-on 'new failure'.

Each number is a column: bpf, clif, bytes, insns, frame, spills, reloads, calls, branches, loads, stores, imports, \
cycles; with _a (OLD), _b (NEW), _diff, _pct. Others: file, function, state (same, changed, added, removed, moved, \
broken, fixed), status_a, status_b (ok, failed).

With --a and --b, side a has the first setting and side b the second: bpf2native diff x.o --a '-O1' --b '-O2'.
With --against, side a is the other code, and side b is ours.";

#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct DiffArguments {
    /// A BPF object, a folder of them, or a saved report
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// What to compare it with; not needed with --a and --b, or --against
    #[arg(value_name = "NEW")]
    pub new: Option<PathBuf>,
    /// Options for side a, in addition to those for both: '-O1', '--target aarch64'
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true, default_value = "", hide_default_value = true)]
    pub a: String,
    /// Options for side b
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true, default_value = "", hide_default_value = true)]
    pub b: String,
    /// Compare with a native object of the same source, made by another compiler, or with the kernel's JIT (`kernel`)
    #[arg(long, value_name = "NATIVE.o|kernel", conflicts_with_all = ["new", "a", "b"])]
    pub against: Option<PathBuf>,
    /// Compare files that are identical too
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub rows: RowOptions,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    /// Show unified diffs of the functions that differ, instead of a table
    #[arg(long, value_name = "TEXT")]
    pub show: Option<TextOption>,
    /// Exit with 1 only if some row meets this condition: 'new failure', or a filter such as 'bytes_pct>10'
    #[arg(long, value_name = "CONDITION", allow_hyphen_values = true, value_parser = parse::<Condition>)]
    pub fail_on: Vec<Condition>,
    /// Write to this file; `-` is standard output
    #[arg(short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub types: Types,
    #[command(flatten)]
    pub generation: Generation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns
    Table,
    /// Comma-separated values
    Csv,
    /// Everything, for programs
    Json,
    /// Markdown, for a comment in a pull request
    Md,
    /// One page, for a browser
    Html,
}

/// Options of one side.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct SideOptions {
    #[command(flatten)]
    generation: Generation,
}

/// The options for both sides, overridden by those of one side.
fn generation(command: &Command, option: &str, words: &str) -> anyhow::Result<Generation> {
    let refuse = |error: clap::Error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        WrongOptions(format!("{option}: {first}"))
    };
    // Errors in the words alone are reported without the rest of the command line.
    SideOptions::try_parse_from(words.split_whitespace()).map_err(refuse)?;
    let arguments = std::env::args_os().chain(words.split_whitespace().map(Into::into));
    let command = command.clone().mut_subcommand("diff", |diff| diff.args_override_self(true));
    let matches = command.try_get_matches_from(arguments).map_err(refuse)?;
    let (_, diff) = matches.subcommand().context("`diff` is the command")?;
    Ok(Generation::from_arg_matches(diff).map_err(refuse)?)
}

/// Runs `diff`; `command` is the whole command line's, which the options of one side are read by.
pub fn diff(arguments: &DiffArguments, command: Command) -> anyhow::Result<ExitCode> {
    let optional = [&arguments.new, &arguments.against].into_iter().flatten();
    let inputs = std::iter::once(&arguments.old).chain(optional).map(PathBuf::as_path);
    let inputs = inputs.chain(arguments.types.paths());
    outputs::check(outputs::file(arguments.output.as_ref()).as_slice(), inputs)?;
    let columns = arguments.rows.stats(COLUMNS, false)?;
    let want = match (arguments.show, arguments.format) {
        (None, Format::Table | Format::Csv | Format::Json | Format::Md) => Want::Numbers,
        (Some(_), _) | (_, Format::Html) => Want::Texts,
    };
    let mut diff = compared(arguments, &command, want)?;
    diff.notes.iter().for_each(|note| warn_of(note));
    // Functions of identical files have no rows, so that a name without a row may be one of theirs.
    if diff.identical_files == 0 {
        arguments.rows.check(&diff.rows)?;
        let unmatched = arguments.fail_on.iter().find_map(|condition| condition.unmatched(&diff.rows));
        check_names("--fail-on", unmatched)?;
    }
    let fails = failure(arguments, &diff.rows);
    let unfiltered = diff.rows.clone();
    diff.rows = arguments.rows.rows(std::mem::take(&mut diff.rows));
    let text = text(arguments, &diff, &columns);
    let differs = diff.differs();
    diff.rows = unfiltered;
    outputs::write_text(arguments.output.as_ref(), &text)?;
    let is_failure = fails.unwrap_or(differs);
    Ok(ExitCode::from(u8::from(is_failure)))
}

/// Whether a condition holds; none if there are no conditions.
fn failure(arguments: &DiffArguments, rows: &[DiffRow]) -> Option<bool> {
    let is_ci = std::env::var("CI").is_ok_and(|ci| !ci.is_empty() && ci != "false" && ci != "0");
    let conditions = match &arguments.fail_on[..] {
        [] if is_ci => &[IN_CI],
        conditions => conditions,
    };
    if conditions.is_empty() {
        return None;
    }
    Some(conditions.iter().any(|condition| rows.iter().any(|row| condition.holds(row))))
}

fn text(arguments: &DiffArguments, diff: &Diff, columns: &[diff::Stat]) -> String {
    if let Some(text) = arguments.show {
        return diff::show(diff, text.kind());
    }
    // Rows of functions that are the same are shown with `--all` only.
    let is_shown = |row: &&DiffRow| arguments.all || row.state != State::Same;
    let rows: Vec<DiffRow> = diff.rows.iter().filter(is_shown).cloned().collect();
    match arguments.format {
        Format::Table => {
            let table = diff::table(&rows, columns);
            let gap = if table.is_empty() { "" } else { "\n" };
            format!("{table}{gap}{}\n", diff.summary())
        }
        Format::Csv => diff::csv(&rows, columns),
        Format::Json => diff::json(diff),
        Format::Md => diff::markdown(diff, &rows, columns),
        Format::Html => diff::html(diff),
    }
}

fn compared(arguments: &DiffArguments, command: &Command, want: Want) -> anyhow::Result<Diff> {
    let btf = arguments.types.read()?;
    if let Some(against) = &arguments.against {
        let inputs = Inputs::find(std::slice::from_ref(&arguments.old))?;
        let setting = Setting { config: arguments.generation.config()?, btf };
        let progress = Progress::new(inputs.objects.len());
        if against.as_os_str() == "kernel" {
            return Ok(diff::kernel(&inputs, &setting, want, &|object| progress.step(object))?);
        }
        let name = against.display().to_string();
        let native = diff::native_report(&name, &outputs::read(against)?, want)?;
        return Ok(diff::against(&name, &native, &inputs, &setting, want, &|object| progress.step(object))?);
    }
    let new = match &arguments.new {
        Some(new) => new,
        None if arguments.a != arguments.b => &arguments.old,
        None => return Err(Usage("diff wants OLD and NEW, or one of them with --a and --b, or --against").into()),
    };
    let side = |path: &Path, letter: &str, words: &str| -> anyhow::Result<GivenSide> {
        let config = match words {
            "" => arguments.generation.config()?,
            words => generation(command, letter, words)?.config()?,
        };
        let name = match words {
            "" => path.display().to_string(),
            words => format!("{} {words}", path.display()),
        };
        let given = match saved(path)? {
            Some(_) if !words.is_empty() => {
                anyhow::bail!("`{}` is a saved report: {letter} cannot change how it was made", path.display())
            }
            Some(report) => Given::Report(Box::new(report)),
            None => {
                let inputs = Inputs::find(&[path])?;
                Given::Objects(inputs, Box::new(Setting { config, btf: btf.clone() }))
            }
        };
        Ok(GivenSide { name, given })
    };
    let (a, b) = (side(&arguments.old, "--a", &arguments.a)?, side(new, "--b", &arguments.b)?);
    let objects = [&a, &b].map(|side| match &side.given {
        Given::Objects(inputs, _) => inputs.objects.len(),
        Given::Report(_) => 0,
    });
    let progress = Progress::new(objects.iter().sum());
    Ok(diff::sides(&a, &b, want, arguments.all, &|object| progress.step(object))?)
}

/// The saved report in a file; none for a folder, or a file that is not JSON.
fn saved(path: &Path) -> anyhow::Result<Option<Report>> {
    let name = path.display().to_string();
    if path.is_dir() {
        return Ok(None);
    }
    let bytes = outputs::read(path)?;
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        Some(b'{') => Ok(Some(Report::from_json(&name, &bytes)?)),
        _ => Ok(None),
    }
}
