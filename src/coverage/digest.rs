//! What says that a function is the one that was counted.
//!
//! In: a graph. Out: 64 bits of FNV-1a over the operation of each instruction and over where each block starts and leads. Registers,
//! constants, offsets and what relocations put in are not in it: a function whose table has moved is still the same.

use crate::graph::{Edge, Graph};
use crate::program::Program;

/// FNV-1a's, for 64 bits.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// Stands for an edge out of the function.
const OUTSIDE: u64 = u64::MAX;

/// The digest of a function.
pub(super) fn digest(program: &Program, graph: &Graph) -> u64 {
    let bytes = &program.code[graph.section].bytes;
    let mut digest = Digest(BASIS);
    for instruction in &graph.instructions {
        digest.add(&[usize::try_from(instruction.offset).ok().and_then(|at| bytes.get(at)).copied().unwrap_or(0)]);
    }
    for block in &graph.blocks {
        digest.word(block.start as u64);
        for edge in block.terminator.outcomes() {
            digest.word(match edge {
                Edge::Block(next) => next as u64,
                Edge::Outside => OUTSIDE,
            });
        }
    }
    digest.0
}

struct Digest(u64);

impl Digest {
    fn add(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(PRIME));
    }

    fn word(&mut self, word: u64) {
        self.add(&word.to_le_bytes());
    }
}
