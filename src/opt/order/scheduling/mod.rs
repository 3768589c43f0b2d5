//! List scheduling: the instructions of large blocks in an order that needs fewer registers.
//!
//! Cranelift's optimiser takes pure instructions out of their blocks, and puts each back where it is first wanted, operands first. In a
//! block of hundreds of instructions, such as a round of a cipher, many more values than there are registers wait for others then, and
//! its allocator spills them. So this runs behind the optimiser, in front of instruction selection, which keeps the order.
//!
//! | what | file |
//! |---|---|
//! | a block as nodes that read and write values; the block in another order | `block.rs` |
//! | the orders that are tried | `orders.rs` |
//! | how many values too many live in an order | `excess.rs` |
//!
//! Of the orders that are tried, the block gets the one with the least excess, if that is less by an eighth than its own (`chess` has 2 %
//! more accesses of memory for less). A block of fewer than [`MIN_NODES`] nodes stays as it is: what counts there is how soon a load
//! starts that the next iteration waits for (`match` executed 7 % fewer instructions, and took 6 to 8 % longer, under load).
//!
//! In: a function behind Cranelift's optimiser, its loops, what is known of the target. Out: the same, large blocks in another order.
//! Sound: values are computed before they are used; what is not pure (accesses of memory, calls, what traps, sequence points) stays in
//! its order. Everything is n log n.
//!
//! Executed on x86-64, of 90 programs: accesses of memory `md5` 0.36, `sha512` 0.65, `life` 0.67, `bitboard` 0.71, `sha256` and
//! `poly1305` 0.74, `chacha20` 0.81, `modular` 0.83, `run_levels` 0.84, `aes` 0.91; instructions `sha512` and `modular` 0.93, `md5` 0.94,
//! `bitboard` and `siphash` 0.96, `blake2s` 1.03 with as many accesses. On aarch64 `blake2s` 0.87 and 0.64, `poly1305` 0.96 and 0.73.
//!
//! Tried, and not kept: judging orders by the spills and reloads of an allocator that knows what comes (Belady's), which is not what
//! Cranelift's allocator does (`chacha20`, `modexp`); a fourth order, top down by recency, which was better than all three others for
//! none of the 22 blocks looked at; nor was depth first, which goes on with what was wanted last whatever it costs, for 16 blocks of ciphers;
//! keeping the order while what lives fits into registers, which was better for none of 28 blocks.

mod block;
mod excess;
mod orders;

use cranelift_codegen::ir::{Block, Function};
use cranelift_codegen::loop_analysis::LoopAnalysis;

use crate::config::TargetFacts;
use block::{ReadBlock, Reading};
use excess::{Registers, excess};
use orders::{Tie, bottom_up, top_down};

/// How many nodes a large block has.
const MIN_NODES: usize = 24;

/// Of how many parts of its excess a block is to lose one.
const LEAST_GAIN: u64 = 8;

/// Puts the large blocks of a function in order; `loops` may be those before the optimiser.
pub(in crate::opt) fn run(function: &mut Function, loops: &LoopAnalysis, facts: &TargetFacts) {
    let is_large = |block: &Block| function.layout.block_insts(*block).nth(MIN_NODES - 1).is_some();
    let blocks: Vec<Block> = function.layout.blocks().filter(is_large).collect();
    if blocks.is_empty() {
        return;
    }
    let registers = Registers::of(facts);
    let mut reading = Reading::new(function, loops);
    for block in blocks {
        let read = reading.read(function, block);
        if read.nodes.len() < MIN_NODES {
            continue;
        }
        if let Some(order) = best(&read, &registers) {
            reading.write(function, block, &read, &order);
        }
    }
}

/// The best order of a block, if it is better than that which it is in.
fn best(block: &ReadBlock, registers: &Registers) -> Option<Vec<usize>> {
    let as_is: Vec<usize> = (0..block.nodes.len()).collect();
    let now = excess(block, &as_is, registers, u64::MAX).filter(|&now| now > 0)?;
    let mut most = now - now.div_ceil(LEAST_GAIN);
    let mut best = None;
    let orders: [fn(&ReadBlock) -> Vec<usize>; 3] =
        [|block| bottom_up(block, Tie::Place), |block| bottom_up(block, Tie::Recency), top_down];
    for make in orders {
        let order = make(block);
        let Some(excess) = excess(block, &order, registers, most) else { continue };
        best = Some(order);
        // Of equal ones, the first.
        let Some(less) = excess.checked_sub(1) else { break };
        most = less;
    }
    best
}

#[cfg(test)]
mod tests;
