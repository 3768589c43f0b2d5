//! The commands: a leaf of clap's tree each, with their options.

use clap::{Parser, Subcommand};

use super::args::{Build, Cflags, Inspect, Run};
use super::diff::DiffArguments;
use super::golden::GoldenArguments;
use super::report::ReportArguments;

/// Translates BPF objects into native code.
///
/// Without a command, translates objects and archives (as `clang -target bpf`, gcc and rustc make them) into an
/// executable. A call to an undefined symbol is a native call to that symbol.
#[derive(Parser)]
#[command(name = "bpf2native", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Exit status: 0 done, 1 the work failed, 2 wrong use. `run` passes the program's own.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub build: Build,
}

#[derive(Subcommand)]
pub enum Command {
    /// Translate in memory and run; the exit status is the program's
    Run(Box<Run>),
    /// Show sections, functions, imports with their prototypes, maps, and what is unresolved
    Inspect(Inspect),
    /// Print the flags that compile C for this: clang $(bpf2native cflags) -c x.c -o x.o
    Cflags(Cflags),
    /// Show or save what the code of each function is like
    Report(Box<ReportArguments>),
    /// Compare code generation: two objects, folders, saved reports, settings, or another compiler's code
    Diff(Box<DiffArguments>),
    /// Keep the code of functions as text beside the sources, and check that it is the same
    Golden(Box<GoldenArguments>),
}
