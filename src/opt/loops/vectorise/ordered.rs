//! Loops that carry floats: several iterations in a row, behind one exit test.
//!
//! In: a loop that adds floats up, or carries them in another way, whose trip count can be computed before it. Out: a loop of
//! [`ITERATIONS`] of them in front of it. Their order is the program's: a sum of floats depends on it. The rule: the loop is small, its
//! only exit is at its end, and each value that is used behind it is an induction variable, one that the loop carries, or computed of these.
//!
//! Sound: iterations are cloned as they are (`cloning.rs`), and no more are done in a row than the loop does (`entry.rs`). Left alone
//! are constant trip counts: `unrolling.rs` needs no test before the loop.

use std::collections::HashMap;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{BlockArg, Function, Inst, InstBuilder, Value, ValueDef, types};

use super::emit::Emitted;
use super::entry::{Entry, clone_into, plus};
use super::lanes::{at_end, block_before};
use super::leaving::{Leaving, OutsideUsers};
use super::plan::{countable, hoistable};
use crate::opt::ir::edges::{argument, block_args};
use crate::opt::ir::effects::is_pure;
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::ir::opaque::opaque;
use crate::opt::ir::operands::{defining_block, iconst};
use crate::opt::loops::cloning::{Cloner, can_be_cloned};
use crate::opt::loops::cost::iteration_cost;
use crate::opt::loops::induction::{self, InductionVariables};
use crate::opt::loops::rewiring::enter;
use crate::opt::loops::trip_count::{ExitTest, initial_value};

/// How many iterations follow each other.
const ITERATIONS: i64 = 4;

/// What one iteration may cost.
const MAX_COST: u64 = 6;

/// How many instructions of the loop are made behind it at most, for what is used there.
const MAX_BEHIND: usize = 8;

/// How a loop does several iterations in a row.
pub(super) struct Ordered {
    variables: InductionVariables,
    test: ExitTest,
    leaving: Leaving,
    /// The arguments of the back edge.
    back: Vec<Value>,
    /// What is computed before the loop, operands first.
    hoisted: Vec<Inst>,
    /// What is computed behind it, of what it carries, operands first.
    behind: Vec<Inst>,
}

impl Ordered {
    /// That of a loop, if there is one and it pays.
    pub(super) fn find(
        function: &Function,
        inner: &Loop,
        is_zero_extended: &dyn Fn(Value) -> bool,
        users: &mut Option<OutsideUsers>,
        loops: &[Loop],
    ) -> Option<Ordered> {
        let (dfg, header) = (&function.dfg, inner.header());
        let carries_floats = dfg.block_params(header).iter().any(|&value| dfg.value_type(value).is_float());
        if !carries_floats || inner.exits.len() != 1 || !can_be_cloned(function, inner) {
            return None;
        }
        let (variables, test) = countable(function, inner, is_zero_extended)?;
        let is_constant =
            initial_value(function, inner, test.index).is_some() && induction::signed(dfg, test.bound).is_some();
        if is_constant || iteration_cost(function, inner, &variables, Some(&test)) > MAX_COST {
            return None;
        }
        let parameters = 0..dfg.num_block_params(header);
        let back = parameters.map(|index| argument(function, inner.latch, header, index));
        let back = back.collect::<Option<Vec<Value>>>()?;
        let users = users.get_or_insert_with(|| OutsideUsers::new(function, loops));
        let leaving = Leaving::find(function, inner, &test, users)?;
        let is_induction = |value: &Value| variables.step_inside(*value).is_some();
        let mut behind = Vec::new();
        for &value in leaving.values.iter().filter(|value| !is_induction(value)) {
            compute(function, inner, value, &back, &mut behind)?;
        }
        let computed = leaving.values.iter().copied().filter(is_induction);
        let hoisted = hoistable(function, inner, computed.chain([test.bound]))?;
        Some(Ordered { variables, test, leaving, back, hoisted, behind })
    }

    /// Makes the loop in front of the original one.
    pub(super) fn emit(&self, function: &mut Function, inner: &Loop, users: &OutsideUsers) -> Option<Emitted> {
        let exit = self.leaving.split(function, inner, users)?;
        let mut entry = Entry::new(function, inner, &self.variables, &self.test, &self.hoisted);
        enter(entry.function, inner, entry.block);
        let (count, is_in_range) = entry.count(ITERATIONS - 1);
        let mut cursor = entry.cursor();
        let total = plus(&mut cursor, count, 1);
        let mask = iconst(&mut cursor, types::I64, -ITERATIONS);
        let whole = cursor.ins().band(total, mask);
        // Cranelift would compute it in the loop again, to have a register less in use.
        let whole = opaque(&mut cursor, whole);
        let end = entry.after(self.test.counter, whole);
        let mut outside: HashMap<Value, Value> = HashMap::new();
        for &value in self.leaving.values.iter().filter(|value| self.variables.step_inside(**value).is_some()) {
            let last = entry.after(value, count);
            outside.insert(value, last);
        }
        let (guard, parameters, location) = (entry.block, entry.parameters.clone(), entry.location);
        let header = inner.header();

        let mut cloner = Cloner::new(function, inner, &self.variables, Some(&self.test));
        let (first, first_parameters) = cloner.new_header();
        let (mut open, mut next) = (first, first_parameters);
        for _ in 0..ITERATIONS {
            (open, next) = cloner.iteration(open, &next);
        }
        let latch = cloner.block_like_header();
        let function = cloner.function;
        at_end(function, guard, location).ins().brif(
            is_in_range,
            first,
            &block_args(&parameters),
            header,
            &block_args(&parameters),
        );
        at_end(function, open, location).ins().jump(latch, &block_args(&next));
        let after = block_before(function, header);
        let next = function.dfg.block_params(latch).to_vec();
        let mut cursor = at_end(function, latch, location);
        let goes_on = cursor.ins().icmp(IntCC::NotEqual, *next.get(self.test.index)?, end);
        cursor.ins().brif(goes_on, first, &block_args(&next), after, &[]);
        outside.extend(
            self.back
                .iter()
                .copied()
                .zip(next.iter().copied())
                .filter(|(value, _)| self.variables.step_inside(*value).is_none()),
        );
        for &inst in &self.behind {
            let results = clone_into(function, inst, after, &outside);
            outside.extend(results);
        }
        let known = self.leaving.values.iter().map(|value| outside.get(value).map(|&value| value.into()));
        let arguments = known.collect::<Option<Vec<BlockArg>>>()?;
        let mut cursor = at_end(function, after, location);
        let is_done = cursor.ins().icmp(IntCC::Equal, whole, total);
        cursor.ins().brif(is_done, exit.block, &arguments, header, &block_args(&next));
        Some(Emitted { exit: Some(exit.jump) })
    }
}

/// Adds the loop's instructions that a value is computed by, from the arguments of the back edge; none if there is anything else.
fn compute(function: &Function, inner: &Loop, value: Value, back: &[Value], order: &mut Vec<Inst>) -> Option<()> {
    let is_inside = defining_block(function, value).is_some_and(|block| inner.index(block).is_some());
    if back.contains(&value) || !is_inside {
        return Some(());
    }
    let ValueDef::Result(inst, _) = function.dfg.value_def(value) else { return None };
    if order.contains(&inst) {
        return Some(());
    }
    if !is_pure(&function.dfg, inst) || order.len() == MAX_BEHIND {
        return None;
    }
    for &operand in function.dfg.inst_args(inst) {
        compute(function, inner, operand, back, order)?;
    }
    order.push(inst);
    Some(())
}
