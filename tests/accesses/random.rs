//! Random programs of few addresses: what a pass could merge, drop, move, invent or tear.
//!
//! In: a seed. Out: the pieces of a program, of which all but the first and the last can be left out. r6, r7 and r8 are
//! pointers into the memory, r9 is a number that no translator knows; r0 hangs on all that is read and wanted.

use std::fmt::Write;

use crate::support::random::Seed;

/// Bytes of memory.
pub const MEMORY: usize = 1024;

/// Makes one.
pub fn program(seed: &mut Seed) -> Vec<String> {
    let mut pieces = vec![format!(
        "r0 = 0\nr9 = r2\nr6 = r1\nr6 += 128\nr7 = r6\nr7 += {}\nr8 = r1\nr8 += r2\nr8 += -{}\n",
        seed.below(24),
        768 + seed.below(24)
    )];
    let most = if seed.below(8) == 0 { 60 } else { 14 };
    let count = 1 + seed.below(most);
    for number in 0..count {
        let mut text = String::new();
        match seed.below(14) {
            0..=4 => load(seed, &mut text),
            5..=7 => store(seed, &mut text),
            8 => number_of_bytes(seed, &mut text),
            9 => bytes_of_number(seed, &mut text),
            10 => branch(seed, &mut text, number),
            11 => atomic(seed, &mut text),
            12 => rounds(seed, &mut text, number),
            _ => elements(seed, &mut text, number),
        }
        pieces.push(text);
    }
    pieces.push("exit\n".to_owned());
    pieces
}

fn place(seed: &mut Seed, size: usize) -> String {
    let offset = if seed.below(4) == 0 { seed.below(16) } else { seed.below(24 / size) * size };
    format!("{} {offset:+}", seed.pick(&["r6", "r6", "r6", "r7", "r8"]))
}

fn size(seed: &mut Seed) -> usize {
    *seed.pick(&[1, 2, 4, 4, 8, 8])
}

fn load(seed: &mut Seed, text: &mut String) {
    let size = size(seed);
    let letter = if size < 8 && seed.below(4) == 0 { 's' } else { 'u' };
    let register = seed.pick(&["r2", "r3", "r4", "r5"]);
    writeln!(text, "{register} = *({letter}{} *)({})", size * 8, place(seed, size)).unwrap();
    match seed.below(8) {
        0 => {}
        1 => writeln!(text, "{register} >>= 8\nr0 ^= {register}").unwrap(),
        2 => writeln!(text, "w0 += w{}", &register[1..]).unwrap(),
        3 => writeln!(text, "*(u{} *)({}) = {register}", size * 8, place(seed, size)).unwrap(),
        _ => writeln!(text, "r0 {} {register}", seed.pick(&["+=", "^=", "-="])).unwrap(),
    }
}

fn store(seed: &mut Seed, text: &mut String) {
    let size = size(seed);
    let place = place(seed, size);
    let what = *seed.pick(&["0", "0", "-1", "1", "r9", "r9", "r0"]);
    let times = if seed.below(4) == 0 { 2 } else { 1 };
    for _ in 0..times {
        writeln!(text, "*(u{} *)({place}) = {what}", size * 8).unwrap();
    }
}

/// Loads of bytes that make a number, in any order.
fn number_of_bytes(seed: &mut Seed, text: &mut String) {
    let size = *seed.pick(&[2, 2, 3, 4, 4, 6, 8, 8]);
    let (is_big, is_back, has_more) = (seed.below(2) == 0, seed.below(2) == 0, seed.below(4) == 0);
    let (pointer, start) = (*seed.pick(&["r6", "r7"]), seed.below(16));
    writeln!(text, "r3 = 0").unwrap();
    for index in 0..size {
        let index = if is_back { size - 1 - index } else { index };
        let shift = 8 * if is_big { size - 1 - index } else { index };
        writeln!(text, "r2 = *(u8 *)({pointer} {:+})", start + index).unwrap();
        if has_more && index == 1 {
            writeln!(text, "r0 += r2\nr4 = *(u8 *)({pointer} {:+})\nr0 += r4", start + seed.below(size)).unwrap();
        }
        writeln!(text, "r2 <<= {shift}\nr3 |= r2").unwrap();
    }
    writeln!(text, "r0 += r3").unwrap();
}

/// Stores of the bytes of a number, in any order.
fn bytes_of_number(seed: &mut Seed, text: &mut String) {
    let size = *seed.pick(&[2, 3, 4, 4, 7, 8]);
    let (is_big, is_back) = (seed.below(2) == 0, seed.below(2) == 0);
    let is_constant = seed.below(3) == 0;
    let (pointer, start) = (*seed.pick(&["r6", "r7"]), seed.below(16));
    for index in 0..size {
        let index = if is_back { size - 1 - index } else { index };
        let shift = 8 * if is_big { size - 1 - index } else { index };
        let place = format!("{pointer} {:+}", start + index);
        match is_constant {
            true => writeln!(text, "*(u8 *)({place}) = {}", seed.below(256)).unwrap(),
            false => writeln!(text, "r2 = r9\nr2 >>= {shift}\n*(u8 *)({place}) = r2").unwrap(),
        }
    }
}

/// A few accesses behind a test.
fn branch(seed: &mut Seed, text: &mut String, number: usize) {
    writeln!(text, "r2 = *(u32 *)({})\nr3 = r9\nif r2 & {} goto skip{number}", place(seed, 4), 1 << seed.below(3))
        .unwrap();
    match seed.below(3) {
        0 => writeln!(text, "r3 = *(u64 *)({})", place(seed, 8)).unwrap(),
        1 => writeln!(text, "r3 = 17").unwrap(),
        _ => store(seed, text),
    }
    writeln!(text, "skip{number}:\nr0 += r3").unwrap();
}

fn atomic(seed: &mut Seed, text: &mut String) {
    let place = place(seed, 8);
    writeln!(text, "r2 = r9").unwrap();
    match seed.below(5) {
        0 => writeln!(text, "lock *(u64 *)({place}) += r2").unwrap(),
        1 => writeln!(text, "r2 = atomic_fetch_add((u64 *)({place}), r2)\nr0 += r2").unwrap(),
        2 => writeln!(text, "w2 = xchg32_32({place}, w2)\nr0 += r2").unwrap(),
        3 => writeln!(text, "r2 = load_acquire((u32 *)({place}))\nr0 += r2").unwrap(),
        _ => writeln!(text, "store_release((u32 *)({place}), r2)").unwrap(),
    }
}

/// A loop that looks at, or writes, the same places in each round.
fn rounds(seed: &mut Seed, text: &mut String, number: usize) {
    let rounds = *seed.pick(&[1, 2, 3, 4, 7, 8, 20]);
    writeln!(text, "r5 = 0\nagain{number}:").unwrap();
    for _ in 0..1 + seed.below(2) {
        let place = place(seed, 4);
        match seed.below(4) {
            0 => writeln!(text, "*(u32 *)({place}) = {}", seed.pick(&["r5", "0", "r9"])).unwrap(),
            1 => writeln!(text, "r2 = *(u32 *)({place})\nr2 += 1\n*(u32 *)({place}) = r2").unwrap(),
            _ => writeln!(text, "r2 = *(u32 *)({place})\nr0 += r2").unwrap(),
        }
    }
    let leaves = seed.below(3) == 0;
    if leaves {
        writeln!(text, "if r2 == 0x7712345 goto out{number}").unwrap();
    }
    writeln!(text, "r5 += 1\nif r5 != {rounds} goto again{number}").unwrap();
    if leaves {
        writeln!(text, "out{number}:").unwrap();
    }
}

/// A loop over elements: a fill, a copy, what is computed.
fn elements(seed: &mut Seed, text: &mut String, number: usize) {
    let size = *seed.pick(&[1_i64, 1, 2, 4, 8]);
    let bits = size * 8;
    let rounds = (64 + seed.below(140) as i64) / size + seed.below(4) as i64;
    let step = if seed.below(4) == 0 { -size } else { size };
    let distance = if seed.below(3) == 0 { 16 + seed.below(8) } else { 260 };
    writeln!(text, "r3 = r1\nr3 += 512\nr4 = r3\nr4 += {distance}\nr5 = {rounds}").unwrap();
    if seed.below(2) == 0 {
        writeln!(text, "r5 ^= r9\nr5 ^= r9").unwrap();
    }
    writeln!(text, "again{number}:").unwrap();
    match seed.below(5) {
        0 => writeln!(text, "*(u{bits} *)(r3 +0) = {}", seed.pick(&["0", "-1", "r9"])).unwrap(),
        1 => writeln!(text, "*(u{bits} *)(r3 +0) = r9").unwrap(),
        2 => writeln!(text, "r2 = *(u{bits} *)(r4 +0)\n*(u{bits} *)(r3 +0) = r2").unwrap(),
        3 => writeln!(text, "r2 = *(u{bits} *)(r3 +0)\n*(u{bits} *)(r4 +0) = r2").unwrap(),
        _ => writeln!(text, "r2 = *(u{bits} *)(r3 +0)\nr2 ^= r9\n*(u{bits} *)(r3 +0) = r2").unwrap(),
    }
    writeln!(text, "r3 += {step}\nr4 += {step}\nr5 += -1\nif r5 != 0 goto again{number}").unwrap();
}
