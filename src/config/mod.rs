//! The target of code generation: which machine, which features, how much optimisation.
//!
//! Owns what a translation is told, [`Config`]; no phase is known here. `target.rs` reads target names, `cpu.rs` names of
//! processors and features, `facts.rs` says what a target can do, `passes.rs` has the optimisations' switches, `generators.rs` turns a configuration into code
//! generators, and `work.rs` has the limits of what large functions get.

mod cpu;
mod facts;
mod generators;
mod immediates;
mod level;
pub(crate) mod passes;
mod target;
mod work;

use std::path::PathBuf;
use std::sync::Arc;

use crate::profile::Profile;
use crate::times::Times;

pub use cpu::{Cpu, Feature, FeatureError};
pub(crate) use facts::{Need, TargetFacts};
pub(crate) use generators::{CodeGenerators, Placement, has_address_table};
pub(crate) use immediates::ConstantUse;
pub use level::OptLevel;
pub use passes::{Pass, PassChange, Passes, UnknownPass};
pub use target::Target;
pub(crate) use work::Work;

/// How to translate. It starts as code for this machine ([`Config::new`]) or for another ([`Config::for_target`]), and
/// each method changes one setting:
///
/// ```
/// use bpf2native::Config;
/// use bpf2native::config::{OptLevel, Pass, Passes};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut config = Config::new();
/// config.opt_level(OptLevel::O1).threads(1).debug(true);
///
/// let mut config = Config::for_target("aarch64".parse()?);
/// config.features(["+lse".parse()?]).passes(Passes::of_level(OptLevel::O2).without(Pass::Unrolling));
/// assert!(!config.effective_passes().contains(Pass::Unrolling));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) target: Target,
    pub(crate) cpu: Cpu,
    pub(crate) features: Vec<Feature>,
    pub(crate) opt_level: OptLevel,
    /// None for those of the level.
    pub(crate) passes: Option<Passes>,
    pub(crate) threads: usize,
    pub(crate) debug: bool,
    pub(crate) coverage: bool,
    pub(crate) coverage_file: PathBuf,
    pub(crate) profile_generate: bool,
    pub(crate) profile_file: PathBuf,
    pub(crate) profile: Option<Arc<Profile>>,
    pub(crate) perf_map: bool,
    pub(crate) times: Option<Times>,
}

impl Default for Config {
    fn default() -> Self {
        Config::new()
    }
}

impl Config {
    /// Code for this machine, with all features of its processor, all optimisations, and as many threads as there are
    /// processors.
    pub fn new() -> Config {
        Config { cpu: Cpu::Native, ..Config::for_target(Target::host()) }
    }

    /// Code for any machine of this target.
    pub fn for_target(target: Target) -> Config {
        Config {
            target,
            cpu: Cpu::Baseline,
            features: Vec::new(),
            opt_level: OptLevel::default(),
            passes: None,
            threads: 0,
            debug: false,
            coverage: false,
            coverage_file: PathBuf::new(),
            profile_generate: false,
            profile_file: PathBuf::new(),
            profile: None,
            perf_map: false,
            times: None,
        }
    }

    /// The machine; its processor stays as it is said ([`Self::cpu`]).
    pub fn target(&mut self, target: Target) -> &mut Config {
        self.target = target;
        self
    }

    /// The processor, whose features the code may use.
    pub fn cpu(&mut self, cpu: Cpu) -> &mut Config {
        self.cpu = cpu;
        self
    }

    /// Features to use beside the processor's, or not to use, in place of those that were said before. Of two that
    /// contradict each other, the last holds.
    pub fn features(&mut self, features: impl IntoIterator<Item = Feature>) -> &mut Config {
        self.features = features.into_iter().collect();
        self
    }

    /// How much to optimise.
    pub fn opt_level(&mut self, level: OptLevel) -> &mut Config {
        self.opt_level = level;
        self
    }

    /// Which optimisations, whatever the level; none for those of the level ([`Passes::of_level`]), as it is at first.
    pub fn passes(&mut self, passes: impl Into<Option<Passes>>) -> &mut Config {
        self.passes = passes.into();
        self
    }

    /// How many threads translate; 0 for as many as there are processors.
    pub fn threads(&mut self, threads: usize) -> &mut Config {
        self.threads = threads;
        self
    }

    /// Whether to tell debuggers the source lines that the objects have in `.BTF.ext`: in ELF objects, and in memory
    /// where the system's executables are ELF.
    pub fn debug(&mut self, debug: bool) -> &mut Config {
        self.debug = debug;
        self
    }

    /// Whether to count how often code runs, for [`Module::coverage`](crate::Module::coverage): of functions whose objects
    /// have source lines. Code takes longer then.
    pub fn coverage(&mut self, coverage: bool) -> &mut Config {
        self.coverage = coverage;
        self
    }

    /// The file that an executable or a shared library writes its coverage to when it ends, as lcov: with [`Self::coverage`], of a
    /// program that was read with [`Options::coverage`](crate::parse::Options::coverage). `%p` in it is the process's number. The
    /// environment variable `BPF2NATIVE_COVERAGE` names another one; with none of both, nothing is written.
    pub fn coverage_file(&mut self, path: impl Into<PathBuf>) -> &mut Config {
        self.coverage_file = path.into();
        self
    }

    /// Whether to count how often blocks run, for [`Module::profile`](crate::Module::profile), and so for [`Self::profile`] of a later
    /// translation. Code takes longer then.
    pub fn profile_generate(&mut self, profile_generate: bool) -> &mut Config {
        self.profile_generate = profile_generate;
        self
    }

    /// The file that an executable or a shared library adds its profile to when it ends: with [`Self::profile_generate`], of a
    /// program that was read with [`Options::profile`](crate::parse::Options::profile). `%p` in it is the process's number. The
    /// environment variable `BPF2NATIVE_PROFILE` names another one; with none of both, nothing is written.
    pub fn profile_file(&mut self, path: impl Into<PathBuf>) -> &mut Config {
        self.profile_file = path.into();
        self
    }

    /// What an earlier run of the program was, if something is known of it: code that ran is made faster, and code that did not
    /// smaller. Functions that have changed since are translated without, and a warning names them.
    pub fn profile(&mut self, profile: impl Into<Option<Profile>>) -> &mut Config {
        self.profile = profile.into().map(Arc::new);
        self
    }

    /// Whether to write the functions of programs in memory to `/tmp/perf-<pid>.map`, where `perf` looks for their names.
    pub fn perf_map(&mut self, perf_map: bool) -> &mut Config {
        self.perf_map = perf_map;
        self
    }

    /// Where to count how long phases take, if anywhere.
    pub fn times(&mut self, times: impl Into<Option<Times>>) -> &mut Config {
        self.times = times.into();
        self
    }

    /// The machine.
    pub fn get_target(&self) -> &Target {
        &self.target
    }

    /// The optimisations that are on.
    pub fn effective_passes(&self) -> Passes {
        self.passes.unwrap_or_else(|| Passes::of_level(self.opt_level))
    }
}

/// Why there is no code generator for a target.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// A name that is no target.
    #[error("`{name}` is not a target: {reason} (try x86_64, aarch64, riscv64, s390x, or a triple)")]
    Name {
        /// As given.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A target that Cranelift has no backend for.
    #[error("target `{0}` is not supported: x86_64, aarch64, riscv64 and s390x are")]
    Unsupported(Target),
    /// `--cpu native` for another machine.
    #[error("`native` is this machine ({host}), and the target is {target}: name a processor, or use `baseline`")]
    NotNative {
        /// This machine.
        host: Target,
        /// The target.
        target: Target,
    },
    /// A processor or feature that Cranelift does not know for the target.
    #[error("`{cpu}` is not a processor of {target}; known are `{}`", known.join("`, `"))]
    Cpu {
        /// As given.
        cpu: String,
        /// The target.
        target: Target,
        /// Those that are known.
        known: Vec<String>,
    },
    /// A feature that Cranelift does not know for the target.
    #[error("`{feature}` is not a feature of {target}; known are `{}`", known.join("`, `"))]
    Feature {
        /// As given.
        feature: String,
        /// The target.
        target: Target,
        /// Those that are known.
        known: Vec<String>,
    },
    /// Settings that contradict each other.
    #[error("the code generator for {target} refuses its settings: {reason}")]
    Settings {
        /// The target.
        target: Target,
        /// Cranelift's words.
        reason: String,
    },
}
