//! Objects of `fixtures/parse` as programs, and programs as text.

#![allow(clippy::unwrap_used)]
#![allow(dead_code, reason = "each test uses its part of it")]

use std::fmt::Write as _;
use std::path::PathBuf;

use bpf2native::parse::{Input, Options, parse};
use bpf2native::program::{Binding, Contents, Program, Target, Visibility};

pub fn input(name: &str) -> Input {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/parse").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Input { name: name.to_owned(), bytes }
}

pub fn program(names: &[&str]) -> Program {
    let inputs: Vec<Input> = names.iter().map(|name| input(name)).collect();
    parse(&inputs, &Options::without_runtime()).unwrap_or_else(|error| panic!("{names:?}: {error}"))
}

pub fn error(names: &[&str]) -> String {
    let inputs: Vec<Input> = names.iter().map(|name| input(name)).collect();
    parse(&inputs, &Options::without_runtime()).map(|_| ()).unwrap_err().to_string()
}

/// `actual` has the lines of `expected`, in order, blanks at their starts aside.
#[track_caller]
pub fn check(actual: &str, expected: &str) {
    let lines =
        |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    let (actual, expected) = (lines(actual), lines(expected));
    assert!(actual == expected, "{}", similar::TextDiff::from_lines(&expected, &actual).unified_diff());
}

pub fn target(program: &Program, target: Target) -> String {
    let plus = |number: i64| match number {
        0 => String::new(),
        1.. => format!("+{number:#x}"),
        _ => format!("-{:#x}", number.unsigned_abs()),
    };
    match target {
        Target::Function(id) => format!("fn {}", program.functions[id].name),
        Target::Label { section, offset } => format!("label {}+{offset:#x}", program.code[section].name),
        Target::Data { section, offset } => format!("data {}{}", program.data[section].name, plus(offset)),
        Target::Symbol { symbol, addend } => match program.data_place(target) {
            Some((section, offset)) => format!("data {}{}", program.data[section].name, plus(offset)),
            None => format!("weak {}{}", program.symbols[symbol].name, plus(addend)),
        },
        Target::Import { import, addend } => format!("import {}{}", program.imports[import].name, plus(addend)),
        Target::Absolute(number) => format!("number {number:#x}"),
    }
}

pub fn functions(program: &Program) -> String {
    let mut text = String::new();
    for (_, function) in program.functions.iter() {
        let section = &program.code[function.section];
        let binding = match function.binding {
            Binding::Local => "local",
            Binding::Global => "global",
            Binding::Weak => "weak",
        };
        let hidden = if function.visibility == Visibility::Hidden { " hidden" } else { "" };
        let taken = if function.address_taken { " taken" } else { "" };
        let (name, start, end) = (&function.name, function.start, function.end);
        write!(text, "{name}: {} {start:#x}..{end:#x} {binding}{hidden}{taken}", section.name).unwrap();
        for (alias, ..) in &function.aliases {
            write!(text, " alias {alias}").unwrap();
        }
        text.push('\n');
    }
    text
}

pub fn code(program: &Program) -> String {
    let mut text = String::new();
    for (_, section) in program.code.iter() {
        for relocation in &section.relocations {
            writeln!(text, "{} {:#x}: {}", section.name, relocation.offset, target(program, relocation.target))
                .unwrap();
        }
    }
    text
}

pub fn data(program: &Program) -> String {
    let mut text = String::new();
    for (_, section) in program.data.iter() {
        let kind = match &section.contents {
            Contents::Bytes(bytes) => format!("{:?}, {} bytes", section.kind, bytes.len()),
            Contents::Zeros(size) => format!("{:?}, {size} zeros", section.kind),
        };
        writeln!(text, "{}: {kind}, align {}", section.name, section.align).unwrap();
        for relocation in &section.relocations {
            writeln!(text, "{:#x}: {}", relocation.offset, target(program, relocation.target)).unwrap();
            let Contents::Bytes(bytes) = &section.contents else { panic!("zeros have no relocations") };
            let field = &bytes[relocation.offset as usize..][..8];
            assert_eq!(field, [0; 8], "the addend is still in {}", section.name);
        }
    }
    text
}

pub fn names(program: &Program) -> String {
    let mut text = String::new();
    for (_, symbol) in program.symbols.iter() {
        let section = &program.data[symbol.section];
        let hidden = if symbol.visibility == Visibility::Hidden { " hidden" } else { "" };
        let weak = if symbol.binding == Binding::Weak { " weak" } else { "" };
        let file = &program.files[section.file];
        let (name, offset, size) = (&symbol.name, symbol.offset, symbol.size);
        writeln!(text, "{name}: {file} {}+{offset:#x}, {size} bytes{weak}{hidden}", section.name).unwrap();
    }
    for (_, import) in program.imports.iter() {
        let weak = if import.weak { " weak" } else { "" };
        let files: Vec<&str> = import.files.iter().map(|&file| program.files[file].as_str()).collect();
        writeln!(text, "import {}: {:?}{weak}, {}", import.name, import.kind, files.join(" ")).unwrap();
    }
    for map in &program.maps {
        writeln!(text, "map {}: {}+{:#x}", map.name, program.data[map.section].name, map.offset).unwrap();
    }
    text
}
