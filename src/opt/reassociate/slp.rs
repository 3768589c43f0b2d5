//! SLP vectorisation of sums of products: products of adjacent 16-bit numbers are computed eight at a time.
//!
//! | terms of a 32-bit sum (`+`) | become |
//! |---|---|
//! | eight products of signed 16-bit loads, both factors at consecutive addresses | one product of two vectors, added in pairs |
//! | several such groups of eight | the sum of the vectors |
//! | the vector at the end | one term: the sum of its lanes |
//!
//! These are filters and dot products in fixed point, which clang unrolls for BPF and computes in vectors natively.
//!
//! Sound: between the loads of a vector there are only pure instructions and other plain loads, so no instruction could have
//! written those bytes or observed the difference; each is used by its product only, so each byte is still read, and read
//! once. The products of 16-bit numbers fit in 32 bits, and 32-bit sums are the same in any order, whatever overflows.
//!
//! Left alone are targets where unaligned accesses are slow, or that may have no vectors: all but x86-64 and aarch64.

use std::collections::BTreeMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{
    DataFlowGraph, Function, Inst, InstBuilder, InstructionData, MemFlagsData, Opcode, Value,
};
use cranelift_codegen::ir::{ValueDef, types};

use super::sums::{SumFinder, definition};
use super::tree_height::{Sum, Term};
use crate::opt::ir::effects::is_pure;
use crate::opt::ir::memory_accesses::{self, MemoryAccess, Root};
use crate::opt::ir::operands::unary_operand;

/// Products in a vector.
pub(crate) const LANES: usize = 8;

/// Bytes of a factor.
const FACTOR_BYTES: i64 = 2;

/// Cycles from the loads of a vector to the sum of its lanes.
const LATENCY: u32 = 16;

/// Where a load is.
#[derive(Clone, Copy)]
struct LoadPosition {
    /// The same for loads with nothing between them that may write.
    epoch: u32,
    /// In program order.
    position: u32,
}

/// The loads of a function, with their positions.
pub(crate) struct Loads(SecondaryMap<Inst, Option<LoadPosition>>);

/// A term that is the product of two 16-bit loads.
struct Product {
    /// Its index among the terms.
    term: usize,
    factors: [MemoryAccess; 2],
}

/// What products that can share a vector have in common: the roots of their factors, the distance between these, the epoch.
type ProductKey = ((u8, u32), (u8, u32), i64, u32);

impl Loads {
    /// Finds the loads of all chains.
    pub(crate) fn new(function: &Function, finder: &SumFinder) -> Loads {
        let (mut positions, mut epoch, mut position) =
            (SecondaryMap::with_capacity(function.dfg.num_insts()), 0, 0);
        let mut chain = None;
        for &block in &finder.chains.blocks {
            let home = finder.chains.of_block[block];
            if chain.replace(home) != Some(home) {
                epoch += 1;
            }
            for inst in function.layout.block_insts(block) {
                if function.dfg.insts[inst].opcode() == Opcode::Jump {
                    continue;
                }
                if memory_accesses::load(&function.dfg, inst).is_some() {
                    position += 1;
                    positions[inst] = Some(LoadPosition { epoch, position });
                } else if !is_pure(&function.dfg, inst) {
                    epoch += 1;
                }
            }
        }
        Loads(positions)
    }

    /// Replaces the products of a sum that go into vectors by one term, and says whether there are any.
    pub(crate) fn pack(&self, function: &mut Function, finder: &mut SumFinder, inst: Inst, sum: &mut Sum) -> bool {
        let runs = self.runs(function, finder, sum);
        let mut total = None;
        let mut depth = 0;
        let mut is_packed = vec![false; sum.terms.len()];
        for run in &runs {
            let Some(vectors) = self.load(function, finder, run) else { continue };
            let location = function.srcloc(inst);
            let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
            let low = vectors.map(|vector| cursor.ins().swiden_low(vector));
            let high = vectors.map(|vector| cursor.ins().swiden_high(vector));
            let low = cursor.ins().imul(low[0], low[1]);
            let high = cursor.ins().imul(high[0], high[1]);
            let products = cursor.ins().iadd_pairwise(low, high);
            total = Some(match total {
                Some(total) => cursor.ins().iadd(total, products),
                None => products,
            });
            for product in run {
                is_packed[product.term] = true;
                depth = depth.max(sum.terms[product.term].depth);
            }
        }
        let Some(total) = total else { return false };
        let location = function.srcloc(inst);
        let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
        let pairs = cursor.ins().iadd_pairwise(total, total);
        let whole = cursor.ins().iadd_pairwise(pairs, pairs);
        let value = cursor.ins().extractlane(whole, 0);
        let mut packed = is_packed.iter();
        sum.terms.retain(|_| packed.next() != Some(&true));
        sum.terms.push(Term { depth: depth + LATENCY, value, copy: value });
        true
    }

    /// The groups of eight products of a sum that go into a vector.
    fn runs(&self, function: &Function, finder: &SumFinder, sum: &Sum) -> Vec<Vec<Product>> {
        let mut groups: BTreeMap<ProductKey, Vec<Product>> = BTreeMap::new();
        for (index, term) in sum.terms.iter().enumerate() {
            if let Some((key, product)) = self.product(function, finder, index, term) {
                groups.entry(key).or_default().push(product);
            }
        }
        let mut runs = Vec::new();
        for mut group in groups.into_values() {
            group.sort_by_key(|product| product.factors[0].at);
            let mut run: Vec<Product> = Vec::new();
            for product in group {
                let at = product.factors[0].at;
                match run.last().map(|last| at.wrapping_sub(last.factors[0].at)) {
                    // A second product of the same factors stays a term.
                    Some(0) => continue,
                    Some(FACTOR_BYTES) | None => {}
                    Some(_) => run.clear(),
                }
                run.push(product);
                if run.len() == LANES {
                    runs.push(std::mem::take(&mut run));
                }
            }
        }
        runs
    }

    /// A term as the product of two loads that are used for nothing else.
    fn product(
        &self,
        function: &Function,
        finder: &SumFinder,
        index: usize,
        term: &Term,
    ) -> Option<(ProductKey, Product)> {
        let dfg = &function.dfg;
        let once = |value: Value| finder.count[value] == 1;
        let inst = definition(dfg, term.value)?;
        let InstructionData::Binary { opcode: Opcode::Imul, args } = dfg.insts[inst] else { return None };
        let is_sole = once(term.value) && (term.copy == term.value || is_sole_copy(dfg, term.copy, once));
        if dfg.value_type(term.value) != types::I32 || !is_sole {
            return None;
        }
        let args = args.map(|arg| dfg.resolve_aliases(arg));
        let uses = if args[0] == args[1] { 2 } else { 1 };
        let factor = |arg| factor(dfg, arg, |value| finder.count[value], uses);
        let mut factors = [factor(args[0])?, factor(args[1])?];
        factors.sort_by_key(|factor| (rank(factor.root), factor.at));
        let [one, other] = &factors;
        let epoch = self.0[one.inst]?.epoch;
        if self.0[other.inst]?.epoch != epoch {
            return None;
        }
        let key = (rank(one.root), rank(other.root), other.at.wrapping_sub(one.at), epoch);
        Some((key, Product { term: index, factors }))
    }

    /// Loads both vectors of a group, each where the first of its lanes was loaded.
    fn load(&self, function: &mut Function, finder: &mut SumFinder, run: &[Product]) -> Option<[Value; 2]> {
        let is_square = run.first()?.factors[0].inst == run.first()?.factors[1].inst;
        let mut load = |side: usize| {
            let at = run.first()?.factors[side].at;
            let factors = run.iter().map(|product| &product.factors[side]);
            let first = factors.min_by_key(|factor| self.0[factor.inst].map(|load| load.position))?;
            let offset = first.offset_to(at)?;
            let location = function.srcloc(first.inst);
            let mut cursor = FuncCursor::new(function).at_inst(first.inst).with_srcloc(location);
            finder.count[first.address] += 1;
            Some(cursor.ins().load(types::I16X8, MemFlagsData::new(), first.address, offset))
        };
        let one = load(0)?;
        let other = if is_square { one } else { load(1)? };
        Some([one, other])
    }
}

/// Orders roots.
fn rank(root: Root) -> (u8, u32) {
    match root {
        Root::Value(value) => (0, value.as_u32()),
        Root::Slot(slot) => (1, slot.as_u32()),
    }
}

/// Whether a term is the only use of a copy, and the copy of what it was made from.
fn is_sole_copy(dfg: &DataFlowGraph, copy: Value, once: impl Fn(Value) -> bool) -> bool {
    once(copy) && unary_operand(dfg, copy, Opcode::Ireduce).is_some_and(once)
}

/// A value as the load of a signed 16-bit number, if it has exactly `uses` uses, and what it is converted from has one.
fn factor(dfg: &DataFlowGraph, value: Value, count: impl Fn(Value) -> u32, uses: u32) -> Option<MemoryAccess> {
    let mut value = value;
    let mut expected = uses;
    loop {
        let ValueDef::Result(inst, _) = dfg.value_def(value) else { return None };
        if count(value) != expected {
            return None;
        }
        expected = 1;
        match dfg.insts[inst] {
            InstructionData::Unary { opcode: Opcode::Ireduce, arg } if dfg.value_type(value) == types::I32 => {
                value = dfg.resolve_aliases(arg);
            }
            InstructionData::Load { opcode: Opcode::Sload16, .. } => return memory_accesses::load(dfg, inst),
            _ => return None,
        }
    }
}
