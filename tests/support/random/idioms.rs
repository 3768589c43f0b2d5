//! What compilers make of one operation that BPF does not have, with mistakes now and then: numbers that are read and
//! written byte by byte, rotates, extensions by shifts, carries, counted loops, trees of comparisons. Each is valid wherever it stands.

use super::instructions::{immediate, place_of, value};
use super::{MEMORY, Seed};

/// One such.
pub fn idiom(seed: &mut Seed) -> String {
    match seed.below(12) {
        10 => carries(seed),
        11 => division(seed),
        0..=2 => load_bytes(seed),
        3 | 4 => store_bytes(seed),
        5 => rotate(seed),
        6 => extension(seed),
        7 => count_bits(seed),
        8 => switch(seed),
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
    if seed.below(4) == 0 {
        return rotate_mixed(seed, letter, bits);
    }
    let negate = match seed.below(7) {
        0 => format!("{letter}4 = {bits}\n{letter}4 -= {letter}3"),
        // -(n + 1), and with other constants.
        4 => format!("{letter}4 = {letter}3\n{letter}4 ^= {}\n{letter}3 += 1", seed.pick(&[63, 31, -1, 15])),
        5 => format!("w4 = w3\nw4 ^= -1\nw4 &= {}\nw3 += {}", seed.pick(&[31, 63]), seed.pick(&[1, 65, 2])),
        6 => format!("{letter}4 = {}\n{letter}4 -= {letter}3\n{letter}3 += 1", seed.pick(&[bits - 1, bits])),
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

/// A rotate of a number that was mixed with its own high bits, of which those that the rotate moves down may be the same as before.
fn rotate_mixed(seed: &mut Seed, letter: char, bits: usize) -> String {
    let (value, count) = (seed.below(3), 1 + seed.below(12));
    let mixed = match seed.below(4) {
        0 => format!("{letter}4 &= {}", seed.pick(&[0xff, 0xffff])),
        _ => format!("{letter}4 >>= {}", count + seed.below(3) - seed.below(2)),
    };
    let operator = *seed.pick(&["^=", "^=", "|=", "+="]);
    let [up, down] = *seed.pick(&[[3, 5], [3, 5], [5, 3]]);
    format!(
        "{letter}5 = {letter}{value}\n{letter}4 = {letter}{}\n{mixed}\n{letter}4 {operator} {letter}5\n{letter}3 = {letter}4\n\
         {letter}{up} <<= {count}\n{letter}{down} >>= {}\n{letter}5 |= {letter}3",
        seed.below(3),
        bits - count
    )
}

/// Ones or leading zeros of a register, counted by shifts and masks.
fn count_bits(seed: &mut Seed) -> String {
    let bits = *seed.pick(&[32_u32, 64]);
    let letter = if bits == 32 { 'w' } else { 'r' };
    let mut lines = vec![format!("{letter}3 = {letter}{}", seed.below(7))];
    let mut line = |text: String| lines.push(text);
    let (step, operators) = (seed.below(30), ["&=", "|=", "^="]);
    // The first value may itself be shifted or masked, which compilers join with what follows.
    let (mut first, mut mask) = (1, u64::MAX >> (64 - bits));
    match seed.below(4) {
        0 | 1 => {
            for by in [1, 2, 4, 8, 16, 32].into_iter().filter(|by| by < &bits) {
                let by = if step == 0 && by == 8 { 7 } else { by };
                line(format!("{letter}4 = {letter}3\n{letter}4 >>= {by}\n{letter}3 {} {letter}4", operators[1]));
            }
            line(format!("{letter}3 ^= -1"));
            if seed.below(2) == 0 {
                mask &= !1;
            }
        }
        2 => first = 8,
        _ => {}
    }
    let repeated = |byte: u8| u64::from_le_bytes([byte; 8]) >> (64 - bits);
    let number = |value: u64| {
        if bits == 32 { format!("w5 = {}", value as u32 as i32) } else { format!("r5 = {value:#x} ll") }
    };
    let fives = repeated(0x55) & (mask >> 1);
    let fives = if first > 1 { fives >> (first - 1) } else { fives };
    let fives = if step == 1 { fives & !0x10 } else { fives };
    line(format!("{letter}4 = {letter}3\n{letter}4 >>= {first}\n{}\n{letter}4 &= {letter}5", number(fives)));
    if first > 1 {
        line(format!("{letter}3 >>= {}", if step == 2 { first } else { first - 1 }));
    }
    if mask & 1 == 0 {
        line(format!("{letter}3 &= -2"));
    }
    line(format!("{letter}3 -= {letter}4"));
    let threes = if step == 3 { 0x37 } else { 0x33 };
    line(format!("{}\n{letter}4 = {letter}3\n{letter}4 >>= 2\n{letter}4 &= {letter}5", number(repeated(threes))));
    line(format!("{letter}3 &= {letter}5\n{letter}3 += {letter}4\n{letter}4 = {letter}3\n{letter}4 >>= 4"));
    line(format!("{letter}3 += {letter}4\n{}\n{letter}3 &= {letter}5", number(repeated(0x0f))));
    line(format!("{}\n{letter}3 *= {letter}5", number(repeated(1))));
    line(format!("{letter}3 >>= {}", if step == 4 { bits - 7 } else { bits - 8 }));
    lines.join("\n")
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

/// A division by a number that a comparison, or a bit, keeps from being 0, or not.
fn division(seed: &mut Seed) -> String {
    let (letter, other) = (*seed.pick(&['r', 'w']), *seed.pick(&['r', 'w']));
    let (compared, label) = (*seed.pick(&['r', 'w']), seed.label());
    let operator = *seed.pick(&["/=", "%=", "/=", "s/=", "s%="]);
    let mask = if seed.below(2) == 0 { format!("{other}4 &= {}\n", seed.pick(&[1, 3, -4])) } else { String::new() };
    let guard = match seed.below(5) {
        0 => format!("{other}4 |= {}\n", seed.pick(&[1, 0, -1, 64])),
        _ => {
            let relation = *seed.pick(&["!=", "==", ">", ">=", "s>", "s>=", "s<", "s<=", "<", "<="]);
            let constant = *seed.pick(&[0, 0, 1, 1, -1, 2]);
            format!(
                "{letter}5 = {letter}4\nif {compared}4 {relation} {constant} goto D{label}\n{letter}5 = {}\n\
                 D{label}:\n{letter}4 = {letter}5\n",
                seed.pick(&[1, 1, -1, 0])
            )
        }
    };
    format!(
        "{other}4 = {other}{}\n{mask}{guard}{letter}3 = {letter}{}\n{letter}3 {operator} {letter}4",
        seed.below(7),
        seed.below(7)
    )
}

/// Sums and differences of words, whose carries are added to `r5`, or taken from it; at times one that is none.
fn carries(seed: &mut Seed) -> String {
    let mut text = format!("r3 = r{}\n", seed.below(7));
    let is_sum = seed.below(2) == 0;
    let starts_with_carry = seed.below(3) == 0;
    if !starts_with_carry {
        text += &format!("r5 = r{}\n", seed.below(7));
        text += ["", "r5 += r6\n", "r5 -= r1\n"][seed.below(3)];
    }
    for step in 0..1 + seed.below(4) {
        let is_sum = is_sum ^ (seed.below(8) == 0);
        let letter = if seed.below(12) == 0 { 'w' } else { 'r' };
        let mut other = *seed.pick(&[0, 1, 2, 6]);
        if seed.below(3) == 0 {
            other = 2;
            text += &format!("r2 = *(u64 *)({})\n", place_of(seed.below(MEMORY - 7), seed.below(3) == 0));
        }
        let compared = if seed.below(12) == 0 { seed.below(3) } else { other };
        let relation = *seed.pick(&["<", "<", "<", "<", "<", ">", ">="]);
        let [set, cleared] = *seed.pick(&[[1, 0], [1, 0], [1, 0], [0, 1]]);
        let label = seed.label();
        let store = format!("*(u64 *)({}) = r3\n", place_of(seed.below(MEMORY - 7), seed.below(3) == 0));
        let store = if seed.below(3) == 0 { store } else { String::new() };
        let operation = format!("r3 {} r{other}\n{store}", if is_sum { "+=" } else { "-=" });
        let number = format!(
            "w4 = {set}\nif {letter}3 {relation} {letter}{compared} goto C{label}\nw4 = {cleared}\nC{label}:\n"
        );
        text += &if is_sum { operation + &number } else { number + &operation };
        text += match (step, seed.below(4)) {
            (0, _) if starts_with_carry => "r5 = r4\n",
            (_, 0) => "r5 -= r4\n",
            _ => "r5 += r4\n",
        };
    }
    text + "r5 ^= r3"
}

/// `r3` from one constant to another; at times it would never get there, and a second condition ends it.
fn counted_loop(seed: &mut Seed) -> String {
    let (start, step, times) = (seed.below(100) as i64 - 50, 1 + seed.below(9) as i64, 1 + seed.below(6) as i64);
    let step = if seed.below(3) == 0 { -step } else { step };
    let end = start + step * times + i64::from(seed.below(5) == 0);
    let label = format!("C{}_", seed.label());
    let operator = *seed.pick(&["+=", "^=", "*="]);
    let value = value(seed) as i32;
    format!(
        "r3 = {start}\nr4 = 8\n{label}:\nr5 {operator} r3\nr5 += {value}\nr4 -= 1\nif r4 == 0 goto {label}x\n\
         r3 += {step}\nif r3 != {end} goto {label}\n{label}x:"
    )
}

/// A `switch` over a register, as clang has it: halved by orders, and the last few cases compared one by one. Now and
/// then a comparison is another one.
fn switch(seed: &mut Seed) -> String {
    let letter = *seed.pick(&['r', 'w']);
    let (name, first) = (format!("S{}_", seed.label()), seed.below(12) as i64 - 4);
    let mut text = format!("{letter}5 = {letter}{}\n", seed.below(7));
    if seed.below(4) > 0 {
        text += &format!("{letter}5 &= {}\n{letter}5 += {first}\n", seed.pick(&[7, 15, 31]));
    }
    let (count, step) = (4 + seed.below(16), 1 + seed.below(3) / 2);
    let cases: Vec<(usize, i64)> = (0..count).map(|case| (case, first + (case * step) as i64)).collect();
    text += &comparisons(seed, &name, letter, &cases);
    for (case, _) in cases {
        text += &format!("{name}c{case}:\nr3 = {}\ngoto {name}\n", seed.below(9));
    }
    text + &format!("{name}d:\nr3 = 77\n{name}:")
}

/// The comparisons for some cases: their numbers, and their values in order.
fn comparisons(seed: &mut Seed, name: &str, letter: char, cases: &[(usize, i64)]) -> String {
    let is_mistaken = seed.below(40) == 0;
    if cases.len() <= 3 {
        let operator = if is_mistaken { "!=" } else { "==" };
        let test = |(case, value): &(usize, i64)| format!("if {letter}5 {operator} {value} goto {name}c{case}\n");
        return cases.iter().map(test).collect::<String>() + &format!("goto {name}d\n");
    }
    let (low, high) = cases.split_at(cases.len() / 2);
    let (last, operator) = (low[low.len() - 1].1, if is_mistaken { ">" } else { "s>" });
    let upper = format!("{name}u{}", high[0].0);
    let (below, above) = (comparisons(seed, name, letter, low), comparisons(seed, name, letter, high));
    format!("if {letter}5 {operator} {last} goto {upper}\n{below}{upper}:\n{above}")
}
