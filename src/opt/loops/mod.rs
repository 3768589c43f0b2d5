//! Passes over innermost loops (`ir/loop_discovery.rs` finds them).
//!
//! | part | file |
//! |---|---|
//! | several iterations at once, in vectors | `vectorise/` |
//! | full and partial unrolling; unrolling by two | `unrolling.rs`, `unroll_by_two.rs`, over `cloning.rs` |
//! | exit tests after the increment | `post_increment.rs`, over `exit_comparison.rs` |
//! | induction variables, trip counts, what an iteration costs | `induction.rs`, `trip_count.rs`, `cost.rs` |
//! | leading entry edges, exits and back edges elsewhere | `rewiring.rs` |

mod cloning;
mod cost;
mod exit_comparison;
mod induction;
pub(crate) mod post_increment;
mod rewiring;
mod trip_count;
pub(crate) mod unroll_by_two;
pub(crate) mod unrolling;
mod vectorise;

use cranelift_codegen::entity::EntitySet;
use cranelift_codegen::ir::{Function, Value};

use super::ir::dead_code::remove_dead_code;
use super::ir::{loop_discovery, zero_high_half};
use crate::config::Pass;
use crate::opt::pass::PassContext;

/// Runs the passes over loops.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let (vectors, unroll) = (context.on.contains(Pass::LoopVectors), context.on.contains(Pass::Unrolling));
    let mut loops = loop_discovery::innermost(function);
    if loops.is_empty() {
        return;
    }
    context.analyses.changed();
    let mut room = unrolling::Room::of(function);
    function.dfg.resolve_all_aliases();
    let mut zero_extended: EntitySet<Value> = EntitySet::with_capacity(function.dfg.num_values());
    zero_extended.extend(zero_high_half::zero_extended_parameters(function));
    let is_zero_extended = |value| zero_extended.contains(value);
    let done = match vectors {
        true => vectorise::run(function, &mut loops, &context.facts, &is_zero_extended, &mut room),
        false => vec![false; loops.len()],
    };
    let mut left = Vec::new();
    let mut unrolled = false;
    for inner in loops.iter().zip(done).filter(|(_, is_done)| !is_done && unroll).map(|(inner, _)| inner) {
        match unrolling::unroll(function, inner, &is_zero_extended, &mut room) {
            true => unrolled = true,
            false => left.push(inner),
        }
    }
    if unroll_by_two::run(function, &left) || unrolled {
        // Clones compute induction variables from the first iteration: the parameters of the others are not needed.
        remove_dead_code(function);
    }
}
