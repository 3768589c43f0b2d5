//! Where tests of random input begin, and how much they do.
//!
//! In: a test's name, how much it does where nothing is said, the environment. Out: seeds. The rule: without settings a
//! test does the same each time, so nothing fails by chance; `just torture` begins elsewhere each time.
//!
//! | variable | |
//! |---|---|
//! | `BPF2NATIVE_RANDOM_SEED` | the first seed; `clock`: one that the clock makes; by default one that the test's name makes |
//! | `BPF2NATIVE_RANDOM_PROGRAMS` | how many |

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use proptest::test_runner::{Config, RngSeed};

/// Past the test harness, which hides what passing tests print.
pub fn say(text: &str) {
    // A closed standard error is no reason to fail.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn setting(name: &str) -> Option<String> {
    let text = |value: std::ffi::OsString| value.into_string().unwrap_or_else(|_| panic!("{name} is no text"));
    std::env::var_os(name).map(text)
}

fn number(name: &str, text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`, and no number"))
}

/// FNV-1a of 64 bits.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The first seed of a test, and how many.
fn range(test: &str, count: u64) -> (u64, u64) {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
    // With one thread for all tests, it has another name.
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("main");
    assert!(
        name == "main" || name.contains("random_"),
        "`{name}` has no `random_` in it, so `just torture` misses it"
    );
    let (seed, programs) = ("BPF2NATIVE_RANDOM_SEED", "BPF2NATIVE_RANDOM_PROGRAMS");
    let first = match setting(seed).as_deref() {
        None => hash(test),
        Some("clock") => hash(test).wrapping_add(clock()),
        Some(text) => number(seed, text),
    };
    let count = setting(programs).map_or(count, |text| number(programs, &text));
    say(&format!("{test}: {count} programs, {seed}={first}\n"));
    (first, count)
}

/// Seeds of programs, `count` by default.
///
/// # Panics
///
/// In a test without `random_` in its name: those that have it are what `just torture` runs.
pub fn of(test: &str, count: u64) -> impl Iterator<Item = u64> {
    let (first, count) = range(test, count);
    (0..count).map(move |number| first.wrapping_add(number))
}

/// The same for tests by proptest, whose input is from one generator of random numbers: its seed, and how many cases.
///
/// # Panics
///
/// As [`of`].
pub fn cases(test: &str, count: u32) -> Config {
    let (first, count) = range(test, count.into());
    Config {
        cases: u32::try_from(count).unwrap_or(u32::MAX),
        rng_seed: RngSeed::Fixed(first),
        // The seed says it.
        failure_persistence: None,
        ..Config::default()
    }
}
