//! The code that does the most of a loop, before it ([`crate::opt::loops::idioms`]).
//!
//! In: what a loop does, and how it counts. Out: blocks before it: one that counts the rounds and looks whether they are
//! enough and may be done at once, one that does them, and where the loop as it was goes on.

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, Function, Inst, InstBuilder, MemFlagsData, SourceLoc, Type, Value, types};

use super::cloning::number;
use super::discovery::Loop;
use super::idioms::{FEWEST, Idiom, LARGE, MOST, SEVERAL, Source, WIDE, is_apart};
use super::induction::{self, Steps};
use super::lanes::Lanes;
use super::trip_count::{Test, includes_bound};
use super::unrolling::{block_args, enter};
use crate::opt::ir::memory_accesses::Access;

/// Makes the code before a loop.
pub(crate) struct Maker<'a> {
    function: &'a mut Function,
    inner: &'a Loop,
    steps: &'a Steps,
    test: &'a Test,
    /// The block that the loop is entered by now.
    block: Block,
    /// Its parameters, which are those of the head.
    parameters: Vec<Value>,
    /// The loop's values, as they are in the first round.
    values: HashMap<Value, Value>,
}

/// What a group of bytes is.
enum Group<'l> {
    /// The same byte each time: in a vector, in a word, and what is left after the groups.
    Same { vector: Value, byte: Value, rest: i64 },
    /// What is computed of other groups, that start there, and of vectors that stay the same.
    Computed { lanes: &'l Lanes, from: Vec<Value>, same: Vec<Value> },
}

impl<'a> Maker<'a> {
    pub(crate) fn new(
        function: &'a mut Function,
        inner: &'a Loop,
        steps: &'a Steps,
        test: &'a Test,
        order: &[Inst],
    ) -> Maker<'a> {
        let block = function.dfg.make_block();
        function.layout.insert_block(block, inner.head());
        let old = function.dfg.block_params(inner.head()).to_vec();
        let types: Vec<Type> = old.iter().map(|&old| function.dfg.value_type(old)).collect();
        let parameters: Vec<Value> = types.iter().map(|&ty| function.dfg.append_block_param(block, ty)).collect();
        let mut values: HashMap<Value, Value> = old.into_iter().zip(parameters.iter().copied()).collect();
        for &inst in order {
            let copy = function.dfg.clone_inst(inst);
            function.dfg.map_inst_values(copy, |value| values.get(&value).copied().unwrap_or(value));
            function.layout.append_inst(copy, block);
            let location = function.srcloc(inst);
            function.set_srcloc(copy, location);
            let results = function.dfg.inst_results(inst).iter().zip(function.dfg.inst_results(copy));
            values.extend(results.map(|(&old, &new)| (old, new)));
        }
        Maker { function, inner, steps, test, block, parameters, values }
    }

    fn at(&self, value: Value) -> Value {
        self.values.get(&value).copied().unwrap_or(value)
    }

    pub(crate) fn make(mut self, idiom: &Idiom, rounds: Option<u64>) {
        let head = self.inner.head();
        let location = self.function.srcloc(self.inner.latch);
        enter(self.function, self.inner, self.block);
        let counted = rounds.is_none().then(|| self.count(FEWEST / idiom.size));
        let mut condition = counted.map(|counted| counted.1);
        let to = self.at(idiom.to.address);
        let source = match idiom.source {
            Source::Byte(value) => Some(self.at(value)),
            Source::Constant(_) | Source::Lanes(_) => None,
        };
        let sources: Vec<(&Access, Value)> = match &idiom.source {
            Source::Lanes(lanes) => lanes.loads.iter().map(|load| (load, self.at(load.address))).collect(),
            Source::Byte(_) | Source::Constant(_) => Vec::new(),
        };
        let mut cursor = FuncCursor::new(self.function).at_bottom(self.block).with_srcloc(location);
        // Where addresses fall, a group ends where its first round does.
        let below = if idiom.up { 0 } else { idiom.size - WIDE };
        let to = plus(&mut cursor, to, idiom.to.offset.into());
        let is_copy = matches!(idiom.source, Source::Lanes(_));
        // Where it is known what is left of a fill, the loop has none of it.
        let bytes = rounds.map_or(0, |rounds| (rounds as i64).wrapping_mul(idiom.size));
        let group = if bytes >= LARGE && !is_copy { SEVERAL } else { WIDE };
        let rest = if is_copy { 0 } else { bytes % group };
        let [whole, done] = match counted {
            None => {
                let whole = bytes - bytes % group;
                [whole, (whole + rest) / idiom.size].map(|known| number(&mut cursor, types::I64, known))
            }
            Some((count, _)) => {
                let scale = number(&mut cursor, types::I64, i64::from(idiom.size.trailing_zeros()));
                let bytes = cursor.ins().ishl(count, scale);
                let mask = number(&mut cursor, types::I64, -WIDE);
                let whole = cursor.ins().band(bytes, mask);
                [whole, cursor.ins().ushr(whole, scale)]
            }
        };
        let byte = match (&idiom.source, source) {
            (Source::Constant(byte), _) => Some(number(&mut cursor, types::I8, i64::from(*byte))),
            (Source::Byte(_), Some(value)) if cursor.func.dfg.value_type(value) == types::I8 => Some(value),
            (Source::Byte(_), Some(value)) => Some(cursor.ins().ireduce(types::I8, value)),
            _ => None,
        };
        let is_plain = matches!(&idiom.source, Source::Lanes(lanes) if lanes.is_copy());
        let mut from = Vec::with_capacity(sources.len());
        for (load, address) in sources {
            let start = plus(&mut cursor, address, load.offset.into());
            if is_plain || is_apart(&idiom.to, load).is_none() {
                let mut distance =
                    if idiom.up { cursor.ins().isub(to, start) } else { cursor.ins().isub(start, to) };
                let mut least = WIDE;
                // What is computed may be stored where it was loaded from.
                if !is_plain {
                    (distance, least) = (plus(&mut cursor, distance, -1), WIDE - 1);
                }
                let least = number(&mut cursor, types::I64, least);
                let is_apart = cursor.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, distance, least);
                condition = Some(match condition {
                    Some(condition) => cursor.ins().band(condition, is_apart),
                    None => is_apart,
                });
            }
            from.push(plus(&mut cursor, start, below));
        }
        let next: Vec<Value> = (0..self.parameters.len()).map(|index| self.next(index, done, location)).collect();
        let mut block = self.block;
        if let Some(condition) = condition {
            block = self.block_before(head);
            let arguments = block_args(&self.parameters);
            let mut cursor = FuncCursor::new(self.function).at_bottom(self.block).with_srcloc(location);
            cursor.ins().brif(condition, block, &[], head, &arguments);
        }
        let mut cursor = FuncCursor::new(self.function).at_bottom(block).with_srcloc(location);
        let to = plus(&mut cursor, to, below);
        let what = match (&idiom.source, byte) {
            (Source::Lanes(lanes), _) => {
                let at = |value: Value| self.values.get(&value).copied().unwrap_or(value);
                let Some(same) = lanes.splat(&mut cursor, idiom.to.size, at) else { return };
                Group::Computed { lanes, from, same }
            }
            (_, Some(byte)) => Group::Same { vector: cursor.ins().splat(types::I8X16, byte), byte, rest },
            _ => return,
        };
        self.groups(block, idiom, to, &what, (group, whole), &next);
    }

    fn block_before(&mut self, block: Block) -> Block {
        let new = self.function.dfg.make_block();
        self.function.layout.insert_block(new, block);
        new
    }

    /// Appends the loop of groups of so many bytes, up to `whole`, after which the loop as it was goes on.
    fn groups(
        &mut self,
        block: Block,
        idiom: &Idiom,
        to: Value,
        what: &Group<'_>,
        (group, whole): (i64, Value),
        next: &[Value],
    ) {
        let location = self.function.srcloc(self.inner.latch);
        let groups = self.block_before(self.inner.head());
        let done = self.function.dfg.append_block_param(groups, types::I64);
        let mut cursor = FuncCursor::new(self.function).at_bottom(block).with_srcloc(location);
        let zero = number(&mut cursor, types::I64, 0);
        cursor.ins().jump(groups, &[zero.into()]);
        let mut cursor = FuncCursor::new(self.function).at_bottom(groups).with_srcloc(location);
        cursor.ins().sequence_point();
        let at = |cursor: &mut FuncCursor<'_>, start: Value| match idiom.up {
            true => cursor.ins().iadd(start, done),
            false => cursor.ins().isub(start, done),
        };
        let vector = match what {
            Group::Same { vector, .. } => Some(*vector),
            Group::Computed { lanes, from, same } => {
                let addresses: Vec<Value> = from.iter().map(|&start| at(&mut cursor, start)).collect();
                lanes.compute(&mut cursor, idiom.to.size, &addresses, same)
            }
        };
        let Some(vector) = vector else { return };
        let address = at(&mut cursor, to);
        for before in (0..group).step_by(WIDE as usize) {
            let offset = if idiom.up { before } else { -before };
            cursor.ins().store(MemFlagsData::new(), vector, address, offset as i32);
        }
        let more = plus(&mut cursor, done, group);
        let goes_on = cursor.ins().icmp(IntCC::UnsignedLessThan, more, whole);
        match *what {
            Group::Same { vector, byte, rest } if rest > 0 => {
                let last = self.block_before(self.inner.head());
                let mut cursor = FuncCursor::new(self.function).at_bottom(groups).with_srcloc(location);
                cursor.ins().brif(goes_on, groups, &[more.into()], last, &[]);
                let mut cursor = FuncCursor::new(self.function).at_bottom(last).with_srcloc(location);
                let start = if idiom.up { cursor.ins().iadd(to, whole) } else { cursor.ins().isub(to, whole) };
                fill_rest(&mut cursor, start, idiom.up, rest, [vector, byte]);
                cursor.ins().jump(self.inner.head(), &block_args(next));
            }
            _ => {
                cursor.ins().brif(goes_on, groups, &[more.into()], self.inner.head(), &block_args(next));
            }
        }
    }

    /// The number of the round that leaves, and whether it is that, and is not too small or too large.
    fn count(&mut self, fewest: i64) -> (Value, Value) {
        let location = self.function.srcloc(self.inner.latch);
        let (bound, counter) = (self.at(self.test.bound), self.parameters[self.test.index]);
        let mut cursor = FuncCursor::new(self.function).at_bottom(self.block).with_srcloc(location);
        let is_half = self.test.is_half();
        let bound = if is_half { cursor.ins().uextend(types::I64, bound) } else { bound };
        let sum = plus(&mut cursor, counter, self.test.ahead);
        let distance =
            if self.test.step > 0 { cursor.ins().isub(bound, sum) } else { cursor.ins().isub(sum, bound) };
        let step = self.test.step.unsigned_abs() as i64;
        let scale = number(&mut cursor, types::I64, i64::from(step.trailing_zeros()));
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
        // Distances below 0 are counts above the most. Those of words are exact modulo their size.
        let fewest = plus(&mut cursor, count, -fewest);
        let most = number(&mut cursor, types::I64, MOST);
        let mut condition = cursor.ins().icmp(IntCC::UnsignedLessThan, fewest, most);
        if code == IntCC::NotEqual && step > 1 {
            let mask = number(&mut cursor, types::I64, step - 1);
            let rest = cursor.ins().band(distance, mask);
            let zero = number(&mut cursor, types::I64, 0);
            let is_whole = cursor.ins().icmp(IntCC::Equal, rest, zero);
            condition = cursor.ins().band(condition, is_whole);
        }
        if code != IntCC::NotEqual && !is_half {
            let stays = cursor.ins().icmp(code, sum, bound);
            condition = cursor.ins().band(condition, stays);
        }
        (count, condition)
    }

    /// A parameter of the head after so many rounds.
    fn next(&mut self, index: usize, count: Value, location: SourceLoc) -> Value {
        let (old, given) = (self.function.dfg.block_params(self.inner.head())[index], self.parameters[index]);
        let mut cursor = FuncCursor::new(self.function).at_bottom(self.block).with_srcloc(location);
        match (self.steps.halves.get(&old), self.steps.of_inside(old)) {
            (Some(&step), _) => {
                let low = cursor.ins().ireduce(types::I32, given);
                let count = cursor.ins().ireduce(types::I32, count);
                let more = times(&mut cursor, count, step);
                let low = cursor.ins().iadd(low, more);
                cursor.ins().uextend(types::I64, low)
            }
            (None, Some(step)) if step != 0 => {
                let ty = cursor.func.dfg.value_type(given);
                let count = if ty == types::I64 { count } else { cursor.ins().ireduce(ty, count) };
                let more = times(&mut cursor, count, step);
                cursor.ins().iadd(given, more)
            }
            _ => given,
        }
    }
}

/// Stores a byte so many times, from where the next group would be on: each place once, in as few stores as there can be
/// of sizes that are powers of two, so that no element is in two of them.
fn fill_rest(cursor: &mut FuncCursor<'_>, start: Value, up: bool, rest: i64, [vector, byte]: [Value; 2]) {
    let mut word = None;
    let mut done = 0;
    while done < rest {
        let size = if rest - done >= WIDE { WIDE } else { 1 << (rest - done).ilog2() };
        let value = match size {
            1 => byte,
            WIDE => vector,
            _ => {
                let word = *word.get_or_insert_with(|| {
                    let word = cursor.ins().uextend(types::I64, byte);
                    times(cursor, word, 0x0101_0101_0101_0101)
                });
                match size {
                    2 => cursor.ins().ireduce(types::I16, word),
                    4 => cursor.ins().ireduce(types::I32, word),
                    _ => word,
                }
            }
        };
        // Where addresses fall, the next group would be of the 16 bytes from `start` on.
        let offset = if up { done } else { WIDE - size - done };
        cursor.ins().store(MemFlagsData::new(), value, start, offset as i32);
        done += size;
    }
}

/// The value and a constant.
fn plus(cursor: &mut FuncCursor<'_>, value: Value, constant: i64) -> Value {
    if constant == 0 {
        return value;
    }
    let constant = number(cursor, types::I64, constant);
    cursor.ins().iadd(value, constant)
}

/// The value as often as a constant says.
fn times(cursor: &mut FuncCursor<'_>, value: Value, constant: i64) -> Value {
    if constant == 1 {
        return value;
    }
    let ty = cursor.func.dfg.value_type(value);
    let constant = match induction::signed(&cursor.func.dfg, value) {
        Some(known) => return number(cursor, ty, known.wrapping_mul(constant)),
        None => number(cursor, ty, constant),
    };
    cursor.ins().imul(value, constant)
}
