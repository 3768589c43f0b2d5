//! The options of `bpf2native test`, as clap reads them.

use std::path::PathBuf;

use bpf2native::program::prefix::PrefixMap;
use clap::{Args, ValueEnum};

use crate::cli::args::{Generation, Libraries};
use crate::cli::kconfig::KconfigOption;
use crate::cli::types::Types;

#[derive(Args)]
pub struct TestArguments {
    /// Objects with tests, compiled for BPF or for this machine: their global functions `test_*`
    #[arg(value_name = "TESTS")]
    pub tests: Vec<PathBuf>,
    /// Run only tests that have this in their names; given again, or that
    #[arg(long, value_name = "TEXT")]
    pub filter: Vec<String>,
    /// Run only tests whose whole name the filter is
    #[arg(long, requires = "filter")]
    pub exact: bool,
    /// Print the names of the tests, and run none
    #[arg(long)]
    pub list: bool,
    /// A test that takes longer has failed
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,
    /// Let tests print at once, and not only when they fail
    #[arg(long)]
    pub nocapture: bool,
    /// What is printed of the results
    #[arg(long, value_name = "FORMAT", default_value = "pretty")]
    pub format: Format,
    /// Write the results to this file in that format, and print them as `pretty`
    #[arg(short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write which functions, lines and branches of the program ran, in all tests, to this file, for lcov
    #[arg(long, value_name = "FILE")]
    pub coverage: Option<PathBuf>,
    #[command(flatten)]
    pub types: Types,
    #[command(flatten)]
    pub kconfig: KconfigOption,
    /// Replace the prefix OLD of source paths by NEW, in backtraces and coverage
    #[arg(long, value_name = "OLD=NEW")]
    pub map_prefix: Vec<PrefixMap>,
    #[command(flatten)]
    pub generation: Generation,
    #[command(flatten)]
    pub libraries: Libraries,
    /// The C compiler that links [default: cc]
    #[arg(long, value_name = "CC")]
    pub linker: Option<PathBuf>,
    /// The program: the objects that ship, compiled for BPF, and archives and native objects that it needs
    #[arg(last = true, value_name = "PROGRAM")]
    pub programs: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line for each test, and what the failed ones printed, as cargo's test has it
    Pretty,
    /// TAP 14
    Tap,
    /// JUnit's XML
    Junit,
}

/// What the command tells itself when it runs one test in a process of its own.
#[derive(Args)]
pub struct ChildArguments {
    /// The library that has the test
    pub library: PathBuf,
    /// The test
    pub name: String,
    /// The file that is told what becomes of it
    pub record: PathBuf,
    /// The file that the counters of coverage are written to
    #[arg(long)]
    pub counts: Option<PathBuf>,
    /// How many counters there are
    #[arg(long, default_value_t = 0)]
    pub counters: usize,
}
