//! 64-bit block parameters that are always zero-extended 32-bit numbers.
//!
//! In: a function. Out: the 64-bit block parameters whose high 32 bits are always 0. BPF's 32-bit instructions zero-extend
//! their results, and where such a value goes around a loop, a copy of its low 32 bits (`w1 = w1`) is the value itself.
//!
//! The rule is the largest set that satisfies it: each argument for the parameter is such a parameter, or is zero-extended by
//! the instruction that defines it. By induction over the jumps taken, that is then true at each of them. Time is linear in
//! the number of arguments.

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{DataFlowGraph, Function, InstructionData, Opcode, Value, ValueDef, types};

use super::operands::{constant, value_map};
use super::phi_graph::PhiGraph;

/// The parameters, in the order of the layout.
pub(crate) fn zero_extended_parameters(function: &Function) -> Vec<Value> {
    let dfg = &function.dfg;
    let is_64_bits = |value: &Value| dfg.value_type(*value) == types::I64;
    let parameters = function.layout.blocks().skip(1).flat_map(|block| dfg.block_params(block)).copied();
    let parameters: Vec<Value> = parameters.filter(is_64_bits).collect();
    // Those that may have a high half other than 0.
    let mut is_other: SecondaryMap<Value, bool> = value_map(dfg);
    let mut work = Vec::new();
    let phis = PhiGraph::new(function, |parameter, argument| {
        if !argument.is_some_and(|value| is_zero_extended(dfg, value)) {
            work.push(parameter);
        }
    });
    // Parameters of other types are none of these.
    let others = function.layout.blocks().flat_map(|block| dfg.block_params(block)).copied();
    work.extend(others.filter(|value| !is_64_bits(value)));
    while let Some(parameter) = work.pop() {
        if !std::mem::replace(&mut is_other[parameter], true) {
            work.extend(phis.users(parameter));
        }
    }
    parameters.into_iter().filter(|&parameter| !is_other[parameter]).collect()
}

/// Whether the instruction that defines a 64-bit value zero-extends it from 32 bits or fewer.
pub(crate) fn is_zero_extended(dfg: &DataFlowGraph, value: Value) -> bool {
    let ValueDef::Result(inst, _) = dfg.value_def(value) else { return false };
    match dfg.insts[inst] {
        InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => imm.bits() as u64 <= u64::from(u32::MAX),
        InstructionData::Unary { opcode: Opcode::Uextend, arg } => dfg.value_type(arg).bits() <= 32,
        InstructionData::Load { opcode, .. } => {
            matches!(opcode, Opcode::Uload8 | Opcode::Uload16 | Opcode::Uload32)
        }
        InstructionData::Binary { opcode: Opcode::Band, args: [_, mask] } => {
            constant(dfg, mask).is_some_and(|mask| mask <= u64::from(u32::MAX))
        }
        InstructionData::Binary { opcode: Opcode::Ushr, args: [_, amount] } => {
            constant(dfg, amount).is_some_and(|amount| amount % 64 >= 32)
        }
        _ => false,
    }
}
