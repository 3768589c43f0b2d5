//! What translated instructions do: each alone, in random programs, under each pass, on each machine.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod bits;
mod calls;
mod copies;
mod floats;
mod implied;
mod integer_calls;
mod isa;
mod isa_encodings;
mod isa_random;
mod loops;
mod masks;
mod memory_calls;
mod narrow;
mod narrow_counters;
mod object;
mod opt;
mod passes;
mod products;
mod profiles;
mod siblings;
mod sums;
mod validation;
mod vectors;
mod wide;
