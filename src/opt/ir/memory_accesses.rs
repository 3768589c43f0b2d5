//! Plain loads and stores, and their addresses as a root and a constant offset.
//!
//! In: an instruction. Out: the [`MemoryAccess`] that it is, if it is a plain one in the target's byte order. Two accesses
//! with the same root are a known distance apart; nothing is known of those with different roots.

use cranelift_codegen::ir::{
    DataFlowGraph, Inst, InstructionData, Opcode, StackSlot, Type, Value, ValueDef, types,
};

use super::operands::{MAX_LOOK_THROUGH, constant, size_of};

/// What an address is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// A value.
    Value(Value),
    /// A stack slot.
    Slot(StackSlot),
}

/// A plain (non-atomic) access.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryAccess {
    /// The instruction.
    pub(crate) inst: Inst,
    /// Its address operand.
    pub(crate) address: Value,
    /// The constant offset of the instruction.
    pub(crate) offset: i32,
    /// What the address is computed from.
    pub(crate) root: Root,
    /// The accessed address, in bytes from the root.
    pub(crate) at: i64,
    /// Bytes accessed.
    pub(crate) size: u8,
}

impl MemoryAccess {
    /// The instruction offset with which this access's address operand reaches the address `at` bytes from the root.
    pub(crate) fn offset_to(&self, at: i64) -> Option<i32> {
        i32::try_from(i64::from(self.offset) + at.checked_sub(self.at)?).ok()
    }
}

/// An address as a root and an offset.
fn locate(dfg: &DataFlowGraph, address: Value) -> (Root, i64) {
    let mut address = dfg.resolve_aliases(address);
    let mut offset = 0_i64;
    for _ in 0..MAX_LOOK_THROUGH {
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

fn access(dfg: &DataFlowGraph, inst: Inst, address: Value, offset: i32, size: u8) -> MemoryAccess {
    let (root, start) = locate(dfg, address);
    let at = start.wrapping_add(i64::from(offset));
    MemoryAccess { inst, address: dfg.resolve_aliases(address), offset, root, at, size }
}

/// An instruction as a plain load of an integer.
pub(crate) fn load(dfg: &DataFlowGraph, inst: Inst) -> Option<MemoryAccess> {
    number_load(dfg, inst).filter(|_| dfg.value_type(dfg.first_result(inst)).is_int())
}

/// An instruction as a plain load of an integer or a float.
pub(crate) fn number_load(dfg: &DataFlowGraph, inst: Inst) -> Option<MemoryAccess> {
    let InstructionData::Load { opcode, arg, flags, offset } = dfg.insts[inst] else { return None };
    if dfg.mem_flags[flags].explicit_endianness().is_some() || dfg.mem_flags[flags].readonly() {
        return None;
    }
    let size = match opcode {
        Opcode::Uload8 | Opcode::Sload8 => 1,
        Opcode::Uload16 | Opcode::Sload16 => 2,
        Opcode::Uload32 | Opcode::Sload32 => 4,
        Opcode::Load => number_size(dfg.value_type(dfg.first_result(inst)))?,
        _ => return None,
    };
    Some(access(dfg, inst, arg, offset.into(), size))
}

/// The size in bytes of an integer or a float of at most 64 bits.
fn number_size(ty: Type) -> Option<u8> {
    size_of(ty).or_else(|| matches!(ty, types::F32 | types::F64).then(|| ty.bytes() as u8))
}

/// An instruction as a plain store of an integer, and the value that it stores.
pub(crate) fn store(dfg: &DataFlowGraph, inst: Inst) -> Option<(MemoryAccess, Value)> {
    number_store(dfg, inst).filter(|&(_, value)| dfg.value_type(value).is_int())
}

/// An instruction as a plain store of an integer or a float, and the value that it stores.
pub(crate) fn number_store(dfg: &DataFlowGraph, inst: Inst) -> Option<(MemoryAccess, Value)> {
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
        Opcode::Store => number_size(dfg.value_type(value))?,
        _ => return None,
    };
    Some((access(dfg, inst, address, offset.into(), size), value))
}
