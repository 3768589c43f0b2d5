//! Random sums of products, translated and interpreted: in one go and in rounds, of places that follow each other and of
//! such that do not, with factors that are used otherwise too, and stores between the loads.
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
const MEMORY: usize = 1024;

/// Programs for each other machine.
const EMULATED: u64 = 150;

/// What is done with each term, with r7 and r8 as pointers, r3 and r4 as scratch, w5 as a sum of its own, w0 as the sum.
fn term(seed: &mut Seed, text: &mut String, (one, other): (i64, i64), rare: usize, op: &str) {
    let is_rare = |seed: &mut Seed| seed.below(rare) == 0;
    let kind = |seed: &mut Seed| if is_rare(seed) { *seed.pick(&["u16", "s8", "s32", "u64"]) } else { "s16" };
    let word = if is_rare(seed) { 'r' } else { 'w' };
    writeln!(text, "r3 = *({} *)(r7 {one:+})", kind(seed)).unwrap();
    if is_rare(seed) {
        writeln!(text, "{word}3 *= {word}3").unwrap();
    } else {
        let base = if is_rare(seed) { "r7" } else { "r8" };
        writeln!(text, "r4 = *({} *)({base} {other:+})\n{word}3 *= {word}4", kind(seed)).unwrap();
    }
    if is_rare(seed) {
        let used = ["r0 ^= r4", "*(u16 *)(r8 +4) = r3", "*(u16 *)(r7 +6) = r4", "w5 += w3", "r3 <<= 1", "w3 *= 3"];
        writeln!(text, "{}", seed.pick(&used)).unwrap();
    }
    let others = ["w5 += w3", "w5 -= w3", "w5 ^= w3", "r0 += r3", "w0 += w3", "w0 ^= w3"];
    match is_rare(seed) {
        true => writeln!(text, "{}", seed.pick(&others)).unwrap(),
        false => writeln!(text, "w0 {op} w3").unwrap(),
    }
}

/// The places of the factors of a sum.
fn places(seed: &mut Seed) -> Vec<(i64, i64)> {
    let count = 1 + seed.below(40) as i64;
    let (one, other) = (seed.below(64) as i64 - 32, seed.below(64) as i64 - 32);
    let (step, back) = (*seed.pick(&[2, 2, 2, 2, 2, 1, 4]), *seed.pick(&[2, 2, 2, 2, 2, -2, 0]));
    let mut places: Vec<(i64, i64)> = (0..count).map(|index| (one + step * index, other + back * index)).collect();
    for _ in 0..*seed.pick(&[0, 1, 60]) {
        let (from, to) = (seed.below(places.len()), seed.below(places.len()));
        places.swap(from, to);
    }
    if seed.below(4) == 0 {
        places.push(places[seed.below(places.len())]);
    }
    if seed.below(4) == 0 {
        places.remove(seed.below(places.len()));
    }
    places
}

fn program(seed: &mut Seed) -> String {
    let start = |seed: &mut Seed| 300 + seed.below(60);
    let mut text =
        format!("r7 = r1\nr7 += {}\nr8 = r1\nr8 += {}\nr9 = {}\n", start(seed), start(seed), 1 + seed.below(3));
    text += "r0 = r2\nr4 = 5\nr5 = 9\nagain:\n";
    let rare = *seed.pick(&[1000, 1000, 40, 8]);
    let op = *seed.pick(&["+=", "+=", "+=", "^="]);
    for place in places(seed) {
        term(seed, &mut text, place, rare, op);
    }
    text += "r7 += 2\nr9 += -1\nif r9 != 0 goto again\nr0 <<= 1\nr0 ^= r5\nexit\n";
    text
}

fn memory(seed: &mut Seed) -> Vec<u8> {
    let mut memory = vec![0_u8; MEMORY];
    memory.fill_with(|| *seed.pick(&[0, 0x7f, 0x80, 0xff, 1, 0x55]));
    memory
}

fn config(passes: Passes) -> Config {
    Config::new().passes(passes).threads(1).clone()
}

#[test]
fn random_sums_are_the_same_in_any_order() {
    let settings = [
        ("all", Passes::ALL),
        ("reassociation", Passes::NONE.with(Pass::Reassociation)),
        ("slp", Passes::NONE.with(Pass::Slp)),
        ("load-combining,slp", Passes::NONE.with(Pass::LoadCombining).with(Pass::Slp)),
    ];
    let engines = settings.map(|(name, passes)| (name, Jit::new(&config(passes)).unwrap()));
    let linker = engine::jit::linker();
    let (mut made, mut packed) = (0, 0);
    for value in seeds::of("sums", 1200) {
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
            let got = engine::jit::run(jit, &linker, "sums", &code, &mut after);
            assert!(
                got == Ok(r0) && after == expected,
                "BPF2NATIVE_RANDOM_SEED={value} BPF2NATIVE_RANDOM_PROGRAMS=1 -Z {name}: {got:x?}, not {r0:#x}\n{text}"
            );
        }
        if made % 8 == 0 {
            let target = "x86_64".parse::<Target>().unwrap();
            let config = Config::for_target(target).passes(settings[2].1).clone();
            let program = Program::from_instructions("sums", &code).unwrap();
            let clif = listing::clif(&program, &config, None).unwrap().text;
            packed += usize::from(clif.contains("i16x8"));
        }
    }
    crate::support::say(&format!("sums: {made} ran; of each 8th, {packed} have vectors\n"));
    assert!(made < 1000 || packed > 10, "hardly any of them is changed");
}

/// Each with all passes or with those that change sums, and with one set of features.
fn check_machine(name: &str) {
    let (test, machine) = (format!("sums on {name}"), machine(name));
    if !machine.is_ready(&test) {
        return;
    }
    let settings = machine.with_passes(&[
        ("all", Passes::ALL),
        ("none reassociation", Passes::NONE.with(Pass::Reassociation)),
        ("none load-combining slp", Passes::NONE.with(Pass::LoadCombining).with(Pass::Slp)),
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
fn random_sums_on_aarch64() {
    check_machine("aarch64");
}

#[test]
fn random_sums_on_riscv64() {
    check_machine("riscv64");
}

#[test]
fn random_sums_on_s390x() {
    check_machine("s390x");
}
