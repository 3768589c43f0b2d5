//! How far below an address a function reaches: in its own frame, or below a pointer that it is given.
//!
//! In: a graph, and the register that holds the address at entry (r10, or r1 to r5). Out: [`Effects`]: a bound that no access
//! through a pointer derived from it goes below, beside the accesses whose distance is known. A forward data flow keeps
//! a [`Range`] for each register, and for each frame slot that only holds whole words.
//!
//! | a pointer derived from the address is | reach |
//! |---|---|
//! | an access's base, at a known distance | an access of its own |
//! | an access's base, at a range of distances | its lower end |
//! | passed to a function of the program that no link replaces | what that function reaches below its parameter |
//! | passed to a function of C's library that only goes upwards from its arguments ([`Facts::upwards`]) | the argument |
//! | kept in a frame slot that has only such words | the slot's range goes on |
//! | stored elsewhere, passed to anything else, in arithmetic that is not a sum | everything |
//! | compared, returned | nothing |
//!
//! This is sound for machine code whatever its source was, apart from what `intervals.rs` says of counters, and apart from
//! [`Facts::upwards`], which holds for functions that keep to the C standard. Who else may define a function,
//! [`Resolution`] knows. Pointers that go to other threads and signal handlers are stored or passed somewhere first.
//!
//! [`Facts::upwards`]: crate::abi::libc::Facts::upwards

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use super::intervals::Range;
use crate::btf::CType;
use crate::decode::insn::{AluOp, Callee, Insn, Operand, Reg, Size, WideImm, Width};
use crate::graph::{Graph, Instruction, arguments_read};
use crate::program::{FunctionId, IdVec, Program, Target};
use crate::resolution::Resolution;

/// How many calls deep a pointer is followed.
const DEPTH: usize = 3;

/// How often a block is looked at before ranges that still grow are widened.
const VISITS: u8 = 4;

/// How often all blocks are looked at again since a slot's range grew, before the analysis gives up.
const SLOT_ROUNDS: usize = 40;

/// Functions of more edges than this are not looked at: they are so large that they are hardly optimised at all.
pub(crate) const LARGEST: usize = 12_000;

/// What is known of every parameter of every function: found when it is first asked for.
pub struct Reaches<'a> {
    program: &'a Program,
    resolution: &'a Resolution,
    /// Of those that no link replaces.
    graphs: IdVec<FunctionId, Option<&'a Graph>>,
    /// By function and parameter, one for each depth: so it does not matter who asks first.
    found: IdVec<FunctionId, [[OnceLock<i64>; DEPTH]; 5]>,
}

impl<'a> Reaches<'a> {
    /// For a program whose functions, or some of them, have these graphs.
    pub fn new(
        program: &'a Program,
        resolution: &'a Resolution,
        graphs: impl IntoIterator<Item = &'a Graph>,
    ) -> Reaches<'a> {
        let mut by_function: IdVec<FunctionId, Option<&Graph>> = program.functions.ids().map(|_| None).collect();
        for graph in graphs {
            let is_final = !resolution.is_replaceable(&program.functions[graph.function]);
            by_function[graph.function] = is_final.then_some(graph);
        }
        let found = program.functions.ids().map(|_| Default::default()).collect();
        Reaches { program, resolution, graphs: by_function, found }
    }

    /// How far a function reaches below the pointer in `reg`, zero or negative; `i64::MIN` for anywhere.
    fn below_parameter(&self, function: FunctionId, reg: Reg, depth: usize) -> i64 {
        let (Some(graph), Some(deeper)) = (self.graphs[function], depth.checked_sub(1)) else { return i64::MIN };
        let find = || {
            if graph.edges() > LARGEST {
                return i64::MIN;
            }
            let no_slots = SlotRules { below: i64::MIN, but_for: BTreeSet::new() };
            let Some(effects) = Flow::effects(self, graph, reg, &no_slots, deeper) else { return i64::MIN };
            effects.accesses.iter().map(|access| access.at).fold(effects.lowest, i64::min)
        };
        *self.found[function][reg.index() - 1][deeper].get_or_init(find)
    }
}

/// An access at a known distance from the address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExactAccess {
    /// Index of the instruction.
    pub instruction: usize,
    /// The distance.
    pub at: i64,
    /// Bytes.
    pub size: Size,
    /// It must be of memory: an atomic operation.
    pub pinned: bool,
}

/// What a function does with an address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    /// No other access is below this; `i64::MIN` where that is not known.
    pub lowest: i64,
    /// Accesses at known distances.
    pub accesses: Vec<ExactAccess>,
    /// The address itself matters: it is compared or returned.
    pub is_compared: bool,
}

impl Effects {
    fn reach(&mut self, range: Range, further: i64) {
        if let Some(low) = range.lowest_address() {
            self.lowest = self.lowest.min(low.saturating_add(further.min(0)));
        }
    }
}

/// Which frame slots hold what was stored there and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotRules {
    /// Those below this...
    pub below: i64,
    /// ...but for these.
    pub but_for: BTreeSet<i64>,
}

impl SlotRules {
    /// Whether the word at `at` is one.
    fn is_trusted(&self, at: i64) -> bool {
        at.saturating_add(8) <= self.below && !self.but_for.contains(&at)
    }
}

type State = [Range; Reg::COUNT];

/// The data flow over one function.
pub(crate) struct Flow<'a> {
    reaches: &'a Reaches<'a>,
    graph: &'a Graph,
    rules: &'a SlotRules,
    depth: usize,
    /// What trusted slots hold, and how often that changed.
    slots: BTreeMap<i64, (Range, u8)>,
    slots_changed: bool,
}

impl<'a> Flow<'a> {
    /// What the function does with the address in its frame pointer.
    pub(crate) fn of_frame(reaches: &'a Reaches<'a>, graph: &'a Graph, rules: &'a SlotRules) -> Option<Effects> {
        Flow::effects(reaches, graph, Reg::FRAME, rules, DEPTH)
    }

    /// What the function does with the address in `root`; none if that cannot be found out in a bounded time.
    fn effects(
        reaches: &'a Reaches<'a>,
        graph: &'a Graph,
        root: Reg,
        rules: &'a SlotRules,
        depth: usize,
    ) -> Option<Effects> {
        let mut flow = Flow { reaches, graph, rules, depth, slots: BTreeMap::new(), slots_changed: false };
        let at_start = flow.states(root)?;
        let mut effects = Effects::default();
        for (block, state) in graph.blocks.iter().zip(at_start) {
            let Some(mut state) = state else { continue };
            for index in block.start..block.end {
                flow.step(index, &mut state, &mut effects);
            }
        }
        Some(effects)
    }

    /// The states at the starts of blocks.
    fn states(&mut self, root: Reg) -> Option<Vec<Option<State>>> {
        let graph = self.graph;
        let mut at_start: Vec<Option<State>> = vec![None; graph.blocks.len()];
        let mut visits = vec![0u8; graph.blocks.len()];
        let mut entry = [Range::ANY; Reg::COUNT];
        entry[root.index()] = Range::address(0);
        *at_start.first_mut()? = Some(entry);
        let mut pending = BTreeSet::from([0]);
        for _ in 0..SLOT_ROUNDS {
            while let Some(index) = pending.pop_first() {
                let Some(mut state) = at_start[index] else { continue };
                visits[index] = visits[index].saturating_add(1);
                let block = &graph.blocks[index];
                for instruction in block.start..block.end {
                    self.step(instruction, &mut state, &mut Effects::default());
                }
                for successor in block.terminator.successors() {
                    if merge(&mut at_start[successor], &state, visits[successor] >= VISITS) {
                        pending.insert(successor);
                    }
                }
            }
            if !std::mem::take(&mut self.slots_changed) {
                return Some(at_start);
            }
            pending.extend(0..graph.blocks.len());
        }
        None
    }

    fn slot(&self, at: i64) -> Range {
        // What has not been stored yet is 0: promoted slots start so.
        self.slots.get(&at).map_or(Range::number(0, 0), |slot| slot.0)
    }

    fn store_slot(&mut self, at: i64, value: Range) {
        match self.slots.get_mut(&at) {
            None => {
                self.slots.insert(at, (value, 0));
                self.slots_changed = true;
            }
            Some((held, changes)) => {
                let union = if *changes < VISITS { held.union(value) } else { held.widened(value) };
                if union != *held {
                    (*held, *changes) = (union, changes.saturating_add(1));
                    self.slots_changed = true;
                }
            }
        }
    }

    /// Follows one instruction.
    fn step(&mut self, index: usize, state: &mut State, effects: &mut Effects) {
        let instruction = &self.graph.instructions[index];
        let leave = |effects: &mut Effects, value: Range| effects.reach(value, i64::MIN);
        let access = |base: Range, offset: i32, size: Size, pinned: bool, effects: &mut Effects| {
            let at = base.exact_address().map(|at| at.saturating_add(i64::from(offset)));
            match at {
                Some(at) => effects.accesses.push(ExactAccess { instruction: index, at, size, pinned }),
                None => effects.reach(base, i64::from(offset)),
            }
            at
        };
        let of = |src: Operand, width: Width, state: &State| match (src, width) {
            (Operand::Reg(reg), _) => state[reg.index()],
            (Operand::Imm(imm), Width::W64) => Range::number(imm.into(), imm.into()),
            (Operand::Imm(imm), Width::W32) => Range::number((imm as u32).into(), (imm as u32).into()),
        };
        match instruction.insn {
            Insn::Alu { op, width, dst, src } => {
                let (left, right) = (state[dst.index()], of(src, width, state));
                state[dst.index()] = Range::alu(op, width, left, right).unwrap_or_else(|| {
                    if op != AluOp::Mov {
                        leave(effects, left);
                    }
                    leave(effects, right);
                    Range::ANY
                });
            }
            Insn::Neg { dst, .. } | Insn::Endian { dst, .. } => {
                leave(effects, state[dst.index()]);
                state[dst.index()] = match instruction.insn {
                    Insn::Endian { size, .. } => Range::bits(size.bits()),
                    _ => Range::ANY,
                };
            }
            Insn::MovSx { width, from, dst, src } => {
                let value = state[src.index()];
                leave(effects, value);
                let part = Range::part(from, true);
                state[dst.index()] = if value.is_number_up_to(part.greatest_number()) {
                    value
                } else if width == Width::W32 {
                    Range::bits(32)
                } else {
                    part
                };
            }
            Insn::AddrSpaceCast { dst, src, .. } => state[dst.index()] = state[src.index()],
            Insn::LoadImm { dst, value } => {
                state[dst.index()] = match (instruction.target, value) {
                    (None, WideImm::Const(value)) => Range::number(value as i64, value as i64),
                    _ => Range::ANY,
                };
            }
            Insn::Load { size, signed, dst, base, offset } => {
                let at = access(state[base.index()], offset, size, false, effects);
                state[dst.index()] = match at.filter(|&at| size == Size::D && self.rules.is_trusted(at)) {
                    Some(at) => self.slot(at),
                    None => Range::part(size, signed),
                };
            }
            Insn::LoadAcquire { size, dst, base, offset } => {
                access(state[base.index()], offset, size, true, effects);
                state[dst.index()] = Range::part(size, false);
            }
            Insn::Store { size, base, offset, src } => {
                let at = access(state[base.index()], offset, size, false, effects);
                let value = of(src, Width::W64, state);
                match at.filter(|&at| size == Size::D && self.rules.is_trusted(at)) {
                    Some(at) => self.store_slot(at, value),
                    None => leave(effects, value),
                }
            }
            Insn::StoreRelease { size, base, offset, src } => {
                access(state[base.index()], offset, size, true, effects);
                leave(effects, state[src.index()]);
            }
            Insn::Atomic { width, base, offset, src, .. }
            | Insn::Xchg { width, base, offset, src }
            | Insn::Cmpxchg { width, base, offset, src } => {
                let size = if width == Width::W32 { Size::W } else { Size::D };
                access(state[base.index()], offset, size, true, effects);
                leave(effects, state[src.index()]);
                match instruction.insn {
                    Insn::Cmpxchg { .. } => {
                        leave(effects, state[Reg::R0.index()]);
                        state[Reg::R0.index()] = Range::ANY;
                    }
                    Insn::Atomic { fetch: false, .. } => {}
                    _ => state[src.index()] = Range::ANY,
                }
            }
            Insn::LoadStackArgument { dst, .. } => state[dst.index()] = Range::ANY,
            Insn::StoreStackArgument { src, .. } => leave(effects, of(src, Width::W64, state)),
            Insn::LoadPacket { index, .. } => {
                leave(effects, state[Reg::R6.index()]);
                leave(effects, index.map_or(Range::ANY, |index| state[index.index()]));
                clobber(state, Range::ANY, Range::ANY);
            }
            Insn::Call(callee) => self.call(instruction, callee, state, effects),
            Insn::Branch { dst, src, .. } => {
                let operands = [state[dst.index()], of(src, Width::W64, state)];
                effects.is_compared |= operands.iter().any(|operand| operand.may_be_address());
            }
            Insn::JumpRegister { reg } => leave(effects, state[reg.index()]),
            Insn::Exit => {
                let second = state[Reg::R2.index()].may_be_address() && self.graph.has_second();
                effects.is_compared |= state[Reg::R0.index()].may_be_address() || second;
            }
            Insn::Jump { .. } | Insn::MayGoto { .. } => {}
        }
    }

    fn call(&self, instruction: &Instruction, callee: Callee, state: &mut State, effects: &mut Effects) {
        let program = self.reaches.program;
        let mut read = arguments_read(program, instruction);
        // Those of a list are in memory, and the callee's registers are others than these.
        let target = instruction.target.filter(|_| !matches!(callee, Callee::List(_)));
        let own = match target {
            Some(Target::Function(function)) => Some(function),
            _ => None,
        };
        if let Some(graph) = own.and_then(|function| self.reaches.graphs[function]) {
            read = read.intersection(graph.live_in);
        }
        let passed: Vec<(Reg, Range)> = Reg::arguments()
            .filter(|&reg| read.contains(reg))
            .map(|reg| (reg, state[reg.index()]))
            .filter(|(_, value)| value.may_be_address())
            .collect();
        if let Callee::Register(reg) = callee {
            effects.reach(state[reg.index()], i64::MIN);
        }
        let somewhere = if passed.is_empty() { Range::ANY } else { Range::UNKNOWN };
        let upwards = match target {
            Some(Target::Import { import: id, addend: 0 }) => {
                let import = &program.imports[id];
                let result = import.prototype.as_ref().map(|prototype| &prototype.result);
                let is_pointer = !matches!(
                    result,
                    Some(CType::Int { .. } | CType::Void | CType::Float { .. } | CType::LongDouble)
                );
                self.reaches.resolution.facts(id).upwards.then_some(is_pointer)
            }
            _ => None,
        };
        for &(reg, value) in &passed {
            let further = match (own, upwards) {
                (_, Some(_)) => 0,
                (Some(function), _) => self.reaches.below_parameter(function, reg, self.depth),
                _ => i64::MIN,
            };
            effects.reach(value, further);
        }
        let result = match upwards {
            Some(true) => passed.iter().fold(Range::ANY, |result, (_, value)| result.union(value.and_above())),
            Some(false) => Range::ANY,
            None => somewhere,
        };
        clobber(state, result, if upwards.is_some() { Range::ANY } else { somewhere });
    }
}

/// The registers after a call, with its result.
fn clobber(state: &mut State, result: Range, high: Range) {
    for reg in Reg::arguments() {
        state[reg.index()] = Range::number(0, 0);
    }
    state[Reg::R0.index()] = result;
    state[Reg::R2.index()] = high;
}

/// Takes `from` into the state at a block's start; whether that changed it.
fn merge(into: &mut Option<State>, from: &State, widen: bool) -> bool {
    let Some(into) = into else {
        *into = Some(*from);
        return true;
    };
    let mut changed = false;
    for (into, from) in into.iter_mut().zip(from) {
        let merged = if widen { into.widened(*from) } else { into.union(*from) };
        changed |= merged != *into;
        *into = merged;
    }
    changed
}
