//! Programs and prototypes of all kinds, beside what native compilers make of the same sources, on four machines.

#![allow(clippy::unwrap_used)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../pairs/mod.rs"]
mod pairs;
#[path = "../support/seeds.rs"]
#[allow(dead_code, reason = "nothing here is by proptest")]
mod seeds;

mod abi_pairs;
mod cross;
mod natively;
