//! What a test's process tells the command: a file with a line for each thing that happened.
//!
//! | line | written |
//! |---|---|
//! | `expected` | an EXPECT did not hold, and the test went on |
//! | `failed` | an ASSERT did not hold, or FAIL |
//! | `skipped REASON` | SKIP |
//! | `returned` | the test function returned |
//! | `fault` | a signal was caught, and said what it was |
//!
//! The process's exit status alone says little: a program may call `exit` itself.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use super::outcome::Outcome;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Expected,
    Failed,
    Skipped(String),
    Returned,
    Fault,
}

/// Adds an event to the file. There is nobody to tell if that fails; without the event, the test has failed.
pub fn add(path: &Path, event: &Event) {
    let line = match event {
        Event::Expected => "expected\n".to_owned(),
        Event::Failed => "failed\n".to_owned(),
        Event::Skipped(reason) => format!("skipped {}\n", reason.replace(['\n', '\r'], " ")),
        Event::Returned => "returned\n".to_owned(),
        Event::Fault => "fault\n".to_owned(),
    };
    let file = OpenOptions::new().create(true).append(true).open(path);
    let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
}

/// The events, in order.
pub fn read(path: &Path) -> Vec<Event> {
    let bytes = fs::read(path).unwrap_or_default();
    let event = |line: &str| match line.split_once(' ').unwrap_or((line, "")) {
        ("expected", _) => Some(Event::Expected),
        ("failed", _) => Some(Event::Failed),
        ("skipped", reason) => Some(Event::Skipped(reason.to_owned())),
        ("returned", _) => Some(Event::Returned),
        ("fault", _) => Some(Event::Fault),
        _ => None,
    };
    String::from_utf8_lossy(&bytes).lines().filter_map(event).collect()
}

/// What became of a test whose process has ended by itself.
pub fn outcome(events: &[Event], status: ExitStatus) -> Outcome {
    if events.iter().any(|event| matches!(event, Event::Expected | Event::Failed | Event::Fault)) {
        // What did not hold is in its output.
        return Outcome::Failed(None);
    }
    if let Some(reason) = events.iter().find_map(|event| match event {
        Event::Skipped(reason) => Some(reason),
        _ => None,
    }) {
        return Outcome::Skipped(reason.clone());
    }
    let is_whole = events.contains(&Event::Returned);
    if is_whole && status.success() {
        return Outcome::Passed;
    }
    let place = if is_whole { "after the test" } else { "before the test returned" };
    Outcome::Failed(Some(match (status.signal(), status.code()) {
        (Some(signal), _) => format!("the process was ended by {} {place}", signal_name(signal)),
        (None, code) => format!("the process ended with exit status {} {place}", code.unwrap_or_default()),
    }))
}

/// The name of a signal.
pub fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGALRM => "SIGALRM",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGILL => "SIGILL",
        libc::SIGINT => "SIGINT",
        libc::SIGKILL => "SIGKILL",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGTERM => "SIGTERM",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}
