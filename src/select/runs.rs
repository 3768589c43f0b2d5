//! Which functions begin a run of tail calls.
//!
//! In: the graphs of what is selected. Out: [`Graph::opens_run`]. A kernel counts tail calls from the entry of the outermost program on,
//! those of its functions among them, whether or not these have returned. The runtime counts while something is open
//! (`runtime/helpers/tail_call.c`): so a program is open from its entry to its end if functions that it calls make tail calls. Where
//! only the program itself does that, its one successful tail call is what is open, and nothing has to be added.

use crate::graph::Graph;
use crate::lift::call;
use crate::program::{FunctionId, IdVec, Program, Target, kinds};

/// Marks the programs that begin a run. The rule: one step for each call.
pub fn mark(program: &Program, graphs: &mut [Graph]) {
    if program.tail_enter.is_none() {
        return;
    }
    let mut callers: IdVec<FunctionId, Vec<FunctionId>> = program.functions.ids().map(|_| Vec::new()).collect();
    let mut pending = Vec::new();
    for graph in graphs.iter() {
        for instruction in &graph.instructions {
            if call::tail_return(program, instruction).is_some() {
                pending.push(graph.function);
            } else if let Some(Target::Function(callee)) = instruction.target {
                callers[callee].push(graph.function);
            }
        }
    }
    let mut makes: IdVec<FunctionId, bool> = program.functions.ids().map(|_| false).collect();
    let mut calls_one: IdVec<FunctionId, bool> = program.functions.ids().map(|_| false).collect();
    while let Some(function) = pending.pop() {
        if std::mem::replace(&mut makes[function], true) {
            continue;
        }
        for &caller in &callers[function] {
            calls_one[caller] = true;
            pending.push(caller);
        }
    }
    for graph in graphs.iter_mut().filter(|graph| calls_one[graph.function]) {
        let section = &program.code[program.functions[graph.function].section].name;
        graph.opens_run = kinds::of_section(section).is_some();
    }
}
