//! Block placement: the order of basic blocks.
//!
//! A taken branch costs more than one that falls through, and Cranelift orders blocks depth first: each iteration of a loop of
//! several blocks jumps from one to the next, and back. In: fragments, and where blocks start. Out: the fragments in the
//! order in which edges of the least total weight are taken branches ([`BlockGraph`] has the weights), if that is worth it.
//!
//! | before | after |
//! |---|---|
//! | `header: cmp; jne other; rare; jmp latch; other: ..; latch: add; cmp; jne header` | `jmp header; rare; latch: add; cmp; je out; header: cmp; je rare; other: ..; jmp latch` |
//!
//! The rule: blocks are joined into chains greedily, along the edge first that would be the greatest loss: twice its weight,
//! less the weights of the best other edge out of its source and into its target. Chains lie in the order of the first block
//! in each; the entry comes first. A jump to the next block is removed, and one is added where a block no longer falls
//! through to its successor.
//!
//! Time is `n log n` in the number of blocks.

use crate::x86::code::blocks::{BlockGraph, Coldness, Edge, Terminator};
use crate::x86::code::fragments::{Fragment, Fragments};
use crate::x86::code::measured::Measured;

/// What a taken branch costs, and an additional jump instruction.
const TAKEN: f64 = 1.0;
const JUMP: f64 = 0.25;

/// Another order is taken if it costs less than this part of the cost before.
const WORTH: f64 = 0.9;

/// Orders the blocks of a function, and says whether the order changed.
pub(crate) fn reorder(
    fragments: Fragments,
    entries: &[u32],
    code: &[u8],
    measured: Option<Measured<'_>>,
    coldness: Coldness,
) -> (Fragments, bool) {
    let Some(graph) = BlockGraph::read(&fragments, entries, code, measured, coldness) else {
        return (fragments, false);
    };
    let order = Chains::new(&graph).order();
    let before: Vec<usize> = (0..graph.blocks.len()).collect();
    if cost(&graph, &order) < WORTH * cost(&graph, &before) {
        (written(fragments, &graph, &order), true)
    } else {
        (fragments, false)
    }
}

/// The cost of blocks in this order.
fn cost(graph: &BlockGraph, order: &[usize]) -> f64 {
    let costs = order.iter().enumerate().map(|(place, &block)| {
        let is_next = |edge: &Edge| order.get(place + 1) == Some(&edge.to);
        match graph.candidates(block) {
            [to] if !is_next(to) => to.weight * (TAKEN + JUMP),
            [taken, next] if is_next(next) => taken.weight * TAKEN,
            [taken, next] if is_next(taken) => next.weight * TAKEN,
            [taken, next] => taken.weight * TAKEN + next.weight * (TAKEN + JUMP),
            _ => 0.0,
        }
    });
    costs.sum()
}

/// Chains of blocks that fall through to each other.
struct Chains {
    next: Vec<Option<usize>>,
    has_previous: Vec<bool>,
    /// Another block of the same chain, or itself: a union-find forest.
    parent: Vec<usize>,
}

impl Chains {
    fn new(graph: &BlockGraph) -> Chains {
        let count = graph.blocks.len();
        let mut chains =
            Chains { next: vec![None; count], has_previous: vec![false; count], parent: (0..count).collect() };
        let mut candidates = candidates(graph);
        candidates.sort_by(|one, other| other.gain.total_cmp(&one.gain).then(one.from.cmp(&other.from)));
        for Candidate { from, to, .. } in candidates {
            chains.join(from, to);
        }
        chains
    }

    /// Places a block behind another, if neither has such a neighbour yet and no cycle results.
    fn join(&mut self, from: usize, to: usize) {
        let (one, other) = (self.root(from), self.root(to));
        if to != 0 && one != other && self.next[from].is_none() && !self.has_previous[to] {
            self.next[from] = Some(to);
            self.has_previous[to] = true;
            self.parent[other] = one;
        }
    }

    fn root(&mut self, mut block: usize) -> usize {
        while self.parent[block] != block {
            self.parent[block] = self.parent[self.parent[block]];
            block = self.parent[block];
        }
        block
    }

    fn order(&self) -> Vec<usize> {
        let firsts = (0..self.next.len()).filter(|&block| !self.has_previous[block]);
        let chain = |first: usize| std::iter::successors(Some(first), |&block| self.next[block]);
        let mut chains: Vec<(usize, usize)> =
            firsts.map(|first| (chain(first).min().unwrap_or(first), first)).collect();
        chains.sort_unstable();
        chains.into_iter().flat_map(|(_, first)| chain(first)).collect()
    }
}

/// An edge that would better fall through.
struct Candidate {
    from: usize,
    to: usize,
    gain: f64,
}

fn candidates(graph: &BlockGraph) -> Vec<Candidate> {
    // The two greatest weights of edges to each block.
    let mut greatest = vec![[0.0_f64; 2]; graph.blocks.len()];
    for edge in (0..graph.blocks.len()).flat_map(|block| graph.candidates(block)) {
        let [first, second] = &mut greatest[edge.to];
        if edge.weight > *first {
            (*first, *second) = (edge.weight, *first);
        } else if edge.weight > *second {
            *second = edge.weight;
        }
    }
    let mut candidates = Vec::with_capacity(2 * graph.blocks.len());
    for from in 0..graph.blocks.len() {
        let edges = graph.candidates(from);
        for (index, &Edge { to, weight }) in edges.iter().enumerate() {
            let other_out = edges.get(1 - index).map_or(0.0, |other| other.weight);
            let [first, second] = greatest[to];
            let other_in = if weight < first { first } else { second };
            candidates.push(Candidate { from, to, gain: 2.0 * weight - other_out - other_in });
        }
    }
    candidates
}

/// The code with its blocks in this order.
fn written(fragments: Fragments, graph: &BlockGraph, order: &[usize]) -> Fragments {
    let mut label = fragments.next_label();
    let (old, size) = fragments.into_list();
    let mut list: Vec<Fragment> = Vec::with_capacity(old.len() + order.len() / 4);
    for (place, &block) in order.iter().enumerate() {
        let made = &graph.blocks[block];
        let start = list.len();
        list.extend_from_slice(&old[made.fragments.clone()]);
        let next = order.get(place + 1).copied();
        let label_of = |block: usize| old[graph.blocks[block].fragments.start].label;
        let (fell_to, branch) = match (made.terminator, graph.candidates(block)) {
            (Terminator::Jump(jump), [to]) if next == Some(to.to) => {
                list[start + jump - made.fragments.start].remove();
                continue;
            }
            (Terminator::FallsThrough, [to]) => (to.to, None),
            (Terminator::Branch(branch), [taken, to]) => {
                (to.to, Some((start + branch - made.fragments.start, taken.to)))
            }
            _ => continue,
        };
        if next == Some(fell_to) {
            continue;
        }
        match branch {
            Some((branch, taken)) if next == Some(taken) => list[branch].retarget(label_of(fell_to), true),
            _ => {
                list.push(Fragment::branch(label, None, label_of(fell_to)));
                label += 1;
            }
        }
    }
    list.extend_from_slice(&old[graph.end..]);
    Fragments::new(list, size)
}
