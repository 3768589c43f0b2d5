//! Turns selects on a loop's critical path back into branches where one outcome is likely.
//!
//! A processor predicts a branch and goes on before its condition is known, but a select waits for it. So a select costs the
//! whole latency from the inputs of its condition to the values that the next iteration starts with, in each iteration; a
//! branch costs that only when it is mispredicted. Objects say nothing of likelihood. What becomes a branch:
//!
//! | the condition depends on a load from an address that an earlier iteration's select computed, and | likely, because |
//! |---|---|
//! | compares for (in)equality | two numbers are rarely equal: `if (r[a] == 0) pc = b` of an interpreter |
//! | compares with a number that the loop changes elsewhere: `if (w[i] < w[best]) best = i` | a running extreme is rarely beaten |
//!
//! All others stay selects: the halves of a binary search and the children of a heap are equally likely.
//!
//! Sound: either form has the same result.
//!
//! Cost: what the parameters of a loop header depend on is found once for each loop ([`Iteration`]), the operands of each
//! comparison once, and neither beyond [`MAX_DEPENDENCY_VALUES`] values and [`MAX_DEPENDENCY_EDGES`] edges each.

use std::collections::{HashMap, HashSet};

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    Block, BlockArg, BlockCall, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Value,
    ValueDef,
};
use cranelift_codegen::loop_analysis::{Loop, LoopAnalysis};

use crate::opt::ir::analyses::{Analyses, ControlFlow};
use crate::opt::pass::PassContext;

/// How many values are visited to find what one depends on.
const MAX_DEPENDENCY_VALUES: usize = 64;

/// How many edges are visited for it.
const MAX_DEPENDENCY_EDGES: usize = 512;

/// Adjacent selects on the same condition.
struct SelectGroup {
    /// The instructions, all of one block.
    selects: Vec<Inst>,
    condition: Value,
}

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let analyses = &mut context.analyses;
    let groups = groups(function, analyses);
    if !groups.is_empty() {
        analyses.changed();
    }
    for group in groups {
        branch(function, &group);
    }
}

/// The selects that become branches.
fn groups(function: &Function, analyses: &mut Analyses<'_>) -> Vec<SelectGroup> {
    let dfg = &function.dfg;
    let mut groups: Vec<SelectGroup> = Vec::new();
    for block in function.layout.blocks() {
        let mut before: Option<Inst> = None;
        for inst in function.layout.block_insts(block) {
            let Some(condition) = select_operands(dfg, inst).map(|[condition, ..]| condition) else { continue };
            let is_next = before.is_some_and(|before| function.layout.next_inst(before) == Some(inst));
            before = Some(inst);
            match groups.last_mut() {
                Some(group) if is_next && group.condition == condition => group.selects.push(inst),
                _ => groups.push(SelectGroup { selects: vec![inst], condition }),
            }
        }
    }
    if groups.is_empty() {
        return groups;
    }
    let ControlFlow { graph, loops, .. } = analyses.control_flow(function);
    // All selects on one comparison in one loop are judged together.
    let mut by_comparison: HashMap<(Loop, Comparison), Vec<Inst>> = HashMap::new();
    let key = |group: &SelectGroup| {
        let block = function.layout.inst_block(group.selects[0])?;
        Some((loops.innermost_loop(block)?, comparison(dfg, group.condition)?))
    };
    for group in &groups {
        if let Some(key) = key(group) {
            by_comparison.entry(key).or_default().extend(&group.selects);
        }
    }
    let mut iterations: HashMap<Loop, Iteration<'_>> = HashMap::new();
    let mut is_likely: HashMap<(Loop, Comparison), bool> = HashMap::new();
    groups.retain(|group| {
        let Some(key @ (around, comparison)) = key(group) else { return false };
        *is_likely.entry(key).or_insert_with(|| {
            let iteration =
                iterations.entry(around).or_insert_with(|| Iteration::new(function, graph, loops, around));
            by_comparison.get(&key).is_some_and(|selects| iteration.is_likely(comparison, selects))
        })
    });
    groups
}

/// What is compared, and how.
type Comparison = (IntCC, [Value; 2]);

/// The operands of a select.
fn select_operands(dfg: &DataFlowGraph, inst: Inst) -> Option<[Value; 3]> {
    match dfg.insts[inst] {
        InstructionData::Ternary { opcode: Opcode::Select, args } => Some(args.map(|arg| dfg.resolve_aliases(arg))),
        _ => None,
    }
}

/// What an iteration of a loop starts with, and passes to the next one.
struct Iteration<'a> {
    function: &'a Function,
    graph: &'a ControlFlowGraph,
    loops: &'a LoopAnalysis,
    around: Loop,
    /// The header's parameters that differ between iterations, in the order of their numbers.
    changed: Vec<Value>,
    /// The header's parameters that a select feeds without a load between.
    carried: HashMap<Inst, HashSet<Value>>,
}

/// What a value depends on within an iteration.
#[derive(Default)]
struct Dependencies {
    /// Parameters of the loop header that differ between iterations, and whether a load is between.
    parameters: Vec<(Value, bool)>,
    /// Selects that it depends on without a load between.
    selects: Vec<Inst>,
    /// There are more than were visited.
    is_incomplete: bool,
}

impl<'a> Iteration<'a> {
    fn new(
        function: &'a Function,
        graph: &'a ControlFlowGraph,
        loops: &'a LoopAnalysis,
        around: Loop,
    ) -> Iteration<'a> {
        let (changed, carried) = (Vec::new(), HashMap::new());
        let mut iteration = Iteration { function, graph, loops, around, changed, carried };
        let header = loops.loop_header(around);
        let dfg = &function.dfg;
        let params = dfg.block_params(header);
        let mut passed: Vec<(Value, Value)> = Vec::new();
        for call in iteration.edges(header).flatten() {
            let values =
                call.args(&dfg.value_lists).map(|arg| arg.as_value().map(|value| dfg.resolve_aliases(value)));
            passed.extend(params.iter().zip(values).filter_map(|(&param, value)| Some((param, value?))));
        }
        // A parameter that is passed unchanged does not differ.
        iteration.changed = passed.iter().filter(|(param, next)| param != next).map(|&(param, _)| param).collect();
        iteration.changed.sort_unstable();
        let mut seen: HashSet<(Value, Value)> = HashSet::new();
        for (param, next) in passed {
            if seen.insert((param, next)) {
                for select in iteration.dependencies(next).selects {
                    iteration.carried.entry(select).or_default().insert(param);
                }
            }
        }
        iteration
    }

    /// Whether one outcome of a comparison is likely, and the selects on it are on the critical path.
    fn is_likely(&self, (cond, sides): Comparison, selects: &[Inst]) -> bool {
        // The header's parameters that the selects feed.
        let carried: HashSet<Value> =
            selects.iter().filter_map(|select| self.carried.get(select)).flatten().copied().collect();
        if carried.is_empty() {
            return false;
        }
        let dependencies = sides.map(|side| self.dependencies(side));
        let depends = dependencies
            .each_ref()
            .map(|side| side.parameters.iter().any(|(param, load)| *load && carried.contains(param)));
        // Differs between iterations, and not because of these selects.
        let is_other = |side: &Dependencies| {
            let is_carried = |(param, _): &(Value, bool)| carried.contains(param);
            !side.is_incomplete && !side.parameters.is_empty() && !side.parameters.iter().any(is_carried)
        };
        match cond {
            IntCC::Equal | IntCC::NotEqual => depends.contains(&true),
            _ => (0..2).any(|side| depends[side] && is_other(&dependencies[1 - side])),
        }
    }

    /// The edges of predecessors within the loop: those to the block, and none for those to other blocks.
    fn edges(&self, block: Block) -> impl Iterator<Item = Option<BlockCall>> + '_ {
        let dfg = &self.function.dfg;
        let predecessors =
            self.graph.pred_iter(block).filter(|edge| self.loops.is_in_loop(edge.block, self.around));
        let calls = predecessors.flat_map(|edge| {
            dfg.insts[edge.inst].branch_destination(&dfg.jump_tables, &dfg.exception_tables).iter().copied()
        });
        calls.map(move |call| (call.block(&dfg.value_lists) == block).then_some(call))
    }

    /// What a value depends on since the iteration began.
    fn dependencies(&self, value: Value) -> Dependencies {
        let dfg = &self.function.dfg;
        let header = self.loops.loop_header(self.around);
        let mut dependencies = Dependencies::default();
        // So few that to look at them all takes less than to hash one.
        let (mut seen, mut edges) = (Vec::with_capacity(16), MAX_DEPENDENCY_EDGES);
        let mut pending = vec![(dfg.resolve_aliases(value), false)];
        while let Some((value, mut after_load)) = pending.pop() {
            if seen.contains(&(value, after_load)) {
                continue;
            }
            seen.push((value, after_load));
            if seen.len() > MAX_DEPENDENCY_VALUES {
                dependencies.is_incomplete = true;
                break;
            }
            match dfg.value_def(value) {
                ValueDef::Param(block, _) if block == header && self.changed.binary_search(&value).is_ok() => {
                    dependencies.parameters.push((value, after_load));
                }
                ValueDef::Param(block, index) if self.loops.is_in_loop(block, self.around) => {
                    for edge in self.edges(block) {
                        if edges == 0 {
                            dependencies.is_incomplete = true;
                            break;
                        }
                        edges -= 1;
                        let argument = edge.and_then(|call| call.args(&dfg.value_lists).nth(index));
                        let value = argument.and_then(|argument| argument.as_value());
                        pending.extend(value.map(|value| (dfg.resolve_aliases(value), after_load)));
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
                    if opcode == Opcode::Select && !after_load {
                        dependencies.selects.push(inst);
                    }
                    after_load |= opcode.can_load() || opcode.is_call();
                    pending.extend(dfg.inst_args(inst).iter().map(|&arg| (dfg.resolve_aliases(arg), after_load)));
                }
                _ => {}
            }
        }
        dependencies
    }
}

/// The comparison that a condition is.
fn comparison(dfg: &DataFlowGraph, condition: Value) -> Option<Comparison> {
    let ValueDef::Result(inst, _) = dfg.value_def(condition) else { return None };
    match dfg.insts[inst] {
        InstructionData::IntCompare { cond, args, .. } => Some((cond, args.map(|arg| dfg.resolve_aliases(arg)))),
        _ => None,
    }
}

/// Replaces selects by a branch.
fn branch(function: &mut Function, group: &SelectGroup) {
    let Some(&last) = group.selects.last() else { return };
    let location = function.srcloc(last);
    let Some(after) = function.layout.next_inst(last) else { return };
    let operands: Vec<[Value; 3]> =
        group.selects.iter().filter_map(|&inst| select_operands(&function.dfg, inst)).collect();
    let results: Vec<Value> = group.selects.iter().map(|&inst| function.dfg.first_result(inst)).collect();
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
    for (&inst, &result) in group.selects.iter().zip(&results) {
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
