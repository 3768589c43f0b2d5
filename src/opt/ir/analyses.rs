//! Control-flow analyses, computed when a pass asks for them and cached until a pass changes what they describe.
//!
//! In: a function. Out: its predecessors, dominator tree and loops, as Cranelift finds them. The rule: a pass that adds blocks
//! or retargets edges drops them ([`Analyses::changed`]).

use cranelift_codegen::Context;
use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::Function;
use cranelift_codegen::loop_analysis::LoopAnalysis;

/// The cached analyses of one function.
pub(crate) struct Analyses<'c> {
    graph: &'c mut ControlFlowGraph,
    dominators: &'c mut DominatorTree,
    loops: &'c mut LoopAnalysis,
}

/// The analyses, all up to date.
#[derive(Clone, Copy)]
pub(crate) struct ControlFlow<'f> {
    pub(crate) graph: &'f ControlFlowGraph,
    pub(crate) dominators: &'f DominatorTree,
    pub(crate) loops: &'f LoopAnalysis,
}

impl<'c> Analyses<'c> {
    /// Starts with no analyses, reusing the context's allocations.
    pub(crate) fn new(context: &'c mut Context) -> Analyses<'c> {
        let Context { cfg: graph, domtree: dominators, loop_analysis: loops, .. } = context;
        let mut analyses = Analyses { graph, dominators, loops };
        analyses.changed();
        analyses
    }

    /// Drops all analyses: blocks or edges have changed.
    pub(crate) fn changed(&mut self) {
        self.graph.clear();
        self.dominators.clear();
        self.loops.clear();
    }

    /// Whether the cached analyses, if any, still describe the function.
    pub(crate) fn describes(&self, function: &Function) -> bool {
        let now = ControlFlowGraph::with_function(function);
        let successors = |graph: &ControlFlowGraph, block| graph.succ_iter(block).collect::<Vec<_>>();
        let is_same = |block| successors(&now, block) == successors(self.graph, block);
        !self.graph.is_valid() || function.layout.blocks().all(is_same)
    }

    /// The predecessors of blocks.
    pub(crate) fn graph(&mut self, function: &Function) -> &ControlFlowGraph {
        if !self.graph.is_valid() {
            self.graph.compute(function);
        }
        self.graph
    }

    /// All analyses.
    pub(crate) fn control_flow(&mut self, function: &Function) -> ControlFlow<'_> {
        self.graph(function);
        if !self.dominators.is_valid() {
            self.dominators.compute(function, self.graph);
        }
        if !self.loops.is_valid() {
            self.loops.compute(function, self.graph, self.dominators);
        }
        ControlFlow { graph: self.graph, dominators: self.dominators, loops: self.loops }
    }
}
