//! Expensive values that Cranelift would compute several times.
//!
//! Cranelift computes a pure value where it is used. Where two uses lie on paths neither of which leads to the other, it
//! computes the value on both, and once more after the paths meet: a remainder that BPF computed once is computed again at
//! each check against it.
//!
//! In: a function, its dominators, loops and uses. Out: the instructions whose 64-bit results cost [`MIN_COST`] or more,
//! together with what only they use, and whose uses lie on separate paths. Left out are values that do not change in their
//! loop, which are to be hoisted out of it, and cheap ones: computing them again is cheaper than a register. One pass over the
//! dominator tree.

use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Function, Inst, Opcode, Value, ValueDef, types};
use cranelift_codegen::loop_analysis::LoopAnalysis;

use crate::opt::ir::effects::{is_free, is_pure};
use crate::opt::ir::operands::{constant, defining_block};
use crate::opt::ir::uses::Uses;

/// The least cost, in simple instructions, of a value that is worth a register.
const MIN_COST: u32 = 4;

/// The instructions in question.
pub(crate) fn rematerialised(
    function: &Function,
    dominators: &DominatorTree,
    loops: &LoopAnalysis,
    uses: &SecondaryMap<Value, Uses>,
) -> Vec<Inst> {
    let dfg = &function.dfg;
    let mut found = Vec::new();
    for &block in dominators.cfg_rpo() {
        for inst in function.layout.block_insts(block) {
            let &[result] = dfg.inst_results(inst) else { continue };
            if !uses[result].on_separate_paths
                || dfg.value_type(result) != types::I64
                || !is_expensive(function, uses, inst)
            {
                continue;
            }
            let changes = |&value: &Value| {
                let around = loops.innermost_loop(block);
                let definition = defining_block(function, dfg.resolve_aliases(value));
                around
                    .is_none_or(|around| definition.is_some_and(|definition| loops.is_in_loop(definition, around)))
            };
            if dfg.inst_args(inst).iter().any(changes) {
                found.push(inst);
            }
        }
    }
    found
}

/// Whether a value that has several uses costs [`MIN_COST`], together with what only it uses. No other value uses that too,
/// so all calls together visit each instruction once.
fn is_expensive(function: &Function, uses: &SecondaryMap<Value, Uses>, inst: Inst) -> bool {
    let dfg = &function.dfg;
    let mut sum = 0;
    let mut pending = vec![inst];
    while let Some(inst) = pending.pop() {
        let divisor = divisor(function, inst);
        if !is_pure(dfg, inst) && divisor.is_none() {
            continue;
        }
        sum += match dfg.insts[inst].opcode() {
            opcode if is_free(opcode) => 0,
            Opcode::Imul | Opcode::Smulhi | Opcode::Umulhi => 3,
            _ if divisor.is_some_and(|divisor| !divisor.is_power_of_two()) => 6,
            _ => 1,
        };
        if sum >= MIN_COST {
            return true;
        }
        for &value in dfg.inst_args(inst) {
            let value = dfg.resolve_aliases(value);
            if uses[value].count == 1
                && let ValueDef::Result(from, _) = dfg.value_def(value)
                && dfg.inst_results(from).len() == 1
            {
                pending.push(from);
            }
        }
    }
    false
}

/// The constant that an instruction divides by, if it is not 0: such a division becomes a multiplication.
fn divisor(function: &Function, inst: Inst) -> Option<u64> {
    let dfg = &function.dfg;
    match dfg.insts[inst].opcode() {
        Opcode::Udiv | Opcode::Urem | Opcode::Sdiv | Opcode::Srem => {
            dfg.inst_args(inst).get(1).and_then(|&divisor| constant(dfg, divisor)).filter(|&divisor| divisor != 0)
        }
        _ => None,
    }
}
