//! The optimisations' switches: whatever is on, a program does the same.
//!
//! Settings: all passes on, all off, each one alone, each one off. The table of instruction cases runs under all of them but
//! the last; each random program runs under all on, all off, and one of the others in turn.
//!
//! `BPF2NATIVE_RANDOM_SEED` and `BPF2NATIVE_RANDOM_PROGRAMS` as in `isa_random.rs`.

use std::path::Path;

use crate::support::cases::{self, Case};
use crate::support::differential::{self, Translator};
use crate::support::engine::cross::machine;
use crate::support::{engine, machines, seeds};
use bpf2native::config::{OptLevel, Pass, PassChange, Passes};
use bpf2native::{Config, Jit};

/// Random programs for each setting.
const PROGRAMS: u64 = 60;

/// Random programs for each other machine, of which each runs under two of the settings.
const EMULATED: u64 = 150;

fn config(passes: Passes) -> Config {
    Config::new().passes(passes).threads(1).clone()
}

/// Names and sets: all on, all off, each alone.
fn alone() -> Vec<(String, Passes)> {
    let mut settings = vec![("all".to_owned(), Passes::ALL), ("none".to_owned(), Passes::NONE)];
    settings.extend(Pass::ALL.iter().map(|&pass| (pass.name().to_owned(), Passes::NONE.with(pass))));
    settings
}

fn each_off() -> impl Iterator<Item = (String, Passes)> {
    Pass::ALL.iter().map(|&pass| (format!("no-{}", pass.name()), Passes::ALL.without(pass)))
}

/// The cases that differ from what the table says, under one setting.
fn failures(name: &str, passes: Passes, table: &[Case]) -> Vec<String> {
    let (jit, linker) = (Jit::new(&config(passes)).unwrap(), engine::jit::linker());
    let failure = |case: &Case| {
        let mut memory = case.memory.clone();
        match engine::jit::run(&jit, &linker, &case.name, &case.code, &mut memory) {
            Ok(r0) if r0 == case.r0 && memory == case.memory_after => None,
            Ok(r0) => Some(format!("-Z {name}: {}: r0 {r0:#x}, memory {memory:x?}", case.name)),
            Err(error) => Some(format!("-Z {name}: {}: {error}", case.name)),
        }
    };
    table.iter().filter_map(failure).collect()
}

#[test]
fn the_instruction_set_is_the_same_under_each() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/isa");
    let table = cases::read(&folder).unwrap();
    let failures: Vec<String> = alone().iter().flat_map(|(name, passes)| failures(name, *passes, &table)).collect();
    assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn random_programs_are_the_same_under_each() {
    let translator = |(name, passes): (String, Passes)| Translator::new(&name, config(passes));
    let mut turns: Vec<Translator> = alone().into_iter().skip(2).chain(each_off()).map(translator).collect();
    let both: Vec<Translator> = alone().into_iter().take(2).map(translator).collect();
    let count = turns.len() as u64;
    for seed in seeds::of("passes", PROGRAMS * count) {
        differential::check(seed, |_| &both);
        turns.rotate_left(1);
        differential::check(seed, |_| &turns[..1]);
    }
}

fn check_machine(name: &str) {
    let (test, machine) = (format!("passes on {name}"), machine(name));
    if !machine.is_ready(&test) {
        return;
    }
    let sets: Vec<(String, Passes)> = alone().into_iter().chain(each_off()).collect();
    let sets: Vec<(&str, Passes)> = sets.iter().map(|(name, passes)| (name.as_str(), *passes)).collect();
    let settings = machine.with_passes(&sets);
    let samples = seeds::of(&test, EMULATED)
        .map(|seed| differential::sample(seed, |seed| (0..2).map(|_| seed.below(settings.len())).collect()));
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

#[test]
fn words_change_the_set_in_order() {
    let changed = |start: Passes, words: &str| {
        let changes: Result<Vec<PassChange>, _> = words.split(' ').map(str::parse).collect();
        changes.map(|changes| start.changed(&changes)).map_err(|error| error.to_string())
    };
    for &pass in Pass::ALL {
        let name = pass.name();
        assert_eq!(changed(Passes::ALL, &format!("none {name}")), Ok(Passes::NONE.with(pass)));
        assert_eq!(changed(Passes::NONE, &format!("all no-{name}")), Ok(Passes::ALL.without(pass)));
        assert_eq!(changed(Passes::ALL, &format!("no-{name} {name}")), Ok(Passes::ALL));
        assert!(!pass.about().is_empty());
    }
    assert_eq!(changed(Passes::ALL, "no-such"), Err("there is no pass `no-such`; `-Z help` lists them".into()));
}

#[test]
fn the_level_says_what_is_on() {
    let passes = |opt_level| Config::new().opt_level(opt_level).clone().effective_passes();
    assert_eq!(passes(OptLevel::O2), Passes::ALL);
    assert_eq!([passes(OptLevel::O0), passes(OptLevel::O1)], [Passes::NONE; 2]);
}
