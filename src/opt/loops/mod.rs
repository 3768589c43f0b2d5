//! Passes over innermost loops (`ir/loop_discovery.rs` finds them).
//!
//! | part | file |
//! |---|---|
//! | several iterations at once, in vectors | `vectorise/` |
//! | full and partial unrolling; unrolling by two | `unrolling.rs`, `unroll_by_two.rs`, over `cloning.rs` |
//! | exit tests after the increment | `post_increment.rs`, over `exit_comparison.rs` |
//! | counters of 8 and 16 bits | `narrow_counters.rs` |
//! | pointers that are indexed by a counter | `indexed_pointers.rs` |
//! | induction variables, trip counts, what an iteration costs | `induction.rs`, `trip_count.rs`, `cost.rs` |
//! | parameters of what a loop does not change | `invariant_parameters.rs` |
//! | leading entry edges, exits and back edges elsewhere | `rewiring.rs` |

mod cloning;
mod cost;
mod exit_comparison;
pub(crate) mod indexed_pointers;
mod induction;
mod invariant_parameters;
mod narrow_counters;
pub(crate) mod post_increment;
mod rewiring;
mod trip_count;
pub(crate) mod unroll_by_two;
pub(crate) mod unrolling;
mod vectorise;

use cranelift_codegen::entity::EntitySet;
use cranelift_codegen::ir::{Function, Value};

use super::ir::dead_code::remove_dead_code;
use super::ir::{loop_discovery, zero_extension};
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
    invariant_parameters::remove(function, &loops);
    function.dfg.resolve_all_aliases();
    narrow_counters::run(function, &loops);
    let mut zero_extended: EntitySet<Value> = EntitySet::with_capacity(function.dfg.num_values());
    zero_extended.extend(zero_extension::zero_extended_parameters(function).into_iter().map(|(value, _)| value));
    let is_zero_extended = |value| zero_extended.contains(value);
    let done = match vectors {
        true => vectorise::run(function, &mut loops, &context.facts, &is_zero_extended, &mut room),
        false => vec![false; loops.len()],
    };
    let (mut left, mut has_unrolled) = (Vec::new(), false);
    for inner in loops.iter().zip(done).filter(|(_, is_done)| !is_done).map(|(inner, _)| inner) {
        if unroll {
            match unrolling::unroll(function, inner, &is_zero_extended, &mut room) {
                true => has_unrolled = true,
                false => left.push(inner),
            }
        }
    }
    // The later iterations compute from the first one's parameters, and no longer use their own.
    if unroll_by_two::run(function, &left) || has_unrolled {
        remove_dead_code(function);
    }
}
