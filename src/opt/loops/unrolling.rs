//! Full and partial unrolling of small loops with a constant trip count.
//!
//! | the loop | becomes |
//! |---|---|
//! | a constant, small number of iterations | these iterations, and no loop |
//! | a constant number of iterations | a loop of several, of which only the one that can be the last has the exit test |
//!
//! Left alone are loops in which each iteration depends on the previous one for most of its time, and, where a loop remains,
//! those in no other loop: what runs once is not worth the code. Where nothing is left of loops, a function grows to about
//! three times its size at most, and what is past that stays a loop: register allocation takes more than linear time in what
//! is live throughout.
//!
//! Tried, and not kept: loops of unknown trip count, behind a test that so many iterations remain (`rle` took 0.9 of the time,
//! `http` 1.2, the others what they took before, for 2 % more code); up to 8 iterations (1 % faster, 10 % more code).
//!
//! Sound: iterations are cloned as they are (`cloning.rs`), and only tests that do not exit there are left out
//! (`trip_count.rs`). Iteration `e` is the last; where `e` is constant, it is at position `e mod n` of `n`. The original loop is
//! the only one that exits, so what is used after it is still defined there; where it is at a later position, the first one
//! gets its sequence point.

use cranelift_codegen::ir::{Block, Function, Value};

use super::cloning::{Cloner, can_be_cloned};
use super::cost::{iteration_cost, recurrence_latency};
use super::induction::{self, InductionVariables};
use super::rewiring::{close, enter, exit_at_once};
use super::trip_count::{ExitTest, initial_value};
use crate::opt::ir::edges::retarget;
use crate::opt::ir::loop_discovery::Loop;

/// What all iterations may cost where nothing is left of the loop.
const MAX_FULL_COST: u64 = 24;

/// What the iterations of an unrolled loop may cost.
const MAX_PARTIAL_COST: u64 = 12;

/// The same for two iterations.
const MAX_PAIR_COST: u64 = 16;

/// The most iterations of an unrolled loop.
const MAX_UNROLLED_ITERATIONS: u64 = 4;

/// Instructions that a small function may gain by vectors, and by loops of which nothing is left.
const SMALLEST_ROOM: u64 = 1024;

/// How many instructions a function may gain by vectors, and by loops of which nothing is left.
pub(crate) struct Room(u64);

impl Room {
    /// Twice as many as a function has.
    pub(crate) fn of(function: &Function) -> Room {
        let blocks = function.layout.blocks();
        let count: usize = blocks.map(|block| function.layout.block_insts(block).count()).sum();
        Room(SMALLEST_ROOM.max(2 * count as u64))
    }

    /// Whether there are some.
    pub(crate) fn is_left(&self) -> bool {
        self.0 > 0
    }

    /// Takes so many of them, or all.
    pub(crate) fn spend(&mut self, count: usize) {
        self.0 = self.0.saturating_sub(count as u64);
    }

    /// Takes so many of them, if there are.
    fn take(&mut self, count: u64) -> bool {
        let rest = self.0.checked_sub(count);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }
}

/// Unrolls a loop if that pays, and says whether it did. `is_zero_extended` are 64-bit values whose high half is 0.
pub(crate) fn unroll(
    function: &mut Function,
    inner: &Loop,
    is_zero_extended: &dyn Fn(Value) -> bool,
    room: &mut Room,
) -> bool {
    unroll_constant(function, inner, is_zero_extended, room).is_some()
}

fn unroll_constant(
    function: &mut Function,
    inner: &Loop,
    is_zero_extended: &dyn Fn(Value) -> bool,
    room: &mut Room,
) -> Option<()> {
    if function.layout.is_cold(inner.header()) || !can_be_cloned(function, inner) {
        return None;
    }
    let mut variables = InductionVariables::new(function, inner, &[]);
    let test = ExitTest::find(function, inner, &variables)?;
    let order = test.order()?;
    let start = initial_value(function, inner, test.index).map(|start| induction::wrapped(start, test.ty));
    let bound = induction::signed(&function.dfg, test.bound);
    let last = test.last_iteration(start?, bound?)?;
    let is_unsigned = order == order.unsigned();
    if variables.low_steps.contains_key(&test.counter) && is_unsigned && is_zero_extended(test.counter) {
        variables = InductionVariables::new(function, inner, &[test.counter]);
    }
    let cost = iteration_cost(function, inner, &variables, Some(&test)).max(1);
    if 4 * recurrence_latency(function, inner, &variables) > 2 * cost {
        return None;
    }
    let size: usize = inner.blocks.iter().map(|&block| function.layout.block_insts(block).count()).sum();
    let cloner = Cloner::new(function, inner, &variables, Some(&test));
    if (last + 1).saturating_mul(cost) <= MAX_FULL_COST && room.take(last * size as u64) {
        fully(cloner, &test, last + 1);
    } else if inner.is_nested
        && let Some(count) = partial_count(last, cost, test.branch == inner.latch)
    {
        partially(cloner, last, count);
    } else {
        return None;
    }
    Some(())
}

/// How many iterations to put into a loop of `last + 1`: such that the last one is at the end, if possible.
fn partial_count(last: u64, cost: u64, is_at_end: bool) -> Option<u64> {
    let iterations = if is_at_end { last + 1 } else { last };
    let fits =
        |count: u64| count * cost <= if count > 2 { MAX_PARTIAL_COST } else { MAX_PAIR_COST } && count * 2 <= last;
    let even = (2..=MAX_UNROLLED_ITERATIONS).rev().find(|&count| fits(count) && iterations.is_multiple_of(count));
    even.or_else(|| (2..=MAX_UNROLLED_ITERATIONS).rev().find(|&count| fits(count)))
}

/// Unrolls all iterations, the last of which is the original loop.
fn fully(mut cloner: Cloner<'_>, test: &ExitTest, iterations: u64) {
    let inner = cloner.inner;
    if iterations > 1 {
        let first = cloner.block_like_header();
        let parameters = cloner.function.dfg.block_params(first).to_vec();
        let (open, parameters) = iterations_after(&mut cloner, (first, parameters), iterations - 1);
        enter(cloner.function, inner, first);
        close(cloner.function, inner, open, inner.header(), &parameters);
    }
    let function = cloner.original(iterations as i64 - 1);
    exit_at_once(function, inner, test);
}

/// Appends iterations to a block, in which the header's parameters have these values: the last block, and their next values.
fn iterations_after(
    cloner: &mut Cloner<'_>,
    (mut open, mut parameters): (Block, Vec<Value>),
    count: u64,
) -> (Block, Vec<Value>) {
    for _ in 0..count {
        (open, parameters) = cloner.iteration(open, &parameters);
    }
    (open, parameters)
}

/// Makes a loop of `count` iterations, one of which is the original loop, which exits in iteration `last`.
fn partially(mut cloner: Cloner<'_>, last: u64, count: u64) {
    let inner = cloner.inner;
    let position = last % count;
    let mut first = inner.header();
    if position > 0 {
        let (block, parameters) = cloner.new_header();
        first = block;
        let (open, parameters) = iterations_after(&mut cloner, (first, parameters), position);
        enter(cloner.function, inner, first);
        close(cloner.function, inner, open, inner.header(), &parameters);
    }
    cloner.skip_position();
    let after = count - 1 - position;
    if after == 0 {
        let function = cloner.original(position as i64);
        retarget(function, inner.latch, inner.header(), first, None);
        return;
    }
    let next = cloner.block();
    let parameters = cloner.passed_back();
    let (open, parameters) = iterations_after(&mut cloner, (next, parameters), after);
    close(cloner.function, inner, open, first, &parameters);
    let function = cloner.original(position as i64);
    retarget(function, inner.latch, inner.header(), next, Some(&[]));
}
