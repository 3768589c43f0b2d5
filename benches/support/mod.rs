//! What the benchmarks share: their sections of BENCHMARKS.md, and plots.
#![allow(dead_code, reason = "each benchmark uses its part of it")]

pub mod document;
pub mod plot;
