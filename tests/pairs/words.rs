//! Values as BPF's calling convention has them: the words of an argument, the bytes of a struct.
//!
//! As LLVM does it: a scalar is a word; a struct of less than 8 bytes is an integer of that size; a larger one is its
//! bytes, 8 in a word; `__int128` is two words in the order of memory. What is between the scalars of a struct, and above
//! a number in its word, says nothing.

use super::random::Value;
use super::types::{Scalar, Structs, Type};

/// Bits, and which of them count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Word {
    pub bits: u64,
    pub mask: u64,
}

impl Word {
    /// The bits that count, with others around them.
    pub fn with(self, garbage: u64) -> u64 {
        self.bits & self.mask | garbage & !self.mask
    }
}

/// The bytes of a value in memory, and a mask of those that count.
pub fn bytes(structs: &Structs, value: &Value, big_endian: bool) -> (Vec<u8>, Vec<u8>) {
    let size = structs.size(value.ty);
    let (mut bytes, mut mask) = (vec![0; size], vec![0; size]);
    for (leaf, bits) in structs.leaves(value.ty).iter().zip(&value.bits) {
        let (at, size) = (leaf.offset, leaf.scalar.size());
        if big_endian {
            bytes[at..at + size].copy_from_slice(&bits.to_be_bytes()[16 - size..]);
        } else {
            bytes[at..at + size].copy_from_slice(&bits.to_le_bytes()[..size]);
        }
        mask[at..at + size].fill(0xff);
    }
    (bytes, mask)
}

/// The words of an argument, with masks of the bits that are the value's own.
pub fn words(structs: &Structs, value: &Value, big_endian: bool) -> Vec<Word> {
    match value.ty {
        Type::Void => Vec::new(),
        Type::Scalar(Scalar::Int128 { .. }) => {
            let bits = value.bits[0];
            let mut halves = [bits as u64, (bits >> 64) as u64];
            if big_endian {
                halves.reverse();
            }
            halves.map(|bits| Word { bits, mask: u64::MAX }).into()
        }
        Type::Scalar(scalar) => {
            let mask = u64::MAX >> (64 - 8 * scalar.size());
            vec![Word { bits: scalar.extended(value.bits[0]), mask }]
        }
        Type::Struct(_) => {
            let (bytes, mask) = bytes(structs, value, big_endian);
            let word = |(bytes, mask): (&[u8], &[u8])| {
                let is_integer = value_is_small(structs, value);
                Word { bits: number(bytes, big_endian, is_integer), mask: number(mask, big_endian, is_integer) }
            };
            bytes.chunks(8).zip(mask.chunks(8)).map(word).collect()
        }
    }
}

fn value_is_small(structs: &Structs, value: &Value) -> bool {
    structs.size(value.ty) < 8
}

/// Up to 8 bytes as a word; on a big-endian machine at its upper end, or at its lower one as an integer.
pub fn number(bytes: &[u8], big_endian: bool, is_integer: bool) -> u64 {
    let mut all = [0; 8];
    if big_endian && is_integer {
        all[8 - bytes.len()..].copy_from_slice(bytes);
    } else {
        all[..bytes.len()].copy_from_slice(bytes);
    }
    if big_endian { u64::from_be_bytes(all) } else { u64::from_le_bytes(all) }
}
