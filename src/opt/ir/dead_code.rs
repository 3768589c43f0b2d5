//! Removes instructions that only compute a value which nothing uses.
//!
//! In: a function. Out: the same without them. What is computed only for such instructions goes too. One pass backwards over
//! the layout; a use that lies before its definition there may leave an instruction, which Cranelift's optimiser removes.

use cranelift_codegen::ir::{Block, Function, Inst};

use super::effects::is_pure;
use super::operands::each_operand;
use super::uses::use_counts;

/// Removes them.
pub(crate) fn remove_dead_code(function: &mut Function) {
    let mut counts = use_counts(function);
    let blocks: Vec<Block> = function.layout.blocks().collect();
    for block in blocks.into_iter().rev() {
        let insts: Vec<Inst> = function.layout.block_insts(block).collect();
        for inst in insts.into_iter().rev() {
            let dfg = &function.dfg;
            let results = dfg.inst_results(inst);
            let is_used = results.is_empty() || results.iter().any(|&result| counts[result] > 0);
            if is_used || !is_pure(dfg, inst) {
                continue;
            }
            each_operand(dfg, inst, |value| counts[dfg.resolve_aliases(value)] -= 1);
            function.layout.remove_inst(inst);
        }
    }
}
