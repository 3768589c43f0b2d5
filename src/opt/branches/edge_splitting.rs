//! Critical-edge splitting: edges that pass values get blocks of their own, where those values are materialised and moved.
//!
//! Cranelift computes what a branch passes before the branch, whichever edge is taken, and puts the moves of an edge right
//! after the branch, in the loop that the edge leaves. A block of its own on the edge has the constants that only this edge
//! needs, and lies where its successor's loop is.
//!
//! | edge of a conditional branch, to a block with other predecessors | |
//! |---|---|
//! | leaves the innermost loop, with arguments | split |
//! | in a loop, with two constants or more | split |
//! | to a block with more than [`MAX_SPLIT_PREDECESSORS`] incoming edges: so many blocks cost more registers than they save | left |
//! | any other: a constant or two may well be materialised in the register where it is needed, at no cost | left |
//!
//! Sound: the new block jumps on with the same arguments. One pass over the branches; at most one block for each edge.
//!
//! Tried, and not kept: splitting where a parameter's register is taken by a value that the other edge still needs (the
//! same programs gain, and no others), splitting for sums of constants (`i + 1`) too (slower in most).

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, BlockArg, BlockCall, Function, Inst, InstBuilder, InstructionData};
use cranelift_codegen::loop_analysis::LoopAnalysis;

use crate::opt::ir::edges::successors;
use crate::opt::ir::operands::constant;
use crate::opt::pass::PassContext;

/// From this many constants on, they are rarely all materialised in the register where they are needed.
const MIN_CONSTANTS: usize = 2;

/// Blocks with more incoming edges keep them: register allocation is quadratic in the blocks that all jump to one.
const MAX_SPLIT_PREDECESSORS: u32 = 64;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let analyses = &mut context.analyses;
    let found = edges(function, analyses.control_flow(function).loops);
    if !found.is_empty() {
        analyses.changed();
    }
    for (branch, edge) in found {
        split(function, branch, edge);
    }
}

/// The edges to split: branches, and which of their two edges.
fn edges(function: &Function, loops: &LoopAnalysis) -> Vec<(Inst, usize)> {
    let dfg = &function.dfg;
    let mut predecessors: SecondaryMap<Block, u32> = SecondaryMap::new();
    let mut branches = Vec::new();
    for block in function.layout.blocks() {
        let Some(last) = function.layout.last_inst(block) else { continue };
        for to in successors(function, last) {
            predecessors[to] += 1;
        }
        if let InstructionData::Brif { blocks, .. } = dfg.insts[last]
            && let Some(around) = loops.innermost_loop(block)
        {
            branches.push((last, blocks, around));
        }
    }
    let mut found = Vec::new();
    for (branch, edges, around) in branches {
        for (edge, call) in edges.iter().enumerate() {
            let to = call.block(&dfg.value_lists);
            let is_constant = |arg: &BlockArg| match *arg {
                BlockArg::Value(value) => constant(dfg, value).is_some(),
                _ => false,
            };
            let constants = call.args(&dfg.value_lists).filter(is_constant).count();
            let leaves = !loops.is_in_loop(to, around) && call.len(&dfg.value_lists) > 0;
            if (2..=MAX_SPLIT_PREDECESSORS).contains(&predecessors[to]) && (leaves || constants >= MIN_CONSTANTS) {
                found.push((branch, edge));
            }
        }
    }
    found
}

/// Puts a block on an edge.
fn split(function: &mut Function, branch: Inst, edge: usize) {
    let InstructionData::Brif { opcode, arg, mut blocks } = function.dfg.insts[branch] else { return };
    let Some(from) = function.layout.inst_block(branch) else { return };
    let location = function.srcloc(branch);
    let dfg = &mut function.dfg;
    let call = &mut blocks[edge];
    let to = call.block(&dfg.value_lists);
    let arguments: Vec<BlockArg> = call.args(&dfg.value_lists).collect();
    let between = dfg.make_block();
    *call = BlockCall::new(between, std::iter::empty(), &mut dfg.value_lists);
    dfg.insts[branch] = InstructionData::Brif { opcode, arg, blocks };
    function.layout.insert_block_after(between, from);
    let mut cursor = FuncCursor::new(function).at_bottom(between).with_srcloc(location);
    cursor.ins().jump(to, &arguments);
}
