//! Pointers that move with a counter are indexed by it.
//!
//! BPF addresses memory by a register and a constant, so LLVM makes a pointer of each array that a loop goes through, and each is moved
//! in each iteration. x86-64 adds a register to another one, times 1, 2, 4 or 8, as part of an access.
//!
//! | parameters of a loop's header, with constant steps | |
//! |---|---|
//! | `p`, and `q` that only accesses use, whose step is that of `p` times 1, 2, 4 or 8 | `q` is `(q0 - p0 * n) + p * n` |
//! | the same, where `p0` is no constant, nor `q0` a sum with `p0 * n`, nor `n` 1 | left: the difference would be several instructions |
//! | `q` that anything else uses too | left |
//!
//! `p` is what the loop counts by otherwise, or else the one with the least step. `q0` and `p0` are what they start with.
//!
//! In: a function. Out: the same with fewer parameters of loops, and what they are instead at the start of their headers, from where
//! Cranelift takes it into the accesses. Sound: by induction over the iterations, modulo 2^64; what is computed of `q0` and `p0` is
//! computed where the only way into the loop passes them.
//!
//! Measured, in executed instructions: `lcs` 0.93, `edit_distance` and `strings` 0.95, `mersenne` and `dijkstra` 0.97; of Embench,
//! `md5sum` 0.88, `huffbench` 0.93, `primecount` 0.94; in time, with other load, `edn` 0.91, `huffbench` 0.96, `md5sum` 1.04, the others
//! as before. Tried, and not kept: bases of several instructions (`huffman` 1.01, whose loops have few iterations).
//!
//! Time is linear: each operand is looked through [`induction::linear`]'s few additions.

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{
    Block, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Value, types,
};

use super::induction;
use crate::opt::ir::analyses::ControlFlow;
use crate::opt::ir::edges::{argument, passed, remove_arguments};
use crate::opt::ir::operands::{binary_operands, constant, each_operand, iconst};
use crate::opt::pass::PassContext;

/// The most a pointer moves by for each step of its counter, as a power of two.
const MAX_SHIFT: u32 = 3;

/// A parameter of a loop's header that moves by a constant.
#[derive(Clone, Copy)]
struct Moving {
    parameter: Value,
    index: usize,
    /// What it is in the first iteration.
    start: Value,
    step: i64,
    /// Whether something but accesses and its own increment uses it.
    is_counted: bool,
}

/// A loop with such parameters.
struct Counted {
    header: Block,
    entry: Inst,
    moving: Vec<Moving>,
}

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let mut loops = loops(function, context);
    if loops.is_empty() {
        return;
    }
    mark_counted(function, &mut loops);
    // The indices of removed parameters, the last one first.
    let mut removed: SecondaryMap<Block, Vec<usize>> = SecondaryMap::new();
    let mut has_removed = false;
    for counted in &loops {
        for found in indexed(&function.dfg, &counted.moving) {
            removed[counted.header].push(found.pointer.index);
            has_removed = true;
            index(function, counted, &found);
        }
    }
    if has_removed {
        removed.values_mut().for_each(|indices| indices.sort_unstable_by(|one, other| other.cmp(one)));
        let branches: Vec<Inst> =
            function.layout.blocks().filter_map(|block| function.layout.last_inst(block)).collect();
        branches.into_iter().for_each(|branch| remove_arguments(function, branch, &removed));
    }
}

/// The loops with one way in and at least two parameters that move by constants.
fn loops(function: &Function, context: &mut PassContext<'_>) -> Vec<Counted> {
    let ControlFlow { graph, dominators, loops } = context.analyses.control_flow(function);
    let found = loops.loops().filter_map(|inner| {
        let header = loops.loop_header(inner);
        if function.layout.is_cold(header) || function.dfg.num_block_params(header) < 2 {
            return None;
        }
        let (mut entry, mut back) = (None, Vec::new());
        for edge in graph.pred_iter(header) {
            match dominators.block_dominates(header, edge.block) {
                true => back.push(edge.inst),
                false if entry.is_none() => entry = Some(edge.inst),
                false => return None,
            }
        }
        let entry = entry?;
        let parameters = function.dfg.block_params(header).iter().enumerate();
        let moving: Vec<Moving> = parameters
            .filter_map(|(index, &parameter)| {
                let start = argument(function, entry, header, index)?;
                let step = step(function, header, parameter, index, &back)?;
                Some(Moving { parameter, index, start, step, is_counted: false })
            })
            .filter(|moving| function.dfg.value_type(moving.parameter) == types::I64)
            .collect();
        (moving.len() > 1).then_some(Counted { header, entry, moving })
    });
    found.collect()
}

/// What all back edges add to a parameter, if that is one constant.
fn step(function: &Function, header: Block, parameter: Value, index: usize, back: &[Inst]) -> Option<i64> {
    let mut steps = back.iter().map(|&branch| {
        let next = argument(function, branch, header, index)?;
        let (root, step) = induction::linear(&function.dfg, next);
        (function.dfg.resolve_aliases(root) == parameter && step != 0).then_some(step)
    });
    let first = steps.next()??;
    steps.all(|step| step == Some(first)).then_some(first)
}

/// Finds out which of the parameters are more than addresses.
fn mark_counted(function: &Function, loops: &mut [Counted]) {
    let dfg = &function.dfg;
    let mut places: HashMap<Value, (usize, usize)> = HashMap::new();
    for (of, counted) in loops.iter().enumerate() {
        places.extend(counted.moving.iter().enumerate().map(|(place, moving)| (moving.parameter, (of, place))));
    }
    let place = |value: Value| places.get(&dfg.resolve_aliases(induction::linear(dfg, value).0)).copied();
    for block in function.layout.blocks() {
        for inst in function.layout.block_insts(block) {
            let data = &dfg.insts[inst];
            // The sums are looked through where they are used.
            let is_sum = match *data {
                InstructionData::Binary { opcode: Opcode::Iadd | Opcode::Isub, args: [left, right] } => {
                    [left, right].into_iter().any(|side| induction::signed(dfg, side).is_some())
                }
                _ => false,
            };
            if is_sum {
                continue;
            }
            if data.opcode().is_terminator() {
                for passed in passed(function, inst) {
                    if let Some((of, at)) = place(passed.value) {
                        let moving = &mut loops[of].moving[at];
                        moving.is_counted |= passed.parameter != moving.parameter;
                    }
                }
                for &value in dfg.inst_args(inst) {
                    if let Some((of, at)) = place(value) {
                        loops[of].moving[at].is_counted = true;
                    }
                }
                continue;
            }
            let address = match *data {
                InstructionData::Load { arg, .. } => Some(arg),
                InstructionData::Store { args: [_, address], .. } => Some(address),
                _ => None,
            };
            let mut is_address = address.is_some();
            each_operand(dfg, inst, |value| {
                // An access has its address once.
                let is_only_address = is_address && Some(value) == address;
                is_address &= !is_only_address;
                if let Some((of, at)) = place(value).filter(|_| !is_only_address) {
                    loops[of].moving[at].is_counted = true;
                }
            });
        }
    }
}

/// A pointer that becomes the sum of a base and a counter times a power of two.
struct Indexed {
    pointer: Moving,
    counter: Moving,
    shift: u32,
    /// The base as a value and a constant; none if it is the difference of what both start with.
    base: Option<(Value, i64)>,
}

/// Which parameters are indexed by which one.
fn indexed(dfg: &DataFlowGraph, moving: &[Moving]) -> Vec<Indexed> {
    let Some(&counter) = moving.iter().min_by_key(|moving| (!moving.is_counted, moving.step.unsigned_abs())) else {
        return Vec::new();
    };
    let others = moving.iter().filter(|other| other.parameter != counter.parameter && !other.is_counted);
    let found = others.filter_map(|&pointer| {
        let shift = (0..=MAX_SHIFT).find(|&by| counter.step.checked_mul(1 << by) == Some(pointer.step))?;
        let base = base(dfg, pointer.start, counter.start, shift);
        // Else a loop of few iterations would take longer.
        (base.is_some() || shift == 0).then_some(Indexed { pointer, counter, shift, base })
    });
    found.collect()
}

/// What a pointer is more than a counter times a power of two, as a value and a constant: where the counter is a constant, and for
/// `(x + (i << n)) + a` and `i + b`.
fn base(dfg: &DataFlowGraph, pointer: Value, counter: Value, shift: u32) -> Option<(Value, i64)> {
    let (sum, ahead) = induction::linear(dfg, pointer);
    if let Some(number) = induction::signed(dfg, counter) {
        return Some((sum, ahead.wrapping_sub(number.wrapping_shl(shift))));
    }
    let (counter, by) = induction::linear(dfg, counter);
    let [left, right] = binary_operands(dfg, sum, Opcode::Iadd)?;
    let is_scaled = |value: Value| {
        let scaled = match shift {
            0 => Some(value),
            _ => binary_operands(dfg, value, Opcode::Ishl)
                .filter(|&[_, amount]| constant(dfg, amount) == Some(u64::from(shift)))
                .map(|[value, _]| value),
        };
        scaled.is_some_and(|value| dfg.resolve_aliases(value) == dfg.resolve_aliases(counter))
    };
    let base = if is_scaled(right) { left } else { is_scaled(left).then_some(right)? };
    Some((base, ahead.wrapping_sub(by.wrapping_shl(shift))))
}

/// Computes a pointer from a counter where the loop begins, and not by its parameter.
fn index(function: &mut Function, counted: &Counted, found: &Indexed) {
    let &Indexed { pointer, counter, shift, base } = found;
    let location = function.srcloc(counted.entry);
    let mut cursor = FuncCursor::new(function).at_inst(counted.entry).with_srcloc(location);
    let base = match base {
        Some((base, 0)) => base,
        Some((base, by)) => {
            let by = iconst(&mut cursor, types::I64, by);
            cursor.ins().iadd(base, by)
        }
        None => cursor.ins().isub(pointer.start, counter.start),
    };
    cursor.goto_first_insertion_point(counted.header);
    let offset = match shift {
        0 => counter.parameter,
        _ => {
            let by = iconst(&mut cursor, types::I64, i64::from(shift));
            cursor.ins().ishl(counter.parameter, by)
        }
    };
    let address = cursor.ins().iadd(base, offset);
    function.dfg.remove_block_param(pointer.parameter);
    function.dfg.change_to_alias(pointer.parameter, address);
}
