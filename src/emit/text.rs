//! Text: BPF assembly, CLIF and native assembly, of all functions or of one.
//!
//! In: a program. Out: text that is the same for the same input and options. What is shown is what objects hold.

use std::fmt::Write;

use cranelift_object::{ObjectBuilder, ObjectModule};

use super::{EmitError, check_endianness};
use crate::compile::{self, Keep};
use crate::config::{Config, Isas, Placement};
use crate::declare::declare;
use crate::graph::{Graph, Instruction, Unverified};
use crate::lift::{Declarations, Imported};
use crate::program::{FunctionId, Program, Target};
use crate::select::{Selection, select};

/// The name of what an address refers to.
fn target_name(program: &Program, target: Target) -> String {
    let plus = |name: &str, offset: i64| match offset {
        0 => name.to_owned(),
        offset => format!("{name}{offset:+}"),
    };
    match target {
        Target::Function(function) => program.functions[function].name.clone(),
        Target::Label { section, offset } => plus(&program.code[section].name, offset as i64),
        Target::Data { section, offset } => plus(&program.data[section].name, offset),
        Target::Symbol { symbol, addend } => plus(&program.symbols[symbol].name, addend),
        Target::Import { import, addend } => plus(&program.imports[import].name, addend),
        Target::Absolute(value) => format!("{value:#x}"),
    }
}

/// The heading of a function: its name, and where it is.
fn heading(program: &Program, function: FunctionId) -> String {
    let of = &program.functions[function];
    let section = &program.code[of.section];
    format!("{} ({}, section `{}`)", of.name, program.files[section.file], section.name)
}

/// Writes a source line when it is another one than before.
struct SourceLines<'a> {
    program: &'a Program,
    last: Option<(&'a str, u32)>,
}

impl<'a> SourceLines<'a> {
    fn at(&mut self, graph: &Graph, instruction: &Instruction) -> Option<String> {
        let line = self.program.line(graph.section, instruction.offset)?;
        let place = (&*line.file, line.line);
        if self.last.replace(place) == Some(place) {
            return None;
        }
        Some(format!("; {}:{}: {}", line.file, line.line, line.text.trim()))
    }
}

/// The BPF assembly of a program, or of the function of this name.
///
/// # Errors
///
/// [`EmitError`] when a function cannot be decoded.
pub fn bpf(program: &Program, only: Option<&str>) -> Result<String, EmitError> {
    let mut text = String::new();
    for graph in &compile::graphs(program, Unverified::Refuse)? {
        let function = &program.functions[graph.function];
        if only.is_some_and(|only| only != function.name) {
            continue;
        }
        let mut lines = SourceLines { program, last: None };
        let _ = writeln!(text, "{}:", heading(program, graph.function));
        for instruction in &graph.instructions {
            if let Some(line) = lines.at(graph, instruction) {
                let _ = writeln!(text, "{line}");
            }
            let slot = (instruction.offset - function.start) / crate::decode::SLOT as u64;
            let _ = write!(text, "{slot:8}:  {}", instruction.insn);
            if let Some(target) = instruction.target {
                let _ = write!(text, "  <{}>", target_name(program, target));
            }
            text.push('\n');
        }
        text.push('\n');
    }
    Ok(text)
}

/// What CLIF and assembly are made from.
struct Prepared {
    isas: Isas,
    selection: Selection,
    declarations: Declarations,
}

fn prepare(program: &Program, config: &Config) -> Result<Prepared, EmitError> {
    check_endianness(program, &config.target)?;
    let isas = Isas::new(config, Placement::Object)?;
    let builder = ObjectBuilder::new(isas.main.clone(), "text", cranelift_module::default_libcall_names());
    let mut module = ObjectModule::new(builder.map_err(|error| EmitError::Write(error.to_string()))?);
    let selection = select(program, compile::graphs(program, Unverified::Refuse)?, None);
    let declarations =
        declare(program, &selection, &mut module, isas.platform(), Placement::Object, &mut Vec::new())?;
    Ok(Prepared { isas, selection, declarations })
}

/// Puts names in the place of Cranelift's numbers: `u0:3` is a function, `u1:3` data.
fn with_names(program: &Program, declarations: &Declarations, text: &str) -> String {
    let mut names = std::collections::HashMap::new();
    for (id, callee) in declarations.functions.iter() {
        let Some(callee) = callee else { continue };
        names.insert((0, callee.id.as_u32()), program.functions[id].name.as_str());
    }
    for (id, data) in declarations.data.iter() {
        let Some(data) = data else { continue };
        names.insert((1, data.id.as_u32()), program.data[id].name.as_str());
    }
    for (&id, data) in &declarations.symbols {
        names.insert((1, data.id.as_u32()), program.symbols[id].name.as_str());
    }
    for (id, imported) in declarations.imports.iter() {
        let key = match imported {
            Imported::Function(callee) => (0, callee.id.as_u32()),
            Imported::Data(data) => (1, data.id.as_u32()),
            Imported::Inline(_) | Imported::Unused => continue,
        };
        names.insert(key, program.imports[id].name.as_str());
    }
    for (name, callee) in &declarations.runtime {
        names.insert((0, callee.id.as_u32()), name.as_str());
    }
    let mut named = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('u') {
        let (before, from) = rest.split_at(at);
        named.push_str(before);
        let is_word = before.chars().last().or(named.chars().last()).is_some_and(char::is_alphanumeric);
        match reference(from).filter(|_| !is_word) {
            Some((key, length)) if names.contains_key(&key) => {
                named.push_str(names[&key]);
                rest = &from[length..];
            }
            _ => {
                named.push('u');
                rest = &from[1..];
            }
        }
    }
    named.push_str(rest);
    named
}

/// Reads `u<space>:<index>` at the start of `text`: the two numbers and the length.
fn reference(text: &str) -> Option<((u32, u32), usize)> {
    let (space, rest) = text.strip_prefix('u')?.split_once(':')?;
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let key = (space.parse().ok()?, rest[..digits].parse().ok()?);
    Some((key, 1 + space.len() + 1 + digits))
}

/// The CLIF of a program, or of the function of this name, as the lifter makes it.
///
/// # Errors
///
/// [`EmitError`] when a function cannot be lifted.
pub fn clif(program: &Program, config: &Config, only: Option<&str>) -> Result<String, EmitError> {
    let Prepared { isas, selection, declarations } = prepare(program, config)?;
    let functions = compile::clif(program, &selection, &declarations, &isas)?;
    let mut text = String::new();
    for (graph, function) in selection.graphs.iter().zip(&functions) {
        if only.is_none_or(|only| only == program.functions[graph.function].name) {
            let _ = writeln!(text, "; {}", heading(program, graph.function));
            let _ = writeln!(
                text,
                "{}",
                with_names(program, &declarations, &compile::numbered_names(function, &function.to_string()))
            );
        }
    }
    Ok(text)
}

/// The native assembly of a program, or of the function of this name.
///
/// # Errors
///
/// [`EmitError`] when a function cannot be translated.
pub fn assembly(program: &Program, config: &Config, only: Option<&str>) -> Result<String, EmitError> {
    let Prepared { isas, selection, declarations } = prepare(program, config)?;
    let functions = compile::functions(program, &selection, &declarations, &isas, Keep::Assembly)?;
    let mut text = String::new();
    for compiled in &functions {
        let Some(id) = compiled.function else { continue };
        let function = &program.functions[id];
        if only.is_none_or(|only| only == function.name) {
            let _ = writeln!(text, "; {}", heading(program, id));
            let _ = writeln!(text, "{}:", function.name);
            let assembly = compiled.assembly.as_deref().unwrap_or_default();
            // Cranelift's own notes on the frame are no instructions.
            let lines = assembly.lines().filter(|line| !line.trim_start().starts_with("unwind "));
            let assembly: String = lines.flat_map(|line| [line, "\n"]).collect();
            text.push_str(&with_names(program, &declarations, &assembly));
            text.push('\n');
        }
    }
    Ok(text)
}
