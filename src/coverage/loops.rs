//! Innermost loops whose counters are kept in registers, and added to memory where the loop is left.
//!
//! In: a graph. Out: those of its loops that contain no other loop and no call, each with one way in. A counter in memory takes
//! several cycles from one iteration to the next, which is as much as a whole small loop takes.
//!
//! Every cycle has an edge that goes back in the order of the blocks; where all of these that are within a loop lead to its first
//! block, the header, there is no loop in it.

use std::collections::{BTreeMap, BTreeSet};

use super::instrument::{may_stop, outcomes};
use crate::graph::{BlockIndex, Edge, Graph};

/// The most blocks of a loop whose counters are kept in registers.
const MOST_BLOCKS: usize = 32;

/// The blocks of each such loop.
pub(super) fn find(graph: &Graph) -> Vec<BTreeSet<BlockIndex>> {
    let mut predecessors = vec![Vec::new(); graph.blocks.len()];
    let mut latches: BTreeMap<BlockIndex, Vec<BlockIndex>> = BTreeMap::new();
    for (index, block) in graph.blocks.iter().enumerate() {
        for edge in outcomes(&block.terminator) {
            let Edge::Block(next) = edge else { continue };
            predecessors[next].push(index);
            if next <= index {
                latches.entry(next).or_default().push(index);
            }
        }
    }
    let loops = latches.iter().filter_map(|(&header, ends)| body(header, ends, &predecessors));
    let is_innermost = |blocks: &BTreeSet<BlockIndex>| {
        let header = blocks.first();
        blocks.iter().all(|&block| {
            let is_back = |latch: &BlockIndex| blocks.contains(latch) && Some(&block) != header;
            !latches.get(&block).is_some_and(|ends| ends.iter().any(is_back))
                && !may_stop(graph.instructions_of(&graph.blocks[block]))
        })
    };
    loops.filter(is_innermost).collect()
}

/// The blocks that lead to the ends of a loop without going through its header, and the header; none where there is another way
/// in, or too many.
fn body(header: BlockIndex, ends: &[BlockIndex], predecessors: &[Vec<BlockIndex>]) -> Option<BTreeSet<BlockIndex>> {
    let mut blocks = BTreeSet::from([header]);
    let mut pending = ends.to_vec();
    while let Some(block) = pending.pop() {
        // What comes before the header is outside, or the loop has another way in.
        if block < header || blocks.len() > MOST_BLOCKS {
            return None;
        }
        if blocks.insert(block) {
            pending.extend(&predecessors[block]);
        }
    }
    Some(blocks)
}
