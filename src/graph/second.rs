//! Whether a function may return two words, r0 and r2, by its type and its code; and where a struct goes that it returns.
//!
//! In: graphs. Out: [`Second`] of each function, and [`Graph::struct_result`].
//!
//! What a type says holds. Where there is none (Rust, assembly, `strip`), or where it says `void` (BTF does so of
//! functions that return structs), the code tells: compilers leave no instruction whose result nobody reads. So a write of r2
//! that reaches `exit` and that nothing else reads is of a second word; a call at the end passes on what its callee has.
//! In objects without types that have such code, or that read r2 after calls, that is not asked for: what is in r2 at the end may be
//! read for other things as well, or be the second parameter, untouched. C's objects have none of it. To read r2 is what an
//! instruction does, if need be in a function that it is passed to; a callee that is not known may read it, which shows nothing.

use super::calls::own_calls;
use super::liveness::{self, Calls, Code, written};
use super::model::{Graph, Instruction, Terminator};
use super::registers::RegSet;
use crate::abi::{LARGEST_STRUCT, word_count};
use crate::btf::CType;
use crate::decode::insn::{Callee, Insn, Reg};
use crate::program::{FileId, Function, FunctionId, IdVec, Program, StructResult, Target};
use crate::resolution::Resolution;

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

/// What LLVM from 21 on calls where code is not reached.
const UNREACHABLE: &str = "__bpf_trap";

/// What is called that is no function of the program, if it may return two words or a struct.
pub fn open_call(program: &Program, resolution: &Resolution, instruction: &Instruction) -> Option<Open> {
    let Insn::Call(callee) = instruction.insn else { return None };
    if resolution.facts_of(instruction.target).no_return {
        // What follows is other code.
        return None;
    }
    match (callee, instruction.target) {
        (Callee::Array(_), _) | (_, Some(Target::Function(_))) => None,
        (Callee::Register(_), _) => Some(Open::Register),
        (_, Some(Target::Import { import, .. })) if program.imports[import].name == UNREACHABLE => None,
        (_, Some(Target::Import { import, .. })) => match program.imports[import].prototype.as_deref() {
            None => Some(Open::Unknown),
            Some(prototype) => match &prototype.result {
                CType::Void => Some(Open::Void),
                CType::Aggregate(aggregate) if aggregate.size <= LARGEST_STRUCT => Some(Open::Struct),
                _ => None,
            },
        },
        (_, Some(_)) => Some(Open::Register),
        (_, None) => None,
    }
}

/// A callee that is no function of the program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// Through a register, or an address.
    Register,
    /// A symbol whose type nothing says.
    Unknown,
    /// A symbol of which BTF says no result.
    Void,
    /// A symbol that returns a struct of up to 16 bytes.
    Struct,
}

/// Whether functions return at all.
pub fn returns(program: &Program, graphs: &[Graph]) -> IdVec<FunctionId, bool> {
    let mut returns: IdVec<FunctionId, bool> = program.functions.ids().map(|_| true).collect();
    for graph in graphs {
        returns[graph.function] = graph.blocks.iter().any(|block| matches!(block.terminator, Terminator::Return));
    }
    returns
}

/// What is known of all functions, and whether code without types has or reads second words; notes in the graphs where their
/// structs go. `returns`: as [`returns`] says; `reads`: the arguments that functions read for certain.
pub fn find(
    program: &Program,
    resolution: &Resolution,
    graphs: &mut [Graph],
    returns: &IdVec<FunctionId, bool>,
    reads: &IdVec<FunctionId, RegSet>,
) -> (IdVec<FunctionId, Second>, bool) {
    let mut second: IdVec<FunctionId, Second> = program.functions.ids().map(|_| Second::Never).collect();
    let mut has_types: IdVec<FileId, bool> = program.files.ids().map(|_| false).collect();
    for (_, function) in program.functions.iter() {
        has_types[program.code[function.section].file] |= function.prototype.is_some();
    }
    let is_untyped = |graph: &Graph| !has_types[program.code[graph.section].file];
    let (mut made, mut uses_two, mut pointers_have_two) = (Vec::new(), false, false);
    for graph in graphs.iter_mut() {
        let function = &program.functions[graph.function];
        graph.struct_result = struct_result(program, graph);
        match by_type(function) {
            Some(Second::Struct) if graph.struct_result == StructResult::Pointer => {}
            Some(by_type) => second[graph.function] = by_type,
            None if makes(program, graph) || ends_in_wide(program, graph) => {
                made.push(graph.function);
                uses_two |= is_untyped(graph);
            }
            None => {}
        }
        if is_untyped(graph) || calls_register(graph) {
            let read = reads_second(program, resolution, graph, returns, reads);
            uses_two |= is_untyped(graph) && read.is_some();
            pointers_have_two |= read == Some(Open::Register);
        }
    }
    // Without types, and where there are results of two words, any may be one.
    for graph in graphs.iter() {
        let function = &program.functions[graph.function];
        let may_be = (uses_two && is_untyped(graph)) || (pointers_have_two && function.address_taken);
        if may_be && by_type(function).is_none() && may_leave(program, graph) {
            second[graph.function] = Second::Made;
        }
    }
    made.into_iter().for_each(|function| second[function] = Second::Made);
    pass_on(program, graphs, &mut second);
    (second, uses_two)
}

/// Functions whose type has no result that end in the call of one with two words have two words.
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

fn calls_register(graph: &Graph) -> bool {
    graph.instructions.iter().any(|instruction| matches!(instruction.insn, Insn::Call(Callee::Register(_))))
}

/// Whether the code surely reads r2 after calls: of functions of the program or of others; through registers, if one is so.
fn reads_second(
    program: &Program,
    resolution: &Resolution,
    graph: &Graph,
    returns: &IdVec<FunctionId, bool>,
    reads: &IdVec<FunctionId, RegSet>,
) -> Option<Open> {
    let mut found = None;
    liveness::each(Code::of(graph, program), Calls::SurelyKnown(reads), |instruction, live| {
        if !live.contains(Reg::R2) || found == Some(Open::Register) {
            return;
        }
        match (instruction.insn, instruction.target) {
            (Insn::Call(_), Some(Target::Function(callee))) if returns[callee] => found = Some(Open::Unknown),
            _ => found = open_call(program, resolution, instruction).or(found),
        }
    });
    found
}

/// What its type says, if that says something.
fn by_type(function: &Function) -> Option<Second> {
    match function.prototype.as_ref().map(|prototype| &prototype.result) {
        // C's.
        None if function.name == "main" => Some(Second::Never),
        None | Some(CType::Void) => None,
        Some(CType::Int { bytes: 16, .. }) => Some(Second::Wide),
        Some(CType::Aggregate(aggregate)) if (9..=LARGEST_STRUCT).contains(&aggregate.size) => Some(Second::Struct),
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
    let code = Code { returned: RegSet::EMPTY.with(Reg::R0), ..Code::of(graph, program) };
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

/// Whether r2 at the end may be of a function of 128 bits: by its type, or by its name in the compilers' runtime, where `ti`
/// is an integer of 16 bytes (`__multi3`, `__fixdfti`; GCC internals, "The GCC low-level runtime library").
fn ends_in_wide(program: &Program, graph: &Graph) -> bool {
    let is_runtime = |name: &str| name.starts_with("__") && (name.ends_with("ti") || name.ends_with("ti3"));
    let mut found = false;
    each_reaching_end(program, graph, |insn, target| {
        if let (Insn::Call(_), Some(Target::Import { import, .. })) = (insn, target) {
            let import = &program.imports[import];
            let result = import.prototype.as_deref().map(|prototype| &prototype.result);
            found |= matches!(result, Some(CType::Int { bytes: 16, .. })) || is_runtime(&import.name);
        }
    });
    found
}

/// The code as if only the caller read anything: r2.
fn ends<'a>(program: &'a Program, graph: &'a Graph) -> Code<'a> {
    Code { returned: RegSet::EMPTY.with(Reg::R2), ends_only: true, ..Code::of(graph, program) }
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
    if aggregate.size > LARGEST_STRUCT || graph.blocks.is_empty() {
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
