//! Whether functions that were read from an entry can be placed and linked.
//!
//! In: a function as its bytes have it. Out: whether its numbers fit together and to the program. An entry that was made
//! by hand may hold any code, as the folder is its user's own; but it may not bring the translator down.

use std::collections::BTreeSet;

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::ir::LibCall;
use cranelift_codegen::isa::TargetIsa;
use cranelift_module::{ModuleReloc, ModuleRelocTarget};
use target_lexicon::Architecture;

use crate::codegen::{CompiledFunction, Unwind};
use crate::declarations::adapters::Adapters;
use crate::lift::{DATA, Declarations, FUNCTIONS, Imported};

/// The largest alignment of a function.
const ALIGN: u64 = 4096;
/// Addends are smaller than this, either way: what can be reached in memory.
const ADDEND: u64 = 1 << 30;

/// What the functions of a program may refer to, and for which machine they are.
pub struct Check {
    names: BTreeSet<(u32, u32)>,
    architecture: Architecture,
}

impl Check {
    pub fn new(declarations: &Declarations, isa: &dyn TargetIsa) -> Check {
        let callees = declarations.functions.as_slice().iter().flatten().chain(declarations.runtime.values());
        let mut names: BTreeSet<(u32, u32)> = callees.map(|callee| (FUNCTIONS, callee.id.as_u32())).collect();
        let sections = declarations.data.as_slice().iter().flatten().chain(declarations.symbols.values());
        let tables = declarations.addresses.iter().map(|table| &table.data);
        names.extend(sections.chain(tables).map(|data| (DATA, data.id.as_u32())));
        names.extend(declarations.imports.as_slice().iter().filter_map(|import| match import {
            Imported::Function(callee) => Some((FUNCTIONS, callee.id.as_u32())),
            Imported::Data(data) => Some((DATA, data.id.as_u32())),
            Imported::Inline(_) | Imported::Unused => None,
        }));
        names.extend(declarations.adapters.iter().flat_map(Adapters::references).map(|(name, _)| name));
        names.extend(declarations.preserving.references().map(|(name, _)| name));
        Check { names, architecture: isa.triple().architecture }
    }

    /// Whether a function fits.
    pub fn passes(&self, function: &CompiledFunction) -> bool {
        let Ok(length) = u32::try_from(function.code.len()) else { return false };
        let is_aligned = function.align.is_power_of_two() && function.align <= ALIGN;
        let has_spills = function.frame.spills.start <= function.frame.spills.end;
        let has_entries =
            function.entries.is_sorted() && function.entries.iter().all(|&entry| entry < length.max(1));
        let has_locations = function.locations.iter().all(|range| range.start <= range.end && range.end <= length);
        let has_unwind = match &function.unwind {
            Some(Unwind::Rows(rows)) => {
                let is_sorted = rows.rows.is_sorted_by_key(|&(offset, _)| offset);
                rows.length == length && is_sorted && rows.rows.iter().all(|&(offset, _)| offset <= length)
            }
            Some(_) | None => true,
        };
        let links = function.relocations.iter().all(|relocation| self.links(relocation, length));
        length > 0 && is_aligned && has_spills && has_entries && has_locations && has_unwind && links
    }

    fn links(&self, relocation: &ModuleReloc, length: u32) -> bool {
        let ModuleReloc { offset, kind, name, addend } = relocation;
        let size = match kind {
            Reloc::Abs8 | Reloc::RiscvCallPlt => 8,
            _ => 4,
        };
        let is_inside = offset.checked_add(size).is_some_and(|end| end <= length);
        let is_known = match name {
            ModuleRelocTarget::User { namespace, index } => self.names.contains(&(*namespace, *index)),
            ModuleRelocTarget::LibCall(libcall) => is_of_libc(*libcall),
            ModuleRelocTarget::FunctionOffset(_, offset) => *offset < length,
            ModuleRelocTarget::KnownSymbol(_) => false,
        };
        is_inside && is_known && self.has(*kind) && addend.unsigned_abs() < ADDEND
    }

    /// Whether code of the machine has such relocations.
    fn has(&self, kind: Reloc) -> bool {
        match (kind, self.architecture) {
            (Reloc::Abs8, _) => true,
            (
                Reloc::Abs4
                | Reloc::X86PCRel4
                | Reloc::X86CallPCRel4
                | Reloc::X86CallPLTRel4
                | Reloc::X86GOTPCRel4
                | Reloc::X86SecRel,
                architecture,
            ) => architecture == Architecture::X86_64,
            (
                Reloc::Arm64Call
                | Reloc::Aarch64AdrGotPage21
                | Reloc::Aarch64AdrPrelPgHi21
                | Reloc::Aarch64AddAbsLo12Nc
                | Reloc::Aarch64Ld64GotLo12Nc,
                architecture,
            ) => matches!(architecture, Architecture::Aarch64(_)),
            (Reloc::S390xPCRel32Dbl | Reloc::S390xPLTRel32Dbl, architecture) => architecture == Architecture::S390x,
            (
                Reloc::RiscvCallPlt | Reloc::RiscvPCRelLo12I | Reloc::RiscvGotHi20 | Reloc::RiscvPCRelHi20,
                architecture,
            ) => matches!(architecture, Architecture::Riscv64(_)),
            _ => false,
        }
    }
}

/// Whether the C library has what a libcall names.
fn is_of_libc(libcall: LibCall) -> bool {
    use LibCall::*;
    matches!(
        libcall,
        CeilF32
            | CeilF64
            | FloorF32
            | FloorF64
            | TruncF32
            | TruncF64
            | NearestF32
            | NearestF64
            | FmaF32
            | FmaF64
            | Memcpy
            | Memset
            | Memmove
            | Memcmp
    )
}
