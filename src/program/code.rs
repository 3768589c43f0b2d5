//! Code sections, the functions in them, and the source lines of their instructions.
//!
//! In: nothing by itself. Out: to [`Program`](super::Program). The rule: a function is a byte range of a code section, and nothing else
//! holds its instructions.

use std::sync::Arc;

use super::array_call::ArrayCall;
use super::id::{CodeSectionId, FileId, GroupId};
use super::linkage::{Binding, Visibility};
use super::relocation::Relocation;
use crate::btf::Prototype;

/// How BPF code returns a struct or union of up to 16 bytes: compilers have changed that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StructResult {
    /// The caller passes the address of the result as the first argument.
    #[default]
    Pointer,
    /// In r0, and r2 from 9 bytes on.
    Registers,
}

/// One executable section of one object.
#[derive(Clone, Debug)]
pub struct CodeSection {
    /// The object it is from.
    pub file: FileId,
    /// Its name, such as `.text` or `xdp`.
    pub name: String,
    /// The group that it is a member of.
    pub group: Option<GroupId>,
    /// The instructions, as in the object; a multiple of 8 bytes.
    pub bytes: Vec<u8>,
    /// What the relocations of this section resolve to, sorted by `offset`, at most one for an instruction.
    pub relocations: Vec<Relocation>,
    /// Calls that pass their arguments in memory, with the byte offsets of their instructions, sorted.
    pub array_calls: Vec<(u64, ArrayCall)>,
    /// Source lines, sorted by `offset`: of `.BTF.ext`, or else of DWARF.
    pub lines: Vec<Line>,
}

/// A function: a byte range of a code section.
#[derive(Clone, Debug, Hash)]
pub struct Function {
    /// Its symbol's name; `section+0x18` where the object has no symbol for it.
    pub name: String,
    /// The code section.
    pub section: CodeSectionId,
    /// Byte offset of its first instruction in the section.
    pub start: u64,
    /// Byte offset past its last instruction. A jump or a fall-through that leaves `start..end` traps.
    pub end: u64,
    /// `STB_*`.
    pub binding: Binding,
    /// `STV_*`.
    pub visibility: Visibility,
    /// Its address is taken, so native code may call it.
    pub address_taken: bool,
    /// Bytes of its stack frame, where the compiler says so.
    pub stack_size: Option<u64>,
    /// What its frame's end is a multiple of, where its compiler may have presumed more than 8 bytes.
    pub stack_alignment: Option<u64>,
    /// Its C type from BTF. Parameters of a function that is local and not address-taken are not to be trusted:
    /// the compiler may have removed some.
    pub prototype: Option<Arc<Prototype>>,
    /// How many words its parameters are, of a function that is local and not address-taken, where DWARF says of each which register it
    /// is in at entry.
    pub words: Option<usize>,
    /// Other names of the same start (aliases), with their binding and visibility.
    pub aliases: Vec<(String, Binding, Visibility)>,
}

impl Function {
    /// Whether code outside the given objects can call it: global, weak, or address taken.
    pub fn is_reachable_from_native(&self) -> bool {
        self.binding != Binding::Local || self.address_taken || !self.aliases.is_empty()
    }
}

/// The source line of the instructions from `offset` up to the next line's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// Byte offset in the code section.
    pub offset: u64,
    /// Source file, as the compiler recorded it.
    pub file: Arc<str>,
    /// The source text, where the object has it.
    pub text: Arc<str>,
    /// Line, counted from 1.
    pub line: u32,
    /// Column, counted from 1; 0 if unknown.
    pub column: u32,
}
