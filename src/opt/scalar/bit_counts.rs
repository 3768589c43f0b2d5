//! Bit-count idioms: BPF has no instruction for population counts and leading zeros, so compilers expand their builtins into
//! shifts and masks.
//!
//! | value, `w` (32 or 64) bits | becomes |
//! |---|---|
//! | `x -= x >> 1 & 55..; x = (x & 33..) + (x >> 2 & 33..); (x + (x >> 4) & 0f..) * 0101.. >> w - 8` | `popcnt x` |
//! | that of `~(x \| x >> 1 \| ..)`: each of the shifts 1, 2, 4, .. `w / 2` of what is there so far | `clz x` |
//! | that of the same `& ~1` | `clz (x \| 1)` |
//!
//! The first step's shift and mask may be combined with those that made `x`. `popcnt` only where the processor has it: otherwise
//! Cranelift expands it to the same code again.
//!
//! Sound: the first is how many bits are set, counted in parallel (Warren, Hacker's Delight, 5-1); the bits of the second are
//! all ones from the highest one of `x` down, so its complement has as many as `x` has leading zeros; without its lowest bit
//! that is at most `w - 1`. One pass, over a bounded number of operands of each shift.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, ValueDef, types,
};

use crate::opt::ir::operands::{constant, replace_inst, unary_operand};
use crate::opt::pass::PassContext;

/// How many zero-extended copies of a 32-bit value are looked through.
const MAX_COPIES: usize = 8;

/// What a value counts.
#[derive(Clone, Copy)]
enum Count {
    /// Ones of `from >> down & mask`.
    Ones { from: Value, down: u64, mask: u64 },
    /// Leading zeros, of the value, or of it with its lowest bit set.
    LeadingZeros { of: Value, with_one: bool },
}

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let mut found = Vec::new();
    for block in function.layout.blocks() {
        let insts = function.layout.block_insts(block);
        found.extend(insts.filter_map(|inst| Some((inst, count(&function.dfg, inst)?))));
    }
    if found.is_empty() {
        return;
    }
    if !context.facts.counts_ones {
        found.retain(|(_, count)| !matches!(count, Count::Ones { .. }));
    }
    for (inst, count) in found {
        let ty = function.dfg.value_type(function.dfg.first_result(inst));
        let location = function.srcloc(inst);
        let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
        let new = match count {
            Count::Ones { from, down, mask } => {
                let mut value = reduced_to(&mut cursor, from, ty);
                if down > 0 {
                    value = cursor.ins().ushr_imm_u(value, down as i64);
                }
                if mask != u64::MAX >> (64 - ty.bits()) {
                    let mask = cursor.ins().iconst(ty, mask as i64);
                    value = cursor.ins().band(value, mask);
                }
                cursor.ins().popcnt(value)
            }
            Count::LeadingZeros { of, with_one } => {
                let of = reduced_to(&mut cursor, of, ty);
                let of = if with_one { cursor.ins().bor_imm_u(of, 1) } else { of };
                cursor.ins().clz(of)
            }
        };
        replace_inst(function, inst, new);
    }
}

/// A value of this type, or the low bits of the 64-bit value that stands for it.
fn reduced_to(cursor: &mut FuncCursor<'_>, value: Value, ty: Type) -> Value {
    if cursor.func.dfg.value_type(value) == ty { value } else { cursor.ins().ireduce(ty, value) }
}

/// Matches values of one type.
struct Matcher<'f> {
    dfg: &'f DataFlowGraph,
    ty: Type,
    /// All bits of that type.
    ones: u64,
}

/// The count that an instruction is.
fn count(dfg: &DataFlowGraph, inst: Inst) -> Option<Count> {
    let InstructionData::Binary { opcode: Opcode::Ushr, .. } = dfg.insts[inst] else { return None };
    let root = dfg.first_result(inst);
    let ty = dfg.value_type(root);
    if !matches!(ty, types::I32 | types::I64) {
        return None;
    }
    Matcher { dfg, ty, ones: u64::MAX >> (64 - ty.bits()) }.count(root)
}

impl Matcher<'_> {
    /// Matches the shift that ends a population count, and what is counted.
    fn count(&self, root: Value) -> Option<Count> {
        let product = self.with(root, Opcode::Ushr, u64::from(self.ty.bits()) - 8)?;
        let bytes = self.with(product, Opcode::Imul, self.repeated(0x01))?;
        let sum = self.with(bytes, Opcode::Band, self.repeated(0x0f))?;
        let [left, right] = self.operands(sum, Opcode::Iadd)?;
        let fours = either(left, right, |whole, high| (self.shifted(high) == (whole, 4)).then_some(whole))?;
        let [left, right] = self.operands(fours, Opcode::Iadd)?;
        let twos = either(left, right, |low, high| {
            let [low, high] = [low, high].map(|side| self.with(side, Opcode::Band, self.repeated(0x33)));
            (self.shifted(high?) == (low?, 2)).then_some(low?)
        })?;
        let [x, half] = self.operands(twos, Opcode::Isub)?;
        // x is `from >> down & mask`, and what is subtracted from it is that, shifted right by one.
        let (high, fives) = self.with_constant(half, Opcode::Band)?;
        let (inner, mask) = self.with_constant(x, Opcode::Band).unwrap_or((x, self.ones));
        let (high, up) = self.shifted(high);
        let (from, down) =
            [self.shifted(inner), (inner, 0)].into_iter().find(|&it| it == (high, up.wrapping_sub(1)))?;
        // The mask matters only where the shifted value may have ones.
        let may = self.ones >> up;
        if fives & may != mask >> 1 & self.repeated(0x55) & may {
            return None;
        }
        let with_one = mask != self.ones;
        let zeros = || (down == 0 && mask | 1 == self.ones).then(|| self.smeared(self.complement(from)?))?;
        Some(match zeros() {
            Some(of) => Count::LeadingZeros { of, with_one },
            None => Count::Ones { from, down, mask },
        })
    }

    /// The value whose highest one bit has been smeared to all bits below it.
    fn smeared(&self, value: Value) -> Option<Value> {
        let mut value = value;
        let mut by = u64::from(self.ty.bits()) / 2;
        while by > 0 {
            let [left, right] = self.operands(value, Opcode::Bor)?;
            value = either(left, right, |whole, high| (self.shifted(high) == (whole, by)).then_some(whole))?;
            by /= 2;
        }
        Some(value)
    }

    /// The value whose complement this is.
    fn complement(&self, value: Value) -> Option<Value> {
        match self.definition(value)? {
            InstructionData::Unary { opcode: Opcode::Bnot, arg } => Some(self.uncopied(arg)),
            _ => self.with(value, Opcode::Bxor, self.ones),
        }
    }

    /// A byte repeated to this type.
    fn repeated(&self, byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8]) & self.ones
    }

    /// What a value is shifted right from, and by how much.
    fn shifted(&self, value: Value) -> (Value, u64) {
        match self.with_constant(value, Opcode::Ushr) {
            Some((from, by)) if by < u64::from(self.ty.bits()) => (from, by),
            _ => (value, 0),
        }
    }

    /// The other operand of an operation with this constant.
    fn with(&self, value: Value, wanted: Opcode, number: u64) -> Option<Value> {
        self.with_constant(value, wanted).filter(|found| found.1 == number).map(|found| found.0)
    }

    /// The operands of an operation with a constant.
    fn with_constant(&self, value: Value, wanted: Opcode) -> Option<(Value, u64)> {
        let [left, right] = self.operands(value, wanted)?;
        let number = |value| constant(self.dfg, value).map(|number| number & self.ones);
        match number(right) {
            Some(number) => Some((left, number)),
            None if wanted != Opcode::Ushr => Some((right, number(left)?)),
            None => None,
        }
    }

    /// The operands of an instruction of this type.
    fn operands(&self, value: Value, wanted: Opcode) -> Option<[Value; 2]> {
        match self.definition(value)? {
            InstructionData::Binary { opcode, args } if opcode == wanted => {
                Some(args.map(|arg| self.uncopied(arg)))
            }
            _ => None,
        }
    }

    /// The instruction that defines a value of this type.
    fn definition(&self, value: Value) -> Option<InstructionData> {
        match self.dfg.value_def(value) {
            ValueDef::Result(inst, _) if self.dfg.value_type(value) == self.ty => Some(self.dfg.insts[inst]),
            _ => None,
        }
    }

    /// What a value is a copy of; a 64-bit value stands for its low 32 bits. BPF's 32-bit instructions zero-extend each
    /// result, and the next one reduces it again.
    fn uncopied(&self, value: Value) -> Value {
        let mut value = self.dfg.resolve_aliases(value);
        for _ in 0..MAX_COPIES {
            let Some(wide) = unary_operand(self.dfg, value, Opcode::Ireduce) else { break };
            value = match unary_operand(self.dfg, wide, Opcode::Uextend) {
                Some(inner) if self.dfg.value_type(inner) == self.ty => inner,
                _ => return wide,
            };
        }
        value
    }
}

/// Matches two values in either order.
fn either<T>(left: Value, right: Value, find: impl Fn(Value, Value) -> Option<T>) -> Option<T> {
    find(left, right).or_else(|| find(right, left))
}
