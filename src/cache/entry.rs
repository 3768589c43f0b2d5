//! Compiled functions as bytes.
//!
//! In: functions. Out: bytes, and functions again. Numbers are 8 bytes, little-endian; a list is its length and its items.
//! The rule: what has no form here (some unwind information, symbols that only Cranelift knows) is not cached, and
//! bytes that make no sense are no functions.

use std::str::FromStr;

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::ir::LibCall;
use cranelift_codegen::isa::TargetIsa;
use cranelift_module::{ModuleReloc, ModuleRelocTarget};

use crate::codegen::{CodeRange, CompiledFunction, FrameRow, FrameRows, NativeFrame, StepOutcome, Unwind};
use crate::lift::Declarations;
use crate::program::Id;
use crate::select::Selection;

/// Relocations of compiled functions; a number is a place in the list.
const RELOCATIONS: [Reloc; 18] = [
    Reloc::Abs4,
    Reloc::Abs8,
    Reloc::X86PCRel4,
    Reloc::X86CallPCRel4,
    Reloc::X86CallPLTRel4,
    Reloc::X86GOTPCRel4,
    Reloc::X86SecRel,
    Reloc::Arm64Call,
    Reloc::Aarch64AdrGotPage21,
    Reloc::Aarch64AdrPrelPgHi21,
    Reloc::Aarch64AddAbsLo12Nc,
    Reloc::Aarch64Ld64GotLo12Nc,
    Reloc::S390xPCRel32Dbl,
    Reloc::S390xPLTRel32Dbl,
    Reloc::RiscvCallPlt,
    Reloc::RiscvPCRelLo12I,
    Reloc::RiscvGotHi20,
    Reloc::RiscvPCRelHi20,
];

/// What a relocation is to.
const USER: u64 = 0;
const LIBCALL: u64 = 1;
const OFFSET: u64 = 2;

/// The bytes of functions, if they have such a form.
pub fn encode(functions: &[CompiledFunction], isa: &dyn TargetIsa) -> Option<Vec<u8>> {
    let mut out = Out(Vec::new());
    out.number(functions.len() as u64);
    for function in functions {
        let CompiledFunction {
            id,
            function,
            code,
            align,
            relocations,
            unwind,
            locations,
            entries,
            frame,
            optimised,
            keeping: _,
            steps: _,
        } = function;
        if optimised.is_some() {
            return None;
        }
        out.number((*function)?.index() as u64);
        out.bytes(code);
        out.number(*align);
        out.number(relocations.len() as u64);
        for ModuleReloc { offset, kind, name, addend } in relocations {
            out.number(u64::from(*offset));
            out.number(RELOCATIONS.iter().position(|known| known == kind)? as u64);
            match name {
                ModuleRelocTarget::User { namespace, index } => {
                    out.numbers([USER, u64::from(*namespace), u64::from(*index)]);
                }
                ModuleRelocTarget::LibCall(libcall) => {
                    out.number(LIBCALL);
                    out.bytes(libcall.to_string().as_bytes());
                }
                ModuleRelocTarget::FunctionOffset(own, offset) if own == id => {
                    out.numbers([OFFSET, u64::from(*offset)]);
                }
                ModuleRelocTarget::FunctionOffset(..) | ModuleRelocTarget::KnownSymbol(_) => return None,
            }
            out.number(addend.cast_unsigned());
        }
        match unwind {
            None => out.number(0),
            Some(unwind) => {
                let FrameRows { length, rows } = unwind.rows(isa)?;
                out.numbers([1, u64::from(length), rows.len() as u64]);
                for (offset, row) in rows {
                    let [kind, a, b] = row.words();
                    out.numbers([u64::from(offset), kind, a, b]);
                }
            }
        }
        out.number(locations.len() as u64);
        for CodeRange { start, end, offset } in locations {
            out.numbers([u64::from(*start), u64::from(*end), *offset]);
        }
        out.number(entries.len() as u64);
        entries.iter().for_each(|&entry| out.number(u64::from(entry)));
        let NativeFrame { size, spills } = frame;
        out.numbers([*size, spills.start, spills.end].map(u64::from));
    }
    Some(out.0)
}

/// The functions of these bytes, if they are those that are selected.
pub fn decode(bytes: &[u8], selection: &Selection, declarations: &Declarations) -> Option<Vec<CompiledFunction>> {
    let mut bytes = In(bytes);
    if bytes.number()? != selection.graphs.len() as u64 {
        return None;
    }
    let functions = selection.graphs.iter().map(|graph| {
        let id = declarations.function(graph.function).id;
        if bytes.number()? != graph.function.index() as u64 {
            return None;
        }
        Some(CompiledFunction {
            id,
            function: Some(graph.function),
            code: bytes.bytes()?.to_vec(),
            align: bytes.number()?,
            relocations: bytes.list(|bytes| {
                Some(ModuleReloc {
                    offset: bytes.small()?,
                    kind: *RELOCATIONS.get(usize::try_from(bytes.number()?).ok()?)?,
                    name: match bytes.number()? {
                        USER => ModuleRelocTarget::User { namespace: bytes.small()?, index: bytes.small()? },
                        LIBCALL => {
                            let name = std::str::from_utf8(bytes.bytes()?).ok()?;
                            ModuleRelocTarget::LibCall(LibCall::from_str(name).ok()?)
                        }
                        OFFSET => ModuleRelocTarget::FunctionOffset(id, bytes.small()?),
                        _ => return None,
                    },
                    addend: bytes.number()?.cast_signed(),
                })
            })?,
            unwind: match bytes.number()? {
                0 => None,
                1 => {
                    let length = bytes.small()?;
                    let rows = bytes.list(|bytes| {
                        let offset = bytes.small()?;
                        Some((offset, FrameRow::of_words([bytes.number()?, bytes.number()?, bytes.number()?])?))
                    })?;
                    Some(Unwind::Rows(FrameRows { length, rows }))
                }
                _ => return None,
            },
            locations: bytes.list(|bytes| {
                Some(CodeRange { start: bytes.small()?, end: bytes.small()?, offset: bytes.number()? })
            })?,
            entries: bytes.list(In::small)?,
            frame: NativeFrame { size: bytes.small()?, spills: bytes.small()?..bytes.small()? },
            optimised: None,
            keeping: Vec::new(),
            steps: StepOutcome::default(),
        })
    });
    let functions = functions.collect::<Option<Vec<_>>>()?;
    bytes.0.is_empty().then_some(functions)
}

struct Out(Vec<u8>);

impl Out {
    fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    fn numbers<const N: usize>(&mut self, numbers: [u64; N]) {
        numbers.into_iter().for_each(|number| self.number(number));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
    }
}

struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.number()?;
        // A length that is too large ends with the bytes.
        (0..length).map(|_| item(self)).collect()
    }
}
