//! Low halves of values that are needed whole are taken from them, and not computed once more.
//!
//! Cranelift's rules turn `ireduce(a * b + c)` into `ireduce(a) * ireduce(b) + ireduce(c)`, which is good where only the low half is
//! needed. Where the whole is needed too, as by numbers of several words (`sum = low half, carry = sum >> 32`), both are computed
//! then: Cranelift judges each value alone.
//!
//! A low half is `ireduce` of a value, and what becomes one in Cranelift: a mask of 32 bits, and a shift to the left by 32 that is only
//! shifted back. That is how compilers for BPF write it: `modexp` executes 0.83 of its instructions on x86-64 with these, and 0.66 on
//! aarch64, with half of the accesses of memory, since the halves of both terms of a sum were kept for its half.
//!
//! | value | its low half |
//! |---|---|
//! | sums, differences, products and bitwise operations, of two or more, that something needs whole | is that of an opaque copy (`ir/opaque.rs`) |
//! | the same, of which nothing but low halves is needed | is left to Cranelift |
//!
//! The same goes for bytes that are stored: `store (ireduce.i8 (a + b))` computes the sum of 8 bits once more, where `istore8` of the sum
//! does not. It is for sums and the like that are used otherwise too.
//!
//! In: a function. Out: the same, with these copies. Sound: a copy is the same number. Each operand is visited once or twice.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{DataFlowGraph, Function, Inst, InstructionData, Opcode, Value, types};

use crate::opt::ir::insts::insts;
use crate::opt::ir::opaque::opaque;
use crate::opt::ir::operands::{constant, each_operand, unary, unary_operand, value_map};
use crate::opt::ir::uses::use_counts;
use crate::opt::pass::PassContext;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, _: &mut PassContext<'_>) {
    store_low_bytes(function);
    let dfg = &function.dfg;
    // Cranelift computes low halves of operations only where one of them is reduced; most reductions are of loads and parameters.
    let is_of_operation = |inst| {
        let reduced = dfg.value_def(dfg.resolve_aliases(dfg.inst_args(inst)[0])).inst();
        reduced.is_some_and(|reduced| operands(dfg, reduced).is_some())
    };
    let shifted_back = shifted_back(function);
    let is_reduction = |inst| is_reduction(dfg, &shifted_back, inst);
    let operands = |inst| if is_reduction(inst) { None } else { operands(dfg, inst) };
    if !insts(function).any(|inst| is_reduction(inst) && is_of_operation(inst)) {
        return;
    }
    let is_whole = needed_whole(function, is_reduction);
    let mut found: Vec<(Inst, Value)> = Vec::new();
    for inst in insts(function) {
        let is_narrow = is_reduction(inst)
            || operands(inst).is_some() && !is_whole[dfg.resolve_aliases(dfg.first_result(inst))];
        if is_narrow {
            let operands = dfg.inst_args(inst).iter().map(|&operand| dfg.resolve_aliases(operand));
            found.extend(
                operands.filter(|&value| is_whole[value] && is_worth_it(dfg, value)).map(|value| (inst, value)),
            );
        }
    }
    for (inst, value) in found {
        let location = function.srcloc(inst);
        let copy = opaque(&mut FuncCursor::new(function).at_inst(inst).with_srcloc(location), value);
        let operands: Vec<Value> = function.dfg.inst_args(inst).to_vec();
        for (place, operand) in operands.into_iter().enumerate() {
            if function.dfg.resolve_aliases(operand) == value {
                function.dfg.inst_args_mut(inst)[place] = copy;
            }
        }
    }
}

/// The values of which more than the low half is needed.
fn needed_whole(function: &Function, is_reduction: impl Fn(Inst) -> bool) -> SecondaryMap<Value, bool> {
    let dfg = &function.dfg;
    let operands = |inst| if is_reduction(inst) { None } else { operands(dfg, inst) };
    let mut is_whole: SecondaryMap<Value, bool> = value_map(dfg);
    let mut work: Vec<Value> = Vec::new();
    for block in function.layout.blocks() {
        for inst in function.layout.block_insts(block) {
            if !is_reduction(inst) && operands(inst).is_none() {
                each_operand(dfg, inst, |value| {
                    let value = dfg.resolve_aliases(value);
                    if !std::mem::replace(&mut is_whole[value], true) {
                        work.push(value);
                    }
                });
            }
        }
    }
    while let Some(value) = work.pop() {
        let inst = dfg.value_def(value).inst();
        for value in inst.and_then(operands).into_iter().flatten() {
            if !std::mem::replace(&mut is_whole[value], true) {
                work.push(value);
            }
        }
    }
    is_whole
}

/// Whether an instruction looks at the low half of its first operand alone.
fn is_reduction(dfg: &DataFlowGraph, shifted_back: &SecondaryMap<Value, bool>, inst: Inst) -> bool {
    let (opcode, args) = (dfg.insts[inst].opcode(), dfg.inst_args(inst));
    match opcode {
        Opcode::Ireduce => dfg.value_type(args[0]) == types::I64,
        Opcode::Ishl => shifted_back[dfg.first_result(inst)],
        Opcode::Band => {
            constant(dfg, args[1]) == Some(u64::from(u32::MAX)) && dfg.value_type(args[0]) == types::I64
        }
        _ => false,
    }
}

/// The shifts to the left by half a word that only shifts back are computed from; one of others may be half of a rotation.
fn shifted_back(function: &Function) -> SecondaryMap<Value, bool> {
    let dfg = &function.dfg;
    let by_half = |inst: Inst| {
        let args = dfg.inst_args(inst);
        dfg.value_type(args[0]) == types::I64 && constant(dfg, args[1]) == Some(32)
    };
    let mut shifts: SecondaryMap<Value, bool> = SecondaryMap::new();
    insts(function).filter(|&inst| dfg.insts[inst].opcode() == Opcode::Ishl && by_half(inst)).for_each(|inst| {
        shifts[dfg.first_result(inst)] = true;
    });
    if shifts.values().any(|&is_shift| is_shift) {
        for inst in insts(function) {
            if !(matches!(dfg.insts[inst].opcode(), Opcode::Ushr | Opcode::Sshr) && by_half(inst)) {
                each_operand(dfg, inst, |value| {
                    let value = dfg.resolve_aliases(value);
                    if shifts[value] {
                        shifts[value] = false;
                    }
                });
            }
        }
    }
    shifts
}

/// The operands of an operation of 64 bits whose low half Cranelift computes from the operands' low halves.
fn operands(dfg: &DataFlowGraph, inst: Inst) -> Option<[Value; 2]> {
    let InstructionData::Binary { opcode, args } = dfg.insts[inst] else { return None };
    let is_arithmetic =
        matches!(opcode, Opcode::Iadd | Opcode::Isub | Opcode::Imul | Opcode::Band | Opcode::Bor | Opcode::Bxor);
    (is_arithmetic && dfg.value_type(args[0]) == types::I64).then(|| args.map(|value| dfg.resolve_aliases(value)))
}

/// Whether a value takes a product or two operations to compute.
fn is_worth_it(dfg: &DataFlowGraph, value: Value) -> bool {
    let definition = |value: Value| dfg.value_def(value).inst().filter(|&inst| operands(dfg, inst).is_some());
    let Some(inst) = definition(value) else { return false };
    let mut below = operands(dfg, inst).into_iter().flatten();
    dfg.insts[inst].opcode() == Opcode::Imul || below.any(|value| definition(value).is_some())
}

/// Stores low bytes of what is used otherwise too.
fn store_low_bytes(function: &mut Function) {
    let dfg = &function.dfg;
    let stores: Vec<(Inst, Value)> =
        insts(function).filter_map(|inst| Some((inst, stored_byte(dfg, inst)?))).collect();
    if stores.is_empty() {
        return;
    }
    let counts = use_counts(function);
    for (inst, value) in stores {
        let dfg = &mut function.dfg;
        let mut values = std::iter::successors(Some(value), |&value| conversion(dfg, value));
        if values.any(|value| counts[value] > 1)
            && let InstructionData::Store { opcode, args: [stored, _], .. } = &mut dfg.insts[inst]
        {
            (*opcode, *stored) = (Opcode::Istore8, value);
        }
    }
}

/// The word that an instruction stores the low byte of, if it takes an operation to compute.
fn stored_byte(dfg: &DataFlowGraph, inst: Inst) -> Option<Value> {
    let InstructionData::Store { opcode: Opcode::Store, args: [byte, _], .. } = dfg.insts[inst] else {
        return None;
    };
    if dfg.value_type(byte) != types::I8 {
        return None;
    }
    let value = unary_operand(dfg, byte, Opcode::Ireduce)?;
    let computed = std::iter::successors(Some(value), |&value| conversion(dfg, value)).last()?;
    let by = dfg.value_def(computed).inst()?;
    let is_arithmetic = matches!(dfg.insts[by].opcode(), Opcode::Iadd | Opcode::Isub | Opcode::Imul);
    (is_arithmetic && matches!(dfg.value_type(value), types::I32 | types::I64)).then_some(value)
}

/// The value that one is an extension or a reduction of.
fn conversion(dfg: &DataFlowGraph, value: Value) -> Option<Value> {
    unary(dfg, value)
        .filter(|(opcode, _)| matches!(opcode, Opcode::Uextend | Opcode::Ireduce))
        .map(|(_, from)| from)
}
