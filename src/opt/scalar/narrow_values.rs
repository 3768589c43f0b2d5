//! Words of which only the low 32 bits are looked at are 32 bits wide.
//!
//! BPF's 32-bit instructions zero-extend their results, so that a counter of 32 bits goes around a loop as 64, extended in each iteration
//! for nobody. Block parameters and selects of 64 bits become ones of 32 bits where nothing uses more of them: all uses are `ireduce`,
//! arguments for such a parameter, and operands of such a select.
//!
//! In: a function. Out: the same with such values narrowed, and extended where they were defined: Cranelift's optimiser takes the
//! reductions of these extensions away, and then nothing uses them. Sound: each narrow value is the low half of what it was, and the set
//! is the largest that satisfies the rule, found by taking away what does not. Time is linear in the number of operands.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{
    BlockArg, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, types,
};

use crate::opt::ir::operands::{replace_inst, value_map};
use crate::opt::pass::PassContext;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, _: &mut PassContext<'_>) {
    let is_narrow = narrow_values(function);
    let blocks: Vec<_> = function.layout.blocks().collect();
    for block in blocks {
        for parameter in function.dfg.block_params(block).to_vec() {
            if is_narrow[parameter] {
                let low = function.dfg.replace_block_param(parameter, types::I32);
                let mut cursor = FuncCursor::new(function).at_first_insertion_point(block);
                let whole = cursor.ins().uextend(types::I64, low);
                function.dfg.change_to_alias(parameter, whole);
            }
        }
        for inst in function.layout.block_insts(block).collect::<Vec<_>>() {
            if let Some((result, [condition, first, second])) = select(&function.dfg, inst)
                && is_narrow[result]
            {
                let location = function.srcloc(inst);
                let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
                let [first, second] = [first, second].map(|value| cursor.ins().ireduce(types::I32, value));
                let low = cursor.ins().select(condition, first, second);
                let whole = cursor.ins().uextend(types::I64, low);
                replace_inst(function, inst, whole);
            }
        }
    }
    let blocks: Vec<_> = function.layout.blocks().collect();
    for block in blocks {
        if let Some(last) = function.layout.last_inst(block) {
            reduce_arguments(function, last);
        }
    }
}

/// A select of words: its result, its condition and the two values.
fn select(dfg: &DataFlowGraph, inst: Inst) -> Option<(Value, [Value; 3])> {
    match dfg.insts[inst] {
        InstructionData::Ternary { opcode: Opcode::Select, args } => {
            let result = dfg.first_result(inst);
            (dfg.value_type(result) == types::I64).then_some((result, args))
        }
        _ => None,
    }
}

/// The values in question.
fn narrow_values(function: &Function) -> SecondaryMap<Value, bool> {
    let dfg = &function.dfg;
    let mut is_narrow: SecondaryMap<Value, bool> = value_map(dfg);
    let is_word = |ty: Type| ty == types::I64;
    for block in function.layout.blocks().skip(1) {
        for &parameter in dfg.block_params(block) {
            is_narrow[parameter] = is_word(dfg.value_type(parameter));
        }
    }
    for inst in function.layout.blocks().flat_map(|block| function.layout.block_insts(block)) {
        if let Some((result, _)) = select(dfg, inst) {
            is_narrow[result] = true;
        }
    }
    // What each value is made of, if that is values in question: lists in one vector, of which the map has one more than the first index.
    let mut sources: SecondaryMap<Value, u32> = value_map(dfg);
    let mut entries: Vec<(Value, u32)> = Vec::new();
    let mut wide: Vec<Value> = Vec::new();
    for inst in function.layout.blocks().flat_map(|block| function.layout.block_insts(block)) {
        let mut part_of = |whole: Value, part: Value| {
            let part = dfg.resolve_aliases(part);
            if is_narrow[whole] {
                entries.push((part, sources[whole]));
                sources[whole] = entries.len() as u32;
            } else {
                wide.push(part);
            }
        };
        if let Some((result, [_, first, second])) = select(dfg, inst) {
            part_of(result, first);
            part_of(result, second);
            continue;
        }
        let mut part_of_call = Vec::new();
        for call in dfg.insts[inst].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
            let parameters = dfg.block_params(call.block(&dfg.value_lists));
            for (&parameter, argument) in parameters.iter().zip(call.args(&dfg.value_lists)) {
                match argument {
                    BlockArg::Value(value) => part_of(parameter, value),
                    _ => part_of_call.push(parameter),
                }
            }
        }
        wide.append(&mut part_of_call);
        if dfg.insts[inst].opcode() != Opcode::Ireduce || dfg.ctrl_typevar(inst).bits() > 32 {
            wide.extend(dfg.inst_args(inst).iter().map(|&value| dfg.resolve_aliases(value)));
        }
    }
    while let Some(value) = wide.pop() {
        if std::mem::replace(&mut is_narrow[value], false) {
            let mut next = sources[value];
            while let Some(&(part, after)) = (next as usize).checked_sub(1).and_then(|index| entries.get(index)) {
                wide.push(part);
                next = after;
            }
        }
    }
    is_narrow
}

/// Passes low halves to the parameters that have been narrowed.
fn reduce_arguments(function: &mut Function, branch: Inst) {
    let dfg = &function.dfg;
    let calls = dfg.insts[branch].branch_destination(&dfg.jump_tables, &dfg.exception_tables);
    let mut changed: Vec<(usize, usize, Value)> = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        let parameters = dfg.block_params(call.block(&dfg.value_lists));
        for (index, (argument, &parameter)) in call.args(&dfg.value_lists).zip(parameters).enumerate() {
            if let BlockArg::Value(value) = argument
                && dfg.value_type(parameter) == types::I32
                && dfg.value_type(value) == types::I64
            {
                changed.push((at, index, value));
            }
        }
    }
    for (at, index, value) in changed {
        let location = function.srcloc(branch);
        let mut cursor = FuncCursor::new(function).at_inst(branch).with_srcloc(location);
        let low = cursor.ins().ireduce(types::I32, value);
        let dfg = &mut function.stencil.dfg;
        let calls = dfg.insts[branch].branch_destination_mut(&mut dfg.jump_tables, &mut dfg.exception_tables);
        let call = &mut calls[at];
        let mut arguments: Vec<BlockArg> = call.args(&dfg.value_lists).collect();
        arguments[index] = low.into();
        call.clear(&mut dfg.value_lists);
        call.extend(arguments, &mut dfg.value_lists);
    }
}
