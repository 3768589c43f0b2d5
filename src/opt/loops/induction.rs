//! Induction variables: values that change by the same amount in each iteration of a loop.
//!
//! In: a loop. Out: for values of it, their step: what is added from one iteration to the next, modulo the size of their type.
//!
//! | value | its step |
//! |---|---|
//! | a constant; one defined outside the loop | 0 |
//! | a header parameter whose next value is itself plus a constant, or another one that is always equal | the constant |
//! | the low 32 bits of one whose next value is their sum with a constant, zero-extended | the constant |
//! | sum, difference, negation, low bits, product and shift by a constant of such values | the same of their steps |
//! | any other pure instruction whose operands all have the step 0 | 0 |
//!
//! Only blocks that every iteration executes are looked at: values of others may not exist in the next iteration.

use std::collections::HashMap;

use cranelift_codegen::ir::{DataFlowGraph, Function, Inst, InstructionData, Opcode, Type, Value, ValueDef, types};

use crate::opt::ir::edges::argument;
use crate::opt::ir::effects::is_pure;
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::ir::operands::{constant, defining_block, unary_operand};

/// How many additions a value is looked through.
const MAX_ADDITIONS: usize = 8;

/// The steps of a loop's values.
pub(crate) struct InductionVariables {
    steps: HashMap<Value, i64>,
    /// The steps of the low 32 bits of header parameters.
    pub(crate) low_steps: HashMap<Value, i64>,
}

/// Wraps a number to a type, as a signed one.
pub(crate) fn wrapped(number: i64, ty: Type) -> i64 {
    let unused = 64 - ty.bits().min(64);
    number << unused >> unused
}

/// The constant that a value is, also by way of a conversion, as a signed number of its type.
pub(crate) fn signed(dfg: &DataFlowGraph, value: Value) -> Option<i64> {
    let ty = dfg.value_type(value);
    let number = match unary_operand(dfg, value, Opcode::Uextend) {
        Some(low) if dfg.value_type(low) == types::I32 => i64::from(constant(dfg, low)? as u32),
        _ => match unary_operand(dfg, value, Opcode::Ireduce) {
            Some(wide) => constant(dfg, wide)? as i64,
            None => constant(dfg, value)? as i64,
        },
    };
    Some(wrapped(number, ty))
}

/// A value as `root + constant`.
pub(crate) fn linear(dfg: &DataFlowGraph, value: Value) -> (Value, i64) {
    let ty = dfg.value_type(value);
    let (mut root, mut sum) = (value, 0_i64);
    for _ in 0..MAX_ADDITIONS {
        let ValueDef::Result(inst, _) = dfg.value_def(root) else { break };
        let InstructionData::Binary { opcode, args: [left, right] } = dfg.insts[inst] else { break };
        let (next, by) = match (opcode, signed(dfg, left), signed(dfg, right)) {
            (Opcode::Iadd, _, Some(by)) => (left, by),
            (Opcode::Iadd, Some(by), _) => (right, by),
            (Opcode::Isub, _, Some(by)) => (left, by.wrapping_neg()),
            _ => break,
        };
        sum = sum.wrapping_add(by);
        root = next;
    }
    (root, wrapped(sum, ty))
}

/// Whether a header parameter has the same values as another one: the same at first, and next.
fn is_equal(function: &Function, inner: &Loop, other: Value, index: usize, next: Value) -> bool {
    let (dfg, header) = (&function.dfg, inner.header());
    let Some(of_other) = dfg.block_params(header).iter().position(|&parameter| parameter == other) else {
        return false;
    };
    let is_same = |one: Value, two: Value| {
        one == two || constant(dfg, one).is_some_and(|known| constant(dfg, two) == Some(known))
    };
    let both = |terminator: Inst| {
        let passed = |index| argument(function, terminator, header, index);
        passed(index).zip(passed(of_other))
    };
    argument(function, inner.latch, header, of_other) == Some(next)
        && dfg.value_type(dfg.block_params(header)[index]) == dfg.value_type(other)
        && inner.entries.iter().all(|&entry| both(entry).is_some_and(|(one, two)| is_same(one, two)))
}

impl InductionVariables {
    /// Finds the induction variables of a loop. `wide` are zero-extended parameters whose low 32 bits never wrap.
    pub(crate) fn new(function: &Function, inner: &Loop, wide: &[Value]) -> InductionVariables {
        let mut variables = InductionVariables { steps: HashMap::new(), low_steps: HashMap::new() };
        let (dfg, header) = (&function.dfg, inner.header());
        for (index, &parameter) in dfg.block_params(header).iter().enumerate() {
            let Some(next) = argument(function, inner.latch, header, index) else { continue };
            let (root, step) = linear(dfg, next);
            if root == parameter || is_equal(function, inner, root, index, next) {
                variables.steps.insert(parameter, step);
                continue;
            }
            let Some(low) = unary_operand(dfg, next, Opcode::Uextend) else { continue };
            let (root, step) = linear(dfg, low);
            if dfg.value_type(low) == types::I32
                && dfg.value_type(parameter) == types::I64
                && unary_operand(dfg, root, Opcode::Ireduce) == Some(parameter)
            {
                variables.low_steps.insert(parameter, step);
                if wide.contains(&parameter) {
                    variables.steps.insert(parameter, step);
                }
            }
        }
        for (&block, _) in inner.blocks.iter().zip(&inner.always).filter(|(_, always)| **always) {
            for inst in function.layout.block_insts(block) {
                if let &[result] = dfg.inst_results(inst)
                    && dfg.value_type(result).is_int()
                    && dfg.value_type(result).bits() <= 64
                    && let Some(step) = variables.step_of_result(function, inner, inst, result)
                {
                    variables.steps.insert(result, wrapped(step, dfg.value_type(result)));
                }
            }
        }
        variables
    }

    /// What is added to a value from one iteration to the next.
    pub(crate) fn step(&self, function: &Function, inner: &Loop, value: Value) -> Option<i64> {
        if let Some(&step) = self.steps.get(&value) {
            return Some(step);
        }
        let is_inside = defining_block(function, value).is_none_or(|block| inner.index(block).is_some());
        (!is_inside).then_some(0)
    }

    /// The same for a value that the loop defines; none for others.
    pub(crate) fn step_inside(&self, value: Value) -> Option<i64> {
        self.steps.get(&value).copied()
    }

    fn step_of_result(&self, function: &Function, inner: &Loop, inst: Inst, result: Value) -> Option<i64> {
        let dfg = &function.dfg;
        let of = |value: Value| self.step(function, inner, value);
        let step = match dfg.insts[inst] {
            InstructionData::Binary { opcode: Opcode::Iadd, args: [left, right] } => {
                of(left).zip(of(right)).map(|(left, right)| left.wrapping_add(right))
            }
            InstructionData::Binary { opcode: Opcode::Isub, args: [left, right] } => {
                of(left).zip(of(right)).map(|(left, right)| left.wrapping_sub(right))
            }
            InstructionData::Binary { opcode: Opcode::Imul, args: [left, right] } => {
                match (signed(dfg, left), signed(dfg, right)) {
                    (_, Some(factor)) => of(left).map(|step| step.wrapping_mul(factor)),
                    (Some(factor), _) => of(right).map(|step| step.wrapping_mul(factor)),
                    _ => None,
                }
            }
            InstructionData::Binary { opcode: Opcode::Ishl, args: [left, right] } => {
                let amount = constant(dfg, right).map(|amount| amount % u64::from(dfg.value_type(result).bits()));
                of(left).zip(amount).map(|(step, amount)| step << amount)
            }
            InstructionData::Unary { opcode: Opcode::Ineg, arg } => of(arg).map(i64::wrapping_neg),
            InstructionData::Unary { opcode: Opcode::Ireduce, arg } => self
                .low_steps
                .get(&arg)
                .copied()
                .filter(|_| dfg.value_type(result).bits() <= 32)
                .or_else(|| of(arg)),
            _ => None,
        };
        // Of other instructions it is only known whether they are invariant.
        step.or_else(|| {
            let is_invariant = is_pure(dfg, inst) && dfg.inst_values(inst).all(|value| of(value) == Some(0));
            is_invariant.then_some(0)
        })
    }
}
