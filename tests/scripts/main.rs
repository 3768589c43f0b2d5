//! Scripts and tools: objects with a kernel half and a user half.

#![allow(clippy::unwrap_used)]

#[path = "../native/mod.rs"]
mod native;

mod halves;
mod kernel_copy;
mod refusals;
mod split;
