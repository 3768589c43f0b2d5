//! The contents of a program, as `inspect` shows them.
//!
//! In: a program. Out: [`Contents`]: sections, functions and imports from here, the rest from the files beside.

use bpf2native::Program;
use bpf2native::decode::SLOT;
use bpf2native::internals::abi::libcalls;
use bpf2native::program::{
    Binding, Contents as Bytes, CoreRelocation as ProgramRelocation, DataKind, Endianness,
    Function as ProgramFunction, FunctionId, Import as ProgramImport, ImportKind, PrototypeSource,
};

use super::model::{Contents, CoreRelocation, Function, Import, SCHEMA, Section};
use super::{calls, maps};

/// What a program has and needs.
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
    let relocation = |relocation: &ProgramRelocation| {
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
