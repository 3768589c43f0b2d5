//! The types of what undefined symbols refer to in this process.
//!
//! In: a program, a linker. Out: the program, without types that are libc's where the name is not: an object without BTF
//! says of a call only the name, and the table of libc's functions ([`crate::abi::libc`]) gives it a type.
//!
//! | the name is | the table's type is |
//! |---|---|
//! | libc's | believed |
//! | registered with a type | believed if that is the same call |
//! | registered without one, a library's | believed if it has floating-point numbers or structs, which cannot go as words |
//!
//! Calls without a type pass all words.

use std::borrow::Cow;

use super::Linker;
use crate::abi::libc::Definer;
use crate::btf::{CType, Prototype};
use crate::program::{Import, ImportId, Program, PrototypeSource};

/// The program with the types that it has in this process.
pub(super) fn of<'a>(program: &'a Program, linker: &Linker) -> Cow<'a, Program> {
    let others = program.imports.iter().filter(|(_, import)| !is_believed(import, linker));
    let others: Vec<ImportId> = others.map(|(id, _)| id).collect();
    if others.is_empty() {
        return Cow::Borrowed(program);
    }
    let mut program = program.clone();
    for id in others {
        let import = &mut program.imports[id];
        (import.prototype, import.prototype_from) = (None, PrototypeSource::None);
    }
    Cow::Owned(program)
}

fn is_believed(import: &Import, linker: &Linker) -> bool {
    let (Some(prototype), PrototypeSource::Table) = (&import.prototype, import.prototype_from) else { return true };
    match (linker.definer(&import.name), linker.signature(&import.name)) {
        (Definer::Libc | Definer::Link, _) => true,
        (Definer::Embedder, Some(signature)) => signature.answers(prototype),
        (Definer::Embedder | Definer::Library, _) => !is_of_words(prototype),
    }
}

/// Whether all goes in integer registers.
fn is_of_words(prototype: &Prototype) -> bool {
    let types = prototype.parameters.iter().map(|parameter| &parameter.ty).chain([&prototype.result]);
    types.into_iter().all(|ty| matches!(ty, CType::Void | CType::Bool | CType::Int { .. } | CType::Pointer(_)))
}
