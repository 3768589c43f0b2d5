//! A compiled function: its machine code, and what is known of it.
//!
//! In: nothing; these are the types that the driver, the x86-64 steps, the cache and the emitters share. The rule: offsets are
//! bytes from the start of the function's code unless they say otherwise.

use std::ops::Range;

use cranelift_codegen::binemit::CodeOffset;
use cranelift_codegen::ir::Function;
use cranelift_module::{FuncId, ModuleReloc};

use super::unwind::Unwind;
use crate::config::Passes;
use crate::program::FunctionId;

/// The machine code of a function.
#[derive(Clone)]
pub struct CompiledFunction {
    /// Its id in the module.
    pub id: FuncId,
    /// Which function of the program; none for one that this crate adds.
    pub function: Option<FunctionId>,
    /// The machine code, with its constants and jump tables.
    pub code: Vec<u8>,
    /// Alignment in bytes.
    pub align: u64,
    /// Where addresses are filled in.
    pub relocations: Vec<ModuleReloc>,
    /// How to unwind it.
    pub unwind: Option<Unwind>,
    /// Ranges of code bytes and the byte offset, in the code section, of the instruction they come from.
    pub locations: Vec<CodeRange>,
    /// Byte offsets where instructions start, in order: those of blocks, and those that may trap. What control does not
    /// reach from them is data ([`crate::compare::disasm::Shape::Entries`]).
    pub entries: Vec<CodeOffset>,
    /// Its stack frame.
    pub frame: NativeFrame,
    /// Its CLIF after Cranelift's optimisation, if it was asked for ([`Keep::Optimised`]). Its last stack slot is empty and
    /// not the program's.
    pub optimised: Option<Box<Function>>,
    /// The functions that it calls by a convention that keeps all registers, as their ids are numbered, for the steps over machine code;
    /// none if it was read from the cache.
    #[doc(hidden)]
    pub keeping: Vec<u32>,
    /// What the steps over machine code did to it; nothing if it was read from the cache.
    #[doc(hidden)]
    pub steps: StepOutcome,
}

/// The stack frame of compiled code, once its prologue has run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NativeFrame {
    /// Bytes that the function takes from the stack: saved registers, slots, outgoing arguments; the return address
    /// where the machine pushes it.
    pub size: u32,
    /// Where registers are spilled: bytes above the stack pointer.
    pub spills: Range<u32>,
}

/// A range of machine code and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeRange {
    /// First byte.
    pub start: CodeOffset,
    /// Past the last byte.
    pub end: CodeOffset,
    /// Byte offset of the BPF instruction in its code section.
    pub offset: u64,
}

/// What to keep beside the machine code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    #[default]
    Code,
    /// The optimised CLIF.
    Optimised,
}

/// What the steps over machine code did to a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepOutcome {
    /// The steps that changed something.
    pub changed: Passes,
    /// Why it stays as Cranelift made it; none if it does not, or no step is on.
    pub given_up: Option<GivenUp>,
}

/// Why the steps left a function as Cranelift made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum GivenUp {
    /// There are bytes where an instruction should be that are none.
    Instruction,
    /// There are bytes in the code that are neither instructions nor a jump table.
    Unaccounted,
    /// There are bytes behind the code that are neither constants nor padding.
    Constants,
    /// Something refers to where no instruction, table or constant starts.
    Reference,
    /// The unwind information has no form here (`Unwind::rows`).
    Unwind,
    /// The new code does not do the same.
    Check,
    /// The function is too complex for the check.
    Effort,
}
