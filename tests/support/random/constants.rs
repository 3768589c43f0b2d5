//! Constants of 64 bits whose bytes are those of instructions, and what makes the last blocks of a function go: divisions, whose
//! block for a divisor of 0 may come to nothing, and ways to code that does not return, which nobody takes.

use super::Seed;

/// Instructions of x86-64, and their beginnings.
const FRAGMENTS: [&[u8]; 20] = [
    &[0xc3],
    &[0xc3, 0xc3],
    &[0x70, 0xfe],
    &[0x75, 0x02],
    &[0x7f],
    &[0xe9, 0, 0, 0, 0],
    &[0xeb, 0xfe],
    &[0xeb],
    &[0x0f, 0x84, 0, 0, 0, 0],
    &[0x0f, 0x8f],
    &[0xff, 0xe0],
    &[0x0f, 0x0b],
    &[0xe8],
    &[0x48, 0x81, 0xc0, 5, 0, 0, 0],
    &[0x05, 1, 0, 0, 0],
    &[0x48, 0x33, 0xc0],
    &[0x55, 0x48, 0x89, 0xe5],
    &[0x90],
    &[0],
    &[0x06],
];

/// Eight bytes of these, or some before zeros; a `ret` is the first of them often.
pub fn constant(seed: &mut Seed) -> u64 {
    let mut bytes = if seed.below(2) == 0 { vec![0xc3, 0xc3] } else { Vec::new() };
    while bytes.len() < 8 {
        let fragment: &&[u8] = seed.pick(&FRAGMENTS);
        bytes.extend_from_slice(fragment);
    }
    let bytes: Vec<u8> = bytes.into_iter().take(8).collect();
    let constant = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    if seed.below(2) == 0 { constant } else { constant & u64::MAX >> (8 * seed.below(4)) }
}

/// The result, or another number, and such a constant.
pub fn operation(seed: &mut Seed) -> String {
    let operator = *seed.pick(&["^=", "^=", "^=", "&=", "|=", "+=", "-=", "*="]);
    format!("r5 = {:#x} ll\nr{} {operator} r5", constant(seed), seed.pick(&[0, 0, 0, 6]))
}

/// A division by what may be 0, once or as often as another number says.
pub fn division(seed: &mut Seed) -> String {
    let (operator, by) = (*seed.pick(&["/=", "%=", "s/=", "s%="]), 6 + seed.below(3));
    let letter = *seed.pick(&['r', 'r', 'r', 'w']);
    if seed.below(4) > 0 {
        return format!("{letter}0 {operator} {letter}{by}");
    }
    let label = seed.label();
    let rest = format!("{letter}0 *= 3\n{letter}0 {operator} {letter}{by}\nr0 ^= r5\nr5 -= 1");
    format!("r5 = r7\nr5 &= 7\nN{label}:\n{rest}\nif r5 s> 0 goto N{label}")
}

/// A way that nobody takes: to where control stays for ever.
pub fn not_taken(seed: &mut Seed) -> String {
    // The product of two numbers that follow each other is even.
    let (label, spin) = (seed.label(), seed.label());
    let rest = format!("N{spin}:\nr0 ^= r5\ngoto N{spin}\nN{label}:");
    format!("r5 = r6\nr5 += 1\nr5 *= r6\nr5 &= 1\nif r5 == 0 goto N{label}\n{rest}")
}
