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
//! takes. So it runs after that optimiser, and for x86-64 alone; elsewhere an address takes two instructions or more.

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    ExternalName, Function, GlobalValue, GlobalValueData, Inst, InstBuilder, InstructionData, Opcode,
    UserExternalName, Value,
};
use cranelift_codegen::isa::TargetIsa;
use cranelift_codegen::settings::OptLevel;
use target_lexicon::Architecture;

use crate::abi::WORD;

/// An access of a counter.
#[derive(Clone, Copy)]
struct CounterAccess {
    /// The position of the address among the operands.
    operand: usize,
    /// The section, and the place in it.
    section: GlobalValue,
    offset: i64,
}

/// Whether what this code generator optimises is to have such addresses.
pub(super) fn are_moved(isa: &dyn TargetIsa) -> bool {
    isa.triple().architecture == Architecture::X86_64 && isa.flags().opt_level() != OptLevel::None
}

/// Gives each access of a counter of this section its own address.
pub(super) fn rematerialise_addresses(function: &mut Function, section: &UserExternalName) {
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
    let address = function.dfg.value_def(function.dfg.resolve_aliases(function.dfg.inst_args(inst)[operand])).inst()?;
    let InstructionData::UnaryGlobalValue { opcode: Opcode::SymbolValue, global_value } = function.dfg.insts[address]
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
