//! Long sums, the same of `^`, are added up in an order that keeps nobody waiting.
//!
//! | terms | order |
//! |---|---|
//! | what a loop adds to in each round | last, so that the next round waits for one addition |
//! | all others | first those that are there first: the two of least depth, again and again |
//!
//! BPF adds one term after the other, since that takes the fewest registers. What natively runs side by side then waits:
//! four words a round, for four additions.
//!
//! | step | file |
//! |---|---|
//! | the sums, and when their terms are there | `chains.rs`, over `straight_line.rs` |
//! | products that go into vectors: one term instead of eight | `slp.rs` |
//! | the order | `argument_order.rs` |
//!
//! Left alone are sums of two terms, sums that are an address (the processor adds those up), terms that are wanted on their
//! own, and constants, which Cranelift puts together. What is no longer used goes, loads too.
//!
//! Sound: `+` and `^` on words are associative and commutative. Terms are computed where they were; their sum where the last
//! of them was added, which is in the same line of blocks, each the only way to the next. One pass; time is `n log n` in the
//! number of instructions.

mod chains;
mod slp;
mod straight_line;
mod tree_height;

use cranelift_codegen::ir::{Block, Function, Inst, Opcode};

use crate::config::Pass;
use crate::opt::pass::PassContext;

use chains::Finder;
use slp::Loads;
use straight_line::Lines;

/// Sums of more terms are left alone.
const TERMS: usize = 64;

/// Runs the passes.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let (reorders, packs) = (context.on.contains(Pass::Reassociation), context.on.contains(Pass::Slp));
    let additions = chains::additions(function);
    if !chains::has_sums(function, &additions) {
        return;
    }
    let lines = Lines::new(function);
    straight_line::remove_parameters(function, &lines);
    let mut finder = Finder::new(function, lines);
    for &inst in &additions {
        finder.mark_parts(function, inst);
    }
    let ends: Vec<Inst> = additions.into_iter().filter(|&inst| finder.is_end(function, inst)).collect();
    if ends.is_empty() {
        return;
    }
    finder.find_rounds(function, &ends);
    let mut has_ends = vec![false; finder.lines.count];
    for line in ends.iter().filter_map(|&inst| finder.lines.of(function, inst)) {
        has_ends[line as usize] = true;
    }
    let mut loads = None;
    let is_wanted = |block: &&Block| has_ends[finder.lines.of_block[**block] as usize];
    let blocks: Vec<Block> = finder.lines.blocks.iter().filter(is_wanted).copied().collect();
    for block in blocks {
        let mut next = function.layout.first_inst(block);
        while let Some(inst) = next {
            next = function.layout.next_inst(inst);
            let Some(mut sum) = finder.sum(function, inst) else {
                finder.measure(function, inst);
                continue;
            };
            let is_plus = function.dfg.insts[inst].opcode() == Opcode::Iadd;
            let is_packed = packs && is_plus && sum.terms.len() >= slp::LANES && {
                let loads = loads.get_or_insert_with(|| Loads::new(function, &finder));
                loads.pack(function, &mut finder, inst, &mut sum)
            };
            let order = sum.order().filter(|order| is_packed || reorders && sum.is_worse_than(order));
            match order {
                Some(order) => finder.rewrite(function, inst, &order),
                None => finder.measure(function, inst),
            }
        }
    }
}
