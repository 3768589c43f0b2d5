//! Trees of comparisons that become jump tables ([`crate::plan::Switch`]): a `br_table` over the difference from the first
//! entry's value.
//!
//! Each target of the table has a block of its own before it, so that block arguments are passed once, and not by each entry.

use std::collections::HashMap;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, BlockCall, InstBuilder, JumpTableData, types};

use super::alu::width_type;
use super::lifter::Lifter;
use crate::decode::insn::Operand;
use crate::graph::Edge;
use crate::plan::Switch;

impl Lifter<'_, '_> {
    /// Ends a block whose last instruction is the tree's first comparison.
    pub(super) fn switch(&mut self, switch: &Switch) {
        let ty = width_type(switch.width);
        let value = self.operand_at(Operand::Reg(switch.register), ty);
        let mut before: Vec<(Edge, Block)> = Vec::new();
        let mut own: HashMap<Edge, Block> = HashMap::new();
        for edge in switch.edges() {
            own.entry(edge).or_insert_with(|| {
                let block = self.builder.create_block();
                before.push((edge, block));
                block
            });
        }
        let default = own[&switch.default];
        let mut index = value;
        if switch.first != 0 {
            let distance = switch.first.wrapping_neg() as i64;
            let distance = if ty == types::I64 { distance } else { i64::from(distance as i32) };
            index = self.builder.ins().iadd_imm_s(value, distance);
        }
        if self.checks_tables || ty == types::I64 {
            // The default is predicted like any other branch, and is not one more target of the indirect jump.
            let in_range = self.builder.create_block();
            let size = switch.entries.len() as i64;
            let is_small = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, index, size);
            self.builder.ins().brif(is_small, in_range, &[], default, &[]);
            self.builder.switch_to_block(in_range);
        }
        if ty == types::I64 {
            index = self.builder.ins().ireduce(types::I32, index);
        }
        let pool = &mut self.builder.func.dfg.value_lists;
        let mut call = |block| BlockCall::new(block, std::iter::empty(), pool);
        let default = call(default);
        let entries: Vec<BlockCall> = switch.entries.iter().map(|edge| call(own[edge])).collect();
        let table = self.builder.create_jump_table(JumpTableData::new(default, &entries));
        self.builder.ins().br_table(index, table);
        for (edge, own) in before {
            self.builder.seal_block(own);
            self.builder.switch_to_block(own);
            let to = self.leaving(edge);
            self.builder.ins().jump(to, &[]);
        }
    }
}
