//! Parse: several ELF objects and archives become one [`Program`], as a linker would make it.
//!
//! In: the bytes of the files ([`Input`]), in order. Out: a [`Program`], or a [`ParseError`] that says what to do.
//!
//! | step | file | makes |
//! |---|---|---|
//! | tell what a file is | `input` | object, archive, or an error |
//! | read an object | `crate::elf` | tables with the ELF file's own indices |
//! | read an object's maps | `maps` | what they are |
//! | choose members | `archive`, `runtime`; `coverage` adds what writes coverage and profiles | the objects of the program |
//! | define variables of the kernel's configuration | `kconfig` | its values; zeros for weak variables |
//! | resolve names | `merge`, `libraries` | one definition for each name; COMDAT, weak, COMMON; what the runtime has of libraries |
//! | place sections | `sections`, `jump_tables` | code and data sections |
//! | read relocations | `relocations`, `addresses` | what each field refers to |
//! | find functions | `functions`, `crate::elf::instruction` | names and byte ranges |
//! | find who defines helpers | `helpers` | targets of calls by number |
//! | read sizes of frames | `stack_sizes` | what `-fstack-size-section` says |
//! | put together | `build`; `raw` for instructions without an object | the program |
//! | describe maps | `descriptors`, `arena` | what the runtime reads of them; where variables in arenas are |
//! | read types, add lines | `btf`, `map_types` | types of each object, source lines; fields of `struct bpf_map` in descriptors |
//! | make tables of types, where a program prints values by them | `type_tables` | what the runtime reads of them |
//! | find what `bpf_throw` needs | `exceptions` | what catches |
//! | make constants writable, where that is asked for | `constants` | kinds of sections |
//! | find whose programs are the kernel's; embed the kernel half, with what the driver is told | `script` | halves, data |
//! | add types of functions | `prototypes`, with `dwarf` for what BTF leaves out | prototypes |
//!
//! Architecture invariants:
//! - No input makes it panic, hang, or take memory out of proportion: everything is linear, or n log n, in the files.
//! - The order of everything follows the order of the inputs; no hash order gets out.

mod addresses;
mod archive;
mod arena;
mod block;
mod btf;
mod build;
mod constants;
mod coverage;
mod descriptors;
mod dwarf;
mod error;
mod exceptions;
mod functions;
mod helpers;
mod input;
mod jump_tables;
mod kconfig;
mod libraries;
mod mangled;
mod map_types;
mod maps;
mod merge;
mod once;
mod pointers;
mod prototypes;
mod raw;
mod relocations;
mod runtime;
mod script;
mod sections;
mod stack_sizes;
mod type_tables;

use std::path::Path;
use std::sync::Arc;

pub use error::{BadRelocation, Duplicate, ParseError};
pub use kconfig::Kconfig;
#[doc(hidden)]
pub use script::kernel_copy;

use crate::btf::Btf;
use crate::files;
use crate::program::prefix::PrefixMap;
use crate::program::{FileId, Id, Program, PrototypeSource};

/// One file.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name, for errors and line tables.
    pub name: String,
    /// An ELF object or an archive.
    pub bytes: Vec<u8>,
}

/// What can be chosen.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Names that an archive's members are taken for even if no object refers to them; `main` by default.
    pub roots: Vec<String>,
    /// Types of the machine that the program will run on, for CO-RE relocations. Without, code keeps the values that
    /// were compiled in.
    pub btf: Option<Btf>,
    /// Leave sections with `const volatile` variables writable, so that whoever has loaded the program can set these
    /// before it runs, as libbpf's skeletons have it. A section of which no types tell what is in it counts as one.
    pub writable_constants: bool,
    /// Whether a program gets what it lacks out of the runtime: helpers, kfuncs, maps. Without, maps are plain data, and
    /// helpers are undefined symbols. On by default.
    pub runtime: bool,
    /// Whether what a program gets out of the runtime includes what its embedder calls: to look into maps
    /// ([`Module::map`](crate::Module::map)), and to run programs on packets ([`Module::xdp`](crate::Module::xdp)). Only programs in
    /// memory have it; it makes no difference to objects. On by default.
    pub interface: bool,
    /// The kernel's configuration, for variables of `.kconfig`. Without, weak ones are 0, and others are undefined; with the
    /// runtime, `LINUX_KERNEL_VERSION` and the like have the values of the kernel that it does as (see [`Kconfig::get`]).
    pub kconfig: Option<Kconfig>,
    /// Whether a program that has a kernel half gets it: the object for the kernel, and what a script's driver is told of it. Without,
    /// a kernel program is a function as any other. It takes the runtime. Off by default.
    pub kernel_half: bool,
    /// Whether the program says which half each function belongs to ([`Program::halves`]), for who lists it.
    pub halves: bool,
    /// Whether the program lists what its CO-RE relocations ask for ([`Program::core_relocations`]).
    pub core_relocations: bool,
    /// Whether the program gets a destructor that writes its coverage ([`Config::coverage_file`](crate::Config::coverage_file)): for
    /// executables and shared libraries.
    pub coverage: bool,
    /// Whether the program gets a destructor that writes its profile ([`Config::profile_file`](crate::Config::profile_file)), as well.
    pub profile: bool,
    /// What the paths of source files begin with instead of what the compiler recorded.
    pub prefixes: Vec<PrefixMap>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            roots: vec!["main".to_owned()],
            btf: None,
            kconfig: None,
            runtime: true,
            interface: true,
            kernel_half: false,
            halves: false,
            writable_constants: false,
            core_relocations: false,
            coverage: false,
            profile: false,
            prefixes: Vec::new(),
        }
    }
}

impl Options {
    /// The defaults, without the runtime: for what is measured, compared or listed.
    pub fn without_runtime() -> Self {
        Self { runtime: false, ..Self::default() }
    }
}

/// Merges objects and archives into one program.
///
/// # Errors
///
/// If a file is not a BPF object or an archive of them, is damaged, or if they do not fit together.
pub fn parse(inputs: &[Input], options: &Options) -> Result<Program, ParseError> {
    let mut chosen = archive::select(inputs, options)?;
    let given = chosen.given;
    // Before weak variables of the kernel's configuration are zeros: the kernel's copy has them as they are.
    let halves = chosen.halves.take();
    let halves = halves.map(|wanted| script::split(&chosen.objects[..given], wanted)).transpose()?;
    let of_runtime = options.runtime.then(Kconfig::default);
    let values = kconfig::values(&mut chosen.objects, options.kconfig.as_ref().or(of_runtime.as_ref()))?;
    let named = halves.as_ref().map(|halves| halves.wanted.named_helpers()).unwrap_or_default();
    let mut program = build::program(&chosen, &named)?;
    let (objects, has_maps) = (chosen.objects, chosen.has_maps);
    kconfig::define(&values, &mut program);
    if has_maps {
        let kernel = halves.as_ref().map(|halves| FileId::new(halves.wanted.object));
        arena::place(kernel, &mut program)?;
        descriptors::add(&objects, kernel, &mut program)?;
        arena::find(&mut program);
    }
    if program.has_runtime() {
        program.keep_of_runtime(&options.roots);
    }
    let types = btf::add(&objects, options, has_maps, &mut program)?;
    exceptions::add(&types, &mut program);
    for section in dwarf::add_lines(&objects, &mut program) {
        btf::map_files(&options.prefixes, &mut program.code[section].lines);
    }
    prototypes::add(&objects, &types, &mut program);
    if options.writable_constants || halves.is_some() {
        constants::unprotect(&types, &mut program);
    }
    program.types = types.objects.into_iter().map(|types| Some(Arc::new(types?.btf))).collect();
    dwarf::add_struct_results(&objects, &mut program);
    type_aliases(&mut program);
    match halves {
        Some(halves) => script::add(&objects, halves, &mut program)?,
        None if options.halves => script::list(&objects, &mut program),
        None => {}
    }
    dwarf::align_frames(&objects, &mut program);
    dwarf::add_words(&objects, &mut program);
    Ok(program)
}

impl Program {
    /// Reads and merges files: objects and archives, in the order of a linker's command line.
    ///
    /// # Errors
    ///
    /// As [`parse`], and if a file cannot be read.
    pub fn from_files<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, ParseError> {
        let read = |path: P| {
            let path = path.as_ref();
            let bytes = files::read(path).map_err(|source| ParseError::Read { path: path.to_owned(), source })?;
            Ok::<_, ParseError>(Input { name: path.display().to_string(), bytes })
        };
        let inputs = paths.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        parse(&inputs, &Options::default())
    }

    /// Reads one object or archive; `name` is for errors.
    ///
    /// # Errors
    ///
    /// As [`parse`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, ParseError> {
        parse(&[Input { name: name.to_owned(), bytes: bytes.to_vec() }], &Options::default())
    }

    /// Makes a program of raw little-endian instructions: one section `.text`, whose first function is `main`, and a
    /// function for each place that a call of the same section goes to.
    ///
    /// # Errors
    ///
    /// If there are no instructions, or not whole ones.
    pub fn from_instructions(name: &str, bytes: &[u8]) -> Result<Self, ParseError> {
        raw::program(name, bytes)
    }
}

/// Other names of functions have the types of those.
fn type_aliases(program: &mut Program) {
    for id in program.imports.ids() {
        let import = &mut program.imports[id];
        if let Some(function) = import.alias_of {
            import.prototype.clone_from(&program.functions[function].prototype);
            let is_known = import.prototype.is_some();
            import.prototype_from = if is_known { PrototypeSource::Btf } else { PrototypeSource::None };
        }
    }
}
