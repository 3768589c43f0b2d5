//! Random valid programs: the translator's result and memory are the independent interpreter's.
//!
//! `cargo +nightly fuzz run instructions`

#![no_main]

#[path = "../../tests/support"]
#[allow(dead_code)]
mod support {
    pub mod asm;
    pub mod hex;
    pub mod interp;
    pub mod random;
}

use std::sync::LazyLock;

use bpf2native::config::OptLevel;
use bpf2native::{Config, Jit, Linker, Program};
use libfuzzer_sys::fuzz_target;
use support::random::{MEMORY, Random, Seed};
use support::{asm, interp};

/// More than any program takes.
const FUEL: u64 = 2_000_000;

static TRANSLATORS: LazyLock<[Jit; 3]> = LazyLock::new(|| {
    [OptLevel::O2, OptLevel::O1, OptLevel::O0].map(|opt_level| {
        Jit::new(&Config { opt_level, threads: 1, ..Config::default() }).expect("this machine is supported")
    })
});

fuzz_target!(|input: (u64, u8, u8)| {
    let (seed, size, level) = input;
    let text = Random::new(&mut Seed(seed), 4 + usize::from(size)).text();
    let code = asm::assemble(&text).expect("random programs are valid text");
    let (mut expected, mut memory) = ([0u8; MEMORY], [0u8; MEMORY]);
    let Ok(r0) = interp::run(&code, &mut expected, &|_, _| None, FUEL) else { return };
    let program = Program::from_instructions("fuzz", &code).expect("random programs are valid");
    let jit = &TRANSLATORS[usize::from(level) % TRANSLATORS.len()];
    let module = jit.load(&program, &Linker::new()).expect("random programs call nothing");
    // SAFETY: random programs only access their frames and the memory that they are given.
    let main = unsafe { module.func::<(*mut u8, u64), u64>("main") }.expect("there is a `main`");
    assert_eq!(main.call((memory.as_mut_ptr(), MEMORY as u64)), r0, "{text}");
    assert_eq!(memory, expected, "{text}");
});
