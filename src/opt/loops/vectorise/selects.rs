//! What a loop chooses by comparison, as nodes.
//!
//! In: a condition, and two values. Out: the node of what is chosen of them.
//!
//! | what is chosen | is |
//! |---|---|
//! | `x` if `x < c`, without sign, else a clamp of `x` that is `x` too where `x < c` | the clamp |
//! | of 64-bit numbers: zero-extended ones of 32 bits, constants, what is chosen of these | the same of their low halves, extended |
//! | what is compared | the lesser or the greater |
//! | anything else | a select |

use cranelift_codegen::ir::condcodes::{CondCode, IntCC};
use cranelift_codegen::ir::{DataFlowGraph, InstructionData, Opcode, Value, ValueDef, types};

use super::nodes::{Compare, Kind, NodeId, Nodes};
use super::range::{self, Range};
use crate::opt::ir::operands::{constant, unary_operand};
use crate::opt::loops::induction;
use crate::opt::loops::trip_count::is_signed;

/// How many selects, each an operand of the one before, are looked through.
const MAX_SELECTS: usize = 4;

impl Nodes<'_> {
    /// A number of so many bits that is chosen of two.
    pub(super) fn select(&mut self, condition: Value, values: [Value; 2], bits: u32) -> Option<NodeId> {
        if self.function.dfg.value_type(values[0]).is_float() {
            return None;
        }
        if let Some(other) = self.other_in_any_case(condition, values) {
            return self.of(other);
        }
        // Of two numbers that are zero-extended, the one that is chosen is.
        if bits == 64
            && let Some(chosen) = self.narrow_select(condition, values, MAX_SELECTS)
        {
            return self.low(chosen, range::extended(self.all[chosen].range, 32, false), bits);
        }
        let values = [self.of(values[0])?, self.of(values[1])?];
        self.select_of(condition, values, bits)
    }

    /// What is chosen where it is not `x < c` by unsigned numbers, if it is `x` too where it is: bounds that are checked again.
    fn other_in_any_case(&self, condition: Value, [mut below, mut other]: [Value; 2]) -> Option<Value> {
        let dfg = &self.function.dfg;
        let (mut code, number, border) = comparison(dfg, condition)?;
        if matches!(code, IntCC::UnsignedGreaterThan | IntCC::UnsignedGreaterThanOrEqual) {
            (code, below, other) = (code.complement(), other, below);
        }
        let most = match code {
            IntCC::UnsignedLessThan => border.checked_sub(1)?,
            IntCC::UnsignedLessThanOrEqual => border,
            _ => return None,
        };
        let is_number = |value: Value| {
            dfg.resolve_aliases(value) == number || unary_operand(dfg, value, Opcode::Uextend) == Some(number)
        };
        let most = i128::from(i32::try_from(most).ok().filter(|_| is_number(below))?);
        let mut chosen = other;
        for _ in 0..MAX_SELECTS {
            if is_number(chosen) {
                return Some(other);
            }
            let [condition, one, another] = select_operands(dfg, chosen)?;
            let (code, compared, border) = comparison(dfg, condition)?;
            let border = match is_signed(code) {
                true => i128::from(induction::wrapped(border as i64, dfg.value_type(compared))),
                false => i128::from(border),
            };
            let holds = |number: i128| match code.unsigned() {
                IntCC::UnsignedLessThan => Some(number < border),
                IntCC::UnsignedLessThanOrEqual => Some(number <= border),
                IntCC::UnsignedGreaterThan => Some(number > border),
                IntCC::UnsignedGreaterThanOrEqual => Some(number >= border),
                _ => None,
            };
            chosen = match (holds(0)?, holds(most)?) {
                _ if compared != number => return None,
                (true, true) => one,
                (false, false) => another,
                _ => return None,
            };
        }
        None
    }

    /// The low half of a number that is chosen of two, of which each is zero-extended from it, or a constant, or is chosen so.
    fn narrow_select(&mut self, condition: Value, values: [Value; 2], depth: usize) -> Option<NodeId> {
        let dfg = &self.function.dfg;
        if values.iter().all(|&value| constant(dfg, value).is_some()) {
            return None;
        }
        let values = [self.narrow(values[0], depth)?, self.narrow(values[1], depth)?];
        self.select_of(condition, values, 32)
    }

    /// The low half of such a number.
    fn narrow(&mut self, value: Value, depth: usize) -> Option<NodeId> {
        let dfg = &self.function.dfg;
        if let Some(low) = unary_operand(dfg, value, Opcode::Uextend) {
            return if dfg.value_type(low) == types::I32 { self.of(low) } else { None };
        }
        if let Some(number) = constant(dfg, value) {
            return if number <= i32::MAX as u64 { self.of(value) } else { None };
        }
        let [condition, one, other] = select_operands(dfg, value)?;
        self.narrow_select(condition, [one, other], depth.checked_sub(1)?)
    }

    /// A select of two nodes.
    fn select_of(&mut self, condition: Value, values: [NodeId; 2], bits: u32) -> Option<NodeId> {
        let (code, mut compare) = self.compare(condition)?;
        self.see_clamped(code, &mut compare, values);
        self.move_border(code, &mut compare, values);
        let [one, other] = values.map(|value| self.all[value].range);
        let is_less = matches!(code.unsigned(), IntCC::UnsignedLessThan | IntCC::UnsignedLessThanOrEqual);
        let is_order = !matches!(code, IntCC::Equal | IntCC::NotEqual);
        // If the compared numbers are equal, both are the result.
        if is_order
            && compare.is_exact
            && (values == compare.operands || values == [compare.operands[1], compare.operands[0]])
        {
            let is_max = is_less != (values == compare.operands);
            let compare = self.saturated(is_max, compare, one.extreme(other, is_max))?;
            let [one, other] = compare.operands.map(|operand| self.all[operand].range);
            return self.add(Kind::Extreme { is_max, compare }, bits, one.extreme(other, is_max));
        }
        self.add(Kind::Select { code, compare, values }, bits, one.or(other).wrapped(bits))
    }

    /// A condition as a comparison of two nodes.
    fn compare(&mut self, condition: Value) -> Option<(IntCC, Compare)> {
        let dfg = &self.function.dfg;
        let ValueDef::Result(inst, _) = dfg.value_def(condition) else { return None };
        let InstructionData::IntCompare { cond, args, .. } = dfg.insts[inst] else { return None };
        let bits = dfg.value_type(args[0]).bits();
        let operands = [self.of(args[0])?, self.of(args[1])?];
        let is_exact = exact(cond, operands.map(|operand| self.all[operand].range), bits);
        Some((cond, Compare { operands, bits, is_signed: is_signed(cond), is_exact }))
    }
}

/// A comparison of a number with a constant.
fn comparison(dfg: &DataFlowGraph, condition: Value) -> Option<(IntCC, Value, u64)> {
    let ValueDef::Result(inst, _) = dfg.value_def(condition) else { return None };
    let InstructionData::IntCompare { cond, args: [number, border], .. } = dfg.insts[inst] else { return None };
    Some((cond, dfg.resolve_aliases(number), constant(dfg, border)?))
}

/// The condition of a select, and what it chooses.
fn select_operands(dfg: &DataFlowGraph, value: Value) -> Option<[Value; 3]> {
    let ValueDef::Result(inst, _) = dfg.value_def(value) else { return None };
    match dfg.insts[inst] {
        InstructionData::Ternary { opcode: Opcode::Select, args } => Some(args),
        _ => None,
    }
}

/// Whether a comparison of values of so many bits is one of the integers of their ranges.
pub(super) fn exact(code: IntCC, ranges: [Range; 2], bits: u32) -> bool {
    let all_signed = ranges.iter().all(|range| range.fits_signed(bits));
    let all_unsigned = ranges.iter().all(|range| range.fits_unsigned(bits));
    match code {
        IntCC::Equal | IntCC::NotEqual => all_signed || all_unsigned,
        code if is_signed(code) => all_signed,
        _ => all_unsigned,
    }
}
