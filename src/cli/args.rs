//! Options: those that several commands share, and those of commands without a file of options of their own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bpf2native::Cache;
use bpf2native::compare::measure::TextKind;
use bpf2native::config::{self, Config, Cpu, Feature, OptLevel, Pass, PassChange, Target};
use bpf2native::profile::Profile;
use bpf2native::program::prefix::PrefixMap;
use clap::{Args, ValueEnum};

use super::kconfig::KconfigOption;
use super::outputs;
use super::run::options::EntryOptions;
use super::script::ScriptOptions;
use super::types::Types;

/// What to read.
#[derive(Args)]
pub struct Inputs {
    /// BPF objects and archives
    #[arg(value_name = "OBJECT")]
    pub objects: Vec<PathBuf>,
    #[command(flatten)]
    pub types: Types,
    #[command(flatten)]
    pub kconfig: KconfigOption,
    /// Replace the prefix OLD of source paths by NEW, in line tables and listings
    #[arg(long, value_name = "OLD=NEW")]
    pub map_prefix: Vec<PrefixMap>,
}

impl Inputs {
    /// All files that are read.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let objects = self.objects.iter().map(PathBuf::as_path);
        objects.chain(self.types.paths()).chain(self.kconfig.file.as_deref())
    }
}

/// How to translate.
#[derive(Args)]
pub struct Generation {
    /// Target: x86_64, aarch64, riscv64, s390x, or a triple [default: this machine]
    #[arg(long, value_name = "TRIPLE")]
    pub target: Option<Target>,
    /// Processor: baseline, native (this machine's), or a name such as x86-64-v3, haswell, znver3
    #[arg(long, value_name = "NAME", default_value = "baseline")]
    pub cpu: String,
    /// Processor features to enable or disable: +avx2,-bmi2
    #[arg(long, value_name = "LIST", value_delimiter = ',', allow_hyphen_values = true)]
    pub target_feature: Vec<Feature>,
    /// Optimisation level: 0 translates fastest, 1 allocates registers well, 2 runs all passes (see -Z)
    ///
    /// 0: single-pass register allocation and no passes: translates about twice as fast as 2, and the code takes two to
    /// three times as long. 1: as 0, with the backtracking register allocator. 2: all passes of -Z.
    #[arg(short = 'O', value_name = "LEVEL", default_value = "2", value_parser = ["0", "1", "2"])]
    pub opt_level: String,
    /// Turn one optimisation on (NAME), off (no-NAME), or `all` or `none`; `help` lists them
    #[arg(short = 'Z', value_name = "PASS", value_parser = parse_pass)]
    pub passes: Vec<PassWord>,
    /// Keep source lines for debuggers (ELF only; the objects must be compiled with -g)
    #[arg(short = 'g')]
    pub debug: bool,
    /// Optimise by this profile, which a program made that was translated with --profile-generate; several are added up
    #[arg(long, value_name = "FILE")]
    pub profile_use: Vec<PathBuf>,
    /// Cache compiled programs in this folder
    #[arg(long, value_name = "DIR", env = "BPF2NATIVE_CACHE")]
    pub cache: Option<OsString>,
    /// Threads, at most four for each processor [default: one for each processor]
    #[arg(short = 'j', value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub threads: usize,
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
    /// Whether `-Z help` is among them.
    pub fn wants_pass_list(&self) -> bool {
        self.passes.iter().any(|word| matches!(word, PassWord::Help))
    }

    /// The configuration, with the profiles that are named.
    pub fn config(&self) -> anyhow::Result<Config> {
        let mut config = Config::for_target(self.target.clone().unwrap_or_else(Target::host));
        config.cpu(match self.cpu.as_str() {
            "baseline" => Cpu::Baseline,
            "native" => Cpu::Native,
            name => Cpu::Named(name.to_owned()),
        });
        config.opt_level(match self.opt_level.as_str() {
            "0" => OptLevel::O0,
            "1" => OptLevel::O1,
            _ => OptLevel::O2,
        });
        let changes = self.passes.iter().filter_map(|word| match word {
            PassWord::Help => None,
            PassWord::Change(change) => Some(*change),
        });
        let passes = config.effective_passes().changed(&changes.collect::<Vec<_>>());
        config.passes(passes).features(self.target_feature.clone()).threads(self.threads).debug(self.debug);
        config.profile(self.profile()?);
        Ok(config)
    }

    /// The profiles, added up.
    fn profile(&self) -> anyhow::Result<Option<Profile>> {
        let mut all: Option<Profile> = None;
        for path in &self.profile_use {
            let read = Profile::parse(&outputs::read(path)?);
            let profile = read.with_context(|| format!("cannot use the profile `{}`", path.display()))?;
            match &mut all {
                Some(all) => all.merge(&profile),
                None => all = Some(profile),
            }
        }
        Ok(all)
    }

    /// Where compiled programs are kept; an empty variable is none.
    pub fn cache(&self) -> Option<Cache> {
        self.cache.as_ref().filter(|folder| !folder.is_empty()).map(Cache::new)
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
    /// Leave out what the program lacks of maps, helpers and kfuncs: maps are plain data, helpers undefined symbols
    #[arg(long)]
    pub no_runtime: bool,
    /// Leave out the kernel half of a script: BEGIN and END with maps of their own
    #[arg(long)]
    pub no_kernel: bool,
    /// Write which functions, lines and branches ran to this file when the program ends, for lcov; %p in its name is the
    /// process's number
    ///
    /// The environment variable BPF2NATIVE_COVERAGE names another file.
    #[arg(long, value_name = "FILE")]
    pub coverage: Option<PathBuf>,
    /// Add how often each block ran to this file when the program ends, for --profile-use; %p in its name is the process's
    /// number
    ///
    /// The environment variable BPF2NATIVE_PROFILE names another file.
    #[arg(long, value_name = "FILE")]
    pub profile_generate: Option<PathBuf>,
    /// Write a relocatable object; undefined symbols are left to the linker
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
    /// Write a dependency file for make and ninja
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
    #[command(flatten)]
    pub entry: EntryOptions,
    #[command(flatten)]
    pub script: ScriptOptions,
    /// Leave out what the program lacks of maps, helpers and kfuncs: maps are plain data, helpers undefined symbols
    #[arg(long)]
    pub no_runtime: bool,
    /// The program's argv[0] [default: the first object]
    #[arg(long, value_name = "NAME")]
    pub argv0: Option<OsString>,
    #[command(flatten)]
    pub generation: Generation,
    #[command(flatten)]
    pub libraries: Libraries,
    /// Write the functions' names to /tmp/perf-PID.map, for perf
    #[arg(long)]
    pub perf_map: bool,
    /// Write which functions, lines and branches ran to this file, for lcov; %p in its name is the process's number
    #[arg(long, value_name = "FILE")]
    pub coverage: Option<PathBuf>,
    /// Add how often each block ran to this file, for --profile-use; %p in its name is the process's number
    #[arg(long, value_name = "FILE")]
    pub profile_generate: Option<PathBuf>,
    /// Print how long each phase takes
    #[arg(long)]
    pub time: bool,
    /// The program's arguments, or those of the function that --entry names
    #[arg(last = true, value_name = "ARGS")]
    pub arguments: Vec<OsString>,
}

#[derive(Args)]
pub struct Inspect {
    #[command(flatten)]
    pub inputs: Inputs,
    /// As JSON, in the schema of docs/inspect.md
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Cflags {
    /// The machine that the program will run on [default: this one]
    #[arg(long, value_name = "TRIPLE")]
    pub target: Option<Target>,
    /// Allow floats, 128-bit arithmetic and large copies too, which take clang of LLVM 23 or later
    #[arg(long)]
    pub full: bool,
    /// For objects that `bpftool gen object` links: without frame sizes, which it refuses, so that they are guessed
    #[arg(long)]
    pub bpftool: bool,
    /// Put bpf2native.h into this folder [default: beside the command, or in the user's cache]
    #[arg(long, value_name = "DIR")]
    pub header_dir: Option<PathBuf>,
}

/// Which text of a function is shown or kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TextOption {
    /// Native assembly
    Asm,
    /// Cranelift's intermediate language
    Clif,
    /// BPF assembly
    Bpf,
}

impl TextOption {
    /// The library's name of it.
    pub fn kind(self) -> TextKind {
        match self {
            TextOption::Asm => TextKind::Asm,
            TextOption::Clif => TextKind::Clif,
            TextOption::Bpf => TextKind::Bpf,
        }
    }
}
