//! What is known of the registers' halves while a block is lifted: the state that `low_halves.rs` reads and writes.

use cranelift_codegen::ir::Value;
use cranelift_codegen::packed_option::PackedOption;

use crate::decode::insn::Reg;
use crate::graph::RegSet;

/// The values of each register that are there, so that nobody makes or looks for them again.
#[derive(Clone, Copy, Default)]
pub(super) struct KnownHalves {
    /// Its low 32 bits.
    pub(super) low: [PackedOption<Value>; 10],
    /// All of it: its variable's value.
    pub(super) whole: [PackedOption<Value>; 10],
}

/// What is known of the registers at an instruction.
#[derive(Default)]
pub(super) struct LowHalves {
    /// Their values.
    pub(super) known: KnownHalves,
    /// The same, at the end of each block that ends as its branch says.
    pub(super) at_ends: Vec<KnownHalves>,
    /// Those whose high 32 bits are zeros.
    pub(super) zero_extended: RegSet,
    /// Those whose variables still have an earlier value: they are what is known of the low half, zero-extended.
    pub(super) unextended: RegSet,
}

impl LowHalves {
    /// Notes that all of a register was written.
    pub(super) fn written(&mut self, reg: Reg, whole: Value) {
        self.known.low[reg.index()] = None.into();
        self.known.whole[reg.index()] = whole.into();
        self.unextended = self.unextended.minus(RegSet::EMPTY.with(reg));
    }
}
