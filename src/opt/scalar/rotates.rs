//! Rotate idioms that Cranelift's own rules do not know: those with a variable amount, and those of a value that looks like two.
//!
//! | value, of `w` bits | becomes |
//! |---|---|
//! | `x << n \| x >> m` where `m` is `-n` modulo `w`, in either order | `rotl x, n` |
//! | the same where `n` is `-m` | `rotr x, m` |
//! | `x << n \| y >> (w - n)` for a constant, where the high `n` bits of both are the same | `rotl x, n` |
//!
//! They are the same where one is the other `^` or `\|` something small. The last is what LLVM makes of `x = y ^ y >> 9; rotl(x, 4)`;
//! Cranelift makes a double shift (`shld`) of it, which is slow on AMD's processors: `code_clone_8` of the suite below 1.22 of clang's
//! time before, 1.00 now.
//!
//! Amounts are followed through sums with constants, masks and negations of both kinds: compilers make `k ^ 63` or `~k & 31` of
//! `64 - (k + 1)`, which is `-(k + 1)` modulo `w`. Which `k` the program masked does not matter. Of 46 programs of a public suite
//! ("A public suite" in BENCHMARKS.md), 14 execute 2 to 25 % less for it. clang's native code has the two shifts.
//!
//! Sound: shifts of both BPF and CLIF take their amount modulo `w`, so only `n` and `m`
//! modulo `w` matter. For an amount of 0 both shifts give `x`, and so does `|` of the two, but not `+` or `^`, which are
//! therefore not matched. One pass.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Value, types};

use crate::opt::ir::operands::{binary_operands, constant, replace_inst, unary};
use crate::opt::ir::zero_extension::significant_bytes;
use crate::opt::pass::PassContext;

/// How many instructions an amount or an operand is looked through.
const MAX_AMOUNT_LOOK_THROUGH: usize = 8;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, _: &mut PassContext<'_>) {
    let mut found = Vec::new();
    for block in function.layout.blocks() {
        for inst in function.layout.block_insts(block) {
            found.extend(rotate(&function.dfg, inst).map(|rotate| (inst, rotate)));
        }
    }
    for (inst, Rotate { value, amount, left }) in found {
        let location = function.srcloc(inst);
        let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
        let ins = cursor.ins();
        let new = if left { ins.rotl(value, amount) } else { ins.rotr(value, amount) };
        replace_inst(function, inst, new);
    }
}

struct Rotate {
    value: Value,
    amount: Value,
    left: bool,
}

/// The rotate that an instruction is.
fn rotate(dfg: &DataFlowGraph, inst: Inst) -> Option<Rotate> {
    let InstructionData::Binary { opcode: Opcode::Bor, args: [a, b] } = dfg.insts[inst] else { return None };
    let ty = dfg.value_type(a);
    if !matches!(ty, types::I32 | types::I64) {
        return None;
    }
    let (left, right) = match (binary_operands(dfg, a, Opcode::Ishl), binary_operands(dfg, b, Opcode::Ushr)) {
        (Some(left), Some(right)) => (left, right),
        _ => (binary_operands(dfg, b, Opcode::Ishl)?, binary_operands(dfg, a, Opcode::Ushr)?),
    };
    let bits = u64::from(ty.bits());
    if unconverted(dfg, left[0]) != unconverted(dfg, right[0]) {
        let count = constant(dfg, left[1]).filter(|count| (1..bits).contains(count))?;
        let is_rotate =
            constant(dfg, right[1])? == bits - count && have_same_high_bits(dfg, left[0], right[0], count);
        return is_rotate.then_some(Rotate { value: left[0], amount: left[1], left: true });
    }
    let [up, down] = [left[1], right[1]].map(|value| Amount::of(dfg, value, bits));
    let is_opposite = up.value == down.value
        && up.negative != down.negative
        && up.plus.wrapping_add(down.plus).is_multiple_of(bits);
    if !is_opposite {
        return None;
    }
    // By the amount that is not negated.
    let (positive, operand) = if up.negative { (down, right[1]) } else { (up, left[1]) };
    let amount = if positive.plus.is_multiple_of(bits) { positive.value } else { operand };
    Some(Rotate { value: left[0], amount, left: !up.negative })
}

/// Whether the highest bits of two values, so many, are surely the same.
fn have_same_high_bits(dfg: &DataFlowGraph, one: Value, other: Value, count: u64) -> bool {
    let bits = u64::from(dfg.value_type(one).bits());
    let [one, other] = [one, other].map(|value| dfg.resolve_aliases(value));
    let is_small = |value: Value| {
        u64::from(significant_bytes(dfg, value)) * 8 + count <= bits
            || binary_operands(dfg, value, Opcode::Ushr)
                .and_then(|[_, amount]| constant(dfg, amount))
                .is_some_and(|amount| (count..bits).contains(&amount))
    };
    // Whether the first is the second, but for something small.
    let differs_below = |value: Value, from: Value| {
        let operands =
            [Opcode::Bxor, Opcode::Bor].into_iter().find_map(|opcode| binary_operands(dfg, value, opcode));
        operands.is_some_and(|operands| {
            let [left, right] = operands.map(|value| dfg.resolve_aliases(value));
            left == from && is_small(right) || right == from && is_small(left)
        })
    };
    differs_below(one, other) || differs_below(other, one)
}

/// What a value is a copy of, looking through conversions that keep its bits: the original, and how many bits of it.
fn unconverted(dfg: &DataFlowGraph, value: Value) -> (Value, u32) {
    let bits = dfg.value_type(value).bits();
    let mut value = dfg.resolve_aliases(value);
    for _ in 0..MAX_AMOUNT_LOOK_THROUGH {
        match unary(dfg, value) {
            Some((Opcode::Ireduce, arg)) => value = arg,
            Some((Opcode::Uextend | Opcode::Sextend, arg)) if dfg.value_type(arg).bits() >= bits => {
                value = arg;
            }
            _ => break,
        }
    }
    (value, bits)
}

/// A shift amount modulo `w`: a number or its negation, and a constant.
#[derive(Clone, Copy)]
struct Amount {
    value: Value,
    negative: bool,
    plus: u64,
}

impl Amount {
    /// That of a shift of `bits`.
    fn of(dfg: &DataFlowGraph, value: Value, bits: u64) -> Amount {
        let mut amount = Amount { value: dfg.resolve_aliases(value), negative: false, plus: 0 };
        for _ in 0..MAX_AMOUNT_LOOK_THROUGH {
            let Some((arg, negated, plus)) = amount_of_operand(dfg, amount.value, bits) else { break };
            amount.plus =
                if amount.negative { amount.plus.wrapping_sub(plus) } else { amount.plus.wrapping_add(plus) };
            amount.negative ^= negated;
            amount.value = dfg.resolve_aliases(arg);
        }
        amount
    }
}

/// The operand that a value is a copy of modulo `bits`, but for its sign and a constant: it, whether it is negated, and the constant.
fn amount_of_operand(dfg: &DataFlowGraph, value: Value, bits: u64) -> Option<(Value, bool, u64)> {
    match unary(dfg, value) {
        // At least the low 8 bits are kept, and only those matter.
        Some((Opcode::Uextend | Opcode::Sextend | Opcode::Ireduce, arg)) => return Some((arg, false, 0)),
        Some((Opcode::Ineg, arg)) => return Some((arg, true, 0)),
        Some((Opcode::Bnot, arg)) => return Some((arg, true, u64::MAX)),
        _ => {}
    }
    let InstructionData::Binary { opcode, args: [left, right] } = dfg.insts[dfg.value_def(value).inst()?] else {
        return None;
    };
    if let (Opcode::Isub, Some(number)) = (opcode, constant(dfg, left)) {
        return Some((right, true, number));
    }
    let number = constant(dfg, right)?;
    let has_all_bits = number & (bits - 1) == bits - 1;
    match opcode {
        Opcode::Band if has_all_bits => Some((left, false, 0)),
        // Complemented, as far as it matters: -x - 1.
        Opcode::Bxor if has_all_bits => Some((left, true, u64::MAX)),
        Opcode::Iadd => Some((left, false, number)),
        Opcode::Isub => Some((left, false, number.wrapping_neg())),
        _ => None,
    }
}
