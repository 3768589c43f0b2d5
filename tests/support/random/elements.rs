//! Random loops over elements: loads of all widths, of structures of several elements, arithmetic in 32 and 64 bits, casts, clamps, what is
//! stored, sums and extremes; areas that overlap, lengths from none on, up and down.

use std::fmt::Write;

use super::Seed;

/// The bytes of memory that such a loop keeps to.
pub const MEMORY: usize = 4096;

/// A value that is computed for each element: in r5, with r0 as scratch.
fn operation(seed: &mut Seed, text: &mut String, label: &mut usize) {
    let word = *seed.pick(&['w', 'w', 'w', 'r']);
    let constant =
        *seed.pick(&[1, 2, 3, 7, 77, 127, 128, 150, 255, 256, 1000, 32767, 65535, -1, -128, -32768, 0x12345]);
    let bits = if word == 'w' { 32 } else { 64 };
    if seed.below(6) == 0 {
        return clamp(seed, text, label);
    }
    match seed.below(14) {
        0..=2 => writeln!(text, "{word}5 {} {word}0", seed.pick(&["+=", "-=", "*=", "^=", "&=", "|="])),
        3 | 4 => writeln!(text, "{word}5 {} {constant}", seed.pick(&["+=", "-=", "*=", "^=", "&=", "|="])),
        5 => writeln!(text, "{word}5 {} {word}2", seed.pick(&["+=", "*=", "^="])),
        6 => {
            let most = *seed.pick(&[8, bits - 1]);
            writeln!(text, "{word}5 {} {}", seed.pick(&["<<=", ">>=", "s>>="]), 1 + seed.below(most))
        }
        7 => writeln!(text, "{word}5 = {word}5"),
        8 => {
            let by = bits - *seed.pick(&[8, 16, 24]);
            writeln!(text, "{word}5 <<= {by}\n{word}5 {} {by}", seed.pick(&[">>=", "s>>="]))
        }
        9 => writeln!(text, "w5 &= {}", seed.pick(&[255, 65535, 127])),
        10 | 11 => {
            *label += 1;
            let test = seed.pick(&["<", ">", "s<", "s>", "<=", "s>=", "==", "!="]);
            writeln!(text, "if {word}5 {test} {constant} goto l{label}\n{word}5 = {constant}\nl{label}:")
        }
        12 => {
            *label += 1;
            let test = seed.pick(&["<", ">", "s<", "s>", "<=", "s>="]);
            writeln!(text, "if {word}5 {test} {word}0 goto l{label}\n{word}5 = {word}0\nl{label}:")
        }
        _ => writeln!(text, "{word}5 = -{word}5"),
    }
    .unwrap();
}

/// Both ends of a range, one after the other, or one where it is not the other.
fn clamp(seed: &mut Seed, text: &mut String, label: &mut usize) {
    let (low, high) = *seed.pick(&[(0, 255), (-128, 127), (-32768, 32767), (0, 65535), (5, 200), (-100_000, 7)]);
    *label += 1;
    let (less, more) = if seed.below(2) == 0 { ("s<", "s>") } else { ("s<=", "s>=") };
    let [one, other] = if seed.below(2) == 0 { [(less, low), (more, high)] } else { [(more, high), (less, low)] };
    match seed.below(3) {
        0 => writeln!(
            text,
            "if w5 {} {} goto a{label}\nif w5 {} {} goto b{label}\ngoto l{label}\na{label}:\nw5 = {}\ngoto l{label}\n\
             b{label}:\nw5 = {}\nl{label}:",
            one.0, one.1, other.0, other.1, one.1, other.1
        ),
        1 => writeln!(
            text,
            "if w5 s< {} goto a{label}\nw5 = {high}\na{label}:\nif w5 s> {} goto l{label}\nw5 = {low}\nl{label}:",
            high + 1,
            low - 1
        ),
        _ => writeln!(
            text,
            "w0 = w5\nif w5 {} {} goto a{label}\nw0 = {}\na{label}:\nif w5 {} {} goto l{label}\nw0 = {}\nl{label}:\nw5 = w0",
            if one.0 == less { "s>" } else { "s<" },
            one.1,
            one.1,
            if other.0 == less { "s>" } else { "s<" },
            other.1,
            other.1
        ),
    }
    .unwrap();
}

/// What is kept from one element to the next, in r6 or r9.
fn reduction(seed: &mut Seed, text: &mut String, register: usize, label: &mut usize) {
    let word = *seed.pick(&['w', 'w', 'r']);
    match seed.below(7) {
        0..=3 => {
            let operation = seed.pick(&["+=", "+=", "+=", "-=", "^=", "|=", "&="]);
            writeln!(text, "{word}{register} {operation} {word}5")
        }
        4 => writeln!(text, "{word}{register} += {word}5\n{word}{register} -= {word}0"),
        _ => {
            *label += 1;
            let test = seed.pick(&["<", ">", "s<", "s>", "<=", "s>="]);
            writeln!(
                text,
                "if {word}5 {test} {word}{register} goto l{label}\n{word}{register} = {word}5\nl{label}:"
            )
        }
    }
    .unwrap();
}

/// A program of one loop over elements: r1 is a pointer to [`MEMORY`] bytes.
pub fn program(seed: &mut Seed) -> String {
    let mut label = 0;
    let sizes = *seed.pick(&[
        [1, 1, 1],
        [1, 1, 1],
        [2, 2, 2],
        [4, 4, 4],
        [8, 8, 8],
        [1, 1, 2],
        [2, 2, 4],
        [4, 4, 8],
        [2, 2, 1],
        [1, 2, 4],
        [4, 1, 1],
    ]);
    let direction = if seed.below(6) == 0 { -1 } else { 1 };
    let place = |seed: &mut Seed| 2000 + *seed.pick(&[0, 0, 1, 2, 4, 8, 16, 24, 60, 128, 900, 1000, -7, -16, -900]);
    let (one, other, to) = (place(seed), place(seed), place(seed));
    // Structures of several elements, all of which are loaded, or all but one.
    let elements = if direction > 0 && seed.below(4) == 0 { 2 + seed.below(3) as i64 } else { 1 };
    let length = seed.below(101) / elements as usize;
    let mut text = format!("r7 = r1\nr7 += {one}\nr8 = r1\nr8 += {other}\nr1 += {to}\n");
    let start = *seed.pick(&[0, 0, 1, -1, 255, 0x7fff_ffff]);
    writeln!(text, "r6 = {start}\nr9 = {}\nr3 = 0\nr4 = {length}", seed.pick(&[0, 1, -1])).unwrap();
    if seed.below(3) > 0 {
        writeln!(text, "r4 ^= r2\nr4 ^= r2").unwrap();
    }
    writeln!(text, "if r3 == r4 goto out\nhead:").unwrap();
    let near = |seed: &mut Seed| if seed.below(3) == 0 { seed.below(8) as i64 - 4 } else { 0 };
    let load = |seed: &mut Seed, text: &mut String, register: usize, pointer: usize, size: i64| {
        let sign = if size < 8 { *seed.pick(&['u', 'u', 's']) } else { 'u' };
        let at = near(seed);
        writeln!(text, "r{register} = *({sign}{} *)(r{pointer} {at:+})", size * 8).unwrap();
        at
    };
    let first = load(seed, &mut text, 5, 7, sizes[0]);
    let loaded = if seed.below(6) == 0 { elements - 1 } else { elements };
    for element in 1..loaded {
        let sign = if sizes[0] < 8 { *seed.pick(&['u', 's']) } else { 'u' };
        let place = element * sizes[0] + first;
        writeln!(text, "r0 = *({sign}{} *)(r7 {place:+})", sizes[0] * 8).unwrap();
        writeln!(text, "{}5 {} {0}0", seed.pick(&['w', 'r']), seed.pick(&["+=", "-=", "^=", "*="])).unwrap();
    }
    if seed.below(4) == 0 {
        writeln!(text, "r0 = r5").unwrap();
    } else {
        load(seed, &mut text, 0, 8, sizes[1]);
    }
    for _ in 0..seed.below(6) {
        operation(seed, &mut text, &mut label);
    }
    let kind = seed.below(8);
    if kind < 6 {
        let (pointer, size) = *seed.pick(&[(1, sizes[2]), (1, sizes[2]), (7, sizes[0]), (8, sizes[1])]);
        writeln!(text, "*(u{} *)(r{pointer} {:+}) = r5", size * 8, near(seed)).unwrap();
    }
    if kind > 4 {
        reduction(seed, &mut text, 6, &mut label);
        if seed.below(3) == 0 {
            reduction(seed, &mut text, 9, &mut label);
        }
    }
    for (register, size) in [(7, elements * sizes[0]), (8, sizes[1]), (1, sizes[2])] {
        writeln!(text, "r{register} += {}", direction * size).unwrap();
    }
    let test = seed.pick(&["<", "!="]);
    writeln!(text, "r3 += 1\nif r3 {test} r4 goto head\nout:").unwrap();
    // What is used behind the loop: not all of it, always.
    let ends = [
        "r0 = r6",
        "r0 = r6\nr0 ^= r9",
        "r0 = r6\nr0 += r7\nr0 -= r8",
        "r0 = r9\nr0 += r3\nr0 -= r6\nr0 -= r1\nr0 += r7",
        "w0 = w6",
    ];
    writeln!(text, "{}\nexit", seed.pick(&ends)).unwrap();
    text
}
