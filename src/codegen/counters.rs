//! The addresses of counters of coverage, each next to where it counts.
//!
//! In: a function after Cranelift's optimiser. Out: the same with
//!
//! | before | after |
//! |---|---|
//! | `symbol_value` of the section, somewhere before; `load`, `store` at an offset from it | `symbol_value` of the counter, in front of the `load`; `load`, `store` at it |
//!
//! Cranelift's optimiser computes an address once for the whole function, and out of loops. A counter's is one instruction
//! (`lea`), and a register that lives through calls is one that each call of the function saves and restores: more than counting
//! takes in a function that is called as often as it counts, such as one that calls itself. In loops of others, an address outside
//! of the loop is cheaper. It is for x86-64 alone; elsewhere an address takes two instructions or more.
//!
//! `incq counter(%rip)` would need no register at all, and was slower where it was measured, on Rocket Lake: a loop that only
//! counts takes 0.3 ns for each round with `lea` and `addq $1, (%r)`, as without counting, and 2.3 ns with `incq`. That processor
//! forwards what was stored to a load by the same register without a delay, and not where the address is relative to the
//! instruction.

use std::collections::{HashMap, HashSet};

use cranelift_codegen::Context;
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    ExternalName, Function, GlobalValue, GlobalValueData, Inst, InstBuilder, InstructionData, Opcode,
    UserExternalName, Value,
};
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::loop_analysis::Loop;
use target_lexicon::Architecture;

use crate::abi::WORD;
use crate::lift::FUNCTIONS;

/// An access of a counter.
#[derive(Clone, Copy)]
struct CounterAccess {
    /// The position of the address among the operands.
    operand: usize,
    /// The section, and the place in it.
    section: GlobalValue,
    offset: i64,
}

/// Whether an address of a counter is one instruction.
pub(super) fn are_near(isa: &dyn TargetIsa) -> bool {
    isa.triple().architecture == Architecture::X86_64
}

/// Gives each access of a counter of this section its own address, in a function that is worth it; `context` has it, optimised.
pub(super) fn rematerialise_addresses(context: &mut Context, section: &UserExternalName) {
    if is_worth_it(context, section) {
        rematerialise(&mut context.func, section);
    }
}

/// Whether a function is probably called about as often as it counts: it calls, and counts in no loop; or it calls itself, and
/// counts in no loop without calls.
fn is_worth_it(context: &Context, section: &UserExternalName) -> bool {
    let Context { func: function, loop_analysis: loops, .. } = context;
    let blocks = || function.layout.blocks();
    let insts = || blocks().flat_map(|block| function.layout.block_insts(block).map(move |inst| (block, inst)));
    let (mut calls, mut calls_itself) = (false, false);
    let mut with_calls: HashSet<Loop> = HashSet::new();
    for (block, inst) in insts().filter(|&(_, inst)| function.dfg.insts[inst].opcode().is_call()) {
        (calls, calls_itself) = (true, calls_itself || is_own_call(function, inst));
        let mut around = loops.innermost_loop(block);
        while let Some(one) = around.filter(|&one| with_calls.insert(one)) {
            around = loops.loop_parent(one);
        }
    }
    let is_good = |block| match loops.innermost_loop(block) {
        Some(innermost) => calls_itself && with_calls.contains(&innermost),
        None => true,
    };
    calls && insts().all(|(block, inst)| is_good(block) || access(function, inst, section).is_none())
}

/// Whether a function calls itself there.
fn is_own_call(function: &Function, inst: Inst) -> bool {
    let InstructionData::Call { func_ref, .. } = function.dfg.insts[inst] else { return false };
    let ExternalName::User(name) = function.dfg.ext_funcs[func_ref].name else { return false };
    let (name, own) = (&function.params.user_named_funcs()[name], function.name.get_user());
    name.namespace == FUNCTIONS && own.is_some_and(|own| own.index == name.index)
}

fn rematerialise(function: &mut Function, section: &UserExternalName) {
    let mut counters: HashMap<i64, GlobalValue> = HashMap::new();
    let mut cursor = FuncCursor::new(function);
    while cursor.next_block().is_some() {
        // A counter is loaded, and stored right after.
        let mut last: Option<(i64, Value)> = None;
        while let Some(inst) = cursor.next_inst() {
            let Some(access) = access(cursor.func, inst, section) else { continue };
            let address = match last {
                Some((offset, address)) if offset == access.offset => address,
                _ => {
                    let counter = *counters.entry(access.offset).or_insert_with(|| {
                        let mut data = cursor.func.global_values[access.section].clone();
                        if let GlobalValueData::Symbol { offset, .. } = &mut data {
                            *offset = access.offset.into();
                        }
                        cursor.func.create_global_value(data)
                    });
                    cursor.use_srcloc(inst);
                    cursor.ins().symbol_value(WORD, counter)
                }
            };
            last = (cursor.func.dfg.insts[inst].opcode() == Opcode::Load).then_some((access.offset, address));
            if let InstructionData::Load { offset, .. } | InstructionData::Store { offset, .. } =
                &mut cursor.func.dfg.insts[inst]
            {
                *offset = 0.into();
            }
            cursor.func.dfg.inst_args_mut(inst)[access.operand] = address;
        }
    }
}

/// The counter that an instruction accesses.
fn access(function: &Function, inst: Inst, section: &UserExternalName) -> Option<CounterAccess> {
    let (operand, offset) = match function.dfg.insts[inst] {
        InstructionData::Load { opcode: Opcode::Load, offset, .. } => (0, offset),
        InstructionData::Store { opcode: Opcode::Store, offset, .. } => (1, offset),
        _ => return None,
    };
    let address =
        function.dfg.value_def(function.dfg.resolve_aliases(function.dfg.inst_args(inst)[operand])).inst()?;
    let InstructionData::UnaryGlobalValue { opcode: Opcode::SymbolValue, global_value } =
        function.dfg.insts[address]
    else {
        return None;
    };
    let GlobalValueData::Symbol { name: ExternalName::User(name), offset: start, .. } =
        &function.global_values[global_value]
    else {
        return None;
    };
    let offset = i64::from(*start).checked_add(i64::from(i32::from(offset)))?;
    (function.params.user_named_funcs()[*name] == *section).then_some(CounterAccess {
        operand,
        section: global_value,
        offset,
    })
}
