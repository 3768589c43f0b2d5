//! Which instructions only compute a value, and what they cost.
//!
//! In: an instruction. Out: whether it is pure, its latency. These are the only tables of the kind: the numbers are those of
//! recent x86-64 and aarch64 cores, rounded, and good enough to compare two ways of writing the same code.

use cranelift_codegen::ir::{DataFlowGraph, Inst, Opcode};

/// Whether an instruction does nothing but compute its results, and computes the same ones each time: it neither accesses
/// memory nor traps nor branches. No memory access is moved across one that is not pure, unless that is a plain access too.
pub(crate) fn is_pure(dfg: &DataFlowGraph, inst: Inst) -> bool {
    let opcode = dfg.insts[inst].opcode();
    !(opcode.can_load()
        || opcode.can_store()
        || opcode.can_trap()
        || opcode.other_side_effects()
        || opcode.is_call()
        || opcode.is_terminator())
}

/// Whether an instruction usually becomes no instruction, or part of the one that uses it.
pub(crate) fn is_free(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::Iconst | Opcode::Uextend | Opcode::Ireduce)
}

/// The latency of an instruction in cycles; that of a load from the first-level cache.
pub(crate) fn latency(opcode: Opcode) -> u32 {
    match opcode {
        opcode if is_free(opcode) => 0,
        Opcode::Imul | Opcode::Umulhi | Opcode::Smulhi => 3,
        Opcode::Udiv | Opcode::Sdiv | Opcode::Urem | Opcode::Srem => 20,
        _ if opcode.can_load() => 5,
        _ => 1,
    }
}
