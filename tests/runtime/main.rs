//! The runtime: maps, helpers and contexts of programs that run without a kernel.

#![allow(clippy::unwrap_used)]

#[path = "../native/mod.rs"]
mod native;
#[path = "../support/mod.rs"]
mod support;

mod kernel;
mod map;
mod maps;
mod maps_random;
mod maps_rings;
mod maps_threads;
mod packets;
mod pair;
