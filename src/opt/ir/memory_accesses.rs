//! What passes share: places in memory, what may come between two accesses, operands, replacing an instruction.

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{DataFlowGraph, Function, Inst, InstructionData, Opcode, StackSlot, Value, ValueDef};

use crate::opt::memory::byte_provenance::{constant, size_of};

/// How many additions of constants an address is looked through, and how many conversions a value.
pub(crate) const DEPTH: usize = 16;

/// What an address starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// A value.
    Value(Value),
    /// A slot of the frame.
    Slot(StackSlot),
}

/// An access that is not atomic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    /// The instruction.
    pub(crate) inst: Inst,
    /// Its address operand.
    pub(crate) address: Value,
    /// Added to that.
    pub(crate) offset: i32,
    /// Where the address starts.
    pub(crate) root: Root,
    /// Bytes from there.
    pub(crate) at: i64,
    /// Bytes accessed.
    pub(crate) size: u8,
}

impl Access {
    /// The offset that leads from this access's address operand to `at`, bytes from the root.
    pub(crate) fn offset_to(&self, at: i64) -> Option<i32> {
        i32::try_from(i64::from(self.offset) + at.checked_sub(self.at)?).ok()
    }
}

/// The address `root + offset` that a value is.
fn locate(dfg: &DataFlowGraph, address: Value) -> (Root, i64) {
    let mut address = dfg.resolve_aliases(address);
    let mut offset = 0_i64;
    for _ in 0..DEPTH {
        let ValueDef::Result(inst, _) = dfg.value_def(address) else { break };
        match dfg.insts[inst] {
            InstructionData::StackAddr { stack_slot, offset: inside, .. } => {
                return (Root::Slot(stack_slot), offset.wrapping_add(i64::from(i32::from(inside))));
            }
            InstructionData::Binary { opcode: Opcode::Iadd, args: [left, right] } => {
                let (base, by) = match (constant(dfg, left), constant(dfg, right)) {
                    (_, Some(by)) => (left, by),
                    (Some(by), _) => (right, by),
                    _ => break,
                };
                offset = offset.wrapping_add(by as i64);
                address = dfg.resolve_aliases(base);
            }
            _ => break,
        }
    }
    (Root::Value(address), offset)
}

fn access(dfg: &DataFlowGraph, inst: Inst, address: Value, offset: i32, size: u8) -> Access {
    let (root, start) = locate(dfg, address);
    let at = start.wrapping_add(i64::from(offset));
    Access { inst, address: dfg.resolve_aliases(address), offset, root, at, size }
}

/// The plain load that an instruction is.
pub(crate) fn load(dfg: &DataFlowGraph, inst: Inst) -> Option<Access> {
    let InstructionData::Load { opcode, arg, flags, offset } = dfg.insts[inst] else { return None };
    if dfg.mem_flags[flags].explicit_endianness().is_some() || dfg.mem_flags[flags].readonly() {
        return None;
    }
    let size = match opcode {
        Opcode::Uload8 | Opcode::Sload8 => 1,
        Opcode::Uload16 | Opcode::Sload16 => 2,
        Opcode::Uload32 | Opcode::Sload32 => 4,
        Opcode::Load => size_of(dfg.value_type(dfg.first_result(inst)))?,
        _ => return None,
    };
    Some(access(dfg, inst, arg, offset.into(), size))
}

/// The plain store that an instruction is, and the value that it stores.
pub(crate) fn store(dfg: &DataFlowGraph, inst: Inst) -> Option<(Access, Value)> {
    let InstructionData::Store { opcode, args: [value, address], flags, offset } = dfg.insts[inst] else {
        return None;
    };
    if dfg.mem_flags[flags].explicit_endianness().is_some() {
        return None;
    }
    let size = match opcode {
        Opcode::Istore8 => 1,
        Opcode::Istore16 => 2,
        Opcode::Istore32 => 4,
        Opcode::Store => size_of(dfg.value_type(value))?,
        _ => return None,
    };
    Some((access(dfg, inst, address, offset.into(), size), value))
}

/// A map with room for what there is of each value: one that grows step by step takes several times as long.
pub(crate) fn of_values<T: Clone + Default>(dfg: &DataFlowGraph) -> SecondaryMap<Value, T> {
    let mut map = SecondaryMap::with_capacity(dfg.num_values());
    map.resize(dfg.num_values());
    map
}

/// Calls `look` with all operands of an instruction, and what it hands on to blocks.
pub(crate) fn each_operand(dfg: &DataFlowGraph, inst: Inst, look: impl FnMut(Value)) {
    // Going over the arguments for blocks costs more than the rest, and few instructions have any.
    if dfg.insts[inst].opcode().is_terminator() {
        dfg.inst_values(inst).for_each(look);
    } else {
        dfg.inst_args(inst).iter().copied().for_each(look);
    }
}

/// Whether an instruction other than a plain access may read memory, write it, or show what is in it: no access is
/// moved past such a one.
pub(crate) fn is_barrier(dfg: &DataFlowGraph, inst: Inst) -> bool {
    let opcode = dfg.insts[inst].opcode();
    opcode.can_load()
        || opcode.can_store()
        || opcode.can_trap()
        || opcode.other_side_effects()
        || opcode.is_call()
        || opcode.is_terminator()
}

/// The operand of the conversion that a value is the result of.
pub(crate) fn operand(dfg: &DataFlowGraph, value: Value, wanted: Opcode) -> Option<Value> {
    match dfg.value_def(dfg.resolve_aliases(value)) {
        ValueDef::Result(inst, _) => match dfg.insts[inst] {
            InstructionData::Unary { opcode, arg } if opcode == wanted => Some(dfg.resolve_aliases(arg)),
            _ => None,
        },
        _ => None,
    }
}

/// The instruction that a value is a part, or an extension of the result of.
pub(crate) fn source(dfg: &DataFlowGraph, value: Value) -> Option<Inst> {
    let mut value = dfg.resolve_aliases(value);
    for _ in 0..DEPTH {
        let ValueDef::Result(inst, _) = dfg.value_def(value) else { return None };
        match dfg.insts[inst] {
            InstructionData::Unary { opcode: Opcode::Uextend | Opcode::Sextend | Opcode::Ireduce, arg } => {
                value = dfg.resolve_aliases(arg);
            }
            _ => return Some(inst),
        }
    }
    None
}

/// Puts a value in the place of an instruction that has one result.
pub(crate) fn replace(function: &mut Function, inst: Inst, new: Value) {
    let old = function.dfg.first_result(inst);
    function.layout.remove_inst(inst);
    function.dfg.clear_results(inst);
    function.dfg.change_to_alias(old, new);
}
