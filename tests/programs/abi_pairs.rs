//! The C calling convention, proven by pairs of files that call each other: one compiled for BPF and translated, the
//! other native. See `tests/pairs/`.
//!
//! `BPF2NATIVE_RANDOM_SEED=7` tries another seed, `BPF2NATIVE_RANDOM_PROGRAMS=2000` so many prototypes (`support/seeds.rs`);
//! a failure prints the seed of its program, which has 50 of them.

use std::io::Write as _;

use crate::harness::parallel;
use crate::pairs::random::{Ability, Batch, batch};
use crate::pairs::{
    BpfCompiler, Machine, ability_of_clang, ability_of_clang23, ability_of_llvm23, check_compiled, check_written,
};

/// Whether the machine's tools are there; if not, says so, and fails where `CI` is set.
fn is_ready(machine: &Machine) -> bool {
    let Some(missing) = machine.missing() else { return true };
    // Past the test harness, which hides what passing tests print.
    let _ = writeln!(std::io::stderr(), "abi_pairs: {} is left out: `{missing}` is not installed", machine.name);
    assert!(std::env::var_os("CI").is_none(), "`{missing}` is not installed");
    false
}

/// How many prototypes one program has: few enough that programs are made and run side by side.
const IN_A_PROGRAM: usize = 50;

/// Checks `count` prototypes in programs of [`IN_A_PROGRAM`].
fn check(machine: &Machine, count: u64, ability: Ability, check: impl Fn(&Batch) -> Vec<String> + Sync) {
    if !is_ready(machine) {
        return;
    }
    // A prototype for each seed; what has a seed is a program of many.
    let seeds: Vec<u64> =
        crate::seeds::of(&format!("abi_pairs on {}", machine.name), count).step_by(IN_A_PROGRAM).collect();
    let failures = parallel(&seeds, |&seed| check(&batch(seed, IN_A_PROGRAM, ability))).concat();
    let shown: Vec<&str> = failures.iter().take(30).map(String::as_str).collect();
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), shown.join("\n"));
}

/// What clang makes for BPF, against what gcc and clang make.
fn check_clang(machine: &Machine, count: u64) {
    check(machine, count, ability_of_clang(machine.name), |batch| {
        let compilers = [
            BpfCompiler { name: "clang-22", flags: &["-O2", "-mcpu=v4"] },
            BpfCompiler { name: "clang-19", flags: &["-O2", "-mcpu=v2"] },
        ];
        check_compiled(machine, batch, &compilers)
    });
}

#[test]
fn random_pairs_by_clang_on_x86_64() {
    check_clang(&Machine::native(), 300);
}

#[test]
fn random_pairs_by_clang_on_aarch64() {
    check_clang(&Machine::cross("aarch64"), 150);
}

#[test]
fn random_pairs_by_clang_on_riscv64() {
    check_clang(&Machine::cross("riscv64"), 150);
}

#[test]
fn random_pairs_by_clang_on_s390x() {
    check_clang(&Machine::cross("s390x"), 150);
}

/// More than five words, and results of any type, against what gcc and clang make.
fn check_llvm23(machine: &Machine, count: u64) {
    check(machine, count, ability_of_llvm23(machine.name), |batch| check_written(machine, batch));
}

#[test]
fn random_pairs_by_llvm23_on_x86_64() {
    check_llvm23(&Machine::native().without("clang-19"), 400);
}

/// LLVM 19 passes an `__int128` half in the last register and half on the stack, which later ones do not, nor does gcc.
#[test]
fn random_pairs_by_llvm23_on_x86_64_against_clang_19() {
    let machine = Machine::native().without("clang-22").without("gcc");
    let ability = Ability { wide_parameters: false, ..ability_of_llvm23(machine.name) };
    check(&machine, 100, ability, |batch| check_written(&machine, batch));
}

#[test]
fn random_pairs_by_llvm23_on_aarch64() {
    check_llvm23(&Machine::cross("aarch64"), 200);
}

#[test]
fn random_pairs_by_llvm23_on_riscv64() {
    check_llvm23(&Machine::cross("riscv64"), 200);
}

#[test]
fn random_pairs_by_llvm23_on_s390x() {
    check_llvm23(&Machine::cross("s390x"), 200);
}

/// The same with structs of up to 16 bytes in r0 and r2, as clang returns them from version 23 on.
fn check_clang23(machine: &Machine, count: u64) {
    check(machine, count, ability_of_clang23(machine.name), |batch| check_written(machine, batch));
}

#[test]
fn random_pairs_by_clang23_on_x86_64() {
    check_clang23(&Machine::native().without("clang-19"), 200);
}

#[test]
fn random_pairs_by_clang23_on_aarch64() {
    check_clang23(&Machine::cross("aarch64"), 150);
}

#[test]
fn random_pairs_by_clang23_on_riscv64() {
    check_clang23(&Machine::cross("riscv64"), 150);
}

#[test]
fn random_pairs_by_clang23_on_s390x() {
    check_clang23(&Machine::cross("s390x"), 150);
}
