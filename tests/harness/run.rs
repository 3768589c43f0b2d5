//! Runs a program as a case wants it, and compares what two runs did.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use similar::TextDiff;

use super::cases::{Case, Program, Status};

/// Only against programs that hang: each of the fixtures ends in a second or two, on a loaded machine under QEMU in a minute.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// What a program did.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub status: Status,
}

/// Runs a command with the case's arguments after its own, in a folder of its own, with no other environment.
pub fn run(command: &[&Path], case: &Case) -> Result<Outcome, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (work, io) = (folder.path().join("work"), folder.path().join("io"));
    let prepare = || -> std::io::Result<Command> {
        fs::create_dir(&work)?;
        fs::create_dir(&io)?;
        case.prepare(&work)?;
        fs::write(io.join("stdin"), &case.stdin)?;
        let mut run = Command::new(command[0]);
        run.arg0("program").args(&command[1..]).args(&case.args);
        run.current_dir(&work).env_clear().envs(case.env.iter().map(|(name, value)| (name, value)));
        run.stdin(File::open(io.join("stdin"))?);
        run.stdout(File::create(io.join("stdout"))?).stderr(File::create(io.join("stderr"))?);
        Ok(run)
    };
    let mut run = prepare().map_err(|error| format!("cannot prepare the run: {error}"))?;
    let status = wait(&mut run)?;
    let output = |name| fs::read(io.join(name)).map_err(|error| error.to_string());
    let stderr = without_emulator(output("stderr")?);
    Ok(Outcome { stdout: output("stdout")?, stderr, status: ending(status) })
}

/// What the program printed, without what QEMU says of a signal that ended it.
fn without_emulator(stderr: Vec<u8>) -> Vec<u8> {
    let lines = stderr.split_inclusive(|&byte| byte == b'\n');
    lines.filter(|line| !line.starts_with(b"qemu: uncaught target signal ")).collect::<Vec<_>>().concat()
}

fn wait(command: &mut Command) -> Result<ExitStatus, String> {
    let mut child = command.spawn().map_err(|error| format!("cannot start: {error}"))?;
    let start = Instant::now();
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(status);
        }
        if start.elapsed() > TIME_LIMIT {
            child.kill().map_err(|error| error.to_string())?;
            child.wait().map_err(|error| error.to_string())?;
            return Err(format!("still runs after {} s", TIME_LIMIT.as_secs()));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

fn ending(status: ExitStatus) -> Status {
    match (status.code(), status.signal()) {
        (Some(code), _) => Status::Exit(code),
        (None, Some(libc::SIGILL | libc::SIGTRAP)) => Status::Trap,
        (None, signal) => Status::Signal(signal.unwrap_or(0)),
    }
}

/// Runs a tool that has to succeed and that says nothing when it does.
pub fn tool(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// How the runs of a program's cases by `command` differ from what they had to do, with the cases' names.
pub fn differences(program: &Program, expected: &[Outcome], command: &[&Path]) -> impl Iterator<Item = String> {
    program.cases.iter().zip(expected).filter_map(|(case, expected)| {
        let problem = match run(command, case) {
            Ok(actual) => difference(expected, &actual),
            Err(error) => Some(error),
        };
        problem.map(|problem| format!("{}:\n{problem}", case.name))
    })
}

/// How what a program did differs from what it had to do; nothing where they agree.
fn difference(expected: &Outcome, actual: &Outcome) -> Option<String> {
    let mut text = String::new();
    if expected.status != actual.status {
        let _ = writeln!(text, "  ends with {:?}, not {:?}", actual.status, expected.status);
    }
    for (name, expected, actual) in
        [("stdout", &expected.stdout, &actual.stdout), ("stderr", &expected.stderr, &actual.stderr)]
    {
        if expected != actual {
            let (old, new) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(actual));
            let diff = TextDiff::from_lines(&old, &new);
            let diff = diff.unified_diff().context_radius(1).to_string();
            let _ = writeln!(text, "  {name} differs:");
            for line in diff.lines().take(12) {
                let _ = writeln!(text, "    {line}");
            }
        }
    }
    (!text.is_empty()).then_some(text)
}
