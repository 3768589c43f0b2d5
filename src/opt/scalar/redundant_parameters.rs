//! Redundant block parameters: those that are always the same value, or the same constant (`ir/parameter_values.rs`).
//!
//! Compilers materialise a constant again in each iteration of a loop when they are short of registers, and Cranelift's
//! frontend makes parameters of what a loop does not change. Cranelift removes the latter before it optimises; here they are
//! removed before the passes that look at loops.
//!
//! In: a function. Out: the same without such parameters: the value takes a parameter's place, or a constant in the entry
//! block. Sound: the value dominates the parameter's block (`parameter_values.rs` has the argument).
//!
//! Tried, and not kept: parameters whose arguments are all one other parameter, which stays (`coremix` 0.97, `sha256` and
//! `mergesort` 0.98, but `fft` 1.05, `chacha20` 1.04, `knapsack` 1.03).

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, Function, InstBuilder, Type, Value};

use crate::opt::ir::edges::remove_arguments;
use crate::opt::ir::operands::constant;
use crate::opt::ir::parameter_values::{ParameterValue, parameter_values};
use crate::opt::pass::PassContext;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, _: &mut PassContext<'_>) {
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
    if !has_removed {
        return;
    }
    for block in blocks {
        if let Some(last) = function.layout.last_inst(block) {
            remove_arguments(function, last, &removed);
        }
    }
}
