//! What accesses of memory are of, on terms.
//!
//! In: an access, and what the registers hold before it. Out: an [`Access`]. The rule: two accesses are the same if their addresses and what
//! they store are the same terms, and so is the rest of their words but the registers' numbers.

use super::terms::{STACK, State, Term, Terms};
use crate::aarch64::code::fields::{bits, signed};
use crate::aarch64::code::instruction::{Instruction, Kind, field};

/// What an access is of.
#[derive(PartialEq, Eq)]
pub(super) struct Access {
    /// Its size, and how it extends.
    kind: (u32, u32),
    address: Term,
    /// How the index is extended and shifted, and its register.
    index: Option<(u32, Term)>,
    /// What it stores of general registers.
    data: [Option<Term>; 2],
    /// The vector registers that it is of.
    vectors: Option<(u8, u8)>,
    /// Its fields of general registers that it loads.
    pub(super) loads: Vec<u8>,
}

impl Access {
    /// What an access is of; moves its address on.
    pub(super) fn of(terms: &mut Terms, state: &mut State, instruction: &Instruction) -> Access {
        let word = instruction.word;
        let is_vector = bits(word, 26, 1) != 0;
        let is_pair = bits(word, 27, 3) == 0b101;
        let is_load = matches!(instruction.kind, Kind::Load { .. });
        let base = terms.register(state, field(word, 5), false, true);
        let (mut address, mut index, mut moved) = (base, None, None);
        if is_pair {
            let size = if is_vector { 4 << bits(word, 30, 2) } else { 4 << bits(word, 31, 1) };
            let distance = i64::from(signed(bits(word, 15, 7), 7) * size);
            let sum = terms.add_constant(true, base, distance.cast_unsigned());
            match bits(word, 23, 3) {
                0b001 => moved = Some(sum),
                0b011 => (address, moved) = (sum, Some(sum)),
                _ => address = sum,
            }
        } else if bits(word, 24, 2) == 1 {
            let size = if is_vector { bits(word, 30, 2) | bits(word, 23, 1) << 2 } else { bits(word, 30, 2) };
            address = terms.add_constant(true, base, u64::from(bits(word, 10, 12)) << size);
        } else if bits(word, 21, 1) == 1 {
            let wide = bits(word, 13, 1) != 0;
            index = Some((bits(word, 12, 4), terms.register(state, field(word, 16), true, wide)));
        } else {
            let distance = i64::from(signed(bits(word, 12, 9), 9));
            let sum = terms.add_constant(true, base, distance.cast_unsigned());
            match bits(word, 10, 2) {
                0b01 => moved = Some(sum),
                0b11 => (address, moved) = (sum, Some(sum)),
                _ => address = sum,
            }
        }
        let mut data: [Option<Term>; 2] = [None; 2];
        let vectors = is_vector.then_some((field(word, 0), if is_pair { field(word, 10) } else { 0 }));
        let fields: &[u8] = match (is_vector, is_pair) {
            (true, _) => &[],
            (false, true) => &[0, 10],
            (false, false) => &[0],
        };
        if !is_load {
            for (data, &at) in data.iter_mut().zip(fields) {
                *data = Some(terms.register(state, field(word, at), true, instruction.wide));
            }
        }
        if let Some(moved) = moved {
            let number = field(word, 5);
            state[if number == 31 { STACK } else { usize::from(number) }] = moved;
        }
        let kind = (bits(word, 26, 6), if is_pair { is_load.into() } else { bits(word, 22, 2) });
        Access { kind, address, index, data, vectors, loads: if is_load { fields.to_vec() } else { Vec::new() } }
    }
}
