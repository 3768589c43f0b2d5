//! Scripts and tools: objects with a kernel half and a user half.

#![allow(clippy::unwrap_used)]

#[path = "../native/mod.rs"]
mod native;

mod behaviour;
mod driver;
mod driver_machines;
mod endings;
mod examples;
mod folder;
mod halves;
mod kernel_copy;
mod leftovers;
mod machines;
mod origin;
mod refusals;
mod speed;
mod split;
