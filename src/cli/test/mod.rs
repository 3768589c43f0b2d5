//! `bpf2native test`: tests in C, linked with the objects that ship, each in a process of its own.
//!
//! In: objects with tests, the program's objects, options. Out: results, as text or in files; exit status 0, 1 if a test has failed,
//! 2 if the tests could not be run. All output is in the order of the tests, whatever the number of threads.
//!
//! | what | file |
//! |---|---|
//! | the options | `options.rs` |
//! | which objects are BPF's, and which native | `inputs.rs` |
//! | the tests | `find.rs` |
//! | objects to a library | `build.rs` |
//! | one test: its process from outside, from inside, its faults | `process.rs`, `child.rs`, `fault.rs` |
//! | what the process tells; what became of the test | `record.rs`, `outcome.rs` |
//! | all tests, on several threads | `schedule.rs` |
//! | results as text | `formats/` |
//! | coverage | `coverage.rs` |

mod build;
pub mod child;
mod coverage;
mod fault;
mod find;
mod formats;
mod inputs;
pub mod options;
mod outcome;
mod process;
mod record;
mod schedule;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use bpf2native::internals::coverage::Counted;
use bpf2native::program::names;

use super::console::print;
use super::errors::{FAILED, Usage};
use super::outputs;
use build::Build;
use find::Test;
use formats::{junit, pretty, tap};
use inputs::Objects;
use options::{Format, TestArguments};
use outcome::Finished;
use process::Runner;

pub fn test(arguments: &TestArguments) -> anyhow::Result<ExitCode> {
    if arguments.generation.target.is_some() {
        return Err(Usage("tests run on this machine, and `--target` names another: run them on that one").into());
    }
    if arguments.tests.is_empty() {
        return Err(Usage("no objects with tests given; see `bpf2native test --help`").into());
    }
    let written: Vec<&Path> = arguments.output.iter().chain(&arguments.coverage).map(PathBuf::as_path).collect();
    let read = arguments.tests.iter().chain(&arguments.programs).map(PathBuf::as_path);
    outputs::check(&written, read.chain(arguments.types.paths()).chain(arguments.kconfig.file.as_deref()))?;

    let tests = Objects::read(&arguments.tests)?;
    let programs = Objects::read(&arguments.programs)?;
    let program = build::program(arguments, &tests, &programs)?;
    let all = find::tests(&arguments.tests, &program, &tests.native)?;
    let count = all.len();
    let is_chosen = |test: &Test| find::is_chosen(test, &arguments.filter, arguments.exact);
    let chosen: Vec<Test> = all.into_iter().filter(is_chosen).collect();
    if chosen.is_empty() {
        bail!(
            "no test of {count} fits `--filter {}`; `--list` prints their names",
            arguments.filter.join("`, `--filter ")
        );
    }
    if arguments.list {
        let lines = chosen.iter().map(|test| format!("{}\n", names::shown(&test.name)));
        return print(&lines.collect::<String>()).map(|()| ExitCode::SUCCESS);
    }

    let counted = arguments.coverage.is_some().then(|| Counted::new(&program));
    let mut config = arguments.generation.config()?;
    config.debug(true).coverage(counted.is_some());
    let folder = tempfile::Builder::new().prefix("bpf2native-test").tempdir().context("cannot make a folder")?;
    let library = folder.path().join("tests.so");
    let cache = arguments.generation.cache();
    let build = Build { program: &program, counted: counted.as_ref(), config: &config, cache: cache.as_ref() };
    build.library(arguments, &tests, &programs, &library)?;

    let runner = Runner {
        command: std::env::current_exe().context("cannot find the command itself")?,
        library,
        folder: folder.path().to_owned(),
        timeout: Duration::from_secs(arguments.timeout),
        captures: !arguments.nocapture,
        counters: counted.as_ref().map(Counted::counters),
    };
    let finished = run(arguments, &runner, &chosen, count - chosen.len())?;
    if let (Some(counted), Some(path)) = (&counted, &arguments.coverage) {
        let lcov = coverage::lcov(counted, &runner, chosen.len(), &program, &programs.bpf)?;
        outputs::write(path, lcov.as_bytes())?;
    }
    let has_failed = finished.iter().any(Finished::has_failed);
    Ok(if has_failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

/// Runs the tests, and shows what becomes of them.
fn run(
    arguments: &TestArguments,
    runner: &Runner,
    tests: &[Test],
    filtered_out: usize,
) -> anyhow::Result<Vec<Finished>> {
    let file = outputs::file(arguments.output.as_ref());
    // With a file, standard output is for people.
    let printed = if file.is_some() { Format::Pretty } else { arguments.format };
    let line = |number: usize, finished: &Finished, format: Format| match format {
        Format::Pretty => pretty::line(finished),
        Format::Tap => tap::lines(number, finished),
        Format::Junit => String::new(),
    };
    let head = |format: Format| match format {
        Format::Pretty => pretty::head(tests.len()),
        Format::Tap => tap::head(tests.len()),
        Format::Junit => String::new(),
    };
    let tail = |all: &[Finished], format: Format| match format {
        Format::Pretty => Ok(pretty::tail(all, filtered_out)),
        Format::Tap => Ok(String::new()),
        Format::Junit => junit::report(all),
    };
    let mut all = Vec::new();
    print(&head(printed))?;
    schedule::run(runner, tests, arguments.generation.threads, |finished| {
        print(&line(all.len() + 1, &finished, printed))?;
        all.push(finished);
        Ok(())
    })?;
    print(&tail(&all, printed)?)?;
    if let Some(path) = file {
        let lines = (1..).zip(&all).map(|(number, finished)| line(number, finished, arguments.format));
        let text = head(arguments.format) + &lines.collect::<String>() + &tail(&all, arguments.format)?;
        outputs::write(path, text.as_bytes())?;
    }
    Ok(all)
}
