//! Names of libraries that the program uses for something of its own: `int free;`, a program called `close`.
//!
//! In: the objects, given ones and ours (the runtime's, the writer of coverage). Out: the names that ours call a library's function by
//! and that a given object defines.
//!
//! [`Globals`](super::merge::Globals) has such a name twice.
//!
//! The rule: what ours refer to is another's with the same name, and never what the program has; the program's own references are to
//! that. A native object has one undefined symbol of a name and cannot define it for others too, so there the program's is a local
//! symbol ([`Program::local_names`](crate::program::Program::local_names)).

use std::collections::{BTreeSet, HashSet};

use super::merge::is_shared;
use crate::elf::{Object, Symbol, SymbolHome};
use crate::program::{Binding, Program, names};

/// The names; `ours` begin with that number, and `is_own` says which names ours define, or would if they were looked at for them.
pub(super) fn names<'data>(
    objects: &[Object<'data>],
    ours: usize,
    is_own: impl Fn(&str) -> bool,
) -> BTreeSet<&'data str> {
    let (given, ours) = objects.split_at(ours);
    if ours.is_empty() {
        return BTreeSet::new();
    }
    let defined: HashSet<&str> = given.iter().flat_map(defined_names).collect();
    let undefined = ours.iter().flat_map(|object| &object.symbols);
    let undefined =
        undefined.filter(|symbol| symbol.home == SymbolHome::Undefined && symbol.binding == Binding::Global);
    undefined.map(|symbol| symbol.name).filter(|name| defined.contains(name) && !is_own(name)).collect()
}

/// Notes the names, and that what the program has of them is what they mean.
pub(super) fn make_local(names: &BTreeSet<&str>, program: &mut Program) {
    program.local_names = names.iter().map(|name| names::owned(name)).collect();
    let is_local = |name: &str| program.local_names.contains(name);
    for id in program.functions.ids() {
        let function = &mut program.functions[id];
        let aliases = function.aliases.iter_mut().map(|(name, binding, _)| (&*name, binding));
        let own = (&function.name, &mut function.binding);
        aliases.chain([own]).filter(|(name, _)| is_local(name)).for_each(|(_, binding)| strengthen(binding));
    }
    for id in program.symbols.ids() {
        let symbol = &mut program.symbols[id];
        if is_local(&symbol.name) {
            strengthen(&mut symbol.binding);
        }
    }
}

fn strengthen(binding: &mut Binding) {
    if *binding == Binding::Weak {
        *binding = Binding::Global;
    }
}

/// Names that an object defines for others, weak and COMMON ones among them.
pub(super) fn defined_names<'a>(object: &'a Object<'_>) -> impl Iterator<Item = &'a str> {
    let defined = |symbol: &&Symbol<'_>| symbol.home != SymbolHome::Undefined && is_shared(object, symbol);
    object.symbols.iter().filter(defined).map(|symbol| symbol.name)
}
