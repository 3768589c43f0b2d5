//! Loop idioms: loops that fill, copy or compute memory element by element do 16 bytes at a time.
//!
//! The loop has one exit, no branches inside, one store and some loads, plain and at addresses that increase (or decrease) by the
//! size of an element; all header parameters are induction variables. With `e` the last iteration (`trip_count.rs`), and `w` the
//! bytes of an element, vector code is put before the loop:
//!
//! | the loop stores | if | vector code | for iterations |
//! |---|---|---|---|
//! | the same byte again and again | `e w` is a constant of at least [`MIN_BYTES`] | a loop of 16-byte stores, or of four such from [`MIN_UNROLLED_FILL`](super::vector_plan::MIN_UNROLLED_FILL) bytes on; then the remainder | 0 to `e - 1` |
//! | the same byte again and again | `e w >=` [`MIN_BYTES`] | a loop of 16-byte stores | as many as fill whole vectors |
//! | what it loads, upwards | the same, and `to - from >= 16`, unsigned | a loop of 16-byte loads and stores | as many as fill whole vectors |
//! | the same downwards | the same, and `from - to >= 16`, unsigned | the same, from the end | the same |
//! | what it computes of what it loads, upwards (`lanes.rs`) | the same for each load, or `to == from` | the same, in vectors | the same |
//!
//! and the scalar loop goes on with the next iteration (or, if the condition does not hold, with its first). So it exits as it
//! did, and what is used after it is defined there.
//!
//! Sound: iterations before `e` do not exit, and all that they do is these stores. Upwards, an iteration loads what an earlier
//! one stored only if that is further up; it is 16 bytes at least, so an earlier vector stores it. What is less than 16 bytes
//! further down is loaded with its vector, before that is stored. `e` is found only where the test holds in iteration 0 and the
//! distance to the bound is a multiple of the step where that matters, so the counter does not wrap before the bound. Each byte
//! is loaded and stored as often as before, by one access that has the whole element (`docs/memory-model.md`): another thread may
//! take a lock as soon as it is released.
//!
//! Measured: `transpose`, which adds a matrix to another one, takes 0.74 of clang's scalar code, where it took 1.02.
//!
//! Tried, and not kept: calls of C's `memset` and `memcpy`, which store some bytes twice (and a call in a function costs each of
//! its loops moves, since what lives across the call is kept in other registers); copies of unknown length inside other loops
//! (LZ's are short: 2.0 for 1.05).
//!
//! Loops that compare stay: they stop at the first difference, and `memcmp` may read all bytes, also those that are not mapped.
//! LLVM requires that all can be read (its patch for such loops finds few that it may change), or checks each page's end before it
//! reads more (AArch64's and RISC-V's vectors). BPF says of no address how much is there.

use cranelift_codegen::ir::{Function, Inst, Value, ValueDef};

use super::induction::{self, InductionVariables};
use super::rewiring::exit_at_once;
use super::trip_count::{ExitTest, initial_value};
use super::vector_plan::{MIN_BYTES, StoredValue, VectorPlan};
use super::vectoriser::Vectoriser;
use crate::opt::ir::effects::is_pure;
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::ir::operands::defining_block;

/// The largest step of a counter: negative distances are more than the maximum number of such steps.
const MAX_STEP: u64 = 64;

/// How many instructions of a loop are hoisted before it at most for each operand.
const MAX_HOISTED: usize = 16;

/// The induction variables and the exit test of a loop whose trip count vector code can compute.
fn countable(
    function: &Function,
    inner: &Loop,
    is_zero_extended: &dyn Fn(Value) -> bool,
) -> Option<(InductionVariables, ExitTest)> {
    if function.layout.is_cold(inner.header()) || inner.always.contains(&false) {
        return None;
    }
    let mut variables = InductionVariables::new(function, inner, &[]);
    let test = ExitTest::find(function, inner, &variables)?;
    let order = test.order()?;
    if !(test.step.unsigned_abs().is_power_of_two() && test.step.unsigned_abs() <= MAX_STEP) {
        return None;
    }
    if variables.low_steps.contains_key(&test.counter) {
        if order != order.unsigned() || !is_zero_extended(test.counter) {
            return None;
        }
        variables = InductionVariables::new(function, inner, &[test.counter]);
    } else if test.is_32_bits() {
        return None;
    }
    let is_induction =
        |value: &Value| variables.step_inside(*value).is_some() || variables.low_steps.contains_key(value);
    function.dfg.block_params(inner.header()).iter().all(is_induction).then_some((variables, test))
}

/// Puts vector code before a loop, if the loop is one of these.
pub(crate) fn vectorise(function: &mut Function, inner: &Loop, is_zero_extended: &dyn Fn(Value) -> bool) -> bool {
    let Some((variables, test)) = countable(function, inner, is_zero_extended) else { return false };
    let Some(plan) = VectorPlan::find(function, inner, &variables, &test) else { return false };
    let first = initial_value(function, inner, test.index).map(|start| induction::wrapped(start, test.ty));
    let bound = induction::signed(&function.dfg, test.bound);
    let last = first.zip(bound).and_then(|(start, bound)| test.last_iteration(start, bound));
    match last.map(|last| i64::try_from(last).ok()?.checked_mul(plan.size)) {
        // Copies of unknown length inside other loops are mostly short.
        None if inner.is_nested && !plan.is_fill() => return false,
        Some(None | Some(..MIN_BYTES)) => return false,
        _ => {}
    }
    let mut operands = vec![plan.store.address];
    match &plan.stored {
        StoredValue::Byte(value) => operands.push(*value),
        StoredValue::Constant(_) => {}
        StoredValue::Lanes(lanes) => {
            operands.extend(lanes.loads.iter().map(|load| load.address));
            operands.extend(&lanes.invariants);
        }
    }
    operands.extend(last.is_none().then_some(test.bound));
    let Some(hoisted) = hoistable(function, inner, operands.into_iter()) else { return false };
    Vectoriser::new(function, inner, &variables, &test, &hoisted).vectorise(&plan, last);
    // If nothing else leads to the scalar loop, only its last iteration is left.
    if plan.is_fill() && last.is_some() {
        exit_at_once(function, inner, &test);
    }
    true
}

/// The loop's instructions that compute values, operands first; none if they cannot be hoisted out of it.
fn hoistable(function: &Function, inner: &Loop, values: impl Iterator<Item = Value>) -> Option<Vec<Inst>> {
    let dfg = &function.dfg;
    let mut order: Vec<Inst> = Vec::new();
    for value in values {
        let mut found = Vec::new();
        let mut pending = vec![value];
        while let Some(value) = pending.pop() {
            let block = defining_block(function, value)?;
            if inner.index(block).is_none() {
                continue;
            }
            match dfg.value_def(value) {
                ValueDef::Param(block, _) if block == inner.header() => {}
                ValueDef::Result(inst, _) if is_pure(dfg, inst) && found.len() < MAX_HOISTED => {
                    found.push(inst);
                    pending.extend(dfg.inst_values(inst));
                }
                _ => return None,
            }
        }
        order.extend(found.into_iter().rev());
    }
    Some(order)
}
