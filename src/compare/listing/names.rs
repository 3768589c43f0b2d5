//! Names for Cranelift's numbers: `u0:3` is a function, `u1:3` data, `u2:0` the instruction that prefetches.

use std::collections::HashMap;

use cranelift_codegen::ir::{Function, UserExternalNameRef};
use cranelift_module::ModuleRelocTarget;

use crate::declarations::PREFETCH;
use crate::declarations::adapters::Adapters;
use crate::lift::{Declarations, Imported};
use crate::program::Program;

/// A name, and whether the program has it itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named<'a> {
    pub name: &'a str,
    /// Another object defines it.
    pub is_import: bool,
}

/// The names of a declared program.
pub(crate) struct Names<'a> {
    names: HashMap<(u32, u32), Named<'a>>,
}

impl<'a> Names<'a> {
    pub fn new(program: &'a Program, declarations: &'a Declarations) -> Names<'a> {
        let mut names = HashMap::new();
        for (id, imported) in declarations.imports.iter() {
            let key = match imported {
                Imported::Function(callee) => (0, callee.id.as_u32()),
                Imported::Data(data) => (1, data.id.as_u32()),
                Imported::Inline(_) | Imported::Unused => continue,
            };
            names.insert(key, Named { name: &program.imports[id].name, is_import: true });
        }
        for (name, callee) in &declarations.runtime {
            names.insert((0, callee.id.as_u32()), Named { name, is_import: true });
        }
        // A helper or an import that the program defines itself is not an import.
        for (id, callee) in declarations.functions.iter() {
            let Some(callee) = callee else { continue };
            names.insert((0, callee.id.as_u32()), Named { name: &program.functions[id].name, is_import: false });
        }
        for (id, data) in declarations.data.iter() {
            let Some(data) = data else { continue };
            names.insert((1, data.id.as_u32()), Named { name: &program.data[id].name, is_import: false });
        }
        for (&id, callee) in &declarations.exported {
            names.insert((0, callee.id.as_u32()), Named { name: &program.functions[id].name, is_import: false });
        }
        for (&id, data) in &declarations.symbols {
            names.insert((1, data.id.as_u32()), Named { name: &program.symbols[id].name, is_import: false });
        }
        for (key, name) in declarations.adapters.iter().flat_map(Adapters::references) {
            names.insert(key, Named { name, is_import: false });
        }
        if let Some(table) = &declarations.addresses {
            names.insert((1, table.data.id.as_u32()), Named { name: "addresses", is_import: false });
        }
        names.insert((PREFETCH, 0), Named { name: "prefetch", is_import: false });
        Names { names }
    }

    /// The name of a relocation's target, and whether it is an import; Cranelift's name for what the program does not name.
    pub fn of(&self, target: &ModuleRelocTarget) -> (String, bool) {
        match target {
            ModuleRelocTarget::User { namespace, index } => match self.names.get(&(*namespace, *index)) {
                Some(named) => (named.name.to_owned(), named.is_import),
                None => (format!("u{namespace}:{index}"), false),
            },
            ModuleRelocTarget::LibCall(call) => (cranelift_module::default_libcall_names()(*call), true),
            ModuleRelocTarget::FunctionOffset(_, offset) => (format!("self+{offset:#x}"), false),
            ModuleRelocTarget::KnownSymbol(symbol) => (symbol.to_string(), false),
        }
    }

    /// A function's CLIF, with names.
    pub fn clif(&self, function: &Function) -> String {
        self.replace(&numbered_names(function))
    }

    /// Replaces numbers by names.
    fn replace(&self, text: &str) -> String {
        let mut named = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('u') {
            let (before, from) = rest.split_at(at);
            named.push_str(before);
            let is_word = before.chars().last().or(named.chars().last()).is_some_and(char::is_alphanumeric);
            match reference(from).filter(|_| !is_word) {
                Some((key, length)) if self.names.contains_key(&key) => {
                    named.push_str(self.names[&key].name);
                    rest = &from[length..];
                }
                _ => {
                    named.push('u');
                    rest = &from[1..];
                }
            }
        }
        named.push_str(rest);
        named
    }
}

/// CLIF with `u<space>:<index>`, which means the same in all functions, in the place of a function's own `userextname<n>`.
fn numbered_names(function: &Function) -> String {
    let text = function.to_string();
    let mut parts = text.split("userextname");
    let mut numbered = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let name = part[..digits]
            .parse()
            .ok()
            .and_then(|index| function.params.user_named_funcs().get(UserExternalNameRef::from_u32(index)));
        match name {
            Some(name) => numbered.push_str(&format!("u{}:{}", name.namespace, name.index)),
            None => numbered.push_str(&format!("userextname{}", &part[..digits])),
        }
        numbered.push_str(&part[digits..]);
    }
    numbered
}

/// Reads `u<space>:<index>` at the start of `text`: the two numbers and the length.
fn reference(text: &str) -> Option<((u32, u32), usize)> {
    let number = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let space = text.strip_prefix('u')?;
    let space_digits = number(space);
    let index = space[space_digits..].strip_prefix(':')?;
    let index_digits = number(index);
    let key = (space[..space_digits].parse().ok()?, index[..index_digits].parse().ok()?);
    Some((key, 2 + space_digits + index_digits))
}
