//! Translates BPF objects into native code, with Cranelift.

pub mod btf;
pub mod decode;
pub mod program;
