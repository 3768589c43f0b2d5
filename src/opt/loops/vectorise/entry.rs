//! The code before a vector loop: how many iterations there are, and whether they may be done in vectors.
//!
//! In: a loop and how it counts. Out: a block that the loop is entered by now, with copies of what the loop computes once and for
//! all, the number of its iterations, and the [`Check`]s of its streams (`streams.rs`).

use std::collections::HashMap;

use cranelift_codegen::cursor::FuncCursor;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, Function, Inst, InstBuilder, SourceLoc, Type, Value, types};

use super::lanes::at_end;
use super::streams::{Check, Streams};
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::ir::operands::iconst;
use crate::opt::loops::induction::{self, InductionVariables};
use crate::opt::loops::trip_count::{ExitTest, includes_bound};

/// Loops of more iterations are left to the scalar loop.
pub(super) const MAX_VECTOR_ITERATIONS: i64 = 0x7fff_0000;

/// The block before a loop.
pub(super) struct Entry<'a> {
    pub(super) function: &'a mut Function,
    pub(super) inner: &'a Loop,
    pub(super) variables: &'a InductionVariables,
    pub(super) test: &'a ExitTest,
    /// The location of the code that is made: that of the back edge.
    pub(super) location: SourceLoc,
    /// The block that the loop is entered by now.
    pub(super) block: Block,
    /// Its parameters, which are those of the header.
    pub(super) parameters: Vec<Value>,
    /// The loop's values in its first iteration.
    pub(super) values: HashMap<Value, Value>,
}

impl<'a> Entry<'a> {
    /// Puts a block before the loop, with copies of these instructions of it.
    pub(super) fn new(
        function: &'a mut Function,
        inner: &'a Loop,
        variables: &'a InductionVariables,
        test: &'a ExitTest,
        hoisted: &[Inst],
    ) -> Entry<'a> {
        let block = function.dfg.make_block();
        function.layout.insert_block(block, inner.header());
        let old = function.dfg.block_params(inner.header()).to_vec();
        let types: Vec<Type> = old.iter().map(|&old| function.dfg.value_type(old)).collect();
        let parameters: Vec<Value> = types.iter().map(|&ty| function.dfg.append_block_param(block, ty)).collect();
        let values: HashMap<Value, Value> = old.into_iter().zip(parameters.iter().copied()).collect();
        let location = function.srcloc(inner.latch);
        let mut entry = Entry { function, inner, variables, test, location, block, parameters, values };
        for &inst in hoisted {
            if !entry.values.contains_key(&entry.function.dfg.first_result(inst)) {
                let results = clone_into(entry.function, inst, block, &entry.values);
                entry.values.extend(results);
            }
        }
        entry
    }

    /// A cursor at the end of the block.
    pub(super) fn cursor(&mut self) -> FuncCursor<'_> {
        at_end(self.function, self.block, self.location)
    }

    /// A value of the loop as it is in the first iteration.
    pub(super) fn at_entry(&self, value: Value) -> Value {
        self.values.get(&value).copied().unwrap_or(value)
    }

    /// Computes the number of the last iteration, and whether it is that, and neither too small nor too large.
    pub(super) fn count(&mut self, least: i64) -> (Value, Value) {
        let (bound, counter) = (self.at_entry(self.test.bound), self.parameters[self.test.index]);
        let test = self.test;
        let mut cursor = self.cursor();
        let is_32_bits = test.is_32_bits();
        let bound = if is_32_bits { cursor.ins().uextend(types::I64, bound) } else { bound };
        let sum = plus(&mut cursor, counter, test.ahead);
        let distance = if test.step > 0 { cursor.ins().isub(bound, sum) } else { cursor.ins().isub(sum, bound) };
        let step = test.step.unsigned_abs() as i64;
        let scale = iconst(&mut cursor, types::I64, i64::from(step.trailing_zeros()));
        let code = test.code;
        let count = if code == IntCC::NotEqual {
            cursor.ins().ushr(distance, scale)
        } else if includes_bound(code) {
            let whole = cursor.ins().ushr(distance, scale);
            plus(&mut cursor, whole, 1)
        } else {
            let less = plus(&mut cursor, distance, -1);
            let whole = cursor.ins().ushr(less, scale);
            plus(&mut cursor, whole, 1)
        };
        // Negative distances are counts above the maximum. Those of 64 bits are exact modulo 2^64.
        let above_least = plus(&mut cursor, count, -least);
        let max = iconst(&mut cursor, types::I64, MAX_VECTOR_ITERATIONS);
        let mut condition = cursor.ins().icmp(IntCC::UnsignedLessThan, above_least, max);
        if code == IntCC::NotEqual && step > 1 {
            let mask = iconst(&mut cursor, types::I64, step - 1);
            let rest = cursor.ins().band(distance, mask);
            let zero = iconst(&mut cursor, types::I64, 0);
            let is_multiple = cursor.ins().icmp(IntCC::Equal, rest, zero);
            condition = cursor.ins().band(condition, is_multiple);
        }
        if code != IntCC::NotEqual && !is_32_bits {
            let stays = cursor.ins().icmp(code, sum, bound);
            condition = cursor.ins().band(condition, stays);
        }
        (count, condition)
    }

    /// The address of the first element of each stream.
    pub(super) fn starts(&mut self, streams: &Streams) -> Vec<Value> {
        let mut starts = Vec::with_capacity(streams.all.len());
        for stream in &streams.all {
            let address = self.at_entry(stream.access.address);
            let mut cursor = self.cursor();
            starts.push(plus(&mut cursor, address, stream.access.offset.into()));
        }
        starts
    }

    /// Whether a check holds for a vector loop of `whole` iterations.
    pub(super) fn check(&mut self, check: Check, streams: &Streams, starts: &[Value], whole: Value) -> Value {
        let is_up = streams.is_up();
        let mut cursor = self.cursor();
        match check {
            Check::Distance { streams: [a, b], from, length } => {
                let [start, to] = if is_up { [a, b] } else { [b, a] }.map(|index| starts[index]);
                let distance = cursor.ins().isub(to, start);
                let distance = plus(&mut cursor, distance, -from);
                let length = iconst(&mut cursor, types::I64, length);
                cursor.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, distance, length)
            }
            Check::Apart { streams: [a, b], extents } => {
                // From the end of A to the end of what would be too close behind B, around the address space.
                let [first, second] = [a, b].map(|index| streams.all[index].size());
                let distance = cursor.ins().isub(starts[b], starts[a]);
                let length = times(&mut cursor, whole, first);
                let length = plus(&mut cursor, length, extents[0]);
                let beyond = cursor.ins().isub(distance, length);
                let both = times(&mut cursor, whole, first + second);
                let both = plus(&mut cursor, both, extents[0] + extents[1]);
                let room = cursor.ins().ineg(both);
                cursor.ins().icmp(IntCC::UnsignedLessThanOrEqual, beyond, room)
            }
        }
    }

    /// A value that is an induction variable, after so many iterations.
    pub(super) fn after(&mut self, value: Value, iterations: Value) -> Value {
        let start = self.at_entry(value);
        let (low, step) = (self.variables.low_steps.get(&value).copied(), self.variables.step_inside(value));
        let mut cursor = self.cursor();
        match (low, step) {
            (Some(step), _) => {
                let low = cursor.ins().ireduce(types::I32, start);
                let count = cursor.ins().ireduce(types::I32, iterations);
                let more = times(&mut cursor, count, step);
                let low = cursor.ins().iadd(low, more);
                cursor.ins().uextend(types::I64, low)
            }
            (None, Some(step)) if step != 0 => {
                let ty = cursor.func.dfg.value_type(start);
                let count = if ty == types::I64 { iterations } else { cursor.ins().ireduce(ty, iterations) };
                let more = times(&mut cursor, count, step);
                cursor.ins().iadd(start, more)
            }
            _ => start,
        }
    }
}

/// Appends a copy of an instruction to a block, with other operands. Out: the results and their copies.
pub(super) fn clone_into(
    function: &mut Function,
    inst: Inst,
    block: Block,
    values: &HashMap<Value, Value>,
) -> Vec<(Value, Value)> {
    let copy = function.dfg.clone_inst(inst);
    function.dfg.map_inst_values(copy, |value| values.get(&value).copied().unwrap_or(value));
    function.layout.append_inst(copy, block);
    let location = function.srcloc(inst);
    function.set_srcloc(copy, location);
    let results = function.dfg.inst_results(inst).iter().zip(function.dfg.inst_results(copy));
    results.map(|(&old, &new)| (old, new)).collect()
}

/// The sum of a value and a constant.
pub(super) fn plus(cursor: &mut FuncCursor<'_>, value: Value, constant: i64) -> Value {
    if constant == 0 {
        return value;
    }
    if let Some(known) = induction::signed(&cursor.func.dfg, value) {
        return iconst(cursor, types::I64, known.wrapping_add(constant));
    }
    let constant = iconst(cursor, types::I64, constant);
    cursor.ins().iadd(value, constant)
}

/// The product of a value and a constant.
pub(super) fn times(cursor: &mut FuncCursor<'_>, value: Value, constant: i64) -> Value {
    if constant == 1 {
        return value;
    }
    let ty = cursor.func.dfg.value_type(value);
    let constant = match induction::signed(&cursor.func.dfg, value) {
        Some(known) => return iconst(cursor, ty, known.wrapping_mul(constant)),
        None => iconst(cursor, ty, constant),
    };
    cursor.ins().imul(value, constant)
}
