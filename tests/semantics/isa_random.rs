//! Random programs, and such as compute with addresses of their frames: the translator's result and memory are the independent interpreter's.
//!
//! `BPF2NATIVE_RANDOM_SEED` is where to start, `BPF2NATIVE_RANDOM_PROGRAMS` how many programs (`support/seeds.rs`).
//! A failure prints the smallest program that still fails, and the seed that leads to it.

use crate::support::addresses::Addresses;
use crate::support::differential::{self, Translator};
use crate::support::engine::cross::machine;
use crate::support::random::Seed;
use crate::support::{asm, hex, machines, random, seeds, two_words};
use bpf2native::Config;
use bpf2native::config::OptLevel;

/// Programs, where the environment says nothing.
const PROGRAMS: u64 = 3_000;
const CONSTANTS: u64 = 1_000;

fn levels() -> [Translator; 3] {
    [OptLevel::O2, OptLevel::O1, OptLevel::O0]
        .map(|opt_level| Translator::new(&format!("{opt_level:?}"), Config::new().opt_level(opt_level).clone()))
}

/// Programs for each other machine.
const EMULATED: u64 = 400;

/// Each program is for one of the levels.
#[test]
fn random_programs() {
    let translators = levels();
    for seed in seeds::of("isa_random", PROGRAMS) {
        differential::check(seed, |seed| {
            let level = seed.below(3);
            &translators[level..=level]
        });
    }
}

/// Constants behind the code are not taken for code. Half of the programs are for the level that lays code out.
#[test]
fn random_constants() {
    let translators = levels();
    for seed in seeds::of("isa_random, constants", CONSTANTS) {
        differential::check_constants(seed, |seed| {
            let level = seed.below(4).saturating_sub(1);
            &translators[level..=level]
        });
    }
}

/// Each program is for one of the levels with one set of features.
fn check_machine(name: &str) {
    let (test, machine) = (format!("isa_random on {name}"), machine(name));
    if !machine.is_ready(&test) {
        return;
    }
    let settings = machine.settings();
    let samples =
        seeds::of(&test, EMULATED).map(|seed| differential::sample(seed, |seed| vec![seed.below(settings.len())]));
    machines::check(&test, machine, &settings, samples);
}

#[test]
fn random_programs_on_aarch64() {
    check_machine("aarch64");
}

#[test]
fn random_programs_on_riscv64() {
    check_machine("riscv64");
}

#[test]
fn random_programs_on_s390x() {
    check_machine("s390x");
}

/// Functions that return r0 and r2, called directly, through registers, recursively and at ends; at each level.
#[test]
fn random_results_of_two_words() {
    let translators = levels();
    for value in seeds::of("isa_random, two words", PROGRAMS / 10) {
        let mut seed = Seed::new(value);
        let text = two_words::program(&mut seed);
        let memory = random::memory(&mut seed);
        differential::check_text(value, &text, memory, &translators);
    }
}

/// Programs of frame addresses, where the environment says nothing.
const ADDRESSES: u64 = 1_000;

/// The end of the error of a function whose accesses show a frame that no stack has room for.
const TOO_LARGE: &str = "bytes, more than the 67108864 that are supported";

/// What is taken for an address and what for a number must not show; that is found out where code is optimised, mostly.
#[test]
fn random_frame_addresses() {
    let translators = levels();
    for value in seeds::of("frame_addresses", ADDRESSES) {
        let mut seed = Seed::new(value);
        let size = 2 + seed.below(30);
        let program = Addresses::new(&mut seed, size);
        let memory = program.memory();
        let text = program.text().expect("what was tried is valid");
        let code = asm::assemble(&text).unwrap_or_else(|error| panic!("seed {value}: {error}\n{text}"));
        if let Err(fault) = differential::interpret(&code, memory) {
            panic!("seed {value}: the program is not valid: {fault:?}\n{text}");
        }
        let level = [0, 0, 1, 2][seed.below(4)];
        for translator in &translators[level..=level] {
            let name = format!("seed {value}, {}", translator.name);
            let differs = |program: &Addresses| {
                let error = translator.difference(&name, &program.text()?, memory)?;
                let is_refused = error.contains(TOO_LARGE) && program.is_past_all_frames();
                (!is_refused).then_some(error)
            };
            let Some(mut error) = differs(&program) else { continue };
            let mut smallest = program.clone();
            loop {
                let failing = |smaller: Addresses| differs(&smaller).map(|error| (smaller, error));
                let Some(next) = smallest.smaller().find_map(failing) else { break };
                (smallest, error) = next;
            }
            panic!(
                "BPF2NATIVE_RANDOM_SEED={value} BPF2NATIVE_RANDOM_PROGRAMS=1, {}: {error}\nmemory {}\n{}",
                translator.name,
                hex::encode(&memory),
                smallest.text().unwrap_or_default()
            );
        }
    }
}
