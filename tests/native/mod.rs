//! What the tests of unwinding, of debuggers and of the API share: fixtures, native tools, translated objects.

// Each test file uses a part of it.
#![allow(dead_code)]

pub mod bpf;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bpf2native::{Config, Jit, Linker, Module, Program};

/// A file below `fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Reads one fixture object.
pub fn program(name: &str) -> Program {
    Program::from_files([fixture(name)]).unwrap()
}

/// Loads a program with the default configuration.
pub fn load(program: &Program, linker: &Linker) -> Module {
    Jit::new(&Config::new()).unwrap().load(program, linker).unwrap()
}

/// Whether a tool is installed; if not, says so, and fails where `CI` is set.
pub fn has_tool(tool: &str) -> bool {
    let started = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let works = started.is_ok_and(|status| status.success());
    if !works {
        skip(&format!("`{tool}` is not installed"));
    }
    works
}

/// Says that a test cannot run, which is a failure where `CI` is set.
pub fn skip(why: &str) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(std::env::var_os("CI").is_none(), "{name} cannot run: {why}");
    eprintln!("skipped: {name}: {why}");
}

/// The translator's command.
#[cfg(feature = "cli")]
pub fn bpf2native() -> Command {
    Command::new(env!("CARGO_BIN_EXE_bpf2native"))
}

/// Runs a command that must succeed; what it prints.
pub fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out
}

/// Compiles the C++ host of `fixtures/unwind`.
pub fn compile_host(arguments: &[&str], inputs: &[&Path], to: &Path) {
    let mut command = Command::new("c++");
    command.args(["-O1", "-o"]).arg(to).args(arguments).arg(fixture("unwind/host.cpp")).args(inputs);
    output(&mut command);
}
