//! Random programs: the translator's result and memory are the independent interpreter's.
//!
//! `BPF2NATIVE_RANDOM_SEED` is where to start, by default the clock; `BPF2NATIVE_RANDOM_PROGRAMS` how many programs.
//! A failure prints the smallest program that still fails, and the seed that leads to it.

mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use bpf2native::config::OptLevel;
use bpf2native::{Config, Jit, Linker};
use support::asm::assemble;
use support::random::{MEMORY, Random, Seed};
use support::{engine, hex, interp};

/// Programs, where the environment says nothing.
const PROGRAMS: u64 = 3_000;
/// Far more than any program takes; those that shrinking makes may not end.
const FUEL: u64 = 2_000_000;

/// r0 and the memory afterwards.
type Outcome = (u64, [u8; MEMORY]);

/// The translators of all levels: each program is for one of them.
struct Translators([Jit; 3], Linker);

impl Translators {
    fn new() -> Translators {
        let jit =
            |opt_level| Jit::new(&Config { opt_level, threads: 1, ..Config::default() }).expect("this machine");
        Translators([OptLevel::O2, OptLevel::O1, OptLevel::O0].map(jit), engine::jit::linker())
    }

    fn run(&self, name: &str, level: usize, code: &[u8], mut memory: [u8; MEMORY]) -> Result<Outcome, String> {
        let r0 = engine::jit::run(&self.0[level], &self.1, name, code, &mut memory)?;
        Ok((r0, memory))
    }
}

fn interpret(code: &[u8], mut memory: [u8; MEMORY]) -> Result<Outcome, interp::Fault> {
    let r0 = interp::run(code, &mut memory, &|_, _| None, FUEL)?;
    Ok((r0, memory))
}

/// What is wrong with the translation of a program; `None` when nothing is, or when the program is not a valid one.
fn difference(
    translators: &Translators,
    name: &str,
    level: usize,
    text: &str,
    memory: [u8; MEMORY],
) -> Option<String> {
    let code = assemble(text).ok()?;
    let expected = interpret(&code, memory).ok()?;
    match translators.run(name, level, &code, memory) {
        Ok(outcome) if outcome == expected => None,
        Ok((r0, _)) if r0 != expected.0 => Some(format!("r0 is {r0:#x}, not {:#x}", expected.0)),
        Ok((_, after)) => {
            Some(format!("the memory is\n{}, not\n{}", hex::encode(&after), hex::encode(&expected.1)))
        }
        Err(error) => Some(error),
    }
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`, and no number")))
}

#[test]
fn random_programs() {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
    let first = setting("BPF2NATIVE_RANDOM_SEED").unwrap_or_else(clock);
    let count = setting("BPF2NATIVE_RANDOM_PROGRAMS").unwrap_or(PROGRAMS);
    support::say(&format!("isa_random: {count} programs, BPF2NATIVE_RANDOM_SEED={first}\n"));
    let translators = Translators::new();
    for number in 0..count {
        let value = first.wrapping_add(number);
        let mut seed = Seed(value);
        // The sizes are of both kinds: many small programs, some large ones.
        let most = if seed.below(8) == 0 { 200 } else { 30 };
        let size = 1 + seed.below(most);
        let mut program = Random::new(&mut seed, size);
        let mut memory = [0; MEMORY];
        memory.fill_with(|| seed.next() as u8);
        let level = seed.below(3);

        let text = program.text();
        let code = assemble(&text).unwrap_or_else(|error| panic!("seed {value}: {error}\n{text}"));
        if let Err(fault) = interpret(&code, memory) {
            panic!("seed {value}: the program is not valid: {fault:?}\n{text}");
        }
        let name = format!("seed {value}");
        let differs = |program: &Random| difference(&translators, &name, level, &program.text(), memory);
        let Some(mut error) = differs(&program) else { continue };
        let failing = |smaller: Random| differs(&smaller).map(|error| (smaller, error));
        loop {
            let Some(next) = program.smaller().find_map(failing) else { break };
            (program, error) = next;
        }
        panic!(
            "BPF2NATIVE_RANDOM_SEED={value} BPF2NATIVE_RANDOM_PROGRAMS=1, level {level}: {error}\nmemory {}\n{}",
            hex::encode(&memory),
            program.text()
        );
    }
}
