//! All undefined symbols of a program at once.
//!
//! In: a program, what of it is translated, a linker. Out: an address for each name, or one error that lists every
//! name that nothing defines, with who refers to it, and every name that is registered with another type.
//!
//! A weak symbol that nothing defines is 0.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Linker;
use crate::lift::{call, libcalls};
use crate::program::{Import, ImportId, Program, Target};
use crate::select::{Selection, Usage};

/// How many of those who refer to a symbol an error names.
const MOST_USERS: usize = 4;

/// Symbols of a program that nothing defines, or that are registered with another type.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unresolved {
    /// Those that nothing defines, in order.
    pub missing: Vec<MissingSymbol>,
    /// Those with another type.
    pub mismatched: Vec<MismatchedSymbol>,
}

/// A symbol that nothing defines.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingSymbol {
    /// Its name.
    pub name: String,
    /// Who refers to it: functions and data sections, with their objects.
    pub users: Vec<String>,
    /// It is a value of the kernel's configuration.
    pub kconfig: bool,
    /// The process has it, but the linker was told to leave the process out.
    pub forbidden: bool,
}

/// A symbol that is registered with another type than the program declares.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MismatchedSymbol {
    /// Its name.
    pub name: String,
    /// The program's declaration; none without BTF.
    pub declared: Option<String>,
    /// The registered function's type.
    pub registered: String,
}

impl std::error::Error for Unresolved {}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if !self.missing.is_empty() {
            let plural = if self.missing.len() == 1 { "" } else { "s" };
            write!(f, "{} undefined symbol{plural}:", self.missing.len())?;
            for MissingSymbol { name, users, kconfig, forbidden } in &self.missing {
                write!(f, "\n  `{name}`, which {} refers to", list(users))?;
                if *kconfig {
                    write!(
                        f,
                        " (of `.kconfig`: a value of the kernel's configuration, to be defined as a variable)"
                    )?;
                }
                if *forbidden {
                    write!(f, " (this process has it, and the linker leaves the process out)")?;
                }
            }
            write!(f, "\nregister them, give the objects that define them, or name their library with `-l`")?;
            separator = "\n";
        }
        for MismatchedSymbol { name, declared, registered } in &self.mismatched {
            match declared {
                Some(declared) => write!(
                    f,
                    "{separator}`{name}` is declared as `{declared}`, and is registered as `{registered}`"
                )?,
                None => write!(
                    f,
                    "{separator}`{name}` is registered as `{registered}`, and the program does not say that it passes \
                     floating-point numbers to it: compile it with -g"
                )?,
            }
            separator = "\n";
        }
        Ok(())
    }
}

/// The first few, and how many more.
fn list(users: &[String]) -> String {
    let shown = users.len().min(MOST_USERS);
    let mut text = users[..shown].join(", ");
    if users.len() > shown {
        text.push_str(&format!(" and {} more", users.len() - shown));
    }
    text
}

/// The address of every undefined symbol of `program`; `warnings` gets what is registered in vain.
///
/// # Errors
///
/// [`Unresolved`] with all that is wrong.
pub(super) fn resolve(
    linker: &Linker,
    program: &Program,
    selection: &Selection,
    warnings: &mut Vec<String>,
) -> Result<BTreeMap<String, usize>, Unresolved> {
    let mut resolved = BTreeMap::new();
    let mut unresolved = Unresolved { missing: Vec::new(), mismatched: Vec::new() };
    let mut missing = |name: &str, users, kconfig| {
        let forbidden = linker.forbids(name);
        unresolved.missing.push(MissingSymbol { name: name.to_owned(), users, kconfig, forbidden });
    };
    for (id, import) in program.imports.iter() {
        let usage = selection.imports[id];
        let is_inline = !usage.addressed && libcalls::named(&import.name).is_some();
        if usage == Usage::default() || is_inline || import.alias_of.is_some() {
            continue;
        }
        // Libc's functions of `long double` are called by another name.
        let name = selection.resolution.facts(id).double_form.unwrap_or(&import.name);
        match linker.find(name) {
            Some(address) => {
                unresolved.mismatched.extend(mismatch(linker, import));
                resolved.insert(name.to_owned(), address);
            }
            None if import.weak => {
                resolved.insert(name.to_owned(), 0);
            }
            None => missing(name, users(program, selection, id), import.kconfig),
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
            None => missing(name, runtime_users(program, selection, name), false),
        }
    }
    for (name, _) in linker.registered() {
        let is_data = || program.symbols.iter().any(|(_, symbol)| symbol.name == name);
        if program.function_named(name).is_some() || is_data() {
            warnings.push(format!("`{name}` is registered, and the program has its own, which it uses"));
        }
    }
    if unresolved.missing.is_empty() && unresolved.mismatched.is_empty() { Ok(resolved) } else { Err(unresolved) }
}

/// What is wrong with the type that an import is registered with.
fn mismatch(linker: &Linker, import: &Import) -> Option<MismatchedSymbol> {
    let registered = linker.signature(&import.name)?;
    let runtime = libcalls::prototype(&import.name);
    let declared = import.prototype.as_deref().or(runtime.as_ref());
    let fits = match declared {
        Some(declared) => registered.answers(declared),
        // Words go in integer registers.
        None => !registered.needs_type(),
    };
    (!fits).then(|| MismatchedSymbol {
        name: import.name.clone(),
        declared: declared.map(|declared| declared.declare(&import.name)),
        registered: registered.declare(&import.name),
    })
}

/// The functions and data sections that refer to an import.
fn users(program: &Program, selection: &Selection, id: ImportId) -> Vec<String> {
    let is_it = |target: Target| matches!(target, Target::Import { import, .. } if import == id);
    let mut users: Vec<String> = functions(program, selection, |instruction| instruction.target.is_some_and(is_it));
    for (data_id, data) in program.data.iter() {
        if selection.data[data_id] && data.relocations.iter().any(|relocation| is_it(relocation.target)) {
            users.push(format!("{} (section `{}`)", program.files[data.file], data.name));
        }
    }
    users
}

/// The functions that call a symbol by number.
fn runtime_users(program: &Program, selection: &Selection, name: &str) -> Vec<String> {
    functions(program, selection, |instruction| {
        instruction.target.is_none() && call::runtime_symbols(instruction.insn).iter().any(|symbol| symbol == name)
    })
}

/// The functions with such an instruction.
fn functions(
    program: &Program,
    selection: &Selection,
    is_it: impl Fn(&crate::graph::Instruction) -> bool,
) -> Vec<String> {
    let graphs = selection.graphs.iter().filter(|graph| graph.instructions.iter().any(&is_it));
    let places = graphs.map(|graph| {
        let start = program.functions[graph.function].start;
        let place = program.place(graph.section, Some(graph.function), start);
        format!("{} (function `{}`)", place.file, place.function.as_deref().unwrap_or_default())
    });
    let mut seen = BTreeSet::new();
    places.filter(|place| seen.insert(place.clone())).collect()
}
