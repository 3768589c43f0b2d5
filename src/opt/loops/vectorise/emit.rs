//! The vector loop, and what comes before and behind it.
//!
//! In: a loop and its [`Plan`]. Out: the loop is entered by code that does most iterations in vectors, and then
//!
//! | iterations that are left | the code goes on |
//! |---|---|
//! | none, and what is used behind the loop is known | behind the loop |
//! | some; or checks do not hold | with the loop itself, whose header gets what they need |

use std::collections::HashMap;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, BlockArg, Function, Inst, InstBuilder, Value, types};

use super::body::Body;
use super::entry::{Entry, clone_into, plus};
use super::fill::fill_remainder;
use super::horizontal;
use super::lanes::{at_end, block_before};
use super::leaving::{ExitBlock, OutsideUsers};
use super::plan::Plan;
use super::reductions::Reduction;
use crate::opt::ir::edges::block_args;
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::ir::opaque::opaque;
use crate::opt::ir::operands::iconst;
use crate::opt::loops::rewiring::enter;

/// What emission leaves for others.
pub(super) struct Emitted {
    /// The jump that takes the place of the loop's exit edge.
    pub(super) exit: Option<Inst>,
}

/// Makes the code of a plan.
pub(super) fn emit(function: &mut Function, inner: &Loop, plan: &Plan, users: &OutsideUsers) -> Option<Emitted> {
    let exit = match &plan.leaving {
        Some(leaving) => Some(leaving.split(function, inner, users)?),
        None => None,
    };
    let header = inner.header();
    let lanes = i64::from(plan.decision.lanes);
    let extra = i64::from(exit.is_some());
    let mut entry = Entry::new(function, inner, &plan.variables, &plan.test, &plan.hoisted);
    enter(entry.function, inner, entry.block);
    // All iterations that may be done in vectors, and those that are.
    let (mut condition, total, whole) = match plan.total() {
        Some(total) => {
            let mut cursor = entry.cursor();
            let [total_value, whole] = [total, total & -lanes].map(|known| iconst(&mut cursor, types::I64, known));
            (None, total_value, whole)
        }
        None => {
            let (count, is_in_range) = entry.count(plan.decision.least - extra);
            let mut cursor = entry.cursor();
            let total = plus(&mut cursor, count, extra);
            let mask = iconst(&mut cursor, types::I64, -lanes);
            let whole = cursor.ins().band(total, mask);
            // Cranelift would compute it in the loop again, to have a register less in use.
            (Some(is_in_range), total, opaque(&mut cursor, whole))
        }
    };
    let starts = entry.starts(&plan.streams);
    for &check in &plan.checks {
        let holds = entry.check(check, &plan.streams, &starts, whole);
        condition = Some(match condition {
            Some(condition) => entry.cursor().ins().band(condition, holds),
            None => holds,
        });
    }
    // The rest of a fill of constant length is stored here too, and not by the scalar loop.
    let remainder =
        if plan.is_fill() { plan.total().map(|total| total % lanes).filter(|&rest| rest > 0) } else { None };
    let done = if remainder.is_some() { total } else { whole };
    let next: Vec<Value> =
        function_params(&entry).into_iter().map(|parameter| entry.after(parameter, done)).collect();
    let left_by = exit.as_ref().map(|exit| (exit, plan.leaving.as_ref()));
    let leaving_values: Vec<Value> =
        left_by.iter().flat_map(|(_, leaving)| leaving.iter()).flat_map(|leaving| leaving.values.clone()).collect();
    let one_less = plus(&mut entry.cursor(), total, -1);
    let mut outside: HashMap<Value, Value> = HashMap::new();
    for value in leaving_values.iter().copied().filter(|value| plan.variables.step_inside(*value).is_some()) {
        let known = entry.after(value, one_less);
        outside.insert(value, known);
    }
    let (guard, parameters, values, location) =
        (entry.block, entry.parameters.clone(), entry.values.clone(), entry.location);
    let before = block_before(function, header);
    match condition {
        Some(condition) => {
            at_end(function, guard, location).ins().brif(condition, before, &[], header, &block_args(&parameters));
        }
        None => {
            at_end(function, guard, location).ins().jump(before, &[]);
        }
    }
    let body = Body { plan, starts: &starts, whole, values: &values, location };
    let made = body.make(function, header, before)?;
    // Behind the vector loop.
    let mut next = next;
    for (reduction, combined) in &made.combined {
        let result = finish(function, reduction, combined, made.after, (&values, &parameters), &mut outside)?;
        next[reduction.index] = result;
    }
    let mut cursor = at_end(function, made.after, location);
    if let Some(rest) = remainder {
        fill_remainder(&mut cursor, plan, made.end_address?, made.stored_vector?, rest)?;
    }
    let is_all_done = plan.total().map(|total| total % lanes == 0 || remainder.is_some());
    let to_header = block_args(&next);
    match (&exit, is_all_done) {
        (Some(exit), Some(true)) => {
            let arguments = exit_arguments(&leaving_values, &outside)?;
            at_end(function, made.after, location).ins().jump(exit.block, &arguments);
            if condition.is_none() {
                remove(function, inner);
            }
        }
        (Some(exit), None) => {
            let arguments = exit_arguments(&leaving_values, &outside)?;
            let mut cursor = at_end(function, made.after, location);
            let is_done = cursor.ins().icmp(IntCC::Equal, whole, total);
            cursor.ins().brif(is_done, exit.block, &arguments, header, &to_header);
        }
        _ => {
            at_end(function, made.after, location).ins().jump(header, &to_header);
        }
    }
    Some(Emitted { exit: exit.map(|ExitBlock { jump, .. }| jump) })
}

fn function_params(entry: &Entry<'_>) -> Vec<Value> {
    entry.function.dfg.block_params(entry.inner.header()).to_vec()
}

/// What an exit block gets.
fn exit_arguments(values: &[Value], known: &HashMap<Value, Value>) -> Option<Vec<BlockArg>> {
    values.iter().map(|value| known.get(value).map(|&value| value.into())).collect()
}

/// The next value of a reduction's parameter, and with it all that its chain computes, for what was combined of all terms.
fn finish(
    function: &mut Function,
    reduction: &Reduction,
    combined: &[Value],
    after: Block,
    (values, parameters): (&HashMap<Value, Value>, &[Value]),
    outside: &mut HashMap<Value, Value>,
) -> Option<Value> {
    let location = function.srcloc(*reduction.chain.first()?);
    let mut cursor = at_end(function, after, location);
    let scalar = horizontal::total(&mut cursor, reduction.combine, combined, reduction.bits)?;
    let mut known = values.clone();
    known.insert(reduction.parameter, *parameters.get(reduction.index)?);
    for (index, &(term, _)) in reduction.terms.iter().enumerate() {
        let ty = cursor.func.dfg.value_type(term);
        let own = cursor.func.dfg.value_type(scalar);
        let new = match index {
            // Only extremes have terms that are wider or narrower than what is combined, and these are not negative.
            0 if ty == own => scalar,
            0 if ty.bits() > own.bits() => cursor.ins().uextend(ty, scalar),
            0 => cursor.ins().ireduce(ty, scalar),
            _ => {
                let neutral = horizontal::neutral(reduction.combine, ty.bits());
                iconst(&mut cursor, ty, neutral as i64)
            }
        };
        known.insert(term, new);
    }
    for &inst in &reduction.chain {
        let results = clone_into(function, inst, after, &known);
        outside.extend(results.iter().copied());
        known.extend(results);
    }
    known.get(&reduction.next).copied()
}

/// Removes a loop that nothing leads to any more.
fn remove(function: &mut Function, inner: &Loop) {
    for &block in &inner.blocks {
        function.layout.remove_block_and_insts(block);
    }
}
