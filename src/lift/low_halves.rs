//! Registers of which 32 bits are written, and read again.
//!
//! A 32-bit instruction reads the low halves of its operands, and clears the high half of what it writes. As `ireduce` and
//! `uextend` around each, that is half of all CLIF, and Cranelift has to look at all of it only to find that it does nothing.
//!
//! In: what instructions of one block write and read. Out: their operands. The rules:
//!
//! | | |
//! |---|---|
//! | what 32-bit instructions write | is extended when somebody reads 64 bits, or at the end of the block |
//! | the low half of a register | is reduced once in a block, if it is not known |
//! | an instruction that makes more than one block, or reads registers otherwise | finds all registers extended, and nothing known |
//!
//! The state is in `known_halves.rs`. Sound: within a block, what an earlier instruction has computed is there for a later one.

use cranelift_codegen::ir::{InstBuilder, InstructionData, Opcode, Value, types};

use super::lifter::Lifter;
use crate::abi::WORD;
use crate::decode::insn::{Insn, Reg};
use crate::graph::RegSet;

impl Lifter<'_, '_> {
    /// The low 32 bits of a register.
    pub(super) fn get_low(&mut self, reg: Reg) -> Value {
        if let Some(&Some(known)) = self.low_halves.known.get(reg.index()) {
            return known;
        }
        let value = self.get(reg);
        let low = self.low_half(value);
        if let Some(known) = self.low_halves.known.get_mut(reg.index()) {
            *known = Some(low);
        }
        low
    }

    /// Gives a register 32 bits, and zeros above.
    pub(super) fn set_low(&mut self, reg: Reg, low: Value) {
        self.low_halves.known[reg.index()] = Some(low);
        self.low_halves.unextended = self.low_halves.unextended.with(reg);
    }

    /// Extends a register if that is left to do.
    pub(super) fn extend(&mut self, reg: Reg) {
        if !self.low_halves.unextended.contains(reg) {
            return;
        }
        self.low_halves.unextended = self.low_halves.unextended.minus(RegSet::EMPTY.with(reg));
        let Some(low) = self.low_halves.known[reg.index()] else { return };
        let value = match self.definition(low) {
            // Narrow constants are zero-extended.
            Some(InstructionData::UnaryImm { opcode: Opcode::Iconst, imm }) => {
                self.builder.ins().iconst(WORD, imm.bits())
            }
            _ => self.builder.ins().uextend(WORD, low),
        };
        self.builder.def_var(self.registers[reg.index()], value);
    }

    /// Extends all registers for which that is left to do.
    pub(super) fn extend_all(&mut self) {
        if self.low_halves.unextended != RegSet::EMPTY {
            Reg::all().take(self.registers.len()).for_each(|reg| self.extend(reg));
        }
    }

    /// Forgets what is known: what comes next may be reached by other ways. All registers are extended.
    pub(super) fn forget_low_halves(&mut self) {
        debug_assert_eq!(self.low_halves.unextended, RegSet::EMPTY, "a register is not extended");
        self.low_halves.known = [None; 10];
    }

    /// The low 32 bits of a value.
    fn low_half(&mut self, value: Value) -> Value {
        match self.definition(value) {
            Some(InstructionData::UnaryImm { opcode: Opcode::Iconst, imm }) => {
                self.constant(types::I32, imm.bits())
            }
            Some(InstructionData::Unary { opcode: Opcode::Uextend, arg })
                if self.builder.func.dfg.value_type(arg) == types::I32 =>
            {
                arg
            }
            _ => self.builder.ins().ireduce(types::I32, value),
        }
    }

    /// The instruction that a value is the result of.
    fn definition(&self, value: Value) -> Option<InstructionData> {
        let dfg = &self.builder.func.dfg;
        Some(dfg.insts[dfg.value_def(value).inst()?])
    }
}

/// Whether an instruction is lifted to one block, or to some that all meet again without writing a register, and reads registers
/// one by one.
pub(super) fn is_simple(insn: Insn) -> bool {
    !matches!(insn, Insn::Call(_) | Insn::LoadPacket { .. } | Insn::StoreStackArgument { .. })
}
