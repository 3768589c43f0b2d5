//! Random loops that multiply by constants, translated and interpreted: hashes and digits, whose next value waits for the product, with
//! copies of registers, and branches around some of it.
//!
//! `BPF2NATIVE_RANDOM_SEED` and `BPF2NATIVE_RANDOM_PROGRAMS` as in `isa_random.rs`.

use std::fmt::Write;

use crate::support::engine::cross::machine;
use crate::support::machines::{self, Sample};
use crate::support::random::Seed;
use crate::support::{asm, engine, interp, seeds};
use bpf2native::compare::listing;
use bpf2native::config::{Pass, Passes, Target};
use bpf2native::{Config, Jit, Program};

/// Bytes of the memory argument.
const MEMORY: usize = 256;

/// Programs for each other machine.
const EMULATED: u64 = 150;

/// The registers of values.
const VALUES: [&str; 5] = ["0", "3", "4", "5", "6"];

/// A factor: mostly one that is made of shifts and additions.
fn factor(seed: &mut Seed) -> i64 {
    let extra = *seed.pick(&[0, 0, 1, -1]);
    let shifts = *seed.pick(&[4, 31]);
    let known = (*seed.pick(&[1_i64, 3, 5, 9]) << seed.below(shifts)) + extra;
    match seed.below(8) {
        0 => *seed.pick(&[i64::from(i32::MIN), i64::from(i32::MAX), -1, -33, 0, 1]),
        1 => seed.below(1 << 20) as i64,
        _ => known & i64::from(i32::MAX),
    }
}

fn statement(seed: &mut Seed, text: &mut String) {
    let word = *seed.pick(&["r", "r", "r", "w"]);
    let (one, other) = (*seed.pick(&VALUES), *seed.pick(&VALUES));
    match seed.below(9) {
        0..=2 => writeln!(text, "{word}{one} *= {}", factor(seed)),
        3..=4 => writeln!(text, "{word}{one} += {word}{other}"),
        5 => writeln!(text, "{word}{one} {} {word}{other}", seed.pick(&["^=", "-=", "|="])),
        6 => writeln!(text, "r{one} = *(u8 *)(r7 +{})", seed.below(64)),
        7 => writeln!(text, "{word}{one} += {}", seed.below(64)),
        _ => writeln!(text, "{word}{one} = {word}{other}"),
    }
    .unwrap();
}

fn program(seed: &mut Seed) -> String {
    let mut text = String::from("r7 = r1\nr0 = r2\nr3 = 5381\nr4 = 0\nr5 = r2\nr6 = r3\n");
    for number in 0..1 + seed.below(2) {
        writeln!(text, "r9 = {}\nagain{number}:", 1 + seed.below(9)).unwrap();
        for branch in 0..1 + seed.below(3) {
            let around = seed.below(2) == 0;
            if around {
                let value = seed.pick(&VALUES);
                writeln!(text, "if w{value} > {} goto other{number}_{branch}", seed.below(1 << 30)).unwrap();
            }
            (0..1 + seed.below(3)).for_each(|_| statement(seed, &mut text));
            if around {
                writeln!(text, "goto both{number}_{branch}\nother{number}_{branch}:").unwrap();
                (0..seed.below(3)).for_each(|_| statement(seed, &mut text));
                writeln!(text, "both{number}_{branch}:").unwrap();
            }
        }
        (0..seed.below(4)).for_each(|_| statement(seed, &mut text));
        writeln!(text, "r7 += 1\nr9 += -1\nif r9 != 0 goto again{number}").unwrap();
    }
    text += "r4 *= 24\nr0 += r4\nr0 ^= r3\nr0 += r5\nr0 ^= r6\nexit\n";
    text
}

fn memory(seed: &mut Seed) -> Vec<u8> {
    let mut memory = vec![0_u8; MEMORY];
    memory.fill_with(|| seed.below(256) as u8);
    memory
}

#[test]
fn random_products_are_the_same_as_sums() {
    let settings = [
        ("all", Passes::ALL),
        ("reassociation", Passes::NONE.with(Pass::Reassociation)),
        ("reassociation,egraph", Passes::NONE.with(Pass::Reassociation).with(Pass::Egraph)),
        ("redundant-parameters", Passes::NONE.with(Pass::RedundantParameters)),
    ];
    let config = |passes| Config::new().passes(passes).threads(1).clone();
    let engines = settings.map(|(name, passes)| (name, Jit::new(&config(passes)).unwrap()));
    let linker = engine::jit::linker();
    let (mut made, mut changed) = (0, 0);
    for value in seeds::of("products", 800) {
        let mut seed = Seed::new(value);
        let text = program(&mut seed);
        let memory = memory(&mut seed);
        let code = asm::assemble(&text).unwrap_or_else(|error| panic!("seed {value}: {error}\n{text}"));
        let mut expected = memory.clone();
        let r0 = interp::run(&code, &mut expected, &|_, _| None, 1 << 20);
        let r0 = r0.unwrap_or_else(|fault| panic!("seed {value}: {fault:?}\n{text}"));
        made += 1;
        for (name, jit) in &engines {
            let mut after = memory.clone();
            let got = engine::jit::run(jit, &linker, "products", &code, &mut after);
            assert!(
                got == Ok(r0) && after == expected,
                "BPF2NATIVE_RANDOM_SEED={value} BPF2NATIVE_RANDOM_PROGRAMS=1 -Z {name}: {got:x?}, not {r0:#x}\n{text}"
            );
        }
        if made % 8 == 0 {
            let program = Program::from_instructions("products", &code).unwrap();
            let products = |passes| {
                let config = Config::for_target("x86_64".parse::<Target>().unwrap()).passes(passes).clone();
                listing::clif(&program, &config, None).unwrap().text.matches("imul").count()
            };
            changed += usize::from(products(settings[1].1) < products(Passes::NONE));
        }
    }
    crate::support::say(&format!("products: {made} ran; of each 8th, {changed} have fewer products\n"));
    assert!(made < 800 || changed > 30, "hardly any of them is changed");
}

fn check_machine(name: &str) {
    let (test, machine) = (format!("products on {name}"), machine(name));
    if !machine.is_ready(&test) {
        return;
    }
    let settings = machine.with_passes(&[
        ("all", Passes::ALL),
        ("none redundant-parameters", Passes::NONE.with(Pass::RedundantParameters)),
    ]);
    let samples = seeds::of(&test, EMULATED).map(|value| {
        let mut seed = Seed::new(value);
        let text = program(&mut seed);
        let memories = vec![memory(&mut seed)];
        Sample { seed: value, text, memories, settings: vec![seed.below(settings.len())], program: None }
    });
    machines::check(&test, machine, &settings, samples);
}

#[test]
fn random_products_on_aarch64() {
    check_machine("aarch64");
}

#[test]
fn random_products_on_riscv64() {
    check_machine("riscv64");
}

#[test]
fn random_products_on_s390x() {
    check_machine("s390x");
}
