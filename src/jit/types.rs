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
use std::collections::BTreeSet;

use super::Linker;
use crate::abi::libc::{Definer, Facts};
use crate::btf::{CType, Prototype};
use crate::lift::variadic;
use crate::program::{Import, ImportId, Program, PrototypeSource, Target};
use crate::select::Selection;
use crate::warning::{Warning, WarningKind};

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

/// What is to be said of calls that may pass floating-point numbers after the `...` of a function that is libc's by name and
/// type, and is another's: there is no form of it that takes a `va_list`.
pub(super) fn without_form(program: &Program, selection: &Selection) -> Vec<Warning> {
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
        let text = format!(
            "`{name}` is not libc's, and whoever defines it has no `{form}`: floating-point numbers after the `...` are \
             passed to it as integers"
        );
        Warning::new(WarningKind::Calls, text)
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

/// Whether all goes in integer registers.
fn is_of_words(prototype: &Prototype) -> bool {
    let types = prototype.parameters.iter().map(|parameter| &parameter.ty).chain([&prototype.result]);
    types.into_iter().all(|ty| matches!(ty, CType::Void | CType::Bool | CType::Int { .. } | CType::Pointer(_)))
}
