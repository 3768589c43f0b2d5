//! 64-bit block parameters that are always zero-extended, and from how many bytes.
//!
//! In: a function. Out: the 64-bit block parameters of which all bytes above the first 1, 2 or 4 are always 0. BPF's 32-bit instructions
//! zero-extend their results, its loads of bytes do, and where such a value goes around a loop or comes from two sides, a copy of its
//! low 32 bits (`w1 = w1`) or a mask of its low byte (`w1 &= 255`) is the value itself.
//!
//! The rule is the smallest sizes that satisfy it: no argument for the parameter has more significant bytes, by its own size if it is
//! such a parameter, else by the instructions that compute it ([`significant_bytes`]). By induction over the jumps taken, that is then
//! true at each of them. Time is linear in the number of arguments: a size grows three times at most.

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{DataFlowGraph, Function, InstructionData, Opcode, Value, ValueDef, types};

use super::operands::{constant, size_of, value_map};
use super::phi_graph::PhiGraph;

/// How many instructions a value's size is asked of, one behind the other.
const MAX_DEPTH: usize = 4;

/// The parameters with their sizes, in the order of the layout.
pub(crate) fn zero_extended_parameters(function: &Function) -> Vec<(Value, u8)> {
    let dfg = &function.dfg;
    let parameters = || function.layout.blocks().skip(1).flat_map(|block| dfg.block_params(block)).copied();
    let mut sizes: SecondaryMap<Value, u8> = value_map(dfg);
    let mut work: Vec<Value> = Vec::new();
    let phis = PhiGraph::new(function, |parameter, argument| {
        let size = argument.map_or(8, |value| significant_bytes(dfg, value));
        sizes[parameter] = sizes[parameter].max(size);
        work.push(parameter);
    });
    // Parameters of other types are none of these.
    let others = function.layout.blocks().flat_map(|block| dfg.block_params(block)).copied();
    for parameter in others.filter(|&value| dfg.value_type(value) != types::I64) {
        sizes[parameter] = 8;
        work.push(parameter);
    }
    while let Some(parameter) = work.pop() {
        let size = sizes[parameter];
        work.extend(phis.users(parameter).filter(|&user| sizes[user] < size));
        phis.users(parameter).for_each(|user| sizes[user] = sizes[user].max(size));
    }
    // No argument at all: the block is not reached.
    parameters().map(|parameter| (parameter, sizes[parameter])).filter(|(_, size)| (1..=4).contains(size)).collect()
}

/// Whether a 64-bit value is zero-extended from 32 bits or fewer by the instructions that compute it.
pub(crate) fn is_zero_extended(dfg: &DataFlowGraph, value: Value) -> bool {
    significant_bytes(dfg, value) <= 4
}

/// 1, 2, 4 or 8: all bytes of the value above this many are 0, by the instructions that compute it.
pub(crate) fn significant_bytes(dfg: &DataFlowGraph, value: Value) -> u8 {
    bytes(dfg, value, MAX_DEPTH)
}

fn bytes(dfg: &DataFlowGraph, value: Value, depth: usize) -> u8 {
    let own = size_of(dfg.value_type(value)).unwrap_or(8);
    let (ValueDef::Result(inst, _), Some(depth)) = (dfg.value_def(value), depth.checked_sub(1)) else { return own };
    let operand = |value: Value| bytes(dfg, value, depth);
    let size = match dfg.insts[inst] {
        InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => bytes_of(imm.bits() as u64),
        InstructionData::Unary { opcode: Opcode::Uextend | Opcode::Ireduce, arg } => operand(arg),
        InstructionData::Load { opcode: Opcode::Uload8, .. } => 1,
        InstructionData::Load { opcode: Opcode::Uload16, .. } => 2,
        InstructionData::Load { opcode: Opcode::Uload32, .. } => 4,
        InstructionData::Binary { opcode, args: [left, right] } => match opcode {
            Opcode::Band => operand(left).min(operand(right)),
            Opcode::Bor | Opcode::Bxor => operand(left).max(operand(right)),
            Opcode::Ushr => match constant(dfg, right) {
                Some(amount) => bytes_of(u64::MAX >> (64 - 8 * u64::from(own)) >> (amount % (8 * u64::from(own)))),
                None => operand(left),
            },
            _ => own,
        },
        InstructionData::Ternary { opcode: Opcode::Select, args: [_, one, other] } => {
            operand(one).max(operand(other))
        }
        InstructionData::IntCompare { .. } => 1,
        _ => own,
    };
    size.min(own)
}

/// The size of the smallest integer type that a number fits in.
fn bytes_of(number: u64) -> u8 {
    match number {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}
