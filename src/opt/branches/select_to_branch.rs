//! Selections that a loop waits for become branches again, where one outcome is likely.
//!
//! A processor goes on behind a branch before its condition is known, and behind a selection it waits. So a selection
//! costs the whole way from the values that its condition is made of to the values that the next round starts with, in
//! each round; a branch costs that only when it was not foreseen. The objects say nothing of likelihood. What is a
//! branch:
//!
//! | the condition hangs on a load from an address that an earlier round's selection made, and | likely, because |
//! |---|---|
//! | compares for (in)equality | two numbers are rarely equal: `if (r[a] == 0) pc = b` of an interpreter |
//! | compares with a number that the loop changes elsewhere: `if (w[i] < w[best]) best = i` | a running extreme is rarely beaten |
//!
//! Any other stays a selection: the halves of a binary search and the children of a heap are equally likely.
//!
//! Sound: the same value comes out of either.
//!
//! Cost: what the parameters of a loop's head are made of is found once for each loop ([`Round`]), what is compared once for
//! each comparison, and neither beyond [`BUDGET`] values and [`EDGES`] edges for each.

use std::collections::{HashMap, HashSet};

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    Block, BlockArg, BlockCall, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Value,
    ValueDef,
};
use cranelift_codegen::loop_analysis::{Loop, LoopAnalysis};

use crate::opt::ir::analyses::{Flow, Known};
use crate::opt::pass::PassContext;

/// How many values are looked at to see where one comes from.
const BUDGET: usize = 64;

/// How many edges are looked at for it.
const EDGES: usize = 512;

/// Selections side by side by the same condition.
struct Group {
    /// They are instructions of this block.
    selections: Vec<Inst>,
    condition: Value,
}

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let flow = &mut context.analyses;
    let groups = groups(function, flow);
    if !groups.is_empty() {
        flow.changed();
    }
    for group in groups {
        branch(function, &group);
    }
}

/// The selections that become branches.
fn groups(function: &Function, flow: &mut Flow<'_>) -> Vec<Group> {
    let dfg = &function.dfg;
    let mut groups: Vec<Group> = Vec::new();
    for block in function.layout.blocks() {
        let mut before: Option<Inst> = None;
        for inst in function.layout.block_insts(block) {
            let Some(condition) = selection(dfg, inst).map(|[condition, ..]| condition) else { continue };
            let is_next = before.is_some_and(|before| function.layout.next_inst(before) == Some(inst));
            before = Some(inst);
            match groups.last_mut() {
                Some(group) if is_next && group.condition == condition => group.selections.push(inst),
                _ => groups.push(Group { selections: vec![inst], condition }),
            }
        }
    }
    if groups.is_empty() {
        return groups;
    }
    let Known { graph, loops, .. } = flow.known(function);
    // The selections by the same comparison in the same loop are likely, or not, together.
    let mut alike: HashMap<(Loop, Comparison), Vec<Inst>> = HashMap::new();
    let key = |group: &Group| {
        let block = function.layout.inst_block(group.selections[0])?;
        Some((loops.innermost_loop(block)?, comparison(dfg, group.condition)?))
    };
    for group in &groups {
        if let Some(key) = key(group) {
            alike.entry(key).or_default().extend(&group.selections);
        }
    }
    let mut rounds: HashMap<Loop, Round<'_>> = HashMap::new();
    let mut is_likely: HashMap<(Loop, Comparison), bool> = HashMap::new();
    groups.retain(|group| {
        let Some(key @ (around, comparison)) = key(group) else { return false };
        *is_likely.entry(key).or_insert_with(|| {
            let round = rounds.entry(around).or_insert_with(|| Round::new(function, graph, loops, around));
            alike.get(&key).is_some_and(|selections| round.is_likely(comparison, selections))
        })
    });
    groups
}

/// What is compared, and how.
type Comparison = (IntCC, [Value; 2]);

/// The operands of a selection.
fn selection(dfg: &DataFlowGraph, inst: Inst) -> Option<[Value; 3]> {
    match dfg.insts[inst] {
        InstructionData::Ternary { opcode: Opcode::Select, args } => Some(args.map(|arg| dfg.resolve_aliases(arg))),
        _ => None,
    }
}

/// The rounds of a loop.
struct Round<'a> {
    function: &'a Function,
    graph: &'a ControlFlowGraph,
    loops: &'a LoopAnalysis,
    around: Loop,
    /// The parameters of the loop's head that change from round to round.
    changed: HashSet<Value>,
    /// The parameters of the head that a selection becomes without a load between.
    carried: HashMap<Inst, HashSet<Value>>,
}

/// What a number is made of in a round.
#[derive(Default)]
struct Sources {
    /// Parameters of the loop's head that change from round to round, and whether a load is between.
    counters: HashSet<(Value, bool)>,
    /// Selections that it is made of without a load between.
    selections: HashSet<Inst>,
    /// More than was looked at.
    is_more: bool,
}

impl<'a> Round<'a> {
    fn new(
        function: &'a Function,
        graph: &'a ControlFlowGraph,
        loops: &'a LoopAnalysis,
        around: Loop,
    ) -> Round<'a> {
        let (changed, carried) = (HashSet::new(), HashMap::new());
        let mut round = Round { function, graph, loops, around, changed, carried };
        let head = loops.loop_header(around);
        let dfg = &function.dfg;
        let params = dfg.block_params(head);
        let mut handed_on: Vec<(Value, Value)> = Vec::new();
        for call in round.edges(head).flatten() {
            let values =
                call.args(&dfg.value_lists).map(|arg| arg.as_value().map(|value| dfg.resolve_aliases(value)));
            handed_on.extend(params.iter().zip(values).filter_map(|(&param, value)| Some((param, value?))));
        }
        // One that is handed on as it is does not change.
        round.changed = handed_on.iter().filter(|(param, next)| param != next).map(|&(param, _)| param).collect();
        let mut seen: HashSet<(Value, Value)> = HashSet::new();
        for (param, next) in handed_on {
            if seen.insert((param, next)) {
                for selection in round.sources(next).selections {
                    round.carried.entry(selection).or_default().insert(param);
                }
            }
        }
        round
    }

    /// Whether one outcome of a comparison is likely, and the loop waits for the selections by it.
    fn is_likely(&self, (cond, sides): Comparison, selections: &[Inst]) -> bool {
        // The parameters of the head that the selections become.
        let carried: HashSet<Value> =
            selections.iter().filter_map(|selection| self.carried.get(selection)).flatten().copied().collect();
        if carried.is_empty() {
            return false;
        }
        let sources = sides.map(|side| self.sources(side));
        let waits = sources
            .each_ref()
            .map(|side| side.counters.iter().any(|(param, load)| *load && carried.contains(param)));
        // Changed in each round, and not by these.
        let is_other = |side: &Sources| {
            let is_carried = |(param, _): &(Value, bool)| carried.contains(param);
            !side.is_more && !side.counters.is_empty() && !side.counters.iter().any(is_carried)
        };
        match cond {
            IntCC::Equal | IntCC::NotEqual => waits.contains(&true),
            _ => (0..2).any(|side| waits[side] && is_other(&sources[1 - side])),
        }
    }

    /// The edges to a block from within the loop; none for those that its predecessors have to other blocks.
    fn edges(&self, block: Block) -> impl Iterator<Item = Option<BlockCall>> + '_ {
        let dfg = &self.function.dfg;
        let ways_in = self.graph.pred_iter(block).filter(|way| self.loops.is_in_loop(way.block, self.around));
        let calls = ways_in.flat_map(|way| {
            dfg.insts[way.inst].branch_destination(&dfg.jump_tables, &dfg.exception_tables).iter().copied()
        });
        calls.map(move |call| (call.block(&dfg.value_lists) == block).then_some(call))
    }

    /// What a value is made of since the round began.
    fn sources(&self, value: Value) -> Sources {
        let dfg = &self.function.dfg;
        let head = self.loops.loop_header(self.around);
        let mut sources = Sources::default();
        let (mut seen, mut edges) = (HashSet::new(), EDGES);
        let mut pending = vec![(dfg.resolve_aliases(value), false)];
        while let Some((value, mut behind_load)) = pending.pop() {
            if !seen.insert((value, behind_load)) {
                continue;
            }
            if seen.len() > BUDGET {
                sources.is_more = true;
                break;
            }
            match dfg.value_def(value) {
                ValueDef::Param(block, _) if block == head && self.changed.contains(&value) => {
                    sources.counters.insert((value, behind_load));
                }
                ValueDef::Param(block, index) if self.loops.is_in_loop(block, self.around) => {
                    for edge in self.edges(block) {
                        if edges == 0 {
                            sources.is_more = true;
                            break;
                        }
                        edges -= 1;
                        let argument = edge.and_then(|call| call.args(&dfg.value_lists).nth(index));
                        let value = argument.and_then(|argument| argument.as_value());
                        pending.extend(value.map(|value| (dfg.resolve_aliases(value), behind_load)));
                    }
                }
                ValueDef::Result(inst, _)
                    if self
                        .function
                        .layout
                        .inst_block(inst)
                        .is_some_and(|block| self.loops.is_in_loop(block, self.around)) =>
                {
                    let opcode = dfg.insts[inst].opcode();
                    if opcode == Opcode::Select && !behind_load {
                        sources.selections.insert(inst);
                    }
                    behind_load |= opcode.can_load() || opcode.is_call();
                    pending.extend(dfg.inst_args(inst).iter().map(|&arg| (dfg.resolve_aliases(arg), behind_load)));
                }
                _ => {}
            }
        }
        sources
    }
}

/// What a condition compares.
fn comparison(dfg: &DataFlowGraph, condition: Value) -> Option<Comparison> {
    let ValueDef::Result(inst, _) = dfg.value_def(condition) else { return None };
    match dfg.insts[inst] {
        InstructionData::IntCompare { cond, args, .. } => Some((cond, args.map(|arg| dfg.resolve_aliases(arg)))),
        _ => None,
    }
}

/// Makes a branch of selections.
fn branch(function: &mut Function, group: &Group) {
    let Some(&last) = group.selections.last() else { return };
    let location = function.srcloc(last);
    let Some(after) = function.layout.next_inst(last) else { return };
    let operands: Vec<[Value; 3]> =
        group.selections.iter().filter_map(|&inst| selection(&function.dfg, inst)).collect();
    let results: Vec<Value> = group.selections.iter().map(|&inst| function.dfg.first_result(inst)).collect();
    if operands.iter().flatten().any(|operand| results.contains(operand)) {
        return;
    }
    let Some(block) = function.layout.inst_block(last) else { return };
    let (arm, join) = (function.dfg.make_block(), function.dfg.make_block());
    function.layout.split_block(join, after);
    function.layout.insert_block_after(arm, block);
    if function.layout.is_cold(block) {
        function.layout.set_cold(arm);
        function.layout.set_cold(join);
    }
    for (&inst, &result) in group.selections.iter().zip(&results) {
        function.layout.remove_inst(inst);
        function.dfg.clear_results(inst);
        let ty = function.dfg.value_type(result);
        let param = function.dfg.append_block_param(join, ty);
        function.dfg.change_to_alias(result, param);
    }
    let arguments =
        |index: usize| operands.iter().map(|operand| BlockArg::Value(operand[index])).collect::<Vec<_>>();
    let mut cursor = FuncCursor::new(function).at_bottom(block).with_srcloc(location);
    cursor.ins().brif(group.condition, arm, &[], join, &arguments(2));
    let mut cursor = FuncCursor::new(function).at_bottom(arm).with_srcloc(location);
    cursor.ins().jump(join, &arguments(1));
}
