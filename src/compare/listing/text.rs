//! Listings of all functions of a program, or of one, as text.
//!
//! | listing | a line | comments |
//! |---|---|---|
//! | [`bpf`] | slot and instruction | source lines |
//! | [`clif`], [`optimised`] | CLIF, before and after Cranelift's optimisation | source lines, BPF instructions |
//! | [`assembly`] | offset, bytes and instruction; labels of blocks; relocated operands by name | the same |
//!
//! What is shown is what `-c` writes with the same options: the same translation ([`translate`]) makes both, and
//! assembly is read back from its bytes.

use std::collections::HashMap;
use std::fmt::Write;

use super::lines::{Origins, SourceLine, TextLine, bpf as bpf_lines, clif as clif_lines};
use super::names::Names;
use super::native::NativeCode;
use crate::codegen::{self, CompileError, CompiledFunction, Keep, Until};
use crate::compare::disasm::{DisasmError, Disassembler, Instruction};
use crate::config::Config;
use crate::emit::{Declared, EmitError, Purpose, declared, translate};
use crate::graph::{Graph, Unverified};
use crate::program::{FunctionId, Program};
use crate::warning::Warning;

/// Why there is no listing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// A function cannot be decoded.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The program cannot be translated.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// There is no disassembler for the target.
    #[error(transparent)]
    Disasm(#[from] DisasmError),
}

/// What is shown of a program.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listing {
    /// The text.
    pub text: String,
    /// What is odd about the program.
    pub warnings: Vec<Warning>,
}

/// The column of BPF instructions beside assembly, counted from the end of the bytes.
const COMMENT: usize = 40;

/// The column of bytes is wide enough for so many; a longer instruction pushes its text to the right.
const BYTES: usize = 10;

/// The heading of a function: its name, and where it is.
fn heading(program: &Program, function: FunctionId) -> String {
    let of = &program.functions[function];
    let section = &program.code[of.section];
    format!("; {} ({}, section `{}`)\n", of.name, program.files[section.file], section.name)
}

fn is_wanted(program: &Program, function: FunctionId, only: Option<&str>) -> bool {
    only.is_none_or(|only| only == program.functions[function].name)
}

/// The origins of a function's lines, as comments: each where it differs from that of the line before.
struct Comments<'a> {
    /// The BPF instructions, by slot.
    instructions: HashMap<u32, &'a str>,
    sources: &'a [SourceLine],
    last_instruction: Option<u32>,
    last_source: Option<u32>,
}

impl<'a> Comments<'a> {
    fn new(bpf: &'a [TextLine], origins: &'a Origins) -> Comments<'a> {
        let instructions = bpf.iter().filter_map(|line| Some((line.bpf?, line.text.as_str()))).collect();
        Comments { instructions, sources: &origins.sources, last_instruction: None, last_source: None }
    }

    fn source(&mut self, line: &TextLine) -> Option<String> {
        let index = line.source.filter(|index| self.last_source.replace(*index) != Some(*index))?;
        let source = self.sources.get(index as usize)?;
        Some(format!("; {}:{}: {}", source.file, source.line, source.text))
    }

    fn instruction(&mut self, line: &TextLine) -> Option<String> {
        let slot = line.bpf.filter(|slot| self.last_instruction.replace(*slot) != Some(*slot))?;
        Some(format!("; {slot}: {}", self.instructions.get(&slot)?))
    }
}

/// The BPF assembly of a program, or of the function of this name.
///
/// # Errors
///
/// [`ListError::Compile`] when a function cannot be decoded.
pub fn bpf(program: &Program, only: Option<&str>) -> Result<String, ListError> {
    let mut text = String::new();
    for graph in &codegen::graphs(program, Unverified::Trap)? {
        if !is_wanted(program, graph.function, only) {
            continue;
        }
        let origins = Origins::new(program, graph);
        let lines = bpf_lines(program, graph, &origins);
        let mut comments = Comments::new(&lines, &origins);
        text += &heading(program, graph.function);
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}:", program.functions[graph.function].name);
        for line in &lines {
            if let Some(comment) = comments.source(line) {
                let _ = writeln!(text, "{comment}");
            }
            let _ = writeln!(text, "{:8}:  {}", line.bpf.unwrap_or_default(), line.text);
        }
        text.push('\n');
    }
    Ok(text)
}

/// CLIF of a function, with comments.
fn push_clif(text: &mut String, program: &Program, graph: &Graph, clif: &str) {
    let origins = Origins::new(program, graph);
    let bpf = bpf_lines(program, graph, &origins);
    let mut comments = Comments::new(&bpf, &origins);
    text.push_str(&heading(program, graph.function));
    for line in clif_lines(clif, &origins) {
        for comment in [comments.source(&line), comments.instruction(&line)].into_iter().flatten() {
            let _ = writeln!(text, "    {comment}");
        }
        let _ = writeln!(text, "{}", line.text);
    }
    text.push('\n');
}

/// The CLIF of a program, or of the function of this name, as Cranelift gets it.
///
/// # Errors
///
/// [`ListError`] when a function cannot be lifted.
pub fn clif(program: &Program, config: &Config, only: Option<&str>) -> Result<Listing, ListError> {
    clif_until(program, config, only, None)
}

/// The CLIF of a program, or of the function of this name, as it is at this point.
///
/// # Errors
///
/// [`ListError`] when a function cannot be lifted.
pub fn clif_until(
    program: &Program,
    config: &Config,
    only: Option<&str>,
    until: Option<Until>,
) -> Result<Listing, ListError> {
    let Declared { generators, threads, selection, declarations, warnings, .. } =
        declared(program, config, Purpose::Relocatable, "text")?;
    let lift = || codegen::clif(program, &selection, &declarations, &generators, until);
    let functions = match threads.for_program(program)? {
        Some(pool) => pool.install(lift)?,
        None => lift()?,
    };
    let names = Names::new(program, &declarations);
    let mut text = String::new();
    for (graph, function) in selection.graphs.iter().zip(&functions) {
        if is_wanted(program, graph.function, only) {
            push_clif(&mut text, program, graph, &names.clif(function));
        }
    }
    Ok(Listing { text, warnings })
}

/// The CLIF of a program, or of the function of this name, as Cranelift has optimised it.
///
/// # Errors
///
/// [`ListError`] when a function cannot be translated.
pub fn optimised(program: &Program, config: &Config, only: Option<&str>) -> Result<Listing, ListError> {
    let translation = translate(program, config, Purpose::Relocatable, "text", Keep::Optimised, None)?;
    let names = Names::new(program, &translation.declarations);
    let mut text = String::new();
    for (graph, compiled) in translation.selection.graphs.iter().zip(&translation.functions) {
        if let (true, Some(function)) = (is_wanted(program, graph.function, only), &compiled.optimised) {
            push_clif(&mut text, program, graph, &without_marker(&names.clif(function)));
        }
    }
    Ok(Listing { text, warnings: translation.warnings })
}

/// CLIF without the empty stack slot that marks where the spill slots are ([`CompiledFunction::optimised`]).
fn without_marker(clif: &str) -> String {
    let is_marker = |line: &&str| line.trim_start().starts_with("ss") && line.ends_with("= explicit_slot 0");
    clif.lines().filter(|line| !is_marker(line)).flat_map(|line| [line, "\n"]).collect()
}

/// The native assembly of a program, or of the function of this name.
///
/// # Errors
///
/// [`ListError`] when a function cannot be translated.
pub fn assembly(program: &Program, config: &Config, only: Option<&str>) -> Result<Listing, ListError> {
    let disassembler = Disassembler::new(&config.target)?;
    let translation = translate(program, config, Purpose::Relocatable, "text", Keep::Code, None)?;
    let names = Names::new(program, &translation.declarations);
    let mut text = String::new();
    for (graph, compiled) in translation.selection.graphs.iter().zip(&translation.functions) {
        if is_wanted(program, graph.function, only) {
            push_assembly(&mut text, program, &names, graph, compiled, &disassembler);
        }
    }
    Ok(Listing { text, warnings: translation.warnings })
}

fn push_assembly(
    text: &mut String,
    program: &Program,
    names: &Names<'_>,
    graph: &Graph,
    compiled: &CompiledFunction,
    disassembler: &Disassembler,
) {
    let origins = Origins::new(program, graph);
    let bpf = bpf_lines(program, graph, &origins);
    let mut comments = Comments::new(&bpf, &origins);
    let native = NativeCode::new(disassembler, compiled);
    let longest = native.instructions.iter().map(|instruction| instruction.size as usize).max().unwrap_or(0);
    let width = 3 * longest.min(BYTES);
    text.push_str(&heading(program, graph.function));
    let _ = writeln!(text, "{}:", program.functions[graph.function].name);
    for line in native.lines(names, compiled, &origins) {
        let Some(index) = line.instruction else {
            let _ = writeln!(text, "{}", line.line.text);
            continue;
        };
        let instruction = &native.instructions[index];
        if let Some(comment) = comments.source(&line.line) {
            let _ = writeln!(text, "        {comment}");
        }
        let bytes = hexadecimal(&compiled.code, instruction);
        let code = line.line.text.trim_start();
        let _ = match comments.instruction(&line.line) {
            Some(comment) => writeln!(text, "{:6x}:  {bytes:width$} {code:COMMENT$} {comment}", instruction.offset),
            None => writeln!(text, "{:6x}:  {bytes:width$} {code}", instruction.offset),
        };
    }
    text.push('\n');
}

fn hexadecimal(code: &[u8], instruction: &Instruction) -> String {
    let bytes = &code[instruction.offset as usize..instruction.end() as usize];
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}
