//! Resolution of all undefined symbols of a program at once.
//!
//! In: a program, what of it is translated, a linker. Out: an address for each name, or one error that lists every
//! name that nothing defines, with who refers to it, and every name that is registered with another type.
//!
//! A weak symbol that nothing defines is 0.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{MismatchedSymbol, Unresolved};
use super::linker::Linker;
use crate::lift::libcalls;
use crate::program::{Import, Program};
use crate::select::undefined::{self, MissingSymbol};
use crate::select::{Selection, Usage};

/// The address of every undefined symbol of `program`; `warnings` gets names that are registered in vain.
///
/// # Errors
///
/// [`Unresolved`] with everything that is wrong.
pub(super) fn resolve(
    linker: &Linker,
    program: &Program,
    selection: &Selection,
    warnings: &mut Vec<String>,
) -> Result<BTreeMap<String, usize>, Unresolved> {
    let mut resolved = BTreeMap::new();
    let mut unresolved = Unresolved { missing: Vec::new(), mismatched: Vec::new() };
    let mut missing = |name: &str, kconfig| {
        let forbidden = linker.forbids(name);
        let users = Vec::new();
        unresolved.missing.push(MissingSymbol { name: name.to_owned(), users, kconfig, forbidden });
    };
    for (id, import) in program.imports.iter() {
        let usage = selection.imports[id];
        let is_inline = !usage.addressed && libcalls::named(&import.name).is_some();
        if usage == Usage::default() || is_inline || import.alias_of.is_some() {
            continue;
        }
        // Libc's functions of `long double` are called by other names.
        let name = undefined::linked_name(program, selection, id);
        match linker.find(name) {
            Some(address) => {
                unresolved.mismatched.extend(mismatch(linker, import));
                resolved.insert(name.to_owned(), address);
            }
            None if import.weak => {
                resolved.insert(name.to_owned(), 0);
            }
            None => missing(name, import.kconfig),
        }
    }
    for name in selection.runtime.keys() {
        if resolved.contains_key(name) || program.function_named(name).is_some() {
            continue;
        }
        match linker.find(name) {
            Some(address) => {
                resolved.insert(name.clone(), address);
            }
            None => missing(name, false),
        }
    }
    let names: BTreeSet<String> = unresolved.missing.iter().map(|symbol| symbol.name.clone()).collect();
    let mut users = undefined::users(program, selection, &names.iter().map(String::as_str).collect());
    for symbol in &mut unresolved.missing {
        symbol.users = users.remove(symbol.name.as_str()).unwrap_or_default();
    }
    for (name, _) in linker.registered() {
        let is_data = || program.symbols.iter().any(|(_, symbol)| symbol.name == name);
        if program.function_named(name).is_some() || is_data() {
            warnings.push(format!("`{name}` is registered, and the program has its own, which it uses"));
        }
    }
    if unresolved.missing.is_empty() && unresolved.mismatched.is_empty() { Ok(resolved) } else { Err(unresolved) }
}

/// The mismatch of the type that an import is registered with, if there is one.
fn mismatch(linker: &Linker, import: &Import) -> Option<MismatchedSymbol> {
    let registered = linker.signature(&import.name)?;
    let runtime = libcalls::prototype(&import.name);
    let declared = import.prototype.as_deref().or(runtime.as_ref());
    let fits = match declared {
        Some(declared) => registered.answers(declared),
        // Integers and pointers are passed in integer registers.
        None => !registered.needs_type(),
    };
    (!fits).then(|| MismatchedSymbol {
        name: import.name.clone(),
        declared: declared.map(|declared| declared.declare(&import.name)),
        registered: registered.declare(&import.name),
    })
}
