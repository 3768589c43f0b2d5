//! The **opt** phase: passes over CLIF, for what Cranelift's own optimiser leaves, since it may not know it of BPF.
//!
//! In: a lifted function. Out: the same function, faster. The rule: each pass has a switch ([`crate::config::Pass`]), goes over
//! a function a fixed number of times, and its file says why it is sound.
//!
//! | | where |
//! |---|---|
//! | the passes, in the order in which they run | `pipeline.rs` |
//! | what a pass is given, and what it says of itself | `pass.rs` |
//! | the program's constant data | `constants.rs` |
//! | analyses, and questions that passes share | `ir/` |
//! | passes after Cranelift's optimiser | `order/` |
//! | passes over scalar values; numbers of 128 bits; bits; floats; memory accesses; loops; sums; branches; register pressure | `scalar/`, `wide/`, `bits/`, `floats/`, `memory/`, `loops/`, `reassociate/`, `branches/`, `pressure/` |
//!
//! Tried, and not kept, since 54 programs took as long as before: hoisting the arithmetic of a loop's last block above the
//! branch that leads to it, so that this branch closes the loop (0.90 at best, 1.25 at worst); and 32-bit parameters
//! in place of those of which only the low 32 bits are used (`lcs` and `flow_hash` 0.90, `lz_compress` 0.93; `http` 1.16, `lz_decompress`
//! 1.05: Cranelift then computes in each iteration what the parameter kept).
//!
//! There are no alias regions. One for the frame has no effect: even if all accesses of r10 are assumed to be in one that no
//! other access reaches (which only `plan/escape.rs` could prove), the code of none of the 54 programs differs, and that of 1 of 66
//! objects, since slots that no pointer reaches have been promoted. Loads of read-only data can be folded to constants only at
//! known addresses, where clang has done so: there is none in the 54 programs, and 8 in 65 objects.

mod bits;
mod branches;
mod constants;
mod floats;
mod ir;
mod loops;
mod memory;
mod order;
mod pass;
mod pipeline;
mod pressure;
mod reassociate;
mod scalar;
mod wide;

pub(crate) use constants::Constants;
pub(crate) use order::{ORDER_PASSES, Order};
pub use pipeline::SEQUENCE_POINTS;
pub(crate) use pipeline::{PIPELINE, Pipeline, verify};
