//! Comparisons of floats: what is computed from the outcome of one becomes one comparison.
//!
//! BPF compares floats by functions (`__ltdf2`, `__unorddf2`, ...) whose result is compared with 0 or another constant, and
//! combines several of them, since no function says "less or unordered". Lifted (`lift/libcalls.rs`), these are comparisons,
//! selects of constants, and comparisons of these with constants.
//!
//! | value | becomes |
//! |---|---|
//! | a comparison of integers, or `band`, `bor`, `bxor` of such, that depends on the outcome of one comparison of two floats alone | `fcmp` with the condition that holds for the same outcomes, or a constant |
//! | a word that a branch or a select tests, if it depends on that alone | the same |
//! | a select by a condition that holds for unordered operands | the select by the opposite condition, its arms exchanged |
//!
//! In: a function. Out: the same with such comparisons. Sound: two floats are less, equal, greater or unordered; each value that
//! is computed by integer instructions from constants and comparisons of the same two floats is a function of these four
//! outcomes, which is computed for each of them. The operands of the comparison dominate whatever is computed from it. A select by
//! the opposite condition takes the other arm, for every outcome; Cranelift knows the least and the largest of two floats by
//! the conditions that do not hold for unordered ones. One pass over the blocks, dominators first; functions without a comparison of floats are left alone.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{
    Block, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Value, types,
};

use super::halves::forward;
use super::outcomes::{OUTCOMES, condition_of, outcomes_of};
use crate::opt::ir::dead_code::remove_dead_code;
use crate::opt::ir::evaluate::{evaluate, narrow};
use crate::opt::ir::insts::insts;
use crate::opt::ir::operands::{MAX_LOOK_THROUGH, each_operand, iconst, replace_inst, size_of, unary, value_map};
use crate::opt::pass::PassContext;

/// A value that the outcome of one comparison decides.
#[derive(Clone, Copy)]
struct Decided {
    /// The floats that are compared; none if the value is a constant.
    floats: Option<[Value; 2]>,
    /// What the value is for each outcome.
    numbers: [u64; OUTCOMES],
}

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let is_comparison = |inst: Inst| function.dfg.insts[inst].opcode() == Opcode::Fcmp;
    if !insts(function).any(is_comparison) {
        return;
    }
    forward(function);
    let blocks: Vec<Block> = context.analyses.control_flow(function).dominators.cfg_rpo().copied().collect();
    let mut decided: SecondaryMap<Value, Option<Decided>> = value_map(&function.dfg);
    for block in blocks {
        let insts: Vec<Inst> = function.layout.block_insts(block).collect();
        for inst in insts {
            if let [result] = *function.dfg.inst_results(inst) {
                decided[result] = decide(&function.dfg, &decided, inst);
            }
            rewrite(function, &mut decided, inst);
        }
    }
    remove_dead_code(function);
}

/// What is known of an instruction's result.
fn decide(dfg: &DataFlowGraph, decided: &SecondaryMap<Value, Option<Decided>>, inst: Inst) -> Option<Decided> {
    if let InstructionData::FloatCompare { cond, args, .. } = dfg.insts[inst] {
        if dfg.value_type(args[0]).is_vector() {
            return None;
        }
        return Some(Decided { floats: Some(args), numbers: outcomes_of(cond).map(u64::from) });
    }
    let ty = dfg.value_type(dfg.first_result(inst));
    size_of(ty)?;
    let mut floats: Option<[Value; 2]> = None;
    // Each operand as a function of the outcomes of the same comparison.
    let mut operands: Vec<(Value, [u64; OUTCOMES])> = Vec::new();
    let mut is_decided = true;
    each_operand(dfg, inst, |operand| {
        let found = decided[dfg.resolve_aliases(operand)].and_then(|of| of.compared_as(dfg, floats));
        is_decided &= found.is_some();
        if let Some(found) = found {
            floats = floats.or(found.floats);
            operands.push((operand, found.numbers));
        }
    });
    let is_constant = dfg.insts[inst].opcode() == Opcode::Iconst;
    if !is_decided || operands.is_empty() && !is_constant {
        return None;
    }
    let mut numbers = [0; OUTCOMES];
    for (outcome, number) in numbers.iter_mut().enumerate() {
        let of =
            |value| operands.iter().find(|(operand, _)| *operand == value).map(|(_, numbers)| numbers[outcome]);
        *number = narrow(evaluate(dfg, inst, of)?, ty);
    }
    let is_constant = numbers.iter().all(|&number| number == numbers[0]);
    Some(Decided { floats: floats.filter(|_| !is_constant), numbers })
}

impl Decided {
    /// The same, as a function of the outcomes of comparing `floats`, if it is one.
    fn compared_as(self, dfg: &DataFlowGraph, floats: Option<[Value; 2]>) -> Option<Decided> {
        let (Some(own), Some(wanted)) = (self.floats, floats) else { return Some(self) };
        let [own, wanted] = [own, wanted].map(|pair| pair.map(|float| word_of(dfg, float)));
        let [less, equal, greater, unordered] = self.numbers;
        if own == wanted {
            Some(Decided { floats, ..self })
        } else if own == [wanted[1], wanted[0]] {
            Some(Decided { floats, numbers: [greater, equal, less, unordered] })
        } else {
            None
        }
    }
}

/// What a float is the bits of: each call of a function that compares makes floats of the same words again. Two floats of different
/// formats are not made of one word and then compared.
fn word_of(dfg: &DataFlowGraph, float: Value) -> (Value, bool) {
    let is_wide = dfg.value_type(float) == types::F64;
    let mut value = dfg.resolve_aliases(float);
    for _ in 0..MAX_LOOK_THROUGH {
        value = match dfg.value_def(value).inst().map(|inst| dfg.insts[inst]) {
            Some(InstructionData::LoadNoOffset { opcode: Opcode::Bitcast, arg, .. }) => dfg.resolve_aliases(arg),
            _ => match unary(dfg, value) {
                Some((Opcode::Ireduce, arg)) if dfg.value_type(value) == types::I32 && !is_wide => arg,
                _ => break,
            },
        };
    }
    (value, is_wide)
}

/// Replaces what an instruction computes, or what it tests.
fn rewrite(function: &mut Function, decided: &mut SecondaryMap<Value, Option<Decided>>, inst: Inst) {
    let dfg = &function.dfg;
    match dfg.insts[inst].opcode() {
        Opcode::Icmp | Opcode::Band | Opcode::Bor | Opcode::Bxor => {
            let result = dfg.first_result(inst);
            let Some(known) = decided[result].filter(|known| known.numbers.iter().all(|&number| number <= 1))
            else {
                return;
            };
            if dfg.value_type(result) == types::I8 {
                let new = compare(function, inst, &known);
                replace_inst(function, inst, new);
                decided[new] = Some(known);
            }
        }
        Opcode::Select | Opcode::Brif => {
            let tested = dfg.resolve_aliases(dfg.inst_args(inst)[0]);
            let Some(known) = decided[tested] else { return };
            if known.floats.is_none() {
                return;
            }
            let is_select = dfg.insts[inst].opcode() == Opcode::Select;
            let exchanged = is_select && known.numbers[OUTCOMES - 1] != 0;
            let known = if exchanged {
                Decided { numbers: known.numbers.map(|number| u64::from(number == 0)), ..known }
            } else {
                known
            };
            let is_same = dfg.value_def(tested).inst().is_some_and(|inst| dfg.insts[inst].opcode() == Opcode::Fcmp);
            if is_same && !exchanged {
                return;
            }
            let new = compare(function, inst, &known);
            let arguments = function.dfg.inst_args_mut(inst);
            arguments[0] = new;
            if exchanged {
                arguments.swap(1, 2);
            }
        }
        _ => {}
    }
}

/// Inserts the comparison, before an instruction, whose result is 1 where the value is not 0.
fn compare(function: &mut Function, inst: Inst, known: &Decided) -> Value {
    let location = function.srcloc(inst);
    let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
    match (known.floats, condition_of(known.numbers.map(|number| number != 0))) {
        (Some([left, right]), Some((cond, swap))) => {
            let (left, right) = if swap { (right, left) } else { (left, right) };
            cursor.ins().fcmp(cond, left, right)
        }
        _ => iconst(&mut cursor, types::I8, i64::from(known.numbers[0] != 0)),
    }
}
