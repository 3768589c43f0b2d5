//! The fields of an instruction slot, and the checks that fields of every opcode share.
//!
//! In: 8 bytes. Out: registers and operands that are legal, or the [`DecodeError`] that names the field.

use super::error::DecodeError;
use super::insn::{Operand, Reg, Size};
use super::opcode;
use crate::program::Endianness;

/// Bytes in an instruction slot.
pub const SLOT: usize = 8;

/// The fields of one slot (RFC 9669 section 3.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    pub opcode: u8,
    pub dst: u8,
    pub src: u8,
    pub offset: i16,
    pub imm: i32,
}

impl Fields {
    pub fn read(slot: [u8; SLOT], endianness: Endianness) -> Fields {
        let [opcode, registers, o0, o1, i0, i1, i2, i3] = slot;
        let (low, high) = (registers & 0xf, registers >> 4);
        match endianness {
            Endianness::Little => Fields {
                opcode,
                dst: low,
                src: high,
                offset: i16::from_le_bytes([o0, o1]),
                imm: i32::from_le_bytes([i0, i1, i2, i3]),
            },
            Endianness::Big => Fields {
                opcode,
                dst: high,
                src: low,
                offset: i16::from_be_bytes([o0, o1]),
                imm: i32::from_be_bytes([i0, i1, i2, i3]),
            },
        }
    }

    pub fn class(self) -> u8 {
        self.opcode & 0x7
    }

    pub fn code(self) -> u8 {
        self.opcode >> 4
    }

    pub fn source_is_register(self) -> bool {
        self.opcode & 0x8 != 0
    }

    pub fn mode(self) -> u8 {
        self.opcode >> 5
    }

    pub fn size(self) -> Size {
        opcode::SIZE[usize::from(self.opcode >> 3 & 0x3)]
    }

    pub fn register(self, register: u8) -> Result<Reg, DecodeError> {
        Reg::new(register).ok_or(DecodeError::Register { opcode: self.opcode, register })
    }

    /// `dst` as a register that is read.
    pub fn dst(self) -> Result<Reg, DecodeError> {
        self.register(self.dst)
    }

    /// `dst` as a register that is written.
    pub fn result(self) -> Result<Reg, DecodeError> {
        self.written(self.dst)
    }

    /// A register that is written: not r10.
    pub fn written(self, register: u8) -> Result<Reg, DecodeError> {
        match self.register(register)? {
            Reg::FRAME => Err(DecodeError::FramePointer(self.opcode)),
            register => Ok(register),
        }
    }

    pub fn src(self) -> Result<Reg, DecodeError> {
        self.register(self.src)
    }

    /// The operand that the source bit of an arithmetic or jump opcode selects; the other field must be zero.
    pub fn operand(self) -> Result<Operand, DecodeError> {
        if self.source_is_register() {
            self.zero_imm()?;
            Ok(Operand::Reg(self.src()?))
        } else {
            self.zero_src()?;
            Ok(Operand::Imm(self.imm))
        }
    }

    pub fn wrong(self, field: &'static str, value: impl Into<i64>, expected: &'static str) -> DecodeError {
        DecodeError::Field { opcode: self.opcode, field, value: value.into(), expected }
    }

    pub fn zero(self, field: &'static str, value: impl Into<i64>) -> Result<(), DecodeError> {
        match value.into() {
            0 => Ok(()),
            value => Err(self.wrong(field, value, "must be zero")),
        }
    }

    pub fn zero_dst(self) -> Result<(), DecodeError> {
        self.zero("dst", self.dst)
    }

    pub fn zero_src(self) -> Result<(), DecodeError> {
        self.zero("src", self.src)
    }

    pub fn zero_offset(self) -> Result<(), DecodeError> {
        self.zero("offset", self.offset)
    }

    pub fn zero_imm(self) -> Result<(), DecodeError> {
        self.zero("imm", self.imm)
    }
}
