//! The command line's words, as clap reads them.

use std::ffi::OsString;
use std::path::PathBuf;

use bpf2native::Cache;
use bpf2native::config::{self, Config, Cpu, Feature, OptLevel, Pass, PassChange};
use bpf2native::program::prefix::PrefixMap;
use clap::{Args, Parser, Subcommand, ValueEnum};
use target_lexicon::Triple;

use super::diff::DiffArguments;
use super::golden::GoldenArguments;
use super::report::ReportArguments;
use super::types::Types;

/// Translates BPF objects into native code.
///
/// Without a command, translates objects and archives (as `clang -target bpf`, gcc and rustc make them) into an
/// executable. A call to an undefined symbol is a native call to that symbol.
#[derive(Parser)]
#[command(name = "bpf2native", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Exit status: 0 done, 1 the work failed, 2 wrong use. `run` passes the program's own.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Verb>,
    #[command(flatten)]
    pub build: Build,
}

#[derive(Subcommand)]
pub enum Verb {
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

/// What to read.
#[derive(Args)]
pub struct Inputs {
    /// BPF objects and archives
    #[arg(value_name = "OBJECT")]
    pub objects: Vec<PathBuf>,
    #[command(flatten)]
    pub types: Types,
    /// Begin paths of source files with NEW instead of OLD, in line tables and listings
    #[arg(long, value_name = "OLD=NEW")]
    pub map_prefix: Vec<PrefixMap>,
}

/// How to translate.
#[derive(Args)]
pub struct Generation {
    /// Target: x86_64, aarch64, riscv64, s390x, or a triple [default: this machine]
    #[arg(long, value_name = "TRIPLE", value_parser = parse_target)]
    pub target: Option<Triple>,
    /// Processor: baseline, native, or a name such as x86-64-v3, haswell, znver3
    #[arg(long, value_name = "NAME", default_value = "baseline")]
    pub cpu: String,
    /// Features of the processor to use or not: +avx2,-bmi2
    #[arg(long, value_name = "LIST", value_delimiter = ',', allow_hyphen_values = true)]
    pub target_feature: Vec<Feature>,
    /// Optimisation: 0 translates fastest, 1 allocates registers well, 2 has all passes (see -Z)
    ///
    /// 0: registers in a single pass, each instruction as it is: translates about twice as fast as 2, and the code takes
    /// two to three times as long. 1: as 0, with registers by the backtracking allocator. 2: all passes of -Z.
    #[arg(short = 'O', value_name = "LEVEL", default_value = "2", value_parser = ["0", "1", "2"])]
    pub opt_level: String,
    /// Turn one optimisation on (NAME), off (no-NAME), or `all` or `none`; `help` lists them
    #[arg(short = 'Z', value_name = "PASS", value_parser = parse_pass)]
    pub passes: Vec<PassWord>,
    /// Keep source lines for debuggers (ELF only; the objects must be compiled with -g)
    #[arg(short = 'g')]
    pub debug: bool,
    /// Keep compiled programs in this folder, and use those that are there
    #[arg(long, value_name = "DIR", env = "BPF2NATIVE_CACHE")]
    pub cache: Option<OsString>,
    /// Threads, no more than four for each processor [default: one for each processor]
    #[arg(short = 'j', value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub threads: usize,
}

fn parse_target(name: &str) -> Result<Triple, String> {
    config::parse_triple(name).map_err(|error| error.to_string())
}

/// A word after `-Z`.
#[derive(Clone, Copy)]
pub enum PassWord {
    Help,
    Change(PassChange),
}

fn parse_pass(word: &str) -> Result<PassWord, String> {
    if word == "help" {
        return Ok(PassWord::Help);
    }
    word.parse().map(PassWord::Change).map_err(|error: config::UnknownPass| error.to_string())
}

/// The name of a pass.
fn parse_pass_name(name: &str) -> Result<Pass, String> {
    match name.parse() {
        Ok(PassChange::On(pass)) => Ok(pass),
        _ => Err(format!("there is no pass `{name}`; `-Z help` lists them")),
    }
}

impl Generation {
    /// Whether the list of passes is asked for.
    pub fn wants_pass_list(&self) -> bool {
        self.passes.iter().any(|word| matches!(word, PassWord::Help))
    }

    pub fn config(&self) -> Config {
        let mut config = Config::for_target(self.target.clone().unwrap_or_else(Triple::host));
        config.cpu = match self.cpu.as_str() {
            "baseline" => Cpu::Baseline,
            "native" => Cpu::Native,
            name => Cpu::Named(name.to_owned()),
        };
        config.opt_level = match self.opt_level.as_str() {
            "0" => OptLevel::O0,
            "1" => OptLevel::O1,
            _ => OptLevel::O2,
        };
        let changes = self.passes.iter().filter_map(|word| match word {
            PassWord::Help => None,
            PassWord::Change(change) => Some(*change),
        });
        config.passes = Some(config.effective_passes().changed(&changes.collect::<Vec<_>>()));
        config.features.clone_from(&self.target_feature);
        // An empty variable is none.
        let cache = self.cache.as_ref().filter(|folder| !folder.is_empty());
        config.cache = cache.map(Cache::new);
        config.threads = self.threads;
        config.debug = self.debug;
        config
    }
}

/// Native libraries.
#[derive(Args)]
pub struct Libraries {
    /// Link with a library, as cc does
    #[arg(short = 'l', value_name = "LIB")]
    pub libraries: Vec<String>,
    /// Look for libraries in this folder
    #[arg(short = 'L', value_name = "DIR")]
    pub paths: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Emit {
    /// An executable
    Exe,
    /// A shared library
    Shared,
    /// A relocatable object
    Obj,
    /// Native assembly
    Asm,
    /// Cranelift's intermediate language, optimised
    ClifOpt,
    /// Cranelift's intermediate language
    Clif,
    /// BPF assembly
    Bpf,
}

#[derive(Args)]
pub struct Build {
    #[command(flatten)]
    pub inputs: Inputs,
    /// Write to this file; `-` is standard output
    #[arg(short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write a relocatable object, and leave undefined symbols to the linker
    #[arg(short = 'c', conflicts_with_all = ["shared", "emit"])]
    pub object: bool,
    /// Write a shared library
    #[arg(long, conflicts_with = "emit")]
    pub shared: bool,
    /// What to write
    #[arg(long, value_name = "KIND")]
    pub emit: Option<Emit>,
    /// Show CLIF as it is after this pass of -Z (with --emit clif) [default: after all of them]
    #[arg(long, value_name = "PASS", value_parser = parse_pass_name)]
    pub after: Option<Pass>,
    /// Show only this function (with --emit asm, clif-opt, clif, bpf)
    #[arg(long, value_name = "NAME")]
    pub function: Option<String>,
    #[command(flatten)]
    pub generation: Generation,
    #[command(flatten)]
    pub libraries: Libraries,
    /// The C compiler that links [default: cc, or the target's cross gcc]
    #[arg(long, value_name = "CC")]
    pub linker: Option<PathBuf>,
    /// Pass an argument to the C compiler that links
    #[arg(long = "link-arg", value_name = "ARG", allow_hyphen_values = true)]
    pub link_arguments: Vec<OsString>,
    /// Write the inputs as dependencies of the output, for make and ninja
    #[arg(long, value_name = "FILE")]
    pub depfile: Option<PathBuf>,
    /// Print how long each phase takes
    #[arg(long)]
    pub time: bool,
}

#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    pub inputs: Inputs,
    /// Call this function with standard input as a buffer (r1 = buffer, r2 = length) and print what it returns
    #[arg(long, value_name = "NAME")]
    pub entry: Option<String>,
    /// The program's name, as it sees it [default: the first object]
    #[arg(long, value_name = "NAME")]
    pub argv0: Option<OsString>,
    #[command(flatten)]
    pub generation: Generation,
    #[command(flatten)]
    pub libraries: Libraries,
    /// Write the functions' names where perf looks for them, in /tmp/perf-PID.map
    #[arg(long)]
    pub perf_map: bool,
    /// Print how long each phase takes
    #[arg(long)]
    pub time: bool,
    /// The program's arguments
    #[arg(last = true, value_name = "ARGS")]
    pub arguments: Vec<OsString>,
}

#[derive(Args)]
pub struct Inspect {
    #[command(flatten)]
    pub inputs: Inputs,
}

#[derive(Args)]
pub struct Cflags {
    /// The machine that the program will run on [default: this one]
    #[arg(long, value_name = "TRIPLE", value_parser = parse_target)]
    pub target: Option<Triple>,
    /// For a clang of LLVM 23 or later: floats, 128-bit arithmetic and large copies too
    #[arg(long)]
    pub full: bool,
    /// For objects that `bpftool gen object` links: it refuses the sizes of frames, and all of them are guessed then
    #[arg(long)]
    pub bpftool: bool,
    /// Put bpf2native.h into this folder [default: beside the command, or in the user's cache]
    #[arg(long, value_name = "DIR")]
    pub header_dir: Option<PathBuf>,
}
