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
//! The rule: the layout is the contract with `runtime/script/script.h`; all numbers are the target's.

use std::collections::{HashMap, HashSet};

use super::block::Block;
use super::error::ParseError;
use super::pointers;
use super::runtime::Archive;
use super::{Input, Options, input, maps};
use crate::abi::helpers;
use crate::btf::{Btf, CType, Kind, SymbolKind};
use crate::elf::{Object, SymbolHome};
use crate::halves::{self, KernelHalf, Split, Unsplit, names};
use crate::program::{
    Binding, CodeSectionId, DataKind, DataSectionId, FileId, FunctionId, Half, Halves, Id, Program, ScriptKind,
    Target, names as texts,
};

/// The runtime's function that runs a script.
pub(super) const DRIVER: &str = "bpf_script_main";
/// The runtime's pointer to what it is told.
const SCRIPT: &str = "bpf_script";
/// What a tool asks for its kernel half with.
const ASKS: [&str; 2] = ["bpf2native_kernel_half", "bpf2native_kernel_load"];

/// Bytes of a `struct script`.
const SCRIPT_SIZE: u64 = 80;
/// Bytes of a `struct script_function`, a `struct script_section` and a `struct script_variable`.
const ENTRY: u64 = 32;

/// `enum script_type`.
#[derive(Clone, Copy)]
enum ScriptType {
    Signed = 1,
    Unsigned,
    Bool,
    Text,
    Other,
}

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
    let scripts: Vec<&str> = objects.iter().flat_map(halves::script_functions).collect();
    let defines_main = |object: &Object<'_>| {
        let is_main = |symbol: &crate::elf::Symbol<'_>| {
            symbol.name == "main" && symbol.home != SymbolHome::Undefined && symbol.binding != Binding::Local
        };
        object.symbols.iter().any(is_main)
    };
    let is_script = !scripts.is_empty() && !objects.iter().any(defines_main);
    let is_asking =
        |symbol: &crate::elf::Symbol<'_>| symbol.home == SymbolHome::Undefined && ASKS.contains(&symbol.name);
    let asks = objects.iter().any(|object| object.symbols.iter().any(is_asking));
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
        (None, _) => match scripts.iter().find(|name| !matches!(**name, "BEGIN" | "END")) {
            Some(name) if is_of_kernel_half(objects) => lacking(format!(
                "`{}` is of a script with a kernel half, and no object has kernel programs; put them in sections that libbpf \
                 knows, such as SEC(\"tp/syscalls/sys_enter_openat\")",
                texts::printable(name)
            )),
            _ => Ok(None),
        },
    }
}

/// Whether a function is one that only a kernel half has a use for.
fn is_of_kernel_half(objects: &[Object<'_>]) -> bool {
    objects.iter().any(|object| {
        object.symbols.iter().any(|symbol| {
            let SymbolHome::Section(section) = symbol.home else { return false };
            let script = names::of_script(symbol.name, object.sections[section].name);
            script.is_some_and(|(kind, _)| !matches!(kind, ScriptKind::Begin | ScriptKind::End))
        })
    })
}

/// Says which half each function belongs to, of the first object with kernel programs, if it has other functions too.
pub(super) fn list(objects: &[Object<'_>], program: &mut Program) {
    let Some(index) = objects.iter().take(program.given_files).position(halves::has_kernel_programs) else {
        return;
    };
    let halves = halves_of(&objects[index], FileId::new(index), &Split::new(&objects[index]), program);
    if halves.kernel.len() + halves.both.len()
        < program.functions.iter().filter(|(id, _)| !program.is_runtime_function(*id)).count()
    {
        program.halves = Some(halves);
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
    let script = Tables { program, halves: &halves }.make(half.object, wanted.is_script);
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

/// Makes the tables.
struct Tables<'a> {
    program: &'a mut Program,
    halves: &'a Halves,
}

impl Tables<'_> {
    /// The `struct script`.
    fn make(self, object: Vec<u8>, is_script: bool) -> Target {
        let file = self.halves.file;
        let size = object.len() as u64;
        let copy = Block { bytes: object, relocations: Vec::new() }.into_constants(file, ".rodata.kernel_half");
        let copy = self.program.data.push(copy);
        let endianness = self.program.endianness;
        let section = self.program.data.push(Block::default().into_constants(file, ".data.rel.ro.script"));
        let here = |offset: u64| Target::Data { section, offset: offset.cast_signed() };
        let mut block = Block::default();
        block.add(SCRIPT_SIZE);
        block.refer(0, Target::Data { section: copy, offset: 0 });
        block.put(8, &endianness.double_word(size));

        let functions = if is_script { self.functions() } else { Vec::new() };
        let at = block.add(ENTRY * functions.len() as u64);
        block.refer(16, here(at));
        block.put(24, &endianness.double_word(functions.len() as u64));
        for (function, at) in functions.into_iter().zip((at..).step_by(ENTRY as usize)) {
            block.put(at, &endianness.word(function.kind as u32));
            block.put(at + 4, &endianness.word(u32::from(function.returns)));
            if let Some(argument) = function.argument {
                let text = block.add_text(&argument);
                block.refer(at + 8, here(text));
            }
            block.refer(at + 16, Target::Function(function.id));
            self.program.functions[function.id].address_taken = true;
        }

        let at = block.add(ENTRY * self.halves.shared.len() as u64);
        block.refer(32, here(at));
        block.put(40, &endianness.double_word(self.halves.shared.len() as u64));
        for (&shared, at) in self.halves.shared.iter().zip((at..).step_by(ENTRY as usize)) {
            let data = &self.program.data[shared];
            let text = block.add_text(&data.name);
            block.refer(at, here(text));
            block.refer(at + 8, Target::Data { section: shared, offset: 0 });
            block.put(at + 16, &endianness.double_word(data.contents.len()));
            block.put(at + 24, &endianness.word(u32::from(data.kind == DataKind::Data)));
        }

        let variables = self.variables();
        let at = block.add(ENTRY * variables.len() as u64);
        block.refer(48, here(at));
        block.put(56, &endianness.double_word(variables.len() as u64));
        for (variable, at) in variables.into_iter().zip((at..).step_by(ENTRY as usize)) {
            let text = block.add_text(&variable.name);
            block.refer(at, here(text));
            block.refer(at + 8, variable.place);
            block.put(at + 16, &endianness.word(variable.size));
            block.put(at + 20, &endianness.word(variable.ty as u32));
            block.put(at + 24, &endianness.word(u32::from(variable.is_constant)));
        }

        let name = block.add_text(&script_name(&self.program.files[file]));
        block.refer(64, here(name));
        self.program.data[section] = block.into_constants(file, ".data.rel.ro.script");
        here(0)
    }

    /// The functions of the script, in order.
    fn functions(&self) -> Vec<ScriptFunction> {
        let mut functions = Vec::new();
        for (id, function) in self.program.functions.iter() {
            let section = &self.program.code[function.section];
            if function.binding == Binding::Local || self.program.is_of_runtime(section.file) {
                continue;
            }
            let Some((kind, argument)) = names::of_script(&function.name, &section.name) else { continue };
            let result = function.prototype.as_ref().map(|prototype| &prototype.result);
            functions.push(ScriptFunction {
                id,
                kind,
                returns: result.is_some_and(|result| matches!(result, CType::Int { .. })),
                argument: argument.map(str::to_owned),
            });
        }
        functions
    }

    /// The global variables of shared sections, and those that can be set though only the user half has them: constants first,
    /// then by name.
    fn variables(&self) -> Vec<ScriptVariable> {
        let btf = self.program.types[self.halves.file].as_deref();
        let is_settable = |section: DataSectionId| {
            let data = &self.program.data[section];
            data.file == self.halves.file && data.kind == DataKind::Settable
        };
        let symbols = self
            .program
            .symbols
            .iter()
            .filter(|(_, symbol)| self.halves.shared.contains(&symbol.section) || is_settable(symbol.section));
        let variable = |symbol: &crate::program::DataSymbol| ScriptVariable {
            name: symbol.name.clone(),
            place: Target::Data { section: symbol.section, offset: symbol.offset.cast_signed() },
            size: symbol.size as u32,
            ty: btf.map_or(ScriptType::Other, |btf| script_type(btf, &symbol.name)),
            is_constant: self.program.data[symbol.section].kind != DataKind::Data,
        };
        let mut variables: Vec<ScriptVariable> = symbols.map(|(_, symbol)| variable(symbol)).collect();
        variables.sort_by(|left, right| (!left.is_constant, &left.name).cmp(&(!right.is_constant, &right.name)));
        variables
    }
}

struct ScriptFunction {
    id: FunctionId,
    kind: ScriptKind,
    /// It returns an integer.
    returns: bool,
    /// What follows the slash of its section.
    argument: Option<String>,
}

struct ScriptVariable {
    name: String,
    place: Target,
    size: u32,
    ty: ScriptType,
    is_constant: bool,
}

/// The type of a variable, as far as a text can be made a value of it.
fn script_type(btf: &Btf, name: &str) -> ScriptType {
    let Some(variable) = btf.symbols_named(name).find(|symbol| symbol.kind == SymbolKind::Variable) else {
        return ScriptType::Other;
    };
    let Ok((_, ty)) = btf.resolve(variable.ty) else { return ScriptType::Other };
    match ty.kind {
        Kind::Int(int) if int.boolean => ScriptType::Bool,
        Kind::Int(int) if int.signed => ScriptType::Signed,
        Kind::Int(_) => ScriptType::Unsigned,
        Kind::Enum(all) | Kind::Enum64(all) if all.signed => ScriptType::Signed,
        Kind::Enum(_) | Kind::Enum64(_) => ScriptType::Unsigned,
        Kind::Array(array) => match btf.resolve(array.element).map(|(_, ty)| ty.kind) {
            Ok(Kind::Int(int)) if int.bytes == 1 && !int.boolean => ScriptType::Text,
            _ => ScriptType::Other,
        },
        _ => ScriptType::Other,
    }
}

/// A file's name without its folder and `.o`.
fn script_name(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".o").unwrap_or(name).to_owned()
}
