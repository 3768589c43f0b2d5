//! Symbols that nothing defines, and who refers to them.
//!
//! In: a program, what of it is translated, names. Out: for each name, the functions and data sections that refer to it,
//! with their objects and, where the objects know it, the source line. Each function is looked at once, for all names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::abi::helpers;
use crate::graph::{Graph, Instruction};
use crate::lift::call;
use crate::program::{DataSectionId, ImportId, Map, Program, Target, maps};
use crate::select::Selection;

/// How many of those who refer to a symbol an error names.
const MOST_USERS: usize = 4;

/// A symbol that nothing defines.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingSymbol {
    /// Its name.
    pub name: String,
    /// Who refers to it: functions and data sections, with their objects and source lines.
    pub users: Vec<String>,
    /// It is a value of the kernel's configuration.
    pub kconfig: bool,
    /// The process has it, but the linker was told to leave the process out.
    pub forbidden: bool,
}

impl fmt::Display for MissingSymbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MissingSymbol { name, users, kconfig, forbidden } = self;
        if let Some(number) = helpers::of_symbol(name) {
            return self.write_helper(f, number);
        }
        if let Some(kind) = maps::of_ops_symbol(name) {
            let kind_name = maps::type_name(kind).map(|name| format!("`{name}` ({kind})"));
            let kind = kind_name.unwrap_or_else(|| kind.to_string());
            let are = if users.len() == 1 { "is" } else { "are" };
            let users = list(users);
            return write!(f, "{users} {are} of type {kind}, which the runtime does not have; define `{name}`");
        }
        write!(f, "`{name}`, which {} refers to", list(users))?;
        if *kconfig {
            write!(f, " (of `.kconfig`)")?;
        }
        if *forbidden {
            write!(f, " (this process has it, and the linker leaves the process out)")?;
        }
        Ok(())
    }
}

impl MissingSymbol {
    /// A helper: its name in C, its number, who calls it, and how to define it.
    fn write_helper(&self, f: &mut fmt::Formatter<'_>, number: u32) -> fmt::Result {
        let (MissingSymbol { name, users, .. }, in_c) = (self, helpers::c_name(number));
        let users = list(users);
        match in_c {
            Some(in_c) => write!(
                f,
                "helper {number}, `{in_c}`, which {users} calls: define a function `{in_c}` in a BPF object, register \
                 one, or define the symbol `{name}`"
            ),
            None => write!(f, "helper {number}, which {users} calls: define or register the symbol `{name}`"),
        }
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

/// `3 undefined symbols:`, and a line for each.
pub(crate) fn write_all(f: &mut fmt::Formatter<'_>, missing: &[MissingSymbol]) -> fmt::Result {
    let plural = if missing.len() == 1 { "" } else { "s" };
    write!(f, "{} undefined symbol{plural}:", missing.len())?;
    missing.iter().try_for_each(|symbol| write!(f, "\n  {symbol}"))?;
    if missing.iter().any(|symbol| symbol.kconfig) {
        write!(
            f,
            "\nthose of `.kconfig` are of the kernel's configuration: give it with `--kconfig FILE`, or define them"
        )?;
    }
    Ok(())
}

/// Who refers to these names, of what is translated.
pub(crate) fn users<'n>(
    program: &Program,
    selection: &Selection,
    names: &BTreeSet<&'n str>,
) -> BTreeMap<&'n str, Vec<String>> {
    let mut users: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let import = |target| match target {
        Target::Import { import, .. } => names.get(linked_name(program, selection, import)).copied(),
        _ => None,
    };
    for graph in &selection.graphs {
        let mut seen = BTreeSet::new();
        for instruction in &graph.instructions {
            let runtime = match instruction.target {
                None => call::runtime_symbols(instruction.insn),
                Some(_) => Vec::new(),
            };
            let runtime = runtime.iter().filter_map(|symbol| names.get(symbol.as_str()).copied());
            for name in instruction.target.and_then(import).into_iter().chain(runtime) {
                if seen.insert(name) {
                    users.entry(name).or_default().push(place(program, graph, instruction));
                }
            }
        }
    }
    for (id, data) in program.data.iter() {
        if !selection.data[id] {
            continue;
        }
        let referred: BTreeSet<(&str, Option<&str>)> = data
            .relocations
            .iter()
            .filter_map(|relocation| {
                let name = import(relocation.target)?;
                let map = maps::of_ops_symbol(name).and_then(|_| map_at(program, id, relocation.offset));
                Some((name, map))
            })
            .collect();
        for (name, map) in referred {
            let file = &program.files[data.file];
            let place = match map {
                Some(map) => format!("map `{map}` of {file}"),
                None => format!("{file} (section `{}`)", data.name),
            };
            users.entry(name).or_default().push(place);
        }
    }
    for places in users.values_mut() {
        let mut seen = BTreeSet::new();
        places.retain(|place| seen.insert(place.clone()));
    }
    users
}

/// The map whose descriptor is there; that of a map of maps has another one for its elements.
fn map_at(program: &Program, section: DataSectionId, offset: u64) -> Option<&str> {
    let here = |map: &&Map| map.section == section && map.offset == offset;
    program.maps.iter().find(here).map(|map| map.name.as_str())
}

/// What an import is called where it is linked: libc's functions of `long double` have another name there.
pub(crate) fn linked_name<'a>(program: &'a Program, selection: &'a Selection, id: ImportId) -> &'a str {
    selection.resolution.facts(id).double_form.unwrap_or(&program.imports[id].name)
}

/// The object, the function and, if it is known, the source line of an instruction.
fn place(program: &Program, graph: &Graph, instruction: &Instruction) -> String {
    let function = &program.functions[graph.function];
    let file = &program.files[program.code[graph.section].file];
    let line = program.line(graph.section, instruction.offset).filter(|line| line.offset >= function.start);
    let line = line.map(|line| format!(", {}:{}", line.file, line.line)).unwrap_or_default();
    format!("{file} (function `{}`{line})", function.name)
}
