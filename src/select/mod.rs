//! The **select** phase: what of a program is translated, and what that uses.
//!
//! Comes in: a program, its graphs, and the roots. Goes out: a [`Selection`].
//!
//! Without roots everything is translated, as a compiler does. With roots, only the functions and data that they
//! reach: so one XDP function can be tried, and the user-space half of a BPF script can run, without the helpers that
//! the rest of the object calls. Constructors and destructors are always roots. Of the runtime, only what is reached is
//! translated, in any case; of an object with a kernel half, the user half.

pub mod entry;
mod exceptions;
pub(crate) mod map_calls;
pub(crate) mod redirects;
mod runs;
pub mod undefined;

use std::collections::BTreeMap;

use crate::abi::REGISTER_WORDS;
use crate::abi::libc::VForm;
use crate::decode::insn::Insn;
use crate::graph::{Callers, Graph, GraphError, Instruction, find_parameters, find_results, find_surely_read};
use crate::lift::call;
use crate::lift::formats;
use crate::lift::variadic;
use crate::program::frequencies::Frequencies;
use crate::program::{
    Binding, DataKind, DataSection, DataSectionId, FunctionId, GroupId, Half, IdVec, ImportId, Program, Target,
    edge,
};
use crate::resolution::Resolution;

/// What of a program is translated.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Selection {
    /// The graphs of the functions that are, in program order.
    pub graphs: Vec<Graph>,
    /// The data sections that are.
    pub data: IdVec<DataSectionId, bool>,
    /// How they use the imports.
    pub imports: IdVec<ImportId, Usage>,
    /// Symbols that instructions call without naming them (helpers by number, and so on), with the words that they
    /// take.
    pub runtime: BTreeMap<String, usize>,
    /// Who defines what it refers to.
    pub resolution: Resolution,
    /// How often its functions ran, as far as it is known.
    pub frequencies: Frequencies,
}

/// How a symbol is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// Some instruction calls it.
    pub called: bool,
    /// Some instruction or data has its address.
    pub addressed: bool,
}

/// Selects all of a program, or what `roots` reach; `graphs` has a result for each function, in program order.
///
/// # Errors
///
/// The error of the first function, in program order, that is selected and has no graph.
pub fn select(
    program: &Program,
    graphs: Vec<Result<Graph, GraphError>>,
    roots: Option<&[FunctionId]>,
    resolution: Resolution,
) -> Result<Selection, GraphError> {
    let start = match roots {
        Some(roots) => roots.iter().map(|&function| Node::Function(function)).collect(),
        None if program.has_runtime() || program.halves.is_some() => given(program),
        None => return Ok(select_all(program, graphs.into_iter().collect::<Result<_, _>>()?, resolution)),
    };
    let (functions, data) = reachable(program, &graphs, start, &resolution, formats::has_formats(program));
    let selected = program.functions.ids().zip(graphs).filter(|(function, _)| functions[*function]);
    let graphs = selected.map(|(_, graph)| graph).collect::<Result<Vec<Graph>, GraphError>>()?;
    Ok(uses(program, graphs, data, resolution))
}

/// Selects all of a program.
fn select_all(program: &Program, graphs: Vec<Graph>, resolution: Resolution) -> Selection {
    uses(program, graphs, program.data.ids().map(|_| true).collect(), resolution)
}

/// All of a program but the runtime, and what only the kernel runs.
fn given(program: &Program) -> Vec<Node> {
    let is_kernel = |id| program.halves.as_ref().is_some_and(|halves| halves.of(id) == Half::Kernel);
    let is_given = |&id: &FunctionId| !program.is_runtime_function(id) && !is_kernel(id);
    let functions = program.functions.ids().filter(is_given).map(Node::Function);
    let data = program.data.iter().filter(|(_, data)| !program.is_of_runtime(data.file));
    functions.chain(data.map(|(id, _)| Node::Data(id))).collect()
}

/// Finds how the selected functions and data use the rest.
fn uses(
    program: &Program,
    mut graphs: Vec<Graph>,
    data: IdVec<DataSectionId, bool>,
    resolution: Resolution,
) -> Selection {
    runs::mark(program, &mut graphs);
    exceptions::mark(program, &mut graphs);
    let callers = Callers::of(program, &graphs);
    find_surely_read(&callers, &mut graphs);
    find_results(program, &resolution, &mut graphs);
    find_parameters(program, &resolution, &callers, &mut graphs);
    let mut imports: IdVec<ImportId, Usage> = program.imports.ids().map(|_| Usage::default()).collect();
    let mut runtime = BTreeMap::new();
    for function in graphs.iter().flat_map(|graph| v_forms(program, &resolution, graph)) {
        runtime.insert(function.name.to_owned(), function.fixed + 1);
    }
    if formats::has_formats(program) {
        for name in graphs.iter().flat_map(|graph| formats::runtime_symbols(program, &resolution, graph)) {
            runtime.insert(name.to_owned(), 1);
        }
    }
    for instruction in graphs.iter().flat_map(|graph| &graph.instructions) {
        match (instruction.insn, instruction.target) {
            (Insn::Call(_), Some(Target::Import { import, .. })) => imports[import].called = true,
            (_, Some(Target::Import { import, .. })) => imports[import].addressed = true,
            (_, Some(_)) => {}
            (insn, None) if call::may_need_runtime(insn) => {
                for name in call::runtime_symbols(insn) {
                    runtime.insert(name, runtime_words(instruction));
                }
            }
            (_, None) => {}
        }
    }
    for (_, section) in program.data.iter().filter(|(id, _)| data[*id]) {
        for relocation in &section.relocations {
            if let Target::Import { import, .. } = relocation.target {
                imports[import].addressed = true;
            }
        }
    }
    Selection { graphs, data, imports, runtime, resolution, frequencies: Frequencies::default() }
}

/// The variadic functions whose `v` form a function calls.
fn v_forms<'a>(
    program: &'a Program,
    resolution: &'a Resolution,
    graph: &'a Graph,
) -> impl Iterator<Item = VForm> + 'a {
    graph.blocks.iter().flat_map(move |block| {
        let block = graph.instructions_of(block);
        block
            .iter()
            .enumerate()
            .filter_map(move |(index, call)| variadic::needed(program, resolution, &block[..index], call))
    })
}

/// How many words the symbol takes that an instruction calls without naming it.
fn runtime_words(instruction: &Instruction) -> usize {
    match instruction.insn {
        Insn::Call(_) => REGISTER_WORDS,
        Insn::LoadPacket { .. } => 3,
        _ => 1,
    }
}

/// A function or a data section.
#[derive(Clone, Copy)]
enum Node {
    Function(FunctionId),
    Data(DataSectionId),
}

fn node(program: &Program, target: Target) -> Option<Node> {
    match target {
        Target::Function(function) => Some(Node::Function(function)),
        Target::Data { section, .. } => Some(Node::Data(section)),
        Target::Symbol { symbol, .. } => Some(Node::Data(program.symbols[symbol].section)),
        // A label is an address inside a function that uses it itself.
        Target::Import { import, .. } => program.imports[import].alias_of.map(Node::Function),
        Target::Label { .. } | Target::Absolute(_) => None,
    }
}

/// Data that is reached with something else.
struct Beside {
    /// For symbols that are the ends of sections: these sections.
    within: BTreeMap<ImportId, Vec<DataSectionId>>,
    members: BTreeMap<GroupId, Vec<DataSectionId>>,
}

impl Beside {
    fn new(program: &Program) -> Beside {
        let mut named: BTreeMap<&str, Vec<DataSectionId>> = BTreeMap::new();
        let mut members: BTreeMap<GroupId, Vec<DataSectionId>> = BTreeMap::new();
        for (id, data) in program.data.iter() {
            if data.keeps_name() {
                named.entry(&data.name).or_default().push(id);
            }
            if let Some(group) = data.group {
                members.entry(group).or_default().push(id);
            }
        }
        let within = program.imports.iter().filter_map(|(id, import)| {
            let (_, section) = edge(&import.name)?;
            Some((id, named.get(section)?.clone()))
        });
        Beside { within: within.collect(), members }
    }

    /// What a target reaches.
    fn nodes(&self, program: &Program, target: Target) -> impl Iterator<Item = Node> {
        let within = match target {
            Target::Import { import, .. } => self.within.get(&import),
            _ => None,
        };
        node(program, target).into_iter().chain(within.into_iter().flatten().map(|&id| Node::Data(id)))
    }

    /// The data of a group, which a linker keeps as a whole.
    fn members(&self, group: Option<GroupId>) -> impl Iterator<Item = Node> {
        let members = group.and_then(|group| self.members.get(&group));
        members.into_iter().flatten().map(|&id| Node::Data(id))
    }
}

fn reachable(
    program: &Program,
    graphs: &[Result<Graph, GraphError>],
    start: Vec<Node>,
    resolution: &Resolution,
    has_formats: bool,
) -> (IdVec<FunctionId, bool>, IdVec<DataSectionId, bool>) {
    let graph_of: BTreeMap<FunctionId, &Graph> =
        graphs.iter().flatten().map(|graph| (graph.function, graph)).collect();
    let names = program.functions.iter().flat_map(|(id, function)| {
        let own = (function.binding != Binding::Local).then_some(function.name.as_str());
        own.into_iter().chain(function.aliases.iter().map(|(alias, ..)| alias.as_str())).map(move |name| (name, id))
    });
    let by_name: BTreeMap<&str, FunctionId> = names.collect();
    let mut functions: IdVec<FunctionId, bool> = program.functions.ids().map(|_| false).collect();
    let mut data: IdVec<DataSectionId, bool> = program.data.ids().map(|_| false).collect();
    let mut pending = start;
    pending.extend(program.kept.iter().map(|&function| Node::Function(function)));
    let runs_by_itself = |kind| matches!(kind, DataKind::Constructors(_) | DataKind::Destructors(_));
    let stays = |data: &DataSection| runs_by_itself(data.kind) || data.retained;
    pending.extend(program.data.iter().filter(|(_, data)| stays(data)).map(|(id, _)| Node::Data(id)));
    let beside = Beside::new(program);
    while let Some(next) = pending.pop() {
        match next {
            Node::Function(id) if !std::mem::replace(&mut functions[id], true) => {
                pending.extend(beside.members(program.code[program.functions[id].section].group));
                let callback = program.exceptions.as_ref().and_then(|exceptions| exceptions.callback(id));
                pending.extend(callback.map(Node::Function));
                let Some(graph) = graph_of.get(&id) else { continue };
                // What is called without being named, the program may define itself.
                let mut called: Vec<String> =
                    v_forms(program, resolution, graph).map(|function| function.name.to_owned()).collect();
                if has_formats {
                    let symbols = formats::runtime_symbols(program, resolution, graph);
                    called.extend(symbols.into_iter().map(str::to_owned));
                }
                for instruction in &graph.instructions {
                    let tail_return = call::tail_return(program, instruction);
                    let tail_enter = program.tail_enter.filter(|_| tail_return.is_some());
                    pending.extend(tail_return.into_iter().chain(tail_enter).map(Node::Function));
                    if let Some(used) =
                        program.exceptions.as_ref().filter(|_| exceptions::calls_throw(program, instruction))
                    {
                        pending.extend(used.functions().map(Node::Function));
                    }
                    if let Some((placed, _)) = instruction.target.and_then(|target| program.arena_place(target)) {
                        let base = program.arena.as_ref().map(|arena| Node::Function(arena.base));
                        pending.extend(base.into_iter().chain([Node::Data(placed.map.0)]));
                    }
                    match instruction.target {
                        Some(target) => pending.extend(beside.nodes(program, target)),
                        None if call::may_need_runtime(instruction.insn) => {
                            called.extend(call::runtime_symbols(instruction.insn));
                        }
                        None => {}
                    }
                }
                let own = called.iter().filter_map(|name| by_name.get(name.as_str()));
                pending.extend(own.map(|&id| Node::Function(id)));
            }
            Node::Data(id) if !std::mem::replace(&mut data[id], true) => {
                let targets = program.data[id].relocations.iter().map(|relocation| relocation.target);
                pending.extend(targets.flat_map(|target| beside.nodes(program, target)));
                pending.extend(beside.members(program.data[id].group));
            }
            Node::Function(_) | Node::Data(_) => {}
        }
    }
    (functions, data)
}
