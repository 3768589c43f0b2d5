//! The basic blocks of a function, and how often control goes from one to another.
//!
//! In: the code, read back, and where blocks start. Out: a [`BlockGraph`].
//!
//! With a profile ([`Measured`]), blocks run as often as it says: what their last instruction was made of, unless the branch before
//! was made of the same, as where a pass puts code on an edge. Of two edges, each has its part of what the blocks that they lead to
//! ran, or of the BPF branch's two ways the one that is nearer to that. Where it says nothing, and without one, of the edges out of a
//! block,
//!
//! | an edge that | is taken |
//! |---|---|
//! | exits the loop | a tenth as often as one that stays in it |
//! | leads to a trap | a hundredth as often as any other |
//! | leads to a block out of line, in code that counts | a tenth as often as any other |
//! | falls through as it is | a tenth more often than a branch: compilers put there what they expect |
//!
//! Out of line are the last blocks, if each of them goes on to an earlier one that is no header of a loop around it, or traps.
//! Cranelift places each block behind those that lead to it, but for loops, and what is marked as cold, which comes last: in code
//! that counts, what counts unlikely outcomes ([`Coldness`]). Code that counts nothing has none, and rotated loops look so, too.
//!
//! A loop's header runs [`ITERATIONS`] times as often as the loop is entered.
//!
//! Time is `n log n` in the number of blocks: a function whose loops together hold more than [`MEMBERS_PER_BLOCK`] times as
//! many blocks as there are is given up.

use std::ops::Range;

use super::effects::Transfer;
use super::fragments::{Fragment, FragmentKind, Fragments};
use super::measured::{Measured, Run};
use super::predecessors::Predecessors;

/// The assumed number of iterations of a loop.
const ITERATIONS: f64 = 8.0;

/// No block runs more often than this.
const MAX_RUNS: f64 = 1e12;

/// Relative weights of edges that fall through, that exit a loop, that lead to a trap, and that lead out of line.
const FALLS_THROUGH: f64 = 1.1;
const EXITS_LOOP: f64 = 0.1;
const TRAPS: f64 = 0.01;
const OUT_OF_LINE: f64 = 0.1;

/// The least share of an edge that a profile says something of.
const LEAST_SHARE: f64 = 1e-6;

/// How many members of loops are visited, for each block of the function.
const MEMBERS_PER_BLOCK: usize = 64;

/// How many enclosing loops of a block are searched.
const MAX_NESTING: usize = 16;

/// What is known of blocks that are marked as cold.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Coldness {
    /// Nothing.
    #[default]
    Unknown,
    /// Some count unlikely outcomes of branches (`lift/counters.rs`), and lie out of line.
    Counted,
}

/// The basic blocks of a function; the first is the entry.
pub(crate) struct BlockGraph {
    pub(crate) blocks: Vec<Block>,
    edges: Vec<Edge>,
    /// The index of the first fragment behind the instructions.
    pub(crate) end: usize,
}

pub(crate) struct Block {
    pub(crate) fragments: Range<usize>,
    pub(crate) terminator: Terminator,
    edges: Range<usize>,
}

/// How a block ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terminator {
    /// It falls through.
    FallsThrough,
    /// This fragment is a jump.
    Jump(usize),
    /// This fragment is a conditional branch: its first edge is the taken one, its second falls through.
    Branch(usize),
    /// Control leaves the function, or goes through a jump table.
    Exit { traps: bool },
}

/// An edge to a block.
#[derive(Clone, Copy)]
pub(crate) struct Edge {
    pub(crate) to: usize,
    /// How often it is taken for each time the function is entered.
    pub(crate) weight: f64,
}

impl BlockGraph {
    /// Finds the blocks; none if there is data between instructions that is no jump table.
    pub(crate) fn read(
        fragments: &Fragments,
        entries: &[u32],
        code: &[u8],
        measured: Option<Measured<'_>>,
        coldness: Coldness,
    ) -> Option<BlockGraph> {
        let end = fragments.iter().rposition(|fragment| !matches!(fragment.kind, FragmentKind::Constants))? + 1;
        let mut is_first = vec![false; end];
        *is_first.first_mut()? = true;
        let branches = fragments.iter().filter_map(|fragment| match fragment.kind {
            FragmentKind::Branch { to, .. } => Some(to),
            _ => None,
        });
        for place in entries.iter().copied().chain(branches).filter_map(|label| fragments.index_of(label)) {
            // A table belongs to the block of the jump before it.
            if place < end && !matches!(fragments[place].kind, FragmentKind::JumpTable) {
                is_first[place] = true;
            }
        }
        let firsts: Vec<usize> = (0..end).filter(|&index| is_first[index]).collect();
        let mut graph = BlockGraph {
            blocks: Vec::with_capacity(firsts.len()),
            edges: Vec::with_capacity(2 * firsts.len()),
            end,
        };
        let block_of = |label: u32| firsts.binary_search(&fragments.index_of(label)?).ok();
        for (index, &start) in firsts.iter().enumerate() {
            let end = firsts.get(index + 1).copied().unwrap_or(end);
            graph.add(fragments, code, start..end, block_of)?;
        }
        let count = graph.blocks.len();
        let is_whole = graph.edges.iter().all(|edge| edge.to < count);
        let runs = measured.filter(|_| is_whole).map(|measured| graph.runs(fragments, measured));
        (is_whole && graph.weigh(measured.zip(runs.as_deref()), coldness).is_some()).then_some(graph)
    }

    /// Adds a block.
    fn add(
        &mut self,
        fragments: &Fragments,
        code: &[u8],
        range: Range<usize>,
        block_of: impl Fn(u32) -> Option<usize>,
    ) -> Option<()> {
        let last = range.clone().rev().find(|&index| !fragments[index].is_empty());
        let first = self.edges.len();
        let next = self.blocks.len() + 1;
        let mut edge_to = |to: usize| self.edges.push(Edge { to, weight: 1.0 });
        let terminator = match last.map(|last| (last, &fragments[last])) {
            Some((last, &Fragment { kind: FragmentKind::Branch { condition, to }, .. })) => {
                edge_to(block_of(to)?);
                if condition.is_some() {
                    edge_to(next);
                    Terminator::Branch(last)
                } else {
                    Terminator::Jump(last)
                }
            }
            Some((_, Fragment { kind: FragmentKind::Constants, .. })) => return None,
            Some((_, Fragment { kind: FragmentKind::JumpTable, .. })) => Terminator::Exit { traps: false },
            Some((_, fragment)) if !matches!(fragment.effects.transfer, Transfer::Next | Transfer::Call) => {
                Terminator::Exit { traps: fragment.effects.transfer == Transfer::Trap }
            }
            _ => {
                edge_to(next);
                Terminator::FallsThrough
            }
        };
        for fragment in &fragments[range.start..last.unwrap_or(range.start)] {
            match fragment.kind {
                FragmentKind::Branch { to, .. } => edge_to(block_of(to)?),
                FragmentKind::Constants | FragmentKind::JumpTable => return None,
                _ => {}
            }
        }
        if let Some(table) =
            last.map(|last| &fragments[last]).filter(|fragment| matches!(fragment.kind, FragmentKind::JumpTable))
        {
            for to in table.entries(code) {
                edge_to(block_of(to)?);
            }
        }
        self.blocks.push(Block { fragments: range, terminator, edges: first..self.edges.len() });
        Some(())
    }

    /// The edges out of a block.
    pub(crate) fn edges(&self, block: usize) -> &[Edge] {
        &self.edges[self.blocks[block].edges.clone()]
    }

    /// Those of its edges that could fall through.
    pub(crate) fn candidates(&self, block: usize) -> &[Edge] {
        let count = match self.blocks[block].terminator {
            Terminator::FallsThrough | Terminator::Jump(_) => 1,
            Terminator::Branch(_) => 2,
            Terminator::Exit { .. } => 0,
        };
        &self.edges(block)[..count]
    }

    /// How often each block ran, as far as it is known.
    fn runs(&self, fragments: &Fragments, measured: Measured<'_>) -> Vec<Option<Run>> {
        let last = |block: &Block| {
            let of_block = block.fragments.clone().rev().map(|index| &fragments[index]);
            of_block.filter(|fragment| !fragment.is_empty()).find_map(|fragment| measured.run(fragment))
        };
        let last: Vec<Option<Run>> = self.blocks.iter().map(last).collect();
        let mut runs = last.clone();
        for from in 0..self.blocks.len() {
            for &Edge { to, .. } in self.edges(from) {
                let is_of_edge = to != from && last[from].zip(last[to]).is_some_and(|(one, other)| one == other);
                if is_of_edge {
                    runs[to] = None;
                }
            }
        }
        runs
    }

    /// Estimates how often each edge is taken, by what is known of the blocks.
    fn weigh(&mut self, known: Option<(Measured<'_>, &[Option<Run>])>, coldness: Coldness) -> Option<()> {
        let order = self.postorder();
        let mut place = vec![usize::MAX; self.blocks.len()];
        order.iter().rev().enumerate().for_each(|(index, &block)| place[block] = index);
        let loops = Loops::find(self, &place)?;
        let goes_back = |block: usize| {
            let is_back = |edge: &Edge| edge.to < block && place[edge.to] > place[block];
            self.edges(block).iter().any(is_back)
        };
        let traps = |block: usize| self.blocks[block].terminator == (Terminator::Exit { traps: true });
        let last_in_line = match coldness {
            Coldness::Unknown => usize::MAX,
            Coldness::Counted => {
                (0..self.blocks.len()).rfind(|&block| !goes_back(block) && !traps(block)).unwrap_or(0)
            }
        };
        let mut runs = vec![0.0_f64; self.blocks.len()];
        runs[0] = 1.0;
        for &block in order.iter().rev() {
            if loops.is_header[block] {
                runs[block] *= ITERATIONS;
            }
            let edges = self.blocks[block].edges.clone();
            let mut sum = 0.0;
            let shares = known.and_then(|known| self.measured_shares(block, known));
            for (number, edge) in edges.clone().enumerate() {
                let share = match shares {
                    Some(shares) => shares[number].max(LEAST_SHARE),
                    None => self.share(block, number, &loops, last_in_line),
                };
                self.edges[edge].weight = share;
                sum += share;
            }
            if let Some((measured, Some(run))) = known.map(|(measured, runs)| (measured, runs[block])) {
                runs[block] = run.count as f64 / measured.calls();
            }
            let total = runs[block].min(MAX_RUNS);
            for edge in &mut self.edges[edges] {
                edge.weight *= total / sum;
                if place[edge.to] > place[block] {
                    runs[edge.to] += edge.weight;
                }
            }
        }
        Some(())
    }

    /// The shares of a branch's two edges, if they are known.
    fn measured_shares(&self, block: usize, (measured, runs): (Measured<'_>, &[Option<Run>])) -> Option<[f64; 2]> {
        let (Terminator::Branch(_), [one, other]) = (self.blocks[block].terminator, self.edges(block)) else {
            return None;
        };
        let own = runs[block]?;
        let ran = |edge: &Edge| runs[edge.to].map(|run| run.count.min(own.count) as f64);
        let count = own.count.max(1) as f64;
        let share = match (ran(one), ran(other)) {
            (Some(0.0), Some(0.0)) | (None, None) => return None,
            (Some(one), Some(other)) => one / (one + other),
            (Some(one), None) => one / count,
            (None, Some(other)) => 1.0 - other / count,
        };
        let share = match measured.shares(own.offset) {
            Some([taken, not_taken]) if (taken - share).abs() <= (not_taken - share).abs() => taken,
            Some([_, not_taken]) => not_taken,
            None => share,
        };
        Some([share, 1.0 - share])
    }

    /// The share of an edge among those of its block, relative to the others.
    fn share(&self, block: usize, edge: usize, loops: &Loops, last_in_line: usize) -> f64 {
        let Edge { to, .. } = self.edges(block)[edge];
        let falls_through = matches!(self.blocks[block].terminator, Terminator::Branch(_)) && edge == 1;
        let mut share = if falls_through { FALLS_THROUGH } else { 1.0 };
        if !loops.stays(block, to) {
            share *= EXITS_LOOP;
        }
        if self.blocks[to].terminator == (Terminator::Exit { traps: true }) {
            share *= TRAPS;
        } else if to > last_in_line {
            share *= OUT_OF_LINE;
        }
        share
    }

    /// The blocks that control reaches, in postorder.
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

/// The natural loops of a function.
struct Loops {
    is_header: Vec<bool>,
    /// The innermost loop of each block.
    innermost: Vec<Option<usize>>,
    /// The loop around each loop.
    parent: Vec<Option<usize>>,
}

impl Loops {
    /// Finds them; `place` is the reverse postorder number of each block. None if they hold too many blocks.
    fn find(graph: &BlockGraph, place: &[usize]) -> Option<Loops> {
        let count = graph.blocks.len();
        let mut edges: Vec<(usize, usize)> = Vec::with_capacity(graph.edges.len());
        for from in (0..count).filter(|&block| place[block] != usize::MAX) {
            edges.extend(graph.edges(from).iter().map(|edge| (edge.to, from)));
        }
        let is_back_edge = |&&(to, from): &&(usize, usize)| place[to] <= place[from];
        let mut back_edges: Vec<(usize, usize)> = edges.iter().filter(is_back_edge).copied().collect();
        let mut is_header = vec![false; count];
        let mut innermost = vec![None; count];
        if back_edges.is_empty() {
            return Some(Loops { is_header, innermost, parent: Vec::new() });
        }
        back_edges.sort_unstable();
        let predecessors = Predecessors::new(count, &edges);
        let mut found: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut seen = vec![usize::MAX; count];
        let mut work = MEMBERS_PER_BLOCK * count;
        for group in back_edges.chunk_by(|one, other| one.0 == other.0) {
            let header = group[0].0;
            is_header[header] = true;
            seen[header] = header;
            let mut body = vec![header];
            let mut open: Vec<usize> = group.iter().map(|&(_, from)| from).collect();
            while let Some(block) = open.pop() {
                work = work.checked_sub(1)?;
                // A block before the header in reverse postorder is not dominated by it, so it is not in a natural loop.
                if place[block] > place[header] && seen[block] != header {
                    seen[block] = header;
                    body.push(block);
                    open.extend_from_slice(predecessors.of(block));
                }
            }
            found.push((header, body));
        }
        found.sort_by_key(|(header, body)| (std::cmp::Reverse(body.len()), *header));
        let mut parent = Vec::with_capacity(found.len());
        for (number, (header, body)) in found.iter().enumerate() {
            parent.push(innermost[*header]);
            body.iter().for_each(|&block| innermost[block] = Some(number));
        }
        Some(Loops { is_header, innermost, parent })
    }

    /// Whether an edge from one block to another stays in the innermost loop of the first.
    fn stays(&self, from: usize, to: usize) -> bool {
        let Some(inner) = self.innermost[from] else { return true };
        let mut around = self.innermost[to];
        for _ in 0..MAX_NESTING {
            match around {
                Some(found) if found == inner => return true,
                Some(found) => around = self.parent[found],
                None => return false,
            }
        }
        true
    }
}
