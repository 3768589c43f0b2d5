//! A program's functions, translated and measured each on its own.
//!
//! In: a program. Out: [`Measured`] for each of its functions, or why it has none.
//!
//! The program is translated as for a relocatable object. A function that cannot be translated is replaced by a trap, so
//! that its callers are translated as usual. What concerns all functions (the byte order, the target) is an error.

use cranelift_codegen::ir;
use cranelift_object::{ObjectBuilder, ObjectModule};
use rayon::prelude::*;

use super::hash::Hash;
use super::native::{self, Slots};
use super::{Measure, Measured, Want};
use crate::codegen::{self, CompiledFunction, Keep};
use crate::compare::disasm::{DisasmError, Disassembler};
use crate::compare::listing::{Names, NativeCode, Origins, TextLine, Texts, bpf_lines, clif_lines};
use crate::config::{CodeGenerators, Config, Placement};
use crate::declare::DeclareError;
use crate::decode::insn::Insn;
use crate::emit::driver::Driver;
use crate::emit::{EmitError, check_endianness};
use crate::graph::{Graph, Instruction, Unverified};
use crate::lift::{Declarations, Imported};
use crate::program::{FunctionId, Program, Target};
use crate::resolution::Resolution;
use crate::select::Selection;

/// Why a program cannot be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasureError {
    /// It cannot be translated.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// The native code cannot be read back.
    #[error(transparent)]
    Disasm(#[from] DisasmError),
}

/// A function of a program.
#[derive(Clone, Debug)]
pub struct Function {
    /// Which.
    pub id: FunctionId,
    /// Hash of the BPF code, independent of where it is and of the names of functions and data that it uses; none where it
    /// cannot be decoded.
    pub bpf: Option<String>,
    /// What was measured, or why the function cannot be translated.
    pub result: Result<Measured, String>,
}

/// Translates and measures all functions of a program, in program order, on the current thread pool.
///
/// # Errors
///
/// [`MeasureError`] for what concerns all functions.
pub fn program(program: &Program, config: &Config, want: Want) -> Result<Vec<Function>, MeasureError> {
    check_endianness(program, config.target.triple())?;
    let generators = CodeGenerators::new(config, Placement::Object).map_err(EmitError::from)?;
    Disassembler::new(&config.target)?;
    let mut failures: Vec<Option<String>> = vec![None; program.functions.len()];
    let mut graphs = Vec::with_capacity(failures.len());
    let driver = Driver { program, generators: &generators, placement: Placement::Object, pool: None };
    let built = driver.graphs(Unverified::Refuse);
    for ((id, graph), failure) in program.functions.ids().zip(built).zip(&mut failures) {
        graphs.push(graph.unwrap_or_else(|error| {
            *failure = Some(error.to_string());
            Graph::trap(program, id)
        }));
    }
    let bpf: Vec<Option<String>> = graphs
        .par_iter()
        .zip(&failures)
        .map(|(graph, failure)| failure.is_none().then(|| bpf_hash(program, graph)))
        .collect();
    let (selection, declarations) = declared(driver, graphs, &mut failures)?;
    let names = Names::new(program, &declarations);
    let look = |graph: &Graph, function: &ir::Function| Clif::new(program, &names, graph, function, want);
    let compiled = codegen::each_function(program, &selection, &declarations, &generators, Keep::Code, look);
    let whole = Whole { program, declarations: &declarations, names: &names };
    let measure = |disassembler: &mut Result<Disassembler, DisasmError>, index: usize| {
        if let Some(failure) = &failures[index] {
            return Err(failure.clone());
        }
        let (compiled, clif) = compiled[index].as_ref().map_err(ToString::to_string)?;
        let disassembler = disassembler.as_ref().map_err(ToString::to_string)?;
        Ok(whole.measure(&selection.graphs[index], compiled, clif, disassembler))
    };
    let results = (0..selection.graphs.len()).into_par_iter();
    let results = results.map_init(|| Disassembler::new(&config.target), measure).collect::<Vec<_>>();
    let functions = selection.graphs.iter().zip(bpf).zip(results);
    Ok(functions.map(|((graph, bpf), result)| Function { id: graph.function, bpf, result }).collect())
}

/// Selects and declares all functions. One that uses an import that cannot be called fails, and becomes a trap.
fn declared(
    driver: Driver<'_>,
    mut graphs: Vec<Graph>,
    failures: &mut [Option<String>],
) -> Result<(Selection, Declarations), EmitError> {
    let Driver { program, generators, .. } = driver;
    loop {
        let builder =
            ObjectBuilder::new(generators.main.clone(), "measure", cranelift_module::default_libcall_names());
        let mut module = ObjectModule::new(builder.map_err(|error| EmitError::Write(error.to_string()))?);
        let graphs_of_all = graphs.into_iter().map(Ok).collect();
        let selection = driver.select(graphs_of_all, None, Resolution::of_object(program), &mut Vec::new());
        let selection = selection.map_err(EmitError::from)?;
        match driver.declare(&selection, &mut module, &mut Vec::new()) {
            Ok(declarations) => return Ok((selection, declarations)),
            Err(error) => {
                graphs = selection.graphs;
                let DeclareError::Import { name, .. } = &error else { return Err(error.into()) };
                let uses = |instruction: &Instruction| match instruction.target {
                    Some(Target::Import { import, .. }) => program.imports[import].name == *name,
                    _ => false,
                };
                let mut is_used = false;
                for (graph, failure) in graphs.iter_mut().zip(failures.iter_mut()) {
                    if graph.instructions.iter().any(uses) {
                        *failure = Some(error.to_string());
                        *graph = Graph::trap(program, graph.function);
                        is_used = true;
                    }
                }
                if !is_used {
                    return Err(error.into());
                }
            }
        }
    }
}

/// The hash of a function's BPF code: its instructions, without the names of functions and data.
fn bpf_hash(program: &Program, graph: &Graph) -> String {
    let mut hash = Hash::new();
    for instruction in &graph.instructions {
        let text = match (instruction.target, instruction.insn) {
            (None, insn) => insn.to_string(),
            (Some(target), insn) => {
                let what = match target {
                    Target::Import { import, .. } => program.imports[import].name.as_str(),
                    Target::Function(_) => "<function>",
                    Target::Label { .. } => "<label>",
                    Target::Data { .. } | Target::Symbol { .. } => "<data>",
                    Target::Absolute(_) => "<number>",
                };
                match insn {
                    Insn::LoadImm { dst, .. } => format!("{dst} = {what}"),
                    _ => format!("call {what}"),
                }
            }
        };
        hash.part(text.as_bytes());
    }
    hash.finish()
}

/// Measurements of a function's CLIF.
struct Clif {
    instructions: u64,
    hash: String,
    /// The lines, and where they come from.
    lines: Option<(Vec<TextLine>, Origins)>,
}

impl Clif {
    fn new(program: &Program, names: &Names<'_>, graph: &Graph, function: &ir::Function, want: Want) -> Clif {
        let blocks = function.layout.blocks();
        let instructions = blocks.map(|block| function.layout.block_insts(block).count() as u64).sum();
        let text = names.clif(function);
        let mut hash = Hash::new();
        for line in text.lines() {
            // The function's position in its section does not count.
            let line = line.trim();
            let line = line.strip_prefix('@').and_then(|line| line.split_once(' ')).map_or(line, |(_, line)| line);
            hash.part(line.as_bytes());
        }
        let lines = (want == Want::Texts).then(|| {
            let origins = Origins::new(program, graph);
            (clif_lines(&text, &origins), origins)
        });
        Clif { instructions, hash: hash.finish(), lines }
    }
}

/// What is the same for all functions.
struct Whole<'a> {
    program: &'a Program,
    declarations: &'a Declarations,
    names: &'a Names<'a>,
}

impl Whole<'_> {
    fn measure(
        &self,
        graph: &Graph,
        compiled: &CompiledFunction,
        clif: &Clif,
        disassembler: &Disassembler,
    ) -> Measured {
        let native = NativeCode::new(disassembler, compiled);
        let slots = Slots::Range(&compiled.frame.spills);
        let mut measures = native::count(&native.instructions, compiled.code.len(), &native.relocated, &slots);
        let imports = self.imports(graph, compiled);
        measures.extend([
            (Measure::Bpf, graph.instructions.len() as u64),
            (Measure::Clif, clif.instructions),
            (Measure::Frame, u64::from(compiled.frame.size)),
            (Measure::Imports, imports.len() as u64),
        ]);
        let texts = clif.lines.as_ref().map(|(lines, origins)| {
            let asm = native.lines(self.names, compiled, origins);
            Texts {
                bpf: bpf_lines(self.program, graph, origins),
                clif: lines.clone(),
                asm: asm.into_iter().map(|line| line.line).collect(),
                sources: origins.sources.clone(),
            }
        });
        Measured {
            measures,
            imports,
            clif: Some(clif.hash.clone()),
            code: self.code_hash(compiled, &native.order),
            texts,
        }
    }

    /// The imports that the code names: in instructions, or through a table of addresses.
    fn imports(&self, graph: &Graph, compiled: &CompiledFunction) -> Vec<String> {
        let relocations = compiled.relocations.iter().map(|relocation| self.names.of(&relocation.name));
        let mut imports: Vec<String> =
            relocations.filter(|(_, is_import)| *is_import).map(|(name, _)| name).collect();
        imports.extend(graph.instructions.iter().filter_map(|instruction| match instruction.target {
            Some(Target::Import { import, .. }) => match self.declarations.imports[import] {
                Imported::Inline(_) | Imported::Unused => None,
                Imported::Function(_) | Imported::Data(_) => Some(self.program.imports[import].name.clone()),
            },
            _ => None,
        }));
        imports.sort_unstable();
        imports.dedup();
        imports
    }

    fn code_hash(&self, compiled: &CompiledFunction, order: &[usize]) -> String {
        let mut hash = Hash::new();
        hash.part(&compiled.code);
        for &index in order {
            let relocation = &compiled.relocations[index];
            hash.number(i64::from(relocation.offset));
            hash.part(format!("{:?}", relocation.kind).as_bytes());
            hash.part(self.names.of(&relocation.name).0.as_bytes());
            hash.number(relocation.addend);
        }
        hash.finish()
    }
}
