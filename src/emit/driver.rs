//! The order of the phases from a program to machine code, the same for memory, for objects and for what is measured.
//!
//! In: a program, code generators, threads. Out: what each phase makes, one call after the other:
//!
//! | call | phases | between it and the next |
//! |---|---|---|
//! | [`Driver::graphs`] | decode, graph | what is refused becomes a warning, or a trap |
//! | [`Driver::select`] | select | in memory, symbols are resolved |
//! | [`Driver::declare`] | declare | |
//! | [`Driver::compile`] | plan, lift, inline, opt, codegen, x86; adapters, calls that keep registers | objects get what the translator adds |
//!
//! The rule: phases run nowhere else, on these threads, and their times are counted here.

use cranelift_module::Module;
use rayon::ThreadPool;

use super::{EmitError, adapters, preserving};
use crate::cache::{self, Cache};
use crate::codegen::{self, CompileError, CompiledFunction, Keep};
use crate::config::{CodeGenerators, Pass, Placement};
use crate::coverage;
use crate::declarations::Declarations;
use crate::declare::{DeclareError, declare};
use crate::graph::{self, Graph, GraphError, Unverified};
use crate::program::{FunctionId, Program};
use crate::resolution::Resolution;
use crate::select::{Selection, map_calls, redirects, select};
use crate::times::{Phase, time};
use crate::warning::Warning;

/// A program on its way to machine code.
#[derive(Clone, Copy)]
pub(crate) struct Driver<'a> {
    pub(crate) program: &'a Program,
    pub(crate) generators: &'a CodeGenerators,
    /// Where the code will be.
    pub(crate) placement: Placement,
    /// The threads that translate; none for those that it is called on.
    pub(crate) pool: Option<&'a ThreadPool>,
}

impl Driver<'_> {
    /// The graphs of all functions, in program order, each on its own.
    pub(crate) fn graphs(&self, unverified: Unverified) -> Vec<Result<Graph, GraphError>> {
        self.phase(Phase::Graph, || self.on_threads(|| codegen::each_graph(self.program, unverified)))
    }

    /// Selects all of the program, or what `roots` reach.
    ///
    /// # Errors
    ///
    /// That of the first function, in program order, that is selected and has no graph.
    pub(crate) fn select(
        &self,
        mut graphs: Vec<Result<Graph, GraphError>>,
        roots: Option<&[FunctionId]>,
        resolution: Resolution,
        warnings: &mut Vec<Warning>,
    ) -> Result<Selection, CompileError> {
        let selection = self.phase(Phase::Declare, || {
            if self.generators.passes().contains(Pass::MapCalls) {
                map_calls::direct(self.program, &mut graphs, &resolution);
            }
            redirects::direct(self.program, &mut graphs, &resolution);
            select(self.program, graphs, roots, resolution)
        })?;
        warnings.extend(graph::runs_out(self.program, &selection.graphs));
        let Some(profile) = self.generators.profile() else { return Ok(selection) };
        let (frequencies, warning) =
            self.phase(Phase::Plan, || coverage::fit(self.program, &selection.graphs, profile));
        warnings.extend(warning);
        Ok(Selection { frequencies, ..selection })
    }

    /// Declares what is selected in a module.
    ///
    /// # Errors
    ///
    /// [`DeclareError`] for a name or a type that cannot be used.
    pub(crate) fn declare(
        &self,
        selection: &Selection,
        module: &mut dyn Module,
        warnings: &mut Vec<Warning>,
    ) -> Result<Declarations, DeclareError> {
        let platform = self.generators.platform();
        let (facts, passes) = (self.generators.facts(), self.generators.passes());
        let keeps_registers = facts.calls_lose_floats && passes.contains(Pass::FloatCalls);
        self.phase(Phase::Declare, || {
            declare(self.program, selection, module, platform, self.placement, keeps_registers, warnings)
        })
    }

    /// Compiles what is selected, or finds it in a cache: functions in program order, then what is called in between.
    ///
    /// # Errors
    ///
    /// That of the first function, in program order, that has one.
    pub(crate) fn compile(
        &self,
        selection: &Selection,
        declarations: &Declarations,
        keep: Keep,
        cache: Option<&Cache>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<CompiledFunction>, EmitError> {
        let Driver { program, generators, placement, .. } = *self;
        let purpose = cache::Purpose { placement, keep };
        let mut functions = self.on_threads(|| {
            cache::functions(cache, purpose, program, selection, declarations, generators, warnings)
        })?;
        let adapters = || self.on_threads(|| adapters::functions(declarations, generators));
        functions.extend(self.phase(Phase::Assemble, adapters)?);
        functions.extend(self.phase(Phase::Assemble, || preserving::functions(declarations, generators))?);
        Ok(functions)
    }

    fn phase<T>(&self, phase: Phase, work: impl FnOnce() -> T) -> T {
        time(self.generators.times(), phase, work)
    }

    fn on_threads<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}
