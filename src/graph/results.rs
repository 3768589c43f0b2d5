//! Functions whose result nobody reads: what BPF leaves in r0 where C has `void`, and results that all callers drop.
//!
//! In: all graphs of a program. Out: [`Graph::has_result`]. Such a function returns nothing, does not compute what it would
//! have returned, and does not keep r0 for that through the loops before its end.
//!
//! | a function has a result if | why |
//! |---|---|
//! | code outside the program may call it | BTF says `void` also of functions that return structs or C++ references |
//! | its address is taken | so may what is called through a pointer |
//! | that is one of 128 bits | it is in r2 too |
//! | r0 is live after a call of it | in a function without a result, `exit` does not read r0 |
//!
//! The smallest solution: to begin with only the first three have one. Each function is looked at twice at most, the second
//! time when it turns out to have a result, so that what it returns is read.

use super::calls::own_calls;
use super::{Graph, liveness};
use crate::btf::CType;
use crate::program::{Function, FunctionId, IdVec, Program};

/// Finds out which functions have a result.
pub fn find(program: &Program, graphs: &mut [Graph]) {
    let has_result = program.functions.iter().map(|(_, function)| is_read_elsewhere(function));
    let mut has_result: IdVec<FunctionId, bool> = has_result.collect();
    let calls_one = |graph: &Graph, has_result: &IdVec<FunctionId, bool>| {
        own_calls(graph).any(|function| !has_result[function])
    };
    let mut index_of: IdVec<FunctionId, Option<usize>> = program.functions.ids().map(|_| None).collect();
    let mut pending = Vec::new();
    for (index, graph) in graphs.iter_mut().enumerate() {
        graph.has_result = has_result[graph.function];
        index_of[graph.function] = Some(index);
        if calls_one(graph, &has_result) {
            pending.push(index);
        }
    }
    while let Some(index) = pending.pop() {
        for function in liveness::results_read(graphs[index].code(program)) {
            if std::mem::replace(&mut has_result[function], true) {
                continue;
            }
            if let Some(index) = index_of[function] {
                graphs[index].has_result = true;
                pending.push(index);
            }
        }
    }
}

/// Whether it is called by what is not in the graphs, or returns more than r0.
fn is_read_elsewhere(function: &Function) -> bool {
    let is_pair = |result: &CType| matches!(result, CType::Int { bytes: 16, .. });
    function.is_reachable_from_native()
        || function.prototype.as_ref().is_some_and(|prototype| is_pair(&prototype.result))
}

#[cfg(test)]
mod tests {
    use super::is_read_elsewhere;
    use crate::btf::{CType, Prototype};
    use crate::program::{Binding, CodeSectionId, Function, Id, Visibility};

    fn local() -> Function {
        Function {
            name: "f".to_owned(),
            section: CodeSectionId::new(0),
            start: 0,
            end: 8,
            binding: Binding::Local,
            visibility: Visibility::Default,
            address_taken: false,
            stack_size: None,
            stack_alignment: None,
            prototype: None,
            aliases: Vec::new(),
        }
    }

    fn returning(result: CType) -> Function {
        let prototype = Prototype { result, parameters: Vec::new(), variadic: false };
        Function { prototype: Some(prototype.into()), ..local() }
    }

    #[test]
    fn who_else_may_read_a_result() {
        assert!(!is_read_elsewhere(&local()));
        assert!(!is_read_elsewhere(&returning(CType::Int { bytes: 8, signed: false })));
        assert!(is_read_elsewhere(&returning(CType::Int { bytes: 16, signed: false })));
        assert!(is_read_elsewhere(&Function { address_taken: true, ..local() }));
        assert!(is_read_elsewhere(&Function { binding: Binding::Global, ..local() }));
        assert!(is_read_elsewhere(&Function { binding: Binding::Weak, ..local() }));
        let alias = ("g".to_owned(), Binding::Local, Visibility::Default);
        assert!(is_read_elsewhere(&Function { aliases: vec![alias], ..local() }));
    }
}
