//! Calls of C's functions of floats become instructions.
//!
//! | call | CLIF |
//! |---|---|
//! | `sqrt` | `sqrt`; a cold block calls C's for what is less than 0 or a NaN, since that sets `errno`, by a call that keeps all registers where others keep no float ([`crate::declarations::preserving`]) |
//! | `fabs`, `copysign` | `fabs`, `fcopysign` |
//! | `floor`, `ceil`, `trunc` | `floor`, `ceil`, `trunc`, where the target has instructions that round |
//! | `fma` | `fma`, where the target has one |
//! | `fmin(x, y)`, `fmax(x, y)` on x86-64 | `x` if `y` is a NaN, else `x < y ? x : y` or `y < x ? x : y` |
//!
//! Sound: the callee is C's function ([`Facts::float`](crate::abi::libc::Facts::float)). IEC 60559 says what the first three rows and
//! `fma` compute, to the last bit; but for `sqrt`, none of them sets `errno` in C (7.12). Of a signalling NaN C says nothing. Which
//! zero `fmin` of two zeros is C leaves open; it is the one that libc takes.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{InstBuilder, Value};

use super::libcalls::float_type;
use super::lifter::Lifter;
use crate::abi::ResultWords;
use crate::abi::libc::{FloatCall, FloatFunction};
use crate::abi::libcalls::Float;
use crate::declarations::Callee;
use crate::decode::insn::{self, Insn, Reg};

impl Lifter<'_, '_> {
    /// Does what a call does by instructions, if the target has them.
    pub(super) fn float_call(&mut self, call: FloatCall, callee: &Callee) -> Option<ResultWords> {
        let facts = self.float_calls?;
        // Array calls have their arguments in memory.
        if matches!(self.at.insn, Insn::Call(insn::Callee::Array(_))) {
            return None;
        }
        let has_it = match call.function {
            FloatFunction::Floor | FloatFunction::Ceil | FloatFunction::Truncate => facts.rounds,
            FloatFunction::MultiplyAdd => facts.multiplies_and_adds,
            FloatFunction::Least | FloatFunction::Largest => facts.fmin_takes_second,
            _ => true,
        };
        if !has_it {
            return None;
        }
        let x = self.float(call.format, Reg::R1);
        let result = match call.function {
            FloatFunction::SquareRoot => self.square_root(call.format, x, callee),
            FloatFunction::Absolute => self.builder.ins().fabs(x),
            FloatFunction::Floor => self.builder.ins().floor(x),
            FloatFunction::Ceil => self.builder.ins().ceil(x),
            FloatFunction::Truncate => self.builder.ins().trunc(x),
            FloatFunction::CopySign => {
                let sign = self.float(call.format, Reg::R2);
                self.builder.ins().fcopysign(x, sign)
            }
            FloatFunction::Least | FloatFunction::Largest => {
                let y = self.float(call.format, Reg::R2);
                let (less, more) = if call.function == FloatFunction::Least { (x, y) } else { (y, x) };
                let is_x = self.builder.ins().fcmp(FloatCC::LessThan, less, more);
                let chosen = self.builder.ins().select(is_x, x, y);
                let is_nan = self.builder.ins().fcmp(FloatCC::Unordered, y, y);
                self.builder.ins().select(is_nan, x, chosen)
            }
            FloatFunction::MultiplyAdd => {
                let [y, z] = [Reg::R2, Reg::R3].map(|reg| self.float(call.format, reg));
                self.builder.ins().fma(x, y, z)
            }
        };
        Some(ResultWords { first: Some(self.float_word(call.format, result)), second: None })
    }

    fn square_root(&mut self, format: Float, x: Value, callee: &Callee) -> Value {
        let ty = float_type(format);
        let zero = match format {
            Float::F32 => self.builder.ins().f32const(0.0),
            Float::F64 => self.builder.ins().f64const(0.0),
        };
        let root = self.builder.ins().sqrt(x);
        let is_error = self.builder.ins().fcmp(FloatCC::UnorderedOrLessThan, x, zero);
        let (special, done) = (self.builder.create_block(), self.builder.create_block());
        self.builder.append_block_param(done, ty);
        self.builder.set_cold_block(special);
        self.builder.ins().brif(is_error, special, &[], done, &[root.into()]);
        self.builder.switch_to_block(special);
        let result = match self.declarations.preserving.of(callee) {
            // The instruction's result is C's, a NaN.
            Some(between) => {
                let reference = self.function_by_id(between.id, between.signature(), between.colocated);
                self.builder.ins().call(reference, &[x]);
                root
            }
            None => {
                let word = self.call_with_registers(callee).first;
                word.map_or(root, |word| self.float_of(format, word))
            }
        };
        self.builder.ins().jump(done, &[result.into()]);
        self.builder.switch_to_block(done);
        self.builder.block_params(done)[0]
    }
}
