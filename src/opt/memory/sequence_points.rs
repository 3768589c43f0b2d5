//! Sequence points: no memory access is dropped, merged with another or answered by another one (`docs/memory-model.md`).
//!
//! In: a function after all other passes. Out: the same with a `sequence_point`, which becomes no instruction, before each
//! access that Cranelift would merge with an earlier one. Cranelift's optimiser knows no volatile memory and ignores its own
//! setting `enable_alias_analysis`: an access of the same address, width and kind as an earlier one since the last store,
//! call, atomic or sequence point gets the known value, or makes the earlier store dead. It moves no access past another, so
//! nothing more is needed.
//!
//! | access | sequence point |
//! |---|---|
//! | may have the address of one since the last store, call, atomic or sequence point, and has the same width | before it |
//! | of another width, or of an address that differs for some input (`value_numbers.rs`) | none: Cranelift keeps these apart |
//! | a store of something other than what was loaded there | none: the same |
//! | of the translator's own table of addresses (`notrap`) | none: it may be merged |
//!
//! Sound: Cranelift merges with accesses of the same block or of dominating blocks, if the last store or the like is the same
//! on all paths from there; a block for which predecessors disagree starts with nothing known. Back edges are assumed to agree,
//! which inserts some more. One pass over the blocks; at most [`MAX_KNOWN`] earlier accesses are compared, beyond that a
//! sequence point is inserted without comparing.

use std::rc::Rc;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, DataFlowGraph, Function, Inst, InstBuilder, Opcode};

use crate::opt::ir::analyses::ControlFlow;
use crate::opt::ir::insts::insts;
use crate::opt::ir::value_numbers::ValueNumbers;
use crate::opt::pass::PassContext;

/// How many earlier accesses an access is compared with.
const MAX_KNOWN: usize = 32;

/// An access of any kind.
#[derive(Clone, Copy)]
struct KnownAccess {
    /// The number of its address; none if that is not known.
    at: Option<u64>,
    bytes: u32,
    /// The number of what is loaded or stored.
    value: Option<u64>,
    is_load: bool,
}

/// The known accesses; shared, since most blocks change nothing.
type KnownAccesses = Rc<Vec<KnownAccess>>;

impl KnownAccess {
    /// Whether Cranelift may merge it with an earlier one.
    fn may_merge(&self, earlier: &KnownAccess) -> bool {
        let may_be = |one: Option<u64>, other| one.is_none() || one == other || other.is_none();
        // A store after a load is dropped only if it stores what was loaded.
        let is_new = !self.is_load && earlier.is_load && !may_be(self.value, earlier.value);
        self.bytes == earlier.bytes && may_be(self.at, earlier.at) && !is_new
    }
}

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let analyses = &mut context.analyses;
    let is_access = |inst| accessed(&function.dfg, inst).is_some();
    // A single access cannot be merged with another.
    if insts(function).filter(|&inst| is_access(inst)).nth(1).is_none() {
        return;
    }
    let ControlFlow { graph, dominators, .. } = analyses.control_flow(function);
    let mut numbers = ValueNumbers::new(function);
    let mut found: Vec<Inst> = Vec::new();
    // What Cranelift knows at the end of each block, and the number of the last event that made it forget all before.
    let mut at_end: SecondaryMap<Block, Option<(u32, KnownAccesses)>> = SecondaryMap::new();
    let mut last = 0;
    for &block in dominators.cfg_rpo() {
        let mut before = graph.pred_iter(block).filter_map(|edge| Some(at_end[edge.block].as_ref()?.0));
        let dominator = dominators.idom(block).and_then(|dominator| at_end[dominator].as_ref());
        let (mut since, mut now) = match dominator {
            Some((since, known)) if before.all(|before| before == *since) => (*since, Rc::clone(known)),
            _ => {
                last += 1;
                (last, Rc::default())
            }
        };
        let mut forget = |since: &mut u32, now: &mut KnownAccesses| {
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
                numbers.visit(dfg, inst);
                continue;
            }
            numbers.visit(dfg, inst);
            let Some((address, bytes)) = accessed(dfg, inst) else { continue };
            let data = &dfg.insts[inst];
            let offset = i64::from(data.load_store_offset().unwrap_or_default());
            let at = numbers.of(dfg, dfg.inst_args(inst)[address]);
            let value = dfg.inst_results(inst).first().or(dfg.inst_args(inst).first());
            let access = KnownAccess {
                at: at.map(|at| at.wrapping_add_signed(offset)),
                bytes,
                value: value.and_then(|&value| numbers.of(dfg, value)),
                is_load: opcode.can_load(),
            };
            let is_merged = now.len() == MAX_KNOWN || now.iter().any(|earlier| access.may_merge(earlier));
            if is_merged {
                found.push(inst);
            }
            // Cranelift forgets what it knows of memory at a store and at an atomic access.
            if is_merged || !opcode.can_load() || data.load_store_offset().is_none() {
                forget(&mut since, &mut now);
            }
            Rc::make_mut(&mut now).push(access);
        }
        at_end[block] = Some((since, now));
    }
    for inst in found {
        let location = function.srcloc(inst);
        FuncCursor::new(function).at_inst(inst).with_srcloc(location).ins().sequence_point();
    }
}

/// Which operand is the address of an access that others may observe, and how many bytes it has.
fn accessed(dfg: &DataFlowGraph, inst: Inst) -> Option<(usize, u32)> {
    let data = &dfg.insts[inst];
    let opcode = data.opcode();
    let is_own_table = || data.memflags_data(dfg).is_some_and(|flags| flags.notrap());
    if opcode.is_call() || !opcode.can_load() && !opcode.can_store() || is_own_table() {
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
    // In stores the value comes first; in atomics that load too, the address.
    Some((usize::from(!opcode.can_load()), bytes))
}
