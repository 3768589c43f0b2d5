//! Removes what only computes values that nothing needs: instructions, and block parameters.
//!
//! In: a function. Out: the same without them. The rule: needed are the operands of whatever has an effect, what a needed value is
//! computed from, and the arguments for a needed parameter. So parameters go that are passed around a loop and used for nothing else.
//! Each value and each argument is visited once.

use cranelift_codegen::entity::{EntitySet, SecondaryMap};
use cranelift_codegen::ir::{Block, BlockArg, Function, Inst, Value, ValueDef};

use super::edges::remove_arguments;
use super::effects::is_pure;
use super::operands::value_map;

/// Removes it.
pub(crate) fn remove_dead_code(function: &mut Function) {
    let needed = needed(function);
    let entry = function.layout.entry_block();
    let blocks: Vec<Block> = function.layout.blocks().collect();
    // The indices of removed parameters, the last one first.
    let mut removed: SecondaryMap<Block, Vec<usize>> = SecondaryMap::new();
    for &block in blocks.iter().filter(|&&block| Some(block) != entry) {
        for index in (0..function.dfg.num_block_params(block)).rev() {
            let parameter = function.dfg.block_params(block)[index];
            if !needed.contains(parameter) {
                function.dfg.remove_block_param(parameter);
                removed[block].push(index);
            }
        }
    }
    for block in blocks {
        let insts: Vec<Inst> = function.layout.block_insts(block).collect();
        for inst in insts {
            let results = function.dfg.inst_results(inst);
            if function.dfg.insts[inst].opcode().is_branch() {
                remove_arguments(function, inst, &removed);
            } else if is_pure(&function.dfg, inst) && !results.iter().any(|&result| needed.contains(result)) {
                function.layout.remove_inst(inst);
            }
        }
    }
}

/// The needed values.
fn needed(function: &Function) -> EntitySet<Value> {
    let dfg = &function.dfg;
    // What is passed to each parameter, as lists in one vector: one more than the index of the first entry, 0 for none.
    let mut first: SecondaryMap<Value, u32> = value_map(dfg);
    let mut arguments: Vec<(Value, u32)> = Vec::new();
    let mut work: Vec<Value> = Vec::new();
    for block in function.layout.blocks() {
        for inst in function.layout.block_insts(block) {
            if is_pure(dfg, inst) {
                continue;
            }
            work.extend(dfg.inst_args(inst).iter().map(|&value| dfg.resolve_aliases(value)));
            for call in dfg.insts[inst].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
                let parameters = dfg.block_params(call.block(&dfg.value_lists));
                for (&parameter, argument) in parameters.iter().zip(call.args(&dfg.value_lists)) {
                    if let BlockArg::Value(value) = argument {
                        arguments.push((dfg.resolve_aliases(value), first[parameter]));
                        first[parameter] = arguments.len() as u32;
                    } else {
                        work.push(parameter);
                    }
                }
            }
        }
    }
    let mut needed: EntitySet<Value> = EntitySet::with_capacity(dfg.num_values());
    while let Some(value) = work.pop() {
        if !needed.insert(value) {
            continue;
        }
        match dfg.value_def(value) {
            ValueDef::Result(inst, _) => {
                work.extend(dfg.inst_args(inst).iter().map(|&operand| dfg.resolve_aliases(operand)));
            }
            ValueDef::Param(..) => {
                let mut next = first[value];
                while let Some(&(argument, after)) = (next as usize).checked_sub(1).and_then(|at| arguments.get(at))
                {
                    work.push(argument);
                    next = after;
                }
            }
            ValueDef::Union(..) => {}
        }
    }
    needed
}
