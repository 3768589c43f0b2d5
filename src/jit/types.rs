//! Types of undefined symbols in this process.
//!
//! In: a program, a linker. Out: the program, without libc's types for names that do not refer to libc: in an object without
//! BTF, a call has only a name, and the table of libc's functions ([`crate::abi::libc`]) gives it a type.
//!
//! | the name is | the table's type is |
//! |---|---|
//! | libc's | believed |
//! | registered with a type | believed if the calls are the same |
//! | registered without one, a library's | believed if it has floating-point numbers or structs, which cannot be passed as words |
//!
//! Calls without a type pass all words.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::Linker;
use crate::abi::libc::{Definer, Facts};
use crate::btf::{CType, Prototype};
use crate::lift::variadic;
use crate::program::{Import, ImportId, Program, PrototypeSource, Target};
use crate::select::Selection;

/// The program, with the types of this process.
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

/// The warnings for calls that may pass floating-point numbers for the `...` of a function with libc's name and type that is
/// not libc's: it has no form that takes a `va_list`.
pub(super) fn without_form(program: &Program, selection: &Selection) -> Vec<String> {
    let mut names = BTreeSet::new();
    for graph in &selection.graphs {
        for block in &graph.blocks {
            let block = graph.instructions_of(block);
            for (index, call) in block.iter().enumerate() {
                let Some(Target::Import { import, addend: 0 }) = call.target else { continue };
                if selection.resolution.facts(import).v_form.is_some() {
                    continue;
                }
                let import = &program.imports[import];
                let form = Facts::of(import, |_| Definer::Libc).v_form;
                if let Some(form) = form.and_then(|form| variadic::needs(program, form, &block[..index], call)) {
                    names.insert((&import.name, form.name));
                }
            }
        }
    }
    let warning = |(name, form): (&String, &str)| {
        format!(
            "`{name}` is not libc's, and whoever defines it has no `{form}`: floating-point numbers after the `...` are \
             passed to it as integers"
        )
    };
    names.into_iter().map(warning).collect()
}

fn is_believed(import: &Import, linker: &Linker) -> bool {
    let (Some(prototype), PrototypeSource::Table) = (&import.prototype, import.prototype_from) else { return true };
    match (linker.definer(&import.name), linker.signature(&import.name)) {
        (Definer::Libc | Definer::Link, _) => true,
        (Definer::Embedder, Some(signature)) => signature.answers(prototype),
        (Definer::Embedder | Definer::Library, _) => !is_of_words(prototype),
    }
}

/// Whether everything is passed in integer registers.
fn is_of_words(prototype: &Prototype) -> bool {
    let types = prototype.parameters.iter().map(|parameter| &parameter.ty).chain([&prototype.result]);
    types.into_iter().all(|ty| matches!(ty, CType::Void | CType::Bool | CType::Int { .. } | CType::Pointer(_)))
}
