//! What the programs of the fixtures do when a C compiler makes them, for this machine or for another one.

use std::path::Path;
use std::process::Command;

use super::cases::{Case, Program};
use super::fixtures;
use super::matrix::Matrix;
use super::run::{Outcome, run, tool};

/// A C compiler, and what starts its programs.
pub struct Toolchain {
    compiler: String,
    archiver: String,
    /// An emulator with its arguments; nothing for this machine.
    runner: Vec<String>,
}

impl Toolchain {
    /// The system's, for this machine.
    pub fn native() -> Toolchain {
        Toolchain { compiler: "cc".to_owned(), archiver: "ar".to_owned(), runner: Vec::new() }
    }

    /// Debian's cross compiler for `machine`, and QEMU's emulator of that machine's Linux.
    pub fn cross(machine: &str) -> Toolchain {
        let prefix = format!("{machine}-linux-gnu");
        let runner = [format!("qemu-{machine}"), "-L".to_owned(), format!("/usr/{prefix}")];
        let runner = runner.into_iter().chain(["-0", "program"].map(str::to_owned)).collect();
        Toolchain { compiler: format!("{prefix}-gcc"), archiver: format!("{prefix}-ar"), runner }
    }

    /// The first of its tools that is not installed.
    pub fn missing(&self) -> Option<&str> {
        let tools = [&self.compiler, &self.archiver].into_iter().chain(self.runner.first());
        tools.map(String::as_str).find(|tool| {
            let ran = Command::new(tool).arg("--version").output();
            !ran.is_ok_and(|output| output.status.success())
        })
    }

    /// The command that starts an executable.
    pub fn command<'a>(&'a self, executable: &'a Path) -> Vec<&'a Path> {
        self.runner.iter().map(Path::new).chain([executable]).collect()
    }

    /// What the cases of a program have to do: what `cases.txt` says, and where that leaves the output open, what the
    /// native program prints. The native program must end as `cases.txt` says, too.
    pub fn outcomes(&self, matrix: &Matrix, program: &Program) -> Result<Vec<Outcome>, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let executable = folder.path().join("native");
        if program.cases.iter().any(|case| case.stdout.is_none()) {
            self.compile(matrix, program, folder.path(), &executable)?;
        }
        let command = self.command(&executable);
        let outcome = |case: &Case| {
            if let Some(stdout) = &case.stdout {
                return Ok(Outcome { stdout: stdout.clone(), stderr: Vec::new(), status: case.status });
            }
            let outcome = run(&command, case).map_err(|error| format!("{}: {error}", case.name))?;
            if outcome.status == case.status {
                return Ok(outcome);
            }
            let error = String::from_utf8_lossy(&outcome.stderr).into_owned();
            Err(format!("{}: ends with {:?}, not {:?}\n{error}", case.name, outcome.status, case.status))
        };
        program.cases.iter().map(outcome).collect()
    }

    /// Compiles and links a program, archives as archives.
    fn compile(&self, matrix: &Matrix, program: &Program, folder: &Path, executable: &Path) -> Result<(), String> {
        let mut link = Command::new(&self.compiler);
        for (number, input) in program.inputs.iter().enumerate() {
            let mut objects = Vec::new();
            for (member, source) in matrix.sources_of(input)?.iter().enumerate() {
                let object = folder.join(format!("{number}-{member}.o"));
                let mut compile = Command::new(&self.compiler);
                compile.args(["-O1", "-w", "-c", "-I"]).arg(fixtures().join("../include"));
                compile.arg(fixtures().join(source)).arg("-o").arg(&object);
                tool(&mut compile)?;
                objects.push(object);
            }
            if input.ends_with(".a") {
                let archive = folder.join(format!("{number}.a"));
                tool(Command::new(&self.archiver).arg("rcs").arg(&archive).args(&objects))?;
                objects = vec![archive];
            }
            link.args(&objects);
        }
        tool(link.arg("-o").arg(executable))
    }
}
