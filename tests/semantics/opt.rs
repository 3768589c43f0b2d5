//! Golden tests of the plan and opt phases: each file of `tests/opt/` has a program, and the CLIF without and with a pass.
//!
//! ```text
//! # what it shows
//! pass NAME
//! target NAME                 where it is not x86_64
//! after NAME                   another one that is on in both, if it takes one
//! calls SLOT NAME             the call in this 8-byte slot (`call -1`) is of an undefined function, if it is
//! declared                    undefined functions have libc's types, as BTF says them, if they have
//!     r0 = 0                  assembly (indented)
//! without
//! CLIF of all functions, with no pass on
//! with
//! CLIF with this one on
//! ```
//!
//! Of passes after Cranelift's optimiser it is what that leaves.
//!
//! `BPF2NATIVE_BLESS=1` writes what is there now.

use std::fs;
use std::path::Path;

use bpf2native::compare::listing;
use bpf2native::config::{PassChange, Passes};
use bpf2native::internals::pipeline::{self, Stage};
use bpf2native::parse::{Input, Options, parse};
use bpf2native::program::PrototypeSource;
use bpf2native::{Config, Program};

/// A program of one section, whose calls in these slots are of undefined functions.
fn program(name: &str, text: &str, calls: &[(u64, &str)]) -> Program {
    let code = crate::support::asm::assemble(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let program = match calls {
        [] => Program::from_instructions(name, &code),
        calls => {
            let main = crate::object::Function { name: "main", text, weak: false, references: calls };
            let input = Input { name: name.to_owned(), bytes: crate::object::object(&[main], &[]) };
            parse(&[input], &Options::default())
        }
    };
    program.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The CLIF of a program, with these passes: before or after Cranelift's optimiser.
fn clif(name: &str, program: &Program, target: &str, passes: Passes, is_optimised: bool) -> String {
    let config = Config::for_target(target.parse().unwrap()).passes(passes).clone();
    let list = if is_optimised { listing::optimised } else { listing::clif };
    list(program, &config, None).unwrap_or_else(|error| panic!("{name}: {error}")).text
}

/// What the file should be.
fn made(name: &str, text: &str) -> String {
    let head = text.split("\nwithout\n").next().unwrap_or_default().trim_end();
    let pass = head.lines().find_map(|line| line.strip_prefix("pass "));
    let pass = pass.unwrap_or_else(|| panic!("{name}: no line `pass NAME`"));
    let change = |pass: &str| -> PassChange { pass.parse().unwrap_or_else(|error| panic!("{name}: {error}")) };
    let after: Vec<PassChange> = head.lines().filter_map(|line| line.strip_prefix("after ")).map(change).collect();
    let before = Passes::NONE.changed(&after);
    let lines = head.lines().filter(|line| line.starts_with("    "));
    let calls = head.lines().filter_map(|line| line.strip_prefix("calls ")).map(|call| {
        let call = call.split_once(' ').and_then(|(slot, callee)| Some((slot.parse().ok()?, callee)));
        call.unwrap_or_else(|| panic!("{name}: `calls` wants a slot and a name"))
    });
    let calls: Vec<(u64, &str)> = calls.collect();
    let mut program = program(name, &lines.map(|line| format!("{line}\n")).collect::<String>(), &calls);
    if head.lines().any(|line| line == "declared") {
        for id in program.imports.ids() {
            program.imports[id].prototype_from = PrototypeSource::Btf;
        }
    }
    let target = head.lines().find_map(|line| line.strip_prefix("target ")).unwrap_or("x86_64");
    let is_optimised = pipeline::rows().iter().any(|row| row.name == pass && row.stage == Stage::OptimisedClif);
    let clif = |passes| clif(name, &program, target, passes, is_optimised).trim_end().to_owned();
    let with = clif(before.changed(&[change(pass)]));
    format!("{head}\nwithout\n{}\nwith\n{with}\n", clif(before))
}

#[test]
fn passes_do_what_their_examples_show() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/opt");
    let bless = std::env::var_os("BPF2NATIVE_BLESS").is_some();
    let mut differing = Vec::new();
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let made = made(&name, &text);
        if bless {
            fs::write(&path, made).unwrap();
        } else if made != text {
            differing.push(format!("{name} is now\n{made}"));
        }
    }
    assert!(differing.is_empty(), "BPF2NATIVE_BLESS=1 accepts this:\n{}", differing.join("\n"));
}
