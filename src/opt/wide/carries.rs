//! Carries in the flags.
//!
//! | values of 64 bits | become |
//! |---|---|
//! | `s = a + b` and `h + c`, where `c` is the carry of `s` | the words of `(a, h) + (b, 0)` |
//! | `s` and `(h + g) + c`, where nothing else uses `h + g` | the words of `(a, h) + (b, g)` |
//! | the same with `-`, where `c` is the borrow of `a - b` | the words of such a difference |
//! | `c0 + c`, where both are carries | as the first, where `c0` is the high word of `(a0, 0) + (b0, 0)` |
//! | `c0 + c`, where both are borrows | `-h`, where `h` is the high word of `(a, h0) - (b, 0)`, and `h0` that of `(a0, 0) - (b0, 0)` |
//!
//! A pair is computed where `s` was, if `h` is known there, or else where `h + c` was, if nothing uses `s` before.
//!
//! In: a function. Out: the same with such sums. Sound: a sum of words has a carry if it is less than one of them, a difference a borrow
//! if the first is less than the second; the high word of a difference is less by the borrow, so that without a word it is `-c`.
//!
//! Measured, in executed instructions: mbedtls's `mpi_mul_hlp`, the row of a product of many words, 0.60 (with `products.rs`),
//! `mpi_add_abs` 0.83, `mpi_sub_abs` 0.90, `mpi_montmul` 0.95; all of its arithmetic of RSA and curves 0.79, or 1.24 of clang 22's native
//! code, where it was 1.56.
//!
//! Tried, and not kept: the other order of the operands, where both words of a product are written over last (`mpi_mul_hlp` 0.66).
//!
//! Each instruction is visited a few times.

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{
    DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Value, ValueDef, types,
};

use super::is_invariant;
use super::overflow::{Overflow, may_overflow, overflow};
use super::products::load_last;
use crate::opt::ir::analyses::ControlFlow;
use crate::opt::ir::insts::insts;
use crate::opt::ir::operands::{binary_operands, replace_inst, unary_operand};
use crate::opt::ir::uses::use_counts;
use crate::opt::pass::PassContext;

/// Pairs them.
pub(super) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let dfg = &function.dfg;
    if !insts(function).any(|inst| may_overflow(dfg, inst)) {
        return;
    }
    let counts = use_counts(function);
    let found: Vec<Inst> =
        insts(function).filter(|&inst| (0..2).any(|side| step(function, &counts, inst, side).is_some())).collect();
    if found.is_empty() {
        return;
    }
    let differences = differences(function);
    let flow = context.analyses.control_flow(function);
    let mut pairing = Pairing { function, counts, flow, differences, names: HashMap::new() };
    for inst in found {
        // What it was may have become part of another pair, and what was tried first may have made pairs too.
        let _ = (0..2).any(|side| {
            step(pairing.function, &pairing.counts, inst, side).and_then(|step| pairing.step(step)).is_some()
        });
    }
}

/// A word and a carry or a borrow.
struct Step {
    inst: Inst,
    /// The word.
    rest: Value,
    overflow: Overflow,
}

/// What an instruction is, if the operand of a side is a carry or a borrow.
fn step(function: &Function, counts: &SecondaryMap<Value, u32>, inst: Inst, side: usize) -> Option<Step> {
    let dfg = &function.dfg;
    let InstructionData::Binary { opcode, args } = dfg.insts[inst] else { return None };
    let (rest, added) = match (opcode, side) {
        (Opcode::Iadd, 0) => (args[1], args[0]),
        (Opcode::Iadd | Opcode::Isub, 1) => (args[0], args[1]),
        _ => return None,
    };
    function.layout.inst_block(inst)?;
    let overflow = overflow(dfg, counts, added).filter(|overflow| opcode == Opcode::Iadd || !overflow.is_carry)?;
    Some(Step { inst, rest: dfg.resolve_aliases(rest), overflow })
}

/// The first difference of each two words.
fn differences(function: &Function) -> HashMap<[Value; 2], Inst> {
    let dfg = &function.dfg;
    let mut found = HashMap::new();
    for inst in insts(function) {
        if let InstructionData::Binary { opcode: Opcode::Isub, args } = dfg.insts[inst] {
            found.entry(args.map(|value| dfg.resolve_aliases(value))).or_insert(inst);
        }
    }
    found
}

/// High words to which a carry is added.
enum High {
    /// None, which is 0.
    None,
    One(Value),
    /// The sum or difference of two.
    Two(Value, Value),
}

/// A function whose carries are paired with their sums.
struct Pairing<'f> {
    function: &'f mut Function,
    counts: SecondaryMap<Value, u32>,
    flow: ControlFlow<'f>,
    differences: HashMap<[Value; 2], Inst>,
    /// What values were when the differences were looked for.
    names: HashMap<Value, Value>,
}

impl Pairing<'_> {
    /// Makes a pair of a step and the sum or difference whose carry it adds, if it may.
    fn step(&mut self, step: Step) -> Option<()> {
        let Step { inst, rest, overflow: added } = step;
        let is_sum = self.function.dfg.insts[inst].opcode() == Opcode::Iadd;
        self.place(&added, inst, &High::None)?;
        let before = is_sum.then(|| overflow(&self.function.dfg, &self.counts, rest)).flatten();
        if let Some(before) = before.filter(|before| before.is_carry == added.is_carry) {
            self.alone(&before, inst);
        }
        let rest = self.function.dfg.resolve_aliases(rest);
        if is_sum == added.is_carry {
            let opcode = if is_sum { Opcode::Iadd } else { Opcode::Isub };
            // Both high words, of which the second may be none.
            let both = binary_operands(&self.function.dfg, rest, opcode).filter(|_| self.counts[rest] == 1);
            let high = both
                .map(|[high, other]| High::Two(high, other))
                .filter(|high| self.place(&added, inst, high).is_some());
            let high = self.pair(&added, inst, high.unwrap_or(High::One(rest)))?;
            self.replace(inst, high);
            return Some(());
        }
        // A sum of borrows, which the high words of differences are less by.
        let negated = unary_operand(&self.function.dfg, rest, Opcode::Ineg).filter(|_| self.counts[rest] == 1)?;
        let high = self.pair(&added, inst, High::One(negated))?;
        let negative = self.negative(high);
        self.replace(inst, negative);
        Some(())
    }

    /// Makes a pair of a carry or borrow, which only one instruction uses, and its sum or difference, without another high word.
    fn alone(&mut self, overflow: &Overflow, user: Inst) -> Option<()> {
        let high = self.pair(overflow, user, High::None)?;
        let number_or_negative = if overflow.is_carry { high } else { self.negative(high) };
        self.replace(overflow.number, number_or_negative);
        Some(())
    }

    /// The negative of the high word of a pair.
    fn negative(&mut self, high: Value) -> Value {
        let mut cursor = FuncCursor::new(self.function);
        if let Some(inst) = cursor.func.dfg.value_def(high).inst() {
            let location = cursor.func.srcloc(inst);
            cursor = cursor.after_inst(inst).with_srcloc(location);
        }
        cursor.ins().ineg(high)
    }

    /// Puts a value in place of an instruction.
    fn replace(&mut self, inst: Inst, value: Value) {
        let old = self.function.dfg.first_result(inst);
        self.counts[value] = self.counts[old];
        self.names.insert(value, old);
        replace_inst(self.function, inst, value);
    }

    /// The sum or difference whose carry it is, if the function has it.
    fn sum(&self, overflow: &Overflow) -> Option<Inst> {
        let name = |value: Value| self.names.get(&value).copied().unwrap_or(value);
        let sum = overflow.sum.or_else(|| self.differences.get(&overflow.operands.map(name)).copied());
        sum.filter(|&sum| self.function.layout.inst_block(sum).is_some())
    }

    /// Where a pair can be computed: at the sum, or where its carry is used if there is none.
    fn place(&self, overflow: &Overflow, user: Inst, high: &High) -> Option<Inst> {
        let layout = &self.function.layout;
        let around = |inst: Inst| layout.inst_block(inst).and_then(|block| self.flow.loops.innermost_loop(block));
        let at = self.sum(overflow).unwrap_or(user);
        let is_before =
            at == user || self.flow.dominators.dominates(at, user, layout) && around(at) == around(user);
        let is_reachable = layout.inst_block(user).is_some_and(|block| self.flow.dominators.is_reachable(block));
        let is_known = match *high {
            High::None => true,
            High::One(word) => self.is_known(word, at),
            High::Two(word, other) => self.is_known(word, at) && self.is_known(other, at),
        };
        (is_reachable && is_before && is_known).then_some(at)
    }

    /// Whether a value is computed before an instruction.
    fn is_known(&self, value: Value, at: Inst) -> bool {
        let (dominators, layout) = (self.flow.dominators, &self.function.layout);
        match self.function.dfg.value_def(value) {
            ValueDef::Result(from, _) => from != at && dominators.dominates(from, at, layout),
            ValueDef::Param(from, _) => {
                layout.inst_block(at).is_some_and(|block| dominators.block_dominates(from, block))
            }
            ValueDef::Union(..) => false,
        }
    }

    /// Computes a pair, in place of the sum if there is one; its high word, unless a loop does not change it.
    fn pair(&mut self, overflow: &Overflow, user: Inst, high: High) -> Option<Value> {
        let at = self.place(overflow, user, &high)?;
        let words = match high {
            High::None => vec![],
            High::One(word) => vec![word],
            High::Two(word, other) => vec![word, other],
        };
        let sum = self.sum(overflow);
        let Overflow { is_carry, mut operands, .. } = *overflow;
        if is_carry {
            operands = low_word_first(&self.function.dfg, operands, &words);
        }
        let all: Vec<Value> = operands.iter().chain(&words).copied().collect();
        let block = self.function.layout.inst_block(at)?;
        if is_invariant(self.function, self.flow.loops, block, &all) {
            return None;
        }
        let location = self.function.srcloc(at);
        let mut cursor = FuncCursor::new(self.function).at_inst(at).with_srcloc(location);
        let [left, right] = [0, 1].map(|side| match words.get(side) {
            Some(&word) => cursor.ins().iconcat(operands[side], word),
            None => cursor.ins().uextend(types::I128, operands[side]),
        });
        let result = if is_carry { cursor.ins().iadd(left, right) } else { cursor.ins().isub(left, right) };
        let (low, high) = cursor.ins().isplit(result);
        if let Some(sum) = sum {
            self.replace(sum, low);
        }
        Some(high)
    }
}

/// Two operands: first the word that belongs to the high one, if one of them does, and is written over with it.
fn low_word_first(dfg: &DataFlowGraph, operands: [Value; 2], high: &[Value]) -> [Value; 2] {
    let writer = |value: Value| dfg.value_def(value).inst();
    let [left, right] = load_last(dfg, operands);
    let belongs = high.first().is_some_and(|&high| writer(high).is_some() && writer(high) == writer(right));
    if belongs { [right, left] } else { [left, right] }
}
