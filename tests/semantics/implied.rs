//! Random chains of comparisons of one number with constants close to each other: most outcomes follow from earlier ones.
//!
//! In: a seed. Out: a program that ends, and a memory whose numbers are close to the constants too. What it returns depends on
//! each outcome.

use std::fmt::Write;

use bpf2native::Config;
use bpf2native::Program;
use bpf2native::compare::listing;
use bpf2native::config::{Pass, Passes};

use crate::support::asm::assemble;
use crate::support::differential::{self, Translator};
use crate::support::random::{MEMORY, Seed};
use crate::support::{say, seeds};

/// Programs, where the environment says nothing.
const PROGRAMS: u64 = 600;

/// Words of the memory that a program reads.
const WORDS: usize = 8;

/// A constant, and a number of the memory: small, or around a border of 16, 32 or 64 bits.
fn number(seed: &mut Seed, bits: u32) -> i64 {
    let near = seed.below(7) as i64 - 3;
    let border = match seed.below(8) {
        0 => 1_i64 << bits.min(31),
        1 => i64::from(i32::MAX),
        2 => -1,
        _ => 5,
    };
    border.wrapping_add(near).clamp(i64::from(i32::MIN), i64::from(i32::MAX))
}

/// Gives r3 the number of which it is, in one of the ways that the pass looks through.
fn load(seed: &mut Seed, text: &mut String) -> u32 {
    let (size, bits) = *seed.pick(&[("u8", 8), ("u16", 16), ("u32", 32), ("u64", 64)]);
    writeln!(text, "r3 = *({size} *)(r1 + {})", 8 * seed.below(WORDS)).unwrap();
    match seed.below(4) {
        0 => writeln!(text, "w3 = w3").unwrap(),
        1 => writeln!(text, "r3 <<= 3\nr4 = r3\nr3 >>= 3\nr4 <<= 61\nr3 |= r4").unwrap(),
        _ => {}
    }
    bits
}

fn program(seed: &mut Seed) -> String {
    let mut text = "r0 = 1\nr5 = 0\n".to_owned();
    let mut bits = load(seed, &mut text);
    for place in 0..3 + seed.below(8) {
        let letter = if seed.below(3) == 0 { 'w' } else { 'r' };
        let condition = seed.pick(&["<", "<=", ">", ">=", "==", "!=", "<", ">", "s<", "s>="]);
        writeln!(text, "if {letter}3 {condition} {} goto taken{place}", number(seed, bits)).unwrap();
        match seed.below(6) {
            0 => writeln!(text, "r0 *= 31\nr0 += {place}\ntaken{place}:").unwrap(),
            1 => writeln!(text, "r0 += {place}\ngoto end\ntaken{place}:").unwrap(),
            2 => {
                writeln!(text, "r5 += 1\nr0 *= 7\ngoto joined{place}\ntaken{place}:\nr0 += 9\njoined{place}:")
                    .unwrap();
            }
            3 => {
                writeln!(text, "r0 *= 5\ntaken{place}:").unwrap();
                bits = load(seed, &mut text);
            }
            _ => writeln!(text, "goto on{place}\ntaken{place}:\nr0 ^= {place}\ngoto end\non{place}:\nr0 += r5")
                .unwrap(),
        }
    }
    text += "end:\nr0 *= 31\nr0 += r3\nexit\n";
    text
}

#[test]
fn random_comparisons_that_follow_from_others() {
    let translator = |name: &str, passes| Translator::new(name, Config::new().passes(passes).clone());
    let alone = Passes::NONE.with(Pass::ImpliedBranches);
    let translators =
        [translator("implied-branches", alone), translator("all", Passes::ALL), translator("none", Passes::NONE)];
    let (mut made, mut changed) = (0, 0);
    for value in seeds::of("implied", PROGRAMS) {
        let mut seed = Seed::new(value);
        let text = program(&mut seed);
        for _ in 0..4 {
            let mut memory = [0; MEMORY];
            for word in 0..WORDS {
                let number = number(&mut seed, [8, 16, 32][word % 3]);
                memory[8 * word..8 * word + 8].copy_from_slice(&number.to_le_bytes());
            }
            differential::check_text(value, &text, memory, &translators);
        }
        made += 1;
        if value % 8 == 0 {
            let program = Program::from_instructions("implied", &assemble(&text).unwrap()).unwrap();
            let branches = |passes| {
                let config = Config::for_target("x86_64".parse().unwrap()).passes(passes).clone();
                listing::clif(&program, &config, None).unwrap().text.matches("brif").count()
            };
            changed += usize::from(branches(alone) < branches(Passes::NONE));
        }
    }
    say(&format!("implied: {made} ran; of each 8th, {changed} have fewer branches\n"));
    assert!(made < 80 || changed > 0, "hardly any of them is changed");
}
