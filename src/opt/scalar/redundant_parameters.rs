//! Redundant block parameters: those that are always the same value, or the same constant (`ir/parameter_values.rs`).
//!
//! Compilers materialise a constant again in each iteration of a loop when they are short of registers, and Cranelift's
//! frontend makes parameters of what a loop does not change. Cranelift removes the latter before it optimises; here they are
//! removed before the passes that look at loops.
//!
//! Then those of a block that no back edge leads to which are the same as another one of it, on each edge: compilers copy a register
//! before two paths meet, since BPF computes in place (`r5 = r2; r2 += 1`), and each of the two would be moved on each edge.
//!
//! In: a function. Out: the same without such parameters: the value takes a parameter's place, or a constant in the entry
//! block, or the other parameter. Sound: the value dominates the parameter's block (`parameter_values.rs` has the argument).
//!
//! Measured, in executed instructions: without the duplicates, `json` takes 0.98, and 0.97 of the jumps that are taken, `mergesort` 0.995,
//! and the others are as before. At loop headers too it would be 0.986 for `bitboard` and 0.994 for `bitset`; steps over machine code do
//! some of that (`x86/steps/loop_rotation.rs`).
//!
//! Tried, and not kept: parameters whose arguments are all one other parameter, which stays (`coremix` 0.97, `sha256` and
//! `mergesort` 0.98, but `fft` 1.05, `chacha20` 1.04, `knapsack` 1.03).

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::entity::packed_option::PackedOption;
use cranelift_codegen::ir::{Block, BlockArg, Function, InstBuilder, Type, Value};

use crate::opt::ir::edges::{LayoutOrder, remove_arguments};
use crate::opt::ir::operands::{constant, value_map};
use crate::opt::ir::parameter_values::{ParameterValue, parameter_values};
use crate::opt::pass::PassContext;

/// A parameter is compared with so many of its block at most.
const MAX_COMPARED: usize = 32;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, _: &mut PassContext<'_>) {
    remove_known(function);
    remove_duplicates(function);
}

/// Removes the parameters that are always one value.
fn remove_known(function: &mut Function) {
    let known = parameter_values(function);
    let Some(entry) = function.layout.entry_block() else { return };
    let blocks: Vec<Block> = function.layout.blocks().collect();
    let mut constants: HashMap<(Type, u64), Value> = HashMap::new();
    // The indices of removed parameters, the last one first.
    let mut removed: SecondaryMap<Block, Vec<usize>> = SecondaryMap::new();
    let mut has_removed = false;
    for &block in blocks.iter().skip(1) {
        for index in (0..function.dfg.num_block_params(block)).rev() {
            let parameter = function.dfg.block_params(block)[index];
            let value = match known[parameter] {
                ParameterValue::Same(value) => value,
                ParameterValue::Constant(one) => {
                    let Some(number) = constant(&function.dfg, one) else { continue };
                    let ty = function.dfg.value_type(parameter);
                    *constants.entry((ty, number)).or_insert_with(|| {
                        let mut cursor = FuncCursor::new(function).at_first_insertion_point(entry);
                        cursor.ins().iconst(ty, number as i64)
                    })
                }
                ParameterValue::Undefined | ParameterValue::Varying => continue,
            };
            function.dfg.remove_block_param(parameter);
            function.dfg.change_to_alias(parameter, value);
            removed[block].push(index);
            has_removed = true;
        }
    }
    if has_removed {
        remove_passed(function, blocks, &removed);
    }
}

/// Removes the parameters that are the same as another one of their block, which is no loop header.
fn remove_duplicates(function: &mut Function) {
    let same = duplicates(function);
    let blocks: Vec<Block> = function.layout.blocks().collect();
    let mut removed: SecondaryMap<Block, Vec<usize>> = SecondaryMap::new();
    let mut has_removed = false;
    for &block in blocks.iter().skip(1) {
        for index in (0..function.dfg.num_block_params(block)).rev() {
            let parameter = function.dfg.block_params(block)[index];
            if let Some(other) = same[parameter].expand() {
                function.dfg.remove_block_param(parameter);
                function.dfg.change_to_alias(parameter, other);
                removed[block].push(index);
                has_removed = true;
            }
        }
    }
    if has_removed {
        remove_passed(function, blocks, &removed);
    }
}

/// For each parameter, one before it of the same block that is passed the same value on each edge, none of which is a back edge. That one
/// has no such other: it is the first that is passed what the block's first edge passes.
fn duplicates(function: &Function) -> SecondaryMap<Value, PackedOption<Value>> {
    let dfg = &function.dfg;
    let mut same: SecondaryMap<Value, PackedOption<Value>> = value_map(dfg);
    let mut is_seen: SecondaryMap<Block, bool> = SecondaryMap::with_capacity(dfg.num_blocks());
    let order = LayoutOrder::new(function);
    for from in function.layout.blocks() {
        let Some(last) = function.layout.last_inst(from) else { continue };
        for call in dfg.insts[last].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
            let block = call.block(&dfg.value_lists);
            let parameters = dfg.block_params(block);
            if parameters.len() < 2 {
                continue;
            }
            // What a call returns, or a back edge passes, is like nothing else.
            let is_backward = order.is_backward(from, block);
            let value = |argument: BlockArg| argument.as_value().filter(|_| !is_backward);
            let arguments: Vec<Option<Value>> = call
                .args(&dfg.value_lists)
                .map(|argument| value(argument).map(|value| dfg.resolve_aliases(value)))
                .collect();
            let is_first = !std::mem::replace(&mut is_seen[block], true);
            for (index, &parameter) in parameters.iter().enumerate().skip(1) {
                let is_same = |other: &usize| arguments[*other].is_some() && arguments[*other] == arguments[index];
                let mut before = 0..index.min(MAX_COMPARED);
                let other = match same[parameter].expand() {
                    _ if is_first => before.find(is_same),
                    None => continue,
                    Some(other) => before.find(|&place| parameters[place] == other).filter(is_same),
                };
                same[parameter] = other.map(|other| parameters[other]).into();
            }
        }
    }
    same
}

/// Removes the arguments of all edges for removed parameters.
fn remove_passed(function: &mut Function, blocks: Vec<Block>, removed: &SecondaryMap<Block, Vec<usize>>) {
    for block in blocks {
        if let Some(last) = function.layout.last_inst(block) {
            remove_arguments(function, last, removed);
        }
    }
}
