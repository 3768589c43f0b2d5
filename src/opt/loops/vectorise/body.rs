//! The vector loop itself.
//!
//! In: a [`Plan`], the addresses of its streams. Out: a loop that does [`Decision::lanes`](super::decision::Decision) iterations in
//! one: all loads, the computation (`lanes.rs`), all stores in the program's order; and the block behind it.

use std::collections::HashMap;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, Function, InstBuilder, MemFlagsData, Opcode, SourceLoc, Value, types};

use super::entry::plus;
use super::horizontal::{combine, neutral};
use super::lanes::{LaneBuilder, at_end, bitcast, block_before, widen};
use super::nodes::{Kind, NodeId};
use super::plan::Plan;
use super::reductions::{Combine, Reduction};
use super::streams::{Stream, integer, vector};
use super::strides;
use crate::opt::ir::operands::iconst;

/// The most vectors that a reduction is kept in.
const MAX_ACCUMULATORS: usize = 4;

/// What a vector loop is made of.
pub(super) struct Body<'a> {
    pub(super) plan: &'a Plan,
    /// The address of the first element of each stream.
    pub(super) starts: &'a [Value],
    /// How many iterations it does.
    pub(super) whole: Value,
    /// The loop's values before it.
    pub(super) values: &'a HashMap<Value, Value>,
    pub(super) location: SourceLoc,
}

/// What was made.
pub(super) struct Made<'a> {
    /// The block behind the loop.
    pub(super) after: Block,
    /// What each reduction is kept in, behind the loop.
    pub(super) combined: Vec<(&'a Reduction, Vec<Value>)>,
    /// The address where the first store would go on.
    pub(super) end_address: Option<Value>,
    /// What the first store stores.
    pub(super) stored_vector: Option<Value>,
}

impl<'a> Body<'a> {
    /// Makes the loop, behind the block `before`, which leads to it.
    pub(super) fn make(&self, function: &mut Function, scalar: Block, before: Block) -> Option<Made<'a>> {
        let plan = self.plan;
        let body = block_before(function, scalar);
        let after = block_before(function, scalar);
        let index = function.dfg.append_block_param(body, types::I64);
        at_end(function, body, self.location).ins().sequence_point();
        let parts = (&plan.nodes[..], &plan.lanes[..]);
        let count = plan.decision.lanes;
        let mut builder = LaneBuilder::new(function, parts, count, [before, body], self.location, self.values);
        let loads = plan.streams.order().into_iter().filter(|&stream| plan.streams.all[stream].stored.is_none());
        for stream in loads {
            let vectors = self.load(&mut builder, stream, index)?;
            let Stream { lane, elements, .. } = plan.streams.all[stream];
            let vectors = match elements {
                1 => vec![vectors],
                elements => strides::apart(&mut builder.at_body(), &vectors, elements as usize, lane)?,
            };
            for (node, element) in self.loaded(stream) {
                builder.loaded(node, vectors.get(element)?.clone());
            }
        }
        let mut all_combined = Vec::new();
        let mut first_arguments = Vec::new();
        let mut next_arguments = Vec::new();
        for (reduction, terms) in &plan.reductions {
            let (vectors, signs) = self.terms(&mut builder, reduction, terms)?;
            let ty = vector(integer(reduction.bits)?)?;
            let used = vectors.len().min(MAX_ACCUMULATORS);
            let start = builder.constant(integer(reduction.bits)?, neutral(reduction.combine, reduction.bits))?;
            let mut kept: Vec<Value> =
                (0..used).map(|_| builder.function.dfg.append_block_param(body, ty)).collect();
            let mut cursor = builder.at_body();
            for (place, (&vector, &is_other)) in vectors.iter().zip(&signs).enumerate() {
                let pair = [kept[place % used], vector];
                kept[place % used] = match is_other {
                    true => cursor.ins().isub(pair[0], pair[1]),
                    false => combine(&mut cursor, reduction.combine, pair),
                };
            }
            first_arguments.extend(vec![start; used]);
            next_arguments.extend(kept.iter().copied());
            all_combined.push((reduction, kept));
        }
        let mut stored_vector = None;
        let stored: Vec<(usize, Vec<Value>)> = plan
            .stored
            .iter()
            .map(|&(stream, node)| Some((stream, builder.at(node, plan.streams.all[stream].lane.bits())?)))
            .collect::<Option<Vec<_>>>()?;
        for (stream, vectors) in stored {
            stored_vector = stored_vector.or(vectors.first().copied());
            self.store(&mut builder, stream, index, &vectors)?;
        }
        let step = if plan.streams.is_up() { i64::from(count) } else { -i64::from(count) };
        let mut cursor = builder.at_body();
        let more = plus(&mut cursor, index, step);
        let mut cursor = at_end(function, before, self.location);
        let end = if plan.streams.is_up() { self.whole } else { cursor.ins().ineg(self.whole) };
        let zero = iconst(&mut cursor, types::I64, 0);
        let entering: Vec<Value> = std::iter::once(zero).chain(first_arguments).collect();
        cursor.ins().jump(body, &entering.iter().map(|&value| value.into()).collect::<Vec<_>>());
        let mut cursor = at_end(function, body, self.location);
        let goes_on = cursor.ins().icmp(IntCC::NotEqual, more, end);
        let again: Vec<Value> = std::iter::once(more).chain(next_arguments).collect();
        let again: Vec<_> = again.iter().map(|&value| value.into()).collect();
        cursor.ins().brif(goes_on, body, &again, after, &[]);
        let end_address = plan.stored.first().map(|&(stream, _)| self.address(function, after, stream, end));
        Some(Made { after, combined: all_combined, end_address, stored_vector })
    }

    /// The nodes that a stream loads, and which of the elements of its structures each is.
    fn loaded(&self, stream: usize) -> Vec<(NodeId, usize)> {
        let plan = self.plan;
        let element = |kind: Kind| match kind {
            Kind::Load(of) => match plan.streams.all[of].member {
                None => (of == stream).then_some(0),
                Some(member) => (member.leader == stream).then_some(member.element),
            },
            _ => None,
        };
        let nodes = plan.nodes.iter().enumerate().filter(|&(node, _)| plan.lanes[node].width > 0);
        nodes.filter_map(|(id, node)| Some((id, element(node.kind)?))).collect()
    }

    /// The lowest address of a stream's elements in an iteration of the vector loop.
    fn address(&self, function: &mut Function, block: Block, stream: usize, index: Value) -> Value {
        let size = self.plan.streams.all[stream].size();
        let mut cursor = at_end(function, block, self.location);
        let mut offset = index;
        let (shift, factor) = (i64::from(size.trailing_zeros()), size >> size.trailing_zeros());
        if factor == 3 {
            // A shift and an addition: in one instruction, where there is one for both.
            let one = iconst(&mut cursor, types::I64, 1);
            let twice = cursor.ins().ishl(index, one);
            offset = cursor.ins().iadd(index, twice);
        }
        if shift > 0 {
            let scale = iconst(&mut cursor, types::I64, shift);
            offset = cursor.ins().ishl(offset, scale);
        }
        cursor.ins().iadd(self.starts[stream], offset)
    }

    /// Bytes from that address to the lowest element, and of all elements of an iteration.
    fn extent(&self, stream: &Stream) -> (i64, i64) {
        let bytes = stream.size() * i64::from(self.plan.decision.lanes);
        (if self.plan.streams.is_up() { 0 } else { stream.size() - bytes }, bytes)
    }

    fn load(&self, builder: &mut LaneBuilder<'_>, stream: usize, index: Value) -> Option<Vec<Value>> {
        let found = self.plan.streams.all[stream];
        let (start, bytes) = self.extent(&found);
        let block = builder.body;
        let address = self.address(builder.function, block, stream, index);
        let ty = vector(found.lane)?;
        let mut cursor = builder.at_body();
        if bytes < 16 {
            let half = cursor.ins().load(types::F64, MemFlagsData::new(), address, start as i32);
            let half = cursor.ins().scalar_to_vector(types::F64X2, half);
            return Some(vec![bitcast(&mut cursor, ty, half)]);
        }
        let places = (start..start + bytes).step_by(16);
        Some(places.map(|at| cursor.ins().load(ty, MemFlagsData::new(), address, at as i32)).collect())
    }

    fn store(&self, builder: &mut LaneBuilder<'_>, stream: usize, index: Value, vectors: &[Value]) -> Option<()> {
        let found = self.plan.streams.all[stream];
        let (start, bytes) = self.extent(&found);
        let block = builder.body;
        let address = self.address(builder.function, block, stream, index);
        let mut cursor = builder.at_body();
        if bytes < 16 {
            let whole = bitcast(&mut cursor, types::F64X2, *vectors.first()?);
            let half = cursor.ins().extractlane(whole, 0);
            cursor.ins().store(MemFlagsData::new(), half, address, start as i32);
            return Some(());
        }
        for (&vector, at) in vectors.iter().zip((start..start + bytes).step_by(16)) {
            cursor.ins().store(MemFlagsData::new(), vector, address, at as i32);
        }
        Some(())
    }

    /// The vectors that a reduction combines, and whether they are subtracted.
    fn terms(
        &self,
        builder: &mut LaneBuilder<'_>,
        reduction: &Reduction,
        terms: &[NodeId],
    ) -> Option<(Vec<Value>, Vec<bool>)> {
        let (mut vectors, mut signs) = (Vec::new(), Vec::new());
        let first = reduction.terms.first()?.1;
        for (&term, &(_, is_negative)) in terms.iter().zip(&reduction.terms) {
            let found = match reduction.combine {
                Combine::Bits(Opcode::Iadd) => self.added(builder, term, reduction.bits)?,
                _ => builder.at(term, reduction.bits)?,
            };
            signs.extend(vec![is_negative != first; found.len()]);
            vectors.extend(found);
        }
        Some((vectors, signs))
    }

    /// Vectors whose lanes add up to those of a term: the order does not matter, so that neighbours are added where lanes get
    /// wider.
    fn added(&self, builder: &mut LaneBuilder<'_>, term: NodeId, bits: u32) -> Option<Vec<Value>> {
        let plan = self.plan;
        let own = plan.lanes[term].width;
        // Uniform terms, and what fills less than a vector.
        if own == 0 || own >= bits || plan.decision.lanes * own < 128 {
            if let Some(products) = self.pairs_of_products(builder, term, bits) {
                return Some(products);
            }
            return builder.at(term, bits);
        }
        if let Some(products) = self.pairs_of_products(builder, term, bits) {
            return Some(products);
        }
        let range = plan.nodes[term].range;
        let (mut vectors, mut width) = (builder.at(term, own)?, own);
        let mut is_signed = range.min < 0;
        let mut cursor = builder.at_body();
        while width < bits {
            vectors = vectors
                .into_iter()
                .map(|vector| {
                    let [low, high] = [false, true].map(|is_high| widen(&mut cursor, vector, is_signed, is_high));
                    // One instruction for signed words, on x86-64 too.
                    match is_signed && width == 16 {
                        true => cursor.ins().iadd_pairwise(low, high),
                        false => cursor.ins().iadd(low, high),
                    }
                })
                .collect();
            width *= 2;
            // Sums of two are far from what wider lanes hold.
            is_signed = true;
        }
        Some(vectors)
    }

    /// Products of numbers of 16 bits, added in pairs: one instruction.
    fn pairs_of_products(&self, builder: &mut LaneBuilder<'_>, term: NodeId, bits: u32) -> Option<Vec<Value>> {
        let plan = self.plan;
        let Kind::Binary(Opcode::Imul, factors) = plan.nodes[term].kind else { return None };
        let is_narrow =
            |factor: NodeId| plan.nodes[factor].range.fits_signed(16) && plan.lanes[factor].wanted >= 16;
        // Twice the least number of 16 bits, squared, has no sum of 32 bits.
        let range = plan.nodes[term].range;
        let is_narrow_pair = bits == 32 || range.plus(range).fits_signed(32);
        if !factors.into_iter().all(is_narrow) || bits < 32 || !is_narrow_pair || plan.decision.lanes < 8 {
            return None;
        }
        let [one, other] = [builder.at(factors[0], 16)?, builder.at(factors[1], 16)?];
        let mut cursor = builder.at_body();
        let sums: Vec<Value> = one
            .into_iter()
            .zip(other)
            .map(|pair| {
                let pair = [pair.0, pair.1];
                let low = pair.map(|vector| cursor.ins().swiden_low(vector));
                let high = pair.map(|vector| cursor.ins().swiden_high(vector));
                let low = cursor.ins().imul(low[0], low[1]);
                let high = cursor.ins().imul(high[0], high[1]);
                cursor.ins().iadd_pairwise(low, high)
            })
            .collect();
        if bits == 32 {
            return Some(sums);
        }
        let is_signed = range.min < 0;
        let wide = sums.into_iter().map(|vector| {
            let [low, high] = [false, true].map(|is_high| widen(&mut cursor, vector, is_signed, is_high));
            cursor.ins().iadd(low, high)
        });
        Some(wide.collect())
    }
}
