//! Innermost loops in the form that loop passes transform.
//!
//! In: a function. Out: its loops with no loop inside, one back edge, one exiting branch, and at most [`MAX_BLOCKS`] blocks.
//!
//! The rule: a loop's blocks are those that lead to its back edge without going through its header; all entry edges lead to
//! the header, and there is no cycle but through the back edge. No block is in two of these loops.

use std::ops::Range;

use cranelift_codegen::entity::{EntitySet, SecondaryMap};
use cranelift_codegen::ir::{Block, Function, Inst};

use super::edges::successors;

/// Loops of more blocks are left alone.
const MAX_BLOCKS: usize = 12;

/// Loops with a block of more incoming edges are left alone.
const MAX_LOOP_PREDECESSORS: usize = 8;

/// A loop.
pub(crate) struct Loop {
    /// Its blocks; the header is the first, and each comes after its predecessors in the loop.
    pub(crate) blocks: Vec<Block>,
    /// The branch of the back edge.
    pub(crate) latch: Inst,
    /// The branches to the header from outside.
    pub(crate) entries: Vec<Inst>,
    /// The branches with an edge out of the loop.
    pub(crate) exits: Vec<Inst>,
    /// Which of the blocks every whole iteration executes.
    pub(crate) always: Vec<bool>,
    /// Whether it seems to lie in another loop: a back edge spans it.
    pub(crate) is_nested: bool,
}

impl Loop {
    /// The block that the loop is entered by.
    pub(crate) fn header(&self) -> Block {
        self.blocks[0]
    }

    /// The index of a block of the loop; none for others.
    pub(crate) fn index(&self, block: Block) -> Option<usize> {
        self.blocks.iter().position(|&inside| inside == block)
    }

    /// Whether every whole iteration executes a block.
    pub(crate) fn is_always(&self, block: Block) -> bool {
        self.index(block).is_some_and(|index| self.always[index])
    }
}

/// Finds the loops, in the order of their back edges.
pub(crate) fn innermost(function: &Function) -> Vec<Loop> {
    let order = match has_backward_edges(function) {
        true => reverse_postorder(function),
        false => return Vec::new(),
    };
    // The positions of blocks in that order, from 1 on; 0 for those not visited yet.
    let mut positions: SecondaryMap<Block, usize> = SecondaryMap::with_capacity(function.dfg.num_blocks());
    let mut edges = Vec::with_capacity(2 * order.len());
    let mut backward = Vec::new();
    let mut count = 0;
    for &block in &order {
        count += 1;
        positions[block] = count;
        let Some(last) = function.layout.last_inst(block) else { continue };
        for to in successors(function, last) {
            edges.push((to, last));
            if positions[to] > 0 {
                backward.push((last, to, positions[to]..count));
            }
        }
    }
    let predecessors = Predecessors::new(function, &edges);
    // How many back edges span each position.
    let mut changes = vec![0_i32; count + 2];
    for (.., span) in &backward {
        changes[span.start] += 1;
        changes[span.end + 1] -= 1;
    }
    let mut depth = 0;
    let depths: Vec<i32> = changes
        .into_iter()
        .map(|change| {
            depth += change;
            depth
        })
        .collect();
    let loops = backward.iter().filter_map(|(latch, header, span)| {
        let inner = Loop::new(function, &predecessors, *latch, *header)?;
        Some(Loop { is_nested: depths[span.start] > 1, ..inner })
    });
    // No pass transforms a loop with several exits. A header with two back edges has two of these loops, each of which enters
    // the other: only one is taken, since transforming it retargets the edges that the other is described by.
    let mut headers: EntitySet<Block> = EntitySet::with_capacity(function.dfg.num_blocks());
    loops.filter(|inner| inner.exits.len() == 1 && headers.insert(inner.header())).collect()
}

/// The branches that lead to each block, once for each edge.
struct Predecessors {
    ranges: SecondaryMap<Block, Range<usize>>,
    branches: Vec<Inst>,
}

impl Predecessors {
    fn new(function: &Function, edges: &[(Block, Inst)]) -> Predecessors {
        let mut ranges: SecondaryMap<Block, Range<usize>> = SecondaryMap::with_default(0..0);
        ranges.resize(function.dfg.num_blocks());
        edges.iter().for_each(|&(to, _)| ranges[to].end += 1);
        let mut start = 0;
        for range in ranges.values_mut() {
            let count = range.end;
            *range = start..start;
            start += count;
        }
        let Some(&(_, any)) = edges.first() else { return Predecessors { ranges, branches: Vec::new() } };
        let mut branches = vec![any; edges.len()];
        for &(to, branch) in edges {
            branches[ranges[to].end] = branch;
            ranges[to].end += 1;
        }
        Predecessors { ranges, branches }
    }

    fn of(&self, block: Block) -> &[Inst] {
        &self.branches[self.ranges[block].clone()]
    }
}

/// Whether any branch leads to a block that lies no later.
fn has_backward_edges(function: &Function) -> bool {
    let mut seen: EntitySet<Block> = EntitySet::with_capacity(function.dfg.num_blocks());
    function.layout.blocks().any(|block| {
        seen.insert(block);
        let last = function.layout.last_inst(block);
        last.is_some_and(|last| successors(function, last).any(|to| seen.contains(to)))
    })
}

/// The reachable blocks in reverse postorder, since a loop may be entered in the middle of the blocks that lie together.
fn reverse_postorder(function: &Function) -> Vec<Block> {
    let dfg = &function.dfg;
    let successor = |block: Block, index: usize| {
        let last = function.layout.last_inst(block)?;
        let calls = dfg.insts[last].branch_destination(&dfg.jump_tables, &dfg.exception_tables);
        calls.get(index).map(|call| call.block(&dfg.value_lists))
    };
    let mut seen: EntitySet<Block> = EntitySet::with_capacity(dfg.num_blocks());
    let mut order = Vec::with_capacity(dfg.num_blocks());
    let mut path = Vec::new();
    if let Some(entry) = function.layout.entry_block() {
        seen.insert(entry);
        path.push((entry, 0));
    }
    while let Some((block, next)) = path.last_mut() {
        *next += 1;
        match successor(*block, *next - 1) {
            Some(to) if seen.insert(to) => path.push((to, 0)),
            Some(_) => {}
            None => {
                order.push(*block);
                path.pop();
            }
        }
    }
    order.reverse();
    order
}

impl Loop {
    fn new(function: &Function, predecessors: &Predecessors, latch: Inst, header: Block) -> Option<Loop> {
        let layout = &function.layout;
        if predecessors.of(header).len() > MAX_LOOP_PREDECESSORS || Some(header) == layout.entry_block() {
            return None;
        }
        let mut members = vec![header];
        let mut pending = vec![layout.inst_block(latch)?];
        while let Some(block) = pending.pop() {
            if members.contains(&block) {
                continue;
            }
            // A small loop has few incoming edges; a block without any is the function's entry, or unreachable.
            if members.len() == MAX_BLOCKS
                || predecessors.of(block).is_empty()
                || predecessors.of(block).len() > MAX_LOOP_PREDECESSORS
            {
                return None;
            }
            members.push(block);
            for &branch in predecessors.of(block) {
                pending.push(layout.inst_block(branch)?);
            }
        }
        let mut entries = Vec::new();
        for &branch in predecessors.of(header) {
            if branch == latch {
                continue;
            }
            if members.contains(&layout.inst_block(branch)?) {
                return None;
            }
            entries.push(branch);
        }
        // Both edges of the latch may lead to the header.
        let is_single = predecessors.of(header).iter().filter(|&&branch| branch == latch).count() == 1;
        if !is_single || entries.is_empty() {
            return None;
        }
        entries.dedup();
        let blocks = in_order(function, &members)?;
        let exits = blocks.iter().filter_map(|&block| layout.last_inst(block));
        let exits = exits.filter(|&last| successors(function, last).any(|to| !members.contains(&to)));
        let exits = exits.collect();
        let always = always(function, &blocks);
        Some(Loop { blocks, latch, entries, exits, always, is_nested: false })
    }
}

/// Sorts the blocks topologically, without the back edge to the first; none if there is another cycle.
fn in_order(function: &Function, members: &[Block]) -> Option<Vec<Block>> {
    // By index of members: there are few.
    let mut unplaced_predecessors = vec![0_usize; members.len()];
    let inside = |member: usize| {
        let last = function.layout.last_inst(members[member]);
        let to = last.into_iter().flat_map(|last| successors(function, last));
        to.filter_map(|to| members.iter().position(|&inside| inside == to).filter(|&to| to != 0))
    };
    for member in 0..members.len() {
        inside(member).for_each(|to| unplaced_predecessors[to] += 1);
    }
    let mut order = Vec::with_capacity(members.len());
    let mut ready = vec![0];
    while let Some(member) = ready.pop() {
        order.push(members[member]);
        for to in inside(member) {
            unplaced_predecessors[to] -= 1;
            if unplaced_predecessors[to] == 0 {
                ready.push(to);
            }
        }
    }
    (order.len() == members.len()).then_some(order)
}

/// For each block, whether no edge in the loop skips it: each block leads to the back edge.
fn always(function: &Function, blocks: &[Block]) -> Vec<bool> {
    let mut always = vec![true; blocks.len()];
    for (from, &block) in blocks.iter().enumerate() {
        let last = function.layout.last_inst(block);
        for to in last.into_iter().flat_map(|last| successors(function, last)) {
            if let Some(to) = blocks.iter().position(|&inside| inside == to)
                && to > from
            {
                always[from + 1..to].fill(false);
            }
        }
    }
    always
}
