//! The sums of a function, and when their terms are there.
//!
//! In: a function, in lines ([`Lines`]). Out: for an addition, the [`Sum`] that it ends. The rule: an addition is part of
//! a sum if its result is a term of one other addition in the same line, and nothing else.

use std::collections::{HashMap, HashSet};

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::{EntitySet, SecondaryMap};
use cranelift_codegen::ir::{
    DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, ValueDef, types,
};

use super::straight_line::Lines;
use super::tree_height::{Order, Sum, Term};
use crate::opt::ir::memory_accesses::{self, each_operand, of_values, operand};
use crate::opt::loops::is_pure;
use crate::opt::memory::byte_provenance::constant;

/// All additions, in the order of the layout.
pub(crate) fn additions(function: &Function) -> Vec<Inst> {
    let insts = function.layout.blocks().flat_map(|block| function.layout.block_insts(block));
    insts.filter(|&inst| addition(&function.dfg, inst).is_some()).collect()
}

/// The operands of a sum: `+` or `^` of two words, neither of which is constant.
pub(crate) fn addition(dfg: &DataFlowGraph, inst: Inst) -> Option<(Opcode, Type, [Value; 2])> {
    let InstructionData::Binary { opcode: opcode @ (Opcode::Iadd | Opcode::Bxor), args } = dfg.insts[inst] else {
        return None;
    };
    let ty = dfg.value_type(args[0]);
    let is_word = matches!(ty, types::I32 | types::I64);
    (is_word && args.iter().all(|&arg| constant(dfg, arg).is_none())).then_some((opcode, ty, args))
}

/// What a value is a copy of: the low half of a word that was made from it.
fn core(dfg: &DataFlowGraph, value: Value) -> Value {
    let value = dfg.resolve_aliases(value);
    let inside = operand(dfg, value, Opcode::Ireduce).and_then(|word| operand(dfg, word, Opcode::Uextend));
    inside.filter(|&inside| dfg.value_type(inside) == dfg.value_type(value)).unwrap_or(value)
}

/// What a word is extended from, or the word.
fn extended(dfg: &DataFlowGraph, value: Value) -> Value {
    let value = dfg.resolve_aliases(value);
    operand(dfg, value, Opcode::Uextend).unwrap_or(value)
}

/// The word that a value is the low half of, or the value.
fn reduced(dfg: &DataFlowGraph, value: Value) -> Value {
    operand(dfg, value, Opcode::Ireduce).unwrap_or(value)
}

/// The instruction that a value is a copy of the result of.
pub(crate) fn definition(dfg: &DataFlowGraph, value: Value) -> Option<Inst> {
    match dfg.value_def(core(dfg, value)) {
        ValueDef::Result(inst, 0) => Some(inst),
        _ => None,
    }
}

/// Whether anything is added to a sum.
pub(crate) fn has_sums(function: &Function, additions: &[Inst]) -> bool {
    let dfg = &function.dfg;
    additions.iter().filter_map(|&inst| addition(dfg, inst)).any(|(opcode, ty, args)| {
        args.into_iter()
            .filter_map(|arg| addition(dfg, definition(dfg, arg)?))
            .any(|inside| inside.0 == opcode && inside.1 == ty)
    })
}

/// How long an instruction takes, in cycles.
fn latency(opcode: Opcode) -> u32 {
    match opcode {
        Opcode::Uextend | Opcode::Ireduce | Opcode::Iconst => 0,
        Opcode::Imul | Opcode::Umulhi | Opcode::Smulhi => 3,
        Opcode::Udiv | Opcode::Sdiv | Opcode::Urem | Opcode::Srem => 20,
        _ if opcode.can_load() => 5,
        _ => 1,
    }
}

/// What sums are found by.
pub(crate) struct Finder {
    pub(crate) lines: Lines,
    /// How often each value is used.
    pub(crate) count: SecondaryMap<Value, u32>,
    /// Those that are addresses.
    addresses: EntitySet<Value>,
    /// The parameters that get a copy of a sum.
    passed_to: HashMap<Value, Vec<Value>>,
    /// The additions whose result is a term of one other in the same line, and nothing else.
    is_part: SecondaryMap<Inst, bool>,
    /// In which line values are computed, and when they are there: in cycles from its start.
    depths: SecondaryMap<Value, (u32, u32)>,
}

impl Finder {
    pub(crate) fn new(function: &Function, lines: Lines) -> Finder {
        let dfg = &function.dfg;
        let mut count: SecondaryMap<Value, u32> = of_values(dfg);
        let mut addresses = EntitySet::with_capacity(dfg.num_values());
        for block in function.layout.blocks() {
            for inst in function.layout.block_insts(block) {
                each_operand(dfg, inst, |value| count[dfg.resolve_aliases(value)] += 1);
                if let InstructionData::Load { arg: address, .. }
                | InstructionData::Store { args: [_, address], .. } = dfg.insts[inst]
                {
                    addresses.insert(dfg.resolve_aliases(address));
                }
            }
        }
        let (is_part, depths) = (SecondaryMap::new(), SecondaryMap::new());
        Finder { lines, count, addresses, passed_to: HashMap::new(), is_part, depths }
    }

    /// Whether an addition is the last one of a sum of three terms or more.
    pub(crate) fn is_end(&self, function: &Function, inst: Inst) -> bool {
        let Some((.., args)) = addition(&function.dfg, inst) else { return false };
        !self.is_part[inst]
            && !self.addresses.contains(function.dfg.first_result(inst))
            && args.into_iter().any(|arg| self.part(function, inst, arg).is_some())
    }

    /// Finds the parameters that get sums.
    pub(crate) fn find_rounds(&mut self, function: &Function, ends: &[Inst]) {
        let dfg = &function.dfg;
        let sums: HashSet<Value> = ends.iter().map(|&inst| dfg.first_result(inst)).collect();
        for last in function.layout.blocks().filter_map(|block| function.layout.last_inst(block)) {
            for call in dfg.insts[last].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
                if call.len(&dfg.value_lists) == 0 {
                    continue;
                }
                let to = call.block(&dfg.value_lists);
                for (&parameter, argument) in dfg.block_params(to).iter().zip(call.args(&dfg.value_lists)) {
                    let sum = argument.as_value().map(|value| extended(dfg, value));
                    if let Some(sum) = sum.filter(|sum| sums.contains(sum)) {
                        self.passed_to.entry(sum).or_default().push(parameter);
                    }
                }
            }
        }
    }

    /// The addition that a term of `outer` is, if it is nothing else.
    fn part(&self, function: &Function, outer: Inst, term: Value) -> Option<(Inst, [Value; 2])> {
        let dfg = &function.dfg;
        let (opcode, ty, _) = addition(dfg, outer)?;
        let inst = definition(dfg, term)?;
        let (inner, inner_ty, args) = addition(dfg, inst)?;
        let term = dfg.resolve_aliases(term);
        let once = |value| self.count[value] == 1;
        let copied = match dfg.value_def(term) {
            ValueDef::Result(copy, _) if copy != inst => {
                dfg.inst_args(copy).iter().all(|&word| once(dfg.resolve_aliases(word)))
            }
            _ => true,
        };
        let is_part = (inner, inner_ty) == (opcode, ty)
            && once(term)
            && once(dfg.first_result(inst))
            && copied
            && self.lines.of(function, inst) == self.lines.of(function, outer);
        is_part.then_some((inst, args))
    }

    pub(crate) fn mark_parts(&mut self, function: &Function, inst: Inst) {
        let Some((.., args)) = addition(&function.dfg, inst) else { return };
        for arg in args {
            if let Some((part, _)) = self.part(function, inst, arg) {
                self.is_part[part] = true;
            }
        }
    }

    /// The sum that an instruction ends.
    pub(crate) fn sum(&self, function: &Function, inst: Inst) -> Option<Sum> {
        let dfg = &function.dfg;
        let (_, _, args) = addition(dfg, inst)?;
        let result = dfg.first_result(inst);
        if self.is_part[inst] || self.addresses.contains(result) {
            return None;
        }
        let line = self.lines.of(function, inst)?;
        let passed_to = self.passed_to.get(&result).map_or(&[][..], Vec::as_slice);
        let mut sum = Sum::default();
        let mut pending = args.map(|arg| (inst, arg, 1)).to_vec();
        while let Some((outer, term, distance)) = pending.pop() {
            if let Some((part, args)) = self.part(function, outer, term) {
                pending.extend(args.map(|arg| (part, arg, distance + 1)));
                continue;
            }
            let (value, copy) = (core(dfg, term), dfg.resolve_aliases(term));
            let term = Term { depth: self.depth(line, value), value, copy };
            sum.depth = sum.depth.max(term.depth + distance);
            if passed_to.contains(&reduced(dfg, value)) {
                sum.wait = sum.wait.max(distance);
                sum.carried.push(term);
            } else {
                sum.terms.push(term);
            }
            if sum.terms.len() + sum.carried.len() > crate::opt::reassociate::TERMS {
                return None;
            }
        }
        // As the program has them.
        sum.terms.reverse();
        sum.carried.reverse();
        (sum.terms.len() > 1).then_some(sum)
    }

    /// Adds up in an order.
    pub(crate) fn rewrite(&mut self, function: &mut Function, inst: Inst, order: &Order) {
        let is_plus = function.dfg.insts[inst].opcode() == Opcode::Iadd;
        let location = function.srcloc(inst);
        let mut values = order.terms.clone();
        let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
        let mut last = order.terms.first().copied();
        for &(one, other) in &order.steps {
            let (one, other) = (values[one], values[other]);
            let sum = if is_plus { cursor.ins().iadd(one, other) } else { cursor.ins().bxor(one, other) };
            values.push(sum);
            last = Some(sum);
        }
        let Some(sum) = last else { return };
        for value in order.steps.iter().flat_map(|&(one, other)| [values[one], values[other]]) {
            self.count[value] += 1;
        }
        self.count[sum] = self.count[function.dfg.first_result(inst)];
        if let Some(line) = self.lines.of(function, inst) {
            self.depths[sum] = (line, order.depth);
        }
        let args = function.dfg.inst_args(inst).to_vec();
        memory_accesses::replace(function, inst, sum);
        self.drop_unused(function, args);
    }

    /// Takes out what the values that an instruction no longer uses were computed by, if nothing else uses it.
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

    /// Notes when the results of an instruction are there.
    pub(crate) fn measure(&mut self, function: &Function, inst: Inst) {
        let (dfg, Some(line)) = (&function.dfg, self.lines.of(function, inst)) else { return };
        let depths = dfg.inst_values(inst).map(|value| self.depth(line, dfg.resolve_aliases(value)));
        let depth = depths.max().unwrap_or_default().saturating_add(latency(dfg.insts[inst].opcode()));
        for &result in dfg.inst_results(inst) {
            self.depths[result] = (line, depth);
        }
    }

    /// When a value is there; what comes from elsewhere, at the start.
    fn depth(&self, line: u32, value: Value) -> u32 {
        let (home, depth) = self.depths[value];
        if home == line { depth } else { 0 }
    }
}
