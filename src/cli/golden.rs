//! `golden`: texts of functions that are kept beside the sources, and checked.

use std::path::PathBuf;
use std::process::ExitCode;

use bpf2native::compare::golden::{self, Golden};
use bpf2native::compare::measure::Kind;
use bpf2native::program::prefix::PrefixMap;
use clap::Args;

use super::args::Generation;
use super::diff::Text;
use super::progress::Progress;
use super::{Usage, print};

#[derive(Args)]
#[command(after_help = "\
Exit status: 0 the texts are as they were, 1 they differ, 2 trouble.

The folder remembers the objects and the options: name them with --bless to set them, and leave them out after that.")]
pub struct GoldenArguments {
    /// The folder of the texts
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// BPF objects, and folders of them (with --bless)
    #[arg(value_name = "OBJECT", requires = "bless")]
    pub objects: Vec<PathBuf>,
    /// Write the texts as they are now
    #[arg(long)]
    pub bless: bool,
    /// Which texts [default: asm]
    #[arg(long = "text", value_name = "TEXT")]
    pub texts: Vec<Text>,
    /// Begin paths of source files with NEW instead of OLD (with --bless)
    #[arg(long, value_name = "OLD=NEW", requires = "bless")]
    pub map_prefix: Vec<PrefixMap>,
    #[command(flatten)]
    pub generation: Generation,
}

pub fn golden(arguments: &GoldenArguments) -> anyhow::Result<ExitCode> {
    let folder = &arguments.folder;
    let previous = Golden::read(folder);
    let golden = if arguments.objects.is_empty() {
        if !arguments.texts.is_empty() || !arguments.map_prefix.is_empty() {
            return Err(Usage("--text and --map-prefix go with the objects, and with --bless").into());
        }
        previous.as_ref().ok().cloned()
    } else {
        let kinds: Vec<Kind> = match &arguments.texts[..] {
            [] => vec![Kind::Asm],
            texts => texts.iter().map(|text| text.kind()).collect(),
        };
        Some(
            Golden::new(folder, &arguments.objects, &arguments.generation.config(), &kinds)?
                .with_prefixes(&arguments.map_prefix),
        )
    };
    let (golden, previous) = match (golden, previous) {
        (Some(golden), previous) => (golden, previous.ok()),
        (None, Err(error)) => return Err(error.into()),
        (None, Ok(previous)) => (previous, None),
    };
    let progress = Progress::new(golden.object_count(folder)?);
    let texts = golden.texts(folder, arguments.generation.threads, &|object| progress.step(object))?;
    drop(progress);
    if arguments.bless {
        let changed = golden::bless(folder, &golden, previous.as_ref(), &texts)?;
        print(&format!("{} functions, {changed} files changed\n", texts.len()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let differences = golden::check(folder, &golden, &texts)?;
    if differences.is_empty() {
        print(&format!("{} functions are as they were\n", texts.len()))?;
        return Ok(ExitCode::SUCCESS);
    }
    for difference in &differences {
        print(&difference.diff)?;
    }
    print(&format!(
        "{} of {} files differ; to accept them: bpf2native golden {} --bless\n",
        differences.len(),
        texts.len().max(differences.len()),
        folder.display()
    ))?;
    Ok(ExitCode::FAILURE)
}
