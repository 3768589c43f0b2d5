//! Translation into this process.
//!
//! In: a [`Program`], and a [`Linker`] that resolves its undefined symbols. Out: a [`Module`], whose functions can be
//! called from any thread.
//!
//! | file | what |
//! |---|---|
//! | `linker.rs`, `process.rs` | what names refer to: registered functions, libraries, the process |
//! | `host.rs`, `thunks.rs` | functions of the embedder, and how C calls of them get to their state |
//! | `search.rs` | libraries, as `-l` names them |
//! | `error.rs` | errors |
//! | `resolve.rs` | all names of a program at once |
//! | `replaced.rs` | the runtime's functions in whose place the embedder has its own |
//! | `types.rs` | their types, where objects do not have them |
//! | `memory.rs` | one region for code and data, writable or executable and never both |
//! | `native.rs` | C types of native functions |
//! | `loaded.rs`, `module.rs` | loaded programs: what of them is in memory, and what they give to who embeds them |
//! | `functions.rs` | their functions, as C types |
//! | `dynamic.rs` | functions whose type is known only when the embedder runs |
//! | `packets.rs` | packets, and the contexts that programs are given them in |
//! | `entries.rs`, `maps/` | maps and global variables of loaded programs |
//! | `observers.rs` | registration of functions with: |
//! | `frames.rs` | the unwinder, so that exceptions and backtraces pass through |
//! | `image.rs`, `gdb.rs` | debuggers, by an ELF image in memory |
//! | `perf.rs` | `perf`, by a map of names |

mod dso_handle;
mod dynamic;
mod edges;
mod entries;
mod error;
mod frames;
mod functions;
#[cfg(target_os = "linux")]
mod gdb;
mod host;
#[cfg(target_os = "linux")]
mod image;
mod linker;
mod loaded;
mod low;
mod maps;
mod memory;
mod module;
mod native;
mod observers;
mod packet_error;
mod packets;
#[cfg(target_os = "linux")]
mod perf;
mod process;
mod replaced;
mod resolve;
mod search;
mod symbol;
mod thunks;
mod types;

use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::default_libcall_names;
use target_lexicon::Triple;

use crate::cache::Cache;
use crate::codegen::{CompiledFunction, Keep, Threads};
use crate::config::{CodeGenerators, Config, Placement};
use crate::coverage::{self, Wanted};
use crate::emit::driver::Driver;
use crate::emit::{self, EmitError};
use crate::graph::Unverified;
use crate::program::{FunctionId, Program};
use crate::resolution::Resolution;
use crate::times::{Phase, time};
use dso_handle::DsoHandle;
use loaded::{Loaded, Translated};
use observers::{Observation, observe};
use thunks::Thunks;

pub use dynamic::DynamicFunction;
pub use error::{FunctionError, LinkerError, LoadError, MismatchedSymbol, Unresolved};
pub use functions::{OwnedFunction, TypedFunction};
pub use host::NativeFunction;
pub use linker::Linker;
pub use low::LowPointer;
pub use maps::{
    ANY, EXIST, Global, GlobalError, Keys, Map, MapError, NOEXIST, PerCpuMap, PerfEvents, Pod, Queue, RawMap,
    RingBuffer, UserRingBuffer,
};
pub use module::Module;
pub use native::{Arguments, NativeSignature, NativeType, NativeValue, Words};
pub use packet_error::PacketError;
pub use packets::{PacketContext, SkBuff, SkbContext, XdpAction, XdpContext, XdpMd};

pub use crate::select::undefined::MissingSymbol;

/// Translates programs into this process. It can translate any number of them, from several threads at once.
pub struct Jit {
    generators: CodeGenerators,
    threads: Threads,
    cache: Option<Cache>,
    observation: Observation,
    /// Whether code is counted.
    wanted: Wanted,
}

impl Jit {
    /// A translator for this machine.
    ///
    /// # Errors
    ///
    /// [`LoadError::NotHost`] when the configuration's target is not this machine; [`LoadError::Emit`] when its
    /// processor is not known.
    pub fn new(config: &Config) -> Result<Jit, LoadError> {
        let (host, target) = (Triple::host(), config.target.triple());
        if target.architecture != host.architecture || target.binary_format != host.binary_format {
            return Err(LoadError::NotHost { target: target.to_string(), host: host.to_string() });
        }
        let generators = CodeGenerators::new(config, Placement::Memory)?;
        Ok(Jit {
            generators,
            threads: Threads::new(config.threads),
            cache: None,
            observation: Observation::of(config),
            wanted: Wanted { coverage: config.coverage, profile: config.profile_generate },
        })
    }

    /// As it is, but with a cache: a program that is in it is not compiled again, and one that is not is put there.
    #[cfg(feature = "cache")]
    pub fn with_cache(self, cache: Cache) -> Jit {
        Jit { cache: Some(cache), ..self }
    }

    /// Translates a program. Nothing of it runs yet: its constructors run before the first function is handed out
    /// ([`Module::func`]).
    ///
    /// # Errors
    ///
    /// [`LoadError::Unresolved`] with all symbols that nothing defines, who refers to them, and those that are
    /// registered with another type; or else the first function or data that cannot be translated, or that there is
    /// no memory, or that threads cannot be started.
    pub fn load(&self, program: &Program, linker: &Linker) -> Result<Module, LoadError> {
        self.load_roots(program, linker, None)
    }

    /// As [`Self::load`], but only the functions and data that these functions reach, its constructors and its
    /// destructors: what else the program calls need not be there.
    ///
    /// ```
    /// use bpf2native::{Config, Jit, Linker, Program};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let program = Program::from_files(["fixtures/plugins/rotate.o"])?;
    /// // Other functions of it call the host, and are left out.
    /// let module = Jit::new(&Config::new())?.load_reachable(&program, &Linker::new(), ["plugin_name"])?;
    /// assert!(module.function_address("plugin_name").is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Self::load`], and [`LoadError::Root`] for a name that no function has which native code can find.
    pub fn load_reachable<R: AsRef<str>>(
        &self,
        program: &Program,
        linker: &Linker,
        roots: impl IntoIterator<Item = R>,
    ) -> Result<Module, LoadError> {
        let root = |name: R| {
            let name = name.as_ref();
            program.function_named(name).ok_or_else(|| loaded::absent(program, name))
        };
        let roots = roots.into_iter().map(root).collect::<Result<Vec<FunctionId>, FunctionError>>()?;
        self.load_roots(program, linker, Some(&roots))
    }

    fn load_roots(
        &self,
        program: &Program,
        linker: &Linker,
        roots: Option<&[FunctionId]>,
    ) -> Result<Module, LoadError> {
        emit::check_endianness(program, self.generators.main.triple())?;
        let program = entries::with_interface(program, linker);
        let program = replaced::by_registered(&program, linker);
        let program = types::of(&program, linker);
        let program = &*edges::placed(&program);
        let (counted, map) = self.wanted.any().then(|| coverage::instrument(program, self.wanted)).unzip();
        let program = counted.as_ref().unwrap_or(program);
        let mut warnings = program.warnings.clone();
        if self.observation.lines() || self.wanted.coverage {
            warnings.extend(emit::debug::missing_lines(program));
        }
        let generators = &self.generators;
        let pool = self.threads.for_program(program)?;
        let driver = Driver { program, generators, placement: Placement::Memory, pool };
        // What is asked for by name is run as a kernel would: it may hold what the verifier refuses where nothing gets to.
        let unverified = if roots.is_some() { Unverified::Trap } else { Unverified::Refuse };
        let graphs = driver.graphs(unverified);
        let resolution = Resolution::in_memory(program, |name| linker.definer(name));
        let selection = driver.select(graphs, roots, resolution, &mut warnings)?;
        let refused = selection.graphs.iter().flat_map(|graph| &graph.refused);
        warnings.extend(refused.map(emit::trapped));
        warnings.extend(types::without_form(program, &selection));
        let dso_handle = DsoHandle::new();
        let linker = &linker.with_default(dso_handle::SYMBOL, dso_handle.address());
        let resolved = resolve::resolve(linker, program, &selection, &mut warnings)?;

        let mut builder = JITBuilder::with_isa(self.generators.main.clone(), default_libcall_names());
        for (name, address) in resolved.addresses() {
            builder.symbol(name, address as *const u8);
        }
        let mut thunks = Thunks::default();
        thunks.announce(&mut builder);
        // Declarations do not need the memory, whose size is known only when all is compiled.
        let memory = memory::Deferred::default();
        builder.memory_provider(Box::new(memory.clone()));
        let mut module = JITModule::new(builder);
        let declarations = driver.declare(&selection, &mut module, &mut warnings)?;
        let cache = self.cache.as_ref();
        let mut functions = driver.compile(&selection, &declarations, Keep::Code, cache, &mut warnings)?;
        let compile = || thunks.compile(&resolved.functions, &mut module, generators);
        functions.extend(time(generators.times(), Phase::Assemble, compile)?);
        time(generators.times(), Phase::Emit, || -> Result<(), LoadError> {
            memory.reserve(memory::size(program, &declarations, &functions)?)?;
            memory.lead()?;
            emit::define(program, &declarations, &functions, &mut module, Placement::Memory)?;
            thunks.place(&module);
            let failed = |error: cranelift_module::ModuleError| EmitError::Define {
                name: "the program".to_owned(),
                reason: error.to_string(),
            };
            Ok(module.finalize_definitions().map_err(failed)?)
        })?;
        let address = |function: &CompiledFunction| module.get_finalized_function(function.id) as u64;
        let addressed: Vec<_> = functions.iter().map(|function| (address(function), function)).collect();
        let adapters = declarations.adapters.iter().flat_map(|adapters| adapters.names(program));
        let added = adapters.chain(declarations.preserving.names()).chain(thunks.names()).collect();
        let observed = observe(program, &added, &*self.generators.main, &addressed, self.observation);
        let observed = match observed {
            Ok(observed) => observed,
            Err(error) => {
                // SAFETY: nothing of the program has run, and nothing points to its memory.
                unsafe { module.free_memory() };
                return Err(error);
            }
        };
        let kept = resolved.kept(linker);
        let counts = map.map(|map| (map, self.wanted));
        let translated = Translated { program, declarations, counts, warnings };
        Ok(Module::new(Loaded::new(translated, module, observed, kept, dso_handle)))
    }
}
