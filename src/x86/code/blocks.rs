//! The basic blocks of a function, and how often control goes from one to another.
//!
//! In: the code, read back, and where blocks start. Out: a [`Graph`].
//!
//! Nothing says how often a branch is taken. Of the ways out of a block,
//!
//! | one that | is taken |
//! |---|---|
//! | leaves the loop | a tenth as often as one that stays in it |
//! | leads to a trap | a hundredth as often as any other |
//! | falls through as it is | a tenth more often than a branch: compilers put there what they expect |
//!
//! A loop's head runs [`ROUNDS`] times as often as control comes to it from outside.
//!
//! Time is `n log n` in the number of blocks: a function whose loops hold more than [`WORK`] blocks for each is given up.

use std::ops::Range;

use super::effects::Flow;
use super::pieces::{Item, Items, Kind};

/// How many rounds a loop is taken to do.
const ROUNDS: f64 = 8.0;

/// No block runs more often than this.
const MOST: f64 = 1e12;

/// How much more often what falls through is taken, and less often what leaves a loop, or traps.
const FALLS_THROUGH: f64 = 1.1;
const LEAVES: f64 = 0.1;
const TRAPS: f64 = 0.01;

/// Blocks in loops that are looked at, for each block of the function.
const WORK: usize = 64;

/// Loops around a block that are looked at.
const AROUND: usize = 16;

/// Basic blocks; the first is the entry.
pub(crate) struct Graph {
    pub(crate) blocks: Vec<Block>,
    edges: Vec<Edge>,
    /// Where the code ends, and constants begin.
    pub(crate) end: usize,
}

pub(crate) struct Block {
    pub(crate) items: Range<usize>,
    pub(crate) end: End,
    edges: Range<usize>,
}

/// How a block ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It falls through.
    Next,
    /// This item is a jump.
    Jump(usize),
    /// This item is a branch: its first edge is taken, or it falls through by its second.
    Branch(usize),
    /// Control goes elsewhere.
    Leaves { traps: bool },
}

/// A way from one block to another.
#[derive(Clone, Copy)]
pub(crate) struct Edge {
    pub(crate) to: usize,
    /// How often control takes it, where the function is entered once.
    pub(crate) weight: f64,
}

impl Graph {
    /// Finds them; none if the code is not blocks, and then constants.
    pub(crate) fn read(items: &Items, entries: &[u32], code: &[u8]) -> Option<Graph> {
        let end = items.iter().rposition(|item| !matches!(item.kind, Kind::Data))? + 1;
        let mut is_first = vec![false; end];
        *is_first.first_mut()? = true;
        let branches = items.iter().filter_map(|item| match item.kind {
            Kind::Branch { to, .. } => Some(to),
            _ => None,
        });
        for place in entries.iter().copied().chain(branches).filter_map(|name| items.index_of(name)) {
            // A table is a part of the jump before it.
            if place < end && !matches!(items[place].kind, Kind::Table) {
                is_first[place] = true;
            }
        }
        let firsts: Vec<usize> = (0..end).filter(|&index| is_first[index]).collect();
        let mut graph = Graph { blocks: Vec::with_capacity(firsts.len()), edges: Vec::new(), end };
        let block_of = |name: u32| firsts.binary_search(&items.index_of(name)?).ok();
        for (index, &start) in firsts.iter().enumerate() {
            let end = firsts.get(index + 1).copied().unwrap_or(end);
            graph.add(items, code, start..end, block_of)?;
        }
        let count = graph.blocks.len();
        let is_whole = graph.edges.iter().all(|edge| edge.to < count);
        (is_whole && graph.weigh().is_some()).then_some(graph)
    }

    /// Adds a block.
    fn add(
        &mut self,
        items: &Items,
        code: &[u8],
        range: Range<usize>,
        block_of: impl Fn(u32) -> Option<usize>,
    ) -> Option<()> {
        let last = range.clone().rev().find(|&index| !items[index].is_empty());
        let first = self.edges.len();
        let next = self.blocks.len() + 1;
        let mut lead = |to: usize| self.edges.push(Edge { to, weight: 1.0 });
        let end = match last.map(|last| (last, &items[last])) {
            Some((last, &Item { kind: Kind::Branch { condition, to }, .. })) => {
                lead(block_of(to)?);
                if condition.is_some() {
                    lead(next);
                    End::Branch(last)
                } else {
                    End::Jump(last)
                }
            }
            Some((_, Item { kind: Kind::Data, .. })) => return None,
            Some((_, Item { kind: Kind::Table, .. })) => End::Leaves { traps: false },
            Some((_, item)) if !matches!(item.uses.flow, Flow::Next | Flow::Call) => {
                End::Leaves { traps: item.uses.flow == Flow::Trap }
            }
            _ => {
                lead(next);
                End::Next
            }
        };
        for item in &items[range.start..last.unwrap_or(range.start)] {
            match item.kind {
                Kind::Branch { to, .. } => lead(block_of(to)?),
                Kind::Data | Kind::Table => return None,
                _ => {}
            }
        }
        if let Some(table) = last.map(|last| &items[last]).filter(|item| matches!(item.kind, Kind::Table)) {
            for to in table.entries(code) {
                lead(block_of(to)?);
            }
        }
        self.blocks.push(Block { items: range, end, edges: first..self.edges.len() });
        Some(())
    }

    /// The ways out of a block.
    pub(crate) fn edges(&self, block: usize) -> &[Edge] {
        &self.edges[self.blocks[block].edges.clone()]
    }

    /// Those of its ways out that could fall through.
    pub(crate) fn candidates(&self, block: usize) -> &[Edge] {
        let count = match self.blocks[block].end {
            End::Next | End::Jump(_) => 1,
            End::Branch(_) => 2,
            End::Leaves { .. } => 0,
        };
        &self.edges(block)[..count]
    }

    /// Finds how often each edge is taken.
    fn weigh(&mut self) -> Option<()> {
        let order = self.postorder();
        let mut place = vec![usize::MAX; self.blocks.len()];
        order.iter().rev().enumerate().for_each(|(index, &block)| place[block] = index);
        let loops = Loops::find(self, &place)?;
        let mut runs = vec![0.0_f64; self.blocks.len()];
        runs[0] = 1.0;
        for &block in order.iter().rev() {
            if loops.is_head[block] {
                runs[block] *= ROUNDS;
            }
            let edges = self.blocks[block].edges.clone();
            let mut sum = 0.0;
            for (number, edge) in edges.clone().enumerate() {
                let share = self.share(block, number, &loops);
                self.edges[edge].weight = share;
                sum += share;
            }
            let total = runs[block].min(MOST);
            for edge in &mut self.edges[edges] {
                edge.weight *= total / sum;
                if place[edge.to] > place[block] {
                    runs[edge.to] += edge.weight;
                }
            }
        }
        Some(())
    }

    /// How often an edge is taken, beside the others of its block.
    fn share(&self, block: usize, edge: usize, loops: &Loops) -> f64 {
        let Edge { to, .. } = self.edges(block)[edge];
        let falls_through = matches!(self.blocks[block].end, End::Branch(_)) && edge == 1;
        let mut share = if falls_through { FALLS_THROUGH } else { 1.0 };
        if !loops.stays(block, to) {
            share *= LEAVES;
        }
        if self.blocks[to].end == (End::Leaves { traps: true }) {
            share *= TRAPS;
        }
        share
    }

    /// The blocks that control reaches, each behind those that it leads to first.
    fn postorder(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.blocks.len());
        let mut seen = vec![false; self.blocks.len()];
        seen[0] = true;
        let mut path = vec![(0, 0)];
        while let Some((block, edge)) = path.last_mut() {
            match self.edges(*block).get(*edge) {
                Some(&Edge { to, .. }) => {
                    *edge += 1;
                    if !std::mem::replace(&mut seen[to], true) {
                        path.push((to, 0));
                    }
                }
                None => {
                    order.push(*block);
                    path.pop();
                }
            }
        }
        order
    }
}

/// The loops of a function: a head, and what leads back to it.
struct Loops {
    is_head: Vec<bool>,
    /// The innermost loop of each block, and the loop around each loop.
    of: Vec<Option<usize>>,
    around: Vec<Option<usize>>,
}

impl Loops {
    /// Finds them; `place` is where blocks are in reverse postorder. None if they hold too many blocks.
    fn find(graph: &Graph, place: &[usize]) -> Option<Loops> {
        let count = graph.blocks.len();
        let is_reached = |block: &usize| place[*block] != usize::MAX;
        let ways = |block: usize| graph.edges(block).iter().map(move |edge| (edge.to, block));
        let mut ways: Vec<(usize, usize)> = (0..count).filter(is_reached).flat_map(ways).collect();
        let is_back = |&&(to, from): &&(usize, usize)| place[to] <= place[from];
        let mut back: Vec<(usize, usize)> = ways.iter().filter(is_back).copied().collect();
        let mut is_head = vec![false; count];
        let mut of = vec![None; count];
        if back.is_empty() {
            return Some(Loops { is_head, of, around: Vec::new() });
        }
        back.sort_unstable();
        ways.sort_unstable();
        let ways_to = |block: usize| {
            let first = ways.partition_point(|way| way.0 < block);
            ways[first..].iter().take_while(move |way| way.0 == block).map(|way| way.1)
        };
        let mut found: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut seen = vec![usize::MAX; count];
        let mut work = WORK * count;
        for group in back.chunk_by(|one, other| one.0 == other.0) {
            let head = group[0].0;
            is_head[head] = true;
            seen[head] = head;
            let mut body = vec![head];
            let mut open: Vec<usize> = group.iter().map(|&(_, from)| from).collect();
            while let Some(block) = open.pop() {
                work = work.checked_sub(1)?;
                // What comes before the head in reverse postorder is no part of a loop that is entered by its head.
                if place[block] > place[head] && seen[block] != head {
                    seen[block] = head;
                    body.push(block);
                    open.extend(ways_to(block));
                }
            }
            found.push((head, body));
        }
        found.sort_by_key(|(head, body)| (std::cmp::Reverse(body.len()), *head));
        let mut around = Vec::with_capacity(found.len());
        for (number, (head, body)) in found.iter().enumerate() {
            around.push(of[*head]);
            body.iter().for_each(|&block| of[block] = Some(number));
        }
        Some(Loops { is_head, of, around })
    }

    /// Whether a way from one block to another stays in the innermost loop.
    fn stays(&self, from: usize, to: usize) -> bool {
        let Some(inner) = self.of[from] else { return true };
        let mut of = self.of[to];
        for _ in 0..AROUND {
            match of {
                Some(found) if found == inner => return true,
                Some(found) => of = self.around[found],
                None => return false,
            }
        }
        true
    }
}
