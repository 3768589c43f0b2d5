//! Reductions: what a loop adds up, combines, or keeps the least or greatest of, from one iteration to the next.
//!
//! In: a parameter of a loop's header that is no induction variable. Out: its [`Reduction`], if its next value is
//!
//! | next value | terms |
//! |---|---|
//! | the parameter, plus or minus terms | added, or subtracted |
//! | the parameter `&`, `\|`, `^` terms | combined |
//! | the lesser, or the greater, of the parameter and a term | compared |
//!
//! with conversions between, and if nothing in the loop uses what is between the parameter and its next value. Integers only:
//! a sum of floats depends on the order.
//!
//! Sound: let `F(p, t)` be the next value. Then `F(F(p, t), u) = F(p, t op u)`: of sums and bits that is so modulo the width of
//! the operation, which no conversion between is narrower than; of extremes, if conversions only zero-extend low bits that hold
//! all of each term, and the comparison looks at no others. So what is combined of all terms takes the place of one (`F` itself
//! is cloned behind the vector loop), whatever the order of the terms.

use std::collections::HashSet;

use cranelift_codegen::ir::condcodes::CondCode;
use cranelift_codegen::ir::{Function, Inst, InstructionData, Opcode, Value, ValueDef};

use super::nodes::{NodeId, Nodes};
use super::range;
use crate::opt::ir::edges::argument;
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::ir::operands::constant;

/// How many instructions may be between a parameter and its next value.
const MAX_CHAIN: usize = 24;

/// What terms are combined by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Combine {
    /// `iadd`, `band`, `bor`, `bxor`.
    Bits(Opcode),
    /// The greater, or the lesser.
    Extreme { is_max: bool, is_signed: bool },
}

/// What a loop combines.
#[derive(Debug)]
pub(super) struct Reduction {
    /// The index of the header's parameter.
    pub(super) index: usize,
    pub(super) parameter: Value,
    /// Its next value.
    pub(super) next: Value,
    pub(super) combine: Combine,
    /// Bits of the operation.
    pub(super) bits: u32,
    /// The terms, and whether each has another sign than the first.
    pub(super) terms: Vec<(Value, bool)>,
    /// The fewest low bits that the chain leaves of a term.
    narrowest: u32,
    /// From the terms and the parameter to the next value, operands first.
    pub(super) chain: Vec<Inst>,
}

/// Follows the next value of a parameter back to it.
struct Tracer<'a> {
    function: &'a Function,
    inner: &'a Loop,
    parameter: Value,
    combine: Option<Combine>,
    bits: u32,
    /// The fewest bits that a conversion leaves.
    narrowest: u32,
    terms: Vec<(Value, bool)>,
    chain: Vec<Inst>,
    visited: usize,
}

impl Reduction {
    /// The reduction of a header's parameter.
    pub(super) fn find(function: &Function, inner: &Loop, index: usize) -> Option<Reduction> {
        let parameter = function.dfg.block_params(inner.header())[index];
        let next = argument(function, inner.latch, inner.header(), index)?;
        let mut tracer = Tracer {
            function,
            inner,
            parameter,
            combine: None,
            bits: 0,
            narrowest: 64,
            terms: Vec::new(),
            chain: Vec::new(),
            visited: 0,
        };
        tracer.trace(next, false)?;
        let combine = tracer.combine?;
        if matches!(combine, Combine::Bits(_)) && tracer.narrowest < tracer.bits {
            return None;
        }
        let Tracer { bits, narrowest, terms, chain, .. } = tracer;
        let found = Reduction { index, parameter, next, combine, bits, terms, narrowest, chain };
        found.is_private(function, inner).then_some(found)
    }

    /// Whether only the chain itself, and the back edge, use what is between the parameter and its next value.
    fn is_private(&self, function: &Function, inner: &Loop) -> bool {
        let dfg = &function.dfg;
        let mut between: HashSet<Value> = HashSet::from([self.parameter]);
        for &inst in &self.chain {
            if dfg.inst_values(inst).any(|value| between.contains(&value)) {
                between.extend(dfg.inst_results(inst));
            }
        }
        if self.terms.iter().any(|(term, _)| between.contains(term)) {
            return false;
        }
        let others = inner.blocks.iter().flat_map(|&block| function.layout.block_insts(block));
        others.filter(|inst| !self.chain.contains(inst)).all(|inst| {
            // The arguments of a branch are not looked at: they lead out, or to the header.
            let is_branch = dfg.insts[inst].opcode().is_terminator();
            let used = dfg.inst_args(inst).iter().any(|value| between.contains(value));
            let passed =
                !is_branch || inst == inner.latch || !dfg.inst_values(inst).any(|value| between.contains(&value));
            !used && passed
        }) && self.is_passed_once(function, inner, &between)
    }

    /// Whether the back edge passes none of these values to another parameter.
    fn is_passed_once(&self, function: &Function, inner: &Loop, between: &HashSet<Value>) -> bool {
        let header = inner.header();
        (0..function.dfg.num_block_params(header)).filter(|&index| index != self.index).all(|index| {
            argument(function, inner.latch, header, index).is_some_and(|value| !between.contains(&value))
        })
    }

    /// Terms as nodes. Out: none if they have none, or if an extreme does not hold all of a term.
    pub(super) fn nodes(&mut self, nodes: &mut Nodes<'_>) -> Option<Vec<NodeId>> {
        let terms = self.terms.iter().map(|&(term, _)| nodes.of(term)).collect::<Option<Vec<NodeId>>>()?;
        if let Combine::Extreme { is_signed, .. } = &mut self.combine {
            let &[term] = &terms[..] else { return None };
            let range = nodes.all[term].range;
            if !range.fits_unsigned(self.narrowest) {
                return None;
            }
            // Terms that are compared as the integers that they are can be so in as few bits as they need.
            if if *is_signed { range.fits_signed(self.bits) } else { range.fits_unsigned(self.bits) } {
                self.bits = [8, 16, 32, 64].into_iter().find(|&bits| range.fits_unsigned(bits))?;
                *is_signed = false;
            }
        }
        Some(terms)
    }
}

impl Tracer<'_> {
    /// Adds the chain that leads to a value, if there is one from the parameter.
    fn trace(&mut self, value: Value, negative: bool) -> Option<()> {
        if value == self.parameter {
            return Some(());
        }
        self.visited += 1;
        if self.visited > MAX_CHAIN {
            return None;
        }
        let dfg = &self.function.dfg;
        let ValueDef::Result(inst, _) = dfg.value_def(value) else { return None };
        if !self.is_inside(inst) {
            return None;
        }
        let bits = dfg.value_type(value).bits();
        match dfg.insts[inst] {
            InstructionData::Unary { opcode: Opcode::Uextend, arg } => self.trace(arg, negative)?,
            InstructionData::Unary { opcode: Opcode::Ireduce, arg } => {
                self.narrowest = self.narrowest.min(bits);
                self.trace(arg, negative)?;
            }
            InstructionData::Binary { opcode: Opcode::Iadd | Opcode::Isub, args } => {
                self.operation(Combine::Bits(Opcode::Iadd), bits)?;
                let is_difference = dfg.insts[inst].opcode() == Opcode::Isub;
                self.either(args, negative, is_difference)?;
            }
            InstructionData::Binary { opcode: Opcode::Band, args } if self.mask(args).is_some() => {
                self.narrowest = self.narrowest.min(self.mask(args)?);
                self.trace(args[0], negative)?;
            }
            InstructionData::Binary { opcode: opcode @ (Opcode::Band | Opcode::Bor | Opcode::Bxor), args } => {
                self.operation(Combine::Bits(opcode), bits)?;
                self.either(args, negative, false)?;
            }
            InstructionData::Ternary { opcode: Opcode::Select, .. } if self.combine.is_none() => {
                return self.extreme(inst);
            }
            _ => return None,
        }
        self.chain.push(inst);
        Some(())
    }

    fn is_inside(&self, inst: Inst) -> bool {
        self.function.layout.inst_block(inst).is_some_and(|block| self.inner.is_always(block))
    }

    fn mask(&self, args: [Value; 2]) -> Option<u32> {
        range::low_bits(constant(&self.function.dfg, args[1])?)
    }

    /// One more operation, the same as those before.
    fn operation(&mut self, combine: Combine, bits: u32) -> Option<()> {
        let is_same = self.combine.is_none_or(|known| known == combine && self.bits == bits);
        (self.combine, self.bits) = (Some(combine), bits);
        is_same.then_some(())
    }

    /// Follows one operand; the other one is a term.
    fn either(&mut self, args: [Value; 2], negative: bool, is_difference: bool) -> Option<()> {
        let (terms, chain) = (self.terms.len(), self.chain.len());
        let sides = if is_difference { &[0][..] } else { &[0, 1][..] };
        for &side in sides {
            let known = (self.combine, self.bits, self.narrowest);
            if self.trace(args[side], negative).is_some() {
                let term = args[1 - side];
                self.terms.push((term, is_difference));
                return Some(());
            }
            self.terms.truncate(terms);
            self.chain.truncate(chain);
            (self.combine, self.bits, self.narrowest) = known;
        }
        None
    }

    /// The lesser or the greater of the parameter and a term.
    fn extreme(&mut self, select: Inst) -> Option<()> {
        let dfg = &self.function.dfg;
        let InstructionData::Ternary { args: [condition, one, other], .. } = dfg.insts[select] else { return None };
        let ValueDef::Result(compare, _) = dfg.value_def(condition) else { return None };
        let InstructionData::IntCompare { cond, args, .. } = dfg.insts[compare] else { return None };
        let outside = self.narrowest;
        let (selected, term, is_first) = match (self.copies(one), self.copies(other)) {
            (None, Some((kept, bits))) => ((kept, bits), one, false),
            (Some((kept, bits)), None) => ((kept, bits), other, true),
            _ => return None,
        };
        let compared = match (self.copies(args[0]), self.copies(args[1])) {
            (None, Some(copies)) => (copies, args[0], true),
            (Some(copies), None) => (copies, args[1], false),
            _ => return None,
        };
        let ((compared_chain, compared_bits), against, is_right) = compared;
        let ty = dfg.value_type(against).bits();
        // What is compared is the term, or low bits of it.
        let (term_chain, _) = self.copies_of(against, term)?;
        let kept_bits = selected.1.min(outside);
        let seen = compared_bits.min(ty);
        // `term cond parameter` in place of `parameter cond term`.
        let cond = if is_right { cond } else { cond.swap_args() };
        // The term where the condition holds.
        let cond = if is_first { cond.complement() } else { cond };
        use cranelift_codegen::ir::condcodes::IntCC::*;
        let is_max = match cond {
            UnsignedLessThan | UnsignedLessThanOrEqual | SignedLessThan | SignedLessThanOrEqual => false,
            UnsignedGreaterThan | UnsignedGreaterThanOrEqual | SignedGreaterThan | SignedGreaterThanOrEqual => true,
            _ => return None,
        };
        if seen > kept_bits {
            return None;
        }
        self.combine = Some(Combine::Extreme { is_max, is_signed: cond != cond.unsigned() });
        self.bits = ty;
        self.narrowest = kept_bits.min(seen);
        self.terms.push((term, false));
        self.chain.extend(selected.0);
        let known: Vec<Inst> = self.chain.clone();
        self.chain.extend(compared_chain.into_iter().chain(term_chain).filter(|inst| !known.contains(inst)));
        self.chain.extend([compare, select]);
        let mut seen_insts = HashSet::new();
        self.chain.retain(|inst| seen_insts.insert(*inst));
        Some(())
    }

    /// The conversions that lead from the parameter to a value, operands first, and how many low bits they leave.
    fn copies(&self, value: Value) -> Option<(Vec<Inst>, u32)> {
        self.copies_of(value, self.parameter)
    }

    fn copies_of(&self, value: Value, from: Value) -> Option<(Vec<Inst>, u32)> {
        let dfg = &self.function.dfg;
        let (mut value, mut bits, mut chain) = (value, 64, Vec::new());
        while value != from {
            let ValueDef::Result(inst, _) = dfg.value_def(value) else { return None };
            if chain.len() >= MAX_CHAIN || !self.is_inside(inst) {
                return None;
            }
            match dfg.insts[inst] {
                InstructionData::Unary { opcode: Opcode::Uextend, arg } => value = arg,
                InstructionData::Unary { opcode: Opcode::Ireduce, arg } => {
                    bits = bits.min(dfg.value_type(value).bits());
                    value = arg;
                }
                InstructionData::Binary { opcode: Opcode::Band, args } => {
                    bits = bits.min(self.mask(args)?);
                    value = args[0];
                }
                _ => return None,
            }
            chain.push(inst);
        }
        chain.reverse();
        Some((chain, bits))
    }
}
