//! The runtime: maps and helpers of programs that run without a kernel.

#![allow(clippy::unwrap_used)]

#[path = "../native/mod.rs"]
mod native;
#[path = "../support/mod.rs"]
mod support;

mod map;
mod maps;
mod maps_machines;
mod maps_random;
mod maps_rings;
mod maps_threads;
mod pair;
