//! The command, run as a user runs it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the fixtures.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// The command in a folder, outside of continuous integration.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bpf2native"));
    command.current_dir(folder).args(arguments).env_remove("CI");
    command
}

/// Runs a command: its exit status, and what it printed to standard output and to standard error.
pub fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Runs the command and checks its exit status; what it printed to standard output and to standard error.
pub fn check(folder: &Path, arguments: &[&str], status: i32) -> (String, String) {
    let (found, out, error) = run(&mut command(folder, arguments));
    assert_eq!(found, status, "{arguments:?}\n{out}{error}");
    (out, error)
}
