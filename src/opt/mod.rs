//! The **opt** phase: passes over CLIF, for what Cranelift's own optimiser leaves, since it may not know it of BPF.
//!
//! In: a lifted function. Out: the same function, faster. The rule: each pass has a switch ([`crate::config::Pass`]), goes over
//! a function a fixed number of times, and its file says why it is sound.
//!
//! | | where |
//! |---|---|
//! | the passes, in the order in which they run | `pipeline.rs` |
//! | what a pass is given, and what it says of itself | `pass.rs` |
//! | analyses, and questions that passes share | `ir/` |
//! | passes over values; accesses of memory; loops; sums; branches; what is live at once | `scalar/`, `memory/`, `loops/`, `reassociate/`, `branches/`, `pressure/` |
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

mod branches;
mod ir;
mod loops;
mod memory;
mod pass;
mod pipeline;
mod pressure;
mod reassociate;
mod scalar;

pub use pipeline::SEQUENCE_POINTS;
pub(crate) use pipeline::{PIPELINE, Pipeline, verify};

use cranelift_codegen::ir::Endianness;

/// Where byte `index` of a number of `size` bytes is in memory, from its start.
fn position(order: Endianness, size: u8, index: u8) -> u8 {
    match order {
        Endianness::Little => index,
        Endianness::Big => size - 1 - index,
    }
}
