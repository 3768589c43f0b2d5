//! The command line over the library: which command runs, and its exit status.
//!
//! | what | file |
//! |---|---|
//! | the commands, as clap reads them | `command.rs` |
//! | options that commands share: leaves, which no command is in | `args.rs`, `types.rs`, `kconfig.rs`, `rows.rs` |
//! | what each command does | `build.rs`, `run/`, `test/`, `inspect/`, `cflags.rs`, `report.rs`, `diff.rs`, `golden.rs` |
//! | inputs as a program; outputs; standard output and warnings; errors | `program.rs`, `outputs.rs`, `console.rs`, `errors.rs` |
//! | `--time`; the progress bar; the header for `cflags` | `timing.rs`, `progress.rs`, `header.rs` |

mod args;
mod build;
mod cflags;
mod command;
mod console;
mod diff;
mod errors;
mod golden;
mod header;
mod inspect;
mod kconfig;
mod outputs;
mod program;
mod progress;
mod report;
mod rows;
mod run;
mod script;
mod test;
mod timing;
mod types;

use std::process::ExitCode;

use bpf2native::config::Pass;
use bpf2native::internals::pipeline::{self, Stage};
use clap::{CommandFactory, Parser};

use args::Generation;
use command::{Cli, Command};
use console::print;
use errors::{FAILED, TROUBLE, exit_status};

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let generation = match &cli.command {
        None => Some(&cli.build.generation),
        Some(Command::Run(arguments)) => Some(&arguments.generation),
        Some(Command::Test(arguments)) => Some(&arguments.generation),
        Some(Command::Report(arguments)) => Some(&arguments.generation),
        Some(Command::Diff(arguments)) => Some(&arguments.generation),
        Some(Command::Golden(arguments)) => Some(&arguments.generation),
        Some(_) => None,
    };
    if generation.is_some_and(Generation::wants_pass_list) {
        return exit_status(print(&passes()).map(|()| ExitCode::SUCCESS), FAILED);
    }
    let mut failure = FAILED;
    let done = match cli.command {
        None => build::build(&cli.build).map(|()| ExitCode::SUCCESS),
        Some(Command::Run(arguments)) => run::run(&arguments),
        Some(Command::Test(arguments)) => {
            failure = TROUBLE;
            test::test(&arguments)
        }
        Some(Command::TestChild(arguments)) => {
            failure = TROUBLE;
            test::child::run(&arguments)
        }
        Some(Command::Inspect(arguments)) => inspect::inspect(&arguments).map(|()| ExitCode::SUCCESS),
        Some(Command::Cflags(arguments)) => cflags::cflags(&arguments).map(|()| ExitCode::SUCCESS),
        Some(Command::Report(arguments)) => {
            failure = TROUBLE;
            report::report(&arguments).map(|()| ExitCode::SUCCESS)
        }
        Some(Command::Diff(arguments)) => {
            failure = TROUBLE;
            diff::diff(&arguments, Cli::command())
        }
        Some(Command::Golden(arguments)) => {
            failure = TROUBLE;
            golden::golden(&arguments)
        }
    };
    exit_status(done, failure)
}

/// The passes that `-Z` knows, in the order in which they run.
fn passes() -> String {
    let rows = pipeline::rows();
    let width = Pass::ALL.iter().map(|pass| pass.name().len()).max().unwrap_or_default();
    let mut text = String::new();
    for stage in Stage::ALL {
        if !text.is_empty() {
            text.push('\n');
        }
        text += &format!("{}:\n", stage.about());
        for row in rows.iter().filter(|row| row.stage == stage && row.name != pipeline::SEQUENCE_POINTS) {
            for (pass, needs) in &row.passes {
                let needs = if needs.is_empty() { String::new() } else { format!(" (needs {})", needs.join(", ")) };
                text += &format!("  {:width$}  {}{needs}\n", pass.name(), pass.about());
            }
        }
    }
    text
}
