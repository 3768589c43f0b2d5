//! Unrolling by two with both exit tests kept, for small loops of unknown trip count.
//!
//! | | one iteration | two iterations |
//! |---|---|---|
//! | taken branches | at least one for each | one for two |
//! | counters and pointers | an addition each | one for two; the other iteration has the offset in its accesses |
//!
//! Loops of constant trip count do better in `unrolling.rs`. Left alone are loops in which each iteration depends on the
//! previous one for most of its time, loops with several exits, and loops in no other loop.
//!
//! Sound: what an iteration does, and when the loop exits, is unchanged. Values that are used after the loop are passed along
//! the exit edge to a block of its own, so that either iteration may exit (loop-closed SSA form). One pass over the function
//! does that for all loops.

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Block, BlockArg, Function, Inst, InstBuilder, Opcode, Value};

use super::cloning::{Cloner, can_be_cloned};
use super::cost::{iteration_cost, recurrence_latency};
use super::induction::InductionVariables;
use super::rewiring::close;
use super::trip_count::ExitTest;
use crate::opt::ir::edges::{block_args, passed_values, retarget, successors};
use crate::opt::ir::loop_discovery::Loop;

/// What two iterations may cost.
const MAX_UNROLL_BY_TWO_COST: u64 = 20;

/// Unrolls the loops for which it pays, and says whether there are some.
pub(crate) fn run(function: &mut Function, loops: &[&Loop]) -> bool {
    let variables_of = |inner: &&Loop| profitable(function, inner);
    let loops: Vec<(&Loop, InductionVariables)> =
        loops.iter().filter_map(|inner| Some((*inner, variables_of(inner)?))).collect();
    let exits: Vec<ExitBlock> = loops.iter().filter_map(|(inner, _)| split_exit(function, inner)).collect();
    if loops.is_empty() || exits.len() < loops.len() {
        return false;
    }
    close_ssa(function, &loops, &exits);
    // The exit edge of one loop may be the entry edge of another, or lead back to the first of them in an outer loop.
    let moved: HashMap<Inst, Inst> = loops
        .iter()
        .zip(&exits)
        .filter_map(|((inner, _), exit)| Some((*inner.exits.first()?, exit.jump)))
        .collect();
    for (inner, variables) in &loops {
        let mut cloner = Cloner::new(function, inner, variables, None);
        let (first, parameters) = cloner.new_header();
        let (end, parameters) = cloner.iteration(first, &parameters);
        for entry in &inner.entries {
            let entry = moved.get(entry).copied().unwrap_or(*entry);
            retarget(cloner.function, entry, inner.header(), first, None);
        }
        if !inner.exits.contains(&inner.latch) {
            close(cloner.function, inner, end, inner.header(), &parameters);
        }
        let function = cloner.original(1);
        retarget(function, inner.latch, inner.header(), first, None);
    }
    true
}

/// The induction variables of a loop for which unrolling pays.
fn profitable(function: &Function, inner: &Loop) -> Option<InductionVariables> {
    let &[exit] = &inner.exits[..] else { return None };
    if !inner.is_nested || function.layout.is_cold(inner.header()) || !can_be_cloned(function, inner) {
        return None;
    }
    let outside = successors(function, exit).filter(|&to| inner.index(to).is_none());
    if outside.count() != 1 || function.dfg.insts[exit].opcode() != Opcode::Brif {
        return None;
    }
    let variables = InductionVariables::new(function, inner, &[]);
    ExitTest::find(function, inner, &variables)?;
    let cost = iteration_cost(function, inner, &variables, None);
    let latency = recurrence_latency(function, inner, &variables);
    (2 * cost <= MAX_UNROLL_BY_TWO_COST && 2 * latency <= cost).then_some(variables)
}

/// The block on a loop's exit edge, and its jump, which replaces that edge.
struct ExitBlock {
    block: Block,
    jump: Inst,
}

/// Puts a block on a loop's exit edge.
fn split_exit(function: &mut Function, inner: &Loop) -> Option<ExitBlock> {
    let exit = *inner.exits.first()?;
    let call = {
        let dfg = &function.dfg;
        let calls = dfg.insts[exit].branch_destination(&dfg.jump_tables, &dfg.exception_tables);
        *calls.iter().find(|call| inner.index(call.block(&dfg.value_lists)).is_none())?
    };
    let (to, arguments) = (call.block(&function.dfg.value_lists), passed_values(function, call));
    let from = function.layout.inst_block(exit)?;
    let block = function.dfg.make_block();
    function.layout.insert_block_after(block, from);
    if function.layout.is_cold(to) {
        function.layout.set_cold(block);
    }
    retarget(function, exit, to, block, Some(&[]));
    let location = function.srcloc(exit);
    let mut cursor = FuncCursor::new(function).at_bottom(block).with_srcloc(location);
    let jump = cursor.ins().jump(to, &block_args(&arguments));
    Some(ExitBlock { block, jump })
}

/// Makes what follows the loops use parameters of their exit blocks in place of values of the loops.
fn close_ssa(function: &mut Function, loops: &[(&Loop, InductionVariables)], exits: &[ExitBlock]) {
    function.dfg.resolve_all_aliases();
    let mut defined_in: HashMap<Value, usize> = HashMap::new();
    let mut loop_of: HashMap<Block, usize> = HashMap::new();
    for (index, (inner, _)) in loops.iter().enumerate() {
        for &block in &inner.blocks {
            loop_of.insert(block, index);
            let results = function.layout.block_insts(block).flat_map(|inst| function.dfg.inst_results(inst));
            defined_in.extend(function.dfg.block_params(block).iter().chain(results).map(|&value| (value, index)));
        }
    }
    let mut passed: HashMap<Value, Value> = HashMap::new();
    let mut arguments: Vec<Vec<BlockArg>> = vec![Vec::new(); loops.len()];
    let (dfg, layout) = (&mut function.stencil.dfg, &function.stencil.layout);
    for block in layout.blocks() {
        for inst in layout.block_insts(block) {
            let home =
                |value: &Value| defined_in.get(value).copied().filter(|home| loop_of.get(&block) != Some(home));
            if !dfg.inst_values(inst).any(|value| home(&value).is_some()) {
                continue;
            }
            let mut values: Vec<Value> = dfg.inst_values(inst).collect();
            for value in &mut values {
                if let Some(home) = home(value) {
                    *value = *passed.entry(*value).or_insert_with(|| {
                        arguments[home].push((*value).into());
                        dfg.append_block_param(exits[home].block, dfg.value_type(*value))
                    });
                }
            }
            dfg.overwrite_inst_values(inst, values.into_iter());
        }
    }
    for (((inner, _), exit_block), arguments) in loops.iter().zip(exits).zip(arguments) {
        let Some(&exit) = inner.exits.first() else { continue };
        for call in dfg.insts[exit].branch_destination_mut(&mut dfg.jump_tables, &mut dfg.exception_tables) {
            if call.block(&dfg.value_lists) == exit_block.block {
                call.extend(arguments.iter().copied(), &mut dfg.value_lists);
            }
        }
    }
}
