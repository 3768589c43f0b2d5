//! Which functions call which, callees before callers.
//!
//! In: the graphs of a program. Out: [`CallGraph`]: the direct calls of own functions, and the groups of functions that
//! call each other, by Tarjan's algorithm (linear, without recursion).

use super::model::Graph;
use crate::decode::insn::Insn;
use crate::program::{FunctionId, Id, Target};

/// The direct calls between the functions of a program.
#[derive(Clone, Debug, Default)]
pub struct CallGraph {
    /// By index of a graph: the indices of those that it calls, each once, in order.
    pub callees: Vec<Vec<usize>>,
    /// Indices of graphs in groups that call each other, callees first. A group of one may call itself.
    pub groups: Vec<Vec<usize>>,
}

impl CallGraph {
    /// The calls between these functions.
    pub fn new(graphs: &[Graph]) -> CallGraph {
        let functions = graphs.iter().map(|graph| graph.function.index() + 1).max().unwrap_or(0);
        let mut index_of: Vec<Option<usize>> = vec![None; functions];
        for (index, graph) in graphs.iter().enumerate() {
            index_of[graph.function.index()] = Some(index);
        }
        let index_of = |function: FunctionId| index_of.get(function.index()).copied().flatten();
        let callees = graphs.iter().map(|graph| {
            let mut callees: Vec<usize> = own_calls(graph).filter_map(index_of).collect();
            callees.sort_unstable();
            callees.dedup();
            callees
        });
        let callees: Vec<Vec<usize>> = callees.collect();
        let groups = strongly_connected(&callees);
        CallGraph { callees, groups }
    }

    /// Whether the functions of a group call themselves or each other.
    pub fn is_recursive(&self, group: &[usize]) -> bool {
        group.len() > 1 || group.iter().any(|function| self.callees[*function].contains(function))
    }
}

/// The functions of the program that a function calls directly, once for each call.
pub fn own_calls(graph: &Graph) -> impl Iterator<Item = FunctionId> + '_ {
    graph.instructions.iter().filter_map(|instruction| match (instruction.insn, instruction.target) {
        (Insn::Call(_), Some(Target::Function(function))) => Some(function),
        _ => None,
    })
}

/// The strongly connected components of a graph, callees before callers.
pub(crate) fn strongly_connected(callees: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let mut groups = Vec::new();
    let mut number = vec![UNSEEN; callees.len()];
    let mut lowest = vec![0; callees.len()];
    let mut is_open = vec![false; callees.len()];
    let (mut open, mut count) = (Vec::new(), 0);
    for root in 0..callees.len() {
        if number[root] != UNSEEN {
            continue;
        }
        // A function, and how many of its callees have been looked at.
        let mut path = vec![(root, 0)];
        while let Some((at, looked)) = path.pop() {
            if looked == 0 {
                (number[at], lowest[at]) = (count, count);
                count += 1;
                open.push(at);
                is_open[at] = true;
            } else {
                let callee = callees[at][looked - 1];
                if is_open[callee] {
                    lowest[at] = lowest[at].min(lowest[callee]);
                }
            }
            match callees[at].get(looked) {
                Some(&callee) => {
                    path.push((at, looked + 1));
                    if number[callee] == UNSEEN {
                        path.push((callee, 0));
                    }
                }
                None if lowest[at] == number[at] => {
                    let first = open.iter().rposition(|&function| function == at).unwrap_or(0);
                    let mut group = open.split_off(first);
                    group.iter().for_each(|&function| is_open[function] = false);
                    group.sort_unstable();
                    groups.push(group);
                }
                None => {}
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::strongly_connected;

    #[test]
    fn groups_are_components_and_callees_come_first() {
        // 0 calls 1 and 3; 1 and 2 call each other; 3 calls itself; 2 calls 4.
        let callees = vec![vec![1, 3], vec![2], vec![1, 4], vec![3], vec![]];
        assert_eq!(strongly_connected(&callees), [vec![4], vec![1, 2], vec![3], vec![0]]);
    }

    #[test]
    fn a_chain_and_a_ring_of_many_functions() {
        let count = 100_000;
        let chain: Vec<Vec<usize>> =
            (0..count).map(|at| if at + 1 < count { vec![at + 1] } else { vec![] }).collect();
        let expected: Vec<Vec<usize>> = (0..count).rev().map(|at| vec![at]).collect();
        assert_eq!(strongly_connected(&chain), expected);
        let ring: Vec<Vec<usize>> = (0..count).map(|at| vec![(at + 1) % count]).collect();
        assert_eq!(strongly_connected(&ring), [(0..count).collect::<Vec<_>>()]);
    }
}
