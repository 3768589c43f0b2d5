//! The code generators that a configuration stands for.
//!
//! In: a [`Config`], and where the code will run from. Out: [`CodeGenerators`], Cranelift ISAs.
//!
//! | setting | value | why |
//! |---|---|---|
//! | `enable_alias_analysis` | off | BPF does not say what is volatile; Cranelift 0.135 does not look at it: see `opt::memory::sequence_points` |
//! | `machine_code_cfg_info` | on | the disassembler tells code from data by where blocks start |
//! | `unwind_info` | on | debuggers and exceptions pass through every function |
//! | `enable_probestack` | inline, where there is one | a large frame cannot jump over the guard page |
//! | `is_pic` | on for objects, off in memory | COFF has no table of addresses: it relocates code when loading |
//! | | off for x86-64 ELF objects | on, all data is reached through the linker's table; see [`has_address_table`] |

use std::sync::Arc;

use cranelift_codegen::isa::{self, OwnedTargetIsa, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use target_lexicon::{Architecture, BinaryFormat, OperatingSystem, Triple};

use super::work::{self, Effort, Work};
use super::{Config, OptLevel, Pass, Passes, TargetError, TargetFacts, cpu};
use crate::abi::Platform;
use crate::profile::Profile;
use crate::times::Times;

/// Where the code will run from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Placement {
    /// In this process: addresses are known.
    Memory,
    /// In an object: position independent.
    Object,
}

/// The code generators for one configuration.
#[derive(Clone)]
pub struct CodeGenerators {
    /// For most functions.
    pub main: Arc<dyn TargetIsa>,
    /// For functions that call something that returns twice, and large ones: no code motion.
    pub unoptimised: Arc<dyn TargetIsa>,
    /// For huge functions: single-pass register allocation too.
    pub huge: Arc<dyn TargetIsa>,
    /// For functions of which a single pass spills too much, where that is what most are compiled by.
    fewer_spills: Option<Arc<dyn TargetIsa>>,
    /// What is known of the target.
    facts: TargetFacts,
    /// The optimisations that are on.
    passes: Passes,
    /// Where to count how long phases take.
    times: Option<Times>,
    /// What is known of earlier runs.
    profile: Option<Arc<Profile>>,
}

impl CodeGenerators {
    /// Makes the code generators.
    ///
    /// # Errors
    ///
    /// [`TargetError`] when the configuration makes no sense.
    pub fn new(config: &Config, placement: Placement) -> Result<CodeGenerators, TargetError> {
        let passes = config.effective_passes();
        let egraph = passes.contains(Pass::Egraph);
        let main = build(config, placement, config.opt_level, egraph)?;
        let unoptimised = if egraph { build(config, placement, config.opt_level, false)? } else { main.clone() };
        let huge = match config.opt_level {
            OptLevel::O0 => unoptimised.clone(),
            OptLevel::O1 | OptLevel::O2 => build(config, placement, OptLevel::O0, false)?,
        };
        let fewer_spills: Option<Arc<dyn TargetIsa>> = match config.opt_level {
            OptLevel::O0 => Some(build(config, placement, OptLevel::O1, false)?),
            OptLevel::O1 | OptLevel::O2 => None,
        };
        let facts = TargetFacts::of(&*main);
        let (times, profile) = (config.times.clone(), config.profile.clone());
        Ok(CodeGenerators { main, unoptimised, huge, fewer_spills, facts, passes, times, profile })
    }

    /// The code generator for a function of this much work.
    pub fn for_function(&self, work: &Work, returns_twice: bool) -> &dyn TargetIsa {
        match work.effort() {
            Effort::SinglePass => &*self.huge,
            Effort::Unoptimised => &*self.unoptimised,
            Effort::Full if returns_twice => &*self.unoptimised,
            Effort::Full => &*self.main,
        }
    }

    /// The code generator for a function of this much work of which that one spills too much, if there is a better one.
    pub fn for_fewer_spills(&self, work: &Work) -> Option<&dyn TargetIsa> {
        self.fewer_spills.as_deref().filter(|_| work.effort() != Effort::SinglePass)
    }

    /// Where to count how long phases take, if anywhere.
    pub fn times(&self) -> Option<&Times> {
        self.times.as_ref()
    }

    /// What is known of earlier runs of the program.
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_deref()
    }

    /// What is known of the target.
    pub fn facts(&self) -> &TargetFacts {
        &self.facts
    }

    /// The optimisations that are on.
    pub fn passes(&self) -> Passes {
        self.passes
    }

    /// The optimisations of a function: none where code must not move ([`crate::lift::Lifted::returns_twice`]).
    pub fn passes_for(&self, returns_twice: bool) -> Passes {
        if returns_twice { Passes::NONE } else { self.passes }
    }

    /// The optimisations of a function's CLIF: none where there is too much of it for Cranelift's.
    pub fn clif_passes_for(&self, work: &Work, returns_twice: bool) -> Passes {
        let is_large = work.edges > work::MOST_EDGES || work.effort() == Effort::Unoptimised;
        if is_large { Passes::NONE } else { self.passes_for(returns_twice) }
    }

    /// The platform at the border between BPF and native code.
    pub fn platform(&self) -> Platform {
        let triple = self.main.triple();
        let flags = self.main.isa_flags();
        Platform {
            has_lse: flags.iter().any(|flag| flag.name == "has_lse" && flag.as_bool() == Some(true)),
            call_conv: self.main.default_call_conv(),
            architecture: triple.architecture,
            is_windows: triple.operating_system == OperatingSystem::Windows,
        }
    }
}

/// Whether objects have a table of the addresses of names that others define, which code loads them from; calls by name
/// are relative then, and own data too. On s390x Cranelift cannot ask the linker for such a table; on x86-64 it would ask
/// for one for all data and all calls: 2 bytes and a load more for each.
pub fn has_address_table(target: &Triple, placement: Placement) -> bool {
    placement == Placement::Object
        && match target.architecture {
            Architecture::S390x => true,
            Architecture::X86_64 => target.binary_format == BinaryFormat::Elf,
            _ => false,
        }
}

fn build(
    config: &Config,
    placement: Placement,
    opt_level: OptLevel,
    egraph: bool,
) -> Result<OwnedTargetIsa, TargetError> {
    let target = config.target.triple();
    let mut flags = settings::builder();
    let regalloc = match opt_level {
        OptLevel::O0 => "single_pass",
        OptLevel::O1 | OptLevel::O2 => "backtracking",
    };
    // s390x has no inline probes in Cranelift.
    let probes = !matches!(target.architecture, Architecture::S390x);
    let is_pic = placement == Placement::Object
        && target.binary_format != BinaryFormat::Coff
        && !(target.architecture == Architecture::X86_64 && has_address_table(target, placement));
    let on_off = |on: bool| if on { "true" } else { "false" };
    let settings = [
        ("opt_level", if egraph { "speed" } else { "none" }),
        ("regalloc_algorithm", regalloc),
        ("is_pic", on_off(is_pic)),
        ("use_colocated_libcalls", on_off(has_address_table(target, placement))),
        ("enable_alias_analysis", "false"),
        ("unwind_info", "true"),
        ("machine_code_cfg_info", "true"),
        ("enable_probestack", on_off(probes)),
        ("probestack_strategy", "inline"),
        ("enable_verifier", on_off(cfg!(debug_assertions))),
    ];
    let refused = |reason: String| TargetError::Settings { target: config.target.clone(), reason };
    for (name, value) in settings {
        flags.set(name, value).map_err(|error| refused(error.to_string()))?;
    }
    let mut builder = isa::lookup(target.clone()).map_err(|_| TargetError::Unsupported(config.target.clone()))?;
    cpu::apply(config, &mut builder)?;
    builder.finish(settings::Flags::new(flags)).map_err(|error| refused(error.to_string()))
}
