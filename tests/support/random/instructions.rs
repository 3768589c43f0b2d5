//! Random instructions, as text: each is valid wherever it stands.

use super::{MEMORY, Seed};

const ALU: [&str; 14] = ["=", "+=", "-=", "*=", "/=", "%=", "s/=", "s%=", "|=", "&=", "^=", "<<=", ">>=", "s>>="];
const CONDITIONS: [&str; 11] = ["==", "!=", ">", ">=", "<", "<=", "s>", "s>=", "s<", "s<=", "&"];
const SWAPS: [&str; 9] = ["le16", "le32", "le64", "be16", "be32", "be64", "bswap16", "bswap32", "bswap64"];
/// Sizes in bytes.
const SIZES: [usize; 4] = [1, 2, 4, 8];
const FETCHES: [&str; 4] = ["add", "or", "and", "xor"];
const LOCKED: [&str; 4] = ["+=", "|=", "&=", "^="];

/// Numbers at the edges, and any.
pub fn value(seed: &mut Seed) -> u64 {
    const EDGES: [u64; 14] = [
        0,
        1,
        2,
        u64::MAX,
        i64::MAX as u64,
        i64::MIN as u64,
        u32::MAX as u64,
        i32::MAX as u64,
        i32::MIN as u64,
        0x8000_0000,
        0x1_0000_0000,
        0x7f,
        0x80,
        0xffff_8000,
    ];
    if seed.below(2) == 0 { *seed.pick(&EDGES) } else { seed.next() >> seed.below(64) }
}

pub fn immediate(seed: &mut Seed) -> i32 {
    value(seed) as i32
}

/// A register that holds data and may change.
fn data(seed: &mut Seed) -> usize {
    seed.below(7)
}

/// A register whose value is no address.
fn source(seed: &mut Seed) -> usize {
    seed.below(9)
}

fn letter(seed: &mut Seed) -> char {
    *seed.pick(&['r', 'w'])
}

pub fn condition(seed: &mut Seed) -> String {
    let (letter, operator, left) = (letter(seed), *seed.pick(&CONDITIONS), source(seed));
    if seed.below(2) == 0 {
        format!("{letter}{left} {operator} {}", immediate(seed))
    } else {
        format!("{letter}{left} {operator} {letter}{}", source(seed))
    }
}

/// A call: the arguments are the memory and data, and r1 to r5 are written afterwards.
pub fn call(seed: &mut Seed, callee: usize) -> String {
    let mut text = format!("r1 = r9\ncall f{callee}");
    for register in 1..=5 {
        text += &match seed.below(3) {
            0 => format!("\nr{register} = {:#x} ll", value(seed)),
            1 => format!("\nr{register} = r0"),
            _ => format!("\nr{register} = r{}", 6 + seed.below(3)),
        };
    }
    text
}

/// An address of `size` bytes: in memory, or in the frame. Aligned where it has to be.
fn place(seed: &mut Seed, size: usize, aligned: bool) -> String {
    let step = if aligned || seed.below(2) == 0 { size } else { 1 };
    let offset = seed.below((MEMORY - size) / step + 1) * step;
    place_of(offset, seed.below(2) == 0)
}

/// The address that far into the frame's bytes, or the memory's.
pub fn place_of(offset: usize, in_frame: bool) -> String {
    if in_frame { format!("r10 - {}", MEMORY - offset) } else { format!("r9 + {offset}") }
}

fn operand(seed: &mut Seed, letter: char) -> String {
    if seed.below(2) == 0 { immediate(seed).to_string() } else { format!("{letter}{}", source(seed)) }
}

/// One instruction, or a few that make an address, use it and forget it.
pub fn instruction(seed: &mut Seed) -> String {
    match seed.below(32) {
        0..=11 => {
            let (letter, dst, operator) = (letter(seed), data(seed), *seed.pick(&ALU));
            format!("{letter}{dst} {operator} {}", operand(seed, letter))
        }
        12 => {
            let (letter, dst) = (letter(seed), data(seed));
            format!("{letter}{dst} = -{letter}{dst}")
        }
        13 | 14 => {
            let letter = letter(seed);
            let widths: &[u8] = if letter == 'w' { &[8, 16] } else { &[8, 16, 32] };
            let (dst, width, src) = (data(seed), *seed.pick(widths), source(seed));
            format!("{letter}{dst} = (s{width}){letter}{src}")
        }
        15 => {
            let dst = data(seed);
            format!("r{dst} = {} r{dst}", seed.pick(&SWAPS))
        }
        16 => format!("r{} = {:#x} ll", data(seed), value(seed)),
        17..=20 => load(seed),
        21..=24 => {
            let size = *seed.pick(&SIZES);
            let place = place(seed, size, false);
            format!("*(u{} *)({place}) = {}", size * 8, operand(seed, 'r'))
        }
        25 | 26 => variable_address(seed),
        _ => atomic(seed),
    }
}

fn load(seed: &mut Seed) -> String {
    let size = *seed.pick(&SIZES);
    let sign = if size < 8 && seed.below(2) == 0 { 's' } else { 'u' };
    let place = place(seed, size, false);
    format!("r{} = *({sign}{} *)({place})", data(seed), size * 8)
}

/// An access at an address that is known only at run time, in memory, in the frame, or through a spilled pointer.
fn variable_address(seed: &mut Seed) -> String {
    let (pointer, index, dst) = (1 + seed.below(2), source(seed), 3 + seed.below(3));
    let size = *seed.pick(&SIZES);
    let bits = size * 8;
    let make = match seed.below(3) {
        0 => format!("r{pointer} = r{index}\nr{pointer} &= {}\nr{pointer} += r9", MEMORY / 2 - 1),
        1 => format!("r{pointer} = r{index}\nr{pointer} &= {}\nr{pointer} += r10", MEMORY / 2 - 1),
        _ => format!("*(u64 *)(r10 - {}) = r9\nr{pointer} = *(u64 *)(r10 - {0})", MEMORY + 8),
    };
    let base = if make.contains("+= r10") { -(MEMORY as i32) } else { 0 };
    let sign = if base < 0 { '-' } else { '+' };
    let at = format!("r{pointer} {sign} {}", base.unsigned_abs() as usize);
    let access = match seed.below(3) {
        0 => format!("r{dst} = *(u{bits} *)({at})"),
        1 => format!("*(u{bits} *)({at}) = r{dst}"),
        _ => format!("*(u{bits} *)({at}) = {}", immediate(seed)),
    };
    // The address is forgotten.
    format!("{make}\n{access}\nr{pointer} = {}", immediate(seed))
}

/// A compare-and-swap of 32 bits that may find what it expects: r0 has the number that is there, and more above it.
fn expected(seed: &mut Seed) -> String {
    let offset = seed.below(MEMORY / 8) * 8;
    let in_frame = seed.below(2) == 0;
    // The low half of a word is first, or last.
    let half = place_of(offset + 4 * seed.below(2), in_frame);
    let load = match seed.below(3) {
        0 => format!("r0 = *(u32 *)({half})\nr5 = r{}\nr5 <<= 32\nr0 |= r5", source(seed)),
        1 => format!("r0 = *(s32 *)({half})"),
        _ => format!("r0 = *(u64 *)({})", place_of(offset, in_frame)),
    };
    format!("{load}\nw0 = cmpxchg32_32({half}, w0, w{})", data(seed))
}

fn atomic(seed: &mut Seed) -> String {
    let (bits, letter) = *seed.pick(&[(32, 'w'), (64, 'r')]);
    let place = place(seed, bits / 8, true);
    let src = data(seed);
    match seed.below(8) {
        0 | 1 => format!("lock *(u{bits} *)({place}) {} {letter}{src}", seed.pick(&LOCKED)),
        2 | 3 => {
            let name = seed.pick(&FETCHES);
            format!("{letter}{src} = atomic_fetch_{name}((u{bits} *)({place}), {letter}{src})")
        }
        4 if bits == 32 => format!("w{src} = xchg32_32({place}, w{src})"),
        4 => format!("r{src} = xchg_64({place}, r{src})"),
        5 if seed.below(2) == 0 => expected(seed),
        5 if bits == 32 => format!("w0 = cmpxchg32_32({place}, w0, w{src})"),
        5 => format!("r0 = cmpxchg_64({place}, r0, r{src})"),
        kind => {
            let size = *seed.pick(&SIZES);
            let (bits, place) = (size * 8, self::place(seed, size, true));
            if kind == 6 {
                format!("{letter}{src} = load_acquire((u{bits} *)({place}))")
            } else {
                format!("store_release((u{bits} *)({place}), {letter}{src})")
            }
        }
    }
}
