//! Loop-invariant parameters: what an innermost loop passes on unchanged is used from outside.
//!
//! Lifted code has a parameter for each register that is live in a loop, although most loops change few of them. Where iterations are
//! cloned, each one passes them on to the next one and to each exit, which costs moves in every round, and registers.
//!
//! | parameter of a loop's header | becomes |
//! |---|---|
//! | the same value on all entry edges, and itself on the back edge | that value |
//!
//! Parameters of loops around stay, and of loops that call: there they are places where a value may be moved to memory and back (`queens`
//! executed 1.03 of its instructions without them).
//!
//! In: a function and its innermost loops. Out: the same without such parameters; aliases of them are left to be resolved. Sound: by
//! induction over the iterations the parameter is that value, whose definition dominates all entry edges, and so the header. One pass over
//! the branches.

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, Function, Inst, Value};

use super::cloning::can_be_cloned;
use crate::opt::ir::edges::{argument, remove_arguments};
use crate::opt::ir::loop_discovery::Loop;

/// Removes the parameters; says whether there were any.
pub(crate) fn remove(function: &mut Function, loops: &[Loop]) -> bool {
    // The indices of removed parameters, the last one first.
    let mut removed: SecondaryMap<Block, Vec<usize>> = SecondaryMap::new();
    let mut has_removed = false;
    for inner in loops {
        if !can_be_cloned(function, inner) {
            continue;
        }
        let header = inner.header();
        for index in (0..function.dfg.num_block_params(header)).rev() {
            let Some(value) = invariant(function, inner, index) else { continue };
            let parameter = function.dfg.block_params(header)[index];
            removed[header].push(index);
            has_removed = true;
            function.dfg.remove_block_param(parameter);
            function.dfg.change_to_alias(parameter, value);
        }
    }
    if has_removed {
        let branches: Vec<Inst> =
            function.layout.blocks().filter_map(|block| function.layout.last_inst(block)).collect();
        branches.into_iter().for_each(|branch| remove_arguments(function, branch, &removed));
    }
    has_removed
}

/// The value that a parameter of the header has in all iterations. Arguments of the header have not been removed yet.
fn invariant(function: &Function, inner: &Loop, index: usize) -> Option<Value> {
    let (dfg, header) = (&function.dfg, inner.header());
    let parameter = dfg.block_params(header)[index];
    let passed = |branch| argument(function, branch, header, index).map(|value| dfg.resolve_aliases(value));
    let value = passed(*inner.entries.first()?)?;
    let is_same = value != parameter && inner.entries.iter().all(|&entry| passed(entry) == Some(value));
    (is_same && passed(inner.latch) == Some(parameter)).then_some(value)
}
