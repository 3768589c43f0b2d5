//! Constants of a function that is lifted.
//!
//! In: a value. Out: the constant that it is, through aliases; in `i64` and narrower types its bits, zero-extended.

use cranelift_codegen::ir::{DataFlowGraph, InstructionData, Opcode, Value};

/// The constant that a value is.
pub(super) fn constant(dfg: &DataFlowGraph, value: Value) -> Option<u64> {
    match dfg.insts[dfg.value_def(value).inst()?] {
        InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => Some(imm.bits().cast_unsigned()),
        _ => None,
    }
}
