//! Innermost loops.
//!
//! In: a function. Out: its loops with no loop inside, one way back, one branch that leaves, and at most [`BLOCKS`] blocks.
//!
//! The rule: a loop's blocks are those that lead to its way back without going through its head; all ways in lead to the
//! head, and but for the way back no path of blocks comes round to where it was. No block is in two of them.

use std::collections::HashMap;
use std::ops::Range;

use cranelift_codegen::entity::{EntitySet, SecondaryMap};
use cranelift_codegen::ir::{Block, Function, Inst};

/// Loops of more blocks are left alone.
const BLOCKS: usize = 12;

/// Loops of more ways in are left alone.
const WAYS_IN: usize = 8;

/// A loop.
pub(crate) struct Loop {
    /// Its blocks; the head is the first, and each comes after those that lead to it.
    pub(crate) blocks: Vec<Block>,
    /// The branch to the head from inside.
    pub(crate) latch: Inst,
    /// The branches to the head from outside.
    pub(crate) ways_in: Vec<Inst>,
    /// The branches that have a way out.
    pub(crate) exits: Vec<Inst>,
    /// Which of the blocks each round goes through that comes back to the head.
    pub(crate) always: Vec<bool>,
    /// Whether it seems to lie inside of another loop: a way back leads over it.
    pub(crate) is_nested: bool,
}

impl Loop {
    /// The block that the loop is entered by.
    pub(crate) fn head(&self) -> Block {
        self.blocks[0]
    }

    /// The block's place among the blocks; none outside.
    pub(crate) fn place(&self, block: Block) -> Option<usize> {
        self.blocks.iter().position(|&inside| inside == block)
    }

    /// Whether the block is one of each whole round.
    pub(crate) fn is_always(&self, block: Block) -> bool {
        self.place(block).is_some_and(|place| self.always[place])
    }
}

/// The blocks that a block's last instruction leads to, one for each of its ways.
pub(crate) fn successors(function: &Function, branch: Inst) -> impl Iterator<Item = Block> + '_ {
    let dfg = &function.dfg;
    let calls = dfg.insts[branch].branch_destination(&dfg.jump_tables, &dfg.exception_tables);
    calls.iter().map(|call| call.block(&dfg.value_lists))
}

/// Finds them, in the order of their ways back.
pub(crate) fn innermost(function: &Function) -> Vec<Loop> {
    let order = match has_ways_back(function) {
        true => reverse_postorder(function),
        false => return Vec::new(),
    };
    // The places of blocks in that order, from 1 on.
    let mut seen: SecondaryMap<Block, usize> = SecondaryMap::with_capacity(function.dfg.num_blocks());
    let mut edges = Vec::with_capacity(2 * order.len());
    let mut backward = Vec::new();
    let mut count = 0;
    for &block in &order {
        count += 1;
        seen[block] = count;
        let Some(last) = function.layout.last_inst(block) else { continue };
        for to in successors(function, last) {
            edges.push((to, last));
            if seen[to] > 0 {
                backward.push((last, to, seen[to]..count));
            }
        }
    }
    let ways = Ways::new(function, &edges);
    // How many ways back lead over each place.
    let mut changes = vec![0_i32; count + 2];
    for (.., places) in &backward {
        changes[places.start] += 1;
        changes[places.end + 1] -= 1;
    }
    let mut depth = 0;
    let depths: Vec<i32> = changes
        .into_iter()
        .map(|change| {
            depth += change;
            depth
        })
        .collect();
    let loops = backward.iter().filter_map(|(latch, head, places)| {
        let inner = Loop::new(function, &ways, *latch, *head)?;
        Some(Loop { is_nested: depths[places.start] > 1, ..inner })
    });
    // What is left in several places is left alone by all passes. A head with two ways back has two of these, each of which
    // is a way into the other: one is taken, since what is done to it makes others of the edges that the other is known by.
    let mut heads: EntitySet<Block> = EntitySet::with_capacity(function.dfg.num_blocks());
    loops.filter(|inner| inner.exits.len() == 1 && heads.insert(inner.head())).collect()
}

/// The branches that lead to each block, once for each of their ways.
struct Ways {
    places: SecondaryMap<Block, Range<usize>>,
    branches: Vec<Inst>,
}

impl Ways {
    fn new(function: &Function, edges: &[(Block, Inst)]) -> Ways {
        let mut places: SecondaryMap<Block, Range<usize>> = SecondaryMap::with_default(0..0);
        places.resize(function.dfg.num_blocks());
        edges.iter().for_each(|&(to, _)| places[to].end += 1);
        let mut start = 0;
        for place in places.values_mut() {
            let count = place.end;
            *place = start..start;
            start += count;
        }
        let Some(&(_, any)) = edges.first() else { return Ways { places, branches: Vec::new() } };
        let mut branches = vec![any; edges.len()];
        for &(to, branch) in edges {
            branches[places[to].end] = branch;
            places[to].end += 1;
        }
        Ways { places, branches }
    }

    fn to(&self, block: Block) -> &[Inst] {
        &self.branches[self.places[block].clone()]
    }
}

/// Whether any branch leads to a block that lies no later.
fn has_ways_back(function: &Function) -> bool {
    let mut seen: EntitySet<Block> = EntitySet::with_capacity(function.dfg.num_blocks());
    function.layout.blocks().any(|block| {
        seen.insert(block);
        let last = function.layout.last_inst(block);
        last.is_some_and(|last| successors(function, last).any(|to| seen.contains(to)))
    })
}

/// The blocks that control reaches, each before those that it leads to but for ways back: loops may be entered in the
/// middle of what lies together.
fn reverse_postorder(function: &Function) -> Vec<Block> {
    let dfg = &function.dfg;
    let way = |block: Block, index: usize| {
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
        match way(*block, *next - 1) {
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
    fn new(function: &Function, ways: &Ways, latch: Inst, head: Block) -> Option<Loop> {
        let layout = &function.layout;
        if ways.to(head).len() > WAYS_IN || Some(head) == layout.entry_block() {
            return None;
        }
        let mut members = vec![head];
        let mut pending = vec![layout.inst_block(latch)?];
        while let Some(block) = pending.pop() {
            if members.contains(&block) {
                continue;
            }
            // Many ways in are no small loop; none are the function's entry, or code that is never reached.
            if members.len() == BLOCKS || ways.to(block).is_empty() || ways.to(block).len() > WAYS_IN {
                return None;
            }
            members.push(block);
            for &way in ways.to(block) {
                pending.push(layout.inst_block(way)?);
            }
        }
        let mut ways_in = Vec::new();
        for &way in ways.to(head) {
            if way == latch {
                continue;
            }
            if members.contains(&layout.inst_block(way)?) {
                return None;
            }
            ways_in.push(way);
        }
        // Both ways of the latch may lead to the head.
        let is_single = ways.to(head).iter().filter(|&&way| way == latch).count() == 1;
        if !is_single || ways_in.is_empty() {
            return None;
        }
        ways_in.dedup();
        let blocks = in_order(function, &members)?;
        let exits = blocks.iter().filter_map(|&block| layout.last_inst(block));
        let exits = exits.filter(|&last| successors(function, last).any(|to| !members.contains(&to)));
        let exits = exits.collect();
        let always = always(function, &blocks);
        Some(Loop { blocks, latch, ways_in, exits, always, is_nested: false })
    }
}

/// The blocks, each after those that lead to it but for the way back to the first; none if there is another way back.
fn in_order(function: &Function, members: &[Block]) -> Option<Vec<Block>> {
    let head = members[0];
    let mut awaited: HashMap<Block, usize> = members.iter().map(|&block| (block, 0)).collect();
    let inside = |block: Block| {
        let last = function.layout.last_inst(block);
        let to = last.into_iter().flat_map(|last| successors(function, last));
        to.filter(|to| *to != head && members.contains(to)).collect::<Vec<Block>>()
    };
    for &block in members {
        for to in inside(block) {
            *awaited.get_mut(&to)? += 1;
        }
    }
    let mut order = Vec::new();
    let mut ready = vec![head];
    while let Some(block) = ready.pop() {
        order.push(block);
        for to in inside(block) {
            let left = awaited.get_mut(&to)?;
            *left -= 1;
            if *left == 0 {
                ready.push(to);
            }
        }
    }
    (order.len() == members.len()).then_some(order)
}

/// Whether no jump inside leads past a block: each block leads to the way back.
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
