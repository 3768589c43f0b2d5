//! `report`: measures the code of objects, to be shown or saved.

use std::path::PathBuf;

use bpf2native::btf::Btf;
use bpf2native::compare::diff::{self, DiffRow, State};
use bpf2native::compare::measure::Want;
use bpf2native::compare::report::{self, Inputs, Shard};
use bpf2native::config::Config;
use clap::{Args, ValueEnum};

use super::args::Generation;
use super::console::warn_of;
use super::errors::Usage;
use super::outputs;
use super::progress::Progress;
use super::rows::{RowOptions, parse};
use super::types::Types;

/// The columns of a table, if none are named.
const COLUMNS: &str =
    "file,function,status_a,bpf,clif,bytes,insns,frame,spills,reloads,calls,branches,loads,stores,imports,cycles";

#[derive(Args)]
#[command(after_help = "Exit status: 0 done (functions that cannot be translated are in the report), 2 trouble.")]
pub struct ReportArguments {
    /// BPF objects, and folders of them (all files in them that end in .o)
    #[arg(value_name = "OBJECT", required = true)]
    pub inputs: Vec<PathBuf>,
    /// Merge the reports of shards
    #[arg(long, conflicts_with_all = ["shard", "btf", "texts"])]
    pub merge: bool,
    /// Measure only one shard of the objects: 3/8 is the third of eight
    #[arg(long, value_name = "N/OF", value_parser = parse_shard)]
    pub shard: Option<Shard>,
    /// Save the texts of the functions too, for `diff --show` and HTML
    #[arg(long)]
    pub texts: bool,
    /// Write to this file; `-` is standard output
    #[arg(short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Output format [default: json with -o, else table]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<ReportFormat>,
    #[command(flatten)]
    pub rows: RowOptions,
    #[command(flatten)]
    pub types: Types,
    #[command(flatten)]
    pub generation: Generation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Aligned columns
    Table,
    /// Comma-separated values
    Csv,
    /// The form that `diff` reads
    Json,
    /// One page, for a browser
    Html,
}

fn parse_shard(text: &str) -> Result<Shard, String> {
    parse(text)
}

/// Makes a report of objects.
pub fn of_objects(
    inputs: &Inputs,
    config: &Config,
    btf: Option<&(Btf, Vec<u8>)>,
    want: Want,
) -> anyhow::Result<report::Report> {
    let progress = Progress::new(inputs.objects.len());
    let types = btf.map(|(btf, bytes)| (btf, bytes.as_slice()));
    Ok(report::make(inputs, config, types, want, &|object| progress.step(object))?)
}

pub fn report(arguments: &ReportArguments) -> anyhow::Result<()> {
    let inputs = arguments.inputs.iter().map(PathBuf::as_path).chain(arguments.types.paths());
    outputs::check(outputs::file(arguments.output.as_ref()).as_slice(), inputs)?;
    let default = if arguments.output.is_some() { ReportFormat::Json } else { ReportFormat::Table };
    let format = arguments.format.unwrap_or(default);
    let report = if arguments.merge {
        let read = |path: &PathBuf| {
            let name = path.display().to_string();
            let report = report::Report::from_json(&name, &outputs::read(path)?)?;
            Ok((name, report))
        };
        report::merge(arguments.inputs.iter().map(read).collect::<anyhow::Result<_>>()?)?
    } else {
        let mut inputs = Inputs::find(&arguments.inputs)?;
        if let Some(shard) = arguments.shard {
            inputs = inputs.shard(shard);
        }
        let wants_texts = arguments.texts || format == ReportFormat::Html;
        let want = if wants_texts { Want::Texts } else { Want::Numbers };
        let btf = arguments.types.read()?;
        let made = of_objects(&inputs, &arguments.generation.config()?, btf.as_ref(), want)?;
        report::Report { shard: arguments.shard, ..made }
    };
    let is_whole = matches!(format, ReportFormat::Json | ReportFormat::Html);
    let text = if is_whole {
        if !arguments.rows.filters.is_empty() || arguments.rows.columns.is_some() {
            return Err(Usage("JSON and HTML have all rows and columns: -f and -e go with a table or CSV").into());
        }
        match format {
            ReportFormat::Html => {
                let names: Vec<String> = arguments.inputs.iter().map(|path| path.display().to_string()).collect();
                diff::report_html(&names.join(", "), &report)
            }
            _ => report.to_json(),
        }
    } else {
        let files =
            report.files.iter().filter_map(|file| Some(format!("`{}`: {}", file.name, file.error.as_ref()?)));
        files.for_each(|failed| warn_of(&failed));
        let rows = report.functions.into_iter().map(|row| DiffRow {
            file: row.file.clone(),
            function: row.function.clone(),
            state: State::Removed,
            a: Some(row),
            b: None,
        });
        let rows: Vec<DiffRow> = rows.collect();
        arguments.rows.check(&rows)?;
        let rows = arguments.rows.rows(rows);
        let columns = arguments.rows.stats(COLUMNS, true)?;
        match format {
            ReportFormat::Csv => diff::csv(&rows, &columns),
            _ => diff::table(&rows, &columns),
        }
    };
    outputs::write_text(arguments.output.as_ref(), &text)
}
