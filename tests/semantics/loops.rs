//! Random loops, translated and interpreted: counters of all widths, signs, steps and bounds, also close to where they wrap;
//! no rounds at all; tests at the top, the bottom and in the middle; fills, copies and arithmetic on each element, also of
//! areas that overlap. Others lie one after the other in an outer loop (`loops/siblings.rs`).
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
const MEMORY: usize = 16 << 10;

/// Where pointers start.
const MIDDLE: i64 = 6 << 10;

/// Loops of more rounds are not made.
const MOST: i64 = 700;

/// Programs for each other machine.
const EMULATED: u64 = 250;

const CONDITIONS: [&str; 10] = ["==", "!=", "<", "<=", ">", ">=", "s<", "s<=", "s>", "s>="];

/// A loop's counter and test.
struct Counter {
    half: bool,
    start: u64,
    step: i64,
    bound: u64,
    condition: &'static str,
    at_top: bool,
}

impl Counter {
    fn new(seed: &mut Seed) -> Counter {
        let half = seed.below(2) == 0;
        let size = *seed.pick(&[1_i64, 1, 1, 2, 3, 4, 8, 8]);
        let step = if seed.below(3) == 0 { -size } else { size };
        let edges = [0, 1, 5, 100, 0x7fff_fff0, 0x8000_0000, 0xffff_fff0, i64::MAX as u64 - 9, u64::MAX - 20];
        let start = seed.pick(&edges).wrapping_add(seed.below(16) as u64);
        let rounds = if seed.below(20) == 0 { seed.below(650) } else { seed.below(90) } as i64;
        let off = if seed.below(3) == 0 { seed.below(4) as i64 } else { 0 };
        let bound = start.wrapping_add((step * rounds + off) as u64);
        let ordered = ["!=", if step > 0 { "<" } else { ">" }, if step > 0 { "s<" } else { "s>" }];
        let closed = ["!=", if step > 0 { "<=" } else { ">=" }, if step > 0 { "s<=" } else { "s>=" }];
        let condition = match seed.below(8) {
            0 => *seed.pick(&CONDITIONS),
            1 | 2 => *seed.pick(&closed),
            _ => *seed.pick(&ordered),
        };
        let narrow = |value: u64| if half { u64::from(value as u32) } else { value };
        let (start, bound) = (narrow(start), narrow(bound));
        Counter { half, start, step, bound, condition, at_top: seed.below(2) == 0 }
    }

    fn holds(&self, value: u64) -> bool {
        let (a, b) = (value, self.bound);
        let signed = |value: u64| if self.half { i64::from(value as i32) } else { value as i64 };
        match self.condition {
            "==" => a == b,
            "!=" => a != b,
            "<" => a < b,
            "<=" => a <= b,
            ">" => a > b,
            ">=" => a >= b,
            "s<" => signed(a) < signed(b),
            "s<=" => signed(a) <= signed(b),
            "s>" => signed(a) > signed(b),
            _ => signed(a) >= signed(b),
        }
    }

    /// How many rounds there are; none if too many.
    fn rounds(&self) -> Option<i64> {
        let mut value = self.start;
        for round in 0..MOST {
            if self.at_top && !self.holds(value) {
                return Some(round);
            }
            value = value.wrapping_add(self.step as u64);
            if self.half {
                value = u64::from(value as u32);
            }
            if !self.at_top && !self.holds(value) {
                return Some(round + 1);
            }
        }
        None
    }
}

/// What a round does, with r6 as a sum, r5 and r2 as scratch, r7 and r8 as pointers.
fn body(seed: &mut Seed, text: &mut String, number: usize) {
    let size = *seed.pick(&[1_i64, 2, 4, 8]);
    let bits = size * 8;
    let step = if seed.below(4) == 0 { -size } else { size };
    let at = |seed: &mut Seed| if seed.below(2) == 0 { 0 } else { seed.below(48) as i64 - 24 };
    let (from, to) = (at(seed), at(seed));
    let plain = match seed.below(6) {
        // Fills.
        0 => {
            let value = *seed.pick(&[0, -1, 0x55, 0x0101_0101, 0x1234]);
            writeln!(text, "*(u{bits} *)(r8 {to:+}) = {value}").unwrap();
            true
        }
        // Copies.
        1 | 2 => {
            writeln!(text, "r5 = *(u{bits} *)(r7 {from:+})").unwrap();
            writeln!(text, "*(u{bits} *)(r8 {to:+}) = r5").unwrap();
            true
        }
        // What is computed of one or two, of constants, and of what stays the same.
        3 | 4 => {
            writeln!(text, "r5 = *(u{bits} *)(r7 {from:+})").unwrap();
            for _ in 0..1 + seed.below(3) {
                let letter = *seed.pick(&['r', 'r', 'w']);
                let op = *seed.pick(&["+=", "-=", "^=", "&=", "|=", "+="]);
                match seed.below(6) {
                    0 => writeln!(text, "{letter}5 {op} {}", seed.pick(&[1, -1, 0x55, -128, 0x1234])),
                    1 => writeln!(text, "{letter}5 {op} {letter}2"),
                    2 => writeln!(text, "{letter}5 {op} {letter}5"),
                    3 => writeln!(text, "r0 = *(u{bits} *)(r7 {to:+})\n{letter}5 {op} {letter}0"),
                    _ => writeln!(text, "r0 = *(u{bits} *)(r8 {to:+})\n{letter}5 {op} {letter}0"),
                }
                .unwrap();
            }
            let to = *seed.pick(&[to, to, from, from + 16, from - 8]);
            writeln!(text, "*(u{bits} *)({} {to:+}) = r5", seed.pick(&["r8", "r7"])).unwrap();
            true
        }
        _ => false,
    };
    if !plain || seed.below(5) == 0 {
        for part in 0..1 + seed.below(3) {
            let line = match seed.below(9) {
                0 => "r6 += r3".to_owned(),
                1 => "w6 ^= w3".to_owned(),
                2 => format!("r5 = *(u{bits} *)(r7 {from:+})\nr6 += r5"),
                3 => format!("r5 = *(s16 *)(r7 {from:+})\nr5 *= r3\nr6 ^= r5"),
                4 => format!("*(u{bits} *)(r8 {to:+}) = r6"),
                5 => {
                    format!("if r6 & 1 goto skip{number}{part}\nr6 += 7\n*(u8 *)(r7 +1) = r6\nskip{number}{part}:")
                }
                6 => "r5 = r3\nr5 <<= 3\nr5 += r4\nr6 += r5".to_owned(),
                7 => "r6 <<= 1\nw5 = w6\nr6 ^= r5".to_owned(),
                _ => "r5 = r8\nr5 -= r7\nr6 += r5".to_owned(),
            };
            writeln!(text, "{line}").unwrap();
        }
    }
    writeln!(text, "r7 += {step}\nr8 += {step}").unwrap();
}

/// A program with some loops, the last of them inside of another; none if they would run for too long.
pub fn program(seed: &mut Seed) -> Option<String> {
    let mut text = "r9 = 3\nr6 = 0\nr0 = 0\nagain:\n".to_owned();
    let count = 1 + seed.below(2);
    for number in 0..count {
        let counter = Counter::new(seed);
        counter.rounds()?;
        let distance = if seed.below(2) == 0 { seed.below(40) as i64 - 20 } else { 0 };
        let letter = if counter.half { 'w' } else { 'r' };
        let (start, bound, condition) = (counter.start, counter.bound, counter.condition);
        writeln!(text, "r7 = r1\nr7 += {MIDDLE}\nr8 = r7\nr8 += {distance}").unwrap();
        writeln!(text, "r3 = {start} ll\nr4 = {bound} ll").unwrap();
        // Numbers that are not seen to be constants.
        for register in ["r3", "r4"] {
            if seed.below(3) == 0 {
                writeln!(text, "{register} ^= r2\n{register} ^= r2").unwrap();
            }
        }
        let small = bound < 1 << 31 && seed.below(2) == 0;
        let against = if small { bound.to_string() } else { format!("{letter}4") };
        let test = format!("if {letter}3 {condition} {against} goto");
        let step = format!("{letter}3 += {}", counter.step);
        let first = seed.below(2) == 0;
        if counter.at_top {
            writeln!(text, "head{number}:\n{test} in{number}\ngoto out{number}\nin{number}:").unwrap();
        } else if seed.below(3) == 0 {
            // Entered in the middle of what lies together.
            writeln!(text, "goto middle{number}\nhead{number}:\nr6 += 3\nmiddle{number}:").unwrap();
        } else {
            writeln!(text, "head{number}:").unwrap();
        }
        if first {
            writeln!(text, "{step}").unwrap();
        }
        body(seed, &mut text, number);
        if !first {
            writeln!(text, "{step}").unwrap();
        }
        match counter.at_top {
            true => writeln!(text, "goto head{number}\nout{number}:").unwrap(),
            false => writeln!(text, "{test} head{number}").unwrap(),
        }
        writeln!(text, "r5 = r8\nr5 -= r7\nr0 += r5\nr7 -= r1\nr0 ^= r7\nr0 += r3\nr0 += r6").unwrap();
        writeln!(text, "r0 *= 31").unwrap();
    }
    if seed.below(4) > 0 {
        writeln!(text, "r9 += -1\nif r9 != 0 goto again").unwrap();
    }
    writeln!(text, "exit").unwrap();
    Some(text)
}

/// A function that fills 8,003 bytes from r1 on.
const FILL: &str = "r2 = 8003\nnext:\n*(u8 *)(r1 +0) = 7\nr1 += 1\nr2 += -1\nif r2 != 0 goto next\nr0 = r1\nexit\n";

#[test]
fn a_large_fill_is_a_loop_and_no_call() {
    let code = asm::assemble(FILL).unwrap();
    let mut memory = vec![0; 8004];
    let jit = Jit::new(&config(Passes::ALL)).unwrap();
    let start = memory.as_ptr() as u64;
    assert_eq!(engine::jit::run(&jit, &engine::jit::linker(), "fill", &code, &mut memory), Ok(start + 8003));
    assert!(memory[..8003].iter().all(|&byte| byte == 7) && memory[8003] == 0);
    let object = crate::support::elf::object_of(&[("fill", &code)]);
    let program = Program::from_bytes("fill.o", &object).unwrap();
    let clif = listing::clif(&program, &config(Passes::ALL), None).unwrap().text;
    assert!(clif.contains("i8x16") && !clif.contains("call"), "{clif}");
}

pub(super) fn memory(seed: &mut Seed) -> Vec<u8> {
    let mut memory = vec![0_u8; MEMORY];
    memory.fill_with(|| seed.next() as u8);
    memory
}

fn config(passes: Passes) -> Config {
    Config::new().passes(passes).threads(1).clone()
}

/// The settings that random loops run with.
const SETTINGS: [(&str, Passes); 4] = [
    ("all", Passes::ALL),
    ("unrolling", Passes::NONE.with(Pass::Unrolling)),
    ("loop-vectors", Passes::NONE.with(Pass::LoopVectors)),
    ("none", Passes::NONE),
];

/// Loops, translated with each of the settings and interpreted. Goes out: how many there were; each 16th is handed on.
pub(super) fn check(
    name: &str,
    count: u64,
    make: impl Fn(&mut Seed) -> Option<String>,
    mut each_16th: impl FnMut(&[u8]),
) -> usize {
    let engines = SETTINGS.map(|(name, passes)| (name, Jit::new(&config(passes)).unwrap()));
    let linker = engine::jit::linker();
    let mut made = 0;
    for value in seeds::of(name, count) {
        let mut seed = Seed::new(value);
        let Some(text) = make(&mut seed) else { continue };
        let memory = memory(&mut seed);
        let code = asm::assemble(&text).unwrap_or_else(|error| panic!("seed {value}: {error}\n{text}"));
        let mut expected = memory.clone();
        let r0 = interp::run(&code, &mut expected, &|_, _| None, 1 << 20);
        let r0 = r0.unwrap_or_else(|fault| panic!("seed {value}: {fault:?}\n{text}"));
        made += 1;
        for (name, jit) in &engines {
            let mut after = memory.clone();
            let got = engine::jit::run(jit, &linker, "loops", &code, &mut after);
            let same = after == expected;
            assert!(
                got == Ok(r0) && same,
                "BPF2NATIVE_RANDOM_SEED={value} BPF2NATIVE_RANDOM_PROGRAMS=1 -Z {name}: {got:x?}, not {r0:#x}; the memory is \
                 {}\n{text}",
                if same { "the same" } else { "another" },
            );
        }
        if made % 16 == 0 {
            each_16th(&code);
        }
    }
    made
}

/// The CLIF of a program for x86-64, with some passes.
pub(super) fn clif(code: &[u8], passes: Passes) -> String {
    let program = Program::from_instructions("loops", code).unwrap();
    let target = "x86_64".parse::<Target>().unwrap();
    let config = Config::for_target(target).passes(passes).clone();
    listing::clif(&program, &config, None).unwrap().text
}

/// Whether there are more instructions than with no pass.
fn is_unrolled(code: &[u8]) -> bool {
    let values = |passes| clif(code, passes).lines().filter(|line| line.contains(" = ")).count();
    values(Passes::NONE.with(Pass::Unrolling)) > values(Passes::NONE)
}

#[test]
fn random_loops_do_what_they_say() {
    let (mut unrolled, mut widened, mut computed) = (0, 0, 0);
    let made = check("loops", 3000, program, |code| {
        unrolled += usize::from(is_unrolled(code));
        let wide = clif(code, Passes::NONE.with(Pass::LoopVectors));
        widened += usize::from(wide.contains("i8x16"));
        computed += usize::from(["i16x8", "i32x4", "i64x2"].iter().any(|vector| wide.contains(vector)));
    });
    crate::support::say(&format!(
        "loops: {made} ran; of each 16th, {unrolled} were unrolled, {widened} widened, {computed} computed in vectors\n"
    ));
    assert!(made < 1600 || (unrolled > 0 && widened > 0 && computed > 0), "hardly any of them is changed");
}

#[test]
fn random_loops_that_lie_one_after_the_other_in_another_one() {
    let mut unrolled = 0;
    let made = check(
        "loops in a loop",
        1500,
        |seed| Some(super::siblings::program(seed)),
        |code| unrolled += usize::from(is_unrolled(code)),
    );
    crate::support::say(&format!("loops in a loop: {made} ran; of each 16th, {unrolled} were unrolled\n"));
    assert!(made < 160 || unrolled > 0, "hardly any of them is changed");
}

/// Counts down twice in an outer loop; the way out of the first loop leads into the second.
const TWO_IN_ONE: &str = "r4 = *(u64 *)(r1 + 0)\nr5 = *(u64 *)(r1 + 8)\nr2 = *(u64 *)(r1 + 16)\nr0 = 0\nouter:\n\
    first:\nr4 += -1\nif r4 != 0 goto first\nsecond:\nr5 += -1\nif r5 != 0 goto second\n\
    r4 = 3\nr5 = 4\nr0 += 1\nr2 += -1\nif r2 != 0 goto outer\nr0 <<= 8\nr0 += r4\nr0 += r5\nexit\n";

#[test]
fn two_loops_in_one() {
    let code = asm::assemble(TWO_IN_ONE).unwrap();
    for (name, passes) in SETTINGS {
        let mut memory: Vec<u8> = [5_u64, 6, 7].iter().flat_map(|number| number.to_le_bytes()).collect();
        let jit = Jit::new(&config(passes)).unwrap();
        let got = engine::jit::run(&jit, &engine::jit::linker(), "loops", &code, &mut memory);
        assert_eq!(got, Ok(7 << 8 | 7), "-Z {name}");
    }
}

/// Loops that are never left: a head with two ways back.
const ENDLESS: &str = "r3 = *(u64 *)(r1 + 0)\nhead:\nif r3 > 99 goto down\nr3 += 1\ngoto head\n\
    down:\nr3 += -7\ngoto head\n";

#[test]
fn endless_loops_of_one_head_are_translated() {
    let code = asm::assemble(ENDLESS).unwrap();
    let program = Program::from_instructions("endless", &code).unwrap();
    for (name, passes) in SETTINGS {
        let jit = Jit::new(&config(passes)).unwrap();
        let linker = engine::jit::linker();
        assert!(jit.load(&program, &linker).is_ok(), "-Z {name}");
    }
}

/// Each loop with all passes or with one of those that change it, and with one set of features.
fn check_machine(name: &str) {
    let (test, machine) = (format!("loops on {name}"), machine(name));
    if !machine.is_ready(&test) {
        return;
    }
    let settings = machine.with_passes(&[
        ("all", Passes::ALL),
        ("none unrolling", Passes::NONE.with(Pass::Unrolling)),
        ("none loop-vectors", Passes::NONE.with(Pass::LoopVectors)),
    ]);
    let samples = seeds::of(&test, EMULATED).filter_map(|value| {
        let mut seed = Seed::new(value);
        let text = match value % 4 {
            0 => super::siblings::program(&mut seed),
            _ => program(&mut seed)?,
        };
        let memories = vec![memory(&mut seed)];
        Some(Sample { seed: value, text, memories, settings: vec![seed.below(settings.len())], program: None })
    });
    machines::check(&test, machine, &settings, samples);
}

#[test]
fn random_loops_on_aarch64() {
    check_machine("aarch64");
}

#[test]
fn random_loops_on_riscv64() {
    check_machine("riscv64");
}

#[test]
fn random_loops_on_s390x() {
    check_machine("s390x");
}
