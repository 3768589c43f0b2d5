//! Block parameters that are always the same value, or the same number.
//!
//! Compilers make a constant again in each round of a loop when they are short of registers, and Cranelift's frontend makes
//! parameters of what a loop does not change. Cranelift removes those before it optimises; here they go before the passes
//! that look at loops.
//!
//! The rule, the largest set that satisfies it: each argument for the parameter is this value, or this number, or such a
//! parameter of the same value or number. By induction over the jumps taken, the parameter then is that at each of them: it
//! goes, and the value, or a constant in the entry block, takes its place. The value is there: each way to the parameter's
//! block comes through where it is made. Time is linear in the number of arguments: a parameter is first nothing, then
//! perhaps a value, then perhaps a number, then perhaps anything.
//!
//! Tried, and not kept: parameters whose arguments are all one other parameter, which stays (`coremix` 0.97, `sha256` and
//! `mergesort` 0.98, but `fft` 1.05, `chacha20` 1.04, `knapsack` 1.03).

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, DataFlowGraph, Function, Inst, InstBuilder, Type, Value};

use crate::opt::ir::memory_accesses::of_values;
use crate::opt::ir::phi_graph::GoesTo;
use crate::opt::memory::byte_provenance::{constant, size_of};
use crate::opt::pass::PassContext;

/// What is known of a parameter.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Known {
    /// No argument has been seen.
    #[default]
    Nothing,
    /// All arguments are this value.
    Same(Value),
    /// All arguments are the number that this one is.
    Number(Value),
    Any,
}

impl Known {
    fn meet(self, other: Known, dfg: &DataFlowGraph) -> Known {
        match (self, other) {
            (Known::Nothing, known) | (known, Known::Nothing) => known,
            (Known::Any, _) | (_, Known::Any) => Known::Any,
            (one, other) if one == other => one,
            (Known::Same(one) | Known::Number(one), Known::Same(other) | Known::Number(other)) => {
                let has_bytes = size_of(dfg.value_type(one)).is_some();
                let is_same = has_bytes && constant(dfg, one).is_some_and(|it| constant(dfg, other) == Some(it));
                if is_same { Known::Number(one) } else { Known::Any }
            }
        }
    }
}

/// Runs the pass.
pub(crate) fn run(function: &mut Function, _: &mut PassContext<'_>) {
    let known = solve(function);
    let Some(entry) = function.layout.entry_block() else { return };
    let blocks: Vec<Block> = function.layout.blocks().collect();
    let mut constants: HashMap<(Type, u64), Value> = HashMap::new();
    // The positions of the parameters that go, the last one first.
    let mut gone: SecondaryMap<Block, Vec<usize>> = SecondaryMap::new();
    let mut is_any = false;
    for &block in blocks.iter().skip(1) {
        for index in (0..function.dfg.num_block_params(block)).rev() {
            let parameter = function.dfg.block_params(block)[index];
            let value = match known[parameter] {
                Known::Same(value) => value,
                Known::Number(one) => {
                    let Some(number) = constant(&function.dfg, one) else { continue };
                    let ty = function.dfg.value_type(parameter);
                    *constants.entry((ty, number)).or_insert_with(|| {
                        let mut cursor = FuncCursor::new(function).at_first_insertion_point(entry);
                        cursor.ins().iconst(ty, number as i64)
                    })
                }
                Known::Nothing | Known::Any => continue,
            };
            function.dfg.remove_block_param(parameter);
            function.dfg.change_to_alias(parameter, value);
            gone[block].push(index);
            is_any = true;
        }
    }
    if !is_any {
        return;
    }
    for block in blocks {
        if let Some(last) = function.layout.last_inst(block) {
            remove_arguments(function, last, &gone);
        }
    }
}

/// What each parameter is known to be.
pub(crate) fn solve(function: &Function) -> SecondaryMap<Value, Known> {
    let dfg = &function.dfg;
    let mut known: SecondaryMap<Value, Known> = of_values(dfg);
    let mut work: Vec<Value> = Vec::new();
    let goes_to = GoesTo::new(function, |parameter, argument| {
        let old = known[parameter];
        known[parameter] = old.meet(argument.map_or(Known::Any, Known::Same), dfg);
        if old == Known::Nothing {
            work.push(parameter);
        }
    });
    while let Some(parameter) = work.pop() {
        for next in goes_to.of(parameter) {
            let (old, new) = (known[next], known[next].meet(known[parameter], dfg));
            if new != old {
                known[next] = new;
                work.push(next);
            }
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
