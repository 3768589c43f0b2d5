//! Several rounds of a small counted loop, one after the other.
//!
//! | the loop | becomes |
//! |---|---|
//! | a constant, small number of rounds | these rounds, and no loop |
//! | a constant number of rounds | a loop of several rounds, of which the one that can be the last has the test |
//!
//! Left alone are loops that wait for the last round anyway, and, where a loop remains, those in no other loop: what is done
//! once is not worth the code. Where nothing is left of loops, a function grows to about three times its size at most: what
//! is past that stays a loop, so that the time for registers, which takes more than linear time in what is live throughout,
//! stays in proportion to the program.
//!
//! Tried, and not kept: loops of unknown length, behind a test that so many rounds remain (`rle` took 0.9 of the time,
//! `http` 1.2, the others what they took before, for 2 % more code); up to 8 rounds (1 % faster, 10 % more code).
//!
//! Sound: what a round does is copied as it is (`cloning.rs`), and only tests are left out that do not leave the loop there
//! (`trip_count.rs`). Round `e` is the one that leaves; where `e` is constant, it is at place `e mod n` of `n`. The loop as it
//! was is the only one that leaves, so what is used after it is still defined there; where it is at a later place, the
//! first one gets its sequence point.

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    Block, BlockArg, Function, Inst, InstBuilder, InstructionData, Opcode, Value, ValueDef,
};

use super::cloning::{Copies, passed};
use super::discovery::Loop;
use super::induction::{self, Steps, argument};
use super::trip_count::Test;

/// Loops of more instructions are left alone.
const LARGEST: usize = 200;

/// What all rounds may cost where nothing is left of the loop.
const WHOLE: u64 = 24;

/// What the rounds of a loop may cost.
const SEVERAL: u64 = 12;

/// The same of two rounds.
const PAIR: u64 = 16;

/// The most rounds of a loop.
const MOST: u64 = 4;

/// Instructions that a small function may gain by loops of which nothing is left.
const SMALLEST_ROOM: u64 = 1024;

/// How many instructions a function may gain by loops of which nothing is left.
pub(crate) struct Room(u64);

impl Room {
    /// Twice as many as a function has.
    pub(crate) fn of(function: &Function) -> Room {
        let blocks = function.layout.blocks();
        let count: usize = blocks.map(|block| function.layout.block_insts(block).count()).sum();
        Room(SMALLEST_ROOM.max(2 * count as u64))
    }

    /// Takes so many of them, if there are.
    fn take(&mut self, count: u64) -> bool {
        let rest = self.0.checked_sub(count);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }
}

/// Unrolls a loop if that pays, and says whether it did. `is_clear` are words whose high half is 0.
pub(crate) fn unroll(
    function: &mut Function,
    inner: &Loop,
    is_clear: &dyn Fn(Value) -> bool,
    room: &mut Room,
) -> bool {
    constant_rounds(function, inner, is_clear, room).is_some()
}

fn constant_rounds(
    function: &mut Function,
    inner: &Loop,
    is_clear: &dyn Fn(Value) -> bool,
    room: &mut Room,
) -> Option<()> {
    if function.layout.is_cold(inner.head()) || !can_be_copied(function, inner) {
        return None;
    }
    let mut steps = Steps::new(function, inner, &[]);
    let test = Test::find(function, inner, &steps)?;
    let order = test.order()?;
    let start = start(function, inner, test.index).map(|start| induction::wrapped(start, test.ty));
    let bound = induction::signed(&function.dfg, test.bound);
    let last = test.last_round(start?, bound?)?;
    let is_unsigned = order == order.unsigned();
    if steps.halves.contains_key(&test.counter) && is_unsigned && is_clear(test.counter) {
        steps = Steps::new(function, inner, &[test.counter]);
    }
    let cost = cost(function, inner, &steps, Some(&test)).max(1);
    if 4 * delay(function, inner, &steps) > 2 * cost {
        return None;
    }
    let size: usize = inner.blocks.iter().map(|&block| function.layout.block_insts(block).count()).sum();
    let copies = Copies::new(function, inner, &steps, Some(&test));
    if (last + 1).saturating_mul(cost) <= WHOLE && room.take(last * size as u64) {
        whole(copies, &test, last + 1);
    } else if inner.is_nested
        && let Some(count) = constant_count(last, cost, test.branch == inner.latch)
    {
        several(copies, last, count);
    } else {
        return None;
    }
    Some(())
}

/// How many rounds to put into a loop of `last + 1` rounds: such that the last one is at the end, if that can be.
fn constant_count(last: u64, cost: u64, is_at_end: bool) -> Option<u64> {
    let rounds = if is_at_end { last + 1 } else { last };
    let fits = |count: u64| count * cost <= if count > 2 { SEVERAL } else { PAIR } && count * 2 <= last;
    let even = (2..=MOST).rev().find(|&count| fits(count) && rounds.is_multiple_of(count));
    even.or_else(|| (2..=MOST).rev().find(|&count| fits(count)))
}

pub(crate) fn can_be_copied(function: &Function, inner: &Loop) -> bool {
    let dfg = &function.dfg;
    let insts = inner.blocks.iter().flat_map(|&block| function.layout.block_insts(block));
    let is_plain = |inst: Inst| {
        let opcode = dfg.insts[inst].opcode();
        !opcode.is_call() && (!opcode.is_terminator() || matches!(opcode, Opcode::Jump | Opcode::Brif))
    };
    let is_plain_latch = dfg.insts[inner.latch].opcode() == Opcode::Jump || inner.exits.contains(&inner.latch);
    let mut count = 0;
    is_plain_latch
        && insts.into_iter().all(|inst| {
            count += 1;
            count <= LARGEST && is_plain(inst)
        })
}

/// The counter's constant value in the first round.
pub(crate) fn start(function: &Function, inner: &Loop, index: usize) -> Option<i64> {
    let mut start = None;
    for &way in &inner.ways_in {
        let value = induction::signed(&function.dfg, argument(function, way, inner.head(), index)?)?;
        if start.is_some_and(|start| start != value) {
            return None;
        }
        start = Some(value);
    }
    start
}

/// Roughly the native instructions of a further round.
pub(crate) fn cost(function: &Function, inner: &Loop, steps: &Steps, without: Option<&Test>) -> u64 {
    let dfg = &function.dfg;
    let branch = without.map(|test| test.branch);
    let of_test = branch.and_then(|branch| match dfg.value_def(*dfg.inst_args(branch).first()?) {
        ValueDef::Result(inst, _) => Some(inst),
        _ => None,
    });
    let insts = inner.blocks.iter().flat_map(|&block| function.layout.block_insts(block));
    let costs = insts.map(|inst| match dfg.insts[inst].opcode() {
        Opcode::Iconst | Opcode::Uextend | Opcode::Ireduce | Opcode::Jump | Opcode::SequencePoint => 0,
        _ if Some(inst) == branch || Some(inst) == of_test => 0,
        _ if induction::is_pure(dfg, inst)
            && dfg.inst_results(inst).iter().all(|&result| steps.of_inside(result).is_some()) =>
        {
            0
        }
        _ => 1,
    });
    costs.sum()
}

/// The cycles that a round waits for the last one: the longest way from a parameter of the head to what it is in the next
/// round, over the instructions in between.
pub(crate) fn delay(function: &Function, inner: &Loop, steps: &Steps) -> u64 {
    let (dfg, head) = (&function.dfg, inner.head());
    let mut longest = 0;
    for (index, &parameter) in dfg.block_params(head).iter().enumerate() {
        let Some(next) = argument(function, inner.latch, head, index) else { continue };
        if steps.of_inside(parameter).is_some() || steps.halves.contains_key(&parameter) {
            continue;
        }
        let mut at: HashMap<Value, u64> = HashMap::from([(parameter, 0)]);
        for inst in inner.blocks.iter().flat_map(|&block| function.layout.block_insts(block)) {
            let Some(before) = dfg.inst_values(inst).filter_map(|value| at.get(&value)).max().copied() else {
                continue;
            };
            let opcode = dfg.insts[inst].opcode();
            let after = before
                + match opcode {
                    Opcode::Uextend | Opcode::Ireduce | Opcode::Iconst => 0,
                    Opcode::Imul | Opcode::Umulhi | Opcode::Smulhi => 3,
                    Opcode::Udiv | Opcode::Sdiv | Opcode::Urem | Opcode::Srem => 20,
                    _ if opcode.can_load() => 5,
                    _ => 1,
                };
            at.extend(dfg.inst_results(inst).iter().map(|&result| (result, after)));
        }
        longest = longest.max(at.get(&next).copied().unwrap_or_default());
    }
    longest
}

/// Leads the ways into the loop to another block.
pub(crate) fn enter(function: &mut Function, inner: &Loop, to: Block) {
    for &way in &inner.ways_in {
        retarget(function, way, inner.head(), to, None);
    }
}

/// Leads a branch to another block, with other arguments if there are any.
pub(crate) fn retarget(function: &mut Function, branch: Inst, from: Block, to: Block, arguments: Option<&[Value]>) {
    let dfg = &mut function.dfg;
    for call in dfg.insts[branch].branch_destination_mut(&mut dfg.jump_tables, &mut dfg.exception_tables) {
        if call.block(&dfg.value_lists) != from {
            continue;
        }
        call.set_block(to, &mut dfg.value_lists);
        if let Some(arguments) = arguments {
            call.clear(&mut dfg.value_lists);
            call.extend(arguments.iter().map(|&value| BlockArg::Value(value)), &mut dfg.value_lists);
        }
    }
}

pub(crate) fn block_args(values: &[Value]) -> Vec<BlockArg> {
    values.iter().map(|&value| value.into()).collect()
}

/// Ends an open block by a jump.
pub(crate) fn close(function: &mut Function, inner: &Loop, open: Block, to: Block, arguments: &[Value]) {
    let location = function.srcloc(inner.latch);
    let mut cursor = FuncCursor::new(function).at_bottom(open).with_srcloc(location);
    cursor.ins().jump(to, &block_args(arguments));
}

/// Puts a block before the loop that rounds begin in: its head now.
pub(crate) fn head(copies: &mut Copies<'_>) -> (Block, Vec<Value>) {
    let block = copies.block_like_head();
    let location = copies.function.layout.first_inst(copies.inner.head());
    let location = location.map(|inst| copies.function.srcloc(inst)).unwrap_or_default();
    let mut cursor = FuncCursor::new(copies.function).at_bottom(block).with_srcloc(location);
    cursor.ins().sequence_point();
    (block, copies.function.dfg.block_params(block).to_vec())
}

/// All rounds, the last of which is the loop as it was.
fn whole(mut copies: Copies<'_>, test: &Test, rounds: u64) {
    let inner = copies.inner;
    if rounds > 1 {
        let first = copies.block_like_head();
        let parameters = copies.function.dfg.block_params(first).to_vec();
        let (open, parameters) = rest(&mut copies, (first, parameters), rounds - 1);
        enter(copies.function, inner, first);
        close(copies.function, inner, open, inner.head(), &parameters);
    }
    let function = copies.original(rounds as i64 - 1);
    leave(function, inner, test);
}

/// Has a loop leave in its first round, whatever the test says.
pub(crate) fn leave(function: &mut Function, inner: &Loop, test: &Test) {
    let InstructionData::Brif { blocks, .. } = function.dfg.insts[test.branch] else { return };
    let call = blocks[1 - test.stays];
    let to = call.block(&function.dfg.value_lists);
    let arguments = block_args(&passed(function, call));
    function.replace(test.branch).jump(to, &arguments);
    // What came after the test in the loop is not reached.
    let after = inner.blocks.iter().position(|&block| function.layout.inst_block(test.branch) == Some(block));
    for &block in after.map_or(&[][..], |after| &inner.blocks[after + 1..]) {
        function.layout.remove_block_and_insts(block);
    }
}

/// Some rounds.
fn rest(
    copies: &mut Copies<'_>,
    (mut open, mut parameters): (Block, Vec<Value>),
    count: u64,
) -> (Block, Vec<Value>) {
    for _ in 0..count {
        (open, parameters) = copies.round(open, &parameters);
    }
    (open, parameters)
}

/// A loop of `count` rounds, one of which is the loop as it was, whose round `last` leaves.
fn several(mut copies: Copies<'_>, last: u64, count: u64) {
    let inner = copies.inner;
    let place = last % count;
    let mut first = inner.head();
    if place > 0 {
        let (block, parameters) = head(&mut copies);
        first = block;
        let (open, parameters) = rest(&mut copies, (first, parameters), place);
        enter(copies.function, inner, first);
        close(copies.function, inner, open, inner.head(), &parameters);
    }
    copies.leave_place();
    let after = count - 1 - place;
    if after == 0 {
        let function = copies.original(place as i64);
        retarget(function, inner.latch, inner.head(), first, None);
        return;
    }
    let next = copies.block();
    let parameters = copies.passed_back();
    let (open, parameters) = rest(&mut copies, (next, parameters), after);
    close(copies.function, inner, open, first, &parameters);
    let function = copies.original(place as i64);
    retarget(function, inner.latch, inner.head(), next, Some(&[]));
}
