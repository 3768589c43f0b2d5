//! Profiles: what is counted of random programs is what the interpreter executes; and whatever a profile says, a program does the same.
//!
//! `BPF2NATIVE_RANDOM_SEED` and `BPF2NATIVE_RANDOM_PROGRAMS` as in `isa_random.rs`.

use crate::support::engine::cross::machine;
use crate::support::machines::{self, Sample};
use crate::support::random::{Seed, elements};
use crate::support::{asm, differential, engine, interp, profiles, seeds};
use bpf2native::config::OptLevel;
use bpf2native::profile::Profile;
use bpf2native::{Config, Jit, Program};

use super::loops;

/// Programs for each other machine.
const EMULATED: u64 = 250;

/// Far more than any program takes.
const FUEL: u64 = 1 << 21;

/// A program of a seed: random instructions, loops over elements, or counted loops.
fn sample(value: u64) -> Sample {
    let mut seed = Seed::new(value);
    let text = match value % 3 {
        0 => return differential::sample(value, |_| Vec::new()),
        1 => Some(elements::program(&mut seed)),
        _ => loops::program(&mut seed),
    };
    let text = text.unwrap_or_else(|| elements::program(&mut seed));
    Sample { seed: value, text, memories: vec![loops::memory(&mut seed)], settings: Vec::new(), program: None }
}

/// r0 and the memory, and how often each slot was executed.
fn interpreted(code: &[u8], mut memory: Vec<u8>) -> (u64, Vec<u8>, Vec<u64>) {
    let mut counts = vec![0; code.len() / 8];
    let trace = |slot: i64| counts[slot as usize] += 1;
    let run = interp::traced(interp::Order::Little, code, &mut memory, &|_, _| None, FUEL, trace);
    let (r0, _) = run.expect("random programs are valid");
    (r0, memory, counts)
}

/// Runs a program with a configuration; r0 and the memory, and its profile if it is counted.
fn run(config: &Config, program: &Program, mut memory: Vec<u8>) -> (u64, Vec<u8>, Option<Profile>) {
    let module = Jit::new(config).unwrap().load(program, &engine::jit::linker()).unwrap();
    let r0 = engine::jit::call(&module, "profiled", &mut memory).unwrap();
    (r0, memory, module.profile())
}

#[test]
fn random_programs_are_counted_as_they_run() {
    for value in seeds::of("counts of profiles", 300) {
        let Sample { text, memories, .. } = sample(value);
        let code = asm::assemble(&text).unwrap();
        let (r0, after, executed) = interpreted(&code, memories[0].clone());
        let program = Program::from_instructions("counted", &code).unwrap();
        let level = [OptLevel::O0, OptLevel::O2][value as usize / 3 % 2];
        let config = Config::new().opt_level(level).threads(1).profile_generate(true).clone();
        let (counted_r0, counted_after, profile) = run(&config, &program, memories[0].clone());
        let again = format!("BPF2NATIVE_RANDOM_SEED={value} BPF2NATIVE_RANDOM_PROGRAMS=1\n{text}");
        assert!(r0 == counted_r0 && after == counted_after, "{again}");
        let profile = profile.unwrap();
        assert_eq!(profile.functions.len(), program.functions.len(), "{again}");
        for ((_, function), counted) in program.functions.iter().zip(&profile.functions) {
            let first = function.start / 8;
            for block in &counted.blocks {
                assert_eq!(block.count, executed[(first + block.start) as usize], "block {}: {again}", block.start);
                let sum: u64 = block.outcomes.iter().sum();
                assert!(block.outcomes.is_empty() || sum == block.count, "block {}: {again}", block.start);
            }
        }
        assert_eq!(Profile::parse(profile.to_text().as_bytes()).unwrap(), profile);
        // And by what it did itself.
        let config = Config::new().threads(1).profile(profile).clone();
        let (used_r0, used_after, _) = run(&config, &program, memories[0].clone());
        assert!(r0 == used_r0 && after == used_after, "by its own profile: {again}");
    }
}

#[test]
fn random_programs_do_the_same_by_random_profiles() {
    for value in seeds::of("random profiles", 1500) {
        let Sample { text, memories, .. } = sample(value);
        let code = asm::assemble(&text).unwrap();
        let (r0, after, _) = interpreted(&code, memories[0].clone());
        let program = Program::from_instructions("profiled", &code).unwrap();
        let profile = profiles::random(&program, &mut Seed::new(value));
        // Counters and a profile do not stand in each other's way.
        let config = Config::new().threads(1).profile(profile).profile_generate(value % 8 == 0).clone();
        let (got, got_after, _) = run(&config, &program, memories[0].clone());
        assert!(
            got == r0 && got_after == after,
            "BPF2NATIVE_RANDOM_SEED={value} BPF2NATIVE_RANDOM_PROGRAMS=1: {got:#x}, not {r0:#x}\n{text}"
        );
    }
}

fn check_machine(name: &str) {
    let (test, machine) = (format!("random profiles on {name}"), machine(name));
    if !machine.is_ready(&test) {
        return;
    }
    let settings: Vec<_> = (0..4).map(|seed| machine.setting(OptLevel::O2, "").by_random_profile(seed)).collect();
    let samples = seeds::of(&test, EMULATED)
        .map(|value| Sample { settings: vec![value as usize % settings.len()], ..sample(value) });
    machines::check(&test, machine, &settings, samples);
}

#[test]
fn random_profiles_on_aarch64() {
    check_machine("aarch64");
}

#[test]
fn random_profiles_on_s390x() {
    check_machine("s390x");
}
