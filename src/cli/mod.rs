//! The command line over the library: what each command does, and the exit status.

mod args;
mod build;
mod cflags;
mod diff;
mod golden;
mod header;
mod inspect;
mod outputs;
mod progress;
mod report;
mod run;
mod timing;
mod types;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use bpf2native::Program;
use bpf2native::parse::{self, Input, Options};
use bpf2native::pipeline::{self, Stage};
use bpf2native::program::names;
use clap::Parser;

use args::{Cli, Generation, Inputs, Verb};

/// The exit status of work that failed.
const FAILED: u8 = 1;
/// The exit status of wrong use.
const USAGE: u8 = 2;
/// The exit status of a comparison that failed, as diff(1) has it: 1 says that there are differences.
const TROUBLE: u8 = 2;

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let generation = match &cli.command {
        None => Some(&cli.build.generation),
        Some(Verb::Run(arguments)) => Some(&arguments.generation),
        Some(Verb::Report(arguments)) => Some(&arguments.generation),
        Some(Verb::Diff(arguments)) => Some(&arguments.generation),
        Some(Verb::Golden(arguments)) => Some(&arguments.generation),
        Some(_) => None,
    };
    if generation.is_some_and(Generation::wants_pass_list) {
        return exit_status(print(&passes()).map(|()| ExitCode::SUCCESS), FAILED);
    }
    let mut failure = FAILED;
    let done = match cli.command {
        None => build::build(&cli.build).map(|()| ExitCode::SUCCESS),
        Some(Verb::Run(arguments)) => run::run(&arguments),
        Some(Verb::Inspect(arguments)) => inspect::inspect(&arguments).map(|()| ExitCode::SUCCESS),
        Some(Verb::Cflags(arguments)) => cflags::cflags(&arguments).map(|()| ExitCode::SUCCESS),
        Some(Verb::Report(arguments)) => {
            failure = TROUBLE;
            report::report(&arguments).map(|()| ExitCode::SUCCESS)
        }
        Some(Verb::Diff(arguments)) => {
            failure = TROUBLE;
            diff::diff(&arguments)
        }
        Some(Verb::Golden(arguments)) => {
            failure = TROUBLE;
            golden::golden(&arguments)
        }
    };
    exit_status(done, failure)
}

/// The exit status of what is done, or of what failed: wrong use has one of its own.
fn exit_status(done: anyhow::Result<ExitCode>, failure: u8) -> ExitCode {
    match done {
        Ok(status) => status,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bpf2native: error: {}", names::shown(&message(&error)));
            let is_usage = error.is::<Usage>() || error.is::<WrongOptions>();
            ExitCode::from(if is_usage { USAGE } else { failure })
        }
    }
}

/// What went wrong and why, each cause once: many errors say their cause themselves.
fn message(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// The passes that `-Z` knows, in the order in which they run.
fn passes() -> String {
    let rows = pipeline::rows();
    let mut text = String::new();
    for stage in Stage::ALL {
        if !text.is_empty() {
            text.push('\n');
        }
        text += &format!("{}:\n", stage.about());
        for row in rows.iter().filter(|row| row.stage == stage && row.name != pipeline::SEQUENCE_POINTS) {
            for (pass, needs) in &row.passes {
                let needs = if needs.is_empty() { String::new() } else { format!(" (needs {})", needs.join(", ")) };
                text += &format!("  {:21}{}{needs}\n", pass.name(), pass.about());
            }
        }
    }
    text
}

/// The command line makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(&'static str);

/// Options inside of an option make no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongOptions(String);

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let is_pipe = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(is_pipe))
}

/// Reads objects as one program, and says what is odd about them.
fn read(inputs: &Inputs) -> anyhow::Result<Program> {
    if inputs.objects.is_empty() {
        return Err(Usage("no objects given; see `bpf2native --help`").into());
    }
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        Ok(Input { name, bytes: outputs::read(path)? })
    };
    let objects = inputs.objects.iter().map(read).collect::<anyhow::Result<Vec<Input>>>()?;
    let mut options = Options::default();
    options.prefixes.clone_from(&inputs.map_prefix);
    options.btf = inputs.types.read()?.map(|(btf, _)| btf);
    let program = parse::parse(&objects, &options)?;
    warn(&program.warnings);
    Ok(program)
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("bpf2native: warning: {}", names::shown(warning));
    }
}

/// Writes text to standard output.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to standard output")
}
