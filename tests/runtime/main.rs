//! The runtime: maps, helpers and contexts of programs that run without a kernel; what programs get of it, and what they
//! get instead.

#![allow(clippy::unwrap_used)]

#[path = "../command/mod.rs"]
#[allow(dead_code, reason = "each module uses its part of it")]
mod command;
#[path = "../native/mod.rs"]
mod native;
#[path = "../support/mod.rs"]
mod support;

mod arena;
mod contexts;
mod definitions;
mod embedding;
mod entry;
mod helper_results;
mod helpers;
mod kernel;
mod library_names;
mod map;
mod map_calls;
mod map_fields;
mod maps;
mod maps_machines;
mod maps_objects;
mod maps_random;
mod maps_rings;
mod maps_threads;
mod packets;
mod pair;
mod probes;
mod programs;
mod selection;
mod show;
mod throws;
