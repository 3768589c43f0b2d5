//! Redundant masks: of bits that are 0 on all ways.
//!
//! C's narrow types are masks in BPF, which has words only: a `u16` that goes around a loop is masked in each iteration, and so is a boolean
//! that comes from two ways.
//!
//! | value | becomes |
//! |---|---|
//! | `x & m`, where `x` has no bit that `m` has not | `x` |
//! | the low 32 bits of `x`, zero-extended, where `x` has no other | `x` |
//!
//! Only where `x` comes from a block parameter, a select or a count of bits: what is masked within a block is found by
//! `memory/load_combining.rs`.
//!
//! In: a function. Out: the same without such masks. Sound: it is the same number (`ir/possible_bits.rs`). One pass over the instructions,
//! and one over the block arguments of functions that have such a mask.

use cranelift_codegen::ir::{
    Block, DataFlowGraph, Function, Inst, InstructionData, Opcode, Value, ValueDef, types,
};

use crate::opt::ir::operands::{constant, replace_inst, unary_operand};
use crate::opt::ir::possible_bits::PossibleBits;
use crate::opt::pass::PassContext;

/// How many conversions are looked through to find what a mask is of.
const MAX_CONVERSIONS: usize = 4;

/// A mask: an instruction whose result is what it masks, if nothing is masked off.
struct Mask {
    inst: Inst,
    value: Value,
    keeps: u64,
}

/// Runs the pass.
pub(crate) fn run(function: &mut Function, _: &mut PassContext<'_>) {
    let blocks = || function.layout.blocks();
    let masks: Vec<Mask> = blocks()
        .flat_map(|block| function.layout.block_insts(block))
        .filter_map(|inst| mask(function, inst))
        .collect();
    if masks.is_empty() {
        return;
    }
    let bits = PossibleBits::new(function);
    let dfg = &function.dfg;
    let redundant: Vec<Mask> =
        masks.into_iter().filter(|mask| bits.of(dfg, mask.value) & !mask.keeps == 0).collect();
    for mask in redundant {
        replace_inst(function, mask.inst, mask.value);
    }
}

/// What an instruction masks, if it does.
fn mask(function: &Function, inst: Inst) -> Option<Mask> {
    let dfg = &function.dfg;
    let (value, keeps) = match dfg.insts[inst] {
        InstructionData::Binary { opcode: Opcode::Band, args: [left, right] } => {
            match (constant(dfg, left), constant(dfg, right)) {
                (None, Some(keeps)) => (left, keeps),
                (Some(keeps), None) => (right, keeps),
                _ => return None,
            }
        }
        InstructionData::Unary { opcode: Opcode::Uextend, arg } if dfg.value_type(arg) == types::I32 => {
            let wide = unary_operand(dfg, arg, Opcode::Ireduce)?;
            (dfg.value_type(wide) == types::I64).then_some((wide, u64::from(u32::MAX)))?
        }
        _ => return None,
    };
    let value = dfg.resolve_aliases(value);
    is_joined(dfg, value, function.layout.entry_block()).then_some(Mask { inst, value, keeps })
}

/// Whether a value comes from a parameter, a select or a count, perhaps converted.
fn is_joined(dfg: &DataFlowGraph, mut value: Value, entry: Option<Block>) -> bool {
    for _ in 0..MAX_CONVERSIONS {
        match dfg.value_def(value) {
            ValueDef::Param(block, _) => return Some(block) != entry,
            ValueDef::Result(inst, _) => match dfg.insts[inst] {
                InstructionData::Unary { opcode: Opcode::Uextend | Opcode::Ireduce, arg } => value = arg,
                InstructionData::Unary { opcode, .. } => {
                    return matches!(opcode, Opcode::Popcnt | Opcode::Clz | Opcode::Ctz);
                }
                InstructionData::Ternary { opcode, .. } => return opcode == Opcode::Select,
                _ => return false,
            },
            ValueDef::Union(..) => return false,
        }
    }
    false
}
