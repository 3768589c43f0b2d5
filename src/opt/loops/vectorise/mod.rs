//! The loop vectoriser: loops over elements do several of them at once, in vectors of 16 bytes.
//!
//! | what a loop may do | file |
//! |---|---|
//! | count, by one test, without calls | `plan.rs`, over `trip_count.rs` |
//! | branch to choose between values | `joins.rs` |
//! | load and store elements of 1, 2, 4 or 8 bytes, integers or floats, at addresses that move by their size | `streams.rs` |
//! | load all elements of structures of two to four | `strides.rs` |
//! | fill, copy, compute: sums, products, bits, shifts, comparisons, lesser and greater, floats | `nodes.rs`, `selects.rs`, `clamps.rs`, `range.rs`, `widths.rs` |
//! | add up, combine bits, keep the least or the greatest, of integers | `reductions.rs` |
//! | add floats up, in the program's order: four iterations in a row, no vectors | `ordered.rs` |
//!
//! | step | file |
//! |---|---|
//! | the plan: nothing is changed | `plan.rs` |
//! | which iterations may be done at once | `streams.rs`, `starts.rs` |
//! | whether that pays, and how many | `decision.rs`, over the table of operations, `operations.rs` |
//! | the code before the loop | `entry.rs` |
//! | the vector loop | `emit.rs`, `body.rs`, `lanes.rs` |
//! | the rest of fills; what a reduction combined; the way out | `fill.rs`, `horizontal.rs`, `leaving.rs` |
//!
//! Sound: the iterations that vectors do are the first ones, whole, and no more than the loop does (`trip_count.rs`); what they
//! compute is the same, in lanes that hold what is used of each value (`widths.rs`); each byte is accessed as often as before, in the
//! program's order, by accesses that have whole elements (`streams.rs`, `docs/memory-model.md`). The scalar loop does what is left.
//!
//! Vectors have 16 bytes on each processor: Cranelift's backend for x86-64 (0.135) has no register for a type of more than 128 bits, and
//! refuses one ("Unexpected SSA-value type", `rc_for_type` in its `isa/x64/inst/mod.rs`); AVX is what it encodes instructions for 16 bytes in.
//!
//! Tried, and not kept: calls of C's `memset` and `memcpy`, which store some bytes twice (and a call in a function costs each of
//! its loops moves, since what lives across the call is kept in other registers); copies of unknown length inside other loops
//! (LZ's are short: 2.0 for 1.05).
//!
//! Loops that compare stay: they stop at the first difference, and `memcmp` may read all bytes, also those that are not mapped.
//! LLVM requires that all can be read (its patch for such loops finds few that it may change), or checks each page's end before it
//! reads more (AArch64's and RISC-V's vectors). BPF says of no address how much is there.

mod body;
mod clamps;
mod decision;
mod emit;
mod entry;
mod fill;
mod horizontal;
mod joins;
mod lanes;
mod leaving;
mod nodes;
mod operations;
mod ordered;
mod plan;
mod range;
mod reductions;
mod selects;
mod starts;
mod streams;
mod strides;
mod widths;

use std::collections::HashMap;

use cranelift_codegen::ir::{Function, Inst, Value};

use super::unrolling::Room;
use crate::config::TargetFacts;
use crate::opt::ir::loop_discovery::Loop;
use leaving::OutsideUsers;
use ordered::Ordered;
use plan::Plan;

/// Vectorises those of these loops that can be and for which it pays, while there is room. Out: which ones.
pub(crate) fn run(
    function: &mut Function,
    loops: &mut [Loop],
    facts: &TargetFacts,
    is_zero_extended: &dyn Fn(Value) -> bool,
    room: &mut Room,
) -> Vec<bool> {
    let mut done = vec![false; loops.len()];
    if joins::remove_equal_parameters(function, loops) {
        function.dfg.resolve_all_aliases();
    }
    let mut users: Option<OutsideUsers> = None;
    // Which loops a branch enters.
    let mut entered: HashMap<Inst, Vec<usize>> = HashMap::new();
    for (index, inner) in loops.iter().enumerate() {
        inner.entries.iter().for_each(|&entry| entered.entry(entry).or_default().push(index));
    }
    for index in 0..loops.len() {
        if !room.is_left() {
            break;
        }
        let before = function.dfg.num_insts();
        let plan = Plan::find(function, &loops[index], facts, is_zero_extended, &mut users, loops);
        let ordered = match plan {
            Some(_) => None,
            None => Ordered::find(function, &loops[index], is_zero_extended, &mut users, loops),
        };
        let Some(users) = &users else { continue };
        let emitted = match (plan, ordered) {
            (Some(plan), _) => emit::emit(function, &loops[index], &plan, users),
            (None, Some(ordered)) => ordered.emit(function, &loops[index], users),
            (None, None) => continue,
        };
        let emitted = emitted.expect("a plan has values for all that is stored, combined and used behind");
        room.spend(function.dfg.num_insts() - before);
        done[index] = true;
        // The exit of this loop may be the entry of another one.
        if let Some(jump) = emitted.exit {
            let old = loops[index].latch;
            let others = entered.remove(&old).unwrap_or_default();
            for &other in &others {
                loops[other].entries.iter_mut().filter(|entry| **entry == old).for_each(|entry| *entry = jump);
            }
            entered.insert(jump, others);
        }
    }
    done
}
