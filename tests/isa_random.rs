//! Random programs: the translator's result and memory are the independent interpreter's.
//!
//! `BPF2NATIVE_RANDOM_SEED` is where to start, by default the clock; `BPF2NATIVE_RANDOM_PROGRAMS` how many programs.
//! A failure prints the smallest program that still fails, and the seed that leads to it.

mod support;

use bpf2native::Config;
use bpf2native::config::OptLevel;
use support::differential::{self, Translator};
use support::random::Seed;
use support::{random, two_words};

/// Programs, where the environment says nothing.
const PROGRAMS: u64 = 3_000;

fn translators() -> [Translator; 3] {
    [OptLevel::O2, OptLevel::O1, OptLevel::O0]
        .map(|opt_level| Translator::new(&format!("{opt_level:?}"), Config { opt_level, ..Config::default() }))
}

/// Each program is for one of the levels.
#[test]
fn random_programs() {
    let translators = translators();
    for seed in differential::seeds("isa_random", PROGRAMS) {
        differential::check(seed, |seed| {
            let level = seed.below(3);
            &translators[level..=level]
        });
    }
}

/// Functions that return r0 and r2, called directly, through registers, recursively and at ends; at each level.
#[test]
fn results_of_two_words() {
    let translators = translators();
    for value in differential::seeds("isa_random, two words", PROGRAMS / 10) {
        let mut seed = Seed::new(value);
        let text = two_words::program(&mut seed);
        let memory = random::memory(&mut seed);
        differential::check_text(value, &text, memory, &translators);
    }
}
