//! The phi graph: which block parameters are arguments for which others.
//!
//! In: a function. Out: for each parameter of a block other than the entry, the parameters that it is passed to. One pass over
//! the edges; arguments that are no such parameters are given to the caller.

use cranelift_codegen::ir::{BlockArg, Function, Value, ValueDef};

use super::value_lists::ValueLists;

/// Which parameters are passed to which.
pub(crate) struct PhiGraph(ValueLists);

impl PhiGraph {
    /// Builds the graph. `other` gets each parameter with an argument that is no parameter; the argument is none if it is
    /// the result of a call (`try_call`).
    pub(crate) fn new(function: &Function, mut other: impl FnMut(Value, Option<Value>)) -> PhiGraph {
        let dfg = &function.dfg;
        let entry = function.layout.entry_block();
        let mut users = ValueLists::new(dfg);
        for block in function.layout.blocks() {
            let Some(last) = function.layout.last_inst(block) else { continue };
            for call in dfg.insts[last].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
                if call.len(&dfg.value_lists) == 0 {
                    continue;
                }
                let to = dfg.block_params(call.block(&dfg.value_lists));
                for (&parameter, argument) in to.iter().zip(call.args(&dfg.value_lists)) {
                    let BlockArg::Value(argument) = argument else {
                        other(parameter, None);
                        continue;
                    };
                    let argument = dfg.resolve_aliases(argument);
                    match dfg.value_def(argument) {
                        ValueDef::Param(from, _) if Some(from) != entry => users.add(argument, parameter),
                        _ => other(parameter, Some(argument)),
                    }
                }
            }
        }
        PhiGraph(users)
    }

    /// The parameters that this one is passed to.
    pub(crate) fn users(&self, parameter: Value) -> impl Iterator<Item = Value> + '_ {
        self.0.of(parameter)
    }
}
