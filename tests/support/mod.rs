//! What the tests of the instruction set share.
#![allow(dead_code, reason = "each test uses its part of it")]

pub mod addresses;
pub mod asm;
#[cfg(target_os = "linux")]
pub mod bpf;
pub mod cases;
pub mod crash;
pub mod differential;
pub mod elf;
pub mod engine;
pub mod generated;
pub mod hex;
pub mod interp;
pub mod large;
pub mod lines;
pub mod machines;
#[cfg(target_os = "linux")]
pub mod maps;
pub mod parallel;
pub mod pointers;
pub mod profiles;
pub mod random;
pub mod seeds;
pub mod two_words;

pub use seeds::say;

/// An engine that this machine does not have: said by name, and a failure where `BPF2NATIVE_ENGINES=all`.
pub fn absent(name: &str, error: &str) {
    say(&format!("isa: {name}: not on this machine: {error}\n"));
    let all = std::env::var_os("BPF2NATIVE_ENGINES").is_some_and(|engines| engines == "all");
    assert!(!all, "{name} is not on this machine: {error}");
}
