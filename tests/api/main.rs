//! The library's own interface, in process: calls, linking, memory, lifetimes.

#![allow(clippy::unwrap_used)]

#[path = "../native/mod.rs"]
mod native;

mod calls;
mod closures;
mod lifecycle;
mod linking;
mod memory;
mod surface;
