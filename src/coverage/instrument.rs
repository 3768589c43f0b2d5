//! Where counters are put, and what they mean.
//!
//! In: a program, and what is wanted of it. Out: a copy of it with a section of counters and a plan of what counts what ([`Counters`]),
//! and the map back to its source lines and blocks ([`CoverageMap`]).
//!
//! A function is a network of edges, of which `placement.rs` chooses those that are counted:
//!
//! | edge | between | its counter |
//! |---|---|---|
//! | a block | its start and its end; its start and the outside, where control may stop in it | at its start |
//! | an outcome of a branch | the end of its block and the start of the next one | on the edge |
//! | `goto` | the same | none; where control may stop in the block, after the last call |
//! | a call of the function, a return | the outside and a block | in front of the first block; none |
//! | what comes back | the outside and the end of a block that control may stop in | none |
//! | what follows a tail call in its block | | after the call, which does not come back when it succeeds |
//!
//! Where control may stop are calls that may not come back (`flow.rs`). Functions without source lines get counters for a
//! profile alone; the runtime's and those that write the counts (`writers.rs`) get none.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::digest::digest;
use super::flow::{Returning, is_tail_call};
use super::loops::{self, InnermostLoop};
use super::map::{Count, CoverageMap, MappedBlock, MappedBranch, MappedFunction, MappedLine, MappedProfile};
use super::network::{Network, Place};
use super::placement::{self, Cost};
use super::writers;
use crate::decode::SLOT;
use crate::decode::insn::Insn;
use crate::graph::{Block, Edge, Graph, Instruction, LabelIndex, Terminator, Unverified};
use crate::program::counters::{COUNTER, CountedLoop, Counters, FunctionCounters, Stride};
use crate::program::{Contents, DataKind, DataSection, FileId, FunctionId, Id, Program};

/// The name of the section of counters.
const SECTION: &str = ".bss.coverage";

/// The most sums that a loop keeps in registers. More than that do not fit beside what the loop computes with, and moving them to and
/// from the stack takes longer than counting in memory.
const MOST_SUMS: usize = 4;

/// What counters are wanted for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Coverage: functions, lines and branches.
    pub(crate) coverage: bool,
    /// A profile: blocks.
    pub(crate) profile: bool,
}

impl Wanted {
    /// Whether there are any.
    pub(crate) fn any(self) -> bool {
        self.coverage || self.profile
    }
}

/// The program with counters, and what they mean.
pub(crate) fn instrument(program: &Program, wanted: Wanted) -> (Program, CoverageMap) {
    let labels = LabelIndex::new(program);
    let mut map = CoverageMap::default();
    let mut functions = BTreeMap::new();
    let of_writers = writers::files_of_writers(program);
    let is_own = |&function: &FunctionId| {
        let file = program.code[program.functions[function].section].file;
        !program.is_runtime_function(function) && !of_writers.contains(&file)
    };
    let own = program.functions.ids().filter(is_own);
    // A function without a graph is an error, which the phase that needs it reports.
    let graphs = own.filter_map(|function| Graph::build(program, &labels, function, Unverified::Trap).ok());
    let graphs: Vec<Graph> = graphs.collect();
    let returning = Returning::of(program, &graphs);
    let is_counted = |graph: &&Graph| !graph.blocks.is_empty() && (wanted.profile || has_lines(program, graph));
    for graph in graphs.iter().filter(is_counted) {
        let instrumenter = FunctionInstrumenter {
            program,
            wanted,
            graph,
            returning: &returning,
            map: &mut map,
            counters: FunctionCounters::default(),
            lines: BTreeMap::new(),
        };
        functions.insert(graph.function, instrumenter.run());
    }
    let mut program = program.clone();
    if map.counters > 0 {
        let section = program.data.push(DataSection {
            file: FileId::new(0),
            name: SECTION.to_owned(),
            group: None,
            retained: true,
            kind: DataKind::Data,
            align: COUNTER,
            contents: Contents::Zeros((map.counters + map.derived.len()) as u64 * COUNTER),
            relocations: Vec::new(),
        });
        program.counters = Some(Arc::new(Counters { section, functions }));
    }
    (program, map)
}

/// The file and the line of an instruction; none where the compiler says that it has none.
fn line_of(program: &Program, graph: &Graph, instruction: &Instruction) -> Option<(Arc<str>, u32)> {
    let line = program.line(graph.section, instruction.offset)?;
    (line.line > 0 && !line.file.is_empty()).then(|| (line.file.clone(), line.line))
}

/// A block's first instruction, in slots from its function's start.
pub(super) fn number_of(program: &Program, graph: &Graph, block: &Block) -> u64 {
    let start = program.functions[graph.function].start;
    let first = graph.instructions.get(block.start).map_or(start, |first| first.offset);
    first.saturating_sub(start) / SLOT as u64
}

fn has_lines(program: &Program, graph: &Graph) -> bool {
    graph.instructions.iter().any(|instruction| line_of(program, graph, instruction).is_some())
}

struct FunctionInstrumenter<'a> {
    program: &'a Program,
    wanted: Wanted,
    graph: &'a Graph,
    returning: &'a Returning,
    map: &'a mut CoverageMap,
    counters: FunctionCounters,
    /// How often blocks with instructions of each line run.
    lines: BTreeMap<(Arc<str>, u32), BTreeSet<Count>>,
}

impl<'a> FunctionInstrumenter<'a> {
    fn run(mut self) -> FunctionCounters {
        let graph = self.graph;
        let loops = loops::find(graph);
        let network = Network::new(graph, self.returning, &loops);
        self.counters.blocks = vec![None; graph.blocks.len()];
        // Counters after tail calls come first: one of them may be that of an edge, too.
        let after: Vec<Vec<Count>> = graph.blocks.iter().map(|block| self.after_tail_calls(block)).collect();
        let (counters, map) = (&mut self.counters, &mut *self.map);
        let (all, derived) = (&mut map.counters, &mut map.derived);
        // How often each counter probably counts, and what that costs.
        let mut steps: BTreeMap<u32, Cost> = BTreeMap::new();
        let counter = |edge: usize| {
            let mut new = || {
                let counter = next(all);
                steps.insert(counter, network.edges[edge].cost);
                counter
            };
            Count::Counter(match network.places[edge] {
                Place::Block(block) => *counters.blocks[block].insert(new()),
                Place::Outcome(block, outcome) => *counters.outcomes.entry((block, outcome)).or_insert_with(new),
                Place::Entry => *counters.entry.insert(new()),
                Place::After(offset) => *counters.after.entry(offset).or_insert_with(new),
            })
        };
        let derive = |terms| {
            derived.push(terms);
            Count::Derived(derived.len() as u32 - 1)
        };
        let counts = placement::place(network.nodes, &network.edges, &network.wanted, counter, derive);
        let count = |edge: usize| counts[edge].expect("it is wanted");
        let outcomes = |index: usize| network.outcomes[index].iter().map(|&edge| count(edge)).collect::<Vec<_>>();
        self.counters.loops = loops.innermost.iter().map(|inner| self.counted_loop(inner, &steps)).collect();
        if self.wanted.profile {
            let block = |(index, block): (usize, &Block)| MappedBlock {
                start: number_of(self.program, graph, block),
                count: count(network.blocks[index]),
                outcomes: Some(outcomes(index)).filter(|outcomes| outcomes.len() > 1).unwrap_or_default(),
            };
            let blocks = graph.blocks.iter().enumerate().map(block).collect();
            let name = self.program.functions[graph.function].name.clone();
            let digest = digest(self.program, graph);
            self.map.profiles.push(MappedProfile { name, digest, calls: count(network.entry), blocks });
        }
        if !self.wanted.coverage {
            return self.counters;
        }
        for (index, block) in graph.blocks.iter().enumerate() {
            self.lines_of(block, count(network.blocks[index]), &after[index]);
            self.branch(block, outcomes(index));
        }
        let first = graph.instructions.iter().find_map(|instruction| line_of(self.program, graph, instruction));
        if let Some((file, line)) = first {
            let name = self.program.functions[graph.function].name.clone();
            self.map.functions.push(MappedFunction { file, line, name, calls: count(network.entry) });
        }
        let lines = std::mem::take(&mut self.lines).into_iter();
        let mapped =
            lines.map(|((file, line), blocks)| MappedLine { file, line, blocks: blocks.into_iter().collect() });
        self.map.lines.extend(mapped);
        self.counters
    }

    /// What of a loop is counted in registers: what these tell by themselves, and of the rest what counts most often.
    fn counted_loop(&self, inner: &InnermostLoop, steps: &BTreeMap<u32, Cost>) -> CountedLoop {
        let InnermostLoop { blocks, strides } = inner;
        let counters = &self.counters;
        let mut counted: BTreeMap<u32, Option<Stride>> = BTreeMap::new();
        let mut sums: Vec<(Reverse<Option<Cost>>, u32)> = Vec::new();
        for &block in blocks {
            let of_block = counters.blocks[block];
            let outcomes = self.graph.blocks[block].terminator.outcomes();
            let stays =
                |outcome: usize| matches!(outcomes.get(outcome), Some(Edge::Block(next)) if blocks.contains(next));
            let of_outcomes = counters.outcomes.range((block, 0)..=(block, usize::MAX));
            let staying = of_outcomes.filter(|((_, outcome), _)| stays(*outcome)).map(|(_, &counter)| counter);
            let stride = strides.get(&block);
            counted.extend(of_block.zip(stride).map(|(counter, &stride)| (counter, Some(stride))));
            let summed = of_block.filter(|_| stride.is_none()).into_iter().chain(staying);
            sums.extend(summed.map(|counter| (Reverse(steps.get(&counter).copied()), counter)));
        }
        sums.sort_unstable();
        counted.extend(sums.into_iter().take(MOST_SUMS).map(|(_, counter)| (counter, None)));
        CountedLoop { blocks: blocks.clone(), counters: counted }
    }

    /// Puts counters after a block's tail calls.
    fn after_tail_calls(&mut self, block: &Block) -> Vec<Count> {
        let instructions = self.graph.instructions_of(block);
        let Some((_, before_last)) = instructions.split_last() else { return Vec::new() };
        let counters = before_last.iter().filter(|instruction| is_tail_call(instruction)).map(|call| {
            let counter = next(&mut self.map.counters);
            self.counters.after.insert(call.offset, counter);
            Count::Counter(counter)
        });
        counters.collect()
    }

    /// Notes the lines of a block.
    fn lines_of(&mut self, block: &Block, start: Count, after: &[Count]) {
        let graph = self.graph;
        let (mut count, mut after) = (start, after.iter());
        for instruction in graph.instructions_of(block) {
            if let Some(line) = line_of(self.program, graph, instruction) {
                self.lines.entry(line).or_default().insert(count);
            }
            if is_tail_call(instruction) {
                count = after.next().copied().unwrap_or(count);
            }
        }
    }

    /// Notes the outcomes of a block's branch.
    fn branch(&mut self, block: &Block, outcomes: Vec<Count>) {
        let Some(last) = self.graph.instructions_of(block).last() else { return };
        let is_branch = match (last.insn, &block.terminator) {
            (Insn::Branch { .. }, _) => true,
            (_, Terminator::Register(jump)) => !jump.is_shared,
            // `may_goto` is the compiler's, not the source's.
            _ => false,
        };
        if let Some((file, line)) = line_of(self.program, self.graph, last).filter(|_| is_branch) {
            self.map.branches.push(MappedBranch { file, line, outcomes });
        }
    }
}

/// A new counter. Functions have fewer blocks than bytes, and their sections fewer than 4 GiB.
fn next(counters: &mut usize) -> u32 {
    *counters += 1;
    *counters as u32 - 1
}
