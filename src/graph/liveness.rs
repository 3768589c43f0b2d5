//! Which registers a function reads before it writes them, and which registers are live after instructions.
//!
//! In: blocks. Out: the registers live at entry, and after each instruction, by the usual backward data flow over sets of
//! registers: each set only grows, so each block is looked at no more than eleven times.
//!
//! A call reads as many argument registers as its prototype has parameters, and leaves r1 to r5 without a value. A
//! call whose prototype does not say how many it reads, or of a function of the program, counts as reading all five, or
//! none, or what is known of the function: [`Calls`].

use crate::abi::{REGISTER_WORDS, helpers};
use crate::decode::insn::{Callee, Insn, Operand, Reg};
use crate::program::{ArrayForm, FunctionId, IdVec, Program, Target};

use super::model::{Block, Graph, Instruction};
use super::predecessors::Predecessors;
use super::registers::RegSet;

/// The registers that `insn` writes; a call leaves r1 to r5 without a value.
pub fn written(insn: Insn) -> RegSet {
    match insn {
        Insn::Alu { dst, .. }
        | Insn::Neg { dst, .. }
        | Insn::MovSx { dst, .. }
        | Insn::AddrSpaceCast { dst, .. }
        | Insn::Endian { dst, .. }
        | Insn::LoadImm { dst, .. }
        | Insn::Load { dst, .. }
        | Insn::LoadAcquire { dst, .. }
        | Insn::LoadStackArgument { dst, .. } => RegSet::EMPTY.with(dst),
        Insn::Atomic { fetch: true, src, .. } | Insn::Xchg { src, .. } => RegSet::EMPTY.with(src),
        Insn::Cmpxchg { .. } => RegSet::EMPTY.with(Reg::R0),
        Insn::Call(_) | Insn::LoadPacket { .. } => RegSet::of(Reg::arguments()).with(Reg::R0),
        Insn::Atomic { fetch: false, .. }
        | Insn::Store { .. }
        | Insn::StoreRelease { .. }
        | Insn::StoreStackArgument { .. }
        | Insn::Jump { .. }
        | Insn::JumpRegister { .. }
        | Insn::MayGoto { .. }
        | Insn::Branch { .. }
        | Insn::Exit => RegSet::EMPTY,
    }
}

/// What a call without a complete prototype reads.
#[derive(Clone, Copy)]
pub(super) enum Calls<'a> {
    /// Every argument register: what the function may read.
    ReadAll,
    /// What its prototype names: what the function reads for certain.
    ReadNamed,
    /// What is said here of functions of the program, and of others what their prototypes name.
    SurelyKnown(&'a IdVec<FunctionId, RegSet>),
    /// What is known here of functions of the program, and of others every argument register.
    Known(&'a IdVec<FunctionId, Option<RegSet>>),
}

/// The registers that an instruction reads; a call passes `most` words that its prototype does not name, at most.
fn read(program: &Program, instruction: &Instruction, calls: Calls<'_>, most: usize) -> RegSet {
    let operand = |src| match src {
        Operand::Reg(reg) => RegSet::EMPTY.with(reg),
        Operand::Imm(_) => RegSet::EMPTY,
    };
    match instruction.insn {
        Insn::Alu { op: crate::decode::insn::AluOp::Mov, src, .. } => operand(src),
        Insn::Alu { dst, src, .. } => operand(src).with(dst),
        Insn::Neg { dst, .. } | Insn::Endian { dst, .. } => RegSet::EMPTY.with(dst),
        Insn::MovSx { src, .. } | Insn::AddrSpaceCast { src, .. } => RegSet::EMPTY.with(src),
        Insn::Load { base, .. } | Insn::LoadAcquire { base, .. } => RegSet::EMPTY.with(base),
        Insn::Store { base, src, .. } => operand(src).with(base),
        Insn::Atomic { base, src, .. } | Insn::Xchg { base, src, .. } | Insn::StoreRelease { base, src, .. } => {
            RegSet::of([base, src])
        }
        Insn::Cmpxchg { base, src, .. } => RegSet::of([base, src, Reg::R0]),
        Insn::LoadPacket { index, .. } => RegSet::of(index).with(Reg::R6),
        Insn::StoreStackArgument { src, .. } => operand(src),
        Insn::Branch { dst, src, .. } => operand(src).with(dst),
        Insn::JumpRegister { reg } => RegSet::EMPTY.with(reg),
        Insn::Call(Callee::Array(list)) => {
            let result = (list.form == ArrayForm::Struct).then_some(Reg::R3);
            RegSet::of(result).with(Reg::R2)
        }
        Insn::Call(callee) => {
            let called = match callee {
                Callee::Register(reg) => RegSet::EMPTY.with(reg),
                _ => RegSet::EMPTY,
            };
            let known = match (calls, instruction.target) {
                (Calls::Known(reads), Some(Target::Function(function))) => reads[function],
                (Calls::SurelyKnown(reads), Some(Target::Function(function))) => Some(reads[function]),
                _ => None,
            };
            let passed = || RegSet::of(Reg::arguments().take(argument_count(program, instruction, calls, most)));
            // The function that a tail call goes on in gets the context, whatever finds that function reads.
            let context = (callee == Callee::Helper(helpers::TAIL_CALL)).then_some(Reg::R1);
            known.unwrap_or_else(passed).union(called).union(RegSet::of(context))
        }
        Insn::Exit => RegSet::EMPTY.with(Reg::R0),
        Insn::LoadImm { .. } | Insn::LoadStackArgument { .. } | Insn::Jump { .. } | Insn::MayGoto { .. } => {
            RegSet::EMPTY
        }
    }
}

/// The registers that an instruction may read.
pub(crate) fn registers_read(program: &Program, instruction: &Instruction) -> RegSet {
    read(program, instruction, Calls::ReadAll, REGISTER_WORDS)
}

/// How many of r1 to r5 a call passes.
fn argument_count(program: &Program, instruction: &Instruction, calls: Calls<'_>, most: usize) -> usize {
    let prototype = match instruction.target {
        Some(Target::Import { import, .. }) => program.imports[import].prototype.as_ref(),
        _ => None,
    };
    let named = prototype.map_or(0, |prototype| crate::abi::word_count(prototype).min(Reg::arguments().len()));
    match prototype {
        Some(prototype) if !prototype.variadic => named,
        _ if matches!(calls, Calls::ReadNamed | Calls::SurelyKnown(_)) => named,
        _ => named.max(most),
    }
}

/// The code of a function.
#[derive(Clone, Copy)]
pub(super) struct Code<'a> {
    pub program: &'a Program,
    pub instructions: &'a [Instruction],
    pub blocks: &'a [Block],
    pub predecessors: &'a Predecessors,
    /// What `exit` reads, since somebody looks at it then: of r0 and r2.
    pub returned: RegSet,
    /// As [`Graph::passed`].
    pub passed: &'a [(u64, usize)],
    /// Whether nothing else reads anything: what is live then reaches an `exit`.
    pub ends_only: bool,
}

impl<'a> Code<'a> {
    /// That of a graph.
    pub(super) fn of(graph: &'a Graph, program: &'a Program) -> Code<'a> {
        let Graph { instructions, blocks, predecessors, returned, passed, .. } = graph;
        Code { program, instructions, blocks, predecessors, returned: *returned, passed, ends_only: false }
    }

    fn read(self, instruction: &Instruction, calls: Calls<'_>) -> RegSet {
        match instruction.insn {
            Insn::Exit => self.returned,
            _ if self.ends_only => RegSet::EMPTY,
            _ => {
                let passed = self.passed.binary_search_by_key(&instruction.offset, |passed| passed.0);
                let most = passed.map_or(REGISTER_WORDS, |found| self.passed[found].1);
                read(self.program, instruction, calls, most)
            }
        }
    }
}

/// The registers live at the entry of the first block.
pub(super) fn at_entry(code: Code<'_>, calls: Calls<'_>) -> RegSet {
    let [sets] = live(code, [calls]);
    sets.at_entry()
}

/// Calls `visit` with each instruction, last ones of a block first, and the registers live after it.
pub(super) fn each(code: Code<'_>, calls: Calls<'_>, mut visit: impl FnMut(&Instruction, RegSet)) {
    let [sets] = live(code, [calls]);
    for (block, mut live) in code.blocks.iter().zip(sets.live_out) {
        for instruction in code.instructions[block.start..block.end].iter().rev() {
            visit(instruction, live);
            live = live.minus(written(instruction.insn)).union(code.read(instruction, calls));
        }
    }
}

/// The registers live at the start and at the end of each block.
pub(super) struct LiveSets {
    live_in: Vec<RegSet>,
    pub(super) live_out: Vec<RegSet>,
}

impl LiveSets {
    /// The registers live at the entry of the first block.
    pub(super) fn at_entry(&self) -> RegSet {
        self.live_in.first().copied().unwrap_or_default()
    }
}

/// What a block reads before it writes it, for each way to see calls, and what it writes.
struct LocalSets<const N: usize> {
    reads: [RegSet; N],
    writes: RegSet,
}

/// The live registers, for each way to see calls.
pub(super) fn live<const N: usize>(code: Code<'_>, calls: [Calls<'_>; N]) -> [LiveSets; N] {
    let of_block = |block: &Block| {
        let mut local = LocalSets { reads: [RegSet::EMPTY; N], writes: RegSet::EMPTY };
        for instruction in &code.instructions[block.start..block.end] {
            // Only calls read different registers.
            let read = match instruction.insn {
                Insn::Call(_) => calls.map(|calls| code.read(instruction, calls)),
                _ => [code.read(instruction, Calls::ReadAll); N],
            };
            for (reads, read) in local.reads.iter_mut().zip(read) {
                *reads = reads.union(read.minus(local.writes));
            }
            local.writes = local.writes.union(written(instruction.insn));
        }
        local
    };
    let local: Vec<LocalSets<N>> = code.blocks.iter().map(of_block).collect();
    std::array::from_fn(|way| {
        propagate(local.iter().map(|local| (local.reads[way], local.writes)).collect(), code.predecessors)
    })
}

/// Propagates what blocks read to those before them.
fn propagate(local: Vec<(RegSet, RegSet)>, predecessors: &Predecessors) -> LiveSets {
    let mut live_in = vec![RegSet::EMPTY; local.len()];
    // Kept up to date by the successors, so that a jump to thousands of labels is not asked for them again and again.
    let mut live_out = vec![RegSet::EMPTY; local.len()];
    let mut is_pending = vec![true; local.len()];
    // Last blocks on top: most facts flow backwards.
    let mut pending: Vec<usize> = (0..local.len()).collect();
    while let Some(block) = pending.pop() {
        is_pending[block] = false;
        let (reads, writes) = local[block];
        let live = reads.union(live_out[block].minus(writes));
        if live == live_in[block] {
            continue;
        }
        live_in[block] = live;
        for &predecessor in predecessors.get(block) {
            let out = live_out[predecessor].union(live);
            if out != live_out[predecessor] {
                live_out[predecessor] = out;
                if !std::mem::replace(&mut is_pending[predecessor], true) {
                    pending.push(predecessor);
                }
            }
        }
    }
    LiveSets { live_in, live_out }
}
