//! Bit tests: a branch on one bit of a number, by a shift and a mask, becomes what Cranelift has `bt` for (x86-64).
//!
//! Compilers make such tests of small sets: `c == ' ' || c == ',' || c == ';'` is a bit of a constant. A shift by a register takes
//! three times as long as `bt`, and its amount has to be in `rcx`.
//!
//! | condition, not zero or zero | becomes |
//! |---|---|
//! | `(1 << n) & x` | `x & (1 << n)`, the operands in this order, and a constant `x` opaque |
//! | `(x >> n) & 1` | the same |
//!
//! In: a function. Out: the same with such conditions. Only of shifts and masks that have no other use: those stay. Sound: both are 0
//! if and only if bit `n` of `x` is, `n` taken modulo the width, as shifts and `bt` do. One pass over the blocks.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, types,
};

use crate::opt::ir::operands::{binary_operands, constant, iconst, replace_inst, unary_operand};
use crate::opt::ir::uses::use_counts;
use crate::opt::pass::PassContext;

/// A test of one bit.
struct BitTest {
    /// The mask, whose result is only compared with 0.
    mask: Inst,
    number: Value,
    bit: Value,
}

/// Runs the pass.
pub(crate) fn run(function: &mut Function, _: &mut PassContext<'_>) {
    let masks: Vec<(Inst, Value)> = function
        .layout
        .blocks()
        .filter_map(|block| masked(&function.dfg, function.layout.last_inst(block)?))
        .filter(|&(mask, _)| test(&function.dfg, mask, |_| true).is_some())
        .collect();
    if masks.is_empty() {
        return;
    }
    let counts = use_counts(function);
    for (mask, asked) in masks {
        let Some(test) = found(&function.dfg, mask, asked, &counts) else { continue };
        let ty = function.dfg.value_type(test.number);
        let location = function.srcloc(mask);
        let number = constant(&function.dfg, test.number);
        let mut cursor = FuncCursor::new(function).at_inst(test.mask).with_srcloc(location);
        let number = match number {
            Some(number) => {
                let number = cursor.ins().iconst(types::I64, number.cast_signed());
                let with = word(&cursor.func.dfg, test.bit).unwrap_or(number);
                opaque_beside(&mut cursor, number, with, ty)
            }
            None => test.number,
        };
        let one = iconst(&mut cursor, ty, 1);
        let bit = cursor.ins().ishl(one, test.bit);
        let masked = cursor.ins().band(number, bit);
        replace_inst(function, mask, masked);
    }
}

/// A constant that Cranelift does not see, and so leaves in the first place. It is one for each test, beside what no other test has:
/// a constant for all would take a register from the first to the last.
fn opaque_beside(cursor: &mut FuncCursor<'_>, number: Value, with: Value, ty: Type) -> Value {
    let pair = cursor.ins().iconcat(number, with);
    let number = cursor.ins().isplit(pair).0;
    if ty == types::I64 { number } else { cursor.ins().ireduce(ty, number) }
}

/// The word that a value is, or is the low half of.
fn word(dfg: &DataFlowGraph, value: Value) -> Option<Value> {
    match dfg.value_type(value) {
        types::I64 => Some(value),
        _ => unary_operand(dfg, value, Opcode::Ireduce).filter(|&from| dfg.value_type(from) == types::I64),
    }
}

/// The mask that a branch asks for being 0 or not, and the value that it asks, which may be extended and reduced.
fn masked(dfg: &DataFlowGraph, branch: Inst) -> Option<(Inst, Value)> {
    let InstructionData::Brif { arg, .. } = dfg.insts[branch] else { return None };
    let inst = dfg.value_def(arg).inst()?;
    let asked = match dfg.insts[inst] {
        InstructionData::IntCompare { cond: IntCC::Equal | IntCC::NotEqual, args: [value, zero], .. }
            if constant(dfg, zero) == Some(0) =>
        {
            value
        }
        _ => arg,
    };
    let mask = dfg.value_def(unconverted(dfg, asked)).inst()?;
    (dfg.insts[mask].opcode() == Opcode::Band).then_some((mask, asked))
}

/// A value of 32 bits that was extended and reduced again is that value: so are the results of BPF's 32-bit instructions.
fn unconverted(dfg: &DataFlowGraph, value: Value) -> Value {
    let value = dfg.resolve_aliases(value);
    let extended = unary_operand(dfg, value, Opcode::Ireduce);
    let from = extended.and_then(|extended| unary_operand(dfg, extended, Opcode::Uextend));
    from.filter(|&from| dfg.value_type(from) == dfg.value_type(value)).unwrap_or(value)
}

/// Whether a value is used once, and what it is extended and reduced to on the way too.
fn is_sole(dfg: &DataFlowGraph, value: Value, counts: &SecondaryMap<Value, u32>) -> bool {
    let value = dfg.resolve_aliases(value);
    let extended = unary_operand(dfg, value, Opcode::Ireduce);
    let from = extended.filter(|_| unconverted(dfg, value) != value);
    let once = |value: Value| counts[dfg.resolve_aliases(value)] == 1;
    once(value) && from.is_none_or(|extended| once(extended) && once(unconverted(dfg, value)))
}

/// A test whose mask and shift have no other use.
fn found(dfg: &DataFlowGraph, mask: Inst, asked: Value, counts: &SecondaryMap<Value, u32>) -> Option<BitTest> {
    is_sole(dfg, asked, counts).then(|| test(dfg, mask, |value| is_sole(dfg, value, counts)))?
}

/// What a mask tests, if it is one bit by a shift that satisfies `is_sole`.
fn test(dfg: &DataFlowGraph, mask: Inst, is_sole: impl Fn(Value) -> bool) -> Option<BitTest> {
    let InstructionData::Binary { opcode: Opcode::Band, args } = dfg.insts[mask] else { return None };
    if !matches!(dfg.value_type(args[0]), types::I32 | types::I64) {
        return None;
    }
    let [left, right] = args;
    [(left, right), (right, left)].into_iter().find_map(|(shift, other)| {
        if !is_sole(shift) {
            return None;
        }
        let shift = unconverted(dfg, shift);
        let one_shifted =
            binary_operands(dfg, shift, Opcode::Ishl).filter(|&[one, _]| constant(dfg, one) == Some(1));
        let shifted = binary_operands(dfg, shift, Opcode::Ushr).filter(|_| constant(dfg, other) == Some(1));
        let (number, bit) = match (one_shifted, shifted) {
            (Some([_, bit]), _) => (other, bit),
            (_, Some([number, bit])) => (number, bit),
            _ => return None,
        };
        constant(dfg, bit).is_none().then_some(BitTest { mask, number, bit })
    })
}
