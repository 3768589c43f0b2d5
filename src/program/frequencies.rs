//! How often the code of a program ran, where a profile says it.
//!
//! In: nothing; `crate::profile` makes it. Out: the frequency of an instruction, whatever form it has by then.
//!
//! The rule: **the frequency of code is that of the BPF instruction which it was made of**. Every instruction of CLIF carries that
//! one's byte offset as its source location, and so does machine code ([`CodeRange`](crate::codegen::CodeRange)); passes keep it for
//! debuggers when they move, copy, split or merge code. So there is no table by block that each pass would have to keep up:
//!
//! | code | has the frequency of |
//! |---|---|
//! | a block | its last instruction |
//! | a copy of a block (unrolled, if-converted) | the original |
//! | an inlined function | the call |
//! | what a pass adds without a location, and functions that the profile does not have | none: it is treated as without a profile |
//!
//! A block that never ran is marked as cold when it is lifted, which CLIF has a place for, and passes copy with the block.

use std::collections::BTreeMap;

use super::FunctionId;

/// What a function of loops does in each call: so many rounds of the innermost one at least.
const FEWEST_ROUNDS: u64 = 4;

/// How often the functions of a program ran: those that a profile fits.
#[derive(Clone, Debug, Default, Hash)]
pub struct Frequencies {
    pub(crate) functions: BTreeMap<FunctionId, FunctionFrequencies>,
}

/// How often a function and its blocks ran.
#[derive(Clone, Debug, Default, Hash)]
pub struct FunctionFrequencies {
    /// How often it was called.
    pub(crate) calls: u64,
    /// Its blocks, in the order of the code: those of its graph, by index.
    pub(crate) blocks: Vec<BlockFrequency>,
}

/// How often a block ran.
#[derive(Clone, Debug, Hash)]
pub struct BlockFrequency {
    /// The byte offset of its first instruction in the code section.
    pub(crate) start: u64,
    /// The byte offset of its last instruction.
    pub(crate) last: u64,
    pub(crate) count: u64,
    /// How often it went each way, if there are several.
    pub(crate) outcomes: Vec<u64>,
}

impl FunctionFrequencies {
    /// Whether some block ran several times as often as the function was called.
    pub(crate) fn is_mostly_loops(&self) -> bool {
        let most = self.blocks.iter().map(|block| block.count).max();
        most.is_some_and(|most| most / FEWEST_ROUNDS >= self.calls.max(1))
    }

    /// How often the instruction at a byte offset ran.
    pub(crate) fn at(&self, offset: u64) -> Option<u64> {
        self.block_at(offset).map(|block| block.count)
    }

    /// How often the branch at a byte offset was taken, and how often not.
    pub(crate) fn branch_at(&self, offset: u64) -> Option<[u64; 2]> {
        let block = self.block_at(offset).filter(|block| block.last == offset)?;
        <[u64; 2]>::try_from(&block.outcomes[..]).ok()
    }

    fn block_at(&self, offset: u64) -> Option<&BlockFrequency> {
        let after = self.blocks.partition_point(|block| block.start <= offset);
        self.blocks.get(after.checked_sub(1)?).filter(|block| offset <= block.last)
    }
}
