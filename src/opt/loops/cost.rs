//! What an iteration of a loop costs, and whether cloning iterations can pay.
//!
//! In: a loop and its induction variables. Out: instructions, cycles.

use std::collections::HashMap;

use cranelift_codegen::ir::{Function, Opcode, Value, ValueDef};

use super::induction::InductionVariables;
use super::trip_count::ExitTest;
use crate::opt::ir::edges::argument;
use crate::opt::ir::effects::{is_free, is_pure, latency};
use crate::opt::ir::loop_discovery::Loop;

/// Roughly the native instructions of one more iteration; `dropped` is an exit test that it does without.
pub(crate) fn iteration_cost(
    function: &Function,
    inner: &Loop,
    variables: &InductionVariables,
    dropped: Option<&ExitTest>,
) -> u64 {
    let dfg = &function.dfg;
    let branch = dropped.map(|test| test.branch);
    let comparison = branch.and_then(|branch| match dfg.value_def(*dfg.inst_args(branch).first()?) {
        ValueDef::Result(inst, _) => Some(inst),
        _ => None,
    });
    let insts = inner.blocks.iter().flat_map(|&block| function.layout.block_insts(block));
    let costs = insts.map(|inst| match dfg.insts[inst].opcode() {
        opcode if is_free(opcode) || matches!(opcode, Opcode::Jump | Opcode::SequencePoint) => 0,
        _ if Some(inst) == branch || Some(inst) == comparison => 0,
        _ if is_pure(dfg, inst)
            && dfg.inst_results(inst).iter().all(|&result| variables.step_inside(result).is_some()) =>
        {
            0
        }
        _ => 1,
    });
    costs.sum()
}

/// The latency of the loop's recurrences, in cycles: the longest path from a parameter of the header to its next value, other
/// than those of induction variables. An iteration depends on the previous one for so long.
pub(crate) fn recurrence_latency(function: &Function, inner: &Loop, variables: &InductionVariables) -> u64 {
    let (dfg, header) = (&function.dfg, inner.header());
    let mut longest = 0;
    for (index, &parameter) in dfg.block_params(header).iter().enumerate() {
        let Some(next) = argument(function, inner.latch, header, index) else { continue };
        if variables.step_inside(parameter).is_some() || variables.low_steps.contains_key(&parameter) {
            continue;
        }
        let mut at: HashMap<Value, u64> = HashMap::from([(parameter, 0)]);
        for inst in inner.blocks.iter().flat_map(|&block| function.layout.block_insts(block)) {
            let Some(before) = dfg.inst_values(inst).filter_map(|value| at.get(&value)).max().copied() else {
                continue;
            };
            let after = before + u64::from(latency(dfg.insts[inst].opcode()));
            at.extend(dfg.inst_results(inst).iter().map(|&result| (result, after)));
        }
        longest = longest.max(at.get(&next).copied().unwrap_or_default());
    }
    longest
}
