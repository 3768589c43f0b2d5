//! Where structs of up to 16 bytes are returned, by the version of the compiler that DWARF names (`DW_AT_producer`).
//!
//! In: the first entries of an object's units. Out: `struct_results` of the program, for each object with such functions,
//! if all of its units say the same.
//!
//! | producer | structs of up to 16 bytes are returned |
//! |---|---|
//! | `clang version N`, of any vendor, N up to 22 | through a pointer |
//! | `clang version N`, N from 23 on | in r0 and r2 (LLVM's pull request 206876, of July 2026) |
//! | `clang LLVM (rustc version ..)` | nothing is said: functions of Rust's own convention have no C type, and of `extern "C"` the code tells |
//! | `GNU C..` | through a pointer (bpf-gcc 12) |
//! | another one, or none | nothing is said |
//!
//! It is the front end that decides: clang 22's IR, compiled by LLVM 23, says `clang version 22` and passes a pointer.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Header, Reader, Sections};
use crate::abi::LARGEST_STRUCT;
use crate::btf::{CType, Prototype};
use crate::elf::Object;
use crate::program::{FileId, Id, Program, StructResult};

/// The first version of clang that returns structs in registers.
const FIRST_IN_REGISTERS: u32 = 23;

/// Notes in `program`, which was made of `objects` and has its types, where the compiler's version says that functions
/// return structs of up to 16 bytes.
pub(in crate::parse) fn add_struct_results(objects: &[Object<'_>], program: &mut Program) {
    for file in files_with_structs(program) {
        program.struct_results[file] =
            objects.get(file.index()).and_then(Sections::new).and_then(|sections| sections.struct_result());
    }
}

/// The objects that have functions, or call some, which return structs of up to 16 bytes.
fn files_with_structs(program: &Program) -> BTreeSet<FileId> {
    let returns_struct = |prototype: &Option<Arc<Prototype>>| {
        let result = prototype.as_ref().map(|prototype| &prototype.result);
        matches!(result, Some(CType::Aggregate(aggregate)) if aggregate.size <= LARGEST_STRUCT)
    };
    let functions = program.functions.iter().filter(|(_, function)| returns_struct(&function.prototype));
    let functions = functions.map(|(_, function)| program.code[function.section].file);
    let imports = program.imports.iter().filter(|(_, import)| returns_struct(&import.prototype));
    functions.chain(imports.flat_map(|(_, import)| import.files.iter().copied())).collect()
}

impl Sections<'_> {
    /// Where structs of up to 16 bytes are returned, if the producers of all units say the same.
    fn struct_result(&self) -> Option<StructResult> {
        let none = BTreeSet::new();
        let (mut reader, mut units) = self.reader(&none);
        let first = reader.producer(&units.next().ok()??)?;
        while let Ok(Some(header)) = units.next() {
            if reader.producer(&header) != Some(first) {
                return None;
            }
        }
        Some(first)
    }
}

/// What a producer's text says.
fn by_text(producer: &str) -> Option<StructResult> {
    if producer.starts_with("GNU ") {
        return Some(StructResult::Pointer);
    }
    let (_, version) = producer.split_once("clang version ")?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    let version: u32 = digits.parse().ok()?;
    Some(if version < FIRST_IN_REGISTERS { StructResult::Pointer } else { StructResult::Registers })
}

impl<'a> Reader<'a, '_> {
    /// What the producer of a unit says; none where it is damaged, too.
    pub(super) fn producer(&mut self, header: &Header<'a>) -> Option<StructResult> {
        let (attributes, base) = self.unit_attributes(header)?;
        let producer = attributes.iter().find(|attribute| attribute.name() == gimli::DW_AT_producer)?;
        by_text(&self.texts.of(header, base, &producer.value())?)
    }
}

#[cfg(test)]
mod tests {
    use super::by_text;
    use crate::program::StructResult::{Pointer, Registers};

    #[test]
    fn versions_of_compilers() {
        let cases = [
            ("clang version 14.0.6", Some(Pointer)),
            ("Debian clang version 22.1.8 (1~deb12u1)", Some(Pointer)),
            ("clang version 23.1.0 (https://github.com/llvm/llvm-project 0123456789)", Some(Registers)),
            ("Ubuntu clang version 24.0.0git", Some(Registers)),
            ("clang version 100", Some(Registers)),
            ("GNU C17 12.2.0 -g -gbtf -O2", Some(Pointer)),
            ("clang LLVM (rustc version 1.101.0-nightly (92b5b8c87 2026-10-29))", None),
            ("clang version", None),
            ("clang version x", None),
            ("clang version 99999999999", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(by_text(text), expected, "{text}");
        }
    }
}
