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

/// Eight bytes of these, or as many as there are before zeros.
pub fn constant(seed: &mut Seed) -> u64 {
    let mut bytes = Vec::new();
    while bytes.len() < 8 {
        let fragment: &&[u8] = seed.pick(&FRAGMENTS);
        bytes.extend_from_slice(fragment);
    }
    let bytes: Vec<u8> = bytes.into_iter().take(8).collect();
    let constant = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    constant >> (8 * seed.below(4))
}

/// An operation with such a constant, a division, or a way that is not taken.
pub fn piece(seed: &mut Seed) -> String {
    let (to, from) = (seed.below(5), seed.below(7));
    match seed.below(6) {
        0..=2 => {
            let operator = *seed.pick(&["^=", "^=", "&=", "|=", "+=", "-=", "*="]);
            format!("r5 = {:#x} ll\nr{to} {operator} r5", constant(seed))
        }
        3 => {
            let operator = *seed.pick(&["/=", "%=", "s/=", "s%="]);
            let letter = *seed.pick(&['r', 'w']);
            format!("{letter}{to} {operator} {letter}{from}")
        }
        4 => {
            let (label, operator) = (seed.label(), *seed.pick(&[">", "<=", "==", "s>"]));
            let constant = constant(seed);
            format!("r5 = {constant:#x} ll\nif r{to} {operator} r5 goto N{label}\nr{to} += {from}\nN{label}:")
        }
        _ => {
            // The product of two numbers that follow each other is even.
            let (from, label, spin) = (seed.below(5), seed.label(), seed.label());
            let rest = format!("N{spin}:\nr{to} ^= r5\ngoto N{spin}\nN{label}:");
            format!("r5 = r{from}\nr5 += 1\nr5 *= r{from}\nr5 &= 1\nif r5 == 0 goto N{label}\n{rest}")
        }
    }
}
