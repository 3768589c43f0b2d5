//! Whether vectors pay, and how many iterations of a loop one of the vector loop does.
//!
//! In: what a loop computes, in lanes. Out: a [`Decision`]. The rule: one vector of the narrowest elements, or fewer where
//! others would take more than [`MAX_VECTORS`]; as many as fit into the number of iterations, if that is known; and the estimate of
//! instructions has to be below that of the scalar loop (`operations.rs`, `cost.rs`).

use cranelift_codegen::ir::{Function, Opcode};

use super::nodes::{Kind, Node, NodeId};
use super::operations::{conversion_cost, cost};
use super::reductions::{Combine, Reduction};
use super::streams::Streams;
use super::strides;
use super::widths::Lanes;
use crate::config::TargetFacts;
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::loops::cost::iteration_cost;
use crate::opt::loops::induction::InductionVariables;

/// The most vectors that the lanes of a node may take.
const MAX_VECTORS: u32 = 4;

/// The fewest bytes of a loop of constant length, and of one that only copies or fills, for which vectors pay.
const MIN_BYTES: u64 = 64;

/// The fewest bytes of a fill for which four vectors in each iteration pay.
const MIN_UNROLLED_FILL: u64 = 512;

/// How many iterations a loop of unknown length inside another one is taken to have.
const SHORT: u64 = 64;

/// How many instructions the vector loop may have where it is unrolled.
const MAX_UNROLLED_COST: u64 = 16;

/// A reduction and its terms.
type Reduced = (Reduction, Vec<NodeId>);

/// How a loop is vectorised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decision {
    /// Iterations of the loop in one of the vector loop.
    pub(super) lanes: u32,
    /// The fewest iterations for which the vector loop is entered.
    pub(super) least: i64,
}

impl Decision {
    /// Decides; none if vectors do not pay.
    pub(super) fn new(
        (function, inner, variables): (&Function, &Loop, &InductionVariables),
        (nodes, lanes): (&[Node], &[Lanes]),
        streams: &Streams,
        (stored, reductions): (&[(usize, NodeId)], &[Reduced]),
        last: Option<u64>,
        facts: &TargetFacts,
    ) -> Option<Decision> {
        let narrowest = streams.narrowest()?;
        let widest = lanes.iter().map(|lanes| lanes.width).max().unwrap_or(0).max(streams.widest()?);
        let copies = nodes.iter().all(|node| matches!(node.kind, Kind::Load(_) | Kind::Uniform(_) | Kind::Low(_)));
        let is_copy = copies && reductions.is_empty();
        let loads = streams.all.iter().any(|stream| stream.stored.is_none());
        // Half a vector of the narrowest elements is the least that is accessed at once.
        // What is combined fills whole vectors.
        let combined = reductions.iter().map(|(reduction, _)| 128 / reduction.bits).max().unwrap_or(2);
        // Structures are taken apart in whole vectors.
        let is_whole = |count: u32| streams.whole().is_none_or(|bits| (count * bits).is_multiple_of(128));
        let fits_vectors =
            |count: &u32| count * widest <= 128 * MAX_VECTORS && *count >= combined && is_whole(*count);
        let mut count = [128 / narrowest, 64 / narrowest, 256 / narrowest].into_iter().find(fits_vectors)?;
        let vectors = |count: u32, width: u32| u64::from((count * width).div_ceil(128));
        let estimate = |count: u32| {
            let mut sum = 3;
            for (node, own) in nodes.iter().zip(lanes).filter(|(_, lanes)| lanes.width > 0) {
                sum += vectors(count, own.width) * cost(&node.kind, own, facts);
                for operand in operands(&node.kind) {
                    sum += converted(nodes, lanes, operand, own.width, count, facts);
                }
            }
            for stream in &streams.all {
                let width = stream.lane.bits();
                sum += vectors(count, width) * strides::cost(stream.elements, stream.lane);
            }
            for &(stream, node) in stored {
                let width = streams.all[stream].lane.bits();
                sum += vectors(count, width) + converted(nodes, lanes, node, width, count, facts);
            }
            for (reduction, terms) in reductions {
                for &term in terms {
                    let width = lanes[term].width.max(8);
                    sum += match reduction.combine {
                        Combine::Bits(Opcode::Iadd) => {
                            let steps = reduction.bits.trailing_zeros().saturating_sub(width.trailing_zeros());
                            vectors(count, width) * u64::from(1 + 3 * steps)
                        }
                        _ => {
                            vectors(count, reduction.bits)
                                + converted(nodes, lanes, term, reduction.bits, count, facts)
                        }
                    };
                }
            }
            sum
        };
        let scalar = iteration_cost(function, inner, variables, None).max(1) + 2;
        // What a loop of a few elements, as those inside others are, leaves to the scalar loop may cost more than the vectors save.
        if last.is_none() && inner.is_nested && fits_vectors(&(count / 2)) && count > 64 / narrowest {
            let all = |count: u32| SHORT / u64::from(count) * estimate(count) + u64::from(count - 1) * scalar / 2;
            if all(count / 2) < all(count) {
                count /= 2;
            }
        }
        if 4 * estimate(count) > 3 * u64::from(count) * scalar {
            return None;
        }
        let fits = |count: u32, times: u64| last.is_none_or(|last| last + 1 >= times * u64::from(count));
        // Where a few bytes were just stored one by one, the processor cannot forward them to the load of a vector.
        let bytes = u64::from(streams.widest()? / 8);
        if last.is_some_and(|last| (last + 1).saturating_mul(bytes) < MIN_BYTES) {
            return None;
        }
        if is_copy {
            // Copies of unknown length inside other loops are mostly short.
            let is_long = last.map_or(!(inner.is_nested && loads), |last| last.saturating_mul(bytes) >= MIN_BYTES);
            if !is_long {
                return None;
            }
            if !loads && last.is_some_and(|last| last * bytes >= MIN_UNROLLED_FILL) {
                count *= 4;
            }
        } else {
            let room =
                |count: u32| 2 * count * widest <= 128 * MAX_VECTORS && estimate(2 * count) <= MAX_UNROLLED_COST;
            while room(count)
                && fits(2 * count, if last.is_some() { 2 } else { 1 })
                && (last.is_some() || !inner.is_nested)
            {
                count *= 2;
            }
        }
        if !fits(count, 1) {
            return None;
        }
        let least = if is_copy { MIN_BYTES as i64 / i64::from(streams.widest()? / 8) } else { i64::from(count) };
        Some(Decision { lanes: count, least: least.max(count.into()) })
    }
}

/// What it costs to have the lanes of a node in another width.
fn converted(nodes: &[Node], lanes: &[Lanes], node: NodeId, width: u32, count: u32, facts: &TargetFacts) -> u64 {
    match lanes[node].width {
        0 => 0,
        own if own == width => 0,
        own => {
            let wider = u64::from((count * own.max(width)).div_ceil(128));
            wider * conversion_cost(own, width, nodes[node].range.min < 0, facts)
        }
    }
}

/// The operands of a node.
fn operands(kind: &Kind) -> Vec<NodeId> {
    match *kind {
        Kind::Uniform(_) | Kind::Load(_) => Vec::new(),
        Kind::Low(one)
        | Kind::Saturated(one)
        | Kind::Unary(_, one)
        | Kind::Shift(_, one, _)
        | Kind::FloatUnary(_, one) => vec![one],
        Kind::Binary(_, both) | Kind::FloatBinary(_, both) => both.to_vec(),
        Kind::Extreme { compare, .. } => compare.operands.to_vec(),
        Kind::Select { compare, values, .. } => compare.operands.into_iter().chain(values).collect(),
    }
}
