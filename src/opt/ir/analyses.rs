//! What passes ask of a function's control flow, found when one asks and kept until one changes it.
//!
//! In: a function. Out: its graph of blocks, dominator tree and loops, which are Cranelift's. The rule: a pass that adds
//! blocks, or leads an edge elsewhere, says so ([`Flow::changed`]).

use cranelift_codegen::Context;
use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::Function;
use cranelift_codegen::loop_analysis::LoopAnalysis;

/// The control flow of the function that is worked on.
pub(crate) struct Flow<'c> {
    graph: &'c mut ControlFlowGraph,
    dominators: &'c mut DominatorTree,
    loops: &'c mut LoopAnalysis,
}

/// What is known of it.
#[derive(Clone, Copy)]
pub(crate) struct Known<'f> {
    pub(crate) graph: &'f ControlFlowGraph,
    pub(crate) dominators: &'f DominatorTree,
    pub(crate) loops: &'f LoopAnalysis,
}

impl<'c> Flow<'c> {
    /// Of a function that nothing is known of, in the memory that a context has for it.
    pub(crate) fn new(context: &'c mut Context) -> Flow<'c> {
        let Context { cfg: graph, domtree: dominators, loop_analysis: loops, .. } = context;
        let mut flow = Flow { graph, dominators, loops };
        flow.changed();
        flow
    }

    /// Blocks or edges are others than before.
    pub(crate) fn changed(&mut self) {
        self.graph.clear();
        self.dominators.clear();
        self.loops.clear();
    }

    /// Whether what was found, if anything, is so still.
    pub(crate) fn describes(&self, function: &Function) -> bool {
        let now = ControlFlowGraph::with_function(function);
        let leads_to = |graph: &ControlFlowGraph, block| graph.succ_iter(block).collect::<Vec<_>>();
        let is_same = |block| leads_to(&now, block) == leads_to(self.graph, block);
        !self.graph.is_valid() || function.layout.blocks().all(is_same)
    }

    /// The graph of blocks.
    pub(crate) fn graph(&mut self, function: &Function) -> &ControlFlowGraph {
        if !self.graph.is_valid() {
            self.graph.compute(function);
        }
        self.graph
    }

    /// All of it.
    pub(crate) fn known(&mut self, function: &Function) -> Known<'_> {
        self.graph(function);
        if !self.dominators.is_valid() {
            self.dominators.compute(function, self.graph);
        }
        if !self.loops.is_valid() {
            self.loops.compute(function, self.graph, self.dominators);
        }
        Known { graph: self.graph, dominators: self.dominators, loops: self.loops }
    }
}
