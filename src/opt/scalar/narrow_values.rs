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
    Block, BlockArg, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Value, types,
};

use crate::opt::ir::edges::{Passed, pass_instead, passed};
use crate::opt::ir::insts::insts;
use crate::opt::ir::operands::{replace_inst, value_map};
use crate::opt::ir::value_lists::ValueLists;
use crate::opt::pass::PassContext;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, _: &mut PassContext<'_>) {
    let Some(NarrowValues { is_narrow, selects }) = narrow_values(function) else { return };
    let blocks: Vec<Block> = function.layout.blocks().collect();
    let mut selects = selects.into_iter().peekable();
    for &block in &blocks {
        for parameter in function.dfg.block_params(block).to_vec() {
            if is_narrow[parameter] {
                let low = function.dfg.replace_block_param(parameter, types::I32);
                let mut cursor = FuncCursor::new(function).at_first_insertion_point(block);
                let whole = cursor.ins().uextend(types::I64, low);
                function.dfg.change_to_alias(parameter, whole);
            }
        }
        while let Some(inst) = selects.next_if(|&inst| function.layout.inst_block(inst) == Some(block)) {
            let Some((_, [condition, first, second])) = select(&function.dfg, inst) else { continue };
            let location = function.srcloc(inst);
            let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
            let [first, second] = [first, second].map(|value| cursor.ins().ireduce(types::I32, value));
            let low = cursor.ins().select(condition, first, second);
            let whole = cursor.ins().uextend(types::I64, low);
            replace_inst(function, inst, whole);
        }
    }
    for block in blocks {
        if let Some(last) = function.layout.last_inst(block) {
            reduce_arguments(function, last);
        }
    }
}

/// The values in question.
struct NarrowValues {
    is_narrow: SecondaryMap<Value, bool>,
    /// The selects among them, in the order of the layout.
    selects: Vec<Inst>,
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

/// The values in question, if there are any.
fn narrow_values(function: &Function) -> Option<NarrowValues> {
    let dfg = &function.dfg;
    let parameters = || function.layout.blocks().skip(1).flat_map(|block| dfg.block_params(block));
    let is_word = |&&parameter: &&Value| dfg.value_type(parameter) == types::I64;
    let mut selects: Vec<Inst> = insts(function).filter(|&inst| select(dfg, inst).is_some()).collect();
    if selects.is_empty() && !parameters().any(|parameter| is_word(&parameter)) {
        return None;
    }
    let mut is_narrow: SecondaryMap<Value, bool> = value_map(dfg);
    parameters().filter(is_word).for_each(|&parameter| is_narrow[parameter] = true);
    selects.iter().for_each(|&inst| is_narrow[dfg.first_result(inst)] = true);
    // What each value is made of, if that is values in question.
    let mut sources = ValueLists::new(dfg);
    let mut wide: Vec<Value> = Vec::new();
    for inst in insts(function) {
        let mut part_of = |whole: Value, part: Value| {
            let part = dfg.resolve_aliases(part);
            if is_narrow[whole] {
                sources.add(whole, part);
            } else if is_narrow[part] {
                wide.push(part);
            }
        };
        if let Some((result, [condition, first, second])) = select(dfg, inst) {
            part_of(result, first);
            part_of(result, second);
            // Whether it is 0, all of its bits say.
            wide.push(dfg.resolve_aliases(condition));
            continue;
        }
        let opcode = dfg.insts[inst].opcode();
        let mut returned = Vec::new();
        if opcode.is_terminator() {
            for call in dfg.insts[inst].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
                let parameters = dfg.block_params(call.block(&dfg.value_lists));
                for (&parameter, argument) in parameters.iter().zip(call.args(&dfg.value_lists)) {
                    // What a call returns is what it is.
                    match argument {
                        BlockArg::Value(value) => part_of(parameter, value),
                        _ => returned.push(parameter),
                    }
                }
            }
        }
        wide.append(&mut returned);
        if opcode != Opcode::Ireduce || dfg.ctrl_typevar(inst).bits() > 32 {
            let operands = dfg.inst_args(inst).iter().map(|&value| dfg.resolve_aliases(value));
            wide.extend(operands.filter(|&value| is_narrow[value]));
        }
    }
    while let Some(value) = wide.pop() {
        if std::mem::replace(&mut is_narrow[value], false) {
            wide.extend(sources.of(value));
        }
    }
    selects.retain(|&inst| is_narrow[dfg.first_result(inst)]);
    let is_any = !selects.is_empty() || parameters().any(|&parameter| is_narrow[parameter]);
    is_any.then_some(NarrowValues { is_narrow, selects })
}

/// Passes low halves to the parameters that have been narrowed.
fn reduce_arguments(function: &mut Function, branch: Inst) {
    let is_wide = |passed: &Passed| {
        let of = |value| function.dfg.value_type(value);
        of(passed.parameter) == types::I32 && of(passed.value) == types::I64
    };
    let mut changed: Vec<Passed> = passed(function, branch).filter(is_wide).collect();
    if changed.is_empty() {
        return;
    }
    for passed in &mut changed {
        let location = function.srcloc(branch);
        let mut cursor = FuncCursor::new(function).at_inst(branch).with_srcloc(location);
        passed.value = cursor.ins().ireduce(types::I32, passed.value);
    }
    pass_instead(function, branch, &changed);
}
