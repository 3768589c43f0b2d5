//! Floats that are computed from loads are computed before the next access of memory.
//!
//! Cranelift puts a load where the program has it, and what is computed from it right before the first instruction that has an effect
//! and wants the result. So all loads of a block come first, each in a register, and only the last one is an operand in memory.
//! And where a value is used twice, as by the back edge and the exit of a loop, no load that it is computed from is such an operand.
//! A block boundary with the value as a parameter settles both: the jump wants it, and uses it once.
//!
//! | a float computed from loads of its block | |
//! |---|---|
//! | is used behind a later access | the block is split before that access, and the rest gets the float as a parameter |
//! | is used twice by what follows it | the block is split behind it |
//! | any other | left |
//!
//! In: a function. Out: the same in more blocks. Sound: each new block follows the rest of its old one and nothing else leads to it; all
//! instructions stay in their order. One pass over the instructions.

use std::collections::{HashMap, HashSet};

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, Function, Inst, InstBuilder, InstructionData, Opcode, Value, types};

use crate::opt::ir::edges::block_args;
use crate::opt::ir::effects::is_pure;
use crate::opt::ir::operands::each_operand;
use crate::opt::ir::uses::use_counts;
use crate::opt::pass::PassContext;

/// Where a block is split: before an instruction, with what is passed on.
type Split = (Inst, Vec<Value>);

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let has_floats = |&block: &Block| {
        function.layout.block_insts(block).any(|inst| is_float_operation(function, inst).is_some())
    };
    let blocks: Vec<Block> = function.layout.blocks().filter(has_floats).collect();
    if blocks.is_empty() {
        return;
    }
    function.dfg.resolve_all_aliases();
    let mut remaining = use_counts(function);
    let mut changed = false;
    for block in blocks {
        for (before, values) in splits(function, block, &mut remaining) {
            split(function, before, &values);
            changed = true;
        }
    }
    if changed {
        context.analyses.changed();
    }
}

/// The result of an operation on scalar floats.
fn is_float_operation(function: &Function, inst: Inst) -> Option<Value> {
    let dfg = &function.dfg;
    let InstructionData::Binary { opcode, .. } = dfg.insts[inst] else { return None };
    matches!(opcode, Opcode::Fadd | Opcode::Fsub | Opcode::Fmul | Opcode::Fdiv)
        .then(|| dfg.first_result(inst))
        .filter(|&value| is_float(function, value))
}

fn is_float(function: &Function, value: Value) -> bool {
    matches!(function.dfg.value_type(value), types::F32 | types::F64)
}

/// Where a block is to be split, from its start on. `remaining` has the uses of all values that come later.
fn splits(function: &Function, block: Block, remaining: &mut SecondaryMap<Value, u32>) -> Vec<Split> {
    let dfg = &function.dfg;
    let mut found = Vec::new();
    // What was computed from loads since the last split.
    let mut from_loads: HashSet<Value> = HashSet::new();
    let mut pending: Vec<Value> = Vec::new();
    let mut is_used_twice = false;
    for inst in function.layout.block_insts(block) {
        let opcode = dfg.insts[inst].opcode();
        if is_used_twice {
            pending.retain(|&value| remaining[value] > 0);
            found.push((inst, std::mem::take(&mut pending)));
            from_loads.clear();
            is_used_twice = false;
        }
        if opcode.is_terminator() {
            break;
        }
        each_operand(dfg, inst, |value| remaining[value] = remaining[value].saturating_sub(1));
        if is_pure(dfg, inst) {
            let is_from_loads = dfg.inst_args(inst).iter().any(|value| from_loads.contains(value));
            if let Some(&[result]) = is_from_loads.then(|| dfg.inst_results(inst)) {
                from_loads.insert(result);
                if let Some(value) = is_float_operation(function, inst) {
                    pending.push(value);
                    is_used_twice = remaining[value] > 1;
                }
            }
            continue;
        }
        pending.retain(|&value| remaining[value] > 0);
        if opcode != Opcode::SequencePoint && !pending.is_empty() {
            found.push((inst, std::mem::take(&mut pending)));
            from_loads.clear();
        }
        let loaded = dfg.inst_results(inst).iter().copied().filter(|&value| is_float(function, value));
        from_loads.extend(loaded.filter(|_| opcode == Opcode::Load));
    }
    found
}

/// Splits a block before an instruction: the rest gets these values, which are results of the first part, as parameters.
fn split(function: &mut Function, before: Inst, values: &[Value]) {
    let Some(block) = function.layout.inst_block(before) else { return };
    let location = function.srcloc(before);
    let rest = function.dfg.make_block();
    function.layout.split_block(rest, before);
    if function.layout.is_cold(block) {
        function.layout.set_cold(rest);
    }
    // The parameters are the old values, so that only the first part is rewritten.
    let mut results: HashMap<Value, Value> = HashMap::new();
    for &value in values {
        let ty = function.dfg.value_type(value);
        let result = function.dfg.replace_result(value, ty);
        function.dfg.attach_block_param(rest, value);
        results.insert(value, result);
    }
    let mut next = function.layout.first_inst(block);
    while let Some(inst) = next {
        next = function.layout.next_inst(inst);
        function.dfg.map_inst_values(inst, |value| results.get(&value).copied().unwrap_or(value));
    }
    let passed: Vec<Value> = values.iter().filter_map(|value| results.get(value).copied()).collect();
    let mut cursor = FuncCursor::new(function).at_bottom(block).with_srcloc(location);
    cursor.ins().jump(rest, &block_args(&passed));
}
