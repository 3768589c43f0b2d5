//! The sums of a function, and when their terms are available.
//!
//! In: a function in straight-line chains ([`Chains`]). Out: for an addition, the [`Sum`] that it completes. The rule: an
//! addition is an inner node of a sum if its only use is as a term of one other addition in the same chain.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::{EntitySet, SecondaryMap};
use cranelift_codegen::ir::{
    DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, ValueDef, types,
};

use super::straight_line::Chains;
use super::tree_height::{AdditionOrder, Sum, Term};
use crate::opt::ir::effects::{is_pure, latency};
use crate::opt::ir::insts::insts;
use crate::opt::ir::memory_accesses;
use crate::opt::ir::operands::{constant, replace_inst, unary_operand, value_map};
use crate::opt::ir::uses::use_counts;
use crate::opt::ir::value_lists::ValueLists;

/// Sums of more terms are left alone.
const MAX_TERMS: usize = 64;

/// All additions, in the order of the layout.
pub(crate) fn additions(function: &Function) -> Vec<Inst> {
    insts(function).filter(|&inst| addition(&function.dfg, inst).is_some()).collect()
}

/// An instruction as a 32-bit or 64-bit `+` or `^`, neither of whose operands is constant.
pub(crate) fn addition(dfg: &DataFlowGraph, inst: Inst) -> Option<(Opcode, Type, [Value; 2])> {
    let InstructionData::Binary { opcode: opcode @ (Opcode::Iadd | Opcode::Bxor), args } = dfg.insts[inst] else {
        return None;
    };
    let ty = dfg.value_type(args[0]);
    let is_integer = matches!(ty, types::I32 | types::I64);
    (is_integer && args.iter().all(|&arg| constant(dfg, arg).is_none())).then_some((opcode, ty, args))
}

/// What a value is a zero-extended and reduced copy of.
fn uncopied(dfg: &DataFlowGraph, value: Value) -> Value {
    let value = dfg.resolve_aliases(value);
    let inside =
        unary_operand(dfg, value, Opcode::Ireduce).and_then(|wide| unary_operand(dfg, wide, Opcode::Uextend));
    inside.filter(|&inside| dfg.value_type(inside) == dfg.value_type(value)).unwrap_or(value)
}

/// What a value is zero-extended from, or the value.
fn unextended(dfg: &DataFlowGraph, value: Value) -> Value {
    let value = dfg.resolve_aliases(value);
    unary_operand(dfg, value, Opcode::Uextend).unwrap_or(value)
}

/// What a value is the low bits of, or the value.
fn unreduced(dfg: &DataFlowGraph, value: Value) -> Value {
    unary_operand(dfg, value, Opcode::Ireduce).unwrap_or(value)
}

/// The instruction that computes a value, looking through copies.
pub(crate) fn definition(dfg: &DataFlowGraph, value: Value) -> Option<Inst> {
    match dfg.value_def(uncopied(dfg, value)) {
        ValueDef::Result(inst, 0) => Some(inst),
        _ => None,
    }
}

/// Whether any addition has another one as a term.
pub(crate) fn has_sums(function: &Function, additions: &[Inst]) -> bool {
    let dfg = &function.dfg;
    additions.iter().filter_map(|&inst| addition(dfg, inst)).any(|(opcode, ty, args)| {
        args.into_iter()
            .filter_map(|arg| addition(dfg, definition(dfg, arg)?))
            .any(|inside| inside.0 == opcode && inside.1 == ty)
    })
}

/// What is known of a function to find its sums.
pub(crate) struct SumFinder {
    pub(crate) chains: Chains,
    /// How often each value is used.
    pub(crate) count: SecondaryMap<Value, u32>,
    /// The values that are addresses of accesses.
    addresses: EntitySet<Value>,
    /// The parameters that a sum, or a copy of it, is passed to.
    passed_to: ValueLists,
    /// The additions whose only use is as a term of another one in the same chain.
    is_inner: SecondaryMap<Inst, bool>,
    /// The chain in which a value is computed, and when it is available, in cycles from the start of the chain.
    depths: SecondaryMap<Value, (u32, u32)>,
}

impl SumFinder {
    /// Prepares to find the sums of a function.
    pub(crate) fn new(function: &Function, chains: Chains) -> SumFinder {
        let dfg = &function.dfg;
        let count = use_counts(function);
        let mut addresses = EntitySet::with_capacity(dfg.num_values());
        for inst in insts(function) {
            if let InstructionData::Load { arg: address, .. } | InstructionData::Store { args: [_, address], .. } =
                dfg.insts[inst]
            {
                addresses.insert(dfg.resolve_aliases(address));
            }
        }
        let (is_inner, depths) = (SecondaryMap::with_capacity(dfg.num_insts()), value_map(dfg));
        SumFinder { chains, count, addresses, passed_to: ValueLists::new(dfg), is_inner, depths }
    }

    /// Whether an addition completes a sum of three terms or more.
    pub(crate) fn is_root(&self, function: &Function, inst: Inst) -> bool {
        let Some((.., args)) = addition(&function.dfg, inst) else { return false };
        !self.is_inner[inst]
            && !self.addresses.contains(function.dfg.first_result(inst))
            && args.into_iter().any(|arg| self.inner(function, inst, arg).is_some())
    }

    /// Finds the parameters that sums are passed to.
    pub(crate) fn find_carried(&mut self, function: &Function, roots: &[Inst]) {
        let dfg = &function.dfg;
        let mut sums: EntitySet<Value> = EntitySet::with_capacity(dfg.num_values());
        sums.extend(roots.iter().map(|&inst| dfg.first_result(inst)));
        for last in function.layout.blocks().filter_map(|block| function.layout.last_inst(block)) {
            for call in dfg.insts[last].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
                if call.len(&dfg.value_lists) == 0 {
                    continue;
                }
                let to = call.block(&dfg.value_lists);
                for (&parameter, argument) in dfg.block_params(to).iter().zip(call.args(&dfg.value_lists)) {
                    let sum = argument.as_value().map(|value| unextended(dfg, value));
                    if let Some(sum) = sum.filter(|&sum| sums.contains(sum)) {
                        self.passed_to.add(sum, parameter);
                    }
                }
            }
        }
    }

    /// A term of `outer` as an inner addition of the same sum.
    fn inner(&self, function: &Function, outer: Inst, term: Value) -> Option<(Inst, [Value; 2])> {
        let dfg = &function.dfg;
        let (opcode, ty, _) = addition(dfg, outer)?;
        let inst = definition(dfg, term)?;
        let (opcode_inside, ty_inside, args) = addition(dfg, inst)?;
        let term = dfg.resolve_aliases(term);
        let once = |value| self.count[value] == 1;
        let is_sole_copy = match dfg.value_def(term) {
            ValueDef::Result(copy, _) if copy != inst => {
                dfg.inst_args(copy).iter().all(|&wide| once(dfg.resolve_aliases(wide)))
            }
            _ => true,
        };
        let is_inner = (opcode_inside, ty_inside) == (opcode, ty)
            && once(term)
            && once(dfg.first_result(inst))
            && is_sole_copy
            && self.chains.of(function, inst) == self.chains.of(function, outer);
        is_inner.then_some((inst, args))
    }

    /// Marks the terms of an addition that are inner additions.
    pub(crate) fn mark_inner(&mut self, function: &Function, inst: Inst) {
        let Some((.., args)) = addition(&function.dfg, inst) else { return };
        for arg in args {
            if let Some((inner, _)) = self.inner(function, inst, arg) {
                self.is_inner[inner] = true;
            }
        }
    }

    /// The sum that an instruction completes.
    pub(crate) fn sum(&self, function: &Function, inst: Inst) -> Option<Sum> {
        let dfg = &function.dfg;
        let (_, _, args) = addition(dfg, inst)?;
        let result = dfg.first_result(inst);
        if self.is_inner[inst] || self.addresses.contains(result) {
            return None;
        }
        let chain = self.chains.of(function, inst)?;
        let mut sum = Sum::default();
        let mut pending = args.map(|arg| (inst, arg, 1)).to_vec();
        while let Some((outer, term, distance)) = pending.pop() {
            if let Some((inner, args)) = self.inner(function, outer, term) {
                pending.extend(args.map(|arg| (inner, arg, distance + 1)));
                continue;
            }
            let (value, copy) = (uncopied(dfg, term), dfg.resolve_aliases(term));
            let term = Term { depth: self.depth(chain, value), value, copy };
            sum.depth = sum.depth.max(term.depth + distance);
            let low = unreduced(dfg, value);
            if self.passed_to.of(result).any(|parameter| parameter == low) {
                sum.carried_height = sum.carried_height.max(distance);
                sum.carried.push(term);
            } else {
                sum.terms.push(term);
            }
            if sum.terms.len() + sum.carried.len() > MAX_TERMS {
                return None;
            }
        }
        // In the order of the program.
        sum.terms.reverse();
        sum.carried.reverse();
        (sum.terms.len() > 1).then_some(sum)
    }

    /// Rewrites a sum to an order of additions.
    pub(crate) fn rewrite(&mut self, function: &mut Function, inst: Inst, order: &AdditionOrder) {
        let is_plus = function.dfg.insts[inst].opcode() == Opcode::Iadd;
        let location = function.srcloc(inst);
        let mut values = order.terms.clone();
        let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
        let mut last = order.terms.first().copied();
        for &(one, other) in &order.additions {
            let (one, other) = (values[one], values[other]);
            let sum = if is_plus { cursor.ins().iadd(one, other) } else { cursor.ins().bxor(one, other) };
            values.push(sum);
            last = Some(sum);
        }
        let Some(sum) = last else { return };
        for value in order.additions.iter().flat_map(|&(one, other)| [values[one], values[other]]) {
            self.count[value] += 1;
        }
        self.count[sum] = self.count[function.dfg.first_result(inst)];
        if let Some(chain) = self.chains.of(function, inst) {
            self.depths[sum] = (chain, order.depth);
        }
        let args = function.dfg.inst_args(inst).to_vec();
        replace_inst(function, inst, sum);
        self.drop_unused(function, args);
    }

    /// Removes what the operands of a removed instruction were computed by, if nothing else uses it.
    fn drop_unused(&mut self, function: &mut Function, mut values: Vec<Value>) {
        while let Some(value) = values.pop() {
            let value = function.dfg.resolve_aliases(value);
            self.count[value] = self.count[value].saturating_sub(1);
            let ValueDef::Result(inst, _) = function.dfg.value_def(value) else { continue };
            let is_plain = function.dfg.inst_results(inst).len() == 1
                && (memory_accesses::load(&function.dfg, inst).is_some() || is_pure(&function.dfg, inst));
            if self.count[value] == 0 && is_plain {
                values.extend_from_slice(function.dfg.inst_args(inst));
                function.layout.remove_inst(inst);
            }
        }
    }

    /// Notes when the results of an instruction are available.
    pub(crate) fn measure(&mut self, function: &Function, inst: Inst) {
        let (dfg, Some(chain)) = (&function.dfg, self.chains.of(function, inst)) else { return };
        let depths = dfg.inst_values(inst).map(|value| self.depth(chain, dfg.resolve_aliases(value)));
        let depth = depths.max().unwrap_or_default().saturating_add(latency(dfg.insts[inst].opcode()));
        for &result in dfg.inst_results(inst) {
            self.depths[result] = (chain, depth);
        }
    }

    /// When a value is available; one of another chain, from the start.
    fn depth(&self, chain: u32, value: Value) -> u32 {
        let (home, depth) = self.depths[value];
        if home == chain { depth } else { 0 }
    }
}
