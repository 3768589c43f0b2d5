//! The predecessors of basic blocks.
//!
//! In: for each block the successors. Out: for each block those that lead to it, in order, once for each edge. The rule: all of
//! them are in one list, as a function has many blocks with one or two each.

/// The predecessors of all blocks of a function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Predecessors {
    /// Those of block `n` end in `all` where those of block `n + 1` start.
    starts: Vec<usize>,
    all: Vec<usize>,
}

impl Predecessors {
    /// Finds them; `blocks` has the successors of each.
    pub(crate) fn of<S: Iterator<Item = usize>>(
        blocks: impl DoubleEndedIterator<Item = S> + ExactSizeIterator + Clone,
    ) -> Predecessors {
        let mut starts = vec![0; blocks.len() + 1];
        for successor in blocks.clone().flatten() {
            starts[successor] += 1;
        }
        // Where each one's end is; filling the list from the back makes starts of them.
        let mut total = 0;
        for start in &mut starts {
            total += *start;
            *start = total;
        }
        let mut all = vec![0; total];
        for (index, successors) in blocks.enumerate().rev() {
            for successor in successors {
                starts[successor] -= 1;
                all[starts[successor]] = index;
            }
        }
        Predecessors { starts, all }
    }

    /// Those of one block.
    pub(crate) fn get(&self, block: usize) -> &[usize] {
        &self.all[self.starts[block]..self.starts[block + 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::Predecessors;

    #[test]
    fn each_edge_once_and_in_order() {
        let blocks: [&[usize]; 5] = [&[2, 1], &[2, 2], &[0], &[], &[]];
        let predecessors = Predecessors::of(blocks.iter().map(|successors| successors.iter().copied()));
        assert_eq!(predecessors.get(0), [2]);
        assert_eq!(predecessors.get(1), [0]);
        assert_eq!(predecessors.get(2), [0, 1, 1]);
        assert_eq!(predecessors.get(3), [] as [usize; 0]);
        assert_eq!(predecessors.get(4), [] as [usize; 0]);
        assert_eq!(Predecessors::of([[0; 0]; 0].into_iter().map(<[usize; 0]>::into_iter)).all, [] as [usize; 0]);
    }
}
