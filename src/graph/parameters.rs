//! What functions read of r1 to r5 at entry, seen through the calls of each other.
//!
//! In: graphs, each made on its own, where a call of a function of the program counts as reading all of r1 to r5. Out:
//! [`Graph::live_in`] as it is when such a call reads what its callee does. So callers pass no more than that, and do not
//! keep it for that.
//!
//! The smallest solution, callees first; functions that call each other are gone through until nothing grows. A set grows
//! five times at most, so that ends; a group that takes longer than [`ROUNDS`] keeps what it had, which holds too.
//!
//! A function that a link may replace may read more then: a call of one still counts as reading all.

use super::Graph;
use super::calls::CallGraph;
use super::liveness::{self, Calls, RegSet};
use crate::program::{FunctionId, IdVec, Program};
use crate::select::resolution::Resolution;

/// How often the functions of a group that call each other are gone through.
const ROUNDS: usize = 8;

/// Finds out what each function reads.
pub fn find(program: &Program, resolution: &Resolution, graphs: &mut [Graph]) {
    let calls = CallGraph::new(graphs);
    // None: all of them, if it calls one that is not known.
    let mut reads: IdVec<FunctionId, Option<RegSet>> = program.functions.ids().map(|_| None).collect();
    let is_known = |function: FunctionId| !resolution.is_replaceable(&program.functions[function]);
    for group in &calls.groups {
        if let [only] = group[..]
            && calls.callees[only].is_empty()
        {
            let graph = &graphs[only];
            reads[graph.function] = is_known(graph.function).then_some(graph.live_in);
            continue;
        }
        let members = group.iter().map(|&index| graphs[index].function);
        members.filter(|&function| is_known(function)).for_each(|function| reads[function] = Some(RegSet::EMPTY));
        let before: Vec<RegSet> = group.iter().map(|&index| graphs[index].live_in).collect();
        let mut is_done = false;
        for _ in 0..ROUNDS {
            is_done = true;
            for &index in group {
                let graph = &mut graphs[index];
                let found = liveness::at_entry(graph.code(program), Calls::Known(&reads));
                graph.live_in = found;
                if let Some(known) = &mut reads[graph.function] {
                    is_done &= found == *known;
                    *known = found;
                }
            }
            is_done |= !calls.is_recursive(group);
            if is_done {
                break;
            }
        }
        if !is_done {
            for (&index, before) in group.iter().zip(before) {
                let graph = &mut graphs[index];
                graph.live_in = before;
                reads[graph.function] = reads[graph.function].and(Some(before));
            }
        }
    }
}
