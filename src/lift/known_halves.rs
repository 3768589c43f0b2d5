//! What is known of the registers' low halves while a block is lifted: the state that `low_halves.rs` reads and writes.

use cranelift_codegen::ir::Value;

use crate::decode::insn::Reg;
use crate::graph::RegSet;

/// What is known of the registers at an instruction.
#[derive(Default)]
pub(super) struct LowHalves {
    /// Their low 32 bits.
    pub(super) known: [Option<Value>; 10],
    /// Those whose variables still have an earlier value: they are what is known, zero-extended.
    pub(super) unextended: RegSet,
}

impl LowHalves {
    /// Forgets a register, which is about to be written.
    pub(super) fn overwrite(&mut self, reg: Reg) {
        self.known[reg.index()] = None;
        self.unextended = self.unextended.minus(RegSet::EMPTY.with(reg));
    }
}
