//! Loops whose next round hangs on what this one loaded and chose: the place of an extreme, a machine that jumps about in
//! its program, a search that leaves early, fills and copies of all sizes. Each is valid wherever it stands.
//!
//! r3 to r5 are written, and at the end none of them is an address; r7 and r8 are the counters of loops around.

use super::instructions::{immediate, place_of};
use super::{MEMORY, Seed};

/// One such.
pub fn round(seed: &mut Seed) -> String {
    match seed.below(4) {
        0 => extreme(seed),
        1 => machine(seed),
        2 => search(seed),
        _ => moves(seed),
    }
}

const ORDERS: [&str; 8] = ["<", "<=", ">", ">=", "s<", "s<=", "s>", "s>="];

/// Bits of an element, and how far to shift an index for the elements to lie side by side.
const ELEMENTS: [(usize, usize); 4] = [(8, 0), (16, 1), (32, 2), (64, 3)];

/// The start of an area of `size` bytes in memory or in the frame: a register, and an offset from it.
fn area(seed: &mut Seed, size: usize) -> (&'static str, i64) {
    let start = seed.below(MEMORY - size + 1);
    if seed.below(3) == 0 { ("r10", start as i64 - MEMORY as i64) } else { ("r9", start as i64) }
}

/// Loads of element `index` into a register, by way of it.
fn element(
    register: usize,
    index: usize,
    base: &str,
    offset: i64,
    bits: usize,
    shift: usize,
    sign: char,
) -> String {
    let scaled = if shift > 0 { format!("r{register} <<= {shift}\n") } else { String::new() };
    let load = format!("r{register} = *({sign}{bits} *)(r{register} {offset:+})\n");
    format!("r{register} = r{index}\n{scaled}r{register} += {base}\n{load}")
}

/// The place of the least or the greatest of some elements; at times what is compared is another one.
fn extreme(seed: &mut Seed) -> String {
    let &(bits, shift) = seed.pick(&ELEMENTS);
    let count = 2 + seed.below(MEMORY * 8 / bits - 1);
    let (base, offset) = area(seed, count * bits / 8);
    let sign = if bits < 64 && seed.below(3) == 0 { 's' } else { 'u' };
    let label = format!("E{}", seed.label());
    let letter = if bits < 64 && seed.below(2) == 0 { 'w' } else { 'r' };
    let operator = if seed.below(4) == 0 { seed.pick(&["==", "!="]) } else { seed.pick(&ORDERS) };
    let (now, best) = (
        element(1, 3, base, offset, bits, shift, sign),
        element(2, if seed.below(8) == 0 { 3 } else { 4 }, base, offset, bits, shift, sign),
    );
    let loads = if seed.below(2) == 0 { now + &best } else { best + &now };
    let taken = match seed.below(4) {
        0 => "r4 = r3\nr5 = r1\n",
        1 => "r4 = r3\nr5 += 1\n",
        _ => "r4 = r3\n",
    };
    let store = if seed.below(4) == 0 { format!("*(u8 *)({base} {offset:+}) = r5\n") } else { String::new() };
    format!(
        "r3 = {}\nr4 = 0\nr5 = 0\n{label}:\n{loads}if {letter}1 {operator} {letter}2 goto {label}n\n{taken}{label}n:\n\
         {store}r3 += 1\nif r3 != {count} goto {label}\nr1 = r4\nr2 = r5",
        seed.below(2)
    )
}

/// A place that the byte there, or one beside it, changes; some of its bytes may be written.
fn machine(seed: &mut Seed) -> String {
    let (base, start) = if seed.below(3) == 0 { ("r10", -(MEMORY as i64)) } else { ("r9", 0) };
    let label = format!("M{}", seed.label());
    let mask = *seed.pick(&[7, 31, MEMORY - 1]);
    let operator = seed.pick(&["==", "!=", "<", "s>", "&"]);
    let other = match seed.below(3) {
        0 => format!("r4 = {}\n", seed.below(mask + 1)),
        1 => format!("r4 += {}\n", 1 + seed.below(9)),
        _ => "r4 ^= r1\n".to_owned(),
    };
    let width = *seed.pick(&['u', 's']);
    let compared = if seed.below(2) == 0 { seed.pick(&[0, 1, 64, 128, -1]).to_string() } else { "r3".to_owned() };
    let write = if seed.below(3) == 0 { format!("*(u8 *)(r2 {start:+}) = r5\n") } else { String::new() };
    format!(
        "r3 = {}\nr4 = {}\nr5 = 0\n{label}:\nr4 &= {mask}\nr2 = r4\nr2 += {base}\nr1 = *({width}8 *)(r2 {start:+})\n{write}\
         r5 += r1\nr4 += 1\nif r1 {operator} {compared} goto {label}n\n{other}{label}n:\nr3 += -1\nif r3 != 0 goto {label}\n\
         r2 = r4\nr1 = r5",
        2 + seed.below(20),
        seed.below(MEMORY),
    )
}

/// The first element of a kind; what comes after it may be one of two blocks.
fn search(seed: &mut Seed) -> String {
    let &(bits, _) = seed.pick(&ELEMENTS);
    let size = bits / 8;
    let count = 1 + seed.below(MEMORY / size);
    let (base, offset) = area(seed, count * size);
    let label = format!("F{}", seed.label());
    let operator = *seed.pick(&["==", "!=", "<", "s<", "&", ">"]);
    let wanted = if seed.below(2) == 0 { immediate(seed).to_string() } else { "r4".to_owned() };
    let work = match seed.below(4) {
        0 => "r5 += r2\n",
        1 => "r5 ^= r3\nr5 *= 3\n",
        2 => "if r2 s> 0 goto +1\nr5 += 1\n",
        _ => "",
    };
    let continued = if seed.below(3) == 0 { format!("if r2 == 0 goto {label}s\n") } else { String::new() };
    format!(
        "r1 = {base}\nr1 += {offset}\nr3 = 0\nr4 = {}\nr5 = 0\n{label}:\nr2 = *(u{bits} *)(r1 + 0)\n{continued}\
         if r2 {operator} {wanted} goto {label}f\n{work}{label}s:\nr1 += {size}\nr3 += 1\nif r3 != {count} goto {label}\n\
         r1 = 7\ngoto {label}x\n{label}f:\nr1 = r3\n{label}x:",
        immediate(seed)
    )
}

/// A fill or a copy, upwards or downwards, of as much as fits; the areas may overlap, and the number of rounds hang on memory.
fn moves(seed: &mut Seed) -> String {
    let &(bits, _) = seed.pick(&ELEMENTS);
    let size = bits / 8;
    let most = MEMORY / size;
    let count = if seed.below(2) == 0 { most } else { 1 + seed.below(most) };
    let step = if seed.below(3) == 0 { -(size as i64) } else { size as i64 };
    // How far the first element is into its area.
    let first = if step < 0 { (count as i64 - 1) * size as i64 } else { 0 };
    let ((to, to_at), (from, from_at)) = (area(seed, count * size), area(seed, count * size));
    let label = format!("V{}", seed.label());
    let work = match seed.below(5) {
        0 => format!("*(u{bits} *)(r1 + 0) = {}\n", immediate(seed)),
        1 => format!("*(u{bits} *)(r1 + 0) = r5\n"),
        2 => format!("r4 = *(u{bits} *)(r2 + 0)\nr4 += r5\n*(u{bits} *)(r1 + 0) = r4\n"),
        _ => format!("r4 = *(u{bits} *)(r2 + 0)\n*(u{bits} *)(r1 + 0) = r4\n"),
    };
    let rounds = match seed.below(3) {
        0 if count.is_power_of_two() => {
            let place = place_of(seed.below(MEMORY), false);
            format!("r3 = *(u8 *)({place})\nr3 &= {}\nr3 += 1\n", count - 1)
        }
        _ => format!("r3 = {count}\n"),
    };
    let letter = *seed.pick(&['r', 'w']);
    format!(
        "{rounds}r5 = {}\nr1 = {to}\nr1 += {}\nr2 = {from}\nr2 += {}\n{label}:\n{work}r1 += {step}\nr2 += {step}\n\
         {letter}3 += -1\nif {letter}3 != 0 goto {label}\nr1 = r5\nr2 = 3\nr4 = r3",
        immediate(seed),
        to_at + first,
        from_at + first,
    )
}
