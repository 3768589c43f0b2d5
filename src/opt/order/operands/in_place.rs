//! Which operands instructions write over, and in which registers values are.
//!
//! In: instructions behind Cranelift's optimiser, what is known of the target. Out: an [`InPlace`]; the value whose register another value
//! shares. The rule: what is not listed is taken to need no operand's register, which costs a copy and nothing else.
//!
//! | instruction | in place of |
//! |---|---|
//! | `&`, `\|`, `^`, `*` of two registers | either operand |
//! | these of a register and memory or a constant, but `*` with one | the register |
//! | `-`, shifts, rotates, negations, complements, swaps of bytes; floats; `select` | the first; the last |
//! | rotates by constants, shifts by registers, `&` with a complement, with BMI 1 and 2; floats, with AVX | none |
//! | a sum | none (`lea`); with a constant, such as a counter, the other one if it is used last |
//! | a shift by up to three bits | none, since it becomes part of an address or a `lea` |

use cranelift_codegen::ir::{DataFlowGraph, Inst, InstructionData, Opcode, Value, ValueDef};

use crate::config::TargetFacts;
use crate::opt::ir::operands::{MAX_LOOK_THROUGH, constant, unary_operand};

/// Which operand an instruction writes over.
pub(super) enum InPlace {
    /// None.
    No,
    /// This one, if it is the last to use it.
    IfLast(Value),
    /// The first one of these, which is copied if it is needed afterwards, or the second one if they are exchanged.
    Of([Option<Value>; 2]),
}

/// Which operand an instruction writes over.
pub(super) fn in_place(dfg: &DataFlowGraph, inst: Inst, facts: &TargetFacts) -> InPlace {
    match dfg.insts[inst] {
        InstructionData::Binary { opcode, args: [first, second] } => match opcode {
            Opcode::Band
                if facts.shifts_to_third && [first, second].iter().any(|&value| is_complement(dfg, value)) =>
            {
                InPlace::No
            }
            Opcode::Band | Opcode::Bor | Opcode::Bxor | Opcode::Imul => {
                let [in_first, in_second] = [first, second].map(|value| place_of(dfg, value));
                match (in_first, in_second) {
                    (Place::Register, Place::Register) => InPlace::Of([Some(first), Some(second)]),
                    (_, Place::Constant) if opcode == Opcode::Imul => InPlace::No,
                    (Place::Register | Place::Shift, _) => InPlace::Of([Some(first), None]),
                    (_, Place::Register | Place::Shift) => InPlace::Of([Some(second), None]),
                    _ => InPlace::No,
                }
            }
            Opcode::Iadd if constant(dfg, second).is_some() => InPlace::IfLast(first),
            Opcode::Isub => InPlace::Of([Some(first), None]),
            Opcode::Ishl if constant(dfg, second).is_some_and(|bits| bits <= 3) => InPlace::No,
            Opcode::Ishl | Opcode::Ushr | Opcode::Sshr
                if !facts.shifts_to_third || constant(dfg, second).is_some() =>
            {
                InPlace::Of([Some(first), None])
            }
            Opcode::Rotl | Opcode::Rotr if !facts.shifts_to_third || constant(dfg, second).is_none() => {
                InPlace::Of([Some(first), None])
            }
            Opcode::Fadd | Opcode::Fsub | Opcode::Fmul | Opcode::Fdiv if !facts.floats_to_third => {
                InPlace::Of([Some(first), None])
            }
            _ => InPlace::No,
        },
        InstructionData::Unary { opcode: Opcode::Ineg | Opcode::Bnot | Opcode::Bswap, arg } => {
            InPlace::Of([Some(arg), None])
        }
        InstructionData::Ternary { opcode: Opcode::Select, args: [_, _, last] } => InPlace::Of([Some(last), None]),
        _ => InPlace::No,
    }
}

/// Where an operand comes from.
enum Place {
    Constant,
    /// Memory, which an instruction may have inside.
    Load,
    /// A register, by a shift to the left: it may be a bit for `bts` and its like, which Cranelift looks for in one order.
    Shift,
    Register,
}

fn place_of(dfg: &DataFlowGraph, value: Value) -> Place {
    match dfg.value_def(value).inst().map(|inst| &dfg.insts[inst]) {
        Some(InstructionData::UnaryImm { .. }) => Place::Constant,
        Some(InstructionData::Load { .. }) => Place::Load,
        Some(InstructionData::Binary { opcode: Opcode::Ishl, .. }) => Place::Shift,
        _ => Place::Register,
    }
}

fn is_complement(dfg: &DataFlowGraph, value: Value) -> bool {
    unary_operand(dfg, value, Opcode::Bnot).is_some()
}

/// The operand in whose register the result of an instruction is, if it has one: a conversion between 32 and 64 bits, an opaque value.
pub(super) fn same_register(dfg: &DataFlowGraph, inst: Inst, result: usize) -> Option<Value> {
    match dfg.insts[inst] {
        InstructionData::Unary { opcode: Opcode::Ireduce | Opcode::Uextend, arg } => Some(arg),
        InstructionData::Unary { opcode: Opcode::Isplit, arg } => {
            let pair = dfg.value_def(arg).inst()?;
            match dfg.insts[pair] {
                InstructionData::Binary { opcode: Opcode::Iconcat, args } => args.get(result).copied(),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The value whose register a value is in.
pub(super) fn register(dfg: &DataFlowGraph, value: Value) -> Value {
    let mut value = dfg.resolve_aliases(value);
    for _ in 0..MAX_LOOK_THROUGH {
        let ValueDef::Result(inst, index) = dfg.value_def(value) else { break };
        let Some(same) = same_register(dfg, inst, index) else { break };
        value = dfg.resolve_aliases(same);
    }
    value
}
