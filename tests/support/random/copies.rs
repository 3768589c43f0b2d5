//! Random copies of a few bytes, one by one: what compilers make of a `memcpy` whose places have no alignment.
//!
//! In: a seed. Out: a program over [`MEMORY`] bytes at r1. It copies between r7 and r8, whose distance the memory says, so that
//! the places overlap in any way; also within r7. The parts of a copy come in any order, one after the other or
//! some loads and then their stores, now and then with something in between.

use std::fmt::Write;

use super::Seed;

/// Bytes of the memory argument.
pub const MEMORY: usize = 512;

/// What loads put their values in.
const REGISTERS: [usize; 5] = [0, 3, 4, 5, 6];

/// Offsets and sizes of the parts of a copy, in the order of their stores.
fn parts(seed: &mut Seed) -> Vec<(i64, i64)> {
    let length = 2 + seed.below(23) as i64;
    let start = seed.below(24) as i64 - 8;
    let (mut parts, mut at) = (Vec::new(), 0);
    let sizes: &[i64] = match seed.below(4) {
        0 => &[1, 2, 4],
        1 => &[2],
        _ => &[1],
    };
    while at < length {
        let size = *seed.pick(sizes);
        parts.push((start + at, size));
        at += size;
    }
    match seed.below(4) {
        0 => parts.reverse(),
        1 => (1..parts.len()).step_by(2).for_each(|index| parts.swap(index - 1, index)),
        2 => {
            for _ in 0..seed.below(8) {
                let (one, other) = (seed.below(parts.len()), seed.below(parts.len()));
                parts.swap(one, other);
            }
        }
        _ => {}
    }
    if seed.below(6) == 0 {
        // One part twice, or one missing.
        let part = parts[seed.below(parts.len())];
        if seed.below(2) == 0 { parts.push(part) } else { parts.retain(|other| *other != part) }
    }
    parts
}

/// What may lie between two parts.
fn disturbance(seed: &mut Seed) -> String {
    let place = seed.below(32);
    match seed.below(6) {
        0 => format!("r9 = *(u8 *)(r1 +{place})\n"),
        1 => format!("*(u8 *)(r8 +{place}) = 7\n"),
        2 => format!("*(u16 *)(r7 +{place}) = r9\n"),
        3 => "r9 ^= r3\n".to_owned(),
        4 => "r7 += 1\n".to_owned(),
        _ => "r9 += 3\n".to_owned(),
    }
}

/// A copy.
fn copy(seed: &mut Seed, text: &mut String) {
    let (from, to) = *seed.pick(&[("r7", "r8"), ("r7", "r8"), ("r8", "r7"), ("r7", "r7")]);
    let by = if from == to { seed.below(40) as i64 - 20 } else { 0 };
    let most = *seed.pick(&[1, 1, 2, 4, 5]);
    let rare = *seed.pick(&[1000, 1000, 30]);
    let parts = parts(seed);
    for batch in parts.chunks(most) {
        let mut loads: Vec<usize> = (0..batch.len()).collect();
        if seed.below(2) == 0 {
            loads.reverse();
        }
        for index in loads {
            let (at, size) = batch[index];
            writeln!(text, "r{} = *(u{} *)({from} {at:+})", REGISTERS[index], 8 * size).unwrap();
        }
        for (index, (at, size)) in batch.iter().enumerate() {
            if seed.below(rare) == 0 {
                *text += &disturbance(seed);
            }
            writeln!(text, "*(u{} *)({to} {:+}) = r{}", 8 * size, at + by, REGISTERS[index]).unwrap();
        }
    }
}

/// A program.
pub fn program(seed: &mut Seed) -> String {
    let mut text = "r0 = 0\nr9 = 1\nr3 = 0\nr4 = 0\nr5 = 0\nr6 = 0\nr7 = r1\nr7 += 200\nr8 = r7\n".to_owned();
    // Up to 31 bytes below or above it.
    writeln!(text, "r3 = *(u8 *)(r1 +0)\nr3 &= 31\nr4 = *(u8 *)(r1 +1)\nr4 &= 31\nr8 += r3\nr8 -= r4").unwrap();
    if seed.below(4) == 0 {
        text += "r8 += 100\n";
    }
    let rounds = seed.below(3);
    if rounds > 0 {
        writeln!(text, "r2 = {rounds}\nagain:").unwrap();
    }
    for _ in 0..1 + seed.below(3) {
        copy(seed, &mut text);
    }
    if rounds > 0 {
        text += "r2 += -1\nr7 += 5\nif r2 != 0 goto again\n";
    }
    text += "r0 += r9\nr0 ^= r3\nexit\n";
    text
}
