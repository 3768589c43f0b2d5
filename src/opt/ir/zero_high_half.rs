//! Block parameters whose high half is always 0.
//!
//! In: a function. Out: the 64-bit parameters of its blocks that only ever get words with a high half of 0: BPF's 32-bit
//! instructions clear it, and where such a word goes around a loop, a copy of its low half (`w1 = w1`) is the word.
//!
//! The rule, the largest set that satisfies it: each argument for the parameter is such a parameter, or has a high half
//! that its own instruction clears. By induction over the jumps taken, that is then true at each of them. Time is linear
//! in the number of arguments.

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{DataFlowGraph, Function, InstructionData, Opcode, Value, ValueDef, types};

use super::memory_accesses::of_values;
use super::phi_graph::GoesTo;
use crate::opt::memory::byte_provenance::constant;

/// The parameters, in the order of the layout.
pub(crate) fn clear_parameters(function: &Function) -> Vec<Value> {
    let dfg = &function.dfg;
    let is_word = |value: &Value| dfg.value_type(*value) == types::I64;
    let parameters = function.layout.blocks().skip(1).flat_map(|block| dfg.block_params(block)).copied();
    let parameters: Vec<Value> = parameters.filter(is_word).collect();
    // Which of them are known to have other words.
    let mut is_other: SecondaryMap<Value, bool> = of_values(dfg);
    let mut work = Vec::new();
    let goes_to = GoesTo::new(function, |parameter, argument| {
        if !argument.is_some_and(|value| is_clear(dfg, value)) {
            work.push(parameter);
        }
    });
    // Parameters that are no words are none of these.
    let others = function.layout.blocks().flat_map(|block| dfg.block_params(block)).copied();
    work.extend(others.filter(|value| !is_word(value)));
    while let Some(parameter) = work.pop() {
        if !std::mem::replace(&mut is_other[parameter], true) {
            work.extend(goes_to.of(parameter));
        }
    }
    parameters.into_iter().filter(|&parameter| !is_other[parameter]).collect()
}

/// Whether the instruction that a word comes from clears its high half.
fn is_clear(dfg: &DataFlowGraph, value: Value) -> bool {
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
