//! Scripts and tools: objects with a kernel half and a user half, in the running kernel.

#![allow(clippy::unwrap_used)]

#[path = "../native/mod.rs"]
mod native;

mod behaviour;
mod endings;
mod examples;
mod folder;
mod leftovers;
mod machines;
mod speed;
