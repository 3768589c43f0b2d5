//! The main job for other machines: what the programs in `fixtures` do when they are translated for aarch64, riscv64
//! and s390x is what they do when the cross compiler makes them, byte for byte, both under QEMU.
//!
//! Wants Debian's `gcc-<machine>-linux-gnu` and `qemu-user`: without them a machine is left out, by name, which is a
//! failure where `CI` is set. To try some: `BPF2NATIVE_PROGRAMS=wc BPF2NATIVE_VARIANTS=clang22-v4-s390x`.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::cases::{self, Program};
use crate::harness::matrix::Matrix;
use crate::harness::native::Toolchain;
use crate::harness::run::{Outcome, differences, tool};
use crate::harness::{filter, parallel};

const BPF2NATIVE: &str = env!("CARGO_BIN_EXE_bpf2native");

/// A variant that includes no headers, and so is right for every little-endian machine.
const WITHOUT_HEADERS: &str = "asm";

#[test]
fn programs_do_the_same_on_aarch64() {
    check_machine("aarch64", &[WITHOUT_HEADERS]);
}

#[test]
fn programs_do_the_same_on_riscv64() {
    check_machine("riscv64", &[WITHOUT_HEADERS]);
}

#[test]
fn programs_do_the_same_on_s390x() {
    check_machine("s390x", &[]);
}

#[test]
fn every_program_is_run_on_every_machine() {
    let matrix = Matrix::read().unwrap_or_else(|error| panic!("{error}"));
    let programs = cases::read().unwrap_or_else(|error| panic!("{error}"));
    for (machine, others) in [("aarch64", &[WITHOUT_HEADERS][..]), ("riscv64", &[WITHOUT_HEADERS]), ("s390x", &[])]
    {
        let is_made = |program: &&Program| {
            let sources = matrix.sources_of_all(&program.inputs).unwrap_or_else(|error| panic!("{error}"));
            let mut variants = matrix.variants_of(Some(machine)).chain(others.iter().copied());
            variants.any(|variant| matrix.makes(variant, &sources))
        };
        let names = programs.iter().filter(|program| !is_made(program)).map(|program| program.name.as_str());
        // What it prints is for little-endian machines.
        let missing: Vec<&str> = names.filter(|name| (machine, *name) != ("s390x", "byteswap")).collect();
        assert!(missing.is_empty(), "{machine}: no variant makes {missing:?}");
    }
}

/// Runs all programs of the variants for a machine, and of these others.
fn check_machine(machine: &str, others: &[&str]) {
    let toolchain = Toolchain::cross(machine);
    if let Some(missing) = toolchain.missing() {
        // Past the test harness, which hides what passing tests print.
        let _ = writeln!(std::io::stderr(), "cross: {machine} is left out: `{missing}` is not installed");
        assert!(std::env::var_os("CI").is_none(), "`{missing}` is not installed");
        return;
    }
    let matrix = Matrix::read().unwrap_or_else(|error| panic!("{error}"));
    let programs = cases::read().unwrap_or_else(|error| panic!("{error}"));
    let (wanted_program, wanted_variant) = (filter("BPF2NATIVE_PROGRAMS"), filter("BPF2NATIVE_VARIANTS"));
    let variants = matrix.variants_of(Some(machine)).chain(others.iter().copied());
    let variants: Vec<&str> = variants.filter(|variant| wanted_variant(variant)).collect();
    let programs: Vec<(&Program, Vec<&str>)> = programs
        .iter()
        .filter(|program| wanted_program(&program.name))
        .map(|program| {
            let sources = matrix.sources_of_all(&program.inputs).unwrap_or_else(|error| panic!("{error}"));
            (program, variants.iter().copied().filter(|variant| matrix.makes(variant, &sources)).collect())
        })
        .collect();
    let failures = parallel(&programs, |(program, variants)| {
        if variants.is_empty() {
            return Vec::new();
        }
        match toolchain.outcomes(&matrix, program) {
            Err(error) => vec![format!("{} by {machine}'s compiler: {error}", program.name)],
            Ok(expected) => variants
                .iter()
                .flat_map(|variant| check(&matrix, &toolchain, machine, program, variant, &expected))
                .collect(),
        }
    })
    .concat();
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// The failures of a variant of a program.
fn check(
    matrix: &Matrix,
    toolchain: &Toolchain,
    machine: &str,
    program: &Program,
    variant: &str,
    expected: &[Outcome],
) -> Vec<String> {
    let objects: Vec<PathBuf> = program.inputs.iter().map(|input| matrix.object(variant, input)).collect();
    let folder = tempfile::tempdir().unwrap();
    let executable = folder.path().join("translated");
    let mut translate = Command::new(BPF2NATIVE);
    translate.args(["--no-kernel", "--target", machine]).args(&objects).arg("-o").arg(&executable);
    if let Err(error) = tool(&mut translate) {
        return vec![format!("{} {variant}: {error}", program.name)];
    }
    let command = toolchain.command(&executable);
    let problems = differences(program, expected, &command);
    problems.map(|problem| format!("{} {variant} {problem}", program.name)).collect()
}
