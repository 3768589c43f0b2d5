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
//! | the first one in a block, other than the entry: others may lie on the way there | before it |
//! | may be of the address of one since the last store, call, atomic or sequence point, and is as wide | before it |
//! | of another width; at another distance from the same start | none: these are kept apart anyway |
//! | of what the translator has made and nobody writes (`readonly`) | none: it may be merged |
//!
//! One pass; at most [`MOST`] accesses are looked back at.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{DataFlowGraph, Function, Inst, InstBuilder, Opcode, Value};

use super::places::{Root, locate};

/// How many accesses are looked back at: after so many, a sequence point is put without a look.
const MOST: usize = 16;

/// An access of any kind.
struct Seen {
    root: Root,
    at: i64,
    bytes: u32,
}

impl Seen {
    fn may_be(&self, other: &Seen) -> bool {
        self.bytes == other.bytes && (self.root != other.root || self.at == other.at)
    }
}

/// Runs the pass.
pub(super) fn run(function: &mut Function) {
    let mut wanted: Vec<Inst> = Vec::new();
    let mut known: Vec<Seen> = Vec::new();
    let entry = function.layout.entry_block();
    for block in function.layout.blocks() {
        known.clear();
        let mut is_open = Some(block) != entry;
        for inst in function.layout.block_insts(block) {
            let dfg = &function.dfg;
            let opcode = dfg.insts[inst].opcode();
            if opcode.is_call() || matches!(opcode, Opcode::SequencePoint | Opcode::Fence) {
                known.clear();
                is_open = false;
                continue;
            }
            let Some(access) = access(dfg, inst) else { continue };
            if is_open || known.len() == MOST || known.iter().any(|earlier| earlier.may_be(&access)) {
                wanted.push(inst);
                known.clear();
                is_open = false;
            }
            // What is known of memory before it is forgotten.
            if opcode.can_store() || dfg.insts[inst].memflags().is_none() {
                known.clear();
                is_open = false;
            }
            known.push(access);
        }
    }
    for inst in wanted {
        let location = function.srcloc(inst);
        FuncCursor::new(function).at_inst(inst).with_srcloc(location).ins().sequence_point();
    }
}

/// The access that an instruction makes, if others may see it.
fn access(dfg: &DataFlowGraph, inst: Inst) -> Option<Seen> {
    let data = &dfg.insts[inst];
    let opcode = data.opcode();
    if !opcode.can_load() && !opcode.can_store() || data.memflags_data(dfg).is_some_and(|flags| flags.readonly()) {
        return None;
    }
    // The value that is accessed; the address comes last, or, in an atomic, first.
    let args = dfg.inst_args(inst);
    let is_atomic = matches!(opcode, Opcode::AtomicRmw | Opcode::AtomicCas | Opcode::AtomicLoad);
    let address: Value = *if is_atomic { args.first()? } else { args.last()? };
    let offset = data.load_store_offset().unwrap_or_default();
    let (root, start) = locate(dfg, address);
    let bytes = match opcode {
        Opcode::Uload8 | Opcode::Sload8 | Opcode::Istore8 => 1,
        Opcode::Uload16 | Opcode::Sload16 | Opcode::Istore16 => 2,
        Opcode::Uload32 | Opcode::Sload32 | Opcode::Istore32 => 4,
        _ if opcode.can_load() => dfg.value_type(dfg.first_result(inst)).bytes(),
        _ => dfg.value_type(*args.first()?).bytes(),
    };
    Some(Seen { root, at: start.wrapping_add(i64::from(offset)), bytes })
}
