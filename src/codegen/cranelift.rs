//! One function through Cranelift, phase by phase.
//!
//! In: CLIF, a code generator, and what is known of the function's control flow. Out: Cranelift's machine code. It is what Cranelift's
//! own `Context::compile` does, but for what has been done before: predecessors and dominators that the passes found are not found
//! again, and block parameters that are always one value are not looked for, which SSA construction and the pass
//! `redundant-parameters` leave none of. After its optimiser, addresses of counters are put where
//! `counters.rs` wants them, and the passes of `../opt/order/` run.

use cranelift_codegen::ir::UserExternalName;
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::settings::OptLevel;
use cranelift_codegen::{CodegenError, CompiledCode, Context, timing};

use super::counters;
use crate::opt::Order;

/// What is reused from one function to the next.
pub(super) struct Contexts {
    /// The function, and its control flow: what is valid of that describes the function.
    pub(super) context: Context,
    /// Where the counters of coverage are, if the function has some.
    pub(super) counters: Option<UserExternalName>,
    /// The passes after Cranelift's optimiser, if some are on.
    order: Option<Order>,
    registers: regalloc2::Ctx,
}

impl Contexts {
    /// Without a function.
    pub(super) fn new(order: Option<Order>) -> Contexts {
        Contexts { context: Context::new(), counters: None, order, registers: regalloc2::Ctx::default() }
    }

    /// Compiles the function in the context, whose control flow is forgotten then.
    pub(super) fn compile(&mut self, isa: &dyn TargetIsa) -> Result<CompiledCode, CodegenError> {
        let compiled = self.phases(isa);
        let Context { cfg, domtree, loop_analysis, .. } = &mut self.context;
        cfg.clear();
        domtree.clear();
        loop_analysis.clear();
        compiled
    }

    fn phases(&mut self, isa: &dyn TargetIsa) -> Result<CompiledCode, CodegenError> {
        let Contexts { context, counters, order, registers } = self;
        let control = &mut Default::default();
        let _time = timing::compile();
        context.verify_if(isa)?;
        if !context.cfg.is_valid() {
            context.compute_cfg();
        }
        if !context.domtree.is_valid() {
            context.compute_domtree();
        }
        context.eliminate_unreachable_code(isa)?;
        context.func.dfg.resolve_all_aliases();
        if isa.flags().opt_level() != OptLevel::None {
            context.egraph_pass(isa, control)?;
            if let Some(section) = counters.as_ref().filter(|_| counters::are_near(isa)) {
                counters::rematerialise_addresses(context, section);
            }
        }
        if let Some(order) = order {
            order.run(context, isa);
        }
        let stencil = isa.compile_function(&context.func, &context.domtree, registers, false, control)?;
        Ok(stencil.apply_params(&context.func.params))
    }
}
