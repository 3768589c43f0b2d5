//! Reassociation: long sums, and chains of `^`, are added in an order of less latency.
//!
//! | terms | order |
//! |---|---|
//! | loop-carried: what a loop adds to in each iteration | last, so that the next iteration depends on one addition |
//! | all others | the two that are available first, again and again |
//!
//! BPF compilers add one term after the other, since that takes the fewest registers. What a native compiler would execute in
//! parallel is then sequential: for four terms in an iteration, it takes four additions.
//!
//! | step | file |
//! |---|---|
//! | the sums, and when their terms are available | `sums.rs`, over `straight_line.rs` |
//! | products that go into vectors: one term instead of eight | `slp.rs` |
//! | the order | `tree_height.rs` |
//! | products with constants that become sums | `products.rs` |
//!
//! Left alone are sums of two terms, sums that are an address (addressing modes add them), terms with other uses, and
//! constants, which Cranelift folds. What is no longer used is removed, loads too.
//!
//! Sound: `+` and `^` of integers are associative and commutative. Terms are computed where they were; their sum where the last
//! of them was added, which is in the same straight-line chain of blocks. One pass; time is `n log n` in the number of
//! instructions.

mod products;
mod slp;
mod straight_line;
mod sums;
mod tree_height;

use cranelift_codegen::ir::{Block, Function, Inst, Opcode};

use crate::config::Pass;
use crate::opt::pass::PassContext;

use slp::Loads;
use straight_line::Chains;
use sums::SumFinder;

/// Runs the passes.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let (reorders, packs) = (context.on.contains(Pass::Reassociation), context.on.contains(Pass::Slp));
    add_up(function, reorders, packs);
    if reorders && context.facts.adds_to_third {
        products::run(function, &mut context.analyses);
    }
}

/// Changes the order of sums, and packs products.
fn add_up(function: &mut Function, reorders: bool, packs: bool) {
    let additions = sums::additions(function);
    if !sums::has_sums(function, &additions) {
        return;
    }
    let chains = Chains::new(function);
    straight_line::remove_parameters(function, &chains);
    let mut finder = SumFinder::new(function, chains);
    for &inst in &additions {
        finder.mark_inner(function, inst);
    }
    let roots: Vec<Inst> = additions.into_iter().filter(|&inst| finder.is_root(function, inst)).collect();
    if roots.is_empty() {
        return;
    }
    finder.find_carried(function, &roots);
    let mut has_roots = vec![false; finder.chains.count];
    for chain in roots.iter().filter_map(|&inst| finder.chains.of(function, inst)) {
        has_roots[chain as usize] = true;
    }
    let mut loads = None;
    let has_root = |block: &&Block| has_roots[finder.chains.of_block[**block] as usize];
    let blocks: Vec<Block> = finder.chains.blocks.iter().filter(has_root).copied().collect();
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
