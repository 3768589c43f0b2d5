//! A function's blocks as a flow network, for `placement.rs`.
//!
//! In: a graph, where calls may not come back, how deep blocks are in loops. Out: [`Network`]: the edges of `instrument.rs`, with
//! what a counter on each costs, and where it would be.
//!
//! | edge | cost |
//! |---|---|
//! | a block | how often it runs, by its loops, and by the branch where that is the only way into it |
//! | a block whose runs a register tells (`strides.rs`) | how often its loop is left |
//! | an outcome of a branch | the same, of the less frequent end; twice that, as it takes a block of its own; three times in a loop that counts in registers, where it is often part of a select |
//! | an outcome that leaves a loop | an eighth of that, and the other one the rest |
//! | an outcome of another comparison for equality | a quarter of that, or three quarters: most values differ (Ball and Larus, "Branch prediction for free", 1993) |
//! | the only way into a block, the only way on from one that control does not stop in | no counter: that block's is as good |

use std::collections::BTreeSet;

use super::flow::Returning;
use super::loops::Loops;
use super::placement::{Cost, FlowEdge, OUTSIDE};
use crate::decode::insn::{Cond, Insn};
use crate::graph::{BlockIndex, Edge, Graph, Terminator};

/// How often a loop probably goes round.
const ROUNDS: u64 = 8;

/// How often the code outside of loops runs, so that parts of it are whole numbers.
const ONCE: u64 = 1 << 12;

/// How deep loops count for more.
const DEEPEST: usize = 12;

/// Where a counter is put.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// At the start of a block.
    Block(BlockIndex),
    /// On the edge of an outcome of a block.
    Outcome(BlockIndex, usize),
    /// Where the function starts.
    Entry,
    /// After the instruction at this byte offset.
    After(u64),
}

/// The flow network of a function.
pub(super) struct Network {
    pub(super) nodes: usize,
    pub(super) edges: Vec<FlowEdge>,
    /// Whether somebody wants to know how often it was taken.
    pub(super) wanted: Vec<bool>,
    /// Where the counter of each edge is, if it has one.
    pub(super) places: Vec<Place>,
    /// The edge that calls of the function are.
    pub(super) entry: usize,
    /// The edge that each block is.
    pub(super) blocks: Vec<usize>,
    /// The edges that the outcomes of each block are.
    pub(super) outcomes: Vec<Vec<usize>>,
}

/// The nodes of a block.
fn start(block: BlockIndex) -> usize {
    2 * block + 1
}

fn end(block: BlockIndex) -> usize {
    2 * block + 2
}

/// How often each block probably runs.
fn frequencies(graph: &Graph, outcomes: &[Vec<Edge>], incoming: &[usize], depths: &[usize]) -> Vec<u64> {
    let of_depth = |&depth: &usize| ONCE * ROUNDS.pow(depth.min(DEEPEST) as u32);
    let mut frequencies: Vec<u64> = depths.iter().map(of_depth).collect();
    for (index, outcomes) in outcomes.iter().enumerate() {
        for (outcome, edge) in outcomes.iter().enumerate() {
            match *edge {
                Edge::Block(next) if next > index && incoming[next] == 1 && depths[next] == depths[index] => {
                    frequencies[next] = part(graph, depths, index, outcome, frequencies[index]).max(1);
                }
                _ => {}
            }
        }
    }
    frequencies
}

/// How often a block that runs so often probably has an outcome.
fn part(graph: &Graph, depths: &[usize], block: BlockIndex, outcome: usize, frequency: u64) -> u64 {
    let depth = depths[block];
    let block = &graph.blocks[block];
    let Terminator::Branch { taken, fallthrough } = block.terminator else { return frequency };
    let leaves = |edge| matches!(edge, Edge::Block(next) if depths[next] < depth);
    let [own, other] = if outcome == 0 { [taken, fallthrough] } else { [fallthrough, taken] }.map(leaves);
    match (own, other) {
        (true, false) => return frequency / ROUNDS,
        (false, true) => return frequency - frequency / ROUNDS,
        _ => {}
    }
    let quarters = match graph.instructions_of(block).last().map(|last| last.insn) {
        Some(Insn::Branch { cond: Cond::Eq, .. }) => [1, 3],
        Some(Insn::Branch { cond: Cond::Ne, .. }) => [3, 1],
        _ => [2, 2],
    };
    frequency / 4 * quarters[outcome.min(1)]
}

impl Network {
    pub(super) fn new(graph: &Graph, returning: &Returning, loops: &Loops) -> Network {
        let outcomes: Vec<Vec<Edge>> = graph.blocks.iter().map(|block| block.terminator.outcomes()).collect();
        let mut incoming = vec![0; graph.blocks.len()];
        incoming[0] = 1;
        for edge in outcomes.iter().flatten() {
            if let Edge::Block(next) = edge {
                incoming[*next] += 1;
            }
        }
        let frequencies = frequencies(graph, &outcomes, &incoming, &loops.depths);
        let with_strides = loops.innermost.iter().flat_map(|inner| inner.strides.keys().copied());
        let with_strides: BTreeSet<BlockIndex> = with_strides.collect();
        let in_registers = loops.innermost.iter().flat_map(|inner| inner.blocks.iter().copied());
        let in_registers: BTreeSet<BlockIndex> = in_registers.collect();
        let mut network = Network {
            nodes: 2 * graph.blocks.len() + 1,
            edges: Vec::new(),
            wanted: Vec::new(),
            places: Vec::new(),
            entry: 0,
            blocks: Vec::new(),
            outcomes: Vec::new(),
        };
        let cost = if incoming[0] == 1 { Cost::Impossible } else { Cost::Steps(2 * ONCE) };
        network.add(OUTSIDE, start(0), cost, Place::Entry);
        for (index, (block, outcomes)) in graph.blocks.iter().zip(outcomes).enumerate() {
            let instructions = graph.instructions_of(block);
            let last_stop = instructions.iter().rev().find(|instruction| returning.may_stop(instruction));
            let to = if last_stop.is_some() { OUTSIDE } else { end(index) };
            let steps =
                if with_strides.contains(&index) { frequencies[index] / ROUNDS } else { frequencies[index] };
            let edge = network.add(start(index), to, Cost::Steps(steps), Place::Block(index));
            network.blocks.push(edge);
            let returns = matches!(block.terminator, Terminator::Return);
            if last_stop.is_some() && !returns {
                network.add(OUTSIDE, end(index), Cost::Impossible, Place::Block(index));
            }
            let of_outcomes = if in_registers.contains(&index) { 3 } else { 2 };
            let of_outcome = |(outcome, edge): (usize, Edge)| {
                let taken = part(graph, &loops.depths, index, outcome, frequencies[index]);
                let (to, rarest, is_only) = match edge {
                    Edge::Block(next) => (start(next), taken.min(frequencies[next]), incoming[next] == 1),
                    // It traps.
                    Edge::Outside => (OUTSIDE, 1, false),
                };
                let (place, cost) = match (&block.terminator, last_stop) {
                    (Terminator::Goto(_), None) => (Place::Block(index), Cost::Impossible),
                    (Terminator::Goto(_), Some(stop)) => (Place::After(stop.offset), Cost::Steps(rarest)),
                    _ => (Place::Outcome(index, outcome), Cost::Steps(of_outcomes * rarest)),
                };
                network.add(end(index), to, if is_only { Cost::Impossible } else { cost }, place)
            };
            let edges = outcomes.into_iter().enumerate().map(of_outcome).collect();
            network.outcomes.push(edges);
            // What returns after a call is of no interest.
            if returns && last_stop.is_none() {
                network.add(end(index), OUTSIDE, Cost::Impossible, Place::Block(index));
            }
        }
        let known = [network.entry].into_iter().chain(network.blocks.iter().copied());
        let known: Vec<usize> = known.chain(network.outcomes.iter().flatten().copied()).collect();
        network.wanted = vec![false; network.edges.len()];
        known.into_iter().for_each(|edge| network.wanted[edge] = true);
        network
    }

    fn add(&mut self, from: usize, to: usize, cost: Cost, place: Place) -> usize {
        self.edges.push(FlowEdge { from, to, cost });
        self.places.push(place);
        self.edges.len() - 1
    }
}
