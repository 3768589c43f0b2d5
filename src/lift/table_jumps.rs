//! Jumps by an entry of a jump table go by the entry's index, as a jump table of the machine.
//!
//! | BPF | CLIF |
//! |---|---|
//! | `r1 = table ll; r2 <<= 3; r1 += r2; r1 = *(u64 *)(r1 + 0); gotox r1` | `br_table` by what r2 was |
//!
//! In: the register's value at a `gotox`, as CLIF. Out: the jump, if the value is loaded from a whole jump table at eight times
//! an index. Sound: what is loaded at an index of the table is its entry, a label, and tables do not change; where the index is beyond
//! the table, no label is loaded, and a jump to no label traps. The load goes if nothing else needs its result, as a
//! table is no memory of the program's.

use cranelift_codegen::entity::EntitySet;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    Block, BlockCall, Function, Inst, InstBuilder, InstructionData, JumpTableData, Opcode, Value, ValueDef, types,
};

use super::constants::constant;
use super::lifter::Lifter;
use crate::abi::WORD;
use crate::graph::{Edge, RegisterJump, jump_table_entries};
use crate::program::DataSectionId;

/// Larger tables stay what they are: see `control.rs`.
const MAX_ENTRIES: usize = 255;

/// The logarithm of an entry's bytes.
const ENTRY_BITS: u64 = 3;

/// A value that is an entry of a table.
struct Entry {
    /// What loads it.
    load: Inst,
    table: DataSectionId,
    /// Where in the table, in bytes.
    offset: Value,
}

impl Lifter<'_, '_> {
    /// Lifts a jump to `value` by its index in a table, if it is an entry of one; what is in no label's place leads to `no_label`.
    pub(super) fn jump_by_index(
        &mut self,
        jump: &RegisterJump,
        value: Value,
        no_label: Block,
        mut leads_to: impl FnMut(&mut Self, Edge) -> Block,
    ) -> bool {
        let Some(entry) = self.table_entry(value).filter(|_| jump.relative_to.is_none()) else { return false };
        let labels: Vec<u64> = jump_table_entries(self.program, &self.program.data[entry.table]).collect();
        if labels.is_empty() || labels.len() > MAX_ENTRIES {
            return false;
        }
        let edge = |label: u64| {
            let targets = &jump.targets;
            let found = targets.iter().find(|target| target.value == label && !target.is_address);
            found.map(|target| target.edge)
        };
        let edges: Vec<Option<Edge>> = labels.into_iter().map(edge).collect();
        let blocks: Vec<Block> =
            edges.into_iter().map(|edge| edge.map_or(no_label, |edge| leads_to(self, edge))).collect();
        let index = self.index(entry.offset, blocks.len(), no_label);
        let pool = &mut self.builder.func.dfg.value_lists;
        let mut call = |block| BlockCall::new(block, std::iter::empty(), pool);
        let default = call(no_label);
        let entries: Vec<BlockCall> = blocks.into_iter().map(call).collect();
        let table = self.builder.create_jump_table(JumpTableData::new(default, &entries));
        self.builder.ins().br_table(index, table);
        self.table_loads.push(entry.load);
        true
    }

    /// What a value is an entry of.
    fn table_entry(&self, value: Value) -> Option<Entry> {
        let dfg = &self.builder.func.dfg;
        let definition = |value: Value| match dfg.value_def(value) {
            ValueDef::Result(inst, _) => Some(inst),
            _ => None,
        };
        let load = definition(value)?;
        let InstructionData::Load { opcode: Opcode::Load, arg, offset, .. } = dfg.insts[load] else { return None };
        let sum = definition(arg)?;
        let InstructionData::Binary { opcode: Opcode::Iadd, args } = dfg.insts[sum] else { return None };
        if i32::from(offset) != 0 || dfg.value_type(value) != WORD {
            return None;
        }
        let table = |value: Value| match dfg.insts[definition(value)?] {
            InstructionData::UnaryGlobalValue { global_value, .. } => {
                self.references.tables.get(&global_value).copied()
            }
            _ => None,
        };
        let [left, right] = args;
        match (table(left), table(right)) {
            (Some(table), _) => Some(Entry { load, table, offset: right }),
            (_, Some(table)) => Some(Entry { load, table, offset: left }),
            _ => None,
        }
    }

    /// The index of the entry at a number of bytes, in 32 bits; if it may have more, a branch checks them.
    fn index(&mut self, offset: Value, entries: usize, no_label: Block) -> Value {
        let shifted = match self.definition(offset) {
            Some(InstructionData::Binary { opcode: Opcode::Ishl, args: [shifted, bits] }) => {
                (self.number(bits) == Some(ENTRY_BITS)).then_some(shifted)
            }
            _ => None,
        };
        if let Some(index) = shifted.filter(|&index| self.is_32_bits(index)) {
            return self.builder.ins().ireduce(types::I32, index);
        }
        // Between entries there is no label: such an index is rotated out of range.
        let index = self.builder.ins().rotr_imm_u(offset, ENTRY_BITS as i64);
        let in_range = self.builder.create_block();
        let size = entries as i64;
        let is_small = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, index, size);
        self.builder.ins().brif(is_small, in_range, &[], no_label, &[]);
        self.builder.switch_to_block(in_range);
        // The low half is the same, and computed already.
        self.builder.ins().ireduce(types::I32, shifted.unwrap_or(index))
    }

    /// The number that a value is.
    fn number(&self, value: Value) -> Option<u64> {
        constant(&self.builder.func.dfg, value)
    }

    /// Whether the high half of a word is surely 0.
    fn is_32_bits(&self, value: Value) -> bool {
        let below = |value| self.number(value).is_some_and(|number| u32::try_from(number).is_ok());
        match self.definition(value) {
            Some(
                InstructionData::Unary { opcode: Opcode::Uextend, .. }
                | InstructionData::Load { opcode: Opcode::Uload8 | Opcode::Uload16 | Opcode::Uload32, .. },
            ) => true,
            Some(InstructionData::Binary { opcode: Opcode::Band, args }) => args.into_iter().any(below),
            _ => false,
        }
    }
}

/// Removes loads whose results nothing needs.
pub(super) fn remove_unused(function: &mut Function, loads: &[Inst]) {
    if loads.is_empty() {
        return;
    }
    let mut used: EntitySet<Value> = EntitySet::new();
    for block in function.layout.blocks() {
        for inst in function.layout.block_insts(block) {
            for value in function.dfg.inst_values(inst) {
                used.insert(function.dfg.resolve_aliases(value));
            }
        }
    }
    for &load in loads {
        if !function.dfg.inst_results(load).iter().any(|&result| used.contains(result)) {
            function.layout.remove_inst(load);
        }
    }
}
