//! Escape and pointer-effect analysis: how far below an address a function accesses memory, in its own frame or below a pointer
//! that it is given.
//!
//! In: a graph, and the register that holds the address at entry (r10, or r1 to r5). Out: [`Effects`]: a bound below which no
//! access through a pointer derived from it goes, besides the accesses at known distances. A forward data-flow analysis keeps a
//! [`Range`] for each register, and for each frame slot that only holds whole 64-bit values (`transfer.rs` has the transfer
//! functions).
//!
//! | a pointer derived from the address is | reach |
//! |---|---|
//! | an access's base, at a known distance | an access of its own |
//! | an access's base, at a range of distances | its lower end |
//! | passed to a function of the program that no link replaces | what that function reaches below its parameter; its result may be derived from the address if that function returns it |
//! | passed to a function of C's library that only goes upwards from its arguments ([`Facts::upwards`]) | the argument |
//! | kept in a frame slot that has only 64-bit values | tracked in the slot's range |
//! | stored elsewhere, passed to anything else, used in arithmetic that is not a sum | everything |
//! | compared, returned | nothing |
//!
//! Sound for machine code whatever its source was, apart from what `intervals.rs` assumes of counters, and apart from
//! [`Facts::upwards`], which holds for functions that keep to the C standard. Who else may define a function,
//! [`Resolution`] knows. Pointers that other threads or signal handlers see are stored or passed somewhere first.
//!
//! [`Facts::upwards`]: crate::abi::libc::Facts::upwards

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use super::intervals::Range;
use super::known_slots::{KnownSlots, TrustedSlots, WordSlots};
use crate::decode::insn::{Insn, Operand, Reg, Size};
use crate::graph::{Graph, registers_read};
use crate::program::{FunctionId, IdVec, Program};
use crate::resolution::Resolution;

/// How many calls deep a pointer is followed.
pub(super) const MAX_CALL_DEPTH: usize = 3;

/// How often a block is visited before ranges that still grow are widened.
const VISITS_BEFORE_WIDENING: u8 = 4;

/// How often all blocks are visited again because a slot's range grew, before the analysis gives up.
const MAX_SLOT_PASSES: usize = 40;

/// Functions of more edges are not analysed: they are so large that they are hardly optimised at all.
pub(crate) const MAX_ANALYSED_EDGES: usize = 12_000;

/// What a function does with a pointer that it is given.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParameterEffects {
    /// How far it reaches below the pointer, zero or negative; `i64::MIN` for anywhere.
    pub(super) below: i64,
    /// Whether it may return the pointer, or an address derived from it.
    pub(super) is_returned: bool,
}

impl ParameterEffects {
    /// What a function may do that is not known.
    pub(super) const UNKNOWN: ParameterEffects = ParameterEffects { below: i64::MIN, is_returned: true };
}

/// What functions do with pointers that they are given: analysed when first asked for.
pub struct PointerEffects<'a> {
    pub(super) program: &'a Program,
    pub(super) resolution: &'a Resolution,
    /// The graphs of functions that no link replaces.
    pub(super) graphs: IdVec<FunctionId, Option<&'a Graph>>,
    /// By function, parameter and call depth; separate depths make the result independent of who asks first.
    pub(super) by_parameter: IdVec<FunctionId, [[OnceLock<ParameterEffects>; MAX_CALL_DEPTH]; 5]>,
    /// The slots of functions, by call depth.
    pub(super) words: IdVec<FunctionId, [OnceLock<WordSlots>; MAX_CALL_DEPTH]>,
}

impl<'a> PointerEffects<'a> {
    /// For a program whose functions, or some of them, have these graphs.
    pub fn new(
        program: &'a Program,
        resolution: &'a Resolution,
        graphs: impl IntoIterator<Item = &'a Graph>,
    ) -> PointerEffects<'a> {
        let mut by_function: IdVec<FunctionId, Option<&Graph>> = program.functions.ids().map(|_| None).collect();
        for graph in graphs {
            let is_final = !resolution.is_replaceable(&program.functions[graph.function]);
            by_function[graph.function] = is_final.then_some(graph);
        }
        let by_parameter = program.functions.ids().map(|_| Default::default()).collect();
        let words = program.functions.ids().map(|_| Default::default()).collect();
        PointerEffects { program, resolution, graphs: by_function, by_parameter, words }
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
    /// Whether it must stay an access of memory: an atomic operation.
    pub is_atomic: bool,
}

/// What a function does with an address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    /// No other access is below this; `i64::MIN` if that is not known.
    pub lowest: i64,
    /// Accesses at known distances.
    pub accesses: Vec<ExactAccess>,
    /// Whether the address itself matters: it is compared or returned.
    pub is_compared: bool,
    /// Whether it may be returned.
    pub is_returned: bool,
}

impl Effects {
    /// Adds an access at a range of distances, and at an offset from there if that is negative.
    pub(super) fn reach(&mut self, range: Range, offset: i64) {
        if let Some(low) = range.lowest_address() {
            self.lowest = self.lowest.min(low.saturating_add(offset.min(0)));
        }
    }

    /// Adds accesses anywhere, if a value may be an address: nothing is known of it from here on.
    pub(super) fn escape(&mut self, value: Range) {
        self.reach(value, i64::MIN);
    }
}

/// The values of the registers.
pub(super) type State = [Range; Reg::COUNT];

/// The data-flow analysis of one function.
pub(crate) struct EscapeAnalysis<'a> {
    pub(super) pointer_effects: &'a PointerEffects<'a>,
    pub(super) graph: &'a Graph,
    /// The slots of which it is known what they hold.
    pub(super) known: KnownSlots<'a>,
    /// How many calls deep pointers are still followed.
    pub(super) depth: usize,
    /// What these hold, and how often that changed.
    slots: BTreeMap<i64, (Range, u8)>,
    slots_changed: bool,
}

impl<'a> EscapeAnalysis<'a> {
    /// What the function does with the address in its frame pointer.
    pub(crate) fn of_frame(
        pointer_effects: &'a PointerEffects<'a>,
        graph: &'a Graph,
        trusted: &'a TrustedSlots,
        depth: usize,
    ) -> Option<Effects> {
        let known = KnownSlots::Trusted(trusted);
        let followed = || EscapeAnalysis::effects(pointer_effects, graph, Reg::FRAME, known, depth);
        accesses_of_frame(pointer_effects.program, graph).or_else(followed)
    }

    /// What the function does with the address in `root`; none if the analysis does not end within its bounds.
    pub(super) fn effects(
        pointer_effects: &'a PointerEffects<'a>,
        graph: &'a Graph,
        root: Reg,
        known: KnownSlots<'a>,
        depth: usize,
    ) -> Option<Effects> {
        let mut analysis =
            EscapeAnalysis { pointer_effects, graph, known, depth, slots: BTreeMap::new(), slots_changed: false };
        let at_start = analysis.states(root)?;
        let mut effects = Effects::default();
        for (block, state) in graph.blocks.iter().zip(at_start) {
            let Some(mut state) = state else { continue };
            for index in block.start..block.end {
                analysis.step(index, &mut state, &mut effects);
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
        // What is done with the address counts when all states are known.
        let mut unused = Effects::default();
        for _ in 0..MAX_SLOT_PASSES {
            while let Some(index) = pending.pop_first() {
                let Some(mut state) = at_start[index] else { continue };
                visits[index] = visits[index].saturating_add(1);
                let block = &graph.blocks[index];
                for instruction in block.start..block.end {
                    self.step(instruction, &mut state, &mut unused);
                    unused.accesses.clear();
                }
                for successor in block.terminator.successors() {
                    if merge(&mut at_start[successor], &state, visits[successor] >= VISITS_BEFORE_WIDENING) {
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

    /// What a known slot holds.
    pub(super) fn slot(&self, at: i64) -> Range {
        // Promoted slots start as 0.
        self.slots.get(&at).map_or(Range::number(0, 0), |slot| slot.0)
    }

    /// Stores a value into a known slot.
    pub(super) fn store_slot(&mut self, at: i64, value: Range) {
        match self.slots.get_mut(&at) {
            None => {
                self.slots.insert(at, (value, 0));
                self.slots_changed = true;
            }
            Some((held, changes)) => {
                let union = if *changes < VISITS_BEFORE_WIDENING { held.union(value) } else { held.widened(value) };
                if union != *held {
                    (*held, *changes) = (union, changes.saturating_add(1));
                    self.slots_changed = true;
                }
            }
        }
    }
}

/// What the function does with its frame pointer, if that is only the base of loads and stores: nothing else holds an address
/// of the frame then, and there is nothing to follow.
fn accesses_of_frame(program: &Program, graph: &Graph) -> Option<Effects> {
    let mut effects = Effects::default();
    for (index, instruction) in graph.instructions.iter().enumerate() {
        let (size, base, offset) = match instruction.insn {
            Insn::Load { size, base, offset, .. } => (size, base, offset),
            Insn::Store { size, base, offset, src } if src != Operand::Reg(Reg::FRAME) => (size, base, offset),
            _ if registers_read(program, instruction).contains(Reg::FRAME) => return None,
            _ => continue,
        };
        if base == Reg::FRAME {
            effects.accesses.push(ExactAccess { instruction: index, at: offset.into(), size, is_atomic: false });
        }
    }
    Some(effects)
}

/// Joins a state into that at the start of a block; whether that changed it.
fn merge(into: &mut Option<State>, from: &State, widen: bool) -> bool {
    let Some(into) = into else {
        *into = Some(*from);
        return true;
    };
    let mut changed = false;
    // Most registers are as they were.
    for (into, from) in into.iter_mut().zip(from).filter(|(into, from)| into != from) {
        let merged = if widen { into.widened(*from) } else { into.union(*from) };
        changed |= merged != *into;
        *into = merged;
    }
    changed
}
