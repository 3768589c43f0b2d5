//! Translates BPF objects into native code, with Cranelift.

pub mod btf;
pub mod parse;
pub mod program;
