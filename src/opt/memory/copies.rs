//! Copies: loads whose only use is one store, and runs of these that copy merging looks at.
//!
//! In: a block. Out: its [`Run`]s of [`Unit`]s. A unit is the fewest adjacent copies that leave no load without its store; in
//! a run, there is nothing but units and pure instructions. So a unit of one copy is a load and its store, and
//! one of many is a number of loads and then, or in between, a number of stores.

use std::collections::HashMap;

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, DataFlowGraph, Function, Inst, InstructionData, Opcode, Value, ValueDef};

use crate::opt::ir::effects::is_pure;
use crate::opt::ir::memory_accesses::{self, MemoryAccess, Root};
use crate::opt::ir::operands::unconverted_inst;

/// The most conversions between a load and its store.
const MAX_CONVERSIONS: usize = 4;

/// The most copies of a unit.
const MAX_UNIT: usize = 64;

/// A load and the store that is its only use.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    pub(super) load: MemoryAccess,
    pub(super) store: MemoryAccess,
    /// Extensions and reductions between, the last first.
    pub(super) conversions: Vec<Inst>,
    /// Where the load and the store are in their block.
    pub(super) places: [usize; 2],
}

impl Copy {
    /// Where it copies from and to, and how much further up.
    pub(super) fn way(&self) -> (Root, Root, i64) {
        (self.load.root, self.store.root, self.store.at.wrapping_sub(self.load.at))
    }
}

/// Copies that leave no load without its store, in the order of the stores.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) copies: Vec<Copy>,
    /// Whether all loads come before all stores.
    pub(super) loads_first: bool,
}

/// Units with nothing but pure instructions between.
pub(super) type Run = Vec<Unit>;

/// Whether a block may have two copies of `most` bytes or fewer: cheap, since almost all have none.
pub(super) fn may_have(function: &Function, most: u8, block: Block) -> bool {
    let dfg = &function.dfg;
    let is_copy = |&inst: &Inst| {
        let InstructionData::Store { opcode, args: [value, _], .. } = dfg.insts[inst] else { return false };
        let is_small = opcode != Opcode::Store || dfg.value_type(value).bytes() <= u32::from(most);
        is_small && unconverted_inst(dfg, value).is_some_and(|from| dfg.insts[from].opcode().can_load())
    };
    function.layout.block_insts(block).filter(is_copy).nth(1).is_some()
}

/// The runs of a block.
pub(super) fn runs(function: &Function, counts: &SecondaryMap<Value, u32>, block: Block) -> Vec<Run> {
    let copies = copies(function, counts, block);
    if copies.len() < 2 {
        return Vec::new();
    }
    let loads: HashMap<Inst, Inst> = copies.iter().map(|(&store, copy)| (copy.load.inst, store)).collect();
    let (mut runs, mut run) = (Vec::new(), Run::new());
    let mut open = Unit { copies: Vec::new(), loads_first: true };
    // Stores whose loads the open unit has.
    let mut expected: Vec<Inst> = Vec::new();
    for inst in function.layout.block_insts(block) {
        if is_pure(&function.dfg, inst) {
            continue;
        }
        if let Some(&store) = loads.get(&inst)
            && expected.len() + open.copies.len() < MAX_UNIT
        {
            open.loads_first &= open.copies.is_empty();
            expected.push(store);
            continue;
        }
        if let Some(place) = expected.iter().position(|&store| store == inst)
            && let Some(copy) = copies.get(&inst)
        {
            expected.swap_remove(place);
            open.copies.push(copy.clone());
            if expected.is_empty() {
                let next = Unit { copies: Vec::new(), loads_first: true };
                run.push(std::mem::replace(&mut open, next));
            }
            continue;
        }
        open = Unit { copies: Vec::new(), loads_first: true };
        expected.clear();
        if !run.is_empty() {
            runs.push(std::mem::take(&mut run));
        }
    }
    if !run.is_empty() {
        runs.push(run);
    }
    runs
}

/// The copies of a block, by their stores.
fn copies(function: &Function, counts: &SecondaryMap<Value, u32>, block: Block) -> HashMap<Inst, Copy> {
    let dfg = &function.dfg;
    let mut loads: HashMap<Inst, usize> = HashMap::new();
    let mut copies = HashMap::new();
    for (place, inst) in function.layout.block_insts(block).enumerate() {
        if memory_accesses::load(dfg, inst).is_some() {
            loads.insert(inst, place);
        }
        let Some((store, value)) = memory_accesses::store(dfg, inst) else { continue };
        let Some((load, conversions)) = loaded(dfg, counts, value) else { continue };
        if let Some(&load_place) = loads.get(&load.inst)
            && load.size == store.size
        {
            copies.insert(inst, Copy { load, store, conversions, places: [load_place, place] });
        }
    }
    copies
}

/// The load that a value is, if nothing else uses it, and the conversions between.
fn loaded(
    dfg: &DataFlowGraph,
    counts: &SecondaryMap<Value, u32>,
    value: Value,
) -> Option<(MemoryAccess, Vec<Inst>)> {
    let (mut value, mut conversions) = (dfg.resolve_aliases(value), Vec::new());
    loop {
        let ValueDef::Result(inst, _) = dfg.value_def(value) else { return None };
        if counts[value] != 1 || conversions.len() > MAX_CONVERSIONS {
            return None;
        }
        match dfg.insts[inst] {
            // The low bytes, which are what is stored, stay.
            InstructionData::Unary { opcode: Opcode::Uextend | Opcode::Sextend | Opcode::Ireduce, arg } => {
                conversions.push(inst);
                value = dfg.resolve_aliases(arg);
            }
            _ => return Some((memory_accesses::load(dfg, inst)?, conversions)),
        }
    }
}
