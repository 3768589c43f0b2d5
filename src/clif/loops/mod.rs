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
use cranelift_codegen::isa::TargetIsa;

use target_lexicon::Architecture;

use super::halves;
use crate::config::{Pass, Passes};

use idioms::Means;

pub(super) use affine::is_pure;
pub(super) use find::successors;

/// Runs the passes over loops. `may_call` says whether C's `memset` may be called.
pub(super) fn run(function: &mut Function, isa: &dyn TargetIsa, passes: Passes, may_call: bool) {
    let (idioms, unroll) = (passes.contains(Pass::Idioms), passes.contains(Pass::Unroll));
    let loops = if idioms || unroll { find::innermost(function) } else { Vec::new() };
    if loops.is_empty() {
        return;
    }
    function.dfg.resolve_all_aliases();
    let mut clear: EntitySet<Value> = EntitySet::with_capacity(function.dfg.num_values());
    clear.extend(halves::clear_parameters(function));
    let is_clear = |value| clear.contains(value);
    let wide = matches!(isa.triple().architecture, Architecture::X86_64 | Architecture::Aarch64(_));
    let means = Means { isa, wide, may_call };
    let mut left = Vec::new();
    for inner in &loops {
        let is_wide = idioms && idioms::widen(function, &means, inner, &is_clear);
        if unroll && !is_wide && !unroll::unroll(function, inner, &is_clear) {
            left.push(inner);
        }
    }
    twice::run(function, &left);
}
