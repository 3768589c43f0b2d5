//! Anchors: selected values are computed where the program computes them, and only there.
//!
//! Cranelift computes a pure value where it is used, which may be several places or a bad one. An anchor is an opaque use
//! (`ir/opaque.rs`) right after the value's definition, which becomes no instruction, and forces the value to be there.
//!
//! | value | file |
//! |---|---|
//! | is expensive, and would be computed on several paths | `rematerialised.rs` |
//! | is combined in a long block, or from pairs of loads | `long_blocks.rs` |
//! | operands of additions that Cranelift would turn into subtractions or shifts (x86-64) get opaque copies; small multiples become additions | `two_address.rs` |
//!
//! In: a function. Out: the same with these opaque values. Sound: one more value is computed, where it already was, or a copy
//! is the same number.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Function, Inst, InstBuilder, types};

use super::{long_blocks, rematerialised, two_address};
use crate::opt::ir::analyses::ControlFlow;
use crate::opt::ir::opaque::opaque;
use crate::opt::ir::uses::uses;
use crate::opt::pass::PassContext;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let (analyses, adds_to_third) = (&mut context.analyses, context.facts.adds_to_third);
    let ControlFlow { dominators, loops, .. } = analyses.control_flow(function);
    let uses = uses(function, dominators);
    let (negated, doublings, multiples) = match adds_to_third {
        true => {
            let negated = two_address::negated_addends(function, loops);
            (negated, two_address::doublings(function), two_address::multiples(function))
        }
        false => (Vec::new(), Vec::new(), Vec::new()),
    };
    let mut anchored = rematerialised::rematerialised(function, dominators, loops, &uses);
    anchored.extend(long_blocks::bitwise(function));
    anchored.extend(long_blocks::load_pairs(function, &uses));
    for inst in anchored {
        anchor(function, inst);
    }
    two_address::hide_negations(function, &negated);
    two_address::add_doubled(function, &doublings);
    two_address::add_multiples(function, &multiples);
}

/// Puts an anchor after an instruction.
fn anchor(function: &mut Function, inst: Inst) {
    let value = function.dfg.first_result(inst);
    let location = function.srcloc(inst);
    let is_narrow = function.dfg.value_type(value) == types::I32;
    let mut cursor = FuncCursor::new(function).after_inst(inst).with_srcloc(location);
    let value = if is_narrow { cursor.ins().uextend(types::I64, value) } else { value };
    opaque(&mut cursor, value);
}
