//! Calls of C's functions of integers become instructions.
//!
//! | call | CLIF |
//! |---|---|
//! | `abs` | `iabs` of the low half, its high half cleared |
//! | `labs`, `llabs`, `imaxabs` | `iabs` |
//!
//! They are calls in the object because programs are compiled with `-fno-builtin` (see `cflags`).
//!
//! Sound: the callee is C's function ([`Facts::absolute`](crate::abi::libc::Facts::absolute)). Of the least number, whose absolute
//! value is none of the type, C says nothing (C11 7.22.6.1); libc returns it, as `iabs` does.
//!
//! Measured: stb_image calls `abs` three times for each byte of a row that PNG's Paeth predictor made; reading a PNG takes 338 million
//! instructions, where it took 438 (clang 22: 299).

use cranelift_codegen::ir::{InstBuilder, Value};

use super::lifter::Lifter;
use crate::abi::WORD;
use crate::decode::insn::{self, Insn, Reg};

impl Lifter<'_, '_> {
    /// The absolute value of the number of so many bits in r1.
    pub(super) fn absolute(&mut self, bits: u8) -> Option<Value> {
        // Array calls have their arguments in memory.
        if !self.integer_calls || matches!(self.at.insn, Insn::Call(insn::Callee::Array(_))) {
            return None;
        }
        if bits == 64 {
            let number = self.get(Reg::R1);
            return Some(self.builder.ins().iabs(number));
        }
        let number = self.get_low(Reg::R1);
        let absolute = self.builder.ins().iabs(number);
        Some(self.builder.ins().uextend(WORD, absolute))
    }
}
