//! Where the parameters of blocks get their values, and which other parameters they go on to.
//!
//! In: a function. Out: for each parameter of a block that control comes to by jumps, the parameters that it is an argument
//! for. One pass over the branches; what else is an argument is handed to the caller.

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{BlockArg, Function, Value, ValueDef};

use super::memory_accesses::of_values;

/// Which parameters are arguments for which.
pub(crate) struct GoesTo {
    /// One more than the place of a parameter's first step.
    first: SecondaryMap<Value, u32>,
    /// A parameter that it goes to, and one more than the place of the next step.
    steps: Vec<(Value, u32)>,
}

impl GoesTo {
    /// Finds them. `other` gets each parameter with an argument that is none; no argument is what a call results in.
    pub(crate) fn new(function: &Function, mut other: impl FnMut(Value, Option<Value>)) -> GoesTo {
        let dfg = &function.dfg;
        let entry = function.layout.entry_block();
        let mut found = GoesTo { first: of_values(dfg), steps: Vec::new() };
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
                        ValueDef::Param(from, _) if Some(from) != entry => {
                            found.steps.push((parameter, found.first[argument]));
                            found.first[argument] = found.steps.len() as u32;
                        }
                        _ => other(parameter, Some(argument)),
                    }
                }
            }
        }
        found
    }

    /// The parameters that this one goes to.
    pub(crate) fn of(&self, parameter: Value) -> impl Iterator<Item = Value> + '_ {
        let step = |place: u32| (place as usize).checked_sub(1).and_then(|place| self.steps.get(place));
        let steps = std::iter::successors(step(self.first[parameter]), move |(_, next)| step(*next));
        steps.map(|&(to, _)| to)
    }
}
