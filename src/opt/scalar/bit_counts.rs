//! Bits counted by shifts and masks: BPF has no instruction for it, so compilers write out what their builtins do.
//!
//! | value, `w` (32 or 64) bits | becomes |
//! |---|---|
//! | `x -= x >> 1 & 55..; x = (x & 33..) + (x >> 2 & 33..); (x + (x >> 4) & 0f..) * 0101.. >> w - 8` | `popcnt x` |
//! | that of `~(x \| x >> 1 \| ..)`: each of the shifts 1, 2, 4, .. `w / 2` of what is there so far | `clz x` |
//! | that of the same `& ~1` | `clz (x \| 1)` |
//!
//! The first step's shift and mask may be joined with those that made `x`. `popcnt` only where the processor has it: what
//! Cranelift makes else is the same again.
//!
//! Sound: the first is how many bits are set, in parallel (Warren, Hacker's Delight, 5-1); the bits of the second are all
//! ones from the highest one of `x` down, so its complement has as many as `x` has leading zeros; without its lowest bit
//! that is at most `w - 1`. One pass, over a bounded number of operands of each shift.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, ValueDef, types,
};

use crate::opt::ir::memory_accesses;
use crate::opt::memory::byte_provenance::constant;
use crate::opt::pass::PassContext;

/// How many copies of a half are looked through.
const DEPTH: usize = 8;

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
                let mut value = of_size(&mut cursor, from, ty);
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
                let of = of_size(&mut cursor, of, ty);
                let of = if with_one { cursor.ins().bor_imm_u(of, 1) } else { of };
                cursor.ins().clz(of)
            }
        };
        memory_accesses::replace(function, inst, new);
    }
}

/// A value, or the low half of a word that stands for it.
fn of_size(cursor: &mut FuncCursor<'_>, value: Value, ty: Type) -> Value {
    if cursor.func.dfg.value_type(value) == ty { value } else { cursor.ins().ireduce(ty, value) }
}

/// Looks at values of one size.
struct Finder<'f> {
    dfg: &'f DataFlowGraph,
    ty: Type,
    /// All bits of that size.
    ones: u64,
}

fn count(dfg: &DataFlowGraph, inst: Inst) -> Option<Count> {
    let InstructionData::Binary { opcode: Opcode::Ushr, .. } = dfg.insts[inst] else { return None };
    let root = dfg.first_result(inst);
    let ty = dfg.value_type(root);
    if !matches!(ty, types::I32 | types::I64) {
        return None;
    }
    Finder { dfg, ty, ones: u64::MAX >> (64 - ty.bits()) }.count(root)
}

impl Finder<'_> {
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
        // x is `from >> down & mask`, and what is taken from it is that, shifted down by one.
        let (high, fives) = self.with_constant(half, Opcode::Band)?;
        let (inner, mask) = self.with_constant(x, Opcode::Band).unwrap_or((x, self.ones));
        let (high, up) = self.shifted(high);
        let (from, down) =
            [self.shifted(inner), (inner, 0)].into_iter().find(|&it| it == (high, up.wrapping_sub(1)))?;
        // The mask matters where the shifted value may have ones.
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

    /// What a value is, with all bits below its highest one set.
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

    /// What a value is the complement of.
    fn complement(&self, value: Value) -> Option<Value> {
        match self.definition(value)? {
            InstructionData::Unary { opcode: Opcode::Bnot, arg } => Some(self.core(arg)),
            _ => self.with(value, Opcode::Bxor, self.ones),
        }
    }

    /// A number of this size that repeats a byte.
    fn repeated(&self, byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8]) & self.ones
    }

    /// A value, and what it is shifted down by.
    fn shifted(&self, value: Value) -> (Value, u64) {
        match self.with_constant(value, Opcode::Ushr) {
            Some((from, by)) if by < u64::from(self.ty.bits()) => (from, by),
            _ => (value, 0),
        }
    }

    /// A value that is combined with this number.
    fn with(&self, value: Value, wanted: Opcode, number: u64) -> Option<Value> {
        self.with_constant(value, wanted).filter(|found| found.1 == number).map(|found| found.0)
    }

    /// A value and the constant that it is combined with.
    fn with_constant(&self, value: Value, wanted: Opcode) -> Option<(Value, u64)> {
        let [left, right] = self.operands(value, wanted)?;
        let number = |value| constant(self.dfg, value).map(|number| number & self.ones);
        match number(right) {
            Some(number) => Some((left, number)),
            None if wanted != Opcode::Ushr => Some((right, number(left)?)),
            None => None,
        }
    }

    /// The operands of an instruction of this size.
    fn operands(&self, value: Value, wanted: Opcode) -> Option<[Value; 2]> {
        match self.definition(value)? {
            InstructionData::Binary { opcode, args } if opcode == wanted => Some(args.map(|arg| self.core(arg))),
            _ => None,
        }
    }

    /// The instruction of a value, if it is of this size.
    fn definition(&self, value: Value) -> Option<InstructionData> {
        match self.dfg.value_def(value) {
            ValueDef::Result(inst, _) if self.dfg.value_type(value) == self.ty => Some(self.dfg.insts[inst]),
            _ => None,
        }
    }

    /// What a value is a copy of; a word stands for its low half. BPF's 32-bit instructions make a word of each result, of
    /// which the next one takes the half.
    fn core(&self, value: Value) -> Value {
        let mut value = self.dfg.resolve_aliases(value);
        for _ in 0..DEPTH {
            let Some(word) = self.unary(value, Opcode::Ireduce) else { break };
            value = match self.unary(word, Opcode::Uextend) {
                Some(inner) if self.dfg.value_type(inner) == self.ty => inner,
                _ => return word,
            };
        }
        value
    }

    fn unary(&self, value: Value, wanted: Opcode) -> Option<Value> {
        match self.dfg.value_def(value) {
            ValueDef::Result(inst, _) => match self.dfg.insts[inst] {
                InstructionData::Unary { opcode, arg } if opcode == wanted => Some(self.dfg.resolve_aliases(arg)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// What is found of two values in one order or the other.
fn either<T>(left: Value, right: Value, find: impl Fn(Value, Value) -> Option<T>) -> Option<T> {
    find(left, right).or_else(|| find(right, left))
}
