//! What a loop does, as a plan for doing it in vectors.
//!
//! In: a loop. Out: its [`Plan`], if it is one of those in `mod.rs`, and vectors pay (`decision.rs`). Nothing is changed.

use std::collections::HashMap;

use cranelift_codegen::ir::{Function, Inst, Opcode, Value, ValueDef};

use super::decision::Decision;
use super::entry::MAX_VECTOR_ITERATIONS;
use super::joins;
use super::leaving::{Leaving, OutsideUsers};
use super::nodes::{Node, NodeId, Nodes};
use super::reductions::{Combine, Reduction};
use super::starts::Starts;
use super::streams::{Check, Streams};
use super::widths::{self, Lanes};
use crate::config::TargetFacts;
use crate::opt::ir::effects::is_pure;
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::ir::memory_accesses;
use crate::opt::ir::operands::defining_block;
use crate::opt::loops::induction::{self, InductionVariables};
use crate::opt::loops::trip_count::{ExitTest, initial_value};

/// The largest step of a counter: negative distances are more than the maximum number of such steps.
const MAX_STEP: u64 = 64;

/// The most stores of a loop: each is compared with each.
const MAX_STORES: usize = 32;

/// The most reductions of a loop: for each, the loop is searched for other users.
const MAX_REDUCTIONS: usize = 16;

/// How many instructions of a loop are hoisted before it at most for each operand.
const MAX_HOISTED: usize = 16;

/// What is done in vectors.
pub(super) struct Plan {
    pub(super) variables: InductionVariables,
    pub(super) test: ExitTest,
    pub(super) nodes: Vec<Node>,
    pub(super) lanes: Vec<Lanes>,
    pub(super) streams: Streams,
    /// What each store stores.
    pub(super) stored: Vec<(usize, NodeId)>,
    pub(super) reductions: Vec<(Reduction, Vec<NodeId>)>,
    pub(super) checks: Vec<Check>,
    pub(super) decision: Decision,
    /// How many iterations are known to be done before the loop is left, if the number is constant.
    pub(super) last: Option<u64>,
    /// Where the loop is left, if the vector loop can leave it too.
    pub(super) leaving: Option<Leaving>,
    /// What is computed before the loop, operands first.
    pub(super) hoisted: Vec<Inst>,
}

/// The induction variables and the exit test of a loop whose trip count vector code can compute.
pub(super) fn countable(
    function: &Function,
    inner: &Loop,
    is_zero_extended: &dyn Fn(Value) -> bool,
) -> Option<(InductionVariables, ExitTest)> {
    if function.layout.is_cold(inner.header()) {
        return None;
    }
    let mut variables = InductionVariables::new(function, inner, &[]);
    let test = ExitTest::find(function, inner, &variables)?;
    let order = test.order()?;
    if !(test.step.unsigned_abs().is_power_of_two() && test.step.unsigned_abs() <= MAX_STEP) {
        return None;
    }
    if variables.low_steps.contains_key(&test.counter) {
        if order != order.unsigned() || !is_zero_extended(test.counter) {
            return None;
        }
        variables = InductionVariables::new(function, inner, &[test.counter]);
    } else if test.is_32_bits() {
        return None;
    }
    Some((variables, test))
}

impl Plan {
    /// The plan for a loop.
    pub(super) fn find(
        function: &Function,
        inner: &Loop,
        facts: &TargetFacts,
        is_zero_extended: &dyn Fn(Value) -> bool,
        users: &mut Option<OutsideUsers>,
        loops: &[Loop],
    ) -> Option<Plan> {
        let (variables, test) = countable(function, inner, is_zero_extended)?;
        let (loads, stores) = accesses(function, inner, &test)?;
        let joins = joins::find(function, inner)?;
        let mut nodes = Nodes::new(function, inner, &variables, &joins);
        let mut reductions = Vec::new();
        for (index, parameter) in function.dfg.block_params(inner.header()).iter().enumerate() {
            if variables.step_inside(*parameter).is_none() && !variables.low_steps.contains_key(parameter) {
                if reductions.len() == MAX_REDUCTIONS {
                    return None;
                }
                let mut reduction = Reduction::find(function, inner, index)?;
                let terms = reduction.nodes(&mut nodes)?;
                reductions.push((reduction, terms));
            }
        }
        let mut stored = Vec::new();
        for store in stores {
            let stream = nodes.streams.store(function, &variables, store)?;
            stored.push((stream, nodes.of(nodes.streams.all[stream].stored?)?));
        }
        // Each iteration makes all loads.
        let loaded = nodes.streams.all.iter().filter(|stream| stream.stored.is_none()).count();
        if loaded != loads || stored.is_empty() && reductions.is_empty() || loaded + stored.len() == 0 {
            return None;
        }
        let (all, mut streams) = (nodes.all, nodes.streams);
        streams.group()?;
        let mut wanted: Vec<(NodeId, u32)> =
            stored.iter().map(|&(stream, node)| (node, streams.all[stream].lane.bits())).collect();
        for (reduction, terms) in &reductions {
            wanted.extend(terms.iter().map(|&term| (term, reduction.bits)));
        }
        let lanes = widths::assign(&all, &wanted)?;
        let first = initial_value(function, inner, test.index).map(|start| induction::wrapped(start, test.ty));
        let bound = induction::signed(&function.dfg, test.bound);
        let last = first.zip(bound).and_then(|(start, bound)| test.last_iteration(start, bound));
        let decision = Decision::new(
            (function, inner, &variables),
            (&all, &lanes),
            &streams,
            (&stored, &reductions),
            last,
            facts,
        )?;
        let order = inner.blocks.iter().flat_map(|&block| function.layout.block_insts(block));
        let places: HashMap<Inst, usize> = order.enumerate().map(|(place, inst)| (inst, place)).collect();
        let position = |inst: Inst| places.get(&inst).copied().unwrap_or_default();
        let checks = streams.checks(decision.lanes.into(), &Starts::new(function, inner, last), position)?;
        // What the vector code needs before the loop.
        let mut operands: Vec<Value> = streams.all.iter().map(|stream| stream.access.address).collect();
        operands.extend(all.iter().filter_map(|node| match node.kind {
            super::nodes::Kind::Uniform(value) => Some(value),
            _ => None,
        }));
        operands.extend(last.is_none().then_some(test.bound));
        for (reduction, _) in &reductions {
            let used = reduction.chain.iter().flat_map(|&inst| function.dfg.inst_values(inst));
            operands.extend(used.filter(|&value| variables.step_inside(value) == Some(0)));
        }
        let mut hoisted = hoistable(function, inner, operands.into_iter())?;
        let users = users.get_or_insert_with(|| OutsideUsers::new(function, loops));
        let leaving = Leaving::find(function, inner, &test, users).and_then(|leaving| {
            let known = |value: &Value| {
                let made = |inst: &Inst| function.dfg.inst_results(*inst).contains(value);
                let is_combined = reductions.iter().any(|(reduction, _)| {
                    reduction.next == *value
                        || reduction.chain.iter().any(made) && is_last(function, reduction, *value)
                });
                is_combined || variables.step_inside(*value).is_some()
            };
            let combined = |value: &Value| {
                reductions.iter().any(|(reduction, _)| {
                    reduction.chain.iter().any(|inst| function.dfg.inst_results(*inst).contains(value))
                })
            };
            let others = leaving.values.iter().copied().filter(|value| !combined(value));
            let more = leaving.values.iter().all(known).then(|| hoistable(function, inner, others))??;
            hoisted.extend(more);
            Some(leaving)
        });
        let nodes = all;
        let plan = Plan {
            variables,
            test,
            nodes,
            lanes,
            streams,
            stored,
            reductions,
            checks,
            decision,
            last,
            leaving,
            hoisted,
        };
        let has_whole =
            plan.total().is_none_or(|total| (decision.lanes.into()..MAX_VECTOR_ITERATIONS).contains(&total));
        has_whole.then_some(plan)
    }

    /// Whether the loop does nothing but fill memory.
    pub(super) fn is_fill(&self) -> bool {
        self.reductions.is_empty() && self.stored.len() == 1 && self.streams.all.len() == 1
    }

    /// How many iterations vector code may do, if the number is constant.
    pub(super) fn total(&self) -> Option<i64> {
        let last = i64::try_from(self.last?).ok()?;
        Some(last + i64::from(self.leaving.is_some()))
    }
}

/// Whether a value of a reduction's chain is what the last operation makes, or a conversion of that.
fn is_last(function: &Function, reduction: &Reduction, value: Value) -> bool {
    let dfg = &function.dfg;
    let of = |value: Value| match dfg.value_def(value) {
        ValueDef::Result(inst, _) => reduction.chain.iter().position(|&other| other == inst),
        _ => None,
    };
    let is_operation = |inst: &Inst| match reduction.combine {
        Combine::Bits(_) => {
            matches!(
                dfg.insts[*inst].opcode(),
                Opcode::Iadd | Opcode::Isub | Opcode::Band | Opcode::Bor | Opcode::Bxor
            )
        }
        Combine::Extreme { .. } => dfg.insts[*inst].opcode() == Opcode::Select,
    };
    let last = reduction.chain.iter().rposition(is_operation);
    of(value).zip(last).is_some_and(|(at, last)| at >= last)
}

/// The number of a loop's loads, and its stores in their order; none if there are too many, or it does anything else than to compute.
fn accesses(function: &Function, inner: &Loop, test: &ExitTest) -> Option<(usize, Vec<Inst>)> {
    let dfg = &function.dfg;
    let (mut loads, mut stores) = (0, Vec::new());
    for inst in inner.blocks.iter().flat_map(|&block| function.layout.block_insts(block)) {
        if memory_accesses::number_store(dfg, inst).is_some() {
            stores.push(inst);
        } else if memory_accesses::number_load(dfg, inst).is_some() {
            loads += 1;
        } else if !is_pure(dfg, inst)
            && inst != test.branch
            && !matches!(dfg.insts[inst].opcode(), Opcode::Jump | Opcode::Brif | Opcode::SequencePoint)
        {
            return None;
        }
    }
    (stores.len() <= MAX_STORES).then_some((loads, stores))
}

/// The loop's instructions that compute values, operands first; none if they cannot be hoisted out of it.
pub(super) fn hoistable(
    function: &Function,
    inner: &Loop,
    values: impl Iterator<Item = Value>,
) -> Option<Vec<Inst>> {
    let dfg = &function.dfg;
    let mut order: Vec<Inst> = Vec::new();
    for value in values {
        let mut found = Vec::new();
        let mut pending = vec![value];
        while let Some(value) = pending.pop() {
            let block = defining_block(function, value)?;
            if inner.index(block).is_none() {
                continue;
            }
            match dfg.value_def(value) {
                ValueDef::Param(block, _) if block == inner.header() => {}
                ValueDef::Result(inst, _) if is_pure(dfg, inst) && found.len() < MAX_HOISTED => {
                    found.push(inst);
                    pending.extend(dfg.inst_values(inst));
                }
                _ => return None,
            }
        }
        order.extend(found.into_iter().rev());
    }
    Some(order)
}
