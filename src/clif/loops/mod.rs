//! Innermost loops.
//!
//! | part | file |
//! |---|---|
//! | finding them | `find.rs` |
//! | what grows by the same in each round | `affine.rs` |
//! | how often they go round | `trips.rs` |
//! | loops that fill, copy or compute memory, element by element | `idioms.rs`, over `widen.rs`, `lanes.rs` |
//! | several rounds one after the other | `unroll.rs`, `twice.rs`, over `copy.rs` |

mod affine;
mod copy;
mod find;
mod idioms;
mod lanes;
mod trips;
mod twice;
mod unroll;
mod widen;

use cranelift_codegen::entity::EntitySet;
use cranelift_codegen::ir::{Function, Value};

use super::halves;
use crate::config::{Pass, Passes};

pub(super) use affine::is_pure;
pub(super) use find::successors;

/// Runs the passes over loops; `wide` says whether the machine has 16 bytes in a register, and takes them from any address.
pub(super) fn run(function: &mut Function, passes: Passes, wide: bool) {
    let (idioms, unroll) = (passes.contains(Pass::Idioms) && wide, passes.contains(Pass::Unroll));
    let loops = if idioms || unroll { find::innermost(function) } else { Vec::new() };
    if loops.is_empty() {
        return;
    }
    let mut room = unroll::Room::of(function);
    function.dfg.resolve_all_aliases();
    let mut clear: EntitySet<Value> = EntitySet::with_capacity(function.dfg.num_values());
    clear.extend(halves::clear_parameters(function));
    let is_clear = |value| clear.contains(value);
    let mut left = Vec::new();
    for inner in &loops {
        let is_wide = idioms && idioms::widen(function, inner, &is_clear);
        if unroll && !is_wide && !unroll::unroll(function, inner, &is_clear, &mut room) {
            left.push(inner);
        }
    }
    twice::run(function, &left);
}
