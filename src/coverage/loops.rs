//! Loops: how deep each block is in them, and which ones keep their counters in registers, to be added to memory where the loop is
//! left.
//!
//! In: a graph. Out: the depths, and those loops that contain no other loop and no call, each with one way in, and what their
//! registers tell (`strides.rs`). A counter in memory takes several cycles from one iteration to the next, which is as much as a
//! whole small loop takes.
//!
//! A loop is a strongly connected component with one header, the block that control enters it by; without the edges to the header,
//! what is still strongly connected are the loops in it. The order of blocks says nothing: compilers rotate loops.

use std::collections::{BTreeMap, BTreeSet};

use super::flow::has_call;
use super::strides;
use crate::graph::{BlockIndex, Edge, Graph, strongly_connected};
use crate::program::counters::Stride;

/// The most blocks of a loop whose counters are kept in registers.
const MOST_BLOCKS: usize = 32;

/// How deep loops are looked for in loops: each level takes time in proportion to the code.
const DEEPEST: usize = 16;

/// The loops of a function.
pub(super) struct Loops {
    /// Those that keep counters in registers.
    pub(super) innermost: Vec<InnermostLoop>,
    /// How many loops each block is in.
    pub(super) depths: Vec<usize>,
}

/// A loop that keeps counters in registers.
pub(super) struct InnermostLoop {
    pub(super) blocks: BTreeSet<BlockIndex>,
    /// Blocks whose runs a register tells.
    pub(super) strides: BTreeMap<BlockIndex, Stride>,
}

/// Finds them.
pub(super) fn find(graph: &Graph) -> Loops {
    let mut successors = successors(graph);
    let mut predecessors = vec![Vec::new(); successors.len()];
    for (block, next) in successors.iter().enumerate() {
        next.iter().for_each(|&next| predecessors[next].push(block));
    }
    let mut depths = vec![0; successors.len()];
    let (mut loops, mut outer) = (Vec::new(), Vec::new());
    for _ in 0..DEEPEST {
        let is_loop = |blocks: &Vec<BlockIndex>| blocks.len() > 1 || successors[blocks[0]].contains(&blocks[0]);
        let components = strongly_connected(&successors).into_iter().filter(is_loop);
        let found: Vec<BTreeSet<BlockIndex>> = components.map(BTreeSet::from_iter).collect();
        let within: BTreeSet<BlockIndex> = found.iter().flatten().copied().collect();
        let is_innermost = |(blocks, _): &(BTreeSet<BlockIndex>, BlockIndex)| blocks.is_disjoint(&within);
        loops.extend(outer.drain(..).filter(is_innermost));
        if found.is_empty() {
            break;
        }
        within.iter().for_each(|&block| depths[block] += 1);
        // Without edges between loops and to headers, what is connected is a level further in.
        (0..successors.len()).filter(|block| !within.contains(block)).for_each(|block| successors[block].clear());
        for blocks in found {
            let is_entry = |&block: &BlockIndex| {
                block == 0 || predecessors[block].iter().any(|before| !blocks.contains(before))
            };
            let mut entries = blocks.iter().copied().filter(is_entry);
            match (entries.next(), entries.next()) {
                (Some(header), None) => {
                    let stays = |next: &BlockIndex| blocks.contains(next) && *next != header;
                    blocks.iter().for_each(|&block| successors[block].retain(stays));
                    outer.push((blocks, header));
                }
                _ => blocks.iter().for_each(|&block| successors[block].clear()),
            }
        }
    }
    let calls = |&block: &BlockIndex| graph.instructions_of(&graph.blocks[block]).iter().any(has_call);
    loops.retain(|(blocks, _)| blocks.len() <= MOST_BLOCKS && !blocks.iter().any(calls));
    let counted = loops.into_iter().map(|(blocks, header)| {
        let strides = strides::find(graph, &blocks, header);
        InnermostLoop { blocks, strides }
    });
    Loops { innermost: counted.collect(), depths }
}

/// The blocks that each block leads to.
fn successors(graph: &Graph) -> Vec<Vec<BlockIndex>> {
    let next = |edge| match edge {
        Edge::Block(next) => Some(next),
        Edge::Outside => None,
    };
    graph.blocks.iter().map(|block| block.terminator.outcomes().into_iter().filter_map(next).collect()).collect()
}
