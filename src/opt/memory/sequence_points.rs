//! No access of memory is dropped, merged with another, or answered by one: `docs/memory-model.md`.
//!
//! Comes in: a function that all other passes are done with. Goes out: the same, with a `sequence_point`, which is no
//! instruction, before each access that Cranelift would put together with one before it. Its optimiser knows of no
//! volatile memory, and does not look at its own setting `enable_alias_analysis`: to an access of the same address, width
//! and kind as one since the last store, call, atomic or sequence point it gives the value that it knows, or drops the
//! earlier store. It moves no access past another, so nothing else is wanted.
//!
//! | access | sequence point |
//! |---|---|
//! | may have the address of one since the last store, call, atomic or sequence point, and is as wide | before it |
//! | of another width, or of an address that is another one for some inputs (`value_numbers.rs`) | none: Cranelift keeps these apart |
//! | a store of what is not what was loaded there | none: the same |
//! | of the translator's own table of addresses (`notrap`) | none: it may be merged |
//!
//! Sound: Cranelift merges with accesses in the same block or in those that dominate it, if the last store or the like is the
//! same on all ways from there; a block that has others on some of its ways in starts anew. Ways back are taken to have
//! the same, which puts in some more. One pass over the blocks; at most [`MOST`] accesses are looked back at, then a sequence
//! point comes without a look.

use std::rc::Rc;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, DataFlowGraph, Function, Inst, InstBuilder, Opcode};

use crate::opt::ir::analyses::Known;
use crate::opt::ir::value_numbers::Numbers;
use crate::opt::pass::PassContext;

/// How many accesses are looked back at.
const MOST: usize = 32;

/// An access of any kind.
#[derive(Clone, Copy)]
struct Access {
    /// Its address, as a number; none if that is not known.
    at: Option<u64>,
    bytes: u32,
    /// What is loaded or stored, as a number.
    value: Option<u64>,
    is_load: bool,
}

/// Those that are known; most blocks leave them as they were, so they share them.
type Accesses = Rc<Vec<Access>>;

impl Access {
    /// Whether Cranelift may merge it with an earlier one.
    fn may_merge(&self, earlier: &Access) -> bool {
        let may_be = |one: Option<u64>, other| one.is_none() || one == other || other.is_none();
        // A store after a load goes only if it stores what was loaded.
        let is_new = !self.is_load && earlier.is_load && !may_be(self.value, earlier.value);
        self.bytes == earlier.bytes && may_be(self.at, earlier.at) && !is_new
    }
}

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let flow = &mut context.analyses;
    let is_access = |inst| accessed(&function.dfg, inst).is_some();
    let insts = |block| function.layout.block_insts(block);
    // A single access has none to be merged with.
    if function.layout.blocks().flat_map(insts).filter(|&inst| is_access(inst)).nth(1).is_none() {
        return;
    }
    let Known { graph, dominators, .. } = flow.known(function);
    let mut numbers = Numbers::new(function);
    let mut wanted: Vec<Inst> = Vec::new();
    // What Cranelift knows at the end of each block, and since when: a number for what made it forget all before.
    let mut ends: SecondaryMap<Block, Option<(u32, Accesses)>> = SecondaryMap::new();
    let mut last = 0;
    for &block in dominators.cfg_rpo() {
        let mut before = graph.pred_iter(block).filter_map(|way| Some(ends[way.block].as_ref()?.0));
        let dominator = dominators.idom(block).and_then(|dominator| ends[dominator].as_ref());
        let (mut since, mut now) = match dominator {
            Some((since, known)) if before.all(|before| before == *since) => (*since, Rc::clone(known)),
            _ => {
                last += 1;
                (last, Rc::default())
            }
        };
        let mut forget = |since: &mut u32, now: &mut Accesses| {
            match Rc::get_mut(now) {
                Some(now) => now.clear(),
                None => *now = Rc::default(),
            }
            last += 1;
            *since = last;
        };
        numbers.enter(function, block);
        for inst in function.layout.block_insts(block) {
            let dfg = &function.dfg;
            let opcode = dfg.insts[inst].opcode();
            if opcode.is_call() || matches!(opcode, Opcode::SequencePoint | Opcode::Fence) {
                forget(&mut since, &mut now);
                numbers.see(dfg, inst);
                continue;
            }
            numbers.see(dfg, inst);
            let Some((address, bytes)) = accessed(dfg, inst) else { continue };
            let data = &dfg.insts[inst];
            let offset = i64::from(data.load_store_offset().unwrap_or_default());
            let at = numbers.of(dfg, dfg.inst_args(inst)[address]);
            let value = dfg.inst_results(inst).first().or(dfg.inst_args(inst).first());
            let access = Access {
                at: at.map(|at| at.wrapping_add_signed(offset)),
                bytes,
                value: value.and_then(|&value| numbers.of(dfg, value)),
                is_load: opcode.can_load(),
            };
            let is_merged = now.len() == MOST || now.iter().any(|earlier| access.may_merge(earlier));
            if is_merged {
                wanted.push(inst);
            }
            // What Cranelift knows of memory before a store, or before an atomic access, it forgets.
            if is_merged || !opcode.can_load() || data.load_store_offset().is_none() {
                forget(&mut since, &mut now);
            }
            Rc::make_mut(&mut now).push(access);
        }
        ends[block] = Some((since, now));
    }
    for inst in wanted {
        let location = function.srcloc(inst);
        FuncCursor::new(function).at_inst(inst).with_srcloc(location).ins().sequence_point();
    }
}

/// Which operand is the address of an access that others may see, and how many bytes it has.
fn accessed(dfg: &DataFlowGraph, inst: Inst) -> Option<(usize, u32)> {
    let data = &dfg.insts[inst];
    let opcode = data.opcode();
    let is_own = || data.memflags_data(dfg).is_some_and(|flags| flags.notrap());
    if opcode.is_call() || !opcode.can_load() && !opcode.can_store() || is_own() {
        return None;
    }
    let bytes = match opcode {
        Opcode::Uload8 | Opcode::Sload8 | Opcode::Istore8 => 1,
        Opcode::Uload16 | Opcode::Sload16 | Opcode::Istore16 => 2,
        Opcode::Uload32 | Opcode::Sload32 | Opcode::Istore32 => 4,
        _ => match dfg.inst_results(inst).first() {
            Some(&loaded) => dfg.value_type(loaded).bytes(),
            None => dfg.value_type(*dfg.inst_args(inst).first()?).bytes(),
        },
    };
    // What is stored comes first, but in atomics that load too.
    Some((usize::from(!opcode.can_load()), bytes))
}
