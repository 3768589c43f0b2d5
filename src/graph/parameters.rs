//! What functions read of r1 to r5 at entry, seen through the calls of each other.
//!
//! In: graphs, each made on its own. Out: [`Graph::live_in`] and [`Graph::surely_read`] as they are when a call of a function
//! of the program reads what that function does. So callers pass no more than that, and do not keep it for that; and what
//! is passed on to a function that reads it is read.
//!
//! A call reads of its caller's parameters those that still are where they were at entry. Which ones these are is found once
//! for each function; then what a callee reads goes to its callers until nothing grows, which is the smallest solution. A
//! set grows five times at most, so that is linear in the number of calls.
//!
//! A function that a link may replace may read more then: a call of one counts as reading all, in `live_in`. What has no value when a
//! function is entered is no parameter of it (`defined.rs`).

use super::defined;
use super::liveness::{self, Calls, Code, written};
use super::model::Graph;
use super::registers::RegSet;
use crate::decode::insn::{Insn, Reg};
use crate::program::{FunctionId, IdVec, Program, Target};
use crate::resolution::Resolution;

/// For each function, the calls of it in the code of others: where their graphs are, and which of r1 to r5 may still be what
/// they were at entry there.
pub struct Callers(IdVec<FunctionId, Vec<(usize, RegSet)>>);

impl Callers {
    /// Finds the calls.
    pub fn of(program: &Program, graphs: &[Graph]) -> Callers {
        let mut callers: IdVec<FunctionId, Vec<(usize, RegSet)>> =
            program.functions.ids().map(|_| Vec::new()).collect();
        for (index, graph) in graphs.iter().enumerate() {
            for (callee, kept) in kept_at_calls(graph) {
                callers[callee].push((index, kept));
            }
        }
        Callers(callers)
    }
}

/// Finds out what each function may read: its parameters.
pub fn find(program: &Program, resolution: &Resolution, callers: &Callers, graphs: &mut [Graph]) {
    // Those that are replaced, or are in no graph, read all.
    let mut is_known: IdVec<FunctionId, bool> = program.functions.ids().map(|_| false).collect();
    for graph in graphs.iter() {
        is_known[graph.function] = !resolution.is_replaceable(&program.functions[graph.function]);
    }
    let by_calls = program.functions.ids().map(|function| is_known[function].then_some(RegSet::EMPTY)).collect();
    let defined = defined::find(program, resolution, graphs);
    // What has no code, since it is not translated, has the parameters of its type.
    for graph in graphs.iter_mut().filter(|graph| !graph.blocks.is_empty()) {
        let read = liveness::at_entry(Code::of(graph, program), Calls::Known(&by_calls));
        let undefined = RegSet::of(Reg::arguments()).minus(defined[graph.function]);
        graph.live_in = read.minus(undefined);
    }
    let given = |function| defined[function];
    pass_up(callers, graphs, |function| is_known[function], given, |graph| &mut graph.live_in);
}

/// Finds out what each function reads for certain.
pub fn find_surely_read(callers: &Callers, graphs: &mut [Graph]) {
    let all = RegSet::of(Reg::arguments());
    pass_up(callers, graphs, |_| true, |_| all, |graph| &mut graph.surely_read);
}

/// Adds to what each function reads what the known functions that it calls do; it reads no more of r1 to r5 than `given`.
fn pass_up(
    callers: &Callers,
    graphs: &mut [Graph],
    is_known: impl Fn(FunctionId) -> bool,
    given: impl Fn(FunctionId) -> RegSet,
    read: impl Fn(&mut Graph) -> &mut RegSet,
) {
    let mut pending: Vec<usize> = (0..graphs.len()).collect();
    while let Some(index) = pending.pop() {
        let (function, by_callee) = (graphs[index].function, *read(&mut graphs[index]));
        if !is_known(function) {
            continue;
        }
        for &(caller, kept) in &callers.0[function] {
            let kept = kept.intersection(given(graphs[caller].function));
            let known = read(&mut graphs[caller]);
            let more = known.union(kept.intersection(by_callee));
            if more != *known {
                *known = more;
                pending.push(caller);
            }
        }
    }
}

/// The direct calls of functions of the program, and which of r1 to r5 may still be what they were at entry there.
fn kept_at_calls(graph: &Graph) -> Vec<(FunctionId, RegSet)> {
    let mut calls = Vec::new();
    let mut at_start = vec![RegSet::EMPTY; graph.blocks.len()];
    let (Some(entry), mut pending) = (at_start.first_mut(), vec![0]) else { return calls };
    *entry = RegSet::of(Reg::arguments());
    let at_end = |block: usize, mut kept: RegSet, calls: &mut Vec<(FunctionId, RegSet)>| {
        let block = &graph.blocks[block];
        for instruction in &graph.instructions[block.start..block.end] {
            if let (Insn::Call(_), Some(Target::Function(callee))) = (instruction.insn, instruction.target)
                && kept != RegSet::EMPTY
            {
                calls.push((callee, kept));
            }
            kept = kept.minus(written(instruction.insn));
        }
        kept
    };
    // Where a block is looked at again, so are its calls: the later set holds the earlier one.
    while let Some(index) = pending.pop() {
        let kept = at_end(index, at_start[index], &mut calls);
        for successor in graph.blocks[index].terminator.successors() {
            let more = at_start[successor].union(kept);
            if more != at_start[successor] {
                at_start[successor] = more;
                pending.push(successor);
            }
        }
    }
    calls
}
