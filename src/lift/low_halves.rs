//! Registers of which 32 bits are written, and read again.
//!
//! A 32-bit instruction reads the low halves of its operands, and clears the high half of what it writes. As `ireduce` and
//! `uextend` around each, that is half of all CLIF, and Cranelift has to look at all of it only to find that it does nothing.
//!
//! In: what instructions of one block write and read. Out: their operands. The rules:
//!
//! | | |
//! |---|---|
//! | what 32-bit instructions write | is extended when somebody reads 64 bits, or at the end of the block if somebody may read it then |
//! | the low half of a register | is reduced once, if it is not known, for the block and those that are reached from it alone |
//! | a copy of the low half of a register whose high half is zeros (`crate::graph::high_halves`) | is the register |
//! | an instruction that makes more than one block, or reads registers otherwise | finds all registers extended, and nothing known |
//!
//! The state is in `known_halves.rs`. Sound: within a block, what an earlier instruction has computed is there for a later one; and
//! what a block has computed is there in a block that no other leads to.

use cranelift_codegen::ir::{InstBuilder, InstructionData, Opcode, Value, types};

use super::known_halves::{KnownHalves, LowHalves};
use super::lifter::Lifter;
use crate::abi::WORD;
use crate::decode::insn::{Insn, Reg};
use crate::graph::{BlockIndex, RegSet, Terminator};

impl Lifter<'_, '_> {
    /// The low 32 bits of a register.
    pub(super) fn get_low(&mut self, reg: Reg) -> Value {
        if let Some(known) = self.low_halves.known.low.get(reg.index()).and_then(|known| known.expand()) {
            return known;
        }
        let value = self.get(reg);
        let low = self.low_half(value);
        if let Some(known) = self.low_halves.known.low.get_mut(reg.index()) {
            *known = low.into();
        }
        low
    }

    /// Gives a register the low half of another, if that is all of it and there as a word: it is the same value then. Whether it is.
    pub(super) fn copy_low(&mut self, dst: Reg, src: Reg) -> bool {
        let LowHalves { zero_extended, unextended, known, .. } = &self.low_halves;
        if !zero_extended.contains(src) || unextended.contains(src) {
            return false;
        }
        let Some(&low) = known.low.get(src.index()) else { return false };
        let value = self.get(src);
        self.set(dst, value);
        self.low_halves.known.low[dst.index()] = low;
        true
    }

    /// Gives a register 32 bits, and zeros above.
    pub(super) fn set_low(&mut self, reg: Reg, low: Value) {
        self.low_halves.known.low[reg.index()] = low.into();
        self.low_halves.known.whole[reg.index()] = None.into();
        self.low_halves.unextended = self.low_halves.unextended.with(reg);
    }

    /// Extends a register if that is left to do.
    pub(super) fn extend(&mut self, reg: Reg) {
        if !self.low_halves.unextended.contains(reg) {
            return;
        }
        self.low_halves.unextended = self.low_halves.unextended.minus(RegSet::EMPTY.with(reg));
        let Some(low) = self.low_halves.known.low[reg.index()].expand() else { return };
        let value = match self.definition(low) {
            // Narrow constants are zero-extended.
            Some(InstructionData::UnaryImm { opcode: Opcode::Iconst, imm }) => {
                self.builder.ins().iconst(WORD, imm.bits())
            }
            _ => self.builder.ins().uextend(WORD, low),
        };
        self.low_halves.known.whole[reg.index()] = value.into();
        self.builder.def_var(self.registers[reg.index()], value);
    }

    /// Extends all registers for which that is left to do.
    pub(super) fn extend_all(&mut self) {
        self.low_halves.unextended.iter().for_each(|reg| self.extend(reg));
    }

    /// Extends the registers for which that is left to do before a block's last jump, and that may be read after it. The jump
    /// itself extends what it reads; what nobody reads keeps an earlier value. Counters of loops read registers that the program does
    /// not.
    pub(super) fn extend_live(&mut self) {
        if self.counters.is_some() {
            return self.extend_all();
        }
        let live = self.graph.live_out[self.block].union(self.graph.returned);
        self.low_halves.unextended.intersection(live).iter().for_each(|reg| self.extend(reg));
    }

    /// Gives up the registers that are not extended: a block's last jump has read what it reads, and nobody reads the others.
    pub(super) fn give_up_dead(&mut self) {
        self.low_halves.unextended = RegSet::EMPTY;
    }

    /// Forgets what is known: what comes next may be reached by other ways. All registers are extended.
    pub(super) fn forget_low_halves(&mut self) {
        debug_assert_eq!(self.low_halves.unextended, RegSet::EMPTY, "a register is not extended");
        self.low_halves.known = KnownHalves::default();
    }

    /// Starts a block with what is known there.
    pub(super) fn enter_block(&mut self, block: BlockIndex) {
        let before = self.control_flow.only_predecessor(block);
        self.low_halves.known = before.map_or_else(KnownHalves::default, |before| self.low_halves.at_ends[before]);
        self.low_halves.zero_extended = self.zero_extended[block];
    }

    /// Ends a block whose last jump is lifted; what is known then is kept, if that jump is one instruction.
    pub(super) fn leave_block(&mut self, block: BlockIndex) {
        self.give_up_dead();
        // A jump through a register is several blocks.
        if !matches!(self.graph.blocks[block].terminator, Terminator::Register(_)) {
            self.low_halves.at_ends[block] = self.low_halves.known;
        }
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
    pub(super) fn definition(&self, value: Value) -> Option<InstructionData> {
        let dfg = &self.builder.func.dfg;
        Some(dfg.insts[dfg.value_def(value).inst()?])
    }
}

/// Whether an instruction is lifted to one block, or to some that all meet again without writing a register, and reads registers
/// one by one.
pub(super) fn is_simple(insn: Insn) -> bool {
    !matches!(insn, Insn::Call(_) | Insn::LoadPacket { .. } | Insn::StoreStackArgument { .. })
}
