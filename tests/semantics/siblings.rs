//! Random loops that lie one after the other in an outer one, with little or nothing between: the way out of one is the way
//! into the next, or back to the first.
//!
//! In: a seed. Out: a program that ends. Its counters are r2 to r5, one for each loop; r6 is a sum, r8 scratch, r7 the
//! memory, r9 counts the outer loop's rounds, r1 is what a counter in the frame was. Each counter starts at [`LEAST`] or more, also where it starts again in a
//! round of the outer loop or of another inner one.

use std::fmt::Write;

use crate::support::random::Seed;

/// What counters start with at least. Those that count down stop above 0, or at it if they start again in each round.
const LEAST: usize = 32;

/// The most rounds of the outer loop: so few that a counter that does not start again stays above 0.
const ROUNDS: usize = 5;

/// The counters.
const COUNTERS: [usize; 4] = [2, 3, 4, 5];

/// Gives a counter something to start with, known or not.
fn start(seed: &mut Seed, text: &mut String, counter: usize) {
    match seed.below(3) {
        0 => writeln!(text, "r{counter} = {}", LEAST + seed.below(40)),
        _ => writeln!(text, "r{counter} = *(u8 *)(r7 + {})\nr{counter} |= {LEAST}", seed.below(64)),
    }
    .unwrap();
}

/// What a round does besides counting.
fn body(seed: &mut Seed, text: &mut String, counter: usize) {
    for _ in 0..seed.below(3) {
        let other = *seed.pick(&COUNTERS);
        match seed.below(7) {
            0 => writeln!(text, "r6 += r{other}"),
            1 => writeln!(text, "w6 ^= w{counter}"),
            2 => writeln!(text, "r8 = *(u8 *)(r7 + {})\nr6 += r8", seed.below(64)),
            3 => writeln!(text, "r8 = r7\nr8 += r{counter}\nr8 = *(u8 *)(r8 - {LEAST})\nr6 += r8"),
            4 => writeln!(text, "*(u8 *)(r7 + {}) = r{other}", seed.below(64)),
            5 if other != counter => writeln!(text, "r{other} = {}", LEAST + seed.below(40)),
            _ => writeln!(text, "r6 += 3"),
        }
        .unwrap();
    }
}

/// A loop, after what may lie before it.
fn inner(seed: &mut Seed, text: &mut String, number: usize, again: bool) {
    let counter = COUNTERS[number];
    if seed.below(4) == 0 {
        writeln!(text, "if r6 & {} goto out{number}", 1 << seed.below(4)).unwrap();
    }
    if seed.below(4) == 0 {
        writeln!(text, "r6 += {number}").unwrap();
    }
    if again {
        start(seed, text, counter);
    }
    let letter = if seed.below(3) == 0 { 'w' } else { 'r' };
    let (step, test) = match seed.below(4) {
        0 => (1 + seed.below(2) as i64, format!("< {}", LEAST + seed.below(60))),
        1 => (1, format!("s< {}", LEAST + seed.below(60))),
        2 if again => (-1, "!= 0".to_owned()),
        _ => (-1 - seed.below(2) as i64, format!("{} {}", seed.pick(&[">", "s>", ">="]), 16 + seed.below(16))),
    };
    if seed.below(4) == 0 {
        in_frame(seed, text, number, step, &test);
        return;
    }
    let (step, test) = (format!("{letter}{counter} += {step}"), format!("if {letter}{counter} {test} goto"));
    match seed.below(5) {
        0 => {
            writeln!(text, "head{number}:\n{test} in{number}\ngoto out{number}\nin{number}:").unwrap();
            body(seed, text, counter);
            writeln!(text, "{step}\ngoto head{number}\nout{number}:").unwrap();
        }
        1 => {
            writeln!(text, "head{number}:\n{step}").unwrap();
            body(seed, text, counter);
            writeln!(text, "{test} head{number}\nout{number}:").unwrap();
        }
        _ => {
            writeln!(text, "head{number}:").unwrap();
            body(seed, text, counter);
            writeln!(text, "{step}\n{test} head{number}\nout{number}:").unwrap();
        }
    }
}

/// A loop that counts in a word of the frame, from what its counter is on, and tests the old value or the new one.
fn in_frame(seed: &mut Seed, text: &mut String, number: usize, step: i64, test: &str) {
    let (counter, at) = (COUNTERS[number], 4 * (number + 1));
    writeln!(text, "*(u32 *)(r10 - {at}) = r{counter}\nhead{number}:").unwrap();
    body(seed, text, counter);
    let (copy, tested) = *seed.pick(&[("", "w8"), ("w1 = w8\n", "w1")]);
    writeln!(text, "r8 = *(u32 *)(r10 - {at})\n{copy}w8 += {step}\n*(u32 *)(r10 - {at}) = r8").unwrap();
    writeln!(text, "if {tested} {test} goto head{number}\nout{number}:").unwrap();
}

/// A program with two to four of them.
pub fn program(seed: &mut Seed) -> String {
    let mut text = "r7 = r1\nr7 += 64\nr6 = 0\n".to_owned();
    COUNTERS.iter().for_each(|&counter| start(seed, &mut text, counter));
    writeln!(text, "r9 = {}", 1 + seed.below(ROUNDS)).unwrap();
    let at_top = seed.below(2) == 0;
    text += if at_top { "again:\nr9 += -1\nif r9 s< 0 goto end\n" } else { "again:\n" };
    for number in 0..2 + seed.below(COUNTERS.len() - 1) {
        let again = seed.below(4) == 0;
        inner(seed, &mut text, number, again);
    }
    text += if at_top { "goto again\nend:\n" } else { "r9 += -1\nif r9 != 0 goto again\n" };
    text += "r0 = r6\n";
    for counter in COUNTERS {
        if seed.below(3) > 0 {
            writeln!(text, "r0 *= 31\nr0 += r{counter}").unwrap();
        }
    }
    text += "exit\n";
    text
}
