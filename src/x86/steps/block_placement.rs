//! The order of basic blocks.
//!
//! A branch that is taken costs more than one that is not, and Cranelift's order is one of depth: each round of a loop of
//! several blocks jumps from one to the next, and back. In: the code, read back, and where blocks start. Out: the code in
//! the order in which the least weight of edges is jumped along ([`Graph`] has the weights), if that is worth it.
//!
//! | as it is | as it is then |
//! |---|---|
//! | `head: cmp; jne other; rare; jmp latch; other: ..; latch: add; cmp; jne head` | `jmp head; rare; latch: add; cmp; je out; head: cmp; je rare; other: ..; jmp latch` |
//!
//! The rule: blocks are put together into chains, what is lost most where they are not first: twice the weight of an edge,
//! less those of the best other way out of the one, and into the other. Chains lie in the order of the first block that they
//! hold; the entry comes first. A jump goes where its goal lies behind it, and is put where what fell through does not.
//!
//! Time is `n log n` in the number of blocks.

use crate::x86::code::blocks::{Edge, End, Graph};
use crate::x86::code::pieces::{Item, Items};

/// What a branch that is taken costs, and one more instruction that jumps.
const TAKEN: f64 = 1.0;
const JUMP: f64 = 0.25;

/// What is to be left of the cost.
const WORTH: f64 = 0.9;

/// Puts the blocks of a function in order, and says whether it is another one.
pub(crate) fn reorder(items: Items, entries: &[u32], code: &[u8]) -> (Items, bool) {
    let Some(graph) = Graph::read(&items, entries, code) else { return (items, false) };
    let order = Chains::new(&graph).order();
    let before: Vec<usize> = (0..graph.blocks.len()).collect();
    if cost(&graph, &order) < WORTH * cost(&graph, &before) {
        (written(items, &graph, &order), true)
    } else {
        (items, false)
    }
}

/// What blocks in this order cost.
fn cost(graph: &Graph, order: &[usize]) -> f64 {
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

/// Blocks that lie behind each other.
struct Chains {
    next: Vec<Option<usize>>,
    has_previous: Vec<bool>,
    /// Another block of the same chain, or itself.
    parent: Vec<usize>,
}

impl Chains {
    fn new(graph: &Graph) -> Chains {
        let count = graph.blocks.len();
        let mut chains =
            Chains { next: vec![None; count], has_previous: vec![false; count], parent: (0..count).collect() };
        let mut wanted = wanted(graph);
        wanted.sort_by(|one, other| other.gain.total_cmp(&one.gain).then(one.from.cmp(&other.from)));
        for Wanted { from, to, .. } in wanted {
            chains.join(from, to);
        }
        chains
    }

    /// Lets one block lie behind another, if both are still free.
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

/// An edge that is to fall through.
struct Wanted {
    from: usize,
    to: usize,
    gain: f64,
}

fn wanted(graph: &Graph) -> Vec<Wanted> {
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
    let mut wanted = Vec::new();
    for from in 0..graph.blocks.len() {
        let edges = graph.candidates(from);
        for (index, &Edge { to, weight }) in edges.iter().enumerate() {
            let other_out = edges.get(1 - index).map_or(0.0, |other| other.weight);
            let [first, second] = greatest[to];
            let other_in = if weight < first { first } else { second };
            wanted.push(Wanted { from, to, gain: 2.0 * weight - other_out - other_in });
        }
    }
    wanted
}

/// The code with its blocks in this order.
fn written(items: Items, graph: &Graph, order: &[usize]) -> Items {
    let (old, size, mut name) = items.into_list();
    let mut list: Vec<Item> = Vec::with_capacity(old.len() + order.len() / 4);
    for (place, &block) in order.iter().enumerate() {
        let made = &graph.blocks[block];
        let start = list.len();
        list.extend_from_slice(&old[made.items.clone()]);
        let next = order.get(place + 1).copied();
        let name_of = |block: usize| old[graph.blocks[block].items.start].name;
        let (fell_to, branch) = match (made.end, graph.candidates(block)) {
            (End::Jump(jump), [to]) if next == Some(to.to) => {
                list[start + jump - made.items.start].remove();
                continue;
            }
            (End::Next, [to]) => (to.to, None),
            (End::Branch(branch), [taken, to]) => (to.to, Some((start + branch - made.items.start, taken.to))),
            _ => continue,
        };
        if next == Some(fell_to) {
            continue;
        }
        match branch {
            Some((branch, taken)) if next == Some(taken) => list[branch].lead_to(name_of(fell_to), true),
            _ => {
                list.push(Item::branch(name, None, name_of(fell_to)));
                name += 1;
            }
        }
    }
    list.extend_from_slice(&old[graph.end..]);
    Items::new(list, size)
}
