//! An instruction: what it reads and writes, and those that steps rewrite in detail.
//!
//! In: an instruction's word and its kind, by [`decode`](super::decode). Out: to all steps. The rule: what reads and writes are not known of
//! reads and writes everything, so that nothing moves across it.

use super::fields::{Field, Fields, bits};
use super::registers::{ALL, FLAGS, FRAME, R31, RegisterSet, SP, register};

/// An instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) word: u32,
    pub(crate) kind: Kind,
    /// The register fields that it reads.
    pub(crate) sources: Fields,
    /// The register field that it writes and does not read, if that is all that it writes but the flags.
    pub(crate) dest: Option<u8>,
    /// Whether it is of 64 bits.
    pub(crate) wide: bool,
    pub(crate) reads: RegisterSet,
    pub(crate) writes: RegisterSet,
}

/// What an instruction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Computes its result from its registers and nothing else; may set flags.
    Plain(Plain),
    /// Reads memory.
    Load {
        /// Significant bits of what a register gets; 0 where that is not known.
        bits: u8,
    },
    /// Writes memory.
    Store,
    /// Goes to a place relative to it: distance in instructions.
    Branch(Branch, i32),
    /// Calls; which registers of arguments it reads is not said here.
    Call,
    /// Jumps to the address in a register.
    Jump,
    /// Returns; which registers of results its caller reads is not said here.
    Return,
    /// Traps.
    Trap,
    /// Makes an address relative to it, or reads what is there: distance in bytes.
    PcRelative(i32),
    /// Stays as it is, and does no more to general registers and flags than its sets say.
    Fixed,
    /// Anything else.
    Unknown,
}

/// An instruction that only computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plain {
    /// A copy of a whole register, or of its low 32 bits.
    Copy,
    /// A constant.
    Constant(u64),
    /// A sum or a difference with a constant.
    AddConstant { subtracts: bool, constant: u32 },
    /// A sum or a difference with a shifted register.
    Add { subtracts: bool, shift: u8, amount: u8 },
    /// A bitwise operation with a shifted register.
    Logic { shift: u8, amount: u8 },
    /// A bitwise `and` with a constant.
    Mask(u64),
    /// A shift by a constant: 0 left, 1 right, 2 right with signs, 3 a rotation to the right.
    Shift { shift: u8, amount: u8 },
    /// The low bits of a register.
    ZeroExtend { bits: u8 },
    /// So many bits of a register, from one on.
    Extract { from: u8, bits: u8 },
    /// Any other; at most so many low bits of the result are not 0.
    Other { bits: u8 },
}

/// A direct branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Branch {
    /// Always.
    Always,
    /// By the flags.
    Flags,
    /// By whether a register is 0.
    Zero,
    /// By a bit of a register.
    Bit,
}

impl Instruction {
    pub(super) fn new(word: u32, kind: Kind) -> Instruction {
        Instruction { word, kind, sources: Fields::NONE, dest: None, wide: word >> 31 != 0, reads: 0, writes: 0 }
    }

    pub(super) fn unknown(word: u32) -> Instruction {
        Instruction { reads: ALL, writes: ALL, ..Instruction::new(word, Kind::Unknown) }
    }

    /// Reads a register field; 31 is the register that is always 0.
    pub(super) fn reading(self, at: u8, wide: bool) -> Instruction {
        self.reading_field(Field { at, wide, has_zero: true })
    }

    pub(super) fn reading_field(mut self, field: Field) -> Instruction {
        self.sources.push(field);
        self.reads |= register(field.of(self.word));
        self
    }

    /// Reads a register field in which 31 is the stack pointer.
    pub(super) fn reading_or_sp(self, at: u8) -> Instruction {
        if field(self.word, at) == R31 {
            Instruction { reads: self.reads | SP, ..self }
        } else {
            let wide = self.wide;
            self.reading_field(Field { at, wide, has_zero: false })
        }
    }

    /// Writes a register field.
    pub(super) fn writing(mut self, at: u8) -> Instruction {
        let number = field(self.word, at);
        self.writes |= register(number);
        self.dest = (number != R31 && self.dest.is_none()).then_some(number);
        self
    }

    pub(super) fn with_flags(mut self, reads: bool, writes: bool) -> Instruction {
        self.reads |= if reads { FLAGS } else { 0 };
        self.writes |= if writes { FLAGS } else { 0 };
        self
    }

    /// Whether control may go on behind it.
    pub(crate) fn falls_through(&self) -> bool {
        !matches!(self.kind, Kind::Branch(Branch::Always, _) | Kind::Jump | Kind::Return | Kind::Trap)
    }

    /// Whether it does nothing but write registers and flags; the frame is of interest to unwinders.
    pub(crate) fn is_pure(&self) -> bool {
        matches!(self.kind, Kind::Plain(_)) && self.writes & (SP | FRAME) == 0
    }

    /// Whether it sets the flags by its register fields, and does nothing else.
    pub(crate) fn is_comparison(&self) -> bool {
        self.is_pure() && self.writes == FLAGS && self.reads & (FLAGS | SP) == 0
    }

    /// The significant bits of what it writes; 0 where nothing is known.
    pub(crate) fn result_bits(&self) -> u8 {
        let width = if self.wide { 64 } else { 32 };
        match self.kind {
            Kind::Plain(Plain::Constant(constant)) => (64 - constant.leading_zeros()) as u8,
            Kind::Plain(Plain::Mask(mask)) => (64 - mask.leading_zeros()) as u8,
            Kind::Plain(Plain::Shift { shift: 1, amount }) => width - amount,
            Kind::Plain(Plain::ZeroExtend { bits } | Plain::Extract { bits, .. } | Plain::Other { bits }) => bits,
            Kind::Plain(_) => width,
            Kind::Load { bits } if bits != 0 => bits,
            _ => 64,
        }
    }
}

/// A register field of an instruction.
pub(crate) fn field(word: u32, at: u8) -> u8 {
    bits(word, at, 5) as u8
}
