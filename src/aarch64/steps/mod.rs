//! The steps over aarch64 code, one file each.

pub(crate) mod copy_propagation;
pub(crate) mod facts;
mod frame_addresses;
pub(crate) mod instruction_combining;
pub(crate) mod loop_invariants;
pub(crate) mod loop_inversion;
pub(crate) mod move_coalescing;
