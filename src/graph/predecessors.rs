//! The predecessors of basic blocks.
//!
//! In: blocks and where they lead to. Out: for each block those that lead to it, in order, once for each edge. The rule: all of
//! them are in one list, as a function has many blocks with one or two each.

use super::{Block, BlockIndex};

/// The predecessors of all blocks of a function.
pub(crate) struct Predecessors {
    /// Those of block `n` end in `all` where those of block `n + 1` start.
    starts: Vec<usize>,
    all: Vec<BlockIndex>,
}

impl Predecessors {
    /// Finds them.
    pub(crate) fn of(blocks: &[Block]) -> Predecessors {
        let mut starts = vec![0; blocks.len() + 1];
        for successor in blocks.iter().flat_map(|block| block.terminator.successors()) {
            starts[successor] += 1;
        }
        // Where each one's end is; filling the list from the back makes starts of them.
        let mut total = 0;
        for start in &mut starts {
            total += *start;
            *start = total;
        }
        let mut all = vec![0; total];
        for (index, block) in blocks.iter().enumerate().rev() {
            for successor in block.terminator.successors() {
                starts[successor] -= 1;
                all[starts[successor]] = index;
            }
        }
        Predecessors { starts, all }
    }

    /// Those of one block.
    pub(crate) fn get(&self, block: BlockIndex) -> &[BlockIndex] {
        &self.all[self.starts[block]..self.starts[block + 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::Predecessors;
    use crate::graph::{Block, Edge, Terminator};

    #[test]
    fn each_edge_once_and_in_order() {
        let terminators = [
            Terminator::Branch { taken: Edge::Block(2), fallthrough: Edge::Block(1) },
            Terminator::Branch { taken: Edge::Block(2), fallthrough: Edge::Block(2) },
            Terminator::Goto(Edge::Block(0)),
            Terminator::Goto(Edge::Outside),
            Terminator::Return,
        ];
        let blocks = terminators.map(|terminator| Block { start: 0, end: 0, terminator });
        let predecessors = Predecessors::of(&blocks);
        assert_eq!(predecessors.get(0), [2]);
        assert_eq!(predecessors.get(1), [0]);
        assert_eq!(predecessors.get(2), [0, 1, 1]);
        assert_eq!(predecessors.get(3), [] as [usize; 0]);
        assert_eq!(predecessors.get(4), [] as [usize; 0]);
        assert_eq!(Predecessors::of(&[]).all, [] as [usize; 0]);
    }
}
