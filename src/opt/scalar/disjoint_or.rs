//! `|` of numbers that have no bit in common is their sum (x86-64).
//!
//! LLVM turns sums into `|` where it can. x86-64 adds a register, times 2, 4 or 8, and a constant into a third register (`lea`), and as
//! part of an access; `|` is an instruction of its own, and often a copy before it.
//!
//! | value | becomes |
//! |---|---|
//! | `x << n \| c`, for a constant `c` below `1 << n` | `(x << n) + c` |
//! | `x << n \| y`, for `n` up to 3 and a `y` that is below `1 << n` by comparisons, selects and masks | `(x << n) + y` |
//! | `x << 1 \| y >> 63` | left: that is one instruction (`shld`; `life` executed 1.04 of its instructions as a sum) |
//! | any other | left: halves of a number that are put together, above all, which others look for |
//!
//! Measured, in executed instructions: `aha-mont64` of Embench 0.93, `heapsort` 0.97, the others as before.
//!
//! In: a function. Out: the same with such sums. Sound: without common bits there is no carry. One pass over the instructions;
//! [`MAX_DEPTH`] are looked through for each.

use cranelift_codegen::ir::{DataFlowGraph, Function, Inst, InstructionData, Opcode, Value, ValueDef};

use crate::opt::ir::insts::insts;
use crate::opt::ir::operands::{binary_operands, constant};
use crate::opt::pass::PassContext;

/// How many instructions a number's bits are asked of, one behind the other.
const MAX_DEPTH: usize = 4;

/// The largest shift that is part of an address.
const MAX_SCALE: u64 = 3;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, _: &mut PassContext<'_>) {
    let found: Vec<Inst> = insts(function).filter(|&inst| is_sum(&function.dfg, inst)).collect();
    for inst in found {
        if let InstructionData::Binary { opcode, .. } = &mut function.dfg.insts[inst] {
            *opcode = Opcode::Iadd;
        }
    }
}

/// Whether an instruction is one of the table.
fn is_sum(dfg: &DataFlowGraph, inst: Inst) -> bool {
    let InstructionData::Binary { opcode: Opcode::Bor, args: [left, right] } = dfg.insts[inst] else {
        return false;
    };
    let fits = |shifted: Value, low: Value| {
        let Some([_, by]) = binary_operands(dfg, shifted, Opcode::Ishl) else { return false };
        let Some(by) = constant(dfg, by).map(|by| by % u64::from(dfg.value_type(shifted).bits())) else {
            return false;
        };
        let is_simple = by <= MAX_SCALE || constant(dfg, low).is_some();
        is_simple && possible_bits(dfg, low, MAX_DEPTH) < 1 << by
    };
    fits(left, right) || fits(right, left)
}

/// The bits of a number that may be 1.
fn possible_bits(dfg: &DataFlowGraph, value: Value, depth: usize) -> u64 {
    let all = u64::MAX >> (64 - dfg.value_type(value).bits().min(64));
    let (ValueDef::Result(inst, _), Some(depth)) = (dfg.value_def(value), depth.checked_sub(1)) else { return all };
    let bits = |value: Value| possible_bits(dfg, value, depth);
    let found = match dfg.insts[inst] {
        InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => imm.bits() as u64,
        InstructionData::IntCompare { .. } => 1,
        InstructionData::Unary { opcode: Opcode::Uextend | Opcode::Ireduce, arg } => bits(arg),
        InstructionData::Binary { opcode: Opcode::Band, args: [left, right] } => bits(left) & bits(right),
        InstructionData::Binary { opcode: Opcode::Bor | Opcode::Bxor, args: [left, right] } => {
            bits(left) | bits(right)
        }
        InstructionData::Ternary { opcode: Opcode::Select, args: [_, chosen, other] } => bits(chosen) | bits(other),
        _ => all,
    };
    found & all
}
