//! Passes over CLIF, between lift and compile: what Cranelift's own optimiser leaves, since it may not know it of BPF.
//!
//! Comes in: a lifted function. Goes out: the same function, faster. The rule: each pass has a switch
//! ([`crate::config::Pass`]), goes over a function a fixed number of times, and its file says why it is sound.
//!
//! | pass | file |
//! |---|---|
//! | block parameters that are always the same value are that | `redundant_parameters.rs` |
//! | byte loads of one number become one load; byte orders; masks of what is zero | `load_combining.rs`, over `byte_provenance.rs`, `zero_high_half.rs` |
//! | byte stores of one number become one store | `store_merging.rs`, over `byte_provenance.rs` |
//! | rotates by a variable amount | `rotates.rs` |
//! | loops that fill, copy or compute memory, element by element; unrolling of small counted loops | `loops/` |
//! | long sums are added up in the order that their terms are there in, what a loop carries last | `sums/` |
//! | products of 16-bit numbers that lie one after the other are computed in vectors | `sums/vectors.rs` |
//! | bits counted by shifts and masks | `bit_counts.rs` |
//! | selections that a loop waits for become branches, where one outcome is likely | `select_to_branch.rs` |
//! | two tests for equality that lead to the same place become one branch | `branch_merging.rs` |
//! | loops' branches back compare and hand on what the next round starts with | `post_increment.rs` |
//! | values that several paths want, and those of long blocks, are computed where the program computes them | `anchors.rs`, `opaque.rs` |
//! | edges that leave loops, or hand on constants, get blocks of their own | `edge_splitting.rs` |
//! | what a loop hands on is computed in the order in which the old values are read last | `argument_order.rs` |
//! | accesses are kept apart that Cranelift would merge | `sequence_points.rs`, over `value_numbers.rs` |
//!
//! Tried, and not kept, since 54 programs took as long as before: moving the arithmetic of a loop's last block up before
//! the branch that leads to it, so that the branch closes the loop (0.90 at best, 1.25 at worst); and parameters of 32 bits
//! for those of which only the low half is used (`lcs` and `flow_hash` 0.90, `lz_compress` 0.93; `http` 1.16, `lz_decompress`
//! 1.05: Cranelift then computes in each round what the parameter kept).
//!
//! Nor are there alias regions. That of the frame has no effect: even if all accesses of r10 are taken to be in one that no
//! other access reaches (which only `reach.rs` could prove), the code of none of the 54 programs differs, and that of 1 of 66
//! objects, since slots that no pointer reaches are values before. Loads of read-only data may be taken for constants only
//! at places that are known, where clang has done so: there is none in the 54 programs, and 8 in 65 objects.

pub mod branches;
pub mod ir;
pub mod loops;
pub mod memory;
pub mod pressure;
pub mod reassociate;
pub mod scalar;

use cranelift_codegen::Context;
use cranelift_codegen::ir::{Endianness, Function};
use cranelift_codegen::isa::TargetIsa;
use target_lexicon::Architecture;

use crate::config::{Pass, Passes};

use ir::analyses::Flow;

/// Runs the passes that are on; `context` is Cranelift's, for reuse.
pub fn run(function: &mut Function, isa: &dyn TargetIsa, passes: Passes, context: &mut Context) {
    // Elsewhere an access that is not aligned may be slow, or a trap that is emulated.
    let architecture = isa.triple().architecture;
    let unaligned = matches!(architecture, Architecture::X86_64 | Architecture::Aarch64(_) | Architecture::S390x);
    // Elsewhere Cranelift has no pairs of words that cost nothing.
    let has_pairs = matches!(architecture, Architecture::X86_64 | Architecture::Aarch64(_));
    // Elsewhere vectors are an extension.
    let has_vectors = has_pairs;
    let order = isa.endianness();
    if passes.contains(Pass::RedundantParameters) {
        scalar::redundant_parameters::run(function);
    }
    if passes.contains(Pass::LoadCombining) {
        memory::load_combining::run(function, order, unaligned);
    }
    if passes.contains(Pass::StoreMerging) && unaligned {
        memory::store_merging::run(function, order);
    }
    if passes.contains(Pass::Rotates) {
        scalar::rotates::run(function);
    }
    if passes.contains(Pass::BitCounts) {
        scalar::bit_counts::run(function, isa);
    }
    loops::run(function, passes, has_vectors);
    let mut flow = Flow::new(context);
    let (order_sums, vectors) = (passes.contains(Pass::Reassociation), passes.contains(Pass::Slp) && has_vectors);
    if order_sums || vectors {
        reassociate::run(function, reassociate::What { order: order_sums, vectors });
    }
    if passes.contains(Pass::SelectToBranch) {
        branches::select_to_branch::run(function, &mut flow);
    }
    if passes.contains(Pass::BranchMerging) {
        branches::branch_merging::run(function, &mut flow);
    }
    if passes.contains(Pass::PostIncrement) && has_pairs {
        loops::post_increment::run(function, &mut flow);
    }
    if passes.contains(Pass::EdgeSplitting) {
        branches::edge_splitting::run(function, &mut flow);
    }
    if passes.contains(Pass::Anchors) && has_pairs {
        pressure::anchors::run(function, &mut flow, architecture == Architecture::X86_64);
    }
    if passes.contains(Pass::ArgumentOrder) {
        pressure::argument_order::run(function, &mut flow);
    }
    if passes.contains(Pass::Egraph) {
        memory::sequence_points::run(function, &mut flow);
    }
}

/// Where byte `index` of a number of `size` bytes is in memory, from its start.
fn position(order: Endianness, size: u8, index: u8) -> u8 {
    match order {
        Endianness::Little => index,
        Endianness::Big => size - 1 - index,
    }
}
