//! Random loops over narrow numbers: 8 and 16 bits, booleans, counts of bits, joined by branches and masked again in each round.
//!
//! In: a seed. Out: a program that ends, and whose result depends on each number and each mask.

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

/// The numbers.
const NUMBERS: [usize; 4] = [2, 3, 4, 5];

const MASKS: [u32; 8] = [1, 3, 63, 255, 511, 65535, 0x7fff_ffff, 0xff00];

/// Gives a register a narrow number.
fn narrow(seed: &mut Seed, text: &mut String, to: usize) {
    let (mask, constant) = (*seed.pick(&MASKS), seed.below(300));
    let size = seed.pick(&["u8", "u16", "u32", "u64"]);
    match seed.below(4) {
        0 => writeln!(text, "r{to} = {constant}"),
        1 => writeln!(text, "r{to} &= {mask}"),
        _ => writeln!(text, "r{to} = *({size} *)(r1 + {})", 8 * seed.below(MEMORY / 8)),
    }
    .unwrap();
}

/// Changes a number by itself or by another one.
fn step(seed: &mut Seed, text: &mut String, place: usize) {
    let (to, from) = (*seed.pick(&NUMBERS), *seed.pick(&NUMBERS));
    let letter = if seed.below(3) == 0 { 'w' } else { 'r' };
    let amount = seed.below(if letter == 'w' { 32 } else { 64 });
    match seed.below(9) {
        0 => writeln!(text, "{letter}{to} {} {letter}{from}", seed.pick(&["+=", "|=", "^=", "&="])),
        1 => writeln!(text, "{letter}{to} {} {amount}", seed.pick(&[">>=", "<<=", "s>>="])),
        2 => writeln!(text, "{letter}{to} {} {letter}{from}", seed.pick(&["/=", "%=", "-=", "*="])),
        3 => writeln!(text, "{letter}{to} += 1"),
        4 => writeln!(text, "r{to} = 1\nif r{from} > r0 goto set{place}\nr{to} = 0\nset{place}:"),
        5 => writeln!(text, "if r{from} & 4 goto kept{place}\nr{to} = r{from}\nkept{place}:"),
        6 => writeln!(text, "r{to} &= {}", *seed.pick(&MASKS)),
        _ => {
            narrow(seed, text, to);
            return;
        }
    }
    .unwrap();
}

fn program(seed: &mut Seed) -> String {
    let mut text = "r0 = 1\n".to_owned();
    for number in NUMBERS {
        let size = seed.pick(&["u8", "u16", "u32"]);
        writeln!(text, "r{number} = *({size} *)(r1 + {})", 8 * seed.below(MEMORY / 8)).unwrap();
    }
    writeln!(text, "r9 = {}\nagain:", 1 + seed.below(9)).unwrap();
    for place in 0..2 + seed.below(6) {
        step(seed, &mut text, place);
        let number = *seed.pick(&NUMBERS);
        if seed.below(4) == 0 {
            writeln!(text, "w6 = w{number}\nr0 *= 31\nr0 += r6").unwrap();
        } else {
            writeln!(text, "r6 = r{number}\nr6 &= {}\nr0 *= 31\nr0 += r6", *seed.pick(&MASKS)).unwrap();
        }
    }
    text += "r9 += -1\nif r9 != 0 goto again\n";
    for number in NUMBERS {
        writeln!(text, "r0 *= 31\nr0 += r{number}").unwrap();
    }
    text += "exit\n";
    text
}

#[test]
fn random_masks_of_narrow_numbers() {
    let translator = |name: &str, passes| Translator::new(name, Config::new().passes(passes).clone());
    let alone = Passes::NONE.with(Pass::LoadCombining);
    let translators =
        [translator("load-combining", alone), translator("all", Passes::ALL), translator("none", Passes::NONE)];
    let (mut made, mut changed) = (0, 0);
    for value in seeds::of("masks", PROGRAMS) {
        let mut seed = Seed::new(value);
        let text = program(&mut seed);
        for _ in 0..4 {
            let mut memory = [0; MEMORY];
            for word in memory.chunks_exact_mut(8) {
                let number = if seed.below(3) == 0 { u64::MAX } else { seed.next() } >> seed.below(64);
                word.copy_from_slice(&number.to_le_bytes());
            }
            differential::check_text(value, &text, memory, &translators);
        }
        made += 1;
        if value % 8 == 0 {
            let program = Program::from_instructions("masks", &assemble(&text).unwrap()).unwrap();
            let masks = |passes| {
                let config = Config::for_target("x86_64".parse().unwrap()).passes(passes).clone();
                let text = listing::clif(&program, &config, None).unwrap().text;
                text.matches(" band").count() + text.matches(" uextend").count()
            };
            changed += usize::from(masks(alone) < masks(Passes::NONE));
        }
    }
    say(&format!("masks: {made} ran; of each 8th, {changed} have fewer masks\n"));
    assert!(made < 80 || changed > 0, "hardly any of them is changed");
}
