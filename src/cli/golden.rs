//! `golden`: keeps texts of functions beside the sources, and checks the code against them.

use std::path::PathBuf;
use std::process::ExitCode;

use bpf2native::compare::golden::{self, Golden};
use bpf2native::compare::measure::TextKind;
use bpf2native::program::prefix::PrefixMap;
use clap::Args;

use super::args::{Generation, TextOption};
use super::console::print;
use super::errors::Usage;
use super::progress::Progress;

#[derive(Args)]
#[command(after_help = "\
Exit status: 0 the code is as in the texts, 1 it differs, 2 trouble.

The folder records the objects and the options: give them with --bless, and leave them out after that.")]
pub struct GoldenArguments {
    /// The folder of the texts
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// BPF objects, and folders of them (with --bless)
    #[arg(value_name = "OBJECT", requires = "bless")]
    pub objects: Vec<PathBuf>,
    /// Accept the code as it is now: write the texts
    #[arg(long)]
    pub bless: bool,
    /// Which texts [default: asm]
    #[arg(long = "text", value_name = "TEXT")]
    pub texts: Vec<TextOption>,
    /// Replace the prefix OLD of source paths by NEW (with --bless)
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
        let kinds: Vec<TextKind> = match &arguments.texts[..] {
            [] => vec![TextKind::Asm],
            texts => texts.iter().map(|text| text.kind()).collect(),
        };
        Some(
            Golden::new(folder, &arguments.objects, &arguments.generation.config()?, &kinds)?
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
