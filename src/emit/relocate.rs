//! Sections with relocations, as `gimli` writes them.
//!
//! In: what `gimli` writes. Out: bytes, and relocations for the addresses in them.

use cranelift_codegen::isa::TargetIsa;
use gimli::RunTimeEndian;
use gimli::write::{EndianVec, RelocateWriter, Relocation};
use object::BinaryFormat;
use object::write::{Object, SymbolId, SymbolSection};

/// The byte order of a target, as `gimli` has it.
pub(super) fn endianness(isa: &dyn TargetIsa) -> RunTimeEndian {
    match isa.endianness() {
        cranelift_codegen::ir::Endianness::Little => RunTimeEndian::Little,
        cranelift_codegen::ir::Endianness::Big => RunTimeEndian::Big,
    }
}

/// An address in an ELF object, relative to its section: a symbol may be preempted, and unwind and line tables of this code
/// must not apply to what replaces it. A linker that discards the section discards such entries too.
pub(super) fn fixed_place(object: &mut Object<'_>, symbol: SymbolId, addend: i64) -> (SymbolId, i64) {
    let found = object.symbol(symbol);
    match found.section {
        SymbolSection::Section(section) if object.format() == BinaryFormat::Elf => {
            let addend = addend.wrapping_add_unsigned(found.value);
            (object.section_symbol(section), addend)
        }
        _ => (symbol, addend),
    }
}

/// A section being written, with the relocations that it needs.
#[derive(Clone)]
pub(super) struct Writer {
    pub bytes: EndianVec<RunTimeEndian>,
    pub relocations: Vec<Relocation>,
}

impl Writer {
    /// An empty section.
    pub fn new(endian: RunTimeEndian) -> Writer {
        Writer { bytes: EndianVec::new(endian), relocations: Vec::new() }
    }
}

impl RelocateWriter for Writer {
    type Writer = EndianVec<RunTimeEndian>;

    fn writer(&self) -> &Self::Writer {
        &self.bytes
    }

    fn writer_mut(&mut self) -> &mut Self::Writer {
        &mut self.bytes
    }

    fn relocate(&mut self, relocation: Relocation) {
        self.relocations.push(relocation);
    }
}
