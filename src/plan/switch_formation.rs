//! Switch formation: trees of comparisons of one register with constants become a jump table. They are what clang makes of a
//! `switch`, since for long BPF had no indirect jump.
//!
//! In: a graph, its selects, and where edges lead. Out: for each block whose branch is the root of such a tree, a [`Switch`].
//!
//! A node of a tree is a block that holds nothing but `if r op constant`, of the root's register and width; the root may have
//! other instructions before its branch. Each leaf is reached by some values of the register: those for which the
//! comparisons on the path have the right outcomes. The leaf of most values is the default.
//!
//! Sound: a node changes nothing and counts nothing, so a leaf may be jumped to directly; nodes stay where other edges lead to them.
//!
//! Cost: the number of value ranges is bounded by [`MAX_RANGES`] for each block of the function; beyond, no more switches are
//! formed.
//!
//! It pays from [`MIN_COMPARISONS`] on, for a table of at most [`MAX_ENTRIES`] entries for each: an interpreter of 18
//! instructions 1.17 -> 1.06 of native code. Fewer are predicted better as branches: a machine of 5 states 0.95 -> 1.13.

use crate::decode::insn::{Cond, Insn, Operand, Reg, Width};
use crate::graph::{Block, BlockIndex, Edge, Graph, Terminator};
use crate::program::counters::FunctionCounters;

use super::if_conversion::Select;

/// Comparisons of the smallest tree.
const MIN_COMPARISONS: usize = 8;

/// Comparisons of the max_value tree.
const MAX_COMPARISONS: usize = 256;

/// How many value ranges may be computed, for each block of the function.
const MAX_RANGES: usize = 64;

/// How many entries a table may have for each comparison.
const MAX_ENTRIES: u64 = 4;

/// A tree of comparisons as a jump table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// The register that is compared.
    pub register: Reg,
    /// How much of it is compared.
    pub width: Width,
    /// The value of the first entry.
    pub first: u64,
    /// Where this and the following values lead.
    pub entries: Vec<Edge>,
    /// Where all other values lead.
    pub default: Edge,
}

impl Switch {
    /// All edges, with repetitions.
    pub fn edges(&self) -> impl Iterator<Item = Edge> + '_ {
        self.entries.iter().copied().chain([self.default])
    }
}

/// Finds the switches of a function; `targets` is where an edge to each block leads.
pub(crate) fn find(
    graph: &Graph,
    selects: &[Option<Select>],
    targets: &[BlockIndex],
    counters: Option<&FunctionCounters>,
) -> Vec<Option<Switch>> {
    let mut finder = TreeFinder { graph, selects, targets, counters, budget: MAX_RANGES * graph.blocks.len() };
    let mut switches: Vec<Option<Switch>> = vec![None; graph.blocks.len()];
    // Blocks of a tree are no roots of their own, and come after its root.
    let mut is_in_tree = vec![false; graph.blocks.len()];
    for root in 0..graph.blocks.len() {
        if is_in_tree[root] {
            continue;
        }
        let Some(tree) = finder.tree(root) else { continue };
        if let Some(switch) = tree.switch() {
            switches[root] = Some(switch);
            tree.nodes.iter().for_each(|&node| is_in_tree[node] = true);
        }
    }
    switches
}

/// A comparison with a constant.
#[derive(Clone, Copy)]
struct Comparison {
    register: Reg,
    width: Width,
    cond: Cond,
    constant: u64,
    taken: Edge,
    fallthrough: Edge,
}

/// An inclusive range of values.
type ValueRange = (u64, u64);

struct TreeFinder<'a> {
    graph: &'a Graph,
    selects: &'a [Option<Select>],
    targets: &'a [BlockIndex],
    counters: Option<&'a FunctionCounters>,
    /// How many ranges may still be computed.
    budget: usize,
}

/// A tree: its nodes, and where the values of the register lead.
struct Tree {
    register: Reg,
    width: Width,
    nodes: Vec<BlockIndex>,
    leaves: Vec<(ValueRange, Edge)>,
}

impl TreeFinder<'_> {
    /// The comparison that a block ends with.
    fn comparison(&self, index: BlockIndex) -> Option<Comparison> {
        let block: &Block = &self.graph.blocks[index];
        let last = self.graph.instructions_of(block).last()?;
        let Terminator::Branch { taken, fallthrough } = block.terminator else { return None };
        let Insn::Branch { cond, width, dst, src: Operand::Imm(imm), .. } = last.insn else { return None };
        let is_counted = self.counters.is_some_and(|counters| counters.counts_outcomes(index));
        if cond == Cond::Set || self.selects[index].is_some() || is_counted {
            return None;
        }
        let constant = i64::from(imm) as u64 & max_value(width);
        let lead = |edge| match edge {
            Edge::Block(block) => Edge::Block(self.targets[block]),
            Edge::Outside => Edge::Outside,
        };
        let (taken, fallthrough) = (lead(taken), lead(fallthrough));
        Some(Comparison { register: dst, width, cond, constant, taken, fallthrough })
    }

    /// The tree whose root is a block.
    fn tree(&mut self, root: BlockIndex) -> Option<Tree> {
        let first = self.comparison(root)?;
        let (register, width) = (first.register, first.width);
        let leads_to_node = |edge| self.node(edge, register, width).is_some();
        if !leads_to_node(first.taken) && !leads_to_node(first.fallthrough) {
            // Most comparisons are alone.
            self.budget = self.budget.checked_sub(1)?;
            return None;
        }
        let mut tree = Tree { register, width, nodes: vec![root], leaves: Vec::new() };
        let mut pending = vec![(first, vec![(0, max_value(width))])];
        while let Some((at, values)) = pending.pop() {
            self.budget = self.budget.checked_sub(values.len())?;
            let holds = ranges(at.cond, at.constant, width);
            for (edge, values) in [
                (at.taken, intersection(&values, &holds)),
                (at.fallthrough, intersection(&values, &complement(&holds, width))),
            ] {
                if values.is_empty() {
                    continue;
                }
                match self.node(edge, register, width) {
                    // In a cycle of nodes some values never reach a leaf; the limit ends it.
                    Some((node, comparison)) if tree.nodes.len() < MAX_COMPARISONS => {
                        tree.nodes.push(node);
                        pending.push((comparison, values));
                    }
                    _ => tree.leaves.extend(values.into_iter().map(|range| (range, edge))),
                }
            }
        }
        Some(tree)
    }

    /// The node that an edge leads to, if it is one.
    fn node(&self, edge: Edge, register: Reg, width: Width) -> Option<(BlockIndex, Comparison)> {
        let Edge::Block(index) = edge else { return None };
        if self.counters.is_some_and(|counters| counters.counts_block(index)) {
            return None;
        }
        let block = &self.graph.blocks[index];
        let comparison = self.comparison(index).filter(|_| block.end - block.start == 1)?;
        (comparison.register == register && comparison.width == width).then_some((index, comparison))
    }
}

impl Tree {
    /// The jump table of a tree, if it pays.
    fn switch(&self) -> Option<Switch> {
        if self.nodes.len() < MIN_COMPARISONS {
            return None;
        }
        let &(_, default) = self.leaves.iter().max_by_key(|((first, last), _)| last - first)?;
        let mut cases: Vec<(ValueRange, Edge)> =
            self.leaves.iter().copied().filter(|(_, edge)| *edge != default).collect();
        cases.sort_unstable_by_key(|(range, _)| *range);
        let (&((first, _), _), &((_, last), _)) = (cases.first()?, cases.last()?);
        let size = last - first;
        if size >= MAX_ENTRIES * self.nodes.len() as u64 || size < MIN_COMPARISONS as u64 - 1 {
            return None;
        }
        let mut entries = vec![default; size as usize + 1];
        for ((from, to), edge) in cases {
            entries[(from - first) as usize..=(to - first) as usize].fill(edge);
        }
        Some(Switch { register: self.register, width: self.width, first, entries, default })
    }
}

/// The largest value of a width.
fn max_value(width: Width) -> u64 {
    match width {
        Width::W32 => u64::from(u32::MAX),
        Width::W64 => u64::MAX,
    }
}

/// The values for which a comparison with a constant holds, in order.
fn ranges(cond: Cond, constant: u64, width: Width) -> Vec<ValueRange> {
    let max = max_value(width);
    let above = |from: u64| if from == max { vec![] } else { vec![(from + 1, max)] };
    let below = |to: u64| if to == 0 { vec![] } else { vec![(0, to - 1)] };
    // Flipping the sign bit maps the signed order to the unsigned one.
    let sign = max / 2 + 1;
    match cond {
        Cond::Eq => vec![(constant, constant)],
        Cond::Gt => above(constant),
        Cond::Lt => below(constant),
        Cond::SGt => with_flipped_sign(above(constant ^ sign), sign),
        Cond::SLt => with_flipped_sign(below(constant ^ sign), sign),
        Cond::Ne => complement(&ranges(Cond::Eq, constant, width), width),
        Cond::Ge => complement(&ranges(Cond::Lt, constant, width), width),
        Cond::Le => complement(&ranges(Cond::Gt, constant, width), width),
        Cond::SGe => complement(&ranges(Cond::SLt, constant, width), width),
        Cond::SLe => complement(&ranges(Cond::SGt, constant, width), width),
        // No comparison.
        Cond::Set => vec![],
    }
}

/// Ranges with the sign bit of their values flipped, in order.
fn with_flipped_sign(ranges: Vec<ValueRange>, sign: u64) -> Vec<ValueRange> {
    let mut turned = Vec::new();
    for (first, last) in ranges {
        if first < sign {
            turned.push((first ^ sign, last.min(sign - 1) ^ sign));
        }
        if last >= sign {
            turned.push((first.max(sign) ^ sign, last ^ sign));
        }
    }
    turned.sort_unstable();
    turned
}

/// The values in none of these sorted ranges.
fn complement(ranges: &[ValueRange], width: Width) -> Vec<ValueRange> {
    let mut complement = Vec::new();
    let mut next = Some(0);
    for &(first, last) in ranges {
        if let Some(from) = next.filter(|&from| from < first) {
            complement.push((from, first - 1));
        }
        next = last.checked_add(1);
    }
    let max = max_value(width);
    complement.extend(next.filter(|&from| from <= max).map(|from| (from, max)));
    complement
}

/// The values in ranges of both.
fn intersection(left: &[ValueRange], right: &[ValueRange]) -> Vec<ValueRange> {
    let both = left.iter().flat_map(|&(first, last)| {
        right.iter().map(move |&(other_first, other_last)| (first.max(other_first), last.min(other_last)))
    });
    both.filter(|(first, last)| first <= last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONDITIONS: [Cond; 10] =
        [Cond::Eq, Cond::Ne, Cond::Gt, Cond::Ge, Cond::Lt, Cond::Le, Cond::SGt, Cond::SGe, Cond::SLt, Cond::SLe];

    fn holds(cond: Cond, left: u64, right: u64, width: Width) -> bool {
        let signed = |value: u64| match width {
            Width::W32 => i64::from(value as i32),
            Width::W64 => value as i64,
        };
        match cond {
            Cond::Eq => left == right,
            Cond::Ne => left != right,
            Cond::Gt => left > right,
            Cond::Ge => left >= right,
            Cond::Lt => left < right,
            Cond::Le => left <= right,
            Cond::SGt => signed(left) > signed(right),
            Cond::SGe => signed(left) >= signed(right),
            Cond::SLt => signed(left) < signed(right),
            Cond::SLe => signed(left) <= signed(right),
            Cond::Set => unreachable!("it is not among them"),
        }
    }

    #[test]
    fn ranges_hold_what_comparisons_do() {
        for width in [Width::W32, Width::W64] {
            let top = max_value(width);
            let edges = [0, 1, 2, top / 2 - 1, top / 2, top / 2 + 1, top / 2 + 2, top - 2, top - 1, top];
            for (cond, constant) in CONDITIONS.iter().flat_map(|&cond| edges.map(|constant| (cond, constant))) {
                let (within, without) =
                    (ranges(cond, constant, width), complement(&ranges(cond, constant, width), width));
                assert!(intersection(&within, &without).is_empty());
                for value in edges {
                    let is_in =
                        |ranges: &[ValueRange]| ranges.iter().any(|&(first, last)| (first..=last).contains(&value));
                    let expected = holds(cond, value, constant, width);
                    assert_eq!(
                        (is_in(&within), is_in(&without)),
                        (expected, !expected),
                        "{value} {cond:?} {constant}"
                    );
                }
            }
        }
    }
}
