//! From a program to the machine code of an object, which is then written, or shown in listings.
//!
//! In: a program and a configuration. Out: a [`Translation`].

use cranelift_object::{ObjectBuilder, ObjectModule};
use target_lexicon::BinaryFormat;

use super::driver::Driver;
use super::{EmitError, check_endianness, groups, synthetic};
use crate::cache::Cache;
use crate::codegen::{CompiledFunction, Keep, Threads};
use crate::config::{CodeGenerators, Config, Placement};
use crate::graph::{GraphError, Unverified};
use crate::lift::Declarations;
use crate::program::Program;
use crate::resolution::Resolution;
use crate::select::Selection;
use crate::select::entry::EntryPoints;
use crate::warning::{Warning, WarningKind};

/// What an object is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be linked by the user: undefined symbols stay, nothing is added.
    Relocatable,
    /// To be linked into a program, which starts at its [`EntryPoints`].
    Executable,
    /// As [`Self::Executable`], where the link has no other objects: nothing replaces the runtime's functions, and small ones
    /// are inlined.
    SoleExecutable,
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
    /// What is odd about the program.
    pub warnings: Vec<Warning>,
}

/// A program whose names are declared for an object, before anything is lifted.
pub struct Declared {
    /// The code generators.
    pub generators: CodeGenerators,
    /// The threads that translate.
    pub threads: Threads,
    /// The functions and data that are translated.
    pub selection: Selection,
    /// The declarations of its names.
    pub declarations: Declarations,
    /// Knows all names.
    pub module: ObjectModule,
    /// Where the program starts.
    pub entry: EntryPoints,
    /// What is odd about the program.
    pub warnings: Vec<Warning>,
}

/// The warning that something traps, which a verifier refuses.
pub(crate) fn trapped(error: &GraphError) -> Warning {
    Warning::new(WarningKind::Refused, format!("{error}; it traps when it is reached"))
}

/// The warning that other objects do not see a name.
fn local(name: &str) -> Warning {
    let text = format!(
        "`{name}` is the program's, and a function of libc that the runtime calls: no other object sees the program's; rename \
         it there"
    );
    Warning::new(WarningKind::Calls, text)
}

/// Declares the names of a program for an object; `name` as for [`translate`].
///
/// # Errors
///
/// [`EmitError`] when a function cannot be decoded, or a name not be declared.
pub fn declared(program: &Program, config: &Config, purpose: Purpose, name: &str) -> Result<Declared, EmitError> {
    check_endianness(program, config.target.triple())?;
    let generators = CodeGenerators::new(config, Placement::Object)?;
    let threads = Threads::new(config.threads);
    let builder = ObjectBuilder::new(generators.main.clone(), name, cranelift_module::default_libcall_names());
    let mut builder = builder.map_err(|error| EmitError::Write(error.to_string()))?;
    builder.per_function_section(groups::has_groups(program, config.target.triple()));
    let mut module = ObjectModule::new(builder);
    let unverified = match purpose {
        Purpose::Relocatable => Unverified::Trap,
        Purpose::Executable | Purpose::SoleExecutable | Purpose::SharedLibrary => Unverified::Refuse,
    };
    let pool = threads.for_program(program)?;
    let driver = Driver { program, generators: &generators, placement: Placement::Object, pool };
    let graphs = driver.graphs(unverified);
    let mut warnings = Vec::new();
    warnings.extend(graphs.iter().flatten().flat_map(|graph| &graph.refused).map(trapped));
    if matches!(purpose, Purpose::Relocatable | Purpose::SharedLibrary) {
        warnings.extend(program.local_names.iter().map(|name| local(name)));
    }
    let entry = match purpose {
        Purpose::Executable | Purpose::SoleExecutable => EntryPoints::of(program),
        // The driver is what a script with a kernel half is linked for.
        Purpose::Relocatable => {
            EntryPoints { begin: Vec::new(), main: None, end: Vec::new(), ..EntryPoints::of(program) }
        }
        Purpose::SharedLibrary => EntryPoints::default(),
    };
    let roots = if purpose == Purpose::Relocatable { None } else { entry.roots() };
    let is_library = purpose == Purpose::SharedLibrary && config.target.triple().binary_format == BinaryFormat::Elf;
    let resolution = match purpose {
        Purpose::SoleExecutable => Resolution::of_sole_object(program),
        _ if is_library => Resolution::of_shared_library(program),
        _ => Resolution::of_object(program),
    };
    let selection = driver.select(graphs, roots.as_deref(), resolution, &mut warnings)?;
    let declarations = driver.declare(&selection, &mut module, &mut warnings)?;
    Ok(Declared { generators, threads, selection, declarations, module, entry, warnings })
}

/// Compiles a program for an object, or finds it in a cache; `name` is the file name that its symbol table gives.
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
    cache: Option<&Cache>,
) -> Result<Translation, EmitError> {
    let Declared { generators, threads, selection, declarations, mut module, entry, mut warnings } =
        declared(program, config, purpose, name)?;
    let pool = threads.for_program(program)?;
    let driver = Driver { program, generators: &generators, placement: Placement::Object, pool };
    let mut functions = driver.compile(&selection, &declarations, keep, cache, &mut warnings)?;
    if entry.is_script() {
        functions.push(synthetic::main(&entry, &declarations, &generators, &mut module)?);
    }
    if purpose != Purpose::Relocatable {
        functions.extend(synthetic::print(&declarations, &generators, &mut module)?);
    }
    Ok(Translation { generators, selection, declarations, functions, module, entry, warnings })
}
