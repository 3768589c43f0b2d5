//! The **codegen** phase: every function of a program to machine code, in parallel.
//!
//! In: a program, what of it is selected, and its declarations. Out: one [`CompiledFunction`] for each function, in program
//! order. The rule: what comes out is the same whatever the number of threads; each thread reuses its contexts.
//!
//! | what | file |
//! |---|---|
//! | the driver: plan, lift, inline, opt and Cranelift, function by function | this file |
//! | Cranelift on one function, then the steps over its machine code (`../x86/`, `../aarch64/`) | `cranelift.rs`, `assemble.rs` |
//! | a row of a machine's steps | `machine_step.rs` |
//! | what comes out: code, relocations, frame, locations | `compiled.rs` |
//! | which bytes are instructions | `extent.rs` |
//! | prefetches, in the place of calls | `prefetch.rs` |
//! | unwind information, and the rows that Cranelift leaves out | `unwind.rs`, `unwind_rows.rs` |
//! | at -O0: functions whose spills take too much, compiled again | `spills.rs` |
//! | errors; the thread pool, and which programs are worth it | `error.rs`, `threads.rs` |

mod assemble;
pub(crate) mod compiled;
mod counters;
mod cranelift;
mod error;
mod extent;
pub(crate) mod machine_step;
mod prefetch;
mod spills;
mod threads;
pub(crate) mod unwind;
mod unwind_rows;

use cranelift_codegen::Context;
use cranelift_codegen::ir::Function;

use crate::config::{CodeGenerators, Pass, Passes, Work};
use crate::graph::{Graph, GraphError, LabelIndex, Unverified};
use crate::inline::Bodies;
use crate::lift::{self, Declarations, LiftContext, LiftInput, Lifted};
use crate::opt::{Constants, Order, Pipeline, verify};
use crate::parallel::map_each;
use crate::plan::{CallsThatEnd, PointerEffects};
use crate::program::{FunctionId, Program};
use crate::select::Selection;
use crate::times::{Phase, Profiled, time, time_pass};

use assemble::describe;
pub use assemble::synthetic;
pub use compiled::{CodeRange, CompiledFunction, GivenUp, Keep, NativeFrame, StepOutcome};
use cranelift::Contexts;
pub use error::CompileError;
pub use threads::{Threads, thread_pool};
pub use unwind::{FrameRow, FrameRows, Unwind};

/// Builds the graphs of all functions; code that the kernel's verifier would refuse is an error, or traps.
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
    map_each(&functions, || (), |(), &function| Graph::build(program, &labels, function, unverified))
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
    let pointer_effects =
        time(times, Phase::Plan, || PointerEffects::new(program, &selection.resolution, &selection.graphs));
    let calls_that_end =
        time(times, Phase::Plan, || CallsThatEnd::find(program, &selection.resolution, &selection.graphs));
    let input = LiftInput {
        program,
        resolution: &selection.resolution,
        declarations,
        generators,
        pointer_effects: &pointer_effects,
        calls_that_end: &calls_that_end,
        frequencies: &selection.frequencies,
    };
    let bodies = Bodies::new(input, &selection.graphs);
    let constants = constants(program, declarations);
    let compile = |(lifting, contexts, _): &mut (LiftContext, Contexts, Profiled), graph: &Graph| {
        let lifted = lifted(input, &bodies, &constants, graph, None, lifting, &mut contexts.context)?;
        let seen = look(graph, &lifted.function);
        let compiled = machine_code(input, graph, lifted, keep, contexts)?;
        lifting.reuse(std::mem::replace(&mut contexts.context.func, Function::new()));
        Ok((compiled, seen))
    };
    let order = Order::new(generators.passes(), generators.facts());
    map_each(&selection.graphs, || (LiftContext::default(), Contexts::new(order), Profiled::new(times)), compile)
}

/// Lifts all functions, for display, with everything that runs before `until`.
///
/// # Errors
///
/// As [`functions`].
#[cfg(feature = "compare")]
pub fn clif(
    program: &Program,
    selection: &Selection,
    declarations: &Declarations,
    generators: &CodeGenerators,
    until: Option<Until>,
) -> Result<Vec<Function>, CompileError> {
    let pointer_effects = PointerEffects::new(program, &selection.resolution, &selection.graphs);
    let calls_that_end = CallsThatEnd::find(program, &selection.resolution, &selection.graphs);
    let input = LiftInput {
        program,
        resolution: &selection.resolution,
        declarations,
        generators,
        pointer_effects: &pointer_effects,
        calls_that_end: &calls_that_end,
        frequencies: &selection.frequencies,
    };
    let bodies = Bodies::new(input, &selection.graphs);
    let constants = constants(program, declarations);
    let lift = |(lifting, context): &mut (LiftContext, Context), graph: &Graph| {
        lifted(input, &bodies, &constants, graph, until, lifting, context).map(|lifted| lifted.function)
    };
    let contexts = || (LiftContext::default(), Context::new());
    first_error(map_each(&selection.graphs, contexts, lift))
}

/// The point at which CLIF is shown, if that is not when Cranelift gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Once it is lifted, with all plans.
    Lifted,
    /// Once callees are inlined.
    Inlining,
    /// Once a pass over CLIF has run.
    Clif(Pass),
}

/// Lifts a function, inlines callees into it, and runs the passes over it.
fn lifted(
    input: LiftInput<'_>,
    bodies: &Bodies,
    constants: &Constants<'_>,
    graph: &Graph,
    until: Option<Until>,
    lifting: &mut LiftContext,
    context: &mut Context,
) -> Result<Lifted, CompileError> {
    let LiftInput { program, generators, .. } = input;
    let isa = &*generators.main;
    let mut lifted = lift::lift(input, graph, lifting)?;
    verify(&lifted.function, isa, "lifting");
    if until == Some(Until::Lifted) {
        return Ok(lifted);
    }
    time(generators.times(), Phase::Opt, || {
        if generators.passes() == Passes::NONE {
            return Ok(lifted);
        }
        let work = Work::of(&lifted.function, context);
        let passes = generators.clif_passes_for(&work, lifted.returns_twice);
        // No pass is off for this function.
        if passes == generators.passes() {
            let inline = || bodies.inline(input, graph, &mut lifted.function, context);
            let inlined = time_pass(generators.times(), Pass::Inlining, inline);
            inlined.map_err(|error| codegen_error(program, graph, describe(&error)))?;
            verify(&lifted.function, isa, Pass::Inlining.name());
        }
        if until != Some(Until::Inlining) {
            let until = match until {
                Some(Until::Clif(pass)) => Some(pass),
                _ => None,
            };
            let pipeline = Pipeline { isa, facts: *generators.facts(), constants, times: generators.times() };
            pipeline.run(&mut lifted.function, passes, until, context);
        }
        Ok(lifted)
    })
}

/// The constants of a program, by what its own sections are declared as.
fn constants<'a>(program: &'a Program, declarations: &Declarations) -> Constants<'a> {
    let names = declarations.data.iter().filter_map(|(section, data)| Some((data.as_ref()?.name(), section)));
    Constants::new(program, names)
}

/// Cranelift cannot compile a function.
fn codegen_error(program: &Program, graph: &Graph, reason: String) -> CompileError {
    let start = program.functions[graph.function].start;
    CompileError::Codegen { place: program.place(graph.section, Some(graph.function), start), reason }
}

/// All results, or the error that comes first in order, whichever thread found one first.
fn first_error<T, E: Into<CompileError>>(results: Vec<Result<T, E>>) -> Result<Vec<T>, CompileError> {
    results.into_iter().collect::<Result<_, E>>().map_err(Into::into)
}

fn machine_code(
    LiftInput { program, declarations, generators, frequencies, .. }: LiftInput<'_>,
    graph: &Graph,
    lifted: Lifted,
    keep: Keep,
    contexts: &mut Contexts,
) -> Result<CompiledFunction, CompileError> {
    let failed = |reason: String| codegen_error(program, graph, reason);
    let id = declarations.function(graph.function).id;
    let frequencies = frequencies.functions.get(&graph.function);
    let compile = || spills::compile(generators, id, lifted, keep, frequencies, contexts);
    let compiled = time(generators.times(), Phase::Assemble, compile).map_err(failed)?;
    Ok(CompiledFunction { function: Some(graph.function), ..compiled })
}
