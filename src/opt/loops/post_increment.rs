//! Post-increment exit tests: a loop's back edge compares, and passes, the value that the next iteration starts with.
//!
//! Cranelift's optimiser turns `i + k == n` into `i == n - k`, and computes `i + k` where it is used: both the old and the new `i`
//! are live at the end of the loop, which costs a move, and a jump around it, in each iteration. Here the sum is computed before
//! the branch, as an opaque value (`ir/opaque.rs`).
//!
//! | branch, one of whose edges is a back edge and passes `i + k`, with a constant `k` | becomes |
//! |---|---|
//! | on `i + k cond x` | on `next cond x` |
//! | on `i == n`, `i != n`, with a constant `n` | on `next == n + k`, `next != n + k` |
//! | stays in the loop if `i < n`, unsigned, or `i <= n` (exits if not) | `next < n + k`, `next <= n + k` |
//! | on any other ordered comparison of `i` | on the same comparison of `next - k` |
//! | on a comparison of `i + c`, with another constant `c` (unrolled loops) | the same, of `i` with `n - c`, or of `next + c - k` |
//! | on anything | passes `next` in place of `i + k` |
//!
//! where `next` is `i + k`. `i` has 64 bits, or 32, or is the low 32 bits of a value that `i + k` is zero-extended to; comparisons are of
//! any of these. In the third row it has 64 bits, and each iteration starts with a constant, or with `next` over this edge of this
//! branch; all numbers are below 2^40 (`exit_comparison.rs`).
//!
//! Sound: `next` is the same number; and adding `k` to both sides preserves (in)equality, modulo the size of what is compared.
//! Where the low 32 bits are counted, so that `i + k` is modulo 2^32, only low halves are compared so. It preserves an ordered
//! comparison if neither sum wraps: by induction over the iterations, `i` is an initial value, or passed this branch, so it is at
//! most `n + k`. One pass over the branches.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{
    Block, BlockArg, DataFlowGraph, Function, Inst, InstructionData, Opcode, Value, ValueDef, types,
};

use super::exit_comparison::{Increment, compare_next};
use crate::opt::ir::analyses::ControlFlow;
use crate::opt::ir::edges::LayoutOrder;
use crate::opt::ir::opaque::opaque_like;
use crate::opt::ir::operands::{constant, each_operand, unary_operand};
use crate::opt::pass::PassContext;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let analyses = &mut context.analyses;
    let layout = LayoutOrder::new(function);
    let blocks: Vec<Block> = function.layout.blocks().collect();
    // The pass changes no blocks or edges.
    let ControlFlow { graph, dominators, .. } = analyses.control_flow(function);
    // For each sum, the first block that passes it, and its opaque copy.
    let mut passed: SecondaryMap<Value, Option<(Block, Value)>> = SecondaryMap::new();
    for &block in &blocks {
        let Some(branch) = function.layout.last_inst(block) else { continue };
        // A back edge leads to a dominating block; in an irreducible loop, at least to one further up.
        let is_back_edge = |to: Block| layout.is_backward(block, to) || dominators.block_dominates(to, block);
        let mut increments = increments(function, branch, is_back_edge);
        if increments.is_empty() {
            continue;
        }
        let location = function.srcloc(branch);
        let mut cursor = FuncCursor::new(function).at_inst(branch).with_srcloc(location);
        for increment in &mut increments {
            increment.next = opaque_like(&mut cursor, increment.sum);
            passed[increment.sum].get_or_insert((block, increment.next));
        }
        compare_next(&mut cursor, branch, &increments, graph);
        pass_next(&mut cursor.func.dfg, branch, &increments);
    }
    use_next(function, dominators, &passed);
}

/// Rewrites later uses, so that the old counter is dead.
fn use_next(
    function: &mut Function,
    dominators: &DominatorTree,
    passed: &SecondaryMap<Value, Option<(Block, Value)>>,
) {
    if passed.values().all(Option::is_none) {
        return;
    }
    let (dfg, layout) = (&mut function.stencil.dfg, &function.stencil.layout);
    for block in layout.blocks() {
        for inst in layout.block_insts(block) {
            let next = |value: Value, aliases: &DataFlowGraph| {
                let (home, next) = passed[aliases.resolve_aliases(value)]?;
                (home != block && dominators.block_dominates(home, block)).then_some(next)
            };
            let mut is_rewritten = false;
            each_operand(dfg, inst, |value| is_rewritten |= next(value, dfg).is_some());
            if is_rewritten {
                let rewritten: Vec<Value> =
                    dfg.inst_values(inst).map(|value| next(value, dfg).unwrap_or(value)).collect();
                dfg.overwrite_inst_values(inst, rewritten.into_iter());
            }
        }
    }
}

/// The sums that the back edges of a branch pass.
fn increments(function: &Function, branch: Inst, is_back_edge: impl Fn(Block) -> bool) -> Vec<Increment> {
    let dfg = &function.dfg;
    let mut increments: Vec<Increment> = Vec::new();
    let InstructionData::Brif { blocks, .. } = dfg.insts[branch] else { return increments };
    for (edge, call) in blocks.iter().enumerate() {
        if !is_back_edge(call.block(&dfg.value_lists)) {
            continue;
        }
        for argument in call.args(&dfg.value_lists) {
            let BlockArg::Value(sum) = argument else { continue };
            let sum = dfg.resolve_aliases(sum);
            if increments.iter().all(|increment| increment.sum != sum)
                && let Some((counter, by, is_32_bits)) = increment(dfg, sum)
            {
                increments.push(Increment { counter, sum, by, is_32_bits, edge, next: sum });
            }
        }
    }
    increments
}

/// A value as the sum of a value and a constant, and whether only the low 32 bits are added: of 32-bit values, or zero-extended.
fn increment(dfg: &DataFlowGraph, sum: Value) -> Option<(Value, u64, bool)> {
    let ty = dfg.value_type(sum);
    if !matches!(ty, types::I32 | types::I64) {
        return None;
    }
    let low = unary_operand(dfg, sum, Opcode::Uextend);
    let ValueDef::Result(add, _) = dfg.value_def(low.unwrap_or(sum)) else { return None };
    let InstructionData::Binary { opcode: Opcode::Iadd, args: [from, by] } = dfg.insts[add] else { return None };
    let by = constant(dfg, by)?;
    match low {
        Some(low) if dfg.value_type(low) == types::I32 => {
            Some((unary_operand(dfg, from, Opcode::Ireduce)?, by, true))
        }
        Some(_) => None,
        None => Some((dfg.resolve_aliases(from), by, ty == types::I32)),
    }
}

/// Makes a branch pass the opaque copies.
fn pass_next(dfg: &mut DataFlowGraph, branch: Inst, increments: &[Increment]) {
    let next = |value: Value| {
        let sum = dfg.resolve_aliases(value);
        increments.iter().find(|increment| increment.sum == sum).map_or(value, |increment| increment.next)
    };
    let values: Vec<Value> = dfg.inst_values(branch).map(next).collect();
    dfg.overwrite_inst_values(branch, values.into_iter());
}
