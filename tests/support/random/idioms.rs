//! What compilers make of one operation that BPF does not have, with mistakes now and then: numbers that are read and
//! written byte by byte, rotates, extensions by shifts, counted loops. Each is valid wherever it stands.

use super::instructions::{immediate, place_of, value};
use super::{MEMORY, Seed};

/// One such.
pub fn idiom(seed: &mut Seed) -> String {
    match seed.below(8) {
        0..=2 => load_bytes(seed),
        3 | 4 => store_bytes(seed),
        5 => rotate(seed),
        6 => extension(seed),
        _ => counted_loop(seed),
    }
}

/// Places of parts of a number, in either order; at times one is wrong.
fn parts(seed: &mut Seed) -> (Vec<usize>, usize, usize) {
    let size = *seed.pick(&[2, 4, 8, 3]);
    let part = if seed.below(4) == 0 && size > 2 && size != 3 { 2 } else { 1 };
    let mut indices: Vec<usize> = (0..size / part).collect();
    if seed.below(2) == 0 {
        indices.reverse();
    }
    if seed.below(6) == 0 {
        let at = seed.below(indices.len());
        indices[at] = seed.below(size / part);
    }
    (indices, part, size)
}

/// A number, put together from its parts; the order of the loads is any.
fn load_bytes(seed: &mut Seed) -> String {
    let (indices, part, size) = parts(seed);
    let start = seed.below(MEMORY - size + 1);
    let in_frame = seed.below(3) == 0;
    let (mut text, mut is_first) = (String::new(), true);
    let mut steps: Vec<usize> = (0..indices.len()).collect();
    if seed.below(3) == 0 {
        let with = seed.below(steps.len());
        steps.swap(0, with);
    }
    let letter = if size == 8 || seed.below(2) == 0 { 'r' } else { 'w' };
    // All loads first, as far as there are registers, or each where it is used.
    let early = seed.below(2) == 0 && indices.len() == 2;
    if early {
        for &step in &steps {
            let at = place_of(start + indices[step] * part, in_frame);
            text += &format!("r{} = *(u{} *)({at})\n", 3 + step, part * 8);
        }
    }
    for &step in &steps {
        let register = if early { 3 + step } else { 4 };
        if !early {
            let at = place_of(start + indices[step] * part, in_frame);
            let sign = if step + 1 == steps.len() && seed.below(4) == 0 { 's' } else { 'u' };
            text += &format!("r4 = *({sign}{} *)({at})\n", part * 8);
        }
        match seed.below(40) {
            0 => text += &format!("*(u8 *)(r9 + {}) = {}\n", seed.below(MEMORY), immediate(seed)),
            1 => text += "r6 += r4\n",
            _ => {}
        }
        let shift = step * part * 8;
        if shift > 0 {
            text += &format!("{letter}{register} <<= {shift}\n");
        }
        let operator = *seed.pick(&["|=", "|=", "|=", "+=", "^="]);
        text += &if is_first {
            format!("{letter}5 = {letter}{register}\n")
        } else {
            format!("{letter}5 {operator} {letter}{register}\n")
        };
        is_first = false;
    }
    text += match seed.below(6) {
        0 => "r5 = be16 r5\n",
        1 => "r5 = bswap32 r5\n",
        2 => "r5 = bswap64 r5\n",
        _ => "",
    };
    text += "r3 = r5";
    text
}

/// A number, written in parts.
fn store_bytes(seed: &mut Seed) -> String {
    let (indices, part, size) = parts(seed);
    let start = seed.below(MEMORY - size + 1);
    let in_frame = seed.below(3) == 0;
    let source = seed.below(7);
    let constants = seed.below(4) == 0;
    let letter = if size < 8 && seed.below(2) == 0 { 'w' } else { 'r' };
    let mut text = String::new();
    let mut steps: Vec<usize> = (0..indices.len()).collect();
    if seed.below(3) == 0 {
        steps.reverse();
    }
    for step in steps {
        let at = place_of(start + indices[step] * part, in_frame);
        let bits = part * 8;
        if constants {
            text += &format!("*(u{bits} *)({at}) = {}\n", immediate(seed));
        } else {
            let target = if source == 5 { 4 } else { 5 };
            text += &format!("{letter}{target} = {letter}{source}\n");
            if step > 0 {
                text += &format!("{letter}{target} >>= {}\n", step * bits);
            }
            text += &format!("*(u{bits} *)({at}) = r{target}\n");
        }
        if seed.below(40) == 0 {
            text += &format!("r3 = *(u32 *)(r9 + {})\n", seed.below(MEMORY - 3));
        }
    }
    text + "r5 = 1"
}

fn rotate(seed: &mut Seed) -> String {
    let (letter, bits) = *seed.pick(&[('w', 32), ('r', 64)]);
    let value = seed.below(3);
    let (up, down) = *seed.pick(&[("<<=", ">>="), (">>=", "<<=")]);
    let negate = match seed.below(4) {
        0 => format!("{letter}4 = {bits}\n{letter}4 -= {letter}3"),
        1 => format!("{letter}4 = {letter}3\n{letter}4 = -{letter}4\n{letter}4 &= {}", bits - 1),
        2 => format!("w4 = w3\nw4 = -w4\nw4 &= {}", seed.pick(&[31, 63, 255])),
        _ => "r4 = r3\nr4 = -r4".to_owned(),
    };
    let mask = if seed.below(2) == 0 { format!("w3 &= {}\n", seed.pick(&[31, 63])) } else { String::new() };
    let other = if seed.below(8) == 0 { seed.below(3) } else { value };
    let operator = *seed.pick(&["|=", "|=", "|=", "+=", "^="]);
    format!(
        "r3 = r{}\n{mask}{negate}\n{letter}5 = {letter}{value}\n{letter}5 {up} {letter}3\n{letter}3 = {letter}{other}\n\
         {letter}3 {down} {letter}4\n{letter}5 {operator} {letter}3",
        seed.below(7)
    )
}

/// Extensions as v1 and v2 have them, and masks.
fn extension(seed: &mut Seed) -> String {
    let (register, shift) = (seed.below(7), seed.pick(&[32, 48, 56, 24, 16]));
    match seed.below(4) {
        0 => format!("r{register} <<= {shift}\nr{register} >>= {shift}"),
        1 => format!("r{register} <<= {shift}\nr{register} s>>= {shift}"),
        2 => format!("r{register} &= {}", seed.pick(&[0xff, 0xffff, 0xff00, 0x00ff_0000])),
        _ => format!(
            "r{register} = *(u8 *)(r9 + {})\nr{register} &= 255\nr{register} <<= 32\nr{register} >>= 32",
            seed.below(MEMORY)
        ),
    }
}

/// `r3` from one constant to another; at times it would never get there, and a second condition ends it.
fn counted_loop(seed: &mut Seed) -> String {
    let (start, step, times) = (seed.below(100) as i64 - 50, 1 + seed.below(9) as i64, 1 + seed.below(6) as i64);
    let step = if seed.below(3) == 0 { -step } else { step };
    let end = start + step * times + i64::from(seed.below(5) == 0);
    let label = format!("C{:x}", seed.next());
    let operator = *seed.pick(&["+=", "^=", "*="]);
    let value = value(seed) as i32;
    format!(
        "r3 = {start}\nr4 = 8\n{label}:\nr5 {operator} r3\nr5 += {value}\nr4 -= 1\nif r4 == 0 goto {label}x\n\
         r3 += {step}\nif r3 != {end} goto {label}\n{label}x:"
    )
}
