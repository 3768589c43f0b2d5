//! Native code read back: the bytes of one function to decoded, classified instructions.
//!
//! In: bytes, and what is known of their shape ([`Shape`]). Out: [`Instruction`]s in address order that cover every
//! byte once; constants, jump tables and what cannot be decoded are [`Control::Data`]. It never fails on bytes. The same
//! bytes give the same text.
//!
//! | file | what |
//! |---|---|
//! | `flow.rs` | which bytes are instructions: recursive traversal |
//! | `x86.rs`, `aarch64.rs`, `riscv64.rs`, `s390x.rs` | what an instruction does: on x86-64 from iced's tables, elsewhere from the text |
//! | `operands.rs` | reading operands |
//!
//! The text is capstone's: AT&T syntax for x86-64, each other architecture's own.

mod aarch64;
mod flow;
mod operands;
mod riscv64;
mod s390x;
mod x86;

use std::ops::Range;

use capstone::arch::riscv::ArchExtraMode;
use capstone::arch::{
    BuildsCapstone, BuildsCapstoneExtraMode, BuildsCapstoneSyntax, arm64, riscv, sysz, x86 as cs_x86,
};
use capstone::{Capstone, CsResult};
use target_lexicon::Architecture;

/// Control flow at an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Control {
    /// Control falls through.
    Plain,
    /// A call.
    Call,
    /// A jump that is always taken, direct or through a register.
    Jump,
    /// A branch that may be taken.
    Branch,
    /// A return.
    Return,
    /// It always traps.
    Trap,
    /// Not an instruction: constants, jump tables, padding, bytes that cannot be decoded.
    Data,
}

impl Control {
    /// Control does not go on to the next instruction.
    pub fn ends_flow(self) -> bool {
        matches!(self, Control::Jump | Control::Return | Control::Trap | Control::Data)
    }
}

/// The operand that is an address relative to the instruction: where a branch goes, what a load refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Byte offset from the start of the function; it may lie outside. None where the instruction alone does not determine
    /// it, as for the high part of an address.
    pub offset: Option<i64>,
    /// The range of bytes in [`Instruction::text`] that shows it, which may be replaced by a symbol or a label.
    pub span: Range<usize>,
}

/// Which register a frame operand is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameBase {
    /// The stack pointer.
    Stack,
    /// The frame pointer, in a function that sets one up.
    Frame,
}

/// A memory operand in the function's frame, at a constant offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameOperand {
    /// Relative to this register.
    pub base: FrameBase,
    /// By this many bytes.
    pub offset: i64,
}

/// An instruction, or a piece of data, of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Byte offset from the start of the function.
    pub offset: u32,
    /// Size in bytes: 1 to 15, and 1 to [`DATA_SIZE`] for data.
    pub size: u32,
    /// Mnemonic and operands, with one space between them; `.byte ...` for data.
    pub text: String,
    /// What it does to control.
    pub kind: Control,
    /// Its address operand, if it has one relative to itself.
    pub reference: Option<Reference>,
    /// It reads memory by an explicit operand (`push`, `pop` and `call` do not count).
    pub loads: bool,
    /// It writes memory by an explicit operand.
    pub stores: bool,
    /// Its memory operand is in the frame.
    pub frame: Option<FrameOperand>,
}

/// Data is cut into pieces of at most this many bytes.
pub const DATA_SIZE: u32 = 8;

impl Instruction {
    /// Past its last byte.
    pub fn end(&self) -> u32 {
        self.offset + self.size
    }

    /// The mnemonic, with prefixes such as `lock`.
    pub fn mnemonic(&self) -> &str {
        let skip = if self.text.starts_with("lock ") || self.text.starts_with("rep") {
            self.text.find(' ').map_or(0, |at| at + 1)
        } else {
            0
        };
        let end = self.text[skip..].find(' ').map_or(self.text.len(), |at| skip + at);
        &self.text[..end]
    }

    /// The text with a name in place of the address operand.
    pub fn text_with(&self, name: &str) -> String {
        match &self.reference {
            Some(Reference { span, .. }) => {
                format!("{}{name}{}", &self.text[..span.start], &self.text[span.end..])
            }
            None => self.text.clone(),
        }
    }

    /// The target of a direct jump or branch, if it is inside of a function of `size` bytes.
    pub fn branch_target(&self, size: usize) -> Option<u32> {
        match self.kind {
            Control::Jump | Control::Branch => self.target(size),
            _ => None,
        }
    }

    /// What it refers to, if that is inside of a function of `size` bytes.
    pub fn target(&self, size: usize) -> Option<u32> {
        let offset = self.reference.as_ref()?.offset?;
        u32::try_from(offset).ok().filter(|&offset| (offset as usize) < size)
    }
}

/// What is known about a function's bytes.
#[derive(Clone, Copy, Debug)]
pub enum Shape<'a> {
    /// A function of this translator: instructions start at these offsets; what control does not reach from them or
    /// from the start is data.
    Entries(&'a [u32]),
    /// A function of another compiler: all bytes are instructions, except for these ranges (by ELF's mapping symbols).
    Foreign(&'a [Range<u32>]),
}

/// Why a disassembler cannot be created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DisasmError {
    /// There is none for this architecture.
    #[error("there is no disassembler for {0}: there is for x86_64, aarch64, riscv64 and s390x")]
    Unsupported(Architecture),
    /// Capstone refuses.
    #[error("the disassembler cannot be set up: {0}")]
    Capstone(String),
}

/// The architectures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Machine {
    X86,
    Aarch64,
    Riscv64,
    S390x,
}

impl Machine {
    /// How many bytes to skip where no instruction can be decoded.
    fn undecodable(self, bytes: &[u8]) -> usize {
        let size = match self {
            Machine::X86 => 1,
            Machine::Aarch64 => 4,
            Machine::Riscv64 if bytes.first().is_some_and(|byte| byte & 3 == 3) => 4,
            Machine::Riscv64 => 2,
            Machine::S390x => match bytes.first().map(|byte| byte >> 6) {
                Some(0) => 2,
                Some(1 | 2) => 4,
                _ => 6,
            },
        };
        size.min(bytes.len())
    }
}

/// The classification of an instruction by its architecture's file.
struct Class {
    kind: Control,
    reference: Option<Reference>,
    loads: bool,
    stores: bool,
    frame: Option<FrameOperand>,
}

impl Class {
    /// Neither control nor memory.
    fn plain() -> Class {
        Class { kind: Control::Plain, reference: None, loads: false, stores: false, frame: None }
    }

    fn control(kind: Control, reference: Option<Reference>) -> Class {
        Class { kind, reference, ..Class::plain() }
    }
}

/// Decodes functions of one architecture, on one thread.
pub struct Disassembler {
    machine: Machine,
    capstone: Capstone,
}

impl Disassembler {
    /// A disassembler for an architecture.
    ///
    /// # Errors
    ///
    /// [`DisasmError::Unsupported`] for other architectures than x86-64, aarch64, riscv64 and s390x.
    pub fn new(architecture: Architecture) -> Result<Disassembler, DisasmError> {
        let (machine, capstone) = match architecture {
            Architecture::X86_64 | Architecture::X86_64h => (Machine::X86, x86_64()),
            Architecture::Aarch64(_) => {
                (Machine::Aarch64, Capstone::new().arm64().mode(arm64::ArchMode::Arm).build())
            }
            Architecture::Riscv64(_) => (Machine::Riscv64, riscv64()),
            Architecture::S390x => (Machine::S390x, Capstone::new().sysz().mode(sysz::ArchMode::Default).build()),
            other => return Err(DisasmError::Unsupported(other)),
        };
        let capstone = capstone.map_err(|error| DisasmError::Capstone(error.to_string()))?;
        Ok(Disassembler { machine, capstone })
    }

    /// Decodes a function. Linear in its size.
    pub fn function(&self, bytes: &[u8], shape: Shape<'_>) -> Vec<Instruction> {
        let mut instructions = flow::decode(self, bytes, shape);
        self.drop_unset_frame_pointer(&mut instructions);
        instructions
    }

    /// In a function that does not set up a frame pointer, its register is an ordinary one.
    fn drop_unset_frame_pointer(&self, instructions: &mut [Instruction]) {
        let is_set_up = instructions.iter().any(|instruction| {
            let text = instruction.text.as_str();
            match self.machine {
                Machine::X86 => text == "movq %rsp, %rbp",
                Machine::Aarch64 => text == "mov x29, sp" || text.starts_with("add x29, sp, "),
                Machine::Riscv64 => ["mv s0, sp", "addi s0, sp, ", "c.addi4spn s0, sp, "]
                    .iter()
                    .any(|start| text.starts_with(start)),
                Machine::S390x => false,
            }
        });
        if !is_set_up {
            for instruction in instructions {
                instruction.frame = instruction.frame.filter(|frame| frame.base == FrameBase::Stack);
            }
        }
    }
}

fn x86_64() -> CsResult<Capstone> {
    Capstone::new().x86().mode(cs_x86::ArchMode::Mode64).syntax(cs_x86::ArchSyntax::Att).build()
}

fn riscv64() -> CsResult<Capstone> {
    let extra = [ArchExtraMode::RiscVC];
    Capstone::new().riscv().mode(riscv::ArchMode::RiscV64).extra_mode(extra.into_iter()).build()
}
