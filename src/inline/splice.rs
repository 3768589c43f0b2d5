//! Inlining by Cranelift's inliner.
//!
//! In: a function, and the bodies of callees. Out: the same function without those calls. Calls within inlined code stay calls.
//!
//! In addition to what Cranelift does:
//!
//! | what | why |
//! |---|---|
//! | new instructions get the source location of the call | Cranelift leaves them without |
//! | data symbols get the caller's numbers for their names | Cranelift 0.135 copies the callee's |

use std::borrow::Cow;
use std::collections::HashMap;

use cranelift_codegen::entity::EntityRef;
use cranelift_codegen::inline::{Inline, InlineCommand};
use cranelift_codegen::ir::{self, ExternalName, Function, GlobalValue, GlobalValueData, Inst};
use cranelift_codegen::{CodegenResult, Context};
use cranelift_module::FuncId;

use super::Body;
use crate::lift::FUNCTIONS;
use crate::program::frequencies::FunctionFrequencies;

/// A call that is replaced.
struct Splice<'a> {
    /// What takes its place.
    body: &'a Body,
    /// The call's location.
    location: ir::SourceLoc,
    /// How many instructions and global values the function had before.
    first: Inst,
    first_global: GlobalValue,
}

struct Splicer<'a> {
    bodies: &'a HashMap<FuncId, Body>,
    /// How many BPF instructions may still be added.
    budget: usize,
    /// How often the function's code ran, if that is known.
    frequencies: Option<&'a FunctionFrequencies>,
    splices: Vec<Splice<'a>>,
}

/// Replaces calls that were made, as far as that is known, as long as the function grows by no more than `budget` BPF instructions.
pub(super) fn run(
    bodies: &HashMap<FuncId, Body>,
    budget: usize,
    frequencies: Option<&FunctionFrequencies>,
    function: &mut Function,
    context: &mut Context,
) -> CodegenResult<()> {
    let mut splicer = Splicer { bodies, budget, frequencies, splices: Vec::new() };
    context.clear();
    std::mem::swap(&mut context.func, function);
    let inlined = context.inline(&mut splicer);
    std::mem::swap(&mut context.func, function);
    inlined?;
    let ends = splicer.splices.iter().skip(1).map(|next| (next.first, next.first_global));
    let end = (Inst::new(function.dfg.num_insts()), function.global_values.next_key());
    let ends: Vec<_> = ends.chain([end]).collect();
    for (splice, (end, end_global)) in splicer.splices.iter().zip(ends) {
        for inst in (splice.first.index()..end.index()).map(Inst::new) {
            function.set_srcloc(inst, splice.location);
        }
        for global in (splice.first_global.index()..end_global.index()).map(GlobalValue::new) {
            rename(function, global, &splice.body.function);
        }
    }
    Ok(())
}

/// Makes the name of a symbol that was copied from `callee` a name of the function.
fn rename(function: &mut Function, global: GlobalValue, callee: &Function) {
    let GlobalValueData::Symbol { name: ExternalName::User(name), .. } = &function.global_values[global] else {
        return;
    };
    let named = callee.params.user_named_funcs()[*name].clone();
    let own = ExternalName::user(function.declare_imported_user_function(named));
    if let GlobalValueData::Symbol { name, .. } = &mut function.global_values[global] {
        *name = own;
    }
}

impl Inline for Splicer<'_> {
    fn inline(
        &mut self,
        caller: &Function,
        call: Inst,
        _: ir::Opcode,
        callee: ir::FuncRef,
        _: &[ir::Value],
    ) -> InlineCommand<'_> {
        let callee = &caller.dfg.ext_funcs[callee];
        let ExternalName::User(name) = callee.name else { return InlineCommand::KeepCall };
        let name = &caller.params.user_named_funcs()[name];
        if name.namespace != FUNCTIONS {
            return InlineCommand::KeepCall;
        }
        let Some(body) = self.bodies.get(&FuncId::from_u32(name.index)) else { return InlineCommand::KeepCall };
        let count = self.frequencies.and_then(|known| known.at(u64::from(caller.srcloc(call).bits())));
        if count == Some(0) {
            return InlineCommand::KeepCall;
        }
        // A function that is called with other arguments than it takes has another signature at the call.
        let fits = caller.dfg.signatures[callee.signature] == body.function.signature;
        let Some(budget) = self.budget.checked_sub(body.size).filter(|_| fits) else {
            return InlineCommand::KeepCall;
        };
        self.budget = budget;
        self.splices.push(Splice {
            body,
            location: caller.srcloc(call),
            first: Inst::new(caller.dfg.num_insts()),
            first_global: caller.global_values.next_key(),
        });
        InlineCommand::Inline { callee: Cow::Borrowed(&body.function), visit_callee: false }
    }
}
