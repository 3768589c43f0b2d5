//! Translates BPF objects into native code, with Cranelift.

pub mod abi;
pub mod aot;
pub mod btf;
pub mod compile;
pub mod declare;
pub mod decode;
pub mod emit;
pub mod entry;
pub mod graph;
pub mod jit;
pub mod lift;
pub mod parse;
pub mod program;
pub mod select;
pub mod target;

pub use jit::{Jit, Linker, LoadError, Module, TypedFunction};
pub use program::Program;
pub use target::Config;
