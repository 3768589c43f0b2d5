//! Pairs of files that call each other over the border: one is BPF, the other native.
//!
//! In: a [`Batch`] of random prototypes, a machine, how the BPF side is made. Out: what differed, in words. Each BPF
//! object is translated once and linked with the native side of each compiler; the program runs all calls, in both
//! directions, directly and through pointers.
//!
//! | file | owns |
//! |---|---|
//! | `types` | C types, their layout |
//! | `random` | prototypes and values from a seed |
//! | `ctext` | the C text of a side |
//! | `words`, `code`, `btf`, `dwarf`, `object` | BPF objects as LLVM 23 makes them: no older compiler has stack arguments, or results of structs and `__int128` |

mod btf;
mod code;
pub mod ctext;
mod dwarf;
mod object;
pub mod random;
pub mod types;
mod words;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::run::tool;
use ctext::{Definable, Side};
use random::{Ability, Batch, Prototype};
use types::{Scalar, Type};

const BPF2NATIVE: &str = env!("CARGO_BIN_EXE_bpf2native");

/// A machine that pairs run on.
pub struct Machine {
    /// The name that `--target` and Debian's packages have for it.
    pub name: &'static str,
    /// The compilers of its native side, with what chooses the machine.
    pub compilers: Vec<Vec<String>>,
    /// What links.
    pub linker: String,
    /// What starts a program.
    pub runner: Vec<String>,
    pub big_endian: bool,
}

impl Machine {
    /// This one.
    pub fn native() -> Machine {
        let compilers = ["gcc", "clang-19", "clang-22"].map(|name| vec![name.to_owned()]);
        let (linker, runner) = ("gcc".to_owned(), Vec::new());
        Machine { name: "x86_64", compilers: compilers.into(), linker, runner, big_endian: false }
    }

    /// Another, with Debian's cross compiler, under QEMU.
    pub fn cross(name: &'static str) -> Machine {
        let prefix = format!("{name}-linux-gnu");
        let linker = format!("{prefix}-gcc");
        let clang = vec!["clang-22".to_owned(), format!("--target={prefix}")];
        let runner = vec![format!("qemu-{name}"), "-L".to_owned(), format!("/usr/{prefix}")];
        let compilers = vec![vec![linker.clone()], clang];
        Machine { name, compilers, linker, runner, big_endian: name == "s390x" }
    }

    /// The same without a compiler.
    pub fn without(mut self, compiler: &str) -> Machine {
        self.compilers.retain(|command| command[0] != compiler);
        self
    }

    /// The first tool that is not installed.
    pub fn missing(&self) -> Option<&str> {
        let compilers = self.compilers.iter().filter_map(|compiler| compiler.first());
        let tools = compilers.chain(self.runner.first()).chain([&self.linker]);
        tools.map(String::as_str).find(|tool| {
            let ran = Command::new(tool).arg("--version").output();
            !ran.is_ok_and(|output| output.status.success())
        })
    }
}

/// A BPF compiler with its flags.
pub struct BpfCompiler {
    pub name: &'static str,
    pub flags: &'static [&'static str],
}

/// What clang can do for BPF before LLVM 23.
pub fn ability_of_clang(machine: &str) -> Ability {
    let variadic_doubles = machine == "riscv64";
    Ability {
        words: 5,
        parameters: 5,
        wide_results: false,
        wide_parameters: true,
        bit_fields: true,
        variadic_doubles,
        structs_in_registers: false,
    }
}

/// Whether clang can define it for BPF before LLVM 23: no struct results, no `...`.
pub fn clang_defines(prototype: &Prototype) -> bool {
    let result = !matches!(prototype.result.ty, Type::Struct(_) | Type::Scalar(Scalar::Int128 { .. }));
    result && prototype.tail.is_none()
}

/// Makes the BPF objects of a batch by compilers, and tries each with each native side.
pub fn check_compiled(machine: &Machine, batch: &Batch, compilers: &[BpfCompiler]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("bpf.c");
    std::fs::write(&source, ctext::file(batch, Side::Bpf, &clang_defines)).unwrap();
    let mut objects = Vec::new();
    for (number, compiler) in compilers.iter().enumerate() {
        let object = folder.path().join(format!("bpf{number}.o"));
        let mut compile = Command::new(compiler.name);
        compile.args(["-target", if machine.big_endian { "bpfeb" } else { "bpfel" }, "-g", "-w", "-fno-builtin"]);
        compile.args(compiler.flags).arg("-c").arg(&source).arg("-o").arg(&object);
        if let Err(error) = tool(&mut compile) {
            return vec![format!("seed {}: {error}", batch.seed)];
        }
        objects.push((format!("{} {}", compiler.name, compiler.flags.join(" ")), object));
    }
    check_objects(machine, batch, &objects, &clang_defines)
}

/// What LLVM 23 can do.
pub fn ability_of_llvm23(machine: &str) -> Ability {
    let variadic_doubles = machine == "riscv64";
    Ability {
        words: 16,
        parameters: 12,
        wide_results: true,
        wide_parameters: true,
        bit_fields: false,
        variadic_doubles,
        structs_in_registers: false,
    }
}

/// What clang can do from version 23 on.
pub fn ability_of_clang23(machine: &str) -> Ability {
    Ability { structs_in_registers: true, ..ability_of_llvm23(machine) }
}

/// Makes the BPF object of a batch as LLVM 23 would, and tries it with each native side.
pub fn check_written(machine: &Machine, batch: &Batch) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bpf.o");
    std::fs::write(&path, object::object(batch, machine.big_endian)).unwrap();
    check_objects(machine, batch, &[("LLVM 23".to_owned(), path)], &|prototype| prototype.tail.is_none())
}

/// Tries BPF objects of a batch, each with what it is called, with each native side.
pub fn check_objects(
    machine: &Machine,
    batch: &Batch,
    objects: &[(String, PathBuf)],
    is_definable: Definable<'_>,
) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("native.c");
    std::fs::write(&source, ctext::file(batch, Side::Native, is_definable)).unwrap();
    let native = |number: usize| folder.path().join(format!("native{number}.o"));
    let translated = |number: usize| folder.path().join(format!("translated{number}.o"));
    // The objects of both sides, then all pairs of them.
    let compile = |(number, compiler): (usize, &Vec<String>)| {
        let mut compile = Command::new(&compiler[0]);
        compile.args(&compiler[1..]).args(["-O2", "-w", "-c"]).arg(&source).arg("-o").arg(native(number));
        compile
    };
    let translate = |(number, (_, object)): (usize, &(String, PathBuf))| {
        let mut translate = Command::new(BPF2NATIVE);
        translate.args(["-c", "--target", machine.name]).arg(object).arg("-o").arg(translated(number));
        translate
    };
    let compiles = machine.compilers.iter().enumerate().map(compile);
    let commands = compiles.chain(objects.iter().enumerate().map(translate));
    let errors: Vec<String> = commands.filter_map(|mut command| tool(&mut command).err()).collect();
    if !errors.is_empty() {
        return errors;
    }
    let sides = machine.compilers.len();
    let pairs = (0..objects.len()).flat_map(|object| (0..sides).map(move |side| (object, side)));
    let failures = pairs.map(|(object, side)| {
        let program = folder.path().join(format!("program{object}-{side}"));
        let what = format!("{}, {} against {}", machine.name, objects[object].0, machine.compilers[side].join(" "));
        let mut link = Command::new(&machine.linker);
        link.arg(native(side)).arg(translated(object)).arg("-o").arg(&program);
        match tool(&mut link) {
            Err(error) => vec![format!("{what}: {error}")],
            Ok(()) => {
                run(machine, batch, &program).into_iter().map(|failure| format!("{what}: {failure}")).collect()
            }
        }
    });
    failures.collect::<Vec<_>>().concat()
}

/// Runs a program of two sides; what it reports.
fn run(machine: &Machine, batch: &Batch, program: &Path) -> Vec<String> {
    let arguments = machine.runner.iter().map(Path::new).chain([program]);
    // Only against programs that hang: each takes a second or two.
    let arguments: Vec<&Path> = ["timeout", "600"].map(Path::new).into_iter().chain(arguments).collect();
    let output = Command::new(arguments[0]).args(&arguments[1..]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let mut failures: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| *line != "done") {
        let number = line.split(' ').next().and_then(|number| number.parse::<usize>().ok());
        let prototype = number.and_then(|number| batch.prototypes.get(number));
        let declaration = prototype.map(|prototype| ctext::declaration(&batch.structs, prototype, "f"));
        failures.push(format!(
            "seed {}, prototype and value {line}: {}",
            batch.seed,
            declaration.unwrap_or_default()
        ));
    }
    if !text.ends_with("done\n") || !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        failures.push(format!("seed {}: the program ended with {}\n{stderr}", batch.seed, output.status));
    }
    failures
}
