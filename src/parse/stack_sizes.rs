//! Sizes of stack frames, where the compiler says them (`-fstack-size-section`, LLVM's `.stack_sizes`).
//!
//! In: the objects and the layout. Out: the size of the frame of each function that an entry names.
//!
//! Such a section goes with one code section (`sh_link`). An entry is a function's byte offset in it, 8 bytes with a
//! relocation against the section's symbol (so the offset stands in place), and the size as ULEB128. What is damaged
//! is passed over: sizes only make frames larger.

use std::collections::HashMap;

use object::Endianness;

use super::sections::{Home, Layout};
use crate::elf::Object;
use crate::elf::section_names::STACK_SIZES;
use crate::program::CodeSectionId;

/// Sizes in bytes, by code section and byte offset of a function.
pub(super) type StackSizes = HashMap<(CodeSectionId, u64), u64>;

/// Reads the sizes of all objects.
pub(super) fn read(objects: &[Object<'_>], layout: &Layout) -> StackSizes {
    let mut sizes = StackSizes::new();
    for (index, object) in objects.iter().enumerate() {
        for section in object.sections.iter().filter(|section| section.name == STACK_SIZES) {
            let linked = section.link as usize;
            if linked >= object.sections.len() {
                continue;
            }
            let Home::Code(code) = layout.home(index, linked) else { continue };
            sizes.extend(entries(section.data, object.endian).map(|(offset, size)| ((code, offset), size)));
        }
    }
    sizes
}

/// The entries of a section, up to its end or to the first that is cut off.
fn entries(mut bytes: &[u8], endian: Endianness) -> impl Iterator<Item = (u64, u64)> + '_ {
    std::iter::from_fn(move || {
        let (offset, rest) = bytes.split_first_chunk::<8>()?;
        let offset = match endian {
            Endianness::Little => u64::from_le_bytes(*offset),
            Endianness::Big => u64::from_be_bytes(*offset),
        };
        let (size, rest) = uleb128(rest)?;
        bytes = rest;
        Some((offset, size))
    })
}

/// A number of 7 bits a byte, low ones first, and what follows it.
fn uleb128(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::entries;
    use object::Endianness;

    #[test]
    fn entries_of_both_byte_orders() {
        let little = [8, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x70, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x04];
        assert_eq!(entries(&little, Endianness::Little).collect::<Vec<_>>(), [(8, 16), (0x70, 512)]);
        let big = [0, 0, 0, 0, 0, 0, 0, 8, 0x10];
        assert_eq!(entries(&big, Endianness::Big).collect::<Vec<_>>(), [(8, 16)]);
    }

    #[test]
    fn what_is_cut_off_is_passed_over() {
        assert_eq!(entries(&[8, 0, 0, 0, 0, 0, 0, 0], Endianness::Little).count(), 0);
        assert_eq!(entries(&[8, 0, 0, 0, 0, 0, 0, 0, 0x80], Endianness::Little).count(), 0);
        assert_eq!(entries(&[0xff; 64], Endianness::Little).count(), 0);
    }
}
