//! Which edges of a function's control flow are counted, and how the others follow from them.
//!
//! In: a flow network: edges between nodes, with how often each is probably taken. Out: for each edge, what says how often it was
//! taken: a counter, or a sum and difference of what others say.
//!
//! What comes to a node leaves it. So the edges of a spanning tree need no counters: the tree is one of the most frequent edges
//! (Knuth and Stevenson, "Optimal measurement points for program frequency counts", 1973; Ball and Larus, "Optimally profiling and
//! tracing programs", 1994), and each of its edges follows from the others at its far node, leaves first. There are no more terms
//! in all of these sums than ends of edges.

use super::map::{Count, Term};

/// The node that control comes from and goes to, outside of the function.
pub(super) const OUTSIDE: usize = 0;

/// An edge of the network.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlowEdge {
    /// Node that it leaves.
    pub(super) from: usize,
    /// Node that it leads to.
    pub(super) to: usize,
    /// How often it is probably taken, and what a counter on it costs.
    pub(super) cost: Cost,
}

/// What a counter on an edge costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cost {
    /// So many steps, in proportion.
    Steps(u64),
    /// There can be none: the edge is in the tree. Such edges have no cycle among them.
    Impossible,
}

/// Chooses the edges to count. `counter` makes a counter for one of them, by its index, and `derive` a value out of others; edges
/// that are neither wanted nor needed for those have none.
pub(super) fn place(
    nodes: usize,
    edges: &[FlowEdge],
    wanted: &[bool],
    mut counter: impl FnMut(usize) -> Count,
    mut derive: impl FnMut(Vec<Term>) -> Count,
) -> Vec<Option<Count>> {
    let is_in_tree = spanning_tree(nodes, edges);
    let mut at_node: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    for (index, edge) in edges.iter().enumerate().filter(|(_, edge)| edge.from != edge.to) {
        at_node[edge.from].push(index);
        at_node[edge.to].push(index);
    }
    let order = leaves_first(edges, &at_node, &is_in_tree);
    let others = |&(node, towards_root): &(usize, usize)| {
        at_node[node].iter().copied().filter(move |&edge| edge != towards_root)
    };
    let mut needed = wanted.to_vec();
    for place in order.iter().rev() {
        if needed[place.1] {
            others(place).for_each(|edge| needed[edge] = true);
        }
    }
    let is_counted = |edge: usize| needed[edge] && !is_in_tree[edge];
    let mut counts: Vec<Option<Count>> =
        (0..edges.len()).map(|edge| is_counted(edge).then(|| counter(edge))).collect();
    for place in order.iter().filter(|(_, towards_root)| needed[*towards_root]) {
        let &(node, towards_root) = place;
        let is_incoming = |edge: usize| edges[edge].to == node;
        let terms = others(place).map(|edge| Term {
            count: counts[edge].expect("edges of the tree that are further out come first"),
            is_subtracted: is_incoming(edge) == is_incoming(towards_root),
        });
        let terms: Vec<Term> = terms.collect();
        counts[towards_root] = Some(match terms[..] {
            [Term { count, is_subtracted: false }] => count,
            _ => derive(terms),
        });
    }
    counts
}

/// Which edges are in the spanning tree of those that are the dearest to count (Kruskal's algorithm).
fn spanning_tree(nodes: usize, edges: &[FlowEdge]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..edges.len()).collect();
    order.sort_by_key(|&edge| std::cmp::Reverse(edges[edge].cost));
    let mut parents: Vec<usize> = (0..nodes).collect();
    let mut is_in_tree = vec![false; edges.len()];
    for edge in order {
        let [from, to] = [edges[edge].from, edges[edge].to].map(|node| root(&mut parents, node));
        if from != to {
            parents[from] = to;
            is_in_tree[edge] = true;
        }
    }
    is_in_tree
}

/// The representative of a node's set; paths are halved on the way.
fn root(parents: &mut [usize], mut node: usize) -> usize {
    while parents[node] != node {
        parents[node] = parents[parents[node]];
        node = parents[node];
    }
    node
}

/// The nodes but the outside, each with its edge of the tree towards that, the furthest first.
fn leaves_first(edges: &[FlowEdge], at_node: &[Vec<usize>], is_in_tree: &[bool]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut is_found = vec![false; at_node.len()];
    let mut pending = vec![OUTSIDE];
    is_found[OUTSIDE] = true;
    while let Some(node) = pending.pop() {
        for &edge in at_node[node].iter().filter(|&&edge| is_in_tree[edge]) {
            let other = if edges[edge].from == node { edges[edge].to } else { edges[edge].from };
            if !std::mem::replace(&mut is_found[other], true) {
                found.push((other, edge));
                pending.push(other);
            }
        }
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::{Cost, FlowEdge, OUTSIDE, place};
    use crate::coverage::map::{Count, Term};

    fn edge(from: usize, to: usize, cost: u64) -> FlowEdge {
        FlowEdge { from, to, cost: Cost::Steps(cost) }
    }

    /// The counted edges, and what each edge's count is when they were taken as often as `taken` says.
    fn solve(nodes: usize, edges: &[FlowEdge], taken: &[i64]) -> (Vec<usize>, Vec<i64>) {
        let (mut counted, mut derived) = (Vec::new(), Vec::<Vec<Term>>::new());
        let counter = |edge| {
            counted.push(edge);
            Count::Counter(edge as u32)
        };
        let derive = |terms| {
            derived.push(terms);
            Count::Derived(derived.len() as u32 - 1)
        };
        let counts = place(nodes, edges, &vec![true; edges.len()], counter, derive);
        let mut values: Vec<i64> = Vec::new();
        let value = |count: Count, values: &[i64]| match count {
            Count::Counter(edge) => taken[edge as usize],
            Count::Derived(index) => values[index as usize],
        };
        for terms in &derived {
            let signed = |term: &Term| value(term.count, &values) * if term.is_subtracted { -1 } else { 1 };
            values.push(terms.iter().map(signed).sum());
        }
        (counted, counts.iter().map(|&count| value(count.unwrap(), &values)).collect())
    }

    #[test]
    fn a_diamond_in_a_loop_counts_its_arms() {
        // 1 -> 2, 2 -> 3 or 4, 3 and 4 -> 5, 5 -> 2 or out.
        let edges = [
            edge(OUTSIDE, 1, 1),
            edge(1, 2, 1),
            edge(2, 3, 4),
            edge(2, 4, 4),
            edge(3, 5, 4),
            edge(4, 5, 4),
            edge(5, 2, 16),
            edge(5, OUTSIDE, 1),
        ];
        let taken = [3, 3, 70, 33, 70, 33, 100, 3];
        let (counted, counts) = solve(6, &edges, &taken);
        assert_eq!(counts, taken);
        assert_eq!(counted.len(), edges.len() - 5, "edges beside the tree");
        assert!(counted.iter().all(|&edge| edges[edge].cost <= Cost::Steps(4)), "{counted:?}");
    }

    #[test]
    fn what_cannot_be_counted_follows_from_the_rest() {
        let impossible = |from, to| FlowEdge { from, to, cost: Cost::Impossible };
        // 1 stops sometimes, and then goes to 2 or 3, which leave; 3 goes round itself.
        let edges = [
            edge(OUTSIDE, 1, 1),
            edge(1, OUTSIDE, 1),
            impossible(OUTSIDE, 2),
            edge(2, 3, 1),
            edge(3, 3, 8),
            edge(2, OUTSIDE, 1),
            edge(3, OUTSIDE, 1),
        ];
        let taken = [5, 5, 4, 1, 9, 3, 1];
        let (counted, counts) = solve(4, &edges, &taken);
        assert_eq!(counts, taken);
        assert!(!counted.contains(&2) && counted.contains(&4));
    }

    /// Walks through random networks: what is derived is what each edge was taken.
    #[test]
    fn random_networks_derive_what_walks_count() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        for _ in 0..2000 {
            let nodes = 2 + random(12);
            // Each node has a way to the outside, so that walks end; the others lead anywhere.
            let mut edges = vec![edge(OUTSIDE, 1, random(9) as u64)];
            edges.extend((1..nodes).map(|node| edge(node, if node + 1 < nodes { node + 1 } else { OUTSIDE }, 1)));
            for _ in 0..random(3 * nodes) {
                edges.push(edge(1 + random(nodes - 1), random(nodes), random(100) as u64));
            }
            // A tree of edges that cannot be counted: to a node from the one before it.
            for index in 1..edges.len().min(nodes - 1) {
                if random(3) == 0 {
                    edges[index].cost = Cost::Impossible;
                }
            }
            let mut taken = vec![0; edges.len()];
            for _ in 0..random(6) {
                let mut node = OUTSIDE;
                loop {
                    let out: Vec<usize> = (0..edges.len()).filter(|&index| edges[index].from == node).collect();
                    let next = out[random(out.len())];
                    taken[next] += 1;
                    node = edges[next].to;
                    if node == OUTSIDE {
                        break;
                    }
                }
            }
            let (counted, counts) = solve(nodes, &edges, &taken);
            assert_eq!(counts, taken, "{edges:?}");
            assert!(counted.iter().all(|&index| edges[index].cost != Cost::Impossible), "{edges:?}");
            assert_eq!(counted.len(), edges.len() - (nodes - 1), "no more than beside a tree: {edges:?}");
        }
    }
}
