//! The **compile** phase: every function of a program to machine code, in parallel.
//!
//! Comes in: a program and its declarations. Goes out: one [`CompiledFunction`] for each function, in order, the
//! same whatever the number of threads. Each thread reuses its contexts. Code of x86-64 is then laid out again (`../x86/`).

mod extent;
mod spills;
mod unwind;
mod unwind_rows;

use std::ops::Range;

use cranelift_codegen::binemit::{CodeOffset, Reloc};
use cranelift_codegen::ir::{Function, StackSlotData, StackSlotKind, UserExternalNameRef};
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::isa::unwind::UnwindInst;
use cranelift_codegen::{CodegenError, Context};
use cranelift_module::{FuncId, ModuleReloc, ModuleRelocTarget};
use rayon::prelude::*;

use crate::config::{CodeGenerators, Need, Pass, Passes, TargetFacts, Work};
use crate::graph::{Graph, GraphError, LabelIndex, Unverified};
use crate::inline::Bodies;
use crate::lift::{self, DATA, Declarations, LiftContext, LiftError, Lifted, Source};
use crate::opt::{Pipeline, verify};
use crate::plan::Reaches;
use crate::program::{FunctionId, Place, Program};
use crate::select::Selection;
use crate::times::{Phase, Profiled, Times, time, time_pass};
use crate::x86;

pub use crate::x86::{Layout, Reason};
use extent::Extent;
pub use unwind::{FrameRow, FrameRows, Unwind};

/// The machine code of a function.
#[derive(Clone)]
pub struct CompiledFunction {
    /// Its id in the module.
    pub id: FuncId,
    /// Which function of the program; none for one that the translator adds.
    pub function: Option<FunctionId>,
    /// The machine code, with its constants and jump tables.
    pub code: Vec<u8>,
    /// Alignment in bytes.
    pub align: u64,
    /// Where addresses go.
    pub relocations: Vec<ModuleReloc>,
    /// How to unwind it.
    pub unwind: Option<Unwind>,
    /// Ranges of code bytes and the byte offset, in the code section, of the instruction they come from.
    pub locations: Vec<CodeRange>,
    /// Byte offsets where instructions start, in order: of blocks, and of those that may trap. What control does not
    /// reach from here is data ([`crate::compare::disasm::Shape::Entries`]).
    pub entries: Vec<CodeOffset>,
    /// Its stack frame.
    pub frame: NativeFrame,
    /// Its CLIF after Cranelift's optimisation, if it was asked for.
    pub optimised: Option<String>,
    /// How it was laid out, if that was not read from the cache.
    #[doc(hidden)]
    pub layout: Layout,
}

/// The stack frame of compiled code, once its prologue has run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NativeFrame {
    /// Bytes that the function takes from the stack: saved registers, slots, outgoing arguments; the return address
    /// where the machine pushes it.
    pub size: u32,
    /// Where registers are spilled: bytes above the stack pointer.
    pub spills: Range<u32>,
}

/// A range of machine code and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeRange {
    /// First byte.
    pub start: CodeOffset,
    /// Past the last byte.
    pub end: CodeOffset,
    /// Byte offset of the BPF instruction in its code section.
    pub offset: u64,
}

/// Why a program cannot be compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// A function has no graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A function cannot be lifted.
    #[error(transparent)]
    Lift(#[from] LiftError),
    /// Cranelift cannot compile a function.
    #[error("{place}: the code generator cannot compile the function: {reason}")]
    Codegen {
        /// The function.
        place: Box<Place>,
        /// Cranelift's words.
        reason: String,
    },
    /// The threads cannot be started.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// How many.
        threads: usize,
        /// Why.
        reason: String,
    },
}

/// What to keep beside the machine code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    #[default]
    Code,
    /// The optimised CLIF.
    Optimised,
}

/// Threads for each processor that are of any use.
const THREADS_PER_PROCESSOR: usize = 4;

/// A thread pool of this many threads (0: one for each processor), of no more than are of use.
///
/// # Errors
///
/// [`CompileError::Threads`] when the system refuses.
pub fn thread_pool(threads: usize) -> Result<rayon::ThreadPool, CompileError> {
    let most = std::thread::available_parallelism().map_or(1, usize::from) * THREADS_PER_PROCESSOR;
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.min(most))
        .build()
        .map_err(|error| CompileError::Threads { threads, reason: error.to_string() })
}

/// Builds the graphs of all functions; code that no verifier lets run is an error or traps.
///
/// # Errors
///
/// The error of the first function, in program order, that has one.
pub fn graphs(program: &Program, unverified: Unverified) -> Result<Vec<Graph>, CompileError> {
    first_error(each_graph(program, unverified))
}

/// Builds the graphs of all functions, in program order, each on its own.
pub fn each_graph(program: &Program, unverified: Unverified) -> Vec<Result<Graph, GraphError>> {
    let labels = LabelIndex::new(program);
    let functions: Vec<FunctionId> = program.functions.ids().collect();
    let graphs = functions.par_iter().map(|&function| Graph::build(program, &labels, function, unverified));
    graphs.collect()
}

/// Lifts and compiles all functions.
///
/// # Errors
///
/// The error of the first function, in program order, that has one.
pub fn functions(
    program: &Program,
    selection: &Selection,
    declarations: &Declarations,
    generators: &CodeGenerators,
    keep: Keep,
) -> Result<Vec<CompiledFunction>, CompileError> {
    let compiled = each_function(program, selection, declarations, generators, keep, |_, _| ());
    first_error(compiled.into_iter().map(|result| result.map(|(compiled, ())| compiled)).collect())
}

/// Lifts and compiles all functions, each on its own: one that fails does not stop the others. `look` sees each
/// function's CLIF before it is compiled.
pub fn each_function<T: Send>(
    program: &Program,
    selection: &Selection,
    declarations: &Declarations,
    generators: &CodeGenerators,
    keep: Keep,
    look: impl Fn(&Graph, &Function) -> T + Sync,
) -> Vec<Result<(CompiledFunction, T), CompileError>> {
    let times = generators.times();
    let reaches = time(times, Phase::Plan, || Reaches::new(program, &selection.resolution, &selection.graphs));
    let source = Source { program, resolution: &selection.resolution, declarations, generators, reaches: &reaches };
    let bodies = Bodies::new(source, &selection.graphs);
    let compile = |(lifting, context, _): &mut (LiftContext, Context, Profiled), graph: &Graph| {
        let lifted = lifted(source, &bodies, graph, None, lifting, context)?;
        let seen = look(graph, &lifted.function);
        let compiled = machine_code(program, declarations, generators, graph, lifted, keep, context)?;
        lifting.reuse(std::mem::replace(&mut context.func, Function::new()));
        Ok((compiled, seen))
    };
    let compiled = selection
        .graphs
        .par_iter()
        .map_init(|| (LiftContext::default(), Context::new(), Profiled::new(times)), compile);
    compiled.collect()
}

/// Lifts all functions, for display, and does what comes until then.
///
/// # Errors
///
/// As [`functions`].
pub fn clif(
    program: &Program,
    selection: &Selection,
    declarations: &Declarations,
    generators: &CodeGenerators,
    until: Option<Until>,
) -> Result<Vec<Function>, CompileError> {
    let reaches = Reaches::new(program, &selection.resolution, &selection.graphs);
    let source = Source { program, resolution: &selection.resolution, declarations, generators, reaches: &reaches };
    let bodies = Bodies::new(source, &selection.graphs);
    let lift = |(lifting, context): &mut (LiftContext, Context), graph: &Graph| {
        lifted(source, &bodies, graph, until, lifting, context).map(|lifted| lifted.function)
    };
    let contexts = || (LiftContext::default(), Context::new());
    first_error(selection.graphs.par_iter().map_init(contexts, lift).collect())
}

/// Where CLIF is shown, if it is not shown as Cranelift gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// As it is lifted: all plans are in it.
    Lifted,
    /// With what is inlined.
    Inlining,
    /// Once a pass over CLIF has run.
    Clif(Pass),
}

/// The CLIF of a function, with what it has of others, and faster.
fn lifted(
    source: Source<'_>,
    bodies: &Bodies,
    graph: &Graph,
    until: Option<Until>,
    lifting: &mut LiftContext,
    context: &mut Context,
) -> Result<Lifted, CompileError> {
    let Source { program, generators, .. } = source;
    let isa = &*generators.main;
    let mut lifted = lift::lift(source, graph, lifting)?;
    verify(&lifted.function, isa, "lifting");
    if until == Some(Until::Lifted) {
        return Ok(lifted);
    }
    let work = Work::of(&lifted.function, context);
    let passes = generators.clif_passes_for(&work, lifted.returns_twice);
    time(generators.times(), Phase::Opt, || {
        // No pass is off for this function.
        if passes == generators.passes() {
            let inline = || bodies.inline(source, graph, &mut lifted.function, context);
            let inlined = time_pass(generators.times(), Pass::Inlining, inline);
            inlined.map_err(|error| codegen_error(program, graph, describe(&error)))?;
            verify(&lifted.function, isa, Pass::Inlining.name());
        }
        if until != Some(Until::Inlining) {
            let until = match until {
                Some(Until::Clif(pass)) => Some(pass),
                _ => None,
            };
            let pipeline = Pipeline { isa, facts: *generators.facts(), times: generators.times() };
            pipeline.run(&mut lifted.function, passes, until, context);
        }
        Ok(lifted)
    })
}

/// Cranelift cannot compile a function.
fn codegen_error(program: &Program, graph: &Graph, reason: String) -> CompileError {
    let start = program.functions[graph.function].start;
    CompileError::Codegen { place: program.place(graph.section, Some(graph.function), start), reason }
}

/// Puts `u<space>:<index>`, which means the same in all functions, in the place of a function's own `userextname<n>`.
pub fn numbered_names(function: &Function, text: &str) -> String {
    let mut parts = text.split("userextname");
    let mut numbered = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let name = part[..digits]
            .parse()
            .ok()
            .and_then(|index| function.params.user_named_funcs().get(UserExternalNameRef::from_u32(index)));
        match name {
            Some(name) => numbered.push_str(&format!("u{}:{}", name.namespace, name.index)),
            None => numbered.push_str(&format!("userextname{}", &part[..digits])),
        }
        numbered.push_str(&part[digits..]);
    }
    numbered
}

/// All results, or the error that comes first in order, whichever thread found one first.
fn first_error<T, E: Into<CompileError>>(results: Vec<Result<T, E>>) -> Result<Vec<T>, CompileError> {
    results.into_iter().collect::<Result<_, E>>().map_err(Into::into)
}

fn machine_code(
    program: &Program,
    declarations: &Declarations,
    generators: &CodeGenerators,
    graph: &Graph,
    lifted: Lifted,
    keep: Keep,
    context: &mut Context,
) -> Result<CompiledFunction, CompileError> {
    let failed = |reason: String| codegen_error(program, graph, reason);
    let id = declarations.function(graph.function).id;
    let compile = || spills::compile(generators, id, lifted, keep, context);
    let compiled = time(generators.times(), Phase::Assemble, compile).map_err(failed)?;
    Ok(CompiledFunction { function: Some(graph.function), ..compiled })
}

/// Compiles a function that the translator adds to the program.
///
/// # Errors
///
/// [`CompileError::Codegen`] when Cranelift refuses it.
pub fn synthetic(isa: &dyn TargetIsa, id: FuncId, function: Function) -> Result<CompiledFunction, CompileError> {
    assemble(isa, id, function, Keep::Code, (Passes::NONE, None), &mut Context::new()).map_err(|reason| {
        let place = Box::new(Place {
            file: "the translator".to_owned(),
            section: ".text".to_owned(),
            function: None,
            offset: None,
        });
        CompileError::Codegen { place, reason }
    })
}

/// Cranelift makes the relocation of a call for all that is near; data is nothing that a linker may send through a stub.
fn reached(relocation: ModuleReloc) -> ModuleReloc {
    match (relocation.kind, &relocation.name) {
        (Reloc::X86CallPCRel4, ModuleRelocTarget::User { namespace: DATA, .. }) => {
            ModuleReloc { kind: Reloc::X86PCRel4, ..relocation }
        }
        _ => relocation,
    }
}

/// Runs Cranelift on one function.
fn assemble(
    isa: &dyn TargetIsa,
    id: FuncId,
    function: Function,
    keep: Keep,
    (passes, times): (Passes, Option<&Times>),
    context: &mut Context,
) -> Result<CompiledFunction, String> {
    context.clear();
    context.func = function;
    // An empty slot, the last one, takes no place, and says where the spill slots begin.
    let marker = context.func.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 0, 0));
    context.compile(isa, &mut Default::default()).map_err(|error| describe(&error.inner))?;
    let compiled = context.take_compiled_code().ok_or_else(|| "no code".to_owned())?;
    let unwind = compiled.create_unwind_info(isa).map_err(|error| describe(&error))?;
    let buffer = &compiled.buffer;
    let frame = buffer.frame_layout().map(|layout| {
        let (mut pushed, mut saved) = (0, 0);
        for (_, instruction) in &buffer.unwind_info {
            match instruction {
                UnwindInst::PushFrameRegs { offset_upward_to_caller_sp } => pushed = *offset_upward_to_caller_sp,
                UnwindInst::DefineNewFrame { offset_downward_to_clobbers, .. } => {
                    saved = *offset_downward_to_clobbers;
                }
                _ => {}
            }
        }
        // From the stack pointer up: outgoing arguments, stack slots, spill slots, saved registers, the caller's frame.
        let start = layout.stackslots[marker].offset;
        let end = layout.frame_to_fp_offset.saturating_sub(saved).max(start);
        NativeFrame { size: layout.frame_to_fp_offset.saturating_add(pushed), spills: start..end }
    });
    let relocations = buffer.relocs().iter();
    let locations = buffer.get_srclocs_sorted().iter().filter(|range| !range.loc.is_default());
    let Extent { entries, end } = Extent::new(&compiled, isa.triple().architecture);
    let mut made = CompiledFunction {
        id,
        function: None,
        code: buffer.data().to_vec(),
        align: u64::from(buffer.alignment),
        relocations: relocations
            .map(|relocation| reached(ModuleReloc::from_mach_reloc(relocation, &context.func, id)))
            .collect(),
        unwind: unwind.map(Unwind::Cranelift),
        frame: frame.unwrap_or_default(),
        locations: locations
            .map(|range| CodeRange { start: range.start, end: range.end, offset: u64::from(range.loc.bits()) })
            .collect(),
        entries,
        optimised: (keep == Keep::Optimised).then(|| optimised(&context.func)),
        layout: Layout::default(),
    };
    if x86::STEPS.iter().any(|step| passes.contains(step.pass)) && TargetFacts::of(isa).has(Need::MachineCodeSteps)
    {
        x86::run(&mut made, end, isa, passes, times);
    }
    made.unwind = made.unwind.map(|unwind| unwind.complete(&made.code, isa));
    Ok(made)
}

/// What is left of a function once it is compiled, without the marker of the spill slots.
fn optimised(function: &Function) -> String {
    let text = numbered_names(function, &function.to_string());
    let is_marker = |line: &&str| line.trim_start().starts_with("ss") && line.ends_with("= explicit_slot 0");
    text.lines().filter(|line| !is_marker(line)).flat_map(|line| [line, "\n"]).collect()
}

fn describe(error: &CodegenError) -> String {
    match error {
        CodegenError::Verifier(errors) => format!("invalid CLIF (a bug of the lifter):\n{errors}"),
        CodegenError::CodeTooLarge => "its code is too large; split it".to_owned(),
        CodegenError::ImplLimitExceeded => "it exceeds a limit of the code generator; split it".to_owned(),
        other => other.to_string(),
    }
}
