//! Where what `bpf_throw` throws goes.
//!
//! In: the graphs of what is selected. Out: [`Graph::throwing`] and [`Graph::catches`].
//!
//! | a function | does |
//! |---|---|
//! | that calls `bpf_throw`, or a function that passes on what it throws | asks after each such call whether something was thrown; then it |
//! | ... if it is a program (in a section other than `.text`) | catches it, and returns what its callback makes of it |
//! | ... if its address is taken (a callback of a helper) | ends the process: a verifier refuses such programs |
//! | ... else | returns, to one that asks |
//!
//! A kernel unwinds the stack to the program's frame instead, so that what does not throw costs nothing. Here it costs calls, and only
//! where something may be thrown.

use crate::decode::insn::Insn;
use crate::graph::{Catch, Graph, Instruction};
use crate::program::{FunctionId, IdVec, Program, Target};

/// Marks what catches and what may throw. The rule: one step for each call.
pub fn mark(program: &Program, graphs: &mut [Graph]) {
    let Some(exceptions) = &program.exceptions else { return };
    let mut callers: IdVec<FunctionId, Vec<usize>> = program.functions.ids().map(|_| Vec::new()).collect();
    for (index, graph) in graphs.iter().enumerate() {
        for callee in graph.instructions.iter().filter_map(|instruction| callee(program, instruction)) {
            callers[callee].push(index);
        }
    }
    // Functions after whose calls is asked.
    let mut passes: IdVec<FunctionId, bool> = program.functions.ids().map(|_| false).collect();
    let mut pending = vec![exceptions.throw];
    while let Some(function) = pending.pop() {
        if std::mem::replace(&mut passes[function], true) {
            continue;
        }
        for &caller in &callers[function] {
            let graph = &mut graphs[caller];
            graph.catches = catches(program, graph.function);
            if graph.catches.is_none() {
                pending.push(graph.function);
            }
        }
    }
    for graph in graphs {
        let throws = |instruction: &&Instruction| callee(program, instruction).is_some_and(|callee| passes[callee]);
        graph.throwing = graph.instructions.iter().filter(throws).map(|instruction| instruction.offset).collect();
    }
}

/// What becomes of what reaches a function.
fn catches(program: &Program, id: FunctionId) -> Option<Catch> {
    let function = &program.functions[id];
    let section = &program.code[function.section].name;
    match function.address_taken {
        _ if !section.starts_with(".text") => Some(Catch::Program),
        true => Some(Catch::Stray),
        false => None,
    }
}

/// Whether a function calls `bpf_throw` itself.
pub fn calls_throw(program: &Program, instruction: &Instruction) -> bool {
    let throw = program.exceptions.as_ref().map(|exceptions| exceptions.throw);
    throw.is_some() && callee(program, instruction) == throw
}

/// The program's function that an instruction calls.
fn callee(program: &Program, instruction: &Instruction) -> Option<FunctionId> {
    match (instruction.insn, instruction.target?) {
        (Insn::Call(_), Target::Function(function)) => Some(function),
        (Insn::Call(_), Target::Import { import, addend: 0 }) => program.imports[import].alias_of,
        _ => None,
    }
}
