//! Two rounds of a small loop, each with its test, one after the other.
//!
//! | | one round | two rounds |
//! |---|---|---|
//! | branches taken | at least one a round | one in two |
//! | counters and pointers | an addition each | one in two; the other round has the offset in its accesses |
//!
//! It is for loops whose length is not known: those of constant length do better (`unrolling.rs`). Left alone are loops that
//! wait for the last round anyway, that have several ways out, and those in no other loop.
//!
//! Sound: what a round does, and when the loop is left, is as it was. What is used after the loop is handed on by the way
//! out, to a block of its own, so that either round may leave. One pass over the function hands it on for all loops.

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Block, BlockArg, Function, Inst, InstBuilder, Opcode, Value};

use super::cloning::{Copies, passed};
use super::discovery::{self, Loop};
use super::induction::Steps;
use super::trip_count::Test;
use super::unrolling;

/// What two rounds may cost.
const LARGEST: u64 = 20;

/// Puts two rounds into each of the loops that this pays for.
pub(crate) fn run(function: &mut Function, loops: &[&Loop]) {
    let steps_of = |inner: &&Loop| wanted(function, inner);
    let loops: Vec<(&Loop, Steps)> = loops.iter().filter_map(|inner| Some((*inner, steps_of(inner)?))).collect();
    let ways_out: Vec<WayOut> = loops.iter().filter_map(|(inner, _)| split(function, inner)).collect();
    if loops.is_empty() || ways_out.len() < loops.len() {
        return;
    }
    hand_on(function, &loops, &ways_out);
    // The way out of one loop may be the way into another one, or back to the first of them in an outer one.
    let moved: HashMap<Inst, Inst> = loops
        .iter()
        .zip(&ways_out)
        .filter_map(|((inner, _), way)| Some((*inner.exits.first()?, way.jump)))
        .collect();
    for (inner, steps) in &loops {
        let mut copies = Copies::new(function, inner, steps, None);
        let (first, parameters) = unrolling::head(&mut copies);
        let (end, parameters) = copies.round(first, &parameters);
        for way in &inner.ways_in {
            let way = moved.get(way).copied().unwrap_or(*way);
            unrolling::retarget(copies.function, way, inner.head(), first, None);
        }
        if !inner.exits.contains(&inner.latch) {
            unrolling::close(copies.function, inner, end, inner.head(), &parameters);
        }
        let function = copies.original(1);
        unrolling::retarget(function, inner.latch, inner.head(), first, None);
    }
}

/// The steps of a loop that two rounds pay for.
fn wanted(function: &Function, inner: &Loop) -> Option<Steps> {
    let &[exit] = &inner.exits[..] else { return None };
    if !inner.is_nested || function.layout.is_cold(inner.head()) || !unrolling::can_be_copied(function, inner) {
        return None;
    }
    let outside = discovery::successors(function, exit).filter(|&to| inner.place(to).is_none());
    if outside.count() != 1 || function.dfg.insts[exit].opcode() != Opcode::Brif {
        return None;
    }
    let steps = Steps::new(function, inner, &[]);
    Test::find(function, inner, &steps)?;
    let cost = unrolling::cost(function, inner, &steps, None);
    (2 * cost <= LARGEST && 2 * unrolling::delay(function, inner, &steps) <= cost).then_some(steps)
}

/// The block that a loop is left by, and the jump in it: what leads on in place of the loop's exit.
struct WayOut {
    block: Block,
    jump: Inst,
}

/// Gives a loop's way out a block of its own.
fn split(function: &mut Function, inner: &Loop) -> Option<WayOut> {
    let exit = *inner.exits.first()?;
    let call = {
        let dfg = &function.dfg;
        let calls = dfg.insts[exit].branch_destination(&dfg.jump_tables, &dfg.exception_tables);
        *calls.iter().find(|call| inner.place(call.block(&dfg.value_lists)).is_none())?
    };
    let (to, arguments) = (call.block(&function.dfg.value_lists), passed(function, call));
    let from = function.layout.inst_block(exit)?;
    let block = function.dfg.make_block();
    function.layout.insert_block_after(block, from);
    if function.layout.is_cold(to) {
        function.layout.set_cold(block);
    }
    unrolling::retarget(function, exit, to, block, Some(&[]));
    let location = function.srcloc(exit);
    let mut cursor = FuncCursor::new(function).at_bottom(block).with_srcloc(location);
    let jump = cursor.ins().jump(to, &unrolling::block_args(&arguments));
    Some(WayOut { block, jump })
}

/// Lets what comes after the loops use what their ways out hand on.
fn hand_on(function: &mut Function, loops: &[(&Loop, Steps)], ways_out: &[WayOut]) {
    function.dfg.resolve_all_aliases();
    let mut homes: HashMap<Value, usize> = HashMap::new();
    let mut inside: HashMap<Block, usize> = HashMap::new();
    for (index, (inner, _)) in loops.iter().enumerate() {
        for &block in &inner.blocks {
            inside.insert(block, index);
            let results = function.layout.block_insts(block).flat_map(|inst| function.dfg.inst_results(inst));
            homes.extend(function.dfg.block_params(block).iter().chain(results).map(|&value| (value, index)));
        }
    }
    let mut handed: HashMap<Value, Value> = HashMap::new();
    let mut arguments: Vec<Vec<BlockArg>> = vec![Vec::new(); loops.len()];
    let (dfg, layout) = (&mut function.stencil.dfg, &function.stencil.layout);
    for block in layout.blocks() {
        for inst in layout.block_insts(block) {
            let home = |value: &Value| homes.get(value).copied().filter(|home| inside.get(&block) != Some(home));
            if !dfg.inst_values(inst).any(|value| home(&value).is_some()) {
                continue;
            }
            let mut values: Vec<Value> = dfg.inst_values(inst).collect();
            for value in &mut values {
                if let Some(home) = home(value) {
                    *value = *handed.entry(*value).or_insert_with(|| {
                        arguments[home].push((*value).into());
                        dfg.append_block_param(ways_out[home].block, dfg.value_type(*value))
                    });
                }
            }
            dfg.overwrite_inst_values(inst, values.into_iter());
        }
    }
    for (((inner, _), way), arguments) in loops.iter().zip(ways_out).zip(arguments) {
        let Some(&exit) = inner.exits.first() else { continue };
        for call in dfg.insts[exit].branch_destination_mut(&mut dfg.jump_tables, &mut dfg.exception_tables) {
            if call.block(&dfg.value_lists) == way.block {
                call.extend(arguments.iter().copied(), &mut dfg.value_lists);
            }
        }
    }
}
