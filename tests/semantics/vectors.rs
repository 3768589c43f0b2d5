//! Random loops over elements (`random/elements.rs`), vectorised and interpreted, on this machine with each set of vector instructions
//! that it has, and on others.
//!
//! `BPF2NATIVE_RANDOM_SEED` and `BPF2NATIVE_RANDOM_PROGRAMS` as in `isa_random.rs`.

use crate::support::engine::cross::machine;
use crate::support::machines::{self, Sample};
use crate::support::random::{Seed, elements};
use crate::support::{asm, engine, interp, seeds};
use bpf2native::config::{Cpu, Pass, Passes};
use bpf2native::{Config, Jit};

use super::loops;

/// Programs for each other machine.
const EMULATED: u64 = 300;

#[test]
fn random_elements_are_computed_in_vectors() {
    let (mut sampled, mut vectors) = (0, 0);
    let made = loops::check(
        "elements",
        1200,
        |seed| Some(elements::program(seed)),
        |code| {
            let clif = loops::clif(code, Passes::ALL);
            let has = ["i8x16", "i16x8", "i32x4", "i64x2"].iter().any(|vector| clif.contains(vector));
            (sampled, vectors) = (sampled + 1, vectors + usize::from(has));
        },
    );
    crate::support::say(&format!("elements: {made} ran; of {sampled} looked at, {vectors} have vectors\n"));
    assert!(sampled < 50 || vectors * 8 > sampled, "hardly any of them is vectorised");
}

/// What this machine's processor has beyond the baseline is other code.
#[test]
fn random_elements_with_all_that_the_processor_has() {
    let config = Config::new().cpu(Cpu::Native).threads(1).clone();
    let (jit, linker) = (Jit::new(&config).unwrap(), engine::jit::linker());
    for value in seeds::of("elements, natively", 800) {
        let mut seed = Seed::new(value);
        let text = elements::program(&mut seed);
        let memory = loops::memory(&mut seed);
        let code = asm::assemble(&text).unwrap_or_else(|error| panic!("seed {value}: {error}\n{text}"));
        let mut expected = memory.clone();
        let r0 = interp::run(&code, &mut expected, &|_, _| None, 1 << 20);
        let r0 = r0.unwrap_or_else(|fault| panic!("seed {value}: {fault:?}\n{text}"));
        let mut after = memory;
        let got = engine::jit::run(&jit, &linker, "elements", &code, &mut after);
        assert!(
            got == Ok(r0) && after == expected,
            "BPF2NATIVE_RANDOM_SEED={value} BPF2NATIVE_RANDOM_PROGRAMS=1: {got:x?}, not {r0:#x}\n{text}"
        );
    }
}

/// Each loop with all passes or with vectors alone, and with one set of features.
fn check_machine(name: &str) {
    let (test, machine) = (format!("elements on {name}"), machine(name));
    if !machine.is_ready(&test) {
        return;
    }
    let settings =
        machine.with_passes(&[("all", Passes::ALL), ("none loop-vectors", Passes::NONE.with(Pass::LoopVectors))]);
    let samples = seeds::of(&test, EMULATED).map(|value| {
        let mut seed = Seed::new(value);
        let text = elements::program(&mut seed);
        let memories = vec![loops::memory(&mut seed)];
        Sample { seed: value, text, memories, settings: vec![seed.below(settings.len())], program: None }
    });
    machines::check(&test, machine, &settings, samples);
}

#[test]
fn random_elements_on_aarch64() {
    check_machine("aarch64");
}

#[test]
fn random_elements_on_riscv64() {
    check_machine("riscv64");
}

#[test]
fn random_elements_on_s390x() {
    check_machine("s390x");
}
