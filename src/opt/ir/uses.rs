//! How often values are used, and whether their uses lie on separate paths.
//!
//! In: a function. Out: a count for each value, and with dominators a [`Uses`]. One pass over the operands.

use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::entity::packed_option::PackedOption;
use cranelift_codegen::ir::{Block, Function, Value};

use super::operands::{each_operand, value_map};

/// How often each value is an operand or a block argument.
pub(crate) fn use_counts(function: &Function) -> SecondaryMap<Value, u32> {
    let dfg = &function.dfg;
    let mut counts: SecondaryMap<Value, u32> = value_map(dfg);
    for block in function.layout.blocks() {
        for inst in function.layout.block_insts(block) {
            each_operand(dfg, inst, |value| counts[dfg.resolve_aliases(value)] += 1);
        }
    }
    counts
}

/// The uses of a value in reachable blocks.
#[derive(Clone, Copy, Default)]
pub(crate) struct Uses {
    /// How many there are.
    pub(crate) count: u32,
    /// The block of the first one in reverse postorder.
    first: PackedOption<Block>,
    /// Whether there is one that the first one's block does not dominate.
    pub(crate) on_separate_paths: bool,
}

/// The uses of all values.
pub(crate) fn uses(function: &Function, dominators: &DominatorTree) -> SecondaryMap<Value, Uses> {
    let dfg = &function.dfg;
    let mut uses: SecondaryMap<Value, Uses> = value_map(dfg);
    for &block in dominators.cfg_rpo() {
        for inst in function.layout.block_insts(block) {
            each_operand(dfg, inst, |value| {
                let uses = &mut uses[dfg.resolve_aliases(value)];
                uses.count += 1;
                match uses.first.expand() {
                    None => uses.first = block.into(),
                    Some(first) => {
                        uses.on_separate_paths =
                            uses.on_separate_paths || first != block && !dominators.block_dominates(first, block);
                    }
                }
            });
        }
    }
    uses
}
