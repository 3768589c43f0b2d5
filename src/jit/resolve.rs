//! Resolution of all undefined symbols of a program at once.
//!
//! In: a program, what of it is translated, a linker. Out: what each name refers to, or one error that lists every
//! name that nothing defines, with who refers to it, and every name that is registered with another type.
//!
//! A weak symbol that nothing defines is 0.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::error::{MismatchedSymbol, Unresolved};
use super::host::{Code, HostFunction};
use super::linker::{Found, Linker};
use crate::abi::libcalls;
use crate::program::{Import, Program};
use crate::select::undefined::{self, MissingSymbol};
use crate::select::{Selection, Usage};
use crate::warning::{Warning, WarningKind};

/// What names refer to.
#[derive(Default)]
pub(super) struct Resolved {
    addresses: BTreeMap<String, usize>,
    /// Functions of the embedder.
    pub functions: BTreeMap<String, HostFunction>,
}

impl Resolved {
    /// The names whose address is known before there is any code of the program's.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, usize)> {
        let functions = self.functions.iter().filter_map(|(name, function)| match function.code {
            Code::Address(address) => Some((name.as_str(), address)),
            Code::Entry { .. } => None,
        });
        self.addresses.iter().map(|(name, &address)| (name.as_str(), address)).chain(functions)
    }

    /// What has to stay of it as long as the program is in memory.
    pub fn kept(&self, linker: &Linker) -> Kept {
        let functions = self.functions.values().filter_map(|function| function.state.clone());
        Kept { _libraries: linker.libraries().to_vec(), _functions: functions.collect() }
    }

    fn insert(&mut self, name: &str, found: Found<'_>) {
        match found {
            Found::Address(address) => drop(self.addresses.insert(name.to_owned(), address)),
            Found::Function(function) => drop(self.functions.insert(name.to_owned(), function.clone())),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.addresses.contains_key(name) || self.functions.contains_key(name)
    }
}

/// What a program refers to, and which has to stay as long as it is in memory.
pub(super) struct Kept {
    _libraries: Vec<Arc<libloading::Library>>,
    _functions: Vec<Arc<dyn Any + Send + Sync>>,
}

/// What every undefined symbol of `program` refers to; `warnings` gets names that are registered in vain.
///
/// # Errors
///
/// [`Unresolved`] with everything that is wrong.
pub(super) fn resolve(
    linker: &Linker,
    program: &Program,
    selection: &Selection,
    warnings: &mut Vec<Warning>,
) -> Result<Resolved, Unresolved> {
    let mut resolved = Resolved::default();
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
            Some(found) => {
                unresolved.mismatched.extend(mismatch(linker, import));
                resolved.insert(name, found);
            }
            None if import.weak => resolved.insert(name, Found::Address(0)),
            None => missing(name, import.kconfig),
        }
    }
    for name in selection.runtime.keys() {
        if resolved.has(name) || program.function_named(name).is_some() {
            continue;
        }
        match linker.find(name) {
            Some(found) => resolved.insert(name, found),
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
        let own = program.function_named(name).filter(|&own| !program.is_runtime_function(own));
        if own.is_some() || is_data() {
            let text = format!("`{name}` is registered, and the program has its own, which it uses");
            warnings.push(Warning::new(WarningKind::Registered, text));
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
