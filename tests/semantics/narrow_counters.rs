//! Random loops with counters of 8 and 16 bits, which are masked where they are tested, or where they are counted; several pointers
//! that move by multiples of each other; and clamps that check their bounds twice, as C's of narrow types do.
//!
//! `BPF2NATIVE_RANDOM_SEED` and `BPF2NATIVE_RANDOM_PROGRAMS` as in `isa_random.rs`.

use std::fmt::Write;

use super::loops::{check, clif};
use crate::support::random::Seed;
use bpf2native::config::{Pass, Passes};

/// Where pointers start.
const MIDDLE: i64 = 6 << 10;

/// Loops of more rounds are not made.
const MOST: usize = 300;

/// A loop's counter, and its test.
struct Masked {
    start: i64,
    step: i64,
    mask: i64,
    bound: i64,
    condition: &'static str,
    /// Whether the counter itself is masked, and not a copy.
    is_counter: bool,
}

impl Masked {
    fn new(seed: &mut Seed) -> Masked {
        let mask = *seed.pick(&[0xff_i64, 0xff, 0xffff, 0x7f]);
        let step = *seed.pick(&[1_i64, 1, -1, -1, 2, -3, 8]);
        let start = seed.pick(&[0, 0, 1, 64, mask - 70, mask, mask + 2]) + seed.below(9) as i64;
        let rounds = seed.below(80) as i64 + 1;
        let bound = match seed.below(8) {
            0 => seed.below(300) as i64,
            _ => start + step * rounds,
        };
        let ordered = if step > 0 { *seed.pick(&["<", "s<", "<="]) } else { *seed.pick(&[">", "s>", ">="]) };
        let condition = if seed.below(2) == 0 { "!=" } else { ordered };
        Masked { start, step, mask, bound: bound & mask, condition, is_counter: seed.below(2) == 0 }
    }

    /// Whether the loop ends soon.
    fn ends(&self) -> bool {
        let mut value = self.start;
        for _ in 0..MOST {
            value = (value + self.step) & if self.is_counter { self.mask } else { 0xffff_ffff };
            let (tested, bound) = (value & self.mask, self.bound);
            let stays = match self.condition {
                "!=" => tested != bound,
                "<" | "s<" => tested < bound,
                "<=" => tested <= bound,
                ">" | "s>" => tested > bound,
                _ => tested >= bound,
            };
            if !stays {
                return true;
            }
        }
        false
    }
}

/// Clamps the low half of r5, by way of r2.
fn clamp(seed: &mut Seed, text: &mut String, number: usize) {
    let most = *seed.pick(&[255, 255, 255, 127, 1000]);
    let checked = most + *seed.pick(&[1, 1, 1, 0, 2, -20]);
    let letter = *seed.pick(&['w', 'w', 'r']);
    let low = *seed.pick(&[0, 0, 0, -5]);
    writeln!(
        text,
        "if {letter}5 < {checked} goto done{number}\nw2 = {low}\nif {letter}5 s< {low} goto set{number}"
    )
    .unwrap();
    writeln!(text, "w2 = {most}\nif {letter}5 s> {most} goto set{number}\nw2 = w5").unwrap();
    writeln!(text, "set{number}:\nw5 = w2\ndone{number}:").unwrap();
}

/// A program with some such loops.
fn program(seed: &mut Seed) -> Option<String> {
    let mut text = "r9 = 2\nr6 = 0\nr0 = 0\nagain:\n".to_owned();
    for number in 0..1 + seed.below(2) {
        let counter = Masked::new(seed);
        if !counter.ends() {
            return None;
        }
        let distance = *seed.pick(&[0_i64, 0, 1000, -1000, 2000, 64, 7]);
        writeln!(text, "r7 = r1\nr7 += {MIDDLE}\nr8 = r7\nr8 += {distance}\nr4 = {}", seed.below(3)).unwrap();
        let sizes = [*seed.pick(&[1_i64, 1, 2, 4]), *seed.pick(&[1_i64, 1, 2, 8])];
        let signs = [0; 2].map(|_| *seed.pick(&['u', 's', 'u']));
        let kind = |which: usize| if sizes[which] == 8 { 'u' } else { signs[which] };
        writeln!(text, "w3 = {}\nhead{number}:", counter.start).unwrap();
        writeln!(text, "r5 = *({}{} *)(r7 +0)", kind(0), 8 * sizes[0]).unwrap();
        if seed.below(3) > 0 {
            writeln!(text, "r0 = *({}{} *)(r8 +0)\nw5 {} w0", kind(1), 8 * sizes[1], seed.pick(&["+=", "-="]))
                .unwrap();
        }
        if seed.below(2) == 0 {
            writeln!(text, "w5 += {}", seed.pick(&[-179_i64, 91, 128, -44])).unwrap();
        }
        if seed.below(3) > 0 {
            clamp(seed, &mut text, number);
        }
        match seed.below(4) {
            0 => writeln!(text, "r6 += r5\nr6 += r4"),
            1 => writeln!(text, "r2 = 0\nif r5 > r4 goto +1\nr2 = 1\nr6 <<= 1\nw6 |= w2"),
            _ => writeln!(text, "*(u{} *)(r8 +0) = r5", 8 * sizes[1]),
        }
        .unwrap();
        writeln!(text, "r7 += {}\nr8 += {}\nr4 += 1", sizes[0], sizes[1]).unwrap();
        writeln!(text, "w3 += {}", counter.step).unwrap();
        let tested = if counter.is_counter { "w3" } else { "w5" };
        if !counter.is_counter {
            writeln!(text, "w5 = w3").unwrap();
        }
        writeln!(text, "{tested} &= {}", counter.mask).unwrap();
        writeln!(text, "if {tested} {} {} goto head{number}", counter.condition, counter.bound).unwrap();
        writeln!(text, "r0 = r7\nr0 -= r1\nr0 += r3\nr0 += r4\nr6 += r0\nr6 *= 31").unwrap();
    }
    writeln!(text, "r9 += -1\nif r9 != 0 goto again\nr0 = r6\nexit").unwrap();
    Some(text)
}

#[test]
fn random_loops_with_masked_counters() {
    let (mut widened, mut indexed) = (0, 0);
    let made = check("masked counters", 1200, program, |code| {
        let all = Passes::NONE.with(Pass::IfConversion).with(Pass::LoopVectors);
        widened += usize::from(clif(code, all).contains("i8x16"));
        let parameters = |passes| {
            clif(code, passes).lines().filter(|line| line.starts_with("block")).map(str::len).sum::<usize>()
        };
        indexed += usize::from(parameters(Passes::NONE.with(Pass::IndexedPointers)) < parameters(Passes::NONE));
    });
    crate::support::say(&format!(
        "masked counters: {made} ran; of each 16th, {widened} in vectors, {indexed} indexed\n"
    ));
    assert!(made < 1000 || (widened > 0 && indexed > 0), "hardly any of them is changed");
}
