//! Innermost loops.
//!
//! | part | file |
//! |---|---|
//! | finding them | `discovery.rs` |
//! | what grows by the same in each round | `induction.rs` |
//! | how often they go round | `trip_count.rs` |
//! | loops that fill, copy or compute memory, element by element | `idioms.rs`, over `vectoriser.rs`, `lanes.rs` |
//! | several rounds one after the other | `unrolling.rs`, `unroll_by_two.rs`, over `cloning.rs` |

pub(crate) mod cloning;
pub(crate) mod discovery;
pub(crate) mod idioms;
pub(crate) mod induction;
pub(crate) mod lanes;
pub(crate) mod post_increment;
pub(crate) mod trip_count;
pub(crate) mod unroll_by_two;
pub(crate) mod unrolling;
pub(crate) mod vectoriser;

use cranelift_codegen::entity::EntitySet;
use cranelift_codegen::ir::{Function, Value};

use super::ir::zero_high_half;
use crate::config::Pass;
use crate::opt::pass::PassContext;

pub(crate) use discovery::successors;
pub(crate) use induction::is_pure;

/// Runs the passes over loops.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let (idioms, unroll) = (context.on.contains(Pass::LoopIdioms), context.on.contains(Pass::Unrolling));
    let loops = discovery::innermost(function);
    if loops.is_empty() {
        return;
    }
    context.analyses.changed();
    let mut room = unrolling::Room::of(function);
    function.dfg.resolve_all_aliases();
    let mut clear: EntitySet<Value> = EntitySet::with_capacity(function.dfg.num_values());
    clear.extend(zero_high_half::clear_parameters(function));
    let is_clear = |value| clear.contains(value);
    let mut left = Vec::new();
    for inner in &loops {
        let is_wide = idioms && idioms::widen(function, inner, &is_clear);
        if unroll && !is_wide && !unrolling::unroll(function, inner, &is_clear, &mut room) {
            left.push(inner);
        }
    }
    unroll_by_two::run(function, &left);
}
