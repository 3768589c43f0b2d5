//! Coverage: which functions, lines and branches of a program ran, and how often; the counters of profiles are the same.
//!
//! In: a program, whose objects have source lines for coverage. Out: the same program with counters, and once it has run,
//! [`Coverage`], which can be merged with that of other runs and written as lcov, and [`Profile`].
//!
//! | what | file |
//! |---|---|
//! | what ran: the structure that users see, merging | `model.rs` |
//! | as an lcov tracefile | `lcov.rs` |
//! | of programs that run elsewhere | `counted.rs` |
//! | where counters are put | `instrument.rs`, over `network.rs`, `flow.rs`; which edges are counted, and what follows: `placement.rs` |
//! | which loops count in registers, and which registers count by themselves | `loops.rs`, `strides.rs` |
//! | which functions a profile fits, and what says so | `fit.rs`, `digest.rs` |
//! | from the counters' values to what ran | `map.rs` |
//! | in executables: the text to be filled in, what fills it in, how that finds it | `template.rs`, `writer.c` and `profile.c` over `writer.h`, `place.rs`, `writers.rs` |
//!
//! [`Config::coverage`](crate::Config::coverage) turns counters on, and [`Module::coverage`](crate::Module::coverage) reads them. An
//! executable or a shared library writes them when it ends, to [`Config::coverage_file`](crate::Config::coverage_file), if the program
//! was read with [`Options::coverage`](crate::parse::Options::coverage).
//!
//! They are counted up by ordinary loads, additions and stores, before any pass over CLIF; threads that count at once may lose
//! some. Plans keep the blocks and edges that count.

#[cfg(feature = "cli")]
pub(crate) mod counted;
mod digest;
mod fit;
mod flow;
mod instrument;
mod lcov;
mod loops;
mod map;
mod model;
mod network;
mod place;
mod placement;
mod strides;
mod template;
mod writers;

pub(crate) use fit::fit;
pub(crate) use instrument::{Wanted, instrument};
pub(crate) use map::CoverageMap;
pub use model::{BranchCount, Coverage, FileCoverage, FunctionCount, LineCount};
pub(crate) use place::instrument_object;

#[cfg(feature = "cli")]
use crate::profile::Profile;
#[cfg(feature = "cli")]
use crate::program::Program;

/// The profile of a program that has not run.
#[cfg(feature = "cli")]
pub fn profile_of(program: &Program) -> Profile {
    instrument(program, Wanted { coverage: false, profile: true }).1.profile(&[])
}
