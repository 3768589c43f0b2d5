//! Masks and sign extensions of bits that nobody looks at go.
//!
//! BPF has no registers of 8 or 16 bits: where a program counts in a byte, LLVM adds 32 bits and masks where the number is looked at, block
//! by block. What becomes of a value behind a jump it does not ask; so a number that goes around a loop is masked each time, though all
//! that is made of it is stored as a byte, or masked again.
//!
//! | value | becomes |
//! |---|---|
//! | `x & 0xff`, `0xffff`, `0xffff_ffff`, of which no more than these bits are looked at | `x` |
//! | a sign extension of a reduction of `x`, of which no more than the reduction's bits are looked at | `x`, resized |
//!
//! Which low bits of a value are looked at, its users say:
//!
//! | user | looks at |
//! |---|---|
//! | a store of 8, 16 or 32 bits, `ireduce` | as many |
//! | `iadd`, `isub`, `imul`, `ineg`, bitwise operations, `select`, a block parameter | what is looked at of the result |
//! | `band` with a constant | no more than the bits of that |
//! | an extension | what is looked at of the result; all, if those are more |
//! | shifts by constants | those that get to where the result is looked at |
//! | anything else | all |
//!
//! In: a function. Out: the same without these masks. Sound: of each of these operations, the low bits of the result depend on the low
//! bits of the operands only that the table says; so, with the least such numbers, what is looked at anywhere stays the same. Time is
//! linear in the number of operands: how much is looked at of a value grows four times at most.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{
    BlockArg, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Value, ValueDef,
};

use crate::opt::ir::insts::insts;
use crate::opt::ir::operands::{constant, replace_inst, unary_operand, value_map};
use crate::opt::ir::value_lists::ValueLists;
use crate::opt::pass::PassContext;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, _: &mut PassContext<'_>) {
    let dfg = &function.dfg;
    let candidates: Vec<(Inst, Value, u32)> =
        insts(function).filter_map(|inst| kept(dfg, inst).map(|(value, bits)| (inst, value, bits))).collect();
    if candidates.is_empty() {
        return;
    }
    let demanded = Demanded::new(function).bits;
    for (inst, value, bits) in candidates {
        if u32::from(demanded[function.dfg.first_result(inst)]) > bits {
            continue;
        }
        let (from, to) = (function.dfg.value_type(value), function.dfg.value_type(function.dfg.first_result(inst)));
        let location = function.srcloc(inst);
        let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
        let new = match from.bits().cmp(&to.bits()) {
            std::cmp::Ordering::Less => cursor.ins().uextend(to, value),
            std::cmp::Ordering::Equal => value,
            std::cmp::Ordering::Greater => cursor.ins().ireduce(to, value),
        };
        replace_inst(function, inst, new);
    }
}

/// The value whose low bits an instruction keeps, and how many.
fn kept(dfg: &DataFlowGraph, inst: Inst) -> Option<(Value, u32)> {
    match dfg.insts[inst] {
        InstructionData::Binary { opcode: Opcode::Band, args: [value, mask] } => {
            let mask = constant(dfg, mask)?;
            matches!(mask, 0xff | 0xffff | 0xffff_ffff).then(|| (value, mask.trailing_ones()))
        }
        InstructionData::Unary { opcode: Opcode::Sextend, arg } => {
            let value = unary_operand(dfg, arg, Opcode::Ireduce)?;
            Some((value, dfg.value_type(arg).bits()))
        }
        _ => None,
    }
}

/// How many low bits of each value are looked at.
struct Demanded<'f> {
    dfg: &'f DataFlowGraph,
    /// 0, 8, 16, 32, 64, or more.
    bits: SecondaryMap<Value, u8>,
    work: Vec<Value>,
}

impl Demanded<'_> {
    fn new(function: &Function) -> Demanded<'_> {
        let dfg = &function.dfg;
        let mut arguments = ValueLists::new(dfg);
        let mut demanded = Demanded { dfg, bits: value_map(dfg), work: Vec::new() };
        for block in function.layout.blocks() {
            for inst in function.layout.block_insts(block) {
                demanded.of_operands(inst, None);
                if !dfg.insts[inst].opcode().is_terminator() {
                    continue;
                }
                for call in dfg.insts[inst].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
                    let parameters = dfg.block_params(call.block(&dfg.value_lists));
                    for (&parameter, argument) in parameters.iter().zip(call.args(&dfg.value_lists)) {
                        if let BlockArg::Value(argument) = argument {
                            arguments.add(parameter, dfg.resolve_aliases(argument));
                        }
                    }
                }
            }
        }
        while let Some(value) = demanded.work.pop() {
            match dfg.value_def(value) {
                ValueDef::Result(inst, _) => demanded.of_operands(inst, Some(u32::from(demanded.bits[value]))),
                _ => arguments.of(value).for_each(|argument| demanded.raise(argument, demanded.bits[value].into())),
            }
        }
        demanded
    }

    /// Says that `bits` low bits of a value are looked at.
    fn raise(&mut self, value: Value, bits: u32) {
        let value = self.dfg.resolve_aliases(value);
        let bits = if bits == 0 { 0 } else { bits.next_power_of_two().clamp(8, 128) as u8 };
        if self.bits[value] < bits {
            self.bits[value] = bits;
            self.work.push(value);
        }
    }

    /// Says what an instruction looks at: for whom looks at some bits of its result, or in any case.
    fn of_operands(&mut self, inst: Inst, result: Option<u32>) {
        let dfg = self.dfg;
        let width = |value: Value| dfg.value_type(value).bits();
        match (&dfg.insts[inst], result) {
            (&InstructionData::Binary { opcode, args: [left, right] }, result) if is_low(opcode) => {
                let Some(bits) = result else { return };
                let masked = |mask: Value| match (opcode, constant(dfg, mask)) {
                    (Opcode::Band, Some(mask)) => bits.min(64 - mask.leading_zeros()),
                    _ => bits,
                };
                self.raise(left, masked(right));
                self.raise(right, masked(left));
            }
            (&InstructionData::Binary { opcode, args: [value, amount] }, result)
                if matches!(opcode, Opcode::Ishl | Opcode::Ushr | Opcode::Sshr) =>
            {
                let (width, by) = (width(value), constant(dfg, amount));
                match result {
                    Some(bits) => self.raise(value, shifted(opcode, width, bits, by)),
                    None => self.raise(amount, 8),
                }
            }
            (&InstructionData::Unary { opcode: Opcode::Ineg | Opcode::Bnot, arg }, result) => {
                result.into_iter().for_each(|bits| self.raise(arg, bits));
            }
            (
                &InstructionData::Unary { opcode: Opcode::Uextend | Opcode::Sextend | Opcode::Ireduce, arg },
                result,
            ) => {
                result
                    .into_iter()
                    .for_each(|bits| self.raise(arg, bits.min(width(arg)).min(width(dfg.first_result(inst)))));
            }
            (&InstructionData::Ternary { opcode: Opcode::Select, args: [condition, one, other] }, result) => {
                match result {
                    Some(bits) => [one, other].into_iter().for_each(|value| self.raise(value, bits)),
                    None => self.raise(condition, width(condition)),
                }
            }
            (&InstructionData::Store { opcode, args: [value, address], .. }, None) => {
                self.raise(address, 64);
                self.raise(
                    value,
                    match opcode {
                        Opcode::Istore8 => 8,
                        Opcode::Istore16 => 16,
                        Opcode::Istore32 => 32,
                        _ => width(value),
                    },
                );
            }
            // What a branch passes is looked at as the parameter is.
            (_, None) => dfg.inst_args(inst).iter().for_each(|&value| self.raise(value, width(value))),
            (_, Some(_)) => {}
        }
    }
}

/// Whether the low bits of a result depend on as many of the operands only.
fn is_low(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::Iadd | Opcode::Isub | Opcode::Imul | Opcode::Band | Opcode::Bor | Opcode::Bxor)
}

/// How many bits of a number of `width` bits a shift looks at, for `bits` of its result.
fn shifted(opcode: Opcode, width: u32, bits: u32, by: Option<u64>) -> u32 {
    let by = by.map(|by| (by % u64::from(width)) as u32);
    match (opcode, by) {
        (Opcode::Ishl, Some(by)) => bits.saturating_sub(by),
        (Opcode::Ishl, None) => bits,
        (_, Some(by)) => (bits + by).min(width),
        (_, None) => width,
    }
}
