//! What `inspect` shows, as data: its JSON has these fields.
//!
//! In: a program. Out: [`Contents`]. The rule: fields may be added, and none is renamed, removed or given another meaning without a
//! new [`SCHEMA`]; names are as in a [`Program`]: printable, with escapes.

use bpf2native::Program;
use bpf2native::decode::SLOT;
use bpf2native::internals::abi::libcalls;
use bpf2native::program::{
    Binding, Contents as Bytes, DataKind, Endianness, Function as ProgramFunction, FunctionId,
    Import as ProgramImport, ImportKind, PrototypeSource,
};
use serde::Serialize;

use super::{calls, maps};

/// The version of the schema.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
pub struct Contents {
    pub schema: u32,
    /// `little` or `big`.
    pub byte_order: &'static str,
    pub files: Vec<String>,
    pub sections: Vec<Section>,
    pub functions: Vec<Function>,
    pub imports: Vec<Import>,
    pub maps: Vec<Map>,
    pub helpers: Vec<Helper>,
    pub kfuncs: Vec<Kfunc>,
    pub core_relocations: Vec<CoreRelocation>,
}

#[derive(Serialize)]
pub struct Section {
    pub name: String,
    /// `code`, `data`, `zeros`, `read-only`, `constructors`, `destructors`, `jump table`.
    pub kind: &'static str,
    /// Bytes.
    pub size: u64,
    pub file: String,
}

#[derive(Serialize)]
pub struct Function {
    pub name: String,
    /// `program`: a loader attaches it, as its section says; `function`: others call it.
    pub role: &'static str,
    /// `kernel`, `user`, `both`: who runs it; none in a program without two halves.
    pub half: Option<&'static str>,
    pub section: String,
    pub file: String,
    /// `local`, `global`, `weak`.
    pub binding: &'static str,
    /// 8-byte slots of its instructions.
    pub slots: u64,
    /// Its declaration in C, if its type is known.
    pub declaration: Option<String>,
}

#[derive(Serialize)]
pub struct Import {
    pub name: String,
    pub weak: bool,
    /// `function` or `data`.
    pub kind: &'static str,
    /// `kernel` (`.ksyms`), `kconfig`, or `any`.
    pub of: &'static str,
    /// Its declaration in C, if its type is known.
    pub declaration: Option<String>,
    /// Where the type is from: `BTF`, `DWARF`, `the table of libc`, `the compiler's runtime`.
    pub declared_by: Option<&'static str>,
    /// The translator lifts it inline.
    pub inline: bool,
    pub files: Vec<String>,
}

#[derive(Serialize)]
pub struct Map {
    pub name: String,
    pub section: String,
    /// Byte offset in the section.
    pub offset: u64,
    /// None if the definition cannot be read.
    #[serde(flatten)]
    pub definition: Option<MapContents>,
    /// Initial elements.
    pub values: Vec<MapElement>,
}

#[derive(Serialize)]
pub struct MapContents {
    /// `hash`, `percpu_array`: `enum bpf_map_type`, small; none for a number that has no name.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub type_number: u32,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    /// `BPF_F_NO_PREALLOC` and so on; a number for bits without a name.
    pub flags: Vec<String>,
    pub flag_bits: u32,
    pub numa_node: u32,
    pub map_extra: u64,
    /// `none`, `by name`.
    pub pinning: String,
    /// Fields of the value that are more than data.
    pub fields: Vec<MapField>,
    /// What the elements of a map of maps are.
    pub inner: Option<Box<MapContents>>,
}

#[derive(Serialize)]
pub struct MapField {
    pub kind: String,
    /// Byte offset in the value.
    pub offset: u32,
    pub size: u32,
}

#[derive(Serialize)]
pub struct MapElement {
    pub index: u64,
    /// The map or the function.
    pub name: String,
}

#[derive(Serialize)]
pub struct Helper {
    pub number: u32,
    /// `bpf_map_lookup_elem`; none for a number that the kernel does not have.
    pub name: Option<String>,
    pub callers: Vec<String>,
}

#[derive(Serialize)]
pub struct Kfunc {
    pub name: String,
    pub callers: Vec<String>,
}

#[derive(Serialize)]
pub struct CoreRelocation {
    /// The function; none where there is none.
    pub function: Option<String>,
    pub section: String,
    /// Byte offset of the instruction in the section.
    pub offset: u64,
    /// The instruction's slot in the function.
    pub slot: Option<u64>,
    /// `byte offset`, `field exists`, `type size`, ...
    pub kind: String,
    /// `struct task_struct`.
    #[serde(rename = "type")]
    pub ty: String,
    /// `.comm[0]`; empty for the type itself. None where the access makes no sense.
    pub path: Option<String>,
    /// The access as the object has it: `0:1:2`.
    pub access: String,
}

impl Contents {
    pub fn of(program: &Program) -> Contents {
        let (helpers, kfuncs) = calls::of(program);
        Contents {
            schema: SCHEMA,
            byte_order: match program.endianness {
                Endianness::Little => "little",
                Endianness::Big => "big",
            },
            files: program.files.as_slice().to_vec(),
            sections: sections(program),
            functions: program.functions.iter().map(|(id, of)| function(program, id, of)).collect(),
            imports: imports(program).collect(),
            maps: maps::of(program),
            helpers,
            kfuncs,
            core_relocations: core_relocations(program),
        }
    }
}

fn sections(program: &Program) -> Vec<Section> {
    let code = program.code.as_slice().iter().map(|code| Section {
        name: code.name.clone(),
        kind: "code",
        size: code.bytes.len() as u64,
        file: program.files[code.file].clone(),
    });
    let data = program.data.as_slice().iter().map(|data| Section {
        name: data.name.clone(),
        kind: match (data.kind, &data.contents) {
            (DataKind::Data, Bytes::Zeros(_)) => "zeros",
            (DataKind::Data, _) => "data",
            (DataKind::ReadOnly | DataKind::Settable, _) => "read-only",
            (DataKind::Constructors(_), _) => "constructors",
            (DataKind::Destructors(_), _) => "destructors",
            (DataKind::JumpTable(_), _) => "jump table",
        },
        size: data.contents.len(),
        file: program.files[data.file].clone(),
    });
    code.chain(data).collect()
}

/// As libbpf has it: what is in a section that is not a compiler's own is a program.
fn function(program: &Program, id: FunctionId, function: &ProgramFunction) -> Function {
    let section = &program.code[function.section];
    Function {
        name: function.name.clone(),
        role: if section.name.starts_with('.') { "function" } else { "program" },
        half: program.halves.as_ref().map(|halves| halves.of(id).word()),
        section: section.name.clone(),
        file: program.files[section.file].clone(),
        binding: match function.binding {
            Binding::Local => "local",
            Binding::Global => "global",
            Binding::Weak => "weak",
        },
        slots: (function.end - function.start) / SLOT as u64,
        declaration: function.prototype.as_ref().map(|prototype| prototype.declare(&function.name)),
    }
}

fn imports(program: &Program) -> impl Iterator<Item = Import> {
    let own = program.imports.as_slice().iter().filter(|import| import.alias_of.is_none());
    own.map(|import| import_of(program, import))
}

fn import_of(program: &Program, import: &ProgramImport) -> Import {
    let name = &import.name;
    let runtime = libcalls::prototype(name).filter(|_| import.kind == ImportKind::Function);
    let (declaration, declared_by) = match (&import.prototype, runtime) {
        (Some(prototype), _) => {
            let source = match import.prototype_from {
                PrototypeSource::Table => "the table of libc",
                PrototypeSource::Dwarf => "DWARF",
                PrototypeSource::Btf | PrototypeSource::None => "BTF",
            };
            (Some(prototype.declare(name)), Some(source))
        }
        (None, Some(prototype)) => (Some(prototype.declare(name)), Some("the compiler's runtime")),
        (None, None) => (None, None),
    };
    Import {
        name: name.clone(),
        weak: import.weak,
        kind: match import.kind {
            ImportKind::Function => "function",
            ImportKind::Data => "data",
        },
        of: match (import.ksym, import.kconfig) {
            (true, _) => "kernel",
            (_, true) => "kconfig",
            _ => "any",
        },
        declaration,
        declared_by,
        inline: import.prototype.is_none()
            && import.kind == ImportKind::Function
            && libcalls::named(name).is_some(),
        files: import.files.iter().map(|&file| program.files[file].clone()).collect(),
    }
}

fn core_relocations(program: &Program) -> Vec<CoreRelocation> {
    let relocation = |relocation: &bpf2native::program::CoreRelocation| {
        let holds = |function: &&ProgramFunction| {
            function.section == relocation.section && (function.start..function.end).contains(&relocation.offset)
        };
        let functions = program.functions.as_slice();
        // Functions are in order of section and start; several may begin at one place.
        let after = functions.partition_point(|function| {
            (function.section, function.start) <= (relocation.section, relocation.offset)
        });
        let function = functions[..after].last().filter(holds);
        CoreRelocation {
            function: function.map(|function| function.name.clone()),
            section: program.code[relocation.section].name.clone(),
            offset: relocation.offset,
            slot: function.map(|function| (relocation.offset - function.start) / SLOT as u64),
            kind: relocation.kind.to_string(),
            ty: relocation.ty.to_string(),
            path: relocation.path.as_ref().map(ToString::to_string),
            access: relocation.access.to_string(),
        }
    };
    program.core_relocations.iter().map(relocation).collect()
}
