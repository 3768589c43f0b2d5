//! The vector code that does most iterations of a loop, before it ([`crate::opt::loops::idioms`]).
//!
//! In: what a loop does ([`VectorPlan`]), and how it counts. Out: blocks before it: a guard that computes how many iterations
//! are to be done and checks that they may be done in vectors, the vector loop, and where the scalar loop goes on.

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, Function, Inst, InstBuilder, MemFlagsData, SourceLoc, Type, Value, types};

use super::induction::{self, InductionVariables};
use super::lanes::{Lanes, VECTOR_BYTES};
use super::rewiring::enter;
use super::trip_count::{ExitTest, includes_bound};
use super::vector_plan::{
    MAX_VECTOR_ITERATIONS, MIN_BYTES, MIN_UNROLLED_FILL, StoredValue, UNROLLED_FILL_BYTES, VectorPlan, is_apart,
};
use crate::opt::ir::edges::block_args;
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::ir::operands::iconst;

/// Makes the code before a loop.
pub(crate) struct Vectoriser<'a> {
    function: &'a mut Function,
    inner: &'a Loop,
    variables: &'a InductionVariables,
    test: &'a ExitTest,
    /// The location of the code that is made: that of the back edge.
    location: SourceLoc,
    /// The block that the loop is entered by now.
    guard: Block,
    /// Its parameters, which are those of the header.
    parameters: Vec<Value>,
    /// The loop's values in its first iteration.
    values: HashMap<Value, Value>,
}

/// What the vector loop does.
struct VectorLoop<'l> {
    /// The address that the first vector is stored to.
    to: Value,
    stored: VectorValue<'l>,
    /// Bytes of an iteration.
    group: i64,
    /// Bytes of all its iterations, of 64 bits.
    total: Value,
    /// The header's parameters when the scalar loop goes on.
    next: Vec<Value>,
}

/// What is stored.
enum VectorValue<'l> {
    /// The same byte everywhere: in a vector, alone, and how often it is stored after the vector loop.
    Fill { vector: Value, byte: Value, remainder: i64 },
    /// What is computed from vectors at these addresses, and from splats.
    Computed { lanes: &'l Lanes, from: Vec<Value>, splats: Vec<Value> },
}

impl<'a> Vectoriser<'a> {
    /// Puts a block before the loop, with copies of these instructions of it.
    pub(crate) fn new(
        function: &'a mut Function,
        inner: &'a Loop,
        variables: &'a InductionVariables,
        test: &'a ExitTest,
        hoisted: &[Inst],
    ) -> Vectoriser<'a> {
        let guard = function.dfg.make_block();
        function.layout.insert_block(guard, inner.header());
        let old = function.dfg.block_params(inner.header()).to_vec();
        let types: Vec<Type> = old.iter().map(|&old| function.dfg.value_type(old)).collect();
        let parameters: Vec<Value> = types.iter().map(|&ty| function.dfg.append_block_param(guard, ty)).collect();
        let mut values: HashMap<Value, Value> = old.into_iter().zip(parameters.iter().copied()).collect();
        for &inst in hoisted {
            let copy = function.dfg.clone_inst(inst);
            function.dfg.map_inst_values(copy, |value| values.get(&value).copied().unwrap_or(value));
            function.layout.append_inst(copy, guard);
            let location = function.srcloc(inst);
            function.set_srcloc(copy, location);
            let results = function.dfg.inst_results(inst).iter().zip(function.dfg.inst_results(copy));
            values.extend(results.map(|(&old, &new)| (old, new)));
        }
        let location = function.srcloc(inner.latch);
        Vectoriser { function, inner, variables, test, location, guard, parameters, values }
    }

    /// Makes the code; `last` is the last iteration, if it is constant.
    pub(crate) fn vectorise(mut self, plan: &VectorPlan, last: Option<u64>) {
        let header = self.inner.header();
        enter(self.function, self.inner, self.guard);
        let counted = last.is_none().then(|| self.count(MIN_BYTES / plan.size));
        let mut condition = counted.map(|(_, is_in_range)| is_in_range);
        // Where addresses decrease, a vector ends where its first element does.
        let first_element = if plan.up { 0 } else { plan.size - VECTOR_BYTES };
        let store_address = self.before_loop(plan.store.address);
        let mut cursor = at_end(self.function, self.guard, self.location);
        let to = plus(&mut cursor, store_address, plan.store.offset.into());
        // A constant remainder of a fill is stored here too, and not by the scalar loop.
        let bytes = last.map_or(0, |last| (last as i64).wrapping_mul(plan.size));
        let group = if bytes >= MIN_UNROLLED_FILL && plan.is_fill() { UNROLLED_FILL_BYTES } else { VECTOR_BYTES };
        let remainder = if plan.is_fill() { bytes % group } else { 0 };
        let [total, iterations] = match counted {
            None => {
                let total = bytes - bytes % group;
                [total, (total + remainder) / plan.size].map(|known| iconst(&mut cursor, types::I64, known))
            }
            Some((count, _)) => whole_vectors(&mut cursor, count, plan.size),
        };
        let byte = self.fill_byte(&plan.stored);
        let mut from = Vec::new();
        for load in plan.loads() {
            let address = self.before_loop(load.address);
            let mut cursor = at_end(self.function, self.guard, self.location);
            let start = plus(&mut cursor, address, load.offset.into());
            if plan.is_copy() || is_apart(&plan.store, load).is_none() {
                let is_apart = check_distance(&mut cursor, plan, to, start);
                condition = Some(match condition {
                    Some(condition) => cursor.ins().band(condition, is_apart),
                    None => is_apart,
                });
            }
            from.push(plus(&mut cursor, start, first_element));
        }
        let next: Vec<Value> =
            (0..self.parameters.len()).map(|index| self.parameter_after(index, iterations)).collect();
        let mut block = self.guard;
        if let Some(condition) = condition {
            block = self.block_before(header);
            let arguments = block_args(&self.parameters);
            at_end(self.function, self.guard, self.location).ins().brif(condition, block, &[], header, &arguments);
        }
        let mut cursor = at_end(self.function, block, self.location);
        let to = plus(&mut cursor, to, first_element);
        let stored = match (&plan.stored, byte) {
            (StoredValue::Lanes(lanes), _) => {
                let before_loop = |value: Value| self.values.get(&value).copied().unwrap_or(value);
                let Some(splats) = lanes.splat(&mut cursor, plan.store.size, before_loop) else { return };
                VectorValue::Computed { lanes, from, splats }
            }
            (_, Some(byte)) => {
                VectorValue::Fill { vector: cursor.ins().splat(types::I8X16, byte), byte, remainder }
            }
            _ => return,
        };
        self.vector_loop(block, plan, &VectorLoop { to, stored, group, total, next });
    }

    /// A value of the loop as it is in the first iteration.
    fn before_loop(&self, value: Value) -> Value {
        self.values.get(&value).copied().unwrap_or(value)
    }

    fn block_before(&mut self, block: Block) -> Block {
        let new = self.function.dfg.make_block();
        self.function.layout.insert_block(new, block);
        new
    }

    /// The byte that memory is filled with.
    fn fill_byte(&mut self, stored: &StoredValue) -> Option<Value> {
        match *stored {
            StoredValue::Lanes(_) => None,
            StoredValue::Constant(byte) => {
                let mut cursor = at_end(self.function, self.guard, self.location);
                Some(iconst(&mut cursor, types::I8, i64::from(byte)))
            }
            StoredValue::Byte(value) => {
                let value = self.before_loop(value);
                if self.function.dfg.value_type(value) == types::I8 {
                    return Some(value);
                }
                Some(at_end(self.function, self.guard, self.location).ins().ireduce(types::I8, value))
            }
        }
    }

    /// Appends the vector loop to a block; it continues with the scalar loop.
    fn vector_loop(&mut self, block: Block, plan: &VectorPlan, code: &VectorLoop<'_>) {
        let header = self.block_before(self.inner.header());
        let done = self.function.dfg.append_block_param(header, types::I64);
        let mut cursor = at_end(self.function, block, self.location);
        let zero = iconst(&mut cursor, types::I64, 0);
        cursor.ins().jump(header, &[zero.into()]);
        let mut cursor = at_end(self.function, header, self.location);
        cursor.ins().sequence_point();
        let vector = match &code.stored {
            VectorValue::Fill { vector, .. } => Some(*vector),
            VectorValue::Computed { lanes, from, splats } => {
                let addresses: Vec<Value> =
                    from.iter().map(|&start| advanced(&mut cursor, start, done, plan.up)).collect();
                lanes.compute(&mut cursor, plan.store.size, &addresses, splats)
            }
        };
        let Some(vector) = vector else { return };
        let address = advanced(&mut cursor, code.to, done, plan.up);
        for before in (0..code.group).step_by(VECTOR_BYTES as usize) {
            let offset = if plan.up { before } else { -before };
            cursor.ins().store(MemFlagsData::new(), vector, address, offset as i32);
        }
        let more = plus(&mut cursor, done, code.group);
        let goes_on = cursor.ins().icmp(IntCC::UnsignedLessThan, more, code.total);
        match code.stored {
            VectorValue::Fill { vector, byte, remainder } if remainder > 0 => {
                let last = self.block_before(self.inner.header());
                let mut cursor = at_end(self.function, header, self.location);
                cursor.ins().brif(goes_on, header, &[more.into()], last, &[]);
                let mut cursor = at_end(self.function, last, self.location);
                let start = advanced(&mut cursor, code.to, code.total, plan.up);
                fill_remainder(&mut cursor, start, plan.up, remainder, [vector, byte]);
                cursor.ins().jump(self.inner.header(), &block_args(&code.next));
            }
            _ => {
                let next = block_args(&code.next);
                cursor.ins().brif(goes_on, header, &[more.into()], self.inner.header(), &next);
            }
        }
    }

    /// Computes the number of the last iteration, and whether it is that, and neither too small nor too large.
    fn count(&mut self, min_iterations: i64) -> (Value, Value) {
        let (bound, counter) = (self.before_loop(self.test.bound), self.parameters[self.test.index]);
        let mut cursor = at_end(self.function, self.guard, self.location);
        let is_32_bits = self.test.is_32_bits();
        let bound = if is_32_bits { cursor.ins().uextend(types::I64, bound) } else { bound };
        let sum = plus(&mut cursor, counter, self.test.ahead);
        let distance =
            if self.test.step > 0 { cursor.ins().isub(bound, sum) } else { cursor.ins().isub(sum, bound) };
        let step = self.test.step.unsigned_abs() as i64;
        let scale = iconst(&mut cursor, types::I64, i64::from(step.trailing_zeros()));
        let code = self.test.code;
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
        let above_min = plus(&mut cursor, count, -min_iterations);
        let max = iconst(&mut cursor, types::I64, MAX_VECTOR_ITERATIONS);
        let mut condition = cursor.ins().icmp(IntCC::UnsignedLessThan, above_min, max);
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

    /// A parameter of the header after so many iterations.
    fn parameter_after(&mut self, index: usize, iterations: Value) -> Value {
        let (old, start) = (self.function.dfg.block_params(self.inner.header())[index], self.parameters[index]);
        let mut cursor = at_end(self.function, self.guard, self.location);
        match (self.variables.low_steps.get(&old), self.variables.step_inside(old)) {
            (Some(&step), _) => {
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

/// A cursor at the end of a block.
fn at_end(function: &mut Function, block: Block, location: SourceLoc) -> FuncCursor<'_> {
    FuncCursor::new(function).at_bottom(block).with_srcloc(location)
}

/// The bytes, and the iterations, that whole vectors make up of `count` iterations.
fn whole_vectors(cursor: &mut FuncCursor<'_>, count: Value, size: i64) -> [Value; 2] {
    let scale = iconst(cursor, types::I64, i64::from(size.trailing_zeros()));
    let bytes = cursor.ins().ishl(count, scale);
    let mask = iconst(cursor, types::I64, -VECTOR_BYTES);
    let total = cursor.ins().band(bytes, mask);
    [total, cursor.ins().ushr(total, scale)]
}

/// Whether a vector may be loaded from `from` before one is stored to `to`, as `idioms.rs` says.
fn check_distance(cursor: &mut FuncCursor<'_>, plan: &VectorPlan, to: Value, from: Value) -> Value {
    let mut distance = if plan.up { cursor.ins().isub(to, from) } else { cursor.ins().isub(from, to) };
    let mut min = VECTOR_BYTES;
    // What is computed may be stored where it was loaded from: 0 becomes the greatest distance.
    if !plan.is_copy() {
        (distance, min) = (plus(cursor, distance, -1), VECTOR_BYTES - 1);
    }
    let min = iconst(cursor, types::I64, min);
    cursor.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, distance, min)
}

/// An address so many bytes further on.
fn advanced(cursor: &mut FuncCursor<'_>, start: Value, bytes: Value, up: bool) -> Value {
    if up { cursor.ins().iadd(start, bytes) } else { cursor.ins().isub(start, bytes) }
}

/// Stores a byte `remainder` times, from where the next vector would be: each address once, in as few stores of power-of-two
/// sizes as possible, so that no element is in two of them.
fn fill_remainder(cursor: &mut FuncCursor<'_>, start: Value, up: bool, remainder: i64, [vector, byte]: [Value; 2]) {
    let mut repeated = None;
    let mut done = 0;
    while done < remainder {
        let left = remainder - done;
        let size = if left >= VECTOR_BYTES { VECTOR_BYTES } else { 1 << left.ilog2() };
        let value = match size {
            1 => byte,
            VECTOR_BYTES => vector,
            _ => {
                let repeated = *repeated.get_or_insert_with(|| {
                    let byte = cursor.ins().uextend(types::I64, byte);
                    times(cursor, byte, 0x0101_0101_0101_0101)
                });
                match size {
                    2 => cursor.ins().ireduce(types::I16, repeated),
                    4 => cursor.ins().ireduce(types::I32, repeated),
                    _ => repeated,
                }
            }
        };
        // Where addresses decrease, the next vector would be the 16 bytes from `start` on.
        let offset = if up { done } else { VECTOR_BYTES - size - done };
        cursor.ins().store(MemFlagsData::new(), value, start, offset as i32);
        done += size;
    }
}

/// The sum of a value and a constant.
fn plus(cursor: &mut FuncCursor<'_>, value: Value, constant: i64) -> Value {
    if constant == 0 {
        return value;
    }
    let constant = iconst(cursor, types::I64, constant);
    cursor.ins().iadd(value, constant)
}

/// The product of a value and a constant.
fn times(cursor: &mut FuncCursor<'_>, value: Value, constant: i64) -> Value {
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
