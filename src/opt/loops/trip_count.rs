//! How often a loop goes round.
//!
//! In: a loop with one way out. Out: the [`Test`] that it leaves by, in terms of a counter; from that, the number of the
//! round that leaves, or what says that so many more rounds do not.
//!
//! The counter `x` is a parameter of the head (or its low half) whose step `s` is constant, and the test compares `x + a`,
//! of the same round, with a bound `n` that stays the same. The rounds are numbered from 0.
//!
//! | stays in the loop if | step | at least `k` rounds do not leave if, as integers |
//! |---|---|---|
//! | `x + a < n`, `x + a != n` | more than 0 | `x + a + (k - 1) s < n` |
//! | `x + a <= n` | more than 0 | `x + a + (k - 1) s <= n` |
//! | `x + a > n`, `x + a != n` | less than 0 | `x + a + (k - 1) s > n` |
//! | `x + a >= n` | less than 0 | `x + a + (k - 1) s >= n` |
//!
//! Sound: where the sum's last value is in the range of the type, which the bound sees to, and `a` is 0 or has the sign of
//! `s`, no sum before it wraps, and all of them compare as the last one does. For `!=` that is sufficient, and not
//! necessary: a counter that wraps is left to the loop as it was.

use std::ops::RangeInclusive;

use cranelift_codegen::ir::condcodes::{CondCode, IntCC};
use cranelift_codegen::ir::{Function, Inst, InstructionData, Opcode, Type, Value, ValueDef, types};

use super::discovery::{self, Loop};
use super::induction::{self, Steps};

/// How a loop is left.
pub(crate) struct Test {
    /// The branch.
    pub(crate) branch: Inst,
    /// Which way of the branch stays in the loop.
    pub(crate) stays: usize,
    /// The sum on the left side stays in the loop if this holds.
    pub(crate) code: IntCC,
    /// What it is compared with.
    pub(crate) bound: Value,
    /// The parameter of the head.
    pub(crate) counter: Value,
    /// Its place among the parameters.
    pub(crate) index: usize,
    /// What is added to the counter in the sum.
    pub(crate) ahead: i64,
    /// What is added to the counter in each round.
    pub(crate) step: i64,
    /// The type that is compared; of a word's low half it is `i32`.
    pub(crate) ty: Type,
}

impl Test {
    /// Finds it.
    pub(crate) fn find(function: &Function, inner: &Loop, steps: &Steps) -> Option<Test> {
        let dfg = &function.dfg;
        let &[branch] = &inner.exits[..] else { return None };
        if !inner.is_always(function.layout.inst_block(branch)?) {
            return None;
        }
        let InstructionData::Brif { arg, .. } = dfg.insts[branch] else { return None };
        let mut ways = discovery::successors(function, branch).map(|to| inner.place(to).is_some());
        let stays = match (ways.next()?, ways.next()?) {
            (true, false) => 0,
            (false, true) => 1,
            _ => return None,
        };
        let ValueDef::Result(compare, _) = dfg.value_def(arg) else { return None };
        let InstructionData::IntCompare { cond, args: [left, right], .. } = dfg.insts[compare] else { return None };
        let cond = if stays == 0 { cond } else { cond.complement() };
        let ty = dfg.value_type(left);
        if !matches!(ty, types::I32 | types::I64) {
            return None;
        }
        let of = |value| steps.of(function, inner, value);
        let (sum, code, bound) = match (of(left), of(right)) {
            (Some(step), Some(0)) if step != 0 => (left, cond, right),
            (Some(0), Some(step)) if step != 0 => (right, cond.swap_args(), left),
            _ => return None,
        };
        let step = of(sum)?;
        let (mut counter, mut ahead) = induction::linear(dfg, sum);
        if let Some(word) = induction::converted(dfg, counter, Opcode::Ireduce) {
            let (root, more) = induction::linear(dfg, word);
            (counter, ahead) = (root, induction::wrapped(ahead.wrapping_add(more), ty));
        }
        if dfg.value_type(counter) != types::I64 {
            return None;
        }
        let index = dfg.block_params(inner.head()).iter().position(|&parameter| parameter == counter)?;
        Some(Test { branch, stays, code, bound, counter, index, ahead, step, ty })
    }

    /// Whether the counter is the low half of a word.
    pub(crate) fn is_half(&self) -> bool {
        self.ty == types::I32
    }

    /// The comparison by order that the test is, or is as long as the counter does not wrap.
    pub(crate) fn order(&self) -> Option<IntCC> {
        let up = self.step > 0;
        if self.ahead != 0 && (self.ahead > 0) != up {
            return None;
        }
        Some(match (self.code, up) {
            (IntCC::NotEqual, true) => IntCC::UnsignedLessThan,
            (IntCC::NotEqual, false) => IntCC::UnsignedGreaterThan,
            (IntCC::UnsignedLessThan | IntCC::UnsignedLessThanOrEqual, true)
            | (IntCC::SignedLessThan | IntCC::SignedLessThanOrEqual, true)
            | (IntCC::UnsignedGreaterThan | IntCC::UnsignedGreaterThanOrEqual, false)
            | (IntCC::SignedGreaterThan | IntCC::SignedGreaterThanOrEqual, false) => self.code,
            _ => return None,
        })
    }

    /// The integer that a number of the compared type is, in the order's eyes.
    pub(crate) fn integer(&self, number: i64) -> i128 {
        match (self.is_signed(), self.is_half()) {
            (true, true) => i128::from(number as i32),
            (true, false) => i128::from(number),
            (false, true) => i128::from(number as u32),
            (false, false) => i128::from(number as u64),
        }
    }

    /// The numbers of the compared type, in the order's eyes.
    pub(crate) fn range(&self) -> RangeInclusive<i128> {
        match (self.is_signed(), self.is_half()) {
            (true, true) => i32::MIN.into()..=i32::MAX.into(),
            (true, false) => i64::MIN.into()..=i64::MAX.into(),
            (false, true) => 0..=u32::MAX.into(),
            (false, false) => 0..=u64::MAX.into(),
        }
    }

    fn is_signed(&self) -> bool {
        self.order().is_some_and(is_signed)
    }

    /// The number of the round that leaves, if the counter and the bound are constant at the start; the sum does not wrap
    /// in the rounds before, nor in that one, and neither does the counter.
    pub(crate) fn last_round(&self, start: i64, bound: i64) -> Option<u64> {
        let (order, range) = (self.order()?, self.range());
        let (first, end) = (self.integer(start) + i128::from(self.ahead), self.integer(bound));
        if !range.contains(&first) {
            return None;
        }
        // How far it is to the first sum that leaves.
        let (distance, by) = match self.step > 0 {
            true => (end - first, i128::from(self.step)),
            false => (first - end, -i128::from(self.step)),
        };
        let distance = distance + i128::from(includes_bound(order));
        if self.code == IntCC::NotEqual && (distance < 0 || distance % by != 0) {
            return None;
        }
        if distance <= 0 {
            return Some(0);
        }
        let rounds = (distance + by - 1) / by;
        range.contains(&(first + rounds * i128::from(self.step))).then_some(rounds as u64)
    }
}

/// Whether the comparison is one of signed numbers.
pub(crate) fn is_signed(code: IntCC) -> bool {
    code != code.unsigned()
}

/// Whether the comparison holds for equal numbers.
pub(crate) fn includes_bound(code: IntCC) -> bool {
    matches!(
        code,
        IntCC::UnsignedLessThanOrEqual
            | IntCC::SignedLessThanOrEqual
            | IntCC::UnsignedGreaterThanOrEqual
            | IntCC::SignedGreaterThanOrEqual
    )
}
