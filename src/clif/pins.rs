//! Values that several paths want, and those of long blocks, are computed where the program computes them.
//!
//! Cranelift computes a value where it is used; where two uses lie on paths of which neither leads to the other, it does
//! that twice, and after the paths meet once more: a remainder that BPF computed once is computed at each check against
//! it. And in long blocks it computes all that is put together by `|` first and puts it together last, which takes more
//! registers than there are, while the program got by with ten. Here such a value gets a use right where it is computed,
//! of which no instruction comes: the low one of a pair of words.
//!
//! | value | |
//! |---|---|
//! | costs [`COST`] or more, with what only it uses; used in several blocks of which none is on the way to all | pinned |
//! | what does not change in the loop that it is in | left to be moved out of it |
//! | `&`, `\|`, `^` of words in a block of [`LONG`] simple instructions or more | pinned |
//! | a value made of two loads that only it uses, or of two such values, in a block of [`PAIRS`] of these or more | pinned |
//! | all others: computing them again is cheaper than a register | left |
//!
//! Sound: a value more is computed, where it was before. One pass, over the dominator tree.
//!
//! Tried, and not kept: pinning all other arithmetic of long blocks (no change), and that of 32 bits (sha256 gains what
//! chacha20 loses).

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::{
    Block, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Value, ValueDef, types,
};
use cranelift_codegen::loop_analysis::LoopAnalysis;

use super::bytes::constant;
use super::places;

/// What a value costs at least that is worth a register: in simple instructions.
const COST: u32 = 4;

/// How many simple instructions a long block has.
const LONG: usize = 32;

/// How many values made of two loads are more than there are registers for the loads.
const PAIRS: usize = 8;

/// The cost of a value is not counted further.
const MOST: u32 = 1000;

/// Where a value is used.
#[derive(Clone, Copy, Default)]
struct Uses {
    count: u32,
    /// The first block in reverse postorder that does.
    first: Option<Block>,
    /// There are others, which the first one is not on the way to.
    apart: bool,
}

/// Runs the pass.
pub(super) fn run(function: &mut Function) {
    let mut found = wanted(function);
    found.extend(in_long_blocks(function));
    found.extend(of_loads(function));
    for inst in found {
        let mut value = function.dfg.first_result(inst);
        let location = function.srcloc(inst);
        let is_half = function.dfg.value_type(value) == types::I32;
        let mut cursor = FuncCursor::new(function).after_inst(inst).with_srcloc(location);
        if is_half {
            value = cursor.ins().uextend(types::I64, value);
        }
        let pair = cursor.ins().iconcat(value, value);
        cursor.ins().isplit(pair);
    }
}

/// What long blocks put together.
fn in_long_blocks(function: &Function) -> Vec<Inst> {
    let dfg = &function.dfg;
    let is_simple = |inst: &Inst| !places::is_barrier(dfg, *inst) && cost(function, *inst) > 0;
    let is_wanted = |inst: &Inst| {
        matches!(dfg.insts[*inst].opcode(), Opcode::Band | Opcode::Bor | Opcode::Bxor)
            && dfg.value_type(dfg.first_result(*inst)) == types::I64
    };
    let layout = &function.layout;
    let long = layout.blocks().filter(|&block| layout.block_insts(block).filter(is_simple).nth(LONG - 1).is_some());
    long.flat_map(|block| layout.block_insts(block).filter(is_wanted)).collect()
}

/// What is made of two loads, or of two such values, in blocks of many: loads stay where they are, and would all wait for
/// what is computed last.
fn of_loads(function: &Function) -> Vec<Inst> {
    let (dfg, layout) = (&function.dfg, &function.layout);
    let mut all = Vec::new();
    let mut is_made: SecondaryMap<Inst, bool> = SecondaryMap::new();
    let mut uses: SecondaryMap<Value, u32> = SecondaryMap::new();
    for block in layout.blocks() {
        let mut found = Vec::new();
        for inst in layout.block_insts(block) {
            for value in dfg.inst_values(inst) {
                uses[dfg.resolve_aliases(value)] += 1;
            }
            let is_wanted = |value: Value| {
                source(dfg, value).is_some_and(|inst| {
                    let is_load = dfg.insts[inst].opcode().can_load() && layout.inst_block(inst) == Some(block);
                    is_load || is_made[inst]
                })
            };
            if let InstructionData::Binary { args, .. } = dfg.insts[inst]
                && matches!(dfg.value_type(args[0]), types::I32 | types::I64)
                && args[0] != args[1]
                && !places::is_barrier(dfg, inst)
                && args.into_iter().all(is_wanted)
            {
                is_made[inst] = true;
                found.push(inst);
            }
        }
        if found.len() >= PAIRS {
            all.push(found);
        }
    }
    let is_own = |inst: &Inst| {
        let sources = dfg.inst_args(*inst).iter().filter_map(|&value| source(dfg, value));
        sources.flat_map(|from| dfg.inst_results(from)).all(|&value| uses[value] == 1)
    };
    for found in &mut all {
        found.retain(is_own);
    }
    all.into_iter().filter(|found| found.len() >= PAIRS).flatten().collect()
}

/// The instruction that a value is a part, or an extension of the result of.
fn source(dfg: &DataFlowGraph, value: Value) -> Option<Inst> {
    let mut value = dfg.resolve_aliases(value);
    loop {
        let ValueDef::Result(inst, _) = dfg.value_def(value) else { return None };
        match dfg.insts[inst] {
            InstructionData::Unary { opcode: Opcode::Uextend | Opcode::Sextend | Opcode::Ireduce, arg } => {
                value = dfg.resolve_aliases(arg);
            }
            _ => return Some(inst),
        }
    }
}

/// What several paths want.
fn wanted(function: &Function) -> Vec<Inst> {
    let mut graph = ControlFlowGraph::new();
    graph.compute(function);
    let dominators = DominatorTree::with_function(function, &graph);
    let mut loops = LoopAnalysis::new();
    loops.compute(function, &graph, &dominators);
    let dfg = &function.dfg;
    let mut uses: SecondaryMap<Value, Uses> = SecondaryMap::new();
    let order: Vec<Block> = dominators.cfg_rpo().copied().collect();
    for &block in &order {
        for inst in function.layout.block_insts(block) {
            for value in dfg.inst_values(inst) {
                let uses = &mut uses[dfg.resolve_aliases(value)];
                uses.count += 1;
                let first = *uses.first.get_or_insert(block);
                uses.apart |= !dominators.block_dominates(first, block);
            }
        }
    }
    // What a value costs, with the operands that only it uses.
    let mut costs: SecondaryMap<Value, u32> = SecondaryMap::new();
    let mut found = Vec::new();
    for &block in &order {
        for inst in function.layout.block_insts(block) {
            let &[result] = dfg.inst_results(inst) else { continue };
            if places::is_barrier(dfg, inst) && divisor(function, inst).is_none() {
                continue;
            }
            let own = |value: Value| {
                let value = dfg.resolve_aliases(value);
                if uses[value].count == 1 { costs[value] } else { 0 }
            };
            let cost = dfg.inst_values(inst).fold(cost(function, inst), |sum, value| sum + own(value)).min(MOST);
            costs[result] = cost;
            let changes = |value: Value| {
                let around = loops.innermost_loop(block);
                let home = match dfg.value_def(dfg.resolve_aliases(value)) {
                    ValueDef::Result(inst, _) => function.layout.inst_block(inst),
                    ValueDef::Param(block, _) => Some(block),
                    ValueDef::Union(..) => None,
                };
                around.is_none_or(|around| home.is_some_and(|home| loops.is_in_loop(home, around)))
            };
            if cost >= COST
                && uses[result].apart
                && dfg.value_type(result) == types::I64
                && dfg.inst_values(inst).any(changes)
            {
                found.push(inst);
            }
        }
    }
    found
}

/// What an instruction costs, in simple ones.
fn cost(function: &Function, inst: Inst) -> u32 {
    match function.dfg.insts[inst].opcode() {
        Opcode::Iconst | Opcode::Uextend | Opcode::Ireduce => 0,
        Opcode::Imul | Opcode::Smulhi | Opcode::Umulhi => 3,
        _ => match divisor(function, inst) {
            Some(divisor) if !divisor.is_power_of_two() => 6,
            _ => 1,
        },
    }
}

/// The constant that an instruction divides by, which then is not 0: Cranelift multiplies.
fn divisor(function: &Function, inst: Inst) -> Option<u64> {
    let dfg = &function.dfg;
    match dfg.insts[inst].opcode() {
        Opcode::Udiv | Opcode::Urem | Opcode::Sdiv | Opcode::Srem => {
            dfg.inst_values(inst).nth(1).and_then(|divisor| constant(dfg, divisor)).filter(|&divisor| divisor != 0)
        }
        _ => None,
    }
}
