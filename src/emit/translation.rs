//! From a program to the machine code of an object, which is then written, or shown in listings.
//!
//! In: a program and a configuration. Out: a [`Translation`].

use cranelift_object::{ObjectBuilder, ObjectModule};
use target_lexicon::BinaryFormat;

use super::{EmitError, adapters, check_endianness, groups, synthetic};
use crate::cache;
use crate::codegen::{self, CompileError, CompiledFunction, Keep};
use crate::config::{CodeGenerators, Config, Placement};
use crate::declare::declare;
use crate::graph::{self, Unverified};
use crate::lift::Declarations;
use crate::program::Program;
use crate::resolution::Resolution;
use crate::select::entry::EntryPoints;
use crate::select::{Selection, select};
use crate::times::{Phase, time};

/// What an object is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be linked by the user: undefined symbols stay, nothing is added.
    Relocatable,
    /// To be linked into a program, which starts at its [`EntryPoints`].
    Executable,
    /// To be linked into a shared library.
    SharedLibrary,
}

/// The functions of a program, compiled for an object.
pub struct Translation {
    /// The code generators.
    pub generators: CodeGenerators,
    /// The functions and data that are translated.
    pub selection: Selection,
    /// The declarations of its names.
    pub declarations: Declarations,
    /// The machine code: of the selected functions, in program order, then of those that the translator adds.
    pub functions: Vec<CompiledFunction>,
    /// Knows all names, and has no definitions yet.
    pub module: ObjectModule,
    /// Where the program starts.
    pub entry: EntryPoints,
}

/// A program whose names are declared for an object, before anything is lifted.
pub struct Declared {
    /// The code generators.
    pub generators: CodeGenerators,
    /// The threads that translate.
    pub pool: rayon::ThreadPool,
    /// The functions and data that are translated.
    pub selection: Selection,
    /// The declarations of its names.
    pub declarations: Declarations,
    /// Knows all names.
    pub module: ObjectModule,
    /// Where the program starts.
    pub entry: EntryPoints,
}

/// Declares the names of a program for an object; `name` and `warnings` as for [`translate`].
///
/// # Errors
///
/// [`EmitError`] when a function cannot be decoded, or a name not be declared.
pub fn declared(
    program: &Program,
    config: &Config,
    purpose: Purpose,
    name: &str,
    warnings: &mut Vec<String>,
) -> Result<Declared, EmitError> {
    check_endianness(program, &config.target)?;
    let generators = CodeGenerators::new(config, Placement::Object)?;
    let pool = codegen::thread_pool(config.threads)?;
    let builder = ObjectBuilder::new(generators.main.clone(), name, cranelift_module::default_libcall_names());
    let mut builder = builder.map_err(|error| EmitError::Write(error.to_string()))?;
    builder.per_function_section(groups::has_groups(program, &config.target));
    let mut module = ObjectModule::new(builder);
    let unverified = match purpose {
        Purpose::Relocatable => Unverified::Trap,
        Purpose::Executable | Purpose::SharedLibrary => Unverified::Refuse,
    };
    let graphs = || pool.install(|| codegen::each_graph(program, unverified));
    let graphs = time(generators.times(), Phase::Graph, graphs);
    let refused = graphs.iter().flatten().flat_map(|graph| &graph.refused);
    warnings.extend(refused.map(|error| format!("{error}; it traps when it is reached")));
    let entry = match purpose {
        Purpose::Executable => EntryPoints::of(program),
        Purpose::SharedLibrary | Purpose::Relocatable => EntryPoints::default(),
    };
    let (selection, declarations) = time(generators.times(), Phase::Declare, || -> Result<_, EmitError> {
        let is_library = purpose == Purpose::SharedLibrary && config.target.binary_format == BinaryFormat::Elf;
        let resolution =
            if is_library { Resolution::of_shared_library(program) } else { Resolution::of_object(program) };
        let selection = select(program, graphs, entry.roots().as_deref(), resolution);
        let selection = selection.map_err(CompileError::from)?;
        warnings.extend(graph::runs_out(program, &selection.graphs));
        let platform = generators.platform();
        let declarations = declare(program, &selection, &mut module, platform, Placement::Object, warnings)?;
        Ok((selection, declarations))
    })?;
    Ok(Declared { generators, pool, selection, declarations, module, entry })
}

/// Compiles a program for an object; `name` is the file name that its symbol table gives, and warnings are added
/// to `warnings`.
///
/// # Errors
///
/// [`EmitError`] when a function cannot be translated.
pub fn translate(
    program: &Program,
    config: &Config,
    purpose: Purpose,
    name: &str,
    keep: Keep,
    warnings: &mut Vec<String>,
) -> Result<Translation, EmitError> {
    let Declared { generators, pool, selection, declarations, mut module, entry } =
        declared(program, config, purpose, name, warnings)?;
    let mut functions = pool.install(|| {
        let purpose = cache::Purpose { placement: Placement::Object, keep };
        let cache = config.cache.as_ref();
        cache::functions(cache, purpose, program, &selection, &declarations, &generators, warnings)
    })?;
    let adapters = || pool.install(|| adapters::functions(&declarations, &generators));
    functions.extend(time(generators.times(), Phase::Assemble, adapters)?);
    if entry.is_script() {
        functions.push(synthetic::main(&entry, &declarations, &generators, &mut module)?);
    }
    if purpose != Purpose::Relocatable {
        functions.extend(synthetic::print(&declarations, &generators, &mut module)?);
    }
    Ok(Translation { generators, selection, declarations, functions, module, entry })
}
