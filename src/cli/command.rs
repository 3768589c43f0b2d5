//! The commands, as clap reads them.

use clap::{Parser, Subcommand};

use super::args::{Build, Cflags, Inspect, Run};
use super::diff::DiffArguments;
use super::golden::GoldenArguments;
use super::report::ReportArguments;
use super::test::options::{ChildArguments, TestArguments};

/// Translates BPF objects into native code.
///
/// Without a command, translates objects and archives (as `clang -target bpf`, gcc and rustc make them) into an
/// executable. A call to an undefined symbol is a native call to that symbol.
#[derive(Parser)]
#[command(name = "bpf2native", version, args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Exit status: 0 success, 1 failure, 2 usage error. `run` exits with the program's own status."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub build: Build,
}

#[derive(Subcommand)]
pub enum Command {
    /// Translate in memory and run; exits with the program's status
    Run(Box<Run>),
    /// Run tests that are linked with the program, each in a process of its own
    #[command(after_help = "Exit status: 0 all passed, 1 a test failed, 2 the tests could not be run.")]
    Test(Box<TestArguments>),
    /// Show sections, programs, functions, imports, maps, who calls which helpers and kfuncs, and CO-RE relocations
    Inspect(Inspect),
    /// Print the flags that compile C for this: clang $(bpf2native cflags) -c x.c -o x.o
    Cflags(Cflags),
    /// Measure the code of each function; show or save the numbers
    Report(Box<ReportArguments>),
    /// Compare code generation: two objects, folders, saved reports, settings, or another compiler's code
    Diff(Box<DiffArguments>),
    /// Keep golden texts of functions' code beside the sources, and check the code against them
    Golden(Box<GoldenArguments>),
    /// Run one test in this process: what `test` starts
    #[command(hide = true)]
    TestChild(ChildArguments),
}
