//! A machine's compilers, linker and emulator.
//!
//! In: a program of the suite. Out: executables, translated and native, and how many instructions they execute. The rule: all is made
//! anew, into the folder of the machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use bpf2native::emit::{self, Purpose};
use bpf2native::{Config, Program as Translated};

use super::suite::{self, Program};

/// Iterations of the two runs whose difference counts.
const ITERATIONS: [u64; 2] = [1, 9];

/// For BPF, as the other benchmarks compile.
const BPF: &str = "-target bpf -O2 -g -fno-builtin -fstack-size-section -Wno-incompatible-library-redeclaration -mcpu=v4 \
    -mllvm -bpf-stack-size=32768";

/// For the machine itself.
const NATIVE: &str = "-O2 -fno-vectorize -fno-slp-vectorize -Wno-incompatible-library-redeclaration";

/// The clang of both.
const CLANG: &str = "clang-22";

/// What was executed for eight iterations.
#[derive(Clone, Copy)]
pub struct Counts {
    pub instructions: u64,
    pub accesses: u64,
}

/// What compiles, links and runs for a machine.
pub struct Machine {
    name: String,
    config: Config,
    folder: PathBuf,
    plugin: PathBuf,
}

impl Machine {
    /// A machine of which QEMU has an emulator, with the plugin compiled.
    pub fn new(name: &str, config: Config, folder: &Path) -> Result<Machine, String> {
        let plugin = folder.join("count.so");
        let mut command = Command::new("gcc");
        command.args(["-O2", "-fPIC", "-shared", "-o"]).arg(&plugin).arg(here().join("count.c"));
        run(&mut command)?;
        Ok(Machine { name: name.to_owned(), config, folder: folder.to_owned(), plugin })
    }

    /// The executable of a translated program.
    pub fn translated(&self, program: &Program) -> Result<PathBuf, String> {
        let object = match program.object() {
            Some(object) => object,
            None => {
                let object = self.folder.join(format!("{}.bpf.o", program.name));
                run(clang(BPF).arg(program.source()).arg("-o").arg(&object))?;
                object
            }
        };
        let program_of = Translated::from_files([object]).map_err(|error| error.to_string())?;
        let made = emit::object(&program_of, &self.config, Purpose::Relocatable, "bench.o");
        let made = made.map_err(|error| format!("{}: {error}", program.name))?;
        let output = self.folder.join(format!("{}.o", program.name));
        std::fs::write(&output, made.bytes).map_err(|error| format!("{}: {error}", output.display()))?;
        self.link(&output)
    }

    /// The executable of a program that clang compiled for the machine.
    pub fn native(&self, program: &Program) -> Result<PathBuf, String> {
        let output = self.folder.join(format!("{}.native.o", program.name));
        let target = format!("--target={}-linux-gnu", self.name);
        run(clang(NATIVE).arg(target).arg(program.source()).arg("-o").arg(&output))?;
        self.link(&output)
    }

    fn link(&self, object: &Path) -> Result<PathBuf, String> {
        let output = object.with_extension("exe");
        let mut command = Command::new(format!("{}-linux-gnu-gcc", self.name));
        run(command.arg("-static").arg(here().join("driver.c")).arg(object).arg("-lm").arg("-o").arg(&output))?;
        Ok(output)
    }

    /// The result, and what is executed between the two numbers of iterations.
    pub fn count(&self, program: &Program, executable: &Path) -> Result<(String, Counts), String> {
        let numbers = executable.with_extension("counts");
        let mut result = String::new();
        let mut counts = [Counts { instructions: 0, accesses: 0 }; 2];
        for (iterations, counts) in ITERATIONS.iter().zip(&mut counts) {
            let mut command = Command::new(format!("qemu-{}", self.name));
            command.arg("-plugin").arg(format!("{},out={}", self.plugin.display(), numbers.display()));
            result = run(command.arg(executable).arg(program.buffer.to_string()).arg(iterations.to_string()))?;
            let text =
                std::fs::read_to_string(&numbers).map_err(|error| format!("{}: {error}", numbers.display()))?;
            let mut words = text.split_whitespace().map(str::parse);
            let (Some(Ok(instructions)), Some(Ok(accesses))) = (words.next(), words.next()) else {
                return Err(format!("{}: `{}` is not two numbers", numbers.display(), text.trim()));
            };
            *counts = Counts { instructions, accesses };
        }
        let [few, more] = counts;
        let counts = Counts {
            instructions: more.instructions.saturating_sub(few.instructions),
            accesses: more.accesses.saturating_sub(few.accesses),
        };
        Ok((result.trim().to_owned(), counts))
    }
}

/// The folder of this file.
fn here() -> PathBuf {
    suite::folder().with_file_name("counts")
}

fn clang(flags: &str) -> Command {
    let mut command = Command::new(CLANG);
    command.args(flags.split_whitespace());
    command.args(["c", "floats"].map(|headers| format!("-I{}", suite::folder().join(headers).display()))).arg("-c");
    command
}

/// Runs a command: what it printed.
fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("cannot run `{program}`: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
