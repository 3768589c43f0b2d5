//! The three texts of a function, line by line: BPF assembly, CLIF, native assembly; each line with the BPF instruction
//! and the source line that it comes from, so that they can be shown side by side.
//!
//! | text | a line is |
//! |---|---|
//! | BPF | an instruction, with the name of what it refers to; helpers by name and number: `call bpf_map_lookup_elem#1` |
//! | CLIF | a line of CLIF |
//! | assembly | an instruction as it is in the object; the label of a block; constants |

use std::collections::{BTreeMap, HashMap};

use cranelift_codegen::binemit::Reloc;
use serde::{Deserialize, Serialize};

use super::names::Names;
use crate::abi::helpers;
use crate::codegen::CompiledFunction;
use crate::compare::disasm::Instruction;
use crate::decode::insn::{Callee, Insn};
use crate::graph::Graph;
use crate::program::{Program, Target};

/// A kind of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextKind {
    /// BPF assembly.
    Bpf,
    /// CLIF, as the lifter makes it.
    Clif,
    /// Native assembly.
    Asm,
}

impl TextKind {
    /// All of them.
    pub const ALL: [TextKind; 3] = [TextKind::Bpf, TextKind::Clif, TextKind::Asm];

    /// `bpf`, `clif`, `asm`.
    pub fn name(self) -> &'static str {
        match self {
            TextKind::Bpf => "bpf",
            TextKind::Clif => "clif",
            TextKind::Asm => "asm",
        }
    }
}

/// A source line that a function has instructions of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLine {
    /// The file, as the compiler recorded it.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
    /// Its text; empty where the object has none.
    pub text: String,
}

/// A line of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextLine {
    /// The line, without its end.
    pub text: String,
    /// The BPF instruction that it comes from: its slot, counted from the function's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bpf: Option<u32>,
    /// The source line: its index in [`Texts::sources`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<u32>,
}

/// The texts of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Texts {
    /// BPF assembly; none for code that something else made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bpf: Vec<TextLine>,
    /// CLIF; none for code that something else made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clif: Vec<TextLine>,
    /// Native assembly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asm: Vec<TextLine>,
    /// The source lines, in the order in which the BPF code has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceLine>,
}

impl Texts {
    /// One of the three.
    pub fn of(&self, kind: TextKind) -> &[TextLine] {
        match kind {
            TextKind::Bpf => &self.bpf,
            TextKind::Clif => &self.clif,
            TextKind::Asm => &self.asm,
        }
    }

    /// The source line of a line.
    pub fn source(&self, line: &TextLine) -> Option<&SourceLine> {
        self.sources.get(line.source? as usize)
    }
}

/// The name of the target of an address.
pub(crate) fn target_name(program: &Program, target: Target) -> String {
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

/// The origins of a function's instructions.
pub(crate) struct Origins {
    /// Byte offset in the code section to slot and source line.
    lines: HashMap<u64, (u32, Option<u32>)>,
    pub sources: Vec<SourceLine>,
}

impl Origins {
    pub fn new(program: &Program, graph: &Graph) -> Origins {
        let start = program.functions[graph.function].start;
        let mut lines = HashMap::with_capacity(graph.instructions.len());
        let (mut sources, mut known) = (Vec::new(), HashMap::new());
        for instruction in &graph.instructions {
            let slot = (instruction.offset - start) / crate::decode::SLOT as u64;
            let source = program.line(graph.section, instruction.offset).map(|line| {
                *known.entry((line.file.clone(), line.line)).or_insert_with(|| {
                    let text = line.text.trim().to_owned();
                    sources.push(SourceLine { file: line.file.to_string(), line: line.line, text });
                    sources.len() as u32 - 1
                })
            });
            lines.insert(instruction.offset, (slot as u32, source));
        }
        Origins { lines, sources }
    }

    fn line(&self, text: String, offset: Option<u64>) -> TextLine {
        match offset.and_then(|offset| self.lines.get(&offset)) {
            Some(&(slot, source)) => TextLine { text, bpf: Some(slot), source },
            None => TextLine { text, bpf: None, source: None },
        }
    }
}

/// A call of a helper, as the kernel's verifier writes it; a number that the kernel gives to none stays alone.
fn helper_call(number: u32) -> String {
    match helpers::shown_name(number) {
        Some(name) => format!("call {name}#{number}"),
        None => format!("call {number}"),
    }
}

/// The BPF assembly.
pub(crate) fn bpf(program: &Program, graph: &Graph, origins: &Origins) -> Vec<TextLine> {
    let lines = graph.instructions.iter().map(|instruction| {
        let mut text = match instruction.insn {
            Insn::Call(Callee::Helper(number)) => helper_call(number),
            insn => insn.to_string(),
        };
        if let Some(target) = instruction.target {
            text.push_str(&format!("  <{}>", target_name(program, target)));
        }
        origins.line(text, Some(instruction.offset))
    });
    lines.collect()
}

/// The CLIF; `text` is Cranelift's, with names.
pub(crate) fn clif(text: &str, origins: &Origins) -> Vec<TextLine> {
    let lines = text.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let line = line.trim();
        // A line that has a source location begins with it: `@0018 v3 = iadd v1, v2`.
        let located = line.strip_prefix('@').and_then(|line| line.split_once(' '));
        let (offset, text) = match located {
            Some((offset, text)) => (u64::from_str_radix(offset, 16).ok(), text.trim_start()),
            None => (None, line),
        };
        let is_flush = ["function ", "block", "}"].iter().any(|start| text.starts_with(start)) && located.is_none();
        let text = if is_flush { text.to_owned() } else { format!("    {text}") };
        origins.line(text, offset)
    });
    lines.collect()
}

/// What an assembly text is made from, in addition to the instructions.
pub(crate) struct Places<'a> {
    /// For each instruction, which of `names` is relocated in it.
    pub relocated: &'a [Option<usize>],
    /// The names in relocations, in the order of the code.
    pub names: &'a [String],
    /// Bytes of the function.
    pub size: usize,
}

/// A line of assembly.
pub(crate) struct AssemblyLine {
    pub line: TextLine,
    /// The index of its instruction; none for a label.
    pub instruction: Option<usize>,
}

/// The native assembly. `origin` gives the byte offset, in the code section, of the BPF instruction that a native one
/// comes from.
pub(crate) fn assembly(
    instructions: &[Instruction],
    places: &Places<'_>,
    origin: impl Fn(&Instruction) -> Option<u64>,
    origins: Option<&Origins>,
) -> Vec<AssemblyLine> {
    let mut labels = BTreeMap::new();
    for (instruction, relocated) in instructions.iter().zip(places.relocated) {
        if let (None, Some(target)) = (relocated, instruction.target(places.size)) {
            labels.insert(target, String::new());
        }
    }
    for (index, label) in labels.values_mut().enumerate() {
        *label = format!("L{index}");
    }
    let line = |text: String, offset| match origins {
        Some(origins) => origins.line(text, offset),
        None => TextLine { text, ..TextLine::default() },
    };
    let mut lines = Vec::with_capacity(instructions.len() + labels.len());
    for (index, (instruction, relocated)) in instructions.iter().zip(places.relocated).enumerate() {
        if let Some(label) = labels.get(&instruction.offset) {
            lines.push(AssemblyLine { line: line(format!("{label}:"), None), instruction: None });
        }
        let label = || instruction.target(places.size).and_then(|target| labels.get(&target));
        let text = match (relocated, &instruction.reference) {
            (Some(index), Some(_)) => instruction.text_with(&places.names[*index]),
            (Some(index), None) => format!("{}  ; {}", instruction.text, places.names[*index]),
            (None, Some(_)) => {
                label().map_or_else(|| instruction.text.clone(), |label| instruction.text_with(label))
            }
            (None, None) => instruction.text.clone(),
        };
        let line = line(format!("    {text}"), origin(instruction));
        lines.push(AssemblyLine { line, instruction: Some(index) });
    }
    lines
}

/// The name that the linker puts at a relocation, with the distance from it.
pub(crate) fn relocation_name(names: &Names<'_>, compiled: &CompiledFunction, index: usize) -> String {
    let relocation = &compiled.relocations[index];
    let (name, _) = names.of(&relocation.name);
    // The addend of these relocations includes the distance from the field to what the address is relative to: the end of
    // the field's four bytes, or the start of the instruction, two bytes before.
    let bias = match relocation.kind {
        Reloc::X86PCRel4 | Reloc::X86CallPCRel4 | Reloc::X86CallPLTRel4 | Reloc::X86GOTPCRel4 => 4,
        Reloc::S390xPCRel32Dbl | Reloc::S390xPLTRel32Dbl => -2,
        _ => 0,
    };
    match relocation.addend.wrapping_add(bias) {
        0 => name,
        addend => format!("{name}{addend:+}"),
    }
}
