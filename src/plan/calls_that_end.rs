//! Calls that control does not come back from.
//!
//! In: the graphs of what is translated, and who defines which name. Out: [`CallsThatEnd`]: the functions of the program that do not return,
//! and for an instruction, whether it is a call of one that does not. The rule: a function does not return if no path from its entry leads
//! to its `exit`, where a path ends with a call that does not return: of libc's functions, by what is believed of them
//! ([`Facts::ends`](crate::abi::libc::Facts::ends)), and of the program's own, by this.
//!
//! A function that a link may replace may return, and so may one with a tail call or a load from a packet, which leave it. Of functions
//! that call each other in a circle, each is taken to return. Linear: each block is visited once.

use crate::abi::helpers;
use crate::decode::insn::{Callee, Insn};
use crate::graph::{CallGraph, Graph, Instruction, Terminator};
use crate::program::{FunctionId, IdVec, Program, Target};
use crate::resolution::Resolution;

/// Which functions of a program do not return.
pub struct CallsThatEnd<'a> {
    resolution: &'a Resolution,
    does_not_return: IdVec<FunctionId, bool>,
}

impl<'a> CallsThatEnd<'a> {
    /// Finds them among the functions that have these graphs.
    pub fn find(program: &Program, resolution: &'a Resolution, graphs: &[Graph]) -> CallsThatEnd<'a> {
        let does_not_return = program.functions.ids().map(|_| false).collect();
        let mut found = CallsThatEnd { resolution, does_not_return };
        let returns =
            |graph: &Graph| graph.blocks.iter().any(|block| matches!(block.terminator, Terminator::Return));
        if !program.imports.ids().any(|import| resolution.facts(import).ends) && graphs.iter().all(returns) {
            return found;
        }
        for group in CallGraph::new(graphs).groups {
            for graph in group.into_iter().map(|index| &graphs[index]) {
                let function = graph.function;
                let is_replaceable = resolution.is_replaceable(&program.functions[function]);
                found.does_not_return[function] = !is_replaceable && !found.may_return(graph);
            }
        }
        found
    }

    /// Whether an instruction is a call that surely does not return.
    pub(super) fn is_end(&self, instruction: &Instruction) -> bool {
        matches!(instruction.insn, Insn::Call(_))
            && match instruction.target {
                Some(Target::Function(function)) => self.does_not_return[function],
                target => self.resolution.facts_of(target).ends,
            }
    }

    /// Whether control may come back from a function.
    fn may_return(&self, graph: &Graph) -> bool {
        let leaves = |instruction: &Instruction| {
            matches!(instruction.insn, Insn::LoadPacket { .. } | Insn::Call(Callee::Helper(helpers::TAIL_CALL)))
        };
        if graph.blocks.is_empty() || graph.instructions.iter().any(leaves) {
            return true;
        }
        let mut is_seen = vec![false; graph.blocks.len()];
        let mut pending = vec![0];
        while let Some(index) = pending.pop() {
            let block = &graph.blocks[index];
            if std::mem::replace(&mut is_seen[index], true)
                || graph.instructions_of(block).iter().any(|instruction| self.is_end(instruction))
            {
                continue;
            }
            if matches!(block.terminator, Terminator::Return) {
                return true;
            }
            pending.extend(block.terminator.successors());
        }
        false
    }
}
