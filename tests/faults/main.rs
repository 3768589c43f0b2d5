//! Faults that were found once, each with others of its kind: what the object's source says comes out.
//!
//! A module holds one kind of fault. Objects are in `fixtures/faults`, beside their sources; right values are those of
//! the native compile of the same source, or said in the source.

#![allow(clippy::unwrap_used)]

#[path = "../command/mod.rs"]
#[allow(dead_code, reason = "each module uses its part of it")]
mod command;
#[path = "../support/mod.rs"]
mod support;
mod translated;

mod accesses;
mod atomics;
mod computed_gotos;
mod constants;
mod errors;
mod exported;
mod first_label;
mod fixtures;
mod frames;
mod label_differences;
mod linking;
mod messages;
mod names;
mod native;
mod outputs;
mod pointers;
mod profiles;
mod replaceable;
mod running;
mod table_jumps;
mod two_words;
mod types;
