//! What users get: from the command, in objects, listings and caches, under debuggers and unwinders.

#![allow(clippy::unwrap_used)]

#[path = "../command/mod.rs"]
mod command;
#[path = "../native/mod.rs"]
mod native;

mod border;
mod cache;
mod calling_convention;
mod cli;
mod coverage;
mod debuggers;
mod disasm;
mod docs;
mod inspect;
mod kconfig;
mod kernel;
mod listing;
mod llvm23;
mod profile;
mod prologues;
mod prototypes;
mod testing;
mod unwind;
