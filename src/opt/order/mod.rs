//! Passes after Cranelift's optimiser: the order of what it has left.
//!
//! It takes pure values out of their places, and puts them where they are needed first; what it is given of an order is lost. What it
//! leaves is translated as it stands. In: a function as Cranelift's optimiser leaves it, and its loops. Out: the same, in an order that
//! needs fewer registers and copies. The rule: blocks and edges stay as they are, and so does what instructions compute.
//!
//! | pass | file |
//! |---|---|
//! | the order of instructions in large blocks | `scheduling/` |
//! | operands that nobody needs afterwards | `operands/` |
//!
//! Tried, and not kept: constants made anew in each block that uses them, but for loops that call nothing, since Cranelift's optimiser
//! leaves one copy in a block that dominates them. Interpreters, which have them in spill slots, executed 0.6 % (Oniguruma) to 1.5 %
//! (Lua, QuickJS) more instructions; with addresses of symbols and of the frame as well, 0.1 % to 2.3 % more.

mod operands;
mod scheduling;

use cranelift_codegen::Context;
use cranelift_codegen::ir::Function;
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::loop_analysis::LoopAnalysis;

use super::pipeline::verify;
use crate::config::{Need, Pass, Passes, TargetFacts};

/// A pass after Cranelift's optimiser.
pub(crate) struct OrderPass {
    /// Its switch.
    pub(crate) pass: Pass,
    /// What the target must have for it.
    pub(crate) needs: &'static [Need],
    /// What runs before it if it is on, and why.
    pub(crate) after: &'static [(Pass, &'static str)],
    /// Runs it.
    run: fn(&mut Function, &LoopAnalysis, &TargetFacts),
}

/// All of them, in the order in which they run.
pub(crate) const ORDER_PASSES: &[OrderPass] = &[
    OrderPass {
        pass: Pass::InstructionScheduling,
        needs: &[],
        after: &[(Pass::Egraph, "it moves what this puts in order")],
        run: scheduling::run,
    },
    OrderPass {
        pass: Pass::OperandOrder,
        needs: &[Need::InPlace],
        after: &[
            (Pass::Egraph, "it decides what is used last"),
            (Pass::InstructionScheduling, "so does the order of instructions"),
        ],
        run: operands::run,
    },
];

/// Those that are on, for a target.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    passes: Passes,
    facts: TargetFacts,
}

impl Order {
    /// Those of these passes; none where there is none of them.
    pub(crate) fn new(passes: Passes, facts: &TargetFacts) -> Option<Order> {
        let order = Order { passes, facts: *facts };
        ORDER_PASSES.iter().any(|row| order.is_on(row)).then_some(order)
    }

    fn is_on(&self, row: &OrderPass) -> bool {
        self.passes.contains(row.pass) && row.needs.iter().all(|&need| self.facts.has(need))
    }

    /// Runs them over a function, whose control-flow graph and dominators are known.
    pub(crate) fn run(&self, context: &mut Context, isa: &dyn TargetIsa) {
        if !context.loop_analysis.is_valid() {
            context.compute_loop_analysis();
        }
        for row in ORDER_PASSES.iter().filter(|row| self.is_on(row)) {
            (row.run)(&mut context.func, &context.loop_analysis, &self.facts);
            verify(&context.func, isa, row.pass.name());
        }
    }
}
