//! Profiles: how often each basic block of a program ran, measured before anything is optimised, so that a later translation of the
//! same program knows.
//!
//! In: what was counted of a program ([`Module::profile`](crate::Module::profile), or the file of an executable). Out: [`Profile`],
//! which [`Config::profile`](crate::Config::profile) takes.
//!
//! | what | file |
//! |---|---|
//! | the structure that users see, merging | `model.rs` |
//! | its text, written and read | `text.rs` |
//! | who counts, what says that a function is the one that was counted, which functions of a program a profile fits | `../coverage/` |
//!
//! The counters are those of coverage, for functions without source lines too. An lcov tracefile is no profile: it has lines, and the
//! largest count of the blocks of each, where this wants blocks; functions without lines are missing in it. So one build can write
//! both, from the same counters, each in its form.
//!
//! The rule: a profile changes how fast a program is, never what it does, whatever its numbers are.

mod model;
mod text;

pub use model::{BlockProfile, FunctionProfile, Profile};
pub use text::ProfileError;
pub(crate) use text::{END, function_head, head};
