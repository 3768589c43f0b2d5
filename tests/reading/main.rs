//! What is read of objects, archives, BTF and DWARF: as compilers make them, and damaged.

#![allow(clippy::unwrap_used)]

#[path = "../parsed/mod.rs"]
mod parsed;
#[path = "../support/seeds.rs"]
#[allow(dead_code, reason = "it is all by proptest here")]
mod seeds;
#[path = "../support/work.rs"]
#[allow(dead_code, reason = "nothing here has threads")]
mod work;

mod btf_core;
mod btf_dump;
mod dwarf;
mod malformed_btf;
mod malformed_parse;
mod malformed_translate;
mod parse;
mod parse_merge;

#[global_allocator]
static ALLOCATOR: work::Counting = work::Counting;
