//! The operands of an instruction, read from its bytes.
//!
//! In: bytes. Out: prefixes, registers, addresses; and how they are used, as [`Effects`]. Source: Intel's manual, volume 2, chapter 2.

use super::abi::{RSP, RegisterSet};
use super::effects::Effects;

/// Reads the parts of an instruction, one after the other.
pub(super) struct Bytes<'a> {
    pub(super) all: &'a [u8],
    pub(super) at: usize,
    /// The low bits of a REX prefix.
    pub(super) rex: u8,
    pub(super) has_rex: bool,
    /// Where the distance of an address relative to the instruction is.
    pub(super) relative: Option<usize>,
}

/// What a ModRM byte says.
pub(super) struct Operands {
    /// Its register, or the number of the operation.
    pub(super) reg: u8,
    /// The other operand's register; none if that is in memory.
    pub(super) register: Option<u8>,
    /// Registers of the address.
    pub(super) address: RegisterSet,
}

impl<'a> Bytes<'a> {
    /// Those that an instruction begins with.
    pub(super) fn new(all: &'a [u8]) -> Bytes<'a> {
        Bytes { all, at: 0, rex: 0, has_rex: false, relative: None }
    }

    /// The next byte.
    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.all.get(self.at).copied();
        self.at += 1;
        byte
    }

    /// Passes over bytes; none if they are not there.
    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.at += count;
        (self.at <= self.all.len()).then_some(())
    }

    /// Whether operands have 64 bits.
    pub(super) fn is_wide(&self) -> bool {
        self.rex & 8 != 0
    }

    /// Reads a ModRM byte and what belongs to it.
    pub(super) fn operands(&mut self) -> Option<Operands> {
        let byte = self.next()?;
        let reg = byte >> 3 & 7 | (self.rex & 4) << 1;
        let (mode, low) = (byte >> 6, byte & 7);
        let extended = (self.rex & 1) << 3;
        if mode == 3 {
            return Some(Operands { reg, register: Some(low | extended), address: 0 });
        }
        let mut address = 0;
        let mut base = low;
        if low == RSP {
            let sib = self.next()?;
            base = sib & 7;
            let index = sib >> 3 & 7 | (self.rex & 2) << 2;
            if index != RSP {
                address |= 1 << index;
            }
        }
        match (mode, base) {
            (0, 5) => {
                self.relative = (low == 5).then_some(self.at);
                self.skip(4)?;
            }
            _ => {
                address |= 1 << (base | extended);
                self.skip([0, 1, 4][usize::from(mode)])?;
            }
        }
        Some(Operands { reg, register: None, address })
    }

    /// A general register as an operand of 8 bits, if that is its lowest byte.
    pub(super) fn byte_register(&self, register: u8) -> Option<u8> {
        (self.has_rex || register < 4).then_some(register)
    }
}

/// How an operand is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Write,
    Both,
}

impl Effects {
    /// Adds the use of a register.
    pub(super) fn register(&mut self, register: u8, by: Use) {
        if by != Use::Write {
            self.read |= 1 << register;
        }
        if by != Use::Read {
            self.written |= 1 << register;
        }
    }

    /// Adds the use of an operand that is a register or in memory.
    pub(super) fn operand(&mut self, operands: &Operands, by: Use) {
        self.read |= operands.address;
        match operands.register {
            Some(register) => self.register(register, by),
            None => self.stores |= by != Use::Read,
        }
    }
}
