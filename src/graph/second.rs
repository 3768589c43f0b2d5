//! Whether a function may return two words, r0 and r2, by its type and its code; and where a struct goes that it returns.
//!
//! In: graphs. Out: [`Second`] of each function, and [`Graph::struct_result`].
//!
//! What a type says holds. Where there is none (Rust, assembly, `strip`), or where it says `void` (BTF does so of
//! functions that return structs), the code tells: compilers leave no instruction whose result nobody reads. So a write of r2
//! that reaches `exit` and that nothing else reads is of a second word; a call at the end passes on what its callee has.
//! Without a type that is not asked for: what is in r2 at the end may be read for other things as well, or be the second
//! parameter, untouched.

use super::liveness::{self, Calls, Code, RegSet};
use super::{Graph, own_calls, written};
use crate::abi::{LARGEST_STRUCT as LARGEST, word_count};
use crate::btf::CType;
use crate::decode::insn::{Callee, Insn, Reg};
use crate::program::{Function, FunctionId, IdVec, Program, StructResult, Target};

/// Whether a function may return r2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Second {
    /// By its type, or its code, it does not.
    Never,
    /// By its code it may.
    Made,
    /// An integer of 128 bits.
    Wide,
    /// A struct of more than 8 bytes, if that goes in registers.
    Struct,
}

/// What is known of all functions; notes in the graphs where their structs go.
pub fn find(program: &Program, graphs: &mut [Graph]) -> IdVec<FunctionId, Second> {
    let mut second: IdVec<FunctionId, Second> = program.functions.ids().map(|_| Second::Never).collect();
    let mut made = Vec::new();
    for graph in graphs.iter_mut() {
        let function = &program.functions[graph.function];
        graph.struct_result = struct_result(program, graph);
        second[graph.function] = match by_type(function) {
            Some(Second::Struct) if graph.struct_result == StructResult::Pointer => Second::Never,
            Some(second) => second,
            None if function.prototype.is_none() => {
                if may_leave(program, graph) {
                    Second::Made
                } else {
                    Second::Never
                }
            }
            // `void`.
            None => {
                if makes(program, graph) {
                    made.push(graph.function);
                }
                Second::Never
            }
        };
    }
    made.into_iter().for_each(|function| second[function] = Second::Made);
    pass_on(program, graphs, &mut second);
    second
}

/// Functions without a result by their type that end in the call of one with two words have two words.
fn pass_on(program: &Program, graphs: &[Graph], second: &mut IdVec<FunctionId, Second>) {
    let mut pending: Vec<FunctionId> = program.functions.ids().filter(|&id| second[id] != Second::Never).collect();
    if pending.is_empty() {
        return;
    }
    let mut callers: IdVec<FunctionId, Vec<FunctionId>> = program.functions.ids().map(|_| Vec::new()).collect();
    let is_void = |graph: &&Graph| by_type(&program.functions[graph.function]).is_none();
    for graph in graphs.iter().filter(is_void).filter(|graph| own_calls(graph).next().is_some()) {
        each_reaching_end(program, graph, |insn, target| {
            if let (Insn::Call(_), Some(Target::Function(callee))) = (insn, target) {
                callers[callee].push(graph.function);
            }
        });
    }
    while let Some(callee) = pending.pop() {
        for caller in std::mem::take(&mut callers[callee]) {
            if second[caller] == Second::Never {
                second[caller] = Second::Made;
                pending.push(caller);
            }
        }
    }
}

/// What its type says, if that says something.
fn by_type(function: &Function) -> Option<Second> {
    match function.prototype.as_ref().map(|prototype| &prototype.result) {
        // C's.
        None if function.name == "main" => Some(Second::Never),
        None | Some(CType::Void) => None,
        Some(CType::Int { bytes: 16, .. }) => Some(Second::Wide),
        Some(CType::Aggregate(aggregate)) if (9..=LARGEST).contains(&aggregate.size) => Some(Second::Struct),
        Some(_) => Some(Second::Never),
    }
}

/// Whether r2 may be something at the end: not only what is left of it by a call of a function that has no second word.
fn may_leave(program: &Program, graph: &Graph) -> bool {
    let mut may = false;
    each_reaching_end(program, graph, |insn, target| {
        may |= match (insn, target) {
            (Insn::Call(_), Some(Target::Import { import, .. })) => program.imports[import].prototype.is_none(),
            (Insn::Call(_), Some(_)) => true,
            (Insn::Call(callee), None) => matches!(callee, Callee::Register(_)),
            (Insn::LoadPacket { .. }, _) => false,
            _ => true,
        };
    });
    may || liveness::at_entry(ends(program, graph), Calls::ReadNamed).contains(Reg::R2)
}

/// Whether the code has a write of r2 that is for nobody but the caller.
fn makes(program: &Program, graph: &Graph) -> bool {
    let writes = |insn: Insn| {
        let is_access = matches!(insn, Insn::Atomic { .. } | Insn::Xchg { .. });
        !is_access && !matches!(insn, Insn::Call(_) | Insn::LoadPacket { .. }) && written(insn).contains(Reg::R2)
    };
    let mut unread = Vec::new();
    let code = Code { returned: RegSet::EMPTY.with(Reg::R0), ..graph.code(program) };
    liveness::each(code, Calls::ReadAll, |instruction, live| {
        if writes(instruction.insn) && !live.contains(Reg::R2) {
            unread.push(instruction.offset);
        }
    });
    if unread.is_empty() {
        return false;
    }
    unread.sort_unstable();
    let mut found = false;
    liveness::each(ends(program, graph), Calls::ReadNamed, |instruction, live| {
        found |= live.contains(Reg::R2) && unread.binary_search(&instruction.offset).is_ok();
    });
    found
}

/// The code as if only the caller read anything: r2.
fn ends<'a>(program: &'a Program, graph: &'a Graph) -> Code<'a> {
    Code { returned: RegSet::EMPTY.with(Reg::R2), ends_only: true, ..graph.code(program) }
}

/// Calls `visit` with the instructions whose r2 is what it is at the end.
fn each_reaching_end(program: &Program, graph: &Graph, mut visit: impl FnMut(Insn, Option<Target>)) {
    liveness::each(ends(program, graph), Calls::ReadNamed, |instruction, live| {
        if live.contains(Reg::R2) && written(instruction.insn).contains(Reg::R2) {
            visit(instruction.insn, instruction.target);
        }
    });
}

/// Where a struct of up to 16 bytes goes that a function returns. What the code shows comes first, then its compiler's
/// version; of other code, what can be no write through a pointer.
fn struct_result(program: &Program, graph: &Graph) -> StructResult {
    let function = &program.functions[graph.function];
    let Some(prototype) = &function.prototype else { return StructResult::Pointer };
    let CType::Aggregate(aggregate) = &prototype.result else { return StructResult::Pointer };
    if aggregate.size > LARGEST || graph.blocks.is_empty() {
        return StructResult::Pointer;
    }
    let words = word_count(prototype) - 1;
    if graph.surely_read.parameters() > words {
        return StructResult::Pointer;
    }
    if aggregate.size > 8 && makes(program, graph) {
        return StructResult::Registers;
    }
    let writes_elsewhere = graph.instructions.iter().any(|instruction| match instruction.insn {
        Insn::Store { base, .. } => base != Reg::FRAME,
        Insn::Call(_)
        | Insn::StoreRelease { .. }
        | Insn::Atomic { .. }
        | Insn::Xchg { .. }
        | Insn::Cmpxchg { .. } => true,
        _ => false,
    });
    let produced = program.struct_results[program.code[function.section].file];
    produced.unwrap_or(if writes_elsewhere { StructResult::Pointer } else { StructResult::Registers })
}
