//! Counters of 8 and 16 bits: masks that cut nothing off.
//!
//! BPF has no registers of 8 or 16 bits, so a counter `uint8_t i` of C's is masked where it is tested. With the mask, the number of
//! iterations is not known, and the loop is neither unrolled nor done in vectors.
//!
//! | in a loop that counts from a constant to a constant | becomes |
//! |---|---|
//! | `(i + a) & 0xff`, `& 0xffff`, that the exit test or the next `i` is computed from | `i + a`, computed once more |
//! | the same where one of the sums is negative, or has more bits | left |
//!
//! In: a function and its innermost loops. Out: the same with additions in place of such masks. Sound: without the masks, the loop
//! exits in an iteration that is known (`trip_count.rs`), and until then each sum is one that its mask leaves as it is; so by induction
//! over the iterations both loops compute the same. One pass over the loops, [`MAX_STEPS`] instructions for each.
//!
//! Measured: in `picojpeg` of Embench, three loops over 64 pixels become vectors.

use cranelift_codegen::ir::{
    Block, DataFlowGraph, Function, Inst, InstructionData, Opcode, Value, ValueDef, types,
};

use super::induction::{self, InductionVariables};
use super::trip_count::{ExitTest, initial_value};
use crate::opt::ir::edges::argument;
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::ir::operands::constant;

/// How many instructions a test or an increment is looked through.
const MAX_STEPS: usize = 8;

/// A mask of a counter.
struct Mask {
    inst: Inst,
    /// What it keeps.
    bits: u64,
    /// What is added to the counter before.
    ahead: i64,
}

/// Takes such masks out of the counters of loops.
pub(crate) fn run(function: &mut Function, loops: &[Loop]) {
    for inner in loops {
        let Some((parameter, masks)) = masks(function, inner) else { continue };
        let before: Vec<(Inst, InstructionData)> =
            masks.iter().map(|mask| (mask.inst, function.dfg.insts[mask.inst])).collect();
        let are_sums = masks.iter().all(|mask| repeat_operand(&mut function.dfg, mask.inst).is_some());
        if !are_sums || !cut_nothing(function, inner, parameter, &masks) {
            before.into_iter().for_each(|(inst, data)| function.dfg.insts[inst] = data);
        }
    }
}

/// The counter of a loop, and the masks that its exit test and its next value are computed with, if there are any.
fn masks(function: &Function, inner: &Loop) -> Option<(Value, Vec<Mask>)> {
    let (dfg, header) = (&function.dfg, inner.header());
    let &[branch] = &inner.exits[..] else { return None };
    let InstructionData::Brif { arg, .. } = dfg.insts[branch] else { return None };
    let ValueDef::Result(compare, _) = dfg.value_def(arg) else { return None };
    let InstructionData::IntCompare { args, .. } = dfg.insts[compare] else { return None };
    let [counted] =
        args.map(|side| counter(dfg, header, side)).into_iter().flatten().collect::<Vec<_>>().try_into().ok()?;
    let (parameter, mut masks): (Value, Vec<Mask>) = counted;
    let index = dfg.block_params(header).iter().position(|&value| value == parameter)?;
    let (root, others) = counter(dfg, header, argument(function, inner.latch, header, index)?)?;
    for mask in others {
        if masks.iter().all(|known| known.inst != mask.inst) {
            masks.push(mask);
        }
    }
    (root == parameter && !masks.is_empty()).then_some((parameter, masks))
}

/// The parameter of the header that a value is a sum of, and the masks on the way.
fn counter(dfg: &DataFlowGraph, header: Block, value: Value) -> Option<(Value, Vec<Mask>)> {
    let mut value = dfg.resolve_aliases(value);
    let (mut sum, mut masks) = (0_i64, Vec::new());
    for _ in 0..MAX_STEPS {
        let inst = match dfg.value_def(value) {
            ValueDef::Param(block, _) if block == header => {
                // What is added above a mask is not part of what it masks.
                masks.iter_mut().for_each(|mask: &mut Mask| mask.ahead = sum.wrapping_sub(mask.ahead));
                return Some((value, masks));
            }
            ValueDef::Result(inst, _) => inst,
            _ => return None,
        };
        let is_word = dfg.value_type(value) == types::I32 || dfg.value_type(value) == types::I64;
        let next = match dfg.insts[inst] {
            InstructionData::Unary { opcode: Opcode::Ireduce | Opcode::Uextend, arg } if is_word => arg,
            InstructionData::Binary { opcode: Opcode::Iadd, args: [left, right] } => {
                sum = sum.wrapping_add(induction::signed(dfg, right)?);
                left
            }
            InstructionData::Binary { opcode: Opcode::Isub, args: [left, right] } => {
                sum = sum.wrapping_sub(induction::signed(dfg, right)?);
                left
            }
            InstructionData::Binary { opcode: Opcode::Band, args: [left, right] } => {
                let bits = constant(dfg, right).filter(|bits| matches!(bits, 0xff | 0xffff))?;
                masks.push(Mask { inst, bits, ahead: sum });
                left
            }
            _ => return None,
        };
        value = dfg.resolve_aliases(next);
    }
    None
}

/// Makes an instruction do what that does which computes its first operand.
fn repeat_operand(dfg: &mut DataFlowGraph, inst: Inst) -> Option<()> {
    let ValueDef::Result(operand, _) = dfg.value_def(*dfg.inst_args(inst).first()?) else { return None };
    dfg.insts[inst] = dfg.insts[operand];
    Some(())
}

/// Whether a loop without these masks counts so that they would leave all sums as they are.
fn cut_nothing(function: &Function, inner: &Loop, parameter: Value, masks: &[Mask]) -> bool {
    let variables = InductionVariables::new(function, inner, &[]);
    let Some(test) = ExitTest::find(function, inner, &variables).filter(|test| test.counter == parameter) else {
        return false;
    };
    let start = initial_value(function, inner, test.index);
    let bound = induction::signed(&function.dfg, test.bound);
    let Some((start, bound)) = start.zip(bound) else { return false };
    let Some(last) = test.last_iteration(induction::wrapped(start, test.ty), bound) else { return false };
    masks.iter().all(|mask| {
        let sum_in = |iteration: u64| {
            i128::from(start) + i128::from(mask.ahead) + i128::from(iteration) * i128::from(test.step)
        };
        [0, last].into_iter().all(|iteration| (0..=i128::from(mask.bits)).contains(&sum_in(iteration)))
    }) && (0..=i64::from(u16::MAX)).contains(&start)
}
