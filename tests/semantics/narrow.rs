//! Random programs that compute with numbers of 8 and 16 bits around a loop, as LLVM's BPF has them: sums of 32 bits that are masked, or
//! sign-extended, where they are looked at, some of them more often than needed.
//!
//! In: a seed. Out: a program that ends, and a memory for it. What it returns and stores depends on the low bits of all numbers, and now
//! and then on all bits of one.

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
const PROGRAMS: u64 = 250;

/// The numbers.
const NUMBERS: [usize; 4] = [3, 4, 5, 6];

/// One instruction, or a few, of a number.
fn operation(seed: &mut Seed, text: &mut String) {
    let (to, from) = (*seed.pick(&NUMBERS), *seed.pick(&NUMBERS));
    let letter = if seed.below(5) == 0 { 'r' } else { 'w' };
    let place = seed.below(MEMORY - 8);
    let mask = *seed.pick(&[255, 255, 65535, 65535, 127, 0xff00, -1]);
    let label = text.len();
    let line = match seed.below(14) {
        0 => format!("{letter}{to} += {}", *seed.pick(&[1, 1, -1, 255, 256, 0x1234])),
        1 => format!("{letter}{to} {} {letter}{from}", seed.pick(&["+=", "-=", "*=", "^=", "|=", "&="])),
        2 => format!("{letter}{to} {} {}", seed.pick(&["<<=", ">>=", "s>>="]), 1 + seed.below(20)),
        3..=5 => format!("{letter}{to} &= {mask}"),
        6 => format!("{letter}{to} = ({}){letter}{from}", seed.pick(&["s8", "s16"])),
        7 => format!("*({} *)(r1 + {place}) = r{from}", seed.pick(&["u8", "u8", "u16", "u32", "u64"])),
        8 => format!("r{to} = *({} *)(r1 + {place})", seed.pick(&["u8", "u8", "u16", "u32"])),
        9 => format!("r{to} = {}", *seed.pick(&[0, 1, 255, 256, 65535, -1])),
        10 => format!("{letter}{to} = {letter}{from}"),
        // Looked at whole.
        11 if seed.below(3) == 0 => format!("r0 *= 31\nr0 += r{from}"),
        11 | 12 => format!("w7 = w{from}\nw7 &= {mask}\nr0 *= 31\nr0 += r7"),
        _ => {
            let condition = seed.pick(&["<", ">", "==", "!=", "s<", ">="]);
            let other = *seed.pick(&["0", "16", "255", "w6", "300"]);
            format!("w7 = w{from}\nw7 &= {mask}\nif w7 {condition} {other} goto L{label}\nw{to} += 3\nL{label}:")
        }
    };
    writeln!(text, "{line}").unwrap();
}

fn program(seed: &mut Seed) -> String {
    let mut text = "r0 = 1\n".to_owned();
    for (index, number) in NUMBERS.iter().enumerate() {
        match seed.below(3) {
            0 => writeln!(text, "r{number} = 0").unwrap(),
            _ => writeln!(text, "r{number} = *({} *)(r1 + {})", seed.pick(&["u8", "u16"]), 8 * index).unwrap(),
        }
    }
    writeln!(text, "r2 = {}\nagain:", 1 + seed.below(6)).unwrap();
    for _ in 0..4 + seed.below(10) {
        operation(seed, &mut text);
    }
    text += "r2 += -1\nif r2 != 0 goto again\n";
    for number in NUMBERS {
        match seed.below(4) {
            0 => writeln!(text, "r0 *= 7\nr0 ^= r{number}").unwrap(),
            1 => writeln!(text, "*(u8 *)(r1 + {number}) = r{number}").unwrap(),
            2 => writeln!(text, "w{number} &= 255\nr0 *= 7\nr0 ^= r{number}").unwrap(),
            _ => writeln!(text, "w{number} = (s16)w{number}\nr0 *= 7\nr0 ^= r{number}").unwrap(),
        }
    }
    text += "exit\n";
    text
}

#[test]
fn random_numbers_of_few_bits() {
    let translator = |name: &str, passes| Translator::new(name, Config::new().passes(passes).clone());
    let alone = Passes::NONE.with(Pass::DemandedBits);
    let translators = [
        translator("demanded-bits", alone),
        translator("load-combining", Passes::NONE.with(Pass::LoadCombining)),
        translator("narrow-comparisons", Passes::NONE.with(Pass::NarrowComparisons)),
        translator("all", Passes::ALL),
        translator("none", Passes::NONE),
    ];
    let (mut made, mut changed, mut narrow) = (0, 0, 0);
    for value in seeds::of("narrow", PROGRAMS) {
        let mut seed = Seed::new(value);
        let text = program(&mut seed);
        for _ in 0..3 {
            let mut memory = [0; MEMORY];
            memory.iter_mut().for_each(|byte| *byte = seed.next() as u8 & *seed.pick(&[0xff, 0xff, 0x80, 1]));
            differential::check_text(value, &text, memory, &translators);
        }
        made += 1;
        if value % 8 == 0 {
            let program = Program::from_instructions("narrow", &assemble(&text).unwrap()).unwrap();
            let count = |what: &str, passes| {
                let config = Config::for_target("x86_64".parse().unwrap()).passes(passes).clone();
                listing::clif(&program, &config, None).unwrap().text.matches(what).count()
            };
            changed += usize::from(count("band", alone) < count("band", Passes::NONE));
            let of_bytes = |passes| count("ireduce.i8", passes) + count("ireduce.i16", passes);
            narrow += usize::from(of_bytes(Passes::NONE.with(Pass::NarrowComparisons)) > of_bytes(Passes::NONE));
        }
    }
    say(&format!("narrow: {made} ran; of each 8th, {changed} have fewer masks, {narrow} narrow comparisons\n"));
    assert!(made < 80 || changed > 0 && narrow > 0, "hardly any of them is changed");
}
