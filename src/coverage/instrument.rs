//! Where counters are put, and what they mean.
//!
//! In: a program. Out: a copy of it with a section of counters and a plan of what counts what ([`Counters`]), and the map back to
//! its source lines ([`CoverageMap`]).
//!
//! | what | is counted by |
//! |---|---|
//! | a block | a counter at its start; that of the block before, where control can only come from there and cannot stop in between |
//! | what follows a tail call in its block | a counter after the call, which does not come back when it succeeds |
//! | an outcome of a branch | the counter of the block that it leads to, where nothing else leads there; else the branch's, but for the other outcome; else a counter on the edge |
//! | calls of a function | the counter of its first block; a counter of its own where jumps lead to that too |
//!
//! A difference is taken only where control cannot stop between the counters: not over calls, which may not come back. Functions
//! without source lines get no counters, and the runtime's get none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::loops;
use super::map::{Count, CoverageMap, MappedBranch, MappedFunction, MappedLine};
use crate::abi::helpers::TAIL_CALL;
use crate::decode::insn::{Callee, Insn};
use crate::graph::{Block, BlockIndex, Edge, Graph, Instruction, LabelIndex, Terminator, Unverified};
use crate::program::counters::{COUNTER, Counters, FunctionCounters};
use crate::program::{Contents, DataKind, DataSection, FileId, Id, Program};

/// The name of the section of counters.
const SECTION: &str = ".bss.coverage";

/// The program with counters, and what they mean.
pub(crate) fn instrument(program: &Program) -> (Program, CoverageMap) {
    let labels = LabelIndex::new(program);
    let mut map = CoverageMap::default();
    let mut functions = BTreeMap::new();
    for function in program.functions.ids().filter(|&function| !program.is_runtime_function(function)) {
        // A function without a graph is an error, which the phase that needs it reports.
        let graph = Graph::build(program, &labels, function, Unverified::Trap);
        let Some(graph) = graph.ok().filter(|graph| !graph.blocks.is_empty() && has_lines(program, graph)) else {
            continue;
        };
        let instrumented = FunctionInstrumenter::new(program, &graph, &mut map).run();
        functions.insert(function, instrumented);
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
            contents: Contents::Zeros(map.counters as u64 * COUNTER),
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

fn has_lines(program: &Program, graph: &Graph) -> bool {
    graph.instructions.iter().any(|instruction| line_of(program, graph, instruction).is_some())
}

/// The edges out of a block that differ in what they count.
pub(super) fn outcomes(terminator: &Terminator) -> Vec<Edge> {
    match terminator {
        Terminator::Goto(edge) => vec![*edge],
        Terminator::Branch { taken, fallthrough } => vec![*taken, *fallthrough],
        Terminator::Register(jump) => jump.outcomes(),
        Terminator::Return => Vec::new(),
    }
}

struct FunctionInstrumenter<'a> {
    program: &'a Program,
    graph: &'a Graph,
    map: &'a mut CoverageMap,
    counters: FunctionCounters,
    /// How many edges lead to each block; to the first, one more.
    incoming: Vec<usize>,
    /// The counter at the start of each block, and at its end.
    blocks: Vec<(u32, u32)>,
    /// How often blocks with instructions of each line run.
    lines: BTreeMap<(Arc<str>, u32), BTreeSet<Count>>,
}

impl<'a> FunctionInstrumenter<'a> {
    fn new(program: &'a Program, graph: &'a Graph, map: &'a mut CoverageMap) -> Self {
        let mut incoming = vec![0; graph.blocks.len()];
        incoming[0] = 1;
        for block in &graph.blocks {
            for edge in outcomes(&block.terminator) {
                if let Edge::Block(target) = edge {
                    incoming[target] += 1;
                }
            }
        }
        FunctionInstrumenter {
            program,
            graph,
            map,
            counters: FunctionCounters::default(),
            incoming,
            blocks: Vec::new(),
            lines: BTreeMap::new(),
        }
    }

    fn counter(&mut self) -> u32 {
        self.map.counters += 1;
        // Functions have fewer blocks than bytes, and their sections fewer than 4 GiB.
        self.map.counters as u32 - 1
    }

    fn run(mut self) -> FunctionCounters {
        let graph = self.graph;
        let same = self.same_as_before();
        for (index, block) in graph.blocks.iter().enumerate() {
            let start = match same[index] {
                Some(before) => self.blocks[before].1,
                None => self.counter(),
            };
            self.counters.blocks.push(same[index].is_none().then_some(start));
            let end = self.lines_of(block, start);
            self.blocks.push((start, end));
        }
        let calls = match self.incoming[0] {
            1 => self.blocks[0].0,
            _ => {
                let counter = self.counter();
                self.counters.entry = Some(counter);
                counter
            }
        };
        for (index, block) in graph.blocks.iter().enumerate() {
            self.branch(index, block);
        }
        self.counters.loops = loops::find(graph);
        let first = graph.instructions.iter().find_map(|instruction| line_of(self.program, graph, instruction));
        if let Some((file, line)) = first {
            let name = self.program.functions[graph.function].name.clone();
            self.map.functions.push(MappedFunction { file, line, name, calls: Count::Counter(calls) });
        }
        let lines = std::mem::take(&mut self.lines).into_iter();
        let mapped =
            lines.map(|((file, line), blocks)| MappedLine { file, line, blocks: blocks.into_iter().collect() });
        self.map.lines.extend(mapped);
        self.counters
    }

    /// For each block, an earlier one that control comes from, and goes nowhere else than here, and cannot stop in.
    fn same_as_before(&self) -> Vec<Option<BlockIndex>> {
        let mut same = vec![None; self.graph.blocks.len()];
        for (index, block) in self.graph.blocks.iter().enumerate() {
            if let Terminator::Goto(Edge::Block(next)) = block.terminator
                && next > index
                && self.incoming[next] == 1
                && !may_stop(self.graph.instructions_of(block))
            {
                same[next] = Some(index);
            }
        }
        same
    }

    /// Notes the lines of a block, and puts counters after its tail calls; the counter at its end.
    fn lines_of(&mut self, block: &Block, start: u32) -> u32 {
        let graph = self.graph;
        let mut counter = start;
        let instructions = graph.instructions_of(block);
        for (index, instruction) in instructions.iter().enumerate() {
            if let Some(line) = line_of(self.program, graph, instruction) {
                self.lines.entry(line).or_default().insert(Count::Counter(counter));
            }
            let is_tail_call = instruction.insn == Insn::Call(Callee::Helper(TAIL_CALL));
            if is_tail_call && index + 1 < instructions.len() {
                counter = self.counter();
                self.counters.after.insert(instruction.offset, counter);
            }
        }
        counter
    }

    /// Counts the outcomes of a block's branch.
    fn branch(&mut self, index: BlockIndex, block: &Block) {
        let instructions = self.graph.instructions_of(block);
        let Some(last) = instructions.last() else { return };
        let is_branch = match (last.insn, &block.terminator) {
            (Insn::Branch { .. }, _) => true,
            (_, Terminator::Register(jump)) => !jump.is_shared,
            // `may_goto` is the compiler's, not the source's.
            _ => false,
        };
        let Some((file, line)) = line_of(self.program, self.graph, last).filter(|_| is_branch) else { return };
        let outcomes = outcomes(&block.terminator);
        let mut counts: Vec<Option<Count>> = outcomes
            .iter()
            .map(|edge| match *edge {
                Edge::Block(target) if self.incoming[target] == 1 => Some(Count::Counter(self.blocks[target].0)),
                _ => None,
            })
            .collect();
        // With calls, that an outcome did not come about may mean that the block never came to its end.
        let difference = matches!(block.terminator, Terminator::Branch { .. }) && !may_stop(instructions);
        for outcome in 0..counts.len() {
            let other = counts.get(1 - outcome.min(1)).copied().flatten();
            let count = match (counts[outcome], other) {
                (Some(_), _) => continue,
                (None, Some(Count::Counter(other))) if difference => Count::Difference(self.blocks[index].1, other),
                _ => {
                    let counter = self.counter();
                    self.counters.outcomes.insert((index, outcome), counter);
                    Count::Counter(counter)
                }
            };
            counts[outcome] = Some(count);
        }
        self.map.branches.push(MappedBranch { file, line, outcomes: counts.into_iter().flatten().collect() });
    }
}

/// Whether control may come to the first of these instructions and not to what follows the last.
pub(super) fn may_stop(instructions: &[Instruction]) -> bool {
    instructions.iter().any(|instruction| matches!(instruction.insn, Insn::Call(_) | Insn::LoadPacket { .. }))
}
