//! Passes over innermost loops (`ir/loop_discovery.rs` finds them).
//!
//! | part | file |
//! |---|---|
//! | loops that fill, copy or compute memory, in vectors | `idioms.rs`, over `vectoriser.rs`, `vector_plan.rs`, `lanes.rs` |
//! | full and partial unrolling; unrolling by two | `unrolling.rs`, `unroll_by_two.rs`, over `cloning.rs` |
//! | exit tests after the increment | `post_increment.rs`, over `exit_comparison.rs` |
//! | induction variables, trip counts, what an iteration costs | `induction.rs`, `trip_count.rs`, `cost.rs` |
//! | leading entry edges, exits and back edges elsewhere | `rewiring.rs` |

mod cloning;
mod cost;
mod exit_comparison;
pub(crate) mod idioms;
mod induction;
mod lanes;
pub(crate) mod post_increment;
mod rewiring;
mod trip_count;
pub(crate) mod unroll_by_two;
pub(crate) mod unrolling;
mod vector_plan;
mod vectoriser;

use cranelift_codegen::entity::EntitySet;
use cranelift_codegen::ir::{Function, Value};

use super::ir::{loop_discovery, zero_high_half};
use crate::config::{Pass, Passes};

/// Runs the passes over loops; `wide` says whether the target has 16-byte vectors that need not be aligned in memory.
pub(crate) fn run(function: &mut Function, passes: Passes, wide: bool) {
    let (idioms, unroll) = (passes.contains(Pass::LoopIdioms) && wide, passes.contains(Pass::Unrolling));
    let loops = if idioms || unroll { loop_discovery::innermost(function) } else { Vec::new() };
    if loops.is_empty() {
        return;
    }
    function.dfg.resolve_all_aliases();
    let mut zero_extended: EntitySet<Value> = EntitySet::with_capacity(function.dfg.num_values());
    zero_extended.extend(zero_high_half::zero_extended_parameters(function));
    let is_zero_extended = |value| zero_extended.contains(value);
    let mut left = Vec::new();
    for inner in &loops {
        let is_vectorised = idioms && idioms::vectorise(function, inner, &is_zero_extended);
        if unroll && !is_vectorised && !unrolling::unroll(function, inner, &is_zero_extended) {
            left.push(inner);
        }
    }
    unroll_by_two::run(function, &left);
}
