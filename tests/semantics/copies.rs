//! Random copies of a few bytes, translated and interpreted: places that overlap in any way, parts in any order.
//!
//! `BPF2NATIVE_RANDOM_SEED` and `BPF2NATIVE_RANDOM_PROGRAMS` as in `isa_random.rs`.

use crate::support::engine::cross::machine;
use crate::support::machines::{self, Sample};
use crate::support::random::Seed;
use crate::support::random::copies::{MEMORY, program};
use crate::support::{asm, engine, interp, say, seeds};
use bpf2native::compare::listing;
use bpf2native::config::{Pass, Passes, Target};
use bpf2native::{Config, Jit, Program};

/// Programs for each other machine.
const EMULATED: u64 = 150;

/// Contents of the memory for each program.
const MEMORIES: usize = 6;

fn memory(seed: &mut Seed) -> Vec<u8> {
    let mut memory = vec![0_u8; MEMORY];
    memory.fill_with(|| seed.next() as u8);
    memory
}

#[test]
fn random_copies_are_the_same_at_once() {
    let alone = Passes::NONE.with(Pass::CopyMerging);
    let settings = [("all", Passes::ALL), ("none,copy-merging", alone)];
    let config = |passes| Config::new().passes(passes).threads(1).clone();
    let engines = settings.map(|(name, passes)| (name, Jit::new(&config(passes)).unwrap()));
    let linker = engine::jit::linker();
    let (mut made, mut checked, mut wide) = (0, 0, 0);
    for value in seeds::of("copies", 800) {
        let mut seed = Seed::new(value);
        let text = program(&mut seed);
        let code = asm::assemble(&text).unwrap_or_else(|error| panic!("seed {value}: {error}\n{text}"));
        made += 1;
        for _ in 0..MEMORIES {
            let memory = memory(&mut seed);
            let mut expected = memory.clone();
            let r0 = interp::run(&code, &mut expected, &|_, _| None, 1 << 20);
            let r0 = r0.unwrap_or_else(|fault| panic!("seed {value}: {fault:?}\n{text}"));
            for (name, jit) in &engines {
                let mut after = memory.clone();
                let got = engine::jit::run(jit, &linker, "copies", &code, &mut after);
                assert!(
                    got == Ok(r0) && after == expected,
                    "BPF2NATIVE_RANDOM_SEED={value} BPF2NATIVE_RANDOM_PROGRAMS=1 -Z {name}: {got:x?}, not {r0:#x}\n{text}"
                );
            }
        }
        if made % 8 == 0 {
            let config = Config::for_target("x86_64".parse::<Target>().unwrap()).passes(alone).clone();
            let program = Program::from_instructions("copies", &code).unwrap();
            let clif = listing::clif(&program, &config, None).unwrap().text;
            checked += usize::from(clif.contains("icmp ugt"));
            wide += usize::from(clif.contains("load.i64") || clif.contains("load.i32") || clif.contains("i8x16"));
        }
    }
    say(&format!("copies: {made} ran; of each 8th, {checked} have checks, {wide} wide accesses\n"));
    assert!(made < 800 || checked > 15 && wide > checked, "hardly any of them is changed");
}

/// Each with all passes or with this one, and with one set of features.
fn check_machine(name: &str) {
    let (test, machine) = (format!("copies on {name}"), machine(name));
    if !machine.is_ready(&test) {
        return;
    }
    let settings =
        machine.with_passes(&[("all", Passes::ALL), ("none copy-merging", Passes::NONE.with(Pass::CopyMerging))]);
    let samples = seeds::of(&test, EMULATED).map(|value| {
        let mut seed = Seed::new(value);
        let text = program(&mut seed);
        let memories = (0..MEMORIES).map(|_| memory(&mut seed)).collect();
        Sample { seed: value, text, memories, settings: vec![seed.below(settings.len())], program: None }
    });
    machines::check(&test, machine, &settings, samples);
}

#[test]
fn random_copies_on_aarch64() {
    check_machine("aarch64");
}

#[test]
fn random_copies_on_riscv64() {
    check_machine("riscv64");
}

#[test]
fn random_copies_on_s390x() {
    check_machine("s390x");
}
