//! Random programs: the translator's result and memory are the independent interpreter's.
//!
//! `BPF2NATIVE_RANDOM_SEED` is where to start, by default the clock; `BPF2NATIVE_RANDOM_PROGRAMS` how many programs.
//! A failure prints the smallest program that still fails, and the seed that leads to it.

mod support;

use bpf2native::Config;
use bpf2native::config::OptLevel;
use support::differential::{self, Translator};

/// Programs, where the environment says nothing.
const PROGRAMS: u64 = 3_000;
const CONSTANTS: u64 = 1_000;

fn levels() -> [Translator; 3] {
    [OptLevel::O2, OptLevel::O1, OptLevel::O0]
        .map(|opt_level| Translator::new(&format!("{opt_level:?}"), Config { opt_level, ..Config::default() }))
}

/// Each program is for one of the levels.
#[test]
fn random_programs() {
    let translators = levels();
    for seed in differential::seeds("isa_random", PROGRAMS) {
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
    for seed in differential::seeds("isa_random, constants", CONSTANTS) {
        differential::check_constants(seed, |seed| {
            let level = seed.below(4).saturating_sub(1);
            &translators[level..=level]
        });
    }
}
