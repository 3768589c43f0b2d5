//! Programs with a kernel half: which object that is, what the user half is told of it, and what the kernel gets.
//!
//! In: the objects that are given, then the program. Out: [`Wanted`], if a kernel half is asked for and there is one; then the
//! program with its [`Halves`], the kernel's copy, and the tables of `runtime/script/script.h`, as data that the runtime's
//! `bpf_script` points to.
//!
//! | the objects have | and so |
//! |---|---|
//! | kernel programs in one object, `INIT`, `BEGIN`, `EVENT`, `TIMER` or `END`, no `main` | a script, which the runtime's driver runs |
//! | kernel programs in one object, references to `bpf2native_kernel_half` or `bpf2native_kernel_load` | a tool, which has a `main` |
//! | `BEGIN` and `END` alone | neither: the program is these |
//!
//! The rule: one object has the kernel programs; other objects are user space's.

mod tables;

use std::collections::{HashMap, HashSet};

use super::error::ParseError;
use super::pointers;
use super::runtime::Archive;
use super::{Input, Options, input, maps};
use crate::abi::helpers;
use crate::elf::{Object, Symbol, SymbolHome};
use crate::halves::{self, KernelHalf, Split, Unsplit};
use crate::program::{
    Binding, CodeSectionId, DataKind, DataSectionId, FileId, Half, Halves, Id, Program, ScriptKind, names as texts,
};
use tables::Tables;

/// The runtime's function that runs a script.
pub(super) const DRIVER: &str = "bpf_script_main";
/// The runtime's pointer to what it is told.
const SCRIPT: &str = "bpf_script";
/// What a tool asks for its kernel half with.
const ASKS: [&str; 2] = ["bpf2native_kernel_half", "bpf2native_kernel_load"];

/// A kernel half that is wanted.
pub(super) struct Wanted {
    /// Index of the object with the kernel programs.
    pub(super) object: usize,
    /// The driver runs it.
    pub(super) is_script: bool,
}

impl Wanted {
    /// Names and numbers of the origin's helpers, which scripts call by name too.
    pub(super) fn named_helpers(&self) -> Vec<(&'static str, u32)> {
        if self.is_script { helpers::user_space().collect() } else { Vec::new() }
    }
}

/// The kernel half that the given objects have, if it is asked for.
pub(super) fn find(objects: &[Object<'_>], options: &Options) -> Result<Option<Wanted>, ParseError> {
    if !options.kernel_half || !options.runtime {
        return Ok(None);
    }
    let scripts: Vec<(&str, ScriptKind)> = objects.iter().flat_map(halves::script_functions).collect();
    let is_script = !scripts.is_empty() && !objects.iter().any(defines_main);
    let asks = objects.iter().any(asks);
    if !is_script && !asks {
        return Ok(None);
    }
    let mut kernel = objects.iter().enumerate().filter(|(_, object)| halves::has_kernel_programs(object));
    let lacking = |what: String| Err(ParseError::KernelHalf { file: String::new(), what });
    match (kernel.next(), kernel.next()) {
        (Some((object, _)), None) => Ok(Some(Wanted { object, is_script })),
        (Some((_, first)), Some((_, second))) => lacking(format!(
            "{} and {} both have kernel programs, which are loaded as one object: link them first, with `bpftool gen object \
             all.o {0} {1}`",
            first.name, second.name
        )),
        (None, _) if asks => lacking(
            "the program asks for its kernel half, and no object has kernel programs: give the object with them, or put them in \
             sections that libbpf knows, such as SEC(\"tp/syscalls/sys_enter_openat\")"
                .to_owned(),
        ),
        (None, _) => match scripts.iter().find(|(_, kind)| !matches!(kind, ScriptKind::Begin | ScriptKind::End)) {
            Some((name, _)) => lacking(format!(
                "`{}` is of a script with a kernel half, and no object has kernel programs; put them in sections that libbpf \
                 knows, such as SEC(\"tp/syscalls/sys_enter_openat\")",
                texts::printable(name)
            )),
            None => Ok(None),
        },
    }
}

/// Whether an object has a function that a program starts with.
fn defines_main(object: &Object<'_>) -> bool {
    let is_main = |symbol: &Symbol<'_>| {
        symbol.name == "main" && symbol.home != SymbolHome::Undefined && symbol.binding != Binding::Local
    };
    object.symbols.iter().any(is_main)
}

/// Whether an object asks for its kernel half.
fn asks(object: &Object<'_>) -> bool {
    object.symbols.iter().any(|symbol| symbol.home == SymbolHome::Undefined && ASKS.contains(&symbol.name))
}

/// Says which half each function belongs to, of the first object with kernel programs, if the program has a start of its own too.
pub(super) fn list(objects: &[Object<'_>], program: &mut Program) {
    let starts = |object: &Object<'_>| {
        halves::script_functions(object).next().is_some() || defines_main(object) || asks(object)
    };
    let given = &objects[..program.given_files.min(objects.len())];
    if let Some(index) = given.iter().position(halves::has_kernel_programs).filter(|_| given.iter().any(starts)) {
        let object = &objects[index];
        program.halves = Some(halves_of(object, FileId::new(index), &Split::new(object), program));
    }
}

/// A kernel half that is made.
pub(super) struct Made {
    pub(super) wanted: Wanted,
    split: Split,
    half: KernelHalf,
}

/// Makes the kernel half that is wanted, of the objects that are given.
pub(super) fn split(given: &[Object<'_>], wanted: Wanted) -> Result<Made, ParseError> {
    let object = &given[wanted.object];
    let archive = Archive::of(object.endian)?;
    let defined: HashSet<&str> = given
        .iter()
        .flat_map(|object| &object.symbols)
        .filter(|symbol| symbol.home != SymbolHome::Undefined && symbol.binding != Binding::Local)
        .map(|symbol| symbol.name)
        .collect();
    let is_native = |name: &str| archive.place(name).is_some() || defined.contains(name);
    let split = Split::new(object);
    let half = kernel_half(object, &split, &is_native)?;
    Ok(Made { wanted, split, half })
}

/// Adds the kernel half, and what the user half is told of it.
pub(super) fn add(objects: &[Object<'_>], made: Made, program: &mut Program) -> Result<(), ParseError> {
    let Made { wanted, split, half } = made;
    let object = &objects[wanted.object];
    let file = FileId::new(wanted.object);
    let mut halves = halves_of(object, file, &split, program);
    let by_name: HashMap<String, DataSectionId> = program
        .data
        .iter()
        .filter(|(_, data)| data.file == file)
        .map(|(id, data)| (data.name.clone(), id))
        .collect();
    let shared = half.data.iter().filter_map(|&section| by_name.get(&texts::owned(object.sections[section].name)));
    halves.shared = shared.copied().collect();
    halves.shared.sort_unstable();
    for &section in &halves.shared {
        if program.data[section].kind == DataKind::ReadOnly {
            program.data[section].kind = DataKind::Settable;
        }
    }
    // These are the kernel's functions, which the loader finds by their names.
    for id in program.data.ids() {
        let data = &mut program.data[id];
        if data.file == file && data.name.starts_with(".struct_ops") {
            data.relocations.clear();
        }
    }
    if wanted.is_script {
        halves.driver = program.function_named(DRIVER);
        program.kept.extend(halves.driver);
    }
    let script = Tables::new(program, &halves).make(half.object, wanted.is_script);
    if !pointers::set(program, SCRIPT, script) {
        return Err(ParseError::KernelHalf {
            file: object.name.clone(),
            what: format!("the runtime has no `{SCRIPT}`: leave the runtime's names to it"),
        });
    }
    program.halves = Some(halves);
    Ok(())
}

/// The kernel's copy of an object, of which nothing else is wanted.
///
/// # Errors
///
/// As [`super::parse`].
pub fn kernel_copy(input: &Input) -> Result<Vec<u8>, ParseError> {
    input::classify(&input.name, &input.bytes)?;
    let mut object = crate::elf::read(input.name.clone(), &input.bytes)?;
    object.maps = maps::read(&object);
    let archive = Archive::of(object.endian)?;
    let split = Split::new(&object);
    kernel_half(&object, &split, &|name| archive.place(name).is_some()).map(|half| half.object)
}

/// What the kernel gets of an object.
fn kernel_half(
    object: &Object<'_>,
    split: &Split,
    is_native: &dyn Fn(&str) -> bool,
) -> Result<KernelHalf, ParseError> {
    split.kernel_half(object, is_native).map_err(|unsplit| match unsplit {
        Unsplit::Refused(refusals) => ParseError::Refused { file: object.name.clone(), refusals },
        Unsplit::Copy(what) => ParseError::KernelHalf { file: object.name.clone(), what },
    })
}

/// The halves of the functions of an object.
fn halves_of(object: &Object<'_>, file: FileId, split: &Split, program: &Program) -> Halves {
    let mut sections: HashMap<&str, CodeSectionId> = HashMap::new();
    for (id, section) in program.code.iter().filter(|(_, section)| section.file == file) {
        sections.entry(&section.name).or_insert(id);
    }
    let mut halves = Halves { file, kernel: Vec::new(), both: Vec::new(), shared: Vec::new(), driver: None };
    for function in &split.functions {
        let name = texts::owned(object.sections[function.section].name);
        let section = sections.get(name.as_str());
        let Some(id) = section.and_then(|&section| program.function_at(section, function.start)) else { continue };
        match function.half {
            Half::Kernel => halves.kernel.push(id),
            Half::Both => halves.both.push(id),
            Half::User => {}
        }
    }
    halves.kernel.sort_unstable();
    halves.both.sort_unstable();
    halves
}
