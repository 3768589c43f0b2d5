//! The runtime: what programs get of it, and what they get instead; its maps beside the kernel's.

#![allow(clippy::unwrap_used)]

#[path = "../native/mod.rs"]
mod native;
#[path = "../support/mod.rs"]
mod support;

mod definitions;
mod helpers;
mod map;
mod maps;
mod maps_machines;
mod maps_objects;
mod maps_random;
mod maps_rings;
mod maps_threads;
mod pair;
mod programs;
mod selection;
