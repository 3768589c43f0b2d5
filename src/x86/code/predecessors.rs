//! Which blocks lead to each block.
//!
//! In: edges. Out: [`Predecessors`], by a counting sort: those of a block lie side by side, in the order of the edges. Time is linear.

/// The blocks that lead to each block, once for each edge.
pub(crate) struct Predecessors {
    /// Where those of each block start in the list, and where those of the last one end.
    starts: Vec<usize>,
    list: Vec<usize>,
}

impl Predecessors {
    /// By edges, each to a block and from one, between `count` blocks.
    pub(crate) fn new(count: usize, edges: &[(usize, usize)]) -> Predecessors {
        // One further on, since each start moves to where that of the next block is while the list is filled.
        let mut starts = vec![0; count + 2];
        edges.iter().for_each(|&(to, _)| starts[to + 2] += 1);
        for block in 2..starts.len() {
            starts[block] += starts[block - 1];
        }
        let mut list = vec![0; edges.len()];
        for &(to, from) in edges {
            let next = &mut starts[to + 1];
            list[*next] = from;
            *next += 1;
        }
        Predecessors { starts, list }
    }

    /// Those of a block.
    pub(crate) fn of(&self, block: usize) -> &[usize] {
        &self.list[self.starts[block]..self.starts[block + 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::Predecessors;

    #[test]
    fn predecessors_of_a_block_are_in_the_order_of_edges() {
        let predecessors = Predecessors::new(4, &[(1, 0), (3, 0), (1, 1), (3, 1), (1, 3), (3, 3)]);
        let all: Vec<&[usize]> = (0..4).map(|block| predecessors.of(block)).collect();
        assert_eq!(all, [&[][..], &[0, 1, 3], &[], &[0, 1, 3]]);
        assert!(Predecessors::new(1, &[]).of(0).is_empty());
    }
}
