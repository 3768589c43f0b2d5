//! `inspect`: the contents of objects, and their imports.

use std::fmt::Write;

use bpf2native::Program;
use bpf2native::internals::abi::libcalls;
use bpf2native::program::{Binding, Contents, DataKind, Function, Import, ImportKind, PrototypeSource};

use super::args::Inspect;
use super::console::print;
use super::program::read;

pub fn inspect(arguments: &Inspect) -> anyhow::Result<()> {
    let program = read(&arguments.inputs, false)?;
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = sections(&program, &mut text);
    let _ = functions(&program, &mut text);
    let _ = imports(&program, &mut text);
    let _ = maps(&program, &mut text);
    print(&text)
}

fn sections(program: &Program, text: &mut String) -> std::fmt::Result {
    writeln!(text, "sections:")?;
    for (_, code) in program.code.iter() {
        let instructions = code.bytes.len() / bpf2native::decode::SLOT;
        writeln!(text, "  {:24} code      {instructions:8} slots  {}", code.name, program.files[code.file])?;
    }
    for (_, data) in program.data.iter() {
        let kind = match (data.kind, &data.contents) {
            (DataKind::Data, Contents::Zeros(_)) => "zeros",
            (DataKind::Data, _) => "data",
            (DataKind::ReadOnly | DataKind::Settable, _) => "read-only",
            (DataKind::Constructors(_), _) => "constructors",
            (DataKind::Destructors(_), _) => "destructors",
            (DataKind::JumpTable(_), _) => "jump table",
        };
        let (size, file) = (data.contents.len(), &program.files[data.file]);
        writeln!(text, "  {:24} {kind:9} {size:8} bytes  {file}", data.name)?;
    }
    Ok(())
}

fn declaration(function: &Function) -> String {
    match &function.prototype {
        Some(prototype) => prototype.declare(&function.name),
        None => function.name.clone(),
    }
}

fn functions(program: &Program, text: &mut String) -> std::fmt::Result {
    writeln!(text, "\nfunctions:")?;
    for (_, function) in program.functions.iter() {
        let binding = match function.binding {
            Binding::Local => "local",
            Binding::Global => "global",
            Binding::Weak => "weak",
        };
        let slots = (function.end - function.start) / bpf2native::decode::SLOT as u64;
        let section = &program.code[function.section].name;
        writeln!(text, "  {binding:6} {slots:6} slots  {section:16} {}", declaration(function))?;
    }
    Ok(())
}

fn import_line(program: &Program, import: &Import) -> String {
    let prototype = match &import.prototype {
        Some(prototype) => {
            let source = match import.prototype_from {
                PrototypeSource::Table => "from the table of libc",
                PrototypeSource::Dwarf => "from DWARF",
                PrototypeSource::Btf | PrototypeSource::None => "from BTF",
            };
            format!("{} ({source})", prototype.declare(&import.name))
        }
        None if import.kind == ImportKind::Data => format!("{} (only its address)", import.name),
        None if libcalls::named(&import.name).is_some() => format!("{} (lifted inline)", import.name),
        None => match libcalls::prototype(&import.name) {
            Some(prototype) => format!("{} (of the compiler's runtime)", prototype.declare(&import.name)),
            None => format!("{} (no prototype: registers as they are)", import.name),
        },
    };
    let weak = if import.weak { "weak " } else { "" };
    let files: Vec<&str> = import.files.iter().map(|&file| program.files[file].as_str()).collect();
    format!("  {weak}{prototype}  {}", files.join(", "))
}

fn imports(program: &Program, text: &mut String) -> std::fmt::Result {
    writeln!(text, "\nimports:")?;
    for (_, import) in program.imports.iter().filter(|(_, import)| import.alias_of.is_none()) {
        writeln!(text, "{}", import_line(program, import))?;
    }
    Ok(())
}

fn maps(program: &Program, text: &mut String) -> std::fmt::Result {
    if program.maps.is_empty() {
        return Ok(());
    }
    writeln!(text, "\nmaps:")?;
    for map in &program.maps {
        writeln!(text, "  {:24} {} + {:#x}", map.name, program.data[map.section].name, map.offset)?;
    }
    Ok(())
}
