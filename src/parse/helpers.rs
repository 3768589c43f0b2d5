//! Who defines the helpers that instructions call by number.
//!
//! In: a program without them. Out: a target for each call of a helper that the program defines, as if the call had named it.
//!
//! | helper `n` is, in this order | |
//! |---|---|
//! | `bpf_<name>` | a function of the given objects, by its name in C |
//! | `bpf_helper_<name>` | a function of the given objects, or else of the runtime, by its link name |
//! | neither | left open: an undefined symbol of its link name |

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::abi::helpers;
use crate::elf::instruction::{self, SLOT, Slot};
use crate::program::{Binding, CodeSection, CodeSectionId, FunctionId, ImportId, Program, Relocation, Target};

/// The runtime's function that ends a tail call.
const TAIL_RETURN: &str = "bpf_tail_return";

/// The runtime's function that begins a run of tail calls.
const TAIL_ENTER: &str = "bpf_tail_enter";

/// Makes calls of undefined functions of these names calls by number: in scripts, the origin's helpers have names.
pub(super) fn call_by_number(program: &mut Program, names: &[(&str, u32)]) {
    let numbers: BTreeMap<ImportId, u32> = program
        .imports
        .iter()
        .filter_map(|(id, import)| Some((id, names.iter().find(|(name, _)| *name == import.name)?.1)))
        .collect();
    if numbers.is_empty() {
        return;
    }
    let endianness = program.endianness;
    for id in program.code.ids() {
        let CodeSection { bytes, relocations, .. } = &mut program.code[id];
        relocations.retain(|relocation| {
            let Target::Import { import, addend: 0 } = relocation.target else { return true };
            let is_call = Slot::at(bytes, relocation.offset, endianness).is_some_and(Slot::is_call);
            let Some(&number) = numbers.get(&import).filter(|_| is_call) else { return true };
            let at = relocation.offset as usize;
            bytes[at..at + SLOT].copy_from_slice(&instruction::helper_call(number, endianness));
            false
        });
    }
}

/// Gives calls of helpers their targets.
pub(super) fn resolve(program: &mut Program) {
    let mut calls = Vec::new();
    for (id, code) in program.code.iter() {
        for (offset, number) in instruction::helper_calls(&code.bytes, program.endianness) {
            if code.relocations.binary_search_by_key(&offset, |relocation| relocation.offset).is_err() {
                calls.push((id, offset, number));
            }
        }
    }
    if calls.is_empty() {
        return;
    }
    let by_name = names(program);
    let of_name = |name: &str| by_name.get(name).copied();
    let mut known: BTreeMap<u32, Option<FunctionId>> = BTreeMap::new();
    let mut targets = Vec::new();
    for (section, offset, number) in calls {
        let function = *known.entry(number).or_insert_with(|| {
            let of_program = helpers::c_name(number).and_then(|name| of_name(&name));
            of_program
                .filter(|&function| !program.is_runtime_function(function))
                .or_else(|| of_name(&helpers::symbol(number)))
        });
        targets
            .extend(function.map(|function| (section, Relocation { offset, target: Target::Function(function) })));
    }
    let tail_call = known.get(&helpers::TAIL_CALL).copied().flatten();
    let of_runtime = tail_call.is_some_and(|function| program.is_runtime_function(function));
    let tail_return = of_name(TAIL_RETURN).filter(|_| of_runtime);
    let tail_enter = of_name(TAIL_ENTER).filter(|_| of_runtime);
    (program.tail_return, program.tail_enter) = (tail_return, tail_enter);
    let changed: BTreeSet<CodeSectionId> = targets.iter().map(|&(section, _)| section).collect();
    for (section, relocation) in targets {
        program.code[section].relocations.push(relocation);
    }
    for section in changed {
        program.code[section].relocations.sort_by_key(|relocation| relocation.offset);
    }
}

/// The functions that other objects see, by their names.
fn names(program: &Program) -> HashMap<&str, FunctionId> {
    let mut names = HashMap::new();
    for (id, function) in program.functions.iter() {
        if function.binding != Binding::Local {
            names.entry(function.name.as_str()).or_insert(id);
        }
        for (alias, ..) in &function.aliases {
            names.entry(alias.as_str()).or_insert(id);
        }
    }
    names
}
