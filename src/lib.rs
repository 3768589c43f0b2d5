//! Translates BPF objects into native code, with Cranelift.

pub mod abi;
pub mod btf;
pub mod compile;
pub mod declare;
pub mod decode;
pub mod emit;
pub mod graph;
pub mod lift;
pub mod parse;
pub mod program;
pub mod target;
