//! Values that grow by the same amount in each round of a loop.
//!
//! In: a loop. Out: for values of it, what is added to them from one round to the next, modulo the size of their type.
//!
//! | value | its step |
//! |---|---|
//! | a constant; one from outside of the loop | 0 |
//! | a parameter of the head that goes round as itself plus a constant | the constant |
//! | the low half of one that goes round as the extension of its low half plus a constant | the constant |
//! | sum, difference, negative, low part, product and shift by a constant of such values | the same of their steps |
//! | any other pure instruction whose operands all have the step 0 | 0 |
//!
//! Only blocks that each round goes through are looked at: the values of others may not be there in the next.

use std::collections::HashMap;

use cranelift_codegen::ir::{
    Block, BlockArg, DataFlowGraph, Function, Inst, InstructionData, Opcode, Type, Value, ValueDef, types,
};

use super::discovery::Loop;
use crate::opt::memory::byte_provenance::constant;

/// How many additions a value is looked through.
const DEPTH: usize = 8;

/// The steps of a loop's values.
pub(crate) struct Steps {
    of: HashMap<Value, i64>,
    /// The steps of low halves of the head's parameters.
    pub(crate) halves: HashMap<Value, i64>,
}

/// The number modulo the size of a type, as a signed one.
pub(crate) fn wrapped(number: i64, ty: Type) -> i64 {
    let unused = 64 - ty.bits().min(64);
    number << unused >> unused
}

/// The constant that a value is, as a signed number of its type.
pub(crate) fn signed(dfg: &DataFlowGraph, value: Value) -> Option<i64> {
    let ty = dfg.value_type(value);
    let number = match converted(dfg, value, Opcode::Uextend) {
        Some(half) if dfg.value_type(half) == types::I32 => i64::from(constant(dfg, half)? as u32),
        _ => match converted(dfg, value, Opcode::Ireduce) {
            Some(word) => constant(dfg, word)? as i64,
            None => constant(dfg, value)? as i64,
        },
    };
    Some(wrapped(number, ty))
}

/// The value less a constant: `value = root + constant`.
pub(crate) fn linear(dfg: &DataFlowGraph, value: Value) -> (Value, i64) {
    let ty = dfg.value_type(value);
    let (mut root, mut sum) = (value, 0_i64);
    for _ in 0..DEPTH {
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

/// The operand of a conversion.
pub(crate) fn converted(dfg: &DataFlowGraph, value: Value, wanted: Opcode) -> Option<Value> {
    let ValueDef::Result(inst, _) = dfg.value_def(value) else { return None };
    match dfg.insts[inst] {
        InstructionData::Unary { opcode, arg } if opcode == wanted => Some(arg),
        _ => None,
    }
}

/// The argument that a branch passes to a block's parameter, if it leads there once.
pub(crate) fn argument(function: &Function, branch: Inst, block: Block, index: usize) -> Option<Value> {
    let dfg = &function.dfg;
    let mut found = None;
    for call in dfg.insts[branch].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
        if call.block(&dfg.value_lists) != block {
            continue;
        }
        match call.args(&dfg.value_lists).nth(index) {
            Some(BlockArg::Value(value)) if found.is_none_or(|found| found == value) => found = Some(value),
            _ => return None,
        }
    }
    found
}

/// Where a value is defined.
pub(crate) fn home(function: &Function, value: Value) -> Option<Block> {
    match function.dfg.value_def(value) {
        ValueDef::Result(inst, _) => function.layout.inst_block(inst),
        ValueDef::Param(block, _) => Some(block),
        ValueDef::Union(..) => None,
    }
}

/// Whether nothing but its result is to be seen of an instruction, and that is the same each time.
pub(crate) fn is_pure(dfg: &DataFlowGraph, inst: Inst) -> bool {
    let opcode = dfg.insts[inst].opcode();
    !(opcode.can_load()
        || opcode.can_store()
        || opcode.can_trap()
        || opcode.other_side_effects()
        || opcode.is_call()
        || opcode.is_terminator())
}

impl Steps {
    /// Finds them. `as_words` are parameters whose low half never wraps, and whose high half is 0.
    pub(crate) fn new(function: &Function, inner: &Loop, as_words: &[Value]) -> Steps {
        let mut steps = Steps { of: HashMap::new(), halves: HashMap::new() };
        let (dfg, head) = (&function.dfg, inner.head());
        for (index, &parameter) in dfg.block_params(head).iter().enumerate() {
            let Some(next) = argument(function, inner.latch, head, index) else { continue };
            let (root, step) = linear(dfg, next);
            if root == parameter {
                steps.of.insert(parameter, step);
                continue;
            }
            let Some(half) = converted(dfg, next, Opcode::Uextend) else { continue };
            let (root, step) = linear(dfg, half);
            if dfg.value_type(half) == types::I32
                && dfg.value_type(parameter) == types::I64
                && converted(dfg, root, Opcode::Ireduce) == Some(parameter)
            {
                steps.halves.insert(parameter, step);
                if as_words.contains(&parameter) {
                    steps.of.insert(parameter, step);
                }
            }
        }
        for (&block, _) in inner.blocks.iter().zip(&inner.always).filter(|(_, always)| **always) {
            for inst in function.layout.block_insts(block) {
                if let &[result] = dfg.inst_results(inst)
                    && dfg.value_type(result).is_int()
                    && dfg.value_type(result).bits() <= 64
                    && let Some(step) = steps.result(function, inner, inst, result)
                {
                    steps.of.insert(result, wrapped(step, dfg.value_type(result)));
                }
            }
        }
        steps
    }

    /// What is added to a value from one round to the next.
    pub(crate) fn of(&self, function: &Function, inner: &Loop, value: Value) -> Option<i64> {
        if let Some(&step) = self.of.get(&value) {
            return Some(step);
        }
        let is_inside = home(function, value).is_none_or(|block| inner.place(block).is_some());
        (!is_inside).then_some(0)
    }

    /// The same of a value from inside of the loop; none for others.
    pub(crate) fn of_inside(&self, value: Value) -> Option<i64> {
        self.of.get(&value).copied()
    }

    fn result(&self, function: &Function, inner: &Loop, inst: Inst, result: Value) -> Option<i64> {
        let dfg = &function.dfg;
        let of = |value: Value| self.of(function, inner, value);
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
            InstructionData::Unary { opcode: Opcode::Ireduce, arg } => {
                self.halves.get(&arg).copied().filter(|_| dfg.value_type(result).bits() <= 32).or_else(|| of(arg))
            }
            _ => None,
        };
        // Of others only that they stay the same is known.
        step.or_else(|| {
            let stays = is_pure(dfg, inst) && dfg.inst_values(inst).all(|value| of(value) == Some(0));
            stays.then_some(0)
        })
    }
}
