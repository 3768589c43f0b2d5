//! Carries and borrows, as BPF computes them.
//!
//! | value of 64 bits, used once | is |
//! |---|---|
//! | `uextend (s <u a)` or `select (s <u a), 1, 0`, for `s = a + b` | the carry of that sum |
//! | the same of `a <u b` | the borrow of the difference `a - b` |
//!
//! In: a value. Out: which it is. Comparisons may be the other way around, and selects too. A comparison with a constant is left
//! alone: that is what most conditions are.

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::condcodes::{CondCode, IntCC};
use cranelift_codegen::ir::{DataFlowGraph, Inst, InstructionData, Opcode, Value, types};

use crate::opt::ir::operands::{binary_operands, constant};

/// How many conversions and selects lie between a comparison and the number that it becomes.
const MAX_DEPTH: usize = 3;

/// A carry or a borrow.
pub(super) struct Overflow {
    /// Whether it is that of a sum; of a difference otherwise.
    pub(super) is_carry: bool,
    /// What is added up, or subtracted.
    pub(super) operands: [Value; 2],
    /// The sum, if it is one.
    pub(super) sum: Option<Inst>,
    /// What makes a number of the comparison.
    pub(super) number: Inst,
}

/// Whether an instruction is a comparison that may be one: of two words of which none is a constant.
pub(super) fn may_overflow(dfg: &DataFlowGraph, inst: Inst) -> bool {
    let InstructionData::IntCompare { cond, args, .. } = dfg.insts[inst] else { return false };
    let is_order = matches!(
        cond,
        IntCC::UnsignedLessThan
            | IntCC::UnsignedGreaterThan
            | IntCC::UnsignedLessThanOrEqual
            | IntCC::UnsignedGreaterThanOrEqual
    );
    is_order && dfg.value_type(args[0]) == types::I64 && args.iter().all(|&value| constant(dfg, value).is_none())
}

/// The carry or borrow that a value is.
pub(super) fn overflow(dfg: &DataFlowGraph, counts: &SecondaryMap<Value, u32>, value: Value) -> Option<Overflow> {
    if dfg.value_type(value) != types::I64 {
        return None;
    }
    let number = dfg.value_def(value).inst()?;
    let (mut value, mut is_inverted) = (value, false);
    for _ in 0..=MAX_DEPTH {
        value = dfg.resolve_aliases(value);
        let inst = dfg.value_def(value).inst()?;
        if counts[value] != 1 {
            return None;
        }
        match dfg.insts[inst] {
            InstructionData::Unary { opcode: Opcode::Uextend, arg } => value = arg,
            InstructionData::Ternary { opcode: Opcode::Select, args: [condition, chosen, other] } => {
                match (constant(dfg, chosen)?, constant(dfg, other)?) {
                    (1, 0) => {}
                    (0, 1) => is_inverted = !is_inverted,
                    _ => return None,
                }
                value = condition;
            }
            InstructionData::IntCompare { cond, args, .. } if may_overflow(dfg, inst) => {
                return of_comparison(dfg, if is_inverted { cond.complement() } else { cond }, args, number);
            }
            _ => return None,
        }
    }
    None
}

/// What a comparison says.
fn of_comparison(dfg: &DataFlowGraph, cond: IntCC, args: [Value; 2], number: Inst) -> Option<Overflow> {
    let args = args.map(|value| dfg.resolve_aliases(value));
    let [less, greater] = match cond {
        IntCC::UnsignedLessThan => args,
        IntCC::UnsignedGreaterThan => [args[1], args[0]],
        _ => return None,
    };
    if let Some(operands) = binary_operands(dfg, less, Opcode::Iadd) {
        let operands = operands.map(|value| dfg.resolve_aliases(value));
        if operands.contains(&greater) {
            return Some(Overflow { is_carry: true, operands, sum: dfg.value_def(less).inst(), number });
        }
    }
    Some(Overflow { is_carry: false, operands: [less, greater], sum: None, number })
}
