//! Trip counts: in which iteration a loop exits.
//!
//! In: a loop with one exit. Out: the [`ExitTest`] in terms of a counter; from that, the number of the last iteration, or the
//! condition under which so many more iterations do not exit.
//!
//! The counter `x` is a parameter of the header (or its low 32 bits) with a constant step `s`, and the test compares `x + a`, of
//! the same iteration, with a loop-invariant bound `n`. Iterations are numbered from 0.
//!
//! | stays in the loop if | step | at least `k` iterations do not exit if, as integers |
//! |---|---|---|
//! | `x + a < n`, `x + a != n` | positive | `x + a + (k - 1) s < n` |
//! | `x + a <= n` | positive | `x + a + (k - 1) s <= n` |
//! | `x + a > n`, `x + a != n` | negative | `x + a + (k - 1) s > n` |
//! | `x + a >= n` | negative | `x + a + (k - 1) s >= n` |
//!
//! Sound: if the last value of the sum is in the range of the type, which the bound guarantees, and `a` is 0 or has the sign of
//! `s`, no earlier sum wraps, and all of them compare as the last one does. For `!=` that is sufficient and not necessary: a
//! loop whose counter wraps is left as it was.

use std::ops::RangeInclusive;

use cranelift_codegen::ir::condcodes::{CondCode, IntCC};
use cranelift_codegen::ir::{Function, Inst, InstructionData, Opcode, Type, Value, ValueDef, types};

use super::induction::{self, InductionVariables};
use crate::opt::ir::edges::{argument, successors};
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::ir::operands::unary_operand;

/// The test that a loop exits by.
pub(crate) struct ExitTest {
    /// The branch.
    pub(crate) branch: Inst,
    /// Which edge of the branch stays in the loop.
    pub(crate) stays: usize,
    /// The condition, with the sum on the left, to stay in the loop.
    pub(crate) code: IntCC,
    /// What it is compared with.
    pub(crate) bound: Value,
    /// The parameter of the header.
    pub(crate) counter: Value,
    /// Its index among the parameters.
    pub(crate) index: usize,
    /// What is added to the counter in the sum.
    pub(crate) ahead: i64,
    /// What is added to the counter in each iteration.
    pub(crate) step: i64,
    /// The type that is compared; `i32` for the low half of a counter.
    pub(crate) ty: Type,
}

impl ExitTest {
    /// Finds the test of a loop.
    pub(crate) fn find(function: &Function, inner: &Loop, variables: &InductionVariables) -> Option<ExitTest> {
        let dfg = &function.dfg;
        let &[branch] = &inner.exits[..] else { return None };
        if !inner.is_always(function.layout.inst_block(branch)?) {
            return None;
        }
        let InstructionData::Brif { arg, .. } = dfg.insts[branch] else { return None };
        let mut edges = successors(function, branch).map(|to| inner.index(to).is_some());
        let stays = match (edges.next()?, edges.next()?) {
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
        let of = |value| variables.step(function, inner, value);
        let (sum, code, bound) = match (of(left), of(right)) {
            (Some(step), Some(0)) if step != 0 => (left, cond, right),
            (Some(0), Some(step)) if step != 0 => (right, cond.swap_args(), left),
            _ => return None,
        };
        let step = of(sum)?;
        let (mut counter, mut ahead) = induction::linear(dfg, sum);
        if let Some(wide) = unary_operand(dfg, counter, Opcode::Ireduce) {
            let (root, more) = induction::linear(dfg, wide);
            (counter, ahead) = (root, induction::wrapped(ahead.wrapping_add(more), ty));
        }
        if dfg.value_type(counter) != types::I64 {
            return None;
        }
        let index = dfg.block_params(inner.header()).iter().position(|&parameter| parameter == counter)?;
        Some(ExitTest { branch, stays, code, bound, counter, index, ahead, step, ty })
    }

    /// Whether the low 32 bits of the counter are compared.
    pub(crate) fn is_32_bits(&self) -> bool {
        self.ty == types::I32
    }

    /// The ordered comparison that the test is equivalent to as long as the counter does not wrap.
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

    /// A number of the compared type as an integer, signed or unsigned as the comparison is.
    pub(crate) fn integer(&self, number: i64) -> i128 {
        match (self.is_signed(), self.is_32_bits()) {
            (true, true) => i128::from(number as i32),
            (true, false) => i128::from(number),
            (false, true) => i128::from(number as u32),
            (false, false) => i128::from(number as u64),
        }
    }

    /// The range of the compared type, signed or unsigned as the comparison is.
    pub(crate) fn range(&self) -> RangeInclusive<i128> {
        match (self.is_signed(), self.is_32_bits()) {
            (true, true) => i32::MIN.into()..=i32::MAX.into(),
            (true, false) => i64::MIN.into()..=i64::MAX.into(),
            (false, true) => 0..=u32::MAX.into(),
            (false, false) => 0..=u64::MAX.into(),
        }
    }

    fn is_signed(&self) -> bool {
        self.order().is_some_and(is_signed)
    }

    /// The number of the last iteration, for a constant initial counter and a constant bound. Up to and including it, neither
    /// the sum nor the counter wraps.
    pub(crate) fn last_iteration(&self, start: i64, bound: i64) -> Option<u64> {
        let (order, range) = (self.order()?, self.range());
        let (first, end) = (self.integer(start) + i128::from(self.ahead), self.integer(bound));
        if !range.contains(&first) {
            return None;
        }
        // The distance to the first sum that exits.
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
        let last = (distance + by - 1) / by;
        range.contains(&(first + last * i128::from(self.step))).then_some(last as u64)
    }
}

/// The constant that parameter `index` of the header is in the first iteration, if it is the same on all entry edges.
pub(crate) fn initial_value(function: &Function, inner: &Loop, index: usize) -> Option<i64> {
    let mut start = None;
    for &entry in &inner.entries {
        let value = induction::signed(&function.dfg, argument(function, entry, inner.header(), index)?)?;
        if start.is_some_and(|start| start != value) {
            return None;
        }
        start = Some(value);
    }
    start
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
