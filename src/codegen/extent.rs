//! Where the instructions of compiled code are, as Cranelift recorded it.
//!
//! In: what Cranelift compiled. Out: an [`Extent`]: where blocks start, and where all instructions end.
//!
//! Cranelift's buffer holds, in this order,
//!
//! | what | recorded as |
//! |---|---|
//! | the blocks, with jump tables in those that jump through one | the start of each block; a source location, which may be unknown, of every instruction that a block was lowered to |
//! | traps that blocks branch to | a trap each |
//! | constants, each aligned, with zeros in between | references of instructions |
//!
//! The rule: what is code and what is data is never guessed from bytes. A block may be empty once its jump has been
//! threaded; where that is the last block, its start is where the code ends, and no instruction starts there.
//!
//! Where branches do not reach all of a function (aarch64, riscv64), the buffer has islands of traps and constants between
//! blocks and longer branches behind them. Only control flow leads to code among them, so that the starts of blocks are enough
//! to tell code from data.

use cranelift_codegen::CompiledCode;
use cranelift_codegen::binemit::CodeOffset;
use target_lexicon::Architecture;

/// Where instructions are.
pub(crate) struct Extent {
    /// Where blocks and instructions that may trap start, in order, each once; all before `end`.
    pub(crate) entries: Vec<CodeOffset>,
    /// Where the blocks end, and the traps behind them.
    pub(crate) end: CodeOffset,
}

impl Extent {
    pub(crate) fn new(compiled: &CompiledCode, architecture: Architecture) -> Extent {
        let buffer = &compiled.buffer;
        // `MachInst::TRAP_OPCODE` of each machine.
        let trap = match architecture {
            Architecture::X86_64 | Architecture::S390x => 2,
            _ => 4,
        };
        let blocks = buffer.get_srclocs_sorted().iter().map(|range| range.end).max().unwrap_or(0);
        // Traps in blocks are instructions with a location.
        let traps = buffer.traps().iter().map(|record| record.offset).filter(|&offset| offset >= blocks);
        let end = traps.map(|offset| offset.saturating_add(trap)).fold(blocks, CodeOffset::max);
        let end = end.min(buffer.total_size());
        // On s390x, traps are recorded at the last bytes of instructions, which are all in blocks.
        let has_traps = architecture != Architecture::S390x;
        let traps = buffer.traps().iter().filter(|_| has_traps).map(|trap| trap.offset);
        let mut entries: Vec<CodeOffset> = compiled.bb_starts.iter().copied().chain(traps).collect();
        entries.retain(|&entry| entry < end);
        entries.sort_unstable();
        entries.dedup();
        Extent { entries, end }
    }
}
