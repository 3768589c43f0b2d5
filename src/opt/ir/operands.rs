//! Definitions and operands of values: what passes match instructions with.
//!
//! In: a function's data flow graph and a value. Out: the constant, operand or instruction behind it; and the two edits that
//! almost every pass ends with, a constant and a replaced instruction. All of these look through aliases, as Cranelift's
//! `value_def` does.

use cranelift_codegen::cursor::FuncCursor;
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{
    Block, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, ValueDef, types,
};

/// How many conversions a value is looked through, and how many additions of constants an address.
pub(crate) const MAX_LOOK_THROUGH: usize = 16;

/// The size in bytes of an integer type of at most 64 bits.
pub(crate) fn size_of(ty: Type) -> Option<u8> {
    matches!(ty, types::I8 | types::I16 | types::I32 | types::I64).then(|| ty.bytes() as u8)
}

/// The integer type of 1, 2, 4 or 8 bytes.
pub(crate) fn type_of(size: u8) -> Option<Type> {
    Type::int(u16::from(size) * 8).filter(|&ty| size_of(ty).is_some())
}

/// The constant that a value is.
pub(crate) fn constant(dfg: &DataFlowGraph, value: Value) -> Option<u64> {
    match dfg.value_def(value) {
        ValueDef::Result(inst, _) => match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => Some(imm.bits() as u64),
            _ => None,
        },
        _ => None,
    }
}

/// The opcode and the operand of the unary instruction that defines a value.
pub(crate) fn unary(dfg: &DataFlowGraph, value: Value) -> Option<(Opcode, Value)> {
    match dfg.value_def(value) {
        ValueDef::Result(inst, _) => match dfg.insts[inst] {
            InstructionData::Unary { opcode, arg } => Some((opcode, dfg.resolve_aliases(arg))),
            _ => None,
        },
        _ => None,
    }
}

/// The operand of the `wanted` unary instruction that defines a value.
pub(crate) fn unary_operand(dfg: &DataFlowGraph, value: Value, wanted: Opcode) -> Option<Value> {
    unary(dfg, value).filter(|&(opcode, _)| opcode == wanted).map(|(_, operand)| operand)
}

/// The operands of the `wanted` binary instruction that defines a value.
pub(crate) fn binary_operands(dfg: &DataFlowGraph, value: Value, wanted: Opcode) -> Option<[Value; 2]> {
    match dfg.value_def(value) {
        ValueDef::Result(inst, _) => match dfg.insts[inst] {
            InstructionData::Binary { opcode, args } if opcode == wanted => Some(args),
            _ => None,
        },
        _ => None,
    }
}

/// The instruction that a value comes from, looking through extensions and reductions.
pub(crate) fn unconverted_inst(dfg: &DataFlowGraph, value: Value) -> Option<Inst> {
    let mut value = value;
    for _ in 0..MAX_LOOK_THROUGH {
        let ValueDef::Result(inst, _) = dfg.value_def(value) else { return None };
        match dfg.insts[inst] {
            InstructionData::Unary { opcode: Opcode::Uextend | Opcode::Sextend | Opcode::Ireduce, arg } => {
                value = arg;
            }
            _ => return Some(inst),
        }
    }
    None
}

/// The block that defines a value.
pub(crate) fn defining_block(function: &Function, value: Value) -> Option<Block> {
    match function.dfg.value_def(value) {
        ValueDef::Result(inst, _) => function.layout.inst_block(inst),
        ValueDef::Param(block, _) => Some(block),
        ValueDef::Union(..) => None,
    }
}

/// Calls `visit` with all operands of an instruction, block arguments included.
pub(crate) fn each_operand(dfg: &DataFlowGraph, inst: Inst, visit: impl FnMut(Value)) {
    // Iterating over block arguments costs more than the rest, and only terminators have any.
    if dfg.insts[inst].opcode().is_terminator() {
        dfg.inst_values(inst).for_each(visit);
    } else {
        dfg.inst_args(inst).iter().copied().for_each(visit);
    }
}

/// A map with room for every value: growing step by step takes several times as long.
pub(crate) fn value_map<T: Clone + Default>(dfg: &DataFlowGraph) -> SecondaryMap<Value, T> {
    let mut map = SecondaryMap::with_capacity(dfg.num_values());
    map.resize(dfg.num_values());
    map
}

/// Inserts a constant, truncated to its type: `iconst` wants narrow constants zero-extended.
pub(crate) fn iconst(cursor: &mut FuncCursor<'_>, ty: Type, number: i64) -> Value {
    let unused = 64 - ty.bits().min(64);
    cursor.ins().iconst(ty, ((number as u64) << unused >> unused) as i64)
}

/// Replaces an instruction that has one result by a value.
pub(crate) fn replace_inst(function: &mut Function, inst: Inst, new: Value) {
    let old = function.dfg.first_result(inst);
    function.layout.remove_inst(inst);
    function.dfg.clear_results(inst);
    function.dfg.change_to_alias(old, new);
}
