//! The runtime: what programs get of it, and what they get instead.

#![allow(clippy::unwrap_used)]

#[path = "../native/mod.rs"]
mod native;

mod definitions;
mod helpers;
mod programs;
mod selection;
