//! Where control may stop.
//!
//! In: graphs. Out: which calls may not come back. Those of functions of the program do, if all that these call, and so on, are
//! functions of the program: a loop that does not end, or a fault, leaves no counts behind.

use std::collections::BTreeSet;

use crate::abi::helpers::TAIL_CALL;
use crate::decode::insn::{Callee, Insn};
use crate::graph::{CallGraph, Graph, Instruction};
use crate::program::{Binding, FunctionId, Program, Target};

/// Whether an instruction calls something.
pub(super) fn has_call(instruction: &Instruction) -> bool {
    matches!(instruction.insn, Insn::Call(_) | Insn::LoadPacket { .. })
}

/// Whether it is a tail call, which comes back only when it finds nothing.
pub(super) fn is_tail_call(instruction: &Instruction) -> bool {
    instruction.insn == Insn::Call(Callee::Helper(TAIL_CALL))
}

/// The functions whose calls come back.
pub(super) struct Returning(BTreeSet<FunctionId>);

impl Returning {
    /// Finds them among the functions of these graphs.
    pub(super) fn of(program: &Program, graphs: &[Graph]) -> Returning {
        let is_own = |instruction: &Instruction| {
            own_callee(instruction).is_some_and(|callee| {
                program.functions[callee].binding != Binding::Weak && !program.is_runtime_function(callee)
            })
        };
        let calls = CallGraph::new(graphs);
        let mut returns: Vec<bool> = graphs.iter().map(|graph| calls_only(graph, is_own)).collect();
        // Callees come first, and a group of functions that call each other returns if each of them does: what these call of the group
        // is asked as one of them.
        for group in &calls.groups {
            let all = group.iter().all(|&function| {
                returns[function] && calls.callees[function].iter().all(|&callee| returns[callee])
            });
            group.iter().for_each(|&function| returns[function] = all);
        }
        let returning = graphs.iter().zip(returns).filter(|(_, returns)| *returns);
        Returning(returning.map(|(graph, _)| graph.function).collect())
    }

    /// Whether control may come to an instruction and not to what follows it.
    pub(super) fn may_stop(&self, instruction: &Instruction) -> bool {
        has_call(instruction) && !own_callee(instruction).is_some_and(|callee| self.0.contains(&callee))
    }
}

/// Whether a function has no other calls than such.
fn calls_only(graph: &Graph, is_own: impl Fn(&Instruction) -> bool) -> bool {
    graph.instructions.iter().all(|instruction| !has_call(instruction) || is_own(instruction))
}

/// The function of the program that an instruction calls.
fn own_callee(instruction: &Instruction) -> Option<FunctionId> {
    match (instruction.insn, instruction.target) {
        (Insn::Call(_), Some(Target::Function(callee))) if !is_tail_call(instruction) => Some(callee),
        _ => None,
    }
}
