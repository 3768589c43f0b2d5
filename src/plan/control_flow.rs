//! The control-flow plan of a function: which blocks are lifted, where their edges lead, which branches become selects or jump
//! tables, which blocks are cold.
//!
//! In: a graph and its promoted slots. Out: a [`ControlFlowPlan`]. Each part has a switch; each is linear.
//!
//! | part | rule | why it is sound |
//! |---|---|---|
//! | jump threading | an edge to a block that is only a `goto` leads where that goes | the block does nothing, and counts nothing; a `goto` to itself, or a cycle of them, stays |
//! | if-conversion | `if_conversion.rs` | |
//! | switch formation | `switch_formation.rs` | |
//! | calls that end | of a block with a call that surely does not return (`calls_that_end.rs`), nothing behind the call is lifted, nor are blocks that only such code leads to | compilers leave out what would be behind it, and other code lies there: control does not come to it |
//! | cold blocks | a block from which every path leads to a trap or to a call that does not return (also by [`Facts::no_return`](crate::abi::libc::Facts::no_return)) is moved to the function's end; so is one that never ran, by a profile | it only moves |

use super::calls_that_end::CallsThatEnd;
use super::if_conversion::{self, Select};
use super::stack_promotion::PromotedSlots;
use super::switch_formation::{self, Switch};
use crate::config::{Pass, Passes};
use crate::decode::insn::Insn;
use crate::graph::{Block, BlockIndex, Edge, Graph, Terminator};
use crate::program::counters::FunctionCounters;
use crate::program::frequencies::FunctionFrequencies;
use crate::resolution::Resolution;

/// How a function's blocks are lifted.
#[derive(Clone, Debug, Default)]
pub struct ControlFlowPlan {
    /// Where an edge to each block leads.
    targets: Vec<BlockIndex>,
    /// Branches that become selects.
    selects: Vec<Option<Select>>,
    /// Branches that become jump tables.
    switches: Vec<Option<Switch>>,
    /// The call in each block that control ends with: its index.
    ends: Vec<Option<usize>>,
    /// Blocks that are not lifted on their own.
    skipped: Vec<bool>,
    /// Blocks that hardly ever run.
    cold: Vec<bool>,
    /// Blocks that backward edges lead to: at least one of each loop.
    loop_headers: Vec<bool>,
    /// For each block, the last one that is lifted of those that lead to it.
    last_predecessors: Vec<Option<BlockIndex>>,
    /// How many edges lead to each block; the function's entry is one.
    edges: Vec<u32>,
}

impl ControlFlowPlan {
    /// Plans a function, by how often its blocks ran if that is known. Blocks and edges with counters, if there are any, stay.
    pub fn find(
        (resolution, calls): (&Resolution, &CallsThatEnd<'_>),
        graph: &Graph,
        slots: &PromotedSlots,
        (counters, frequencies): (Option<&FunctionCounters>, Option<&FunctionFrequencies>),
        passes: Passes,
    ) -> ControlFlowPlan {
        let count = graph.blocks.len();
        let targets =
            if passes.contains(Pass::JumpThreading) { threaded(graph, counters) } else { (0..count).collect() };
        let selects = match passes.contains(Pass::IfConversion) {
            true => if_conversion::find(graph, slots, &targets),
            false => vec![None; count],
        };
        let switches = match passes.contains(Pass::SwitchFormation) {
            true => switch_formation::find(graph, &selects, &targets, counters),
            false => vec![None; count],
        };
        let cold = if passes.contains(Pass::ColdBlocks) {
            cold((resolution, calls), graph, frequencies)
        } else {
            vec![false; count]
        };
        let ends = match passes.contains(Pass::CallsThatEnd) {
            true => graph.blocks.iter().map(|block| ending_call(calls, graph, block)).collect(),
            false => vec![None; count],
        };
        let mut plan = ControlFlowPlan {
            targets,
            selects,
            switches,
            ends,
            skipped: vec![true; count],
            cold,
            loop_headers: vec![false; count],
            last_predecessors: vec![None; count],
            edges: vec![0; count],
        };
        plan.follow_edges(graph);
        plan
    }

    /// Where an edge leads.
    pub fn edge(&self, edge: Edge) -> Edge {
        match edge {
            Edge::Block(block) => Edge::Block(self.targets[block]),
            Edge::Outside => Edge::Outside,
        }
    }

    /// The select that a block's branch becomes.
    pub fn select(&self, block: BlockIndex) -> Option<&Select> {
        self.selects[block].as_ref()
    }

    /// The jump table that a block's branch becomes.
    pub fn switch(&self, block: BlockIndex) -> Option<&Switch> {
        self.switches[block].as_ref()
    }

    /// The index of the call in a block that control ends with.
    pub fn end(&self, block: BlockIndex) -> Option<usize> {
        self.ends[block]
    }

    /// Whether a block is lifted.
    pub fn is_lifted(&self, block: BlockIndex) -> bool {
        !self.skipped[block]
    }

    /// Whether a block hardly ever runs.
    pub fn is_cold(&self, block: BlockIndex) -> bool {
        self.cold[block]
    }

    /// Whether a backward edge leads to a block.
    ///
    /// Cranelift's optimiser forwards a load's value from an earlier access of the same address, whatever its settings say,
    /// unless something lies between that may change memory. In a loop that waits for a signal handler or another thread
    /// there may be nothing; so a sequence point, which becomes no instruction, is put into its header.
    pub fn is_loop_header(&self, block: BlockIndex) -> bool {
        self.loop_headers[block]
    }

    /// The one block that leads to a block, by one edge and as its branch says, if it is lifted before it: what is known at its end is
    /// known where the block starts.
    pub fn only_predecessor(&self, block: BlockIndex) -> Option<BlockIndex> {
        let before = self.last_predecessors[block].filter(|&before| before < block && self.edges[block] == 1)?;
        (self.selects[before].is_none() && self.switches[before].is_none()).then_some(before)
    }

    /// Calls `visit` with each block whose predecessors are all lifted once `block` is; without one, once the function is entered.
    pub fn completed_by(&self, graph: &Graph, block: Option<BlockIndex>, mut visit: impl FnMut(BlockIndex)) {
        let is_complete = |next: BlockIndex| self.last_predecessors[next] == block;
        match block {
            Some(block) => self.successors(graph, block, |next| {
                if is_complete(next) {
                    visit(next);
                }
            }),
            None => self.targets.first().copied().into_iter().filter(|&first| is_complete(first)).for_each(visit),
        }
    }

    /// Calls `visit` with where each edge of a lifted block leads.
    fn successors(&self, graph: &Graph, block: BlockIndex, mut visit: impl FnMut(BlockIndex)) {
        if self.ends[block].is_some() {
            return;
        }
        match (&self.selects[block], &self.switches[block]) {
            (Some(select), _) => visit(select.join),
            (None, Some(switch)) => switch.edges().for_each(|edge| {
                if let Edge::Block(next) = edge {
                    visit(next);
                }
            }),
            (None, None) => {
                graph.blocks[block].terminator.successors().for_each(|next| visit(self.targets[next]));
            }
        }
    }

    /// Finds the reachable blocks, those that backward edges lead to, and the last predecessors.
    fn follow_edges(&mut self, graph: &Graph) {
        let mut pending: Vec<BlockIndex> = self.targets.first().copied().into_iter().collect();
        pending.iter().for_each(|&first| self.edges[first] = 1);
        while let Some(block) = pending.pop() {
            if !std::mem::replace(&mut self.skipped[block], false) {
                continue;
            }
            let first = pending.len();
            self.successors(graph, block, |next| pending.push(next));
            for &next in &pending[first..] {
                self.edges[next] = self.edges[next].saturating_add(1);
                self.loop_headers[next] |= next <= block;
                self.last_predecessors[next] = self.last_predecessors[next].max(Some(block));
            }
        }
    }
}

/// For each block, the first one from there that is more than a `goto`.
fn threaded(graph: &Graph, counters: Option<&FunctionCounters>) -> Vec<BlockIndex> {
    let next = |index: BlockIndex| {
        if counters.is_some_and(|counters| counters.counts_block(index)) {
            return None;
        }
        let block = &graph.blocks[index];
        match (graph.instructions_of(block), &block.terminator) {
            ([jump], Terminator::Goto(Edge::Block(next))) if matches!(jump.insn, Insn::Jump { .. }) => Some(*next),
            _ => None,
        }
    };
    let mut targets: Vec<Option<BlockIndex>> = vec![None; graph.blocks.len()];
    let mut is_on_path = vec![false; graph.blocks.len()];
    let mut path = Vec::new();
    for start in 0..graph.blocks.len() {
        let mut at = start;
        let target = loop {
            match (targets[at], next(at)) {
                (Some(target), _) => break target,
                // A cycle: it is left as it is.
                _ if is_on_path[at] => break at,
                (None, None) => break at,
                (None, Some(next)) => {
                    is_on_path[at] = true;
                    path.push(at);
                    at = next;
                }
            }
        };
        // In a cycle, every block but one leads to that one.
        for block in path.drain(..) {
            is_on_path[block] = false;
            targets[block] = Some(target);
        }
        targets[start].get_or_insert(target);
    }
    targets.into_iter().enumerate().map(|(block, target)| target.unwrap_or(block)).collect()
}

/// The index of the first call in a block that surely does not return.
fn ending_call(calls: &CallsThatEnd<'_>, graph: &Graph, block: &Block) -> Option<usize> {
    (block.start..block.end).find(|&index| calls.is_end(&graph.instructions[index]))
}

/// The blocks from which every path leads to a trap or to a call that does not return (backwards, each edge once), and those that
/// never ran.
fn cold(
    (resolution, calls): (&Resolution, &CallsThatEnd<'_>),
    graph: &Graph,
    frequencies: Option<&FunctionFrequencies>,
) -> Vec<bool> {
    let no_return = |block: &Block| {
        graph.instructions_of(block).iter().any(|instruction| {
            let is_call = matches!(instruction.insn, Insn::Call(_));
            is_call && (resolution.facts_of(instruction.target).no_return || calls.is_end(instruction))
        })
    };
    let mut cold = vec![false; graph.blocks.len()];
    let mut open_successors = vec![0usize; graph.blocks.len()];
    let mut pending = Vec::new();
    for (index, block) in graph.blocks.iter().enumerate() {
        open_successors[index] = block.terminator.successors().count();
        let is_outside = matches!(block.terminator, Terminator::Goto(Edge::Outside));
        if is_outside || no_return(block) {
            pending.push(index);
        }
    }
    while let Some(block) = pending.pop() {
        if std::mem::replace(&mut cold[block], true) {
            continue;
        }
        for &predecessor in graph.predecessors.get(block) {
            open_successors[predecessor] -= 1;
            if open_successors[predecessor] == 0 {
                pending.push(predecessor);
            }
        }
    }
    for (cold, ran) in cold.iter_mut().zip(frequencies.iter().flat_map(|known| &known.blocks)) {
        *cold |= ran.count == 0;
    }
    // The entry block stays first.
    if let Some(entry) = cold.first_mut() {
        *entry = false;
    }
    cold
}
