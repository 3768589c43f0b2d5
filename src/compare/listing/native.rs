//! A compiled function, read back: instructions, and the names that the linker writes into them.

use super::lines::{AssemblyLine, Origins, Places, assembly, relocation_name};
use super::names::Names;
use crate::codegen::CompiledFunction;
use crate::compare::disasm::{Disassembler, Instruction, Shape};

/// The machine code of a function, as instructions.
pub(crate) struct NativeCode {
    pub instructions: Vec<Instruction>,
    /// Indices of the function's relocations, by offset.
    pub order: Vec<usize>,
    /// For each instruction, the relocation in it, by its index in `order`.
    pub relocated: Vec<Option<usize>>,
}

impl NativeCode {
    /// Reads a function back.
    pub fn new(disassembler: &Disassembler, compiled: &CompiledFunction) -> NativeCode {
        let instructions = disassembler.function(&compiled.code, Shape::Entries(&compiled.entries));
        let mut order: Vec<usize> = (0..compiled.relocations.len()).collect();
        order.sort_by_key(|&index| compiled.relocations[index].offset);
        let offsets: Vec<u32> = order.iter().map(|&index| compiled.relocations[index].offset).collect();
        let relocated = relocated(&instructions, &offsets);
        NativeCode { instructions, order, relocated }
    }

    /// The lines of its assembly.
    pub fn lines(&self, names: &Names<'_>, compiled: &CompiledFunction, origins: &Origins) -> Vec<AssemblyLine> {
        let names: Vec<String> = self.order.iter().map(|&index| relocation_name(names, compiled, index)).collect();
        let places = Places { relocated: &self.relocated, names: &names, size: compiled.code.len() };
        let origin = |instruction: &Instruction| {
            let after = compiled.locations.partition_point(|range| range.start <= instruction.offset);
            let range = compiled.locations.get(after.checked_sub(1)?)?;
            (instruction.offset < range.end).then_some(range.offset)
        };
        assembly(&self.instructions, &places, origin, Some(origins))
    }
}

/// For each instruction, the relocation in it, by its index; `relocations` are offsets, sorted.
pub(crate) fn relocated(instructions: &[Instruction], relocations: &[u32]) -> Vec<Option<usize>> {
    let first = |instruction: &Instruction| {
        let index = relocations.partition_point(|&offset| offset < instruction.offset);
        relocations.get(index).filter(|&&offset| offset < instruction.end()).map(|_| index)
    };
    instructions.iter().map(first).collect()
}
