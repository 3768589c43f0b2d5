//! Errors of the command line, and the exit status that they have.

use std::io;
use std::process::ExitCode;

use bpf2native::program::names;

/// The exit status of work that failed.
pub const FAILED: u8 = 1;
/// The exit status of a command line that makes no sense.
pub const USAGE: u8 = 2;
/// The exit status of a comparison that failed, as diff(1) has it: 1 says that there are differences.
pub const TROUBLE: u8 = 2;

/// The command line makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub &'static str);

/// The command line makes no sense, for a reason that names something in it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongOptions(pub String);

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let is_pipe = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(is_pipe))
}

/// The exit status of a command that is done, or that failed: a usage error has a status of its own.
pub fn exit_status(done: anyhow::Result<ExitCode>, failure: u8) -> ExitCode {
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

/// An error with its causes, each once: many errors name their cause themselves.
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
