//! Programs without an object: instructions and nothing else.
//!
//! In: little-endian instructions. Out: a [`Program`] of one section, whose first function is `main`.

use super::build::{code_target, function};
use super::error::ParseError;
use super::functions::{self, Code, CodeSymbol};
use super::relocations::Use;
use crate::elf::instruction;
use crate::program::{
    Binding, CodeSection, CodeSectionId, Endianness, FileId, Id, IdVec, Program, Relocation, Visibility,
};

/// The program of raw little-endian instructions.
pub(super) fn program(file: &str, bytes: &[u8]) -> Result<Program, ParseError> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(8) {
        return Err(ParseError::Instructions { file: file.to_owned(), size: bytes.len() });
    }
    let main = CodeSymbol {
        name: "main",
        start: 0,
        size: 0,
        is_function: true,
        binding: Binding::Global,
        visibility: Visibility::Default,
        is_definition: true,
    };
    let section = CodeSectionId::new(0);
    let (relocated, taken): (Vec<u64>, Vec<u64>) = instruction::code_addresses(bytes, Endianness::Little).unzip();
    let code = Code {
        name: ".text",
        bytes,
        endianness: Endianness::Little,
        symbols: &[main],
        relocated: &relocated,
        called: &[],
        taken: &taken,
    };
    let what = |what| ParseError::Section { file: file.to_owned(), section: ".text".to_owned(), what };
    let found = functions::find(&code).map_err(what)?;
    let mut functions = found.into_iter().map(|found| function(found, section)).collect();
    let relocation = |(&offset, &place)| {
        let target = code_target(&mut functions, section, place, Use::Address);
        Relocation { offset, target }
    };
    let text = CodeSection {
        file: FileId::new(0),
        name: ".text".to_owned(),
        group: None,
        bytes: bytes.to_vec(),
        relocations: relocated.iter().zip(&taken).map(relocation).collect(),
        array_calls: Vec::new(),
        lines: Vec::new(),
    };
    Ok(Program {
        files: IdVec::from_iter([file.to_owned()]),
        types: IdVec::from_iter([None]),
        struct_results: IdVec::from_iter([None]),
        code: IdVec::from_iter([text]),
        functions,
        given_files: 1,
        ..Program::new(Endianness::Little)
    })
}
