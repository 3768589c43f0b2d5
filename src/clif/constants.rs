//! Block parameters that are always the same value.
//!
//! Compilers make a constant again in each round of a loop when they are short of registers. Cranelift knows that a
//! parameter is superfluous if all its arguments are one value: its pass runs here, before those that look at loops; then,
//! if they are one number.
//!
//! The rule, the largest set that satisfies it: each argument for the parameter is this constant, or such a parameter with
//! this constant. By induction over the jumps taken, the parameter then is the constant at each of them. The parameter
//! goes, and a constant in the entry block takes its place. Time is linear in the number of arguments: a parameter is
//! first nothing, then perhaps a constant, then perhaps any number.

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, BlockArg, Function, Inst, InstBuilder, Type, Value};
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::{CodegenResult, Context};

use super::bytes::{self, size_of};

/// What is known of a parameter.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Known {
    /// No argument has been seen.
    #[default]
    Nothing,
    Constant(u64),
    Any,
}

impl Known {
    fn meet(self, other: Known) -> Known {
        match (self, other) {
            (Known::Nothing, known) | (known, Known::Nothing) => known,
            (one, other) if one == other => one,
            _ => Known::Any,
        }
    }
}

/// Runs the pass, after Cranelift's own over parameters that are always the same value: what comes next sees neither.
pub(super) fn run(function: &mut Function, isa: &dyn TargetIsa, context: &mut Context) -> CodegenResult<()> {
    std::mem::swap(&mut context.func, function);
    context.compute_cfg();
    context.compute_domtree();
    let removed = context.remove_constant_phis(isa);
    std::mem::swap(&mut context.func, function);
    context.clear();
    removed?;
    remove_constants(function);
    Ok(())
}

/// Replaces parameters that are constants.
fn remove_constants(function: &mut Function) {
    let known = solve(function);
    let Some(entry) = function.layout.entry_block() else { return };
    let blocks: Vec<Block> = function.layout.blocks().collect();
    let mut constants: HashMap<(Type, u64), Value> = HashMap::new();
    // The positions of the parameters that go, the last one first.
    let mut gone: SecondaryMap<Block, Vec<usize>> = SecondaryMap::new();
    for &block in &blocks {
        let parameters = function.dfg.block_params(block).to_vec();
        for (index, &parameter) in parameters.iter().enumerate().rev() {
            let Known::Constant(number) = known[parameter] else { continue };
            let ty = function.dfg.value_type(parameter);
            let value = *constants.entry((ty, number)).or_insert_with(|| {
                let mut cursor = FuncCursor::new(function).at_first_insertion_point(entry);
                cursor.ins().iconst(ty, number as i64)
            });
            function.dfg.remove_block_param(parameter);
            function.dfg.change_to_alias(parameter, value);
            gone[block].push(index);
        }
    }
    if constants.is_empty() {
        return;
    }
    for block in blocks {
        if let Some(last) = function.layout.last_inst(block) {
            remove_arguments(function, last, &gone);
        }
    }
}

fn solve(function: &Function) -> SecondaryMap<Value, Known> {
    let dfg = &function.dfg;
    let mut known: SecondaryMap<Value, Known> = SecondaryMap::new();
    // Where each parameter goes on to.
    let mut goes_to: SecondaryMap<Value, Vec<Value>> = SecondaryMap::new();
    let mut is_parameter: SecondaryMap<Value, bool> = SecondaryMap::new();
    for block in function.layout.blocks().skip(1) {
        for &parameter in dfg.block_params(block) {
            is_parameter[parameter] = size_of(dfg.value_type(parameter)).is_some();
        }
    }
    let mut work: Vec<(Value, Known)> = Vec::new();
    for block in function.layout.blocks() {
        let Some(last) = function.layout.last_inst(block) else { continue };
        for call in dfg.insts[last].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
            let to = dfg.block_params(call.block(&dfg.value_lists));
            for (&parameter, argument) in to.iter().zip(call.args(&dfg.value_lists)) {
                let BlockArg::Value(argument) = argument else {
                    work.push((parameter, Known::Any));
                    continue;
                };
                let argument = dfg.resolve_aliases(argument);
                if is_parameter[argument] {
                    goes_to[argument].push(parameter);
                } else {
                    work.push((parameter, bytes::constant(dfg, argument).map_or(Known::Any, Known::Constant)));
                }
            }
        }
    }
    while let Some((parameter, with)) = work.pop() {
        let (old, new) = (known[parameter], known[parameter].meet(with));
        if new != old {
            known[parameter] = new;
            work.extend(goes_to[parameter].iter().map(|&next| (next, new)));
        }
    }
    known
}

/// Removes the arguments of a branch for parameters that are gone.
fn remove_arguments(function: &mut Function, branch: Inst, gone: &SecondaryMap<Block, Vec<usize>>) {
    let dfg = &mut function.stencil.dfg;
    let (tables, exceptions) = (&mut dfg.jump_tables, &mut dfg.exception_tables);
    for call in dfg.insts[branch].branch_destination_mut(tables, exceptions) {
        for &index in &gone[call.block(&dfg.value_lists)] {
            call.remove(index, &mut dfg.value_lists);
        }
    }
}
