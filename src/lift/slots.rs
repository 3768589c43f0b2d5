//! Loads and stores of promoted frame slots ([`crate::plan::PromotedSlots`]).
//!
//! | access | CLIF |
//! |---|---|
//! | store of the whole slot | `def_var` |
//! | store of a part, if the rest may be read | `band`, `bor` of the shifted part |
//! | store of a part, if not | the shifted part |
//! | load of the whole slot | `use_var` |
//! | load of a part | `ushr`, `ireduce` |
//!
//! The first byte of a part is the least significant one in a little-endian program, else the most significant.

use cranelift_codegen::ir::{InstBuilder, Type};
use cranelift_frontend::Variable;

use super::alu::size_type;
use super::lifter::Lifter;
use crate::abi::WORD;
use crate::decode::insn::{Operand, Reg, Size};
use crate::plan::SlotAccess;

impl Lifter<'_, '_> {
    /// Declares the variables of the promoted slots.
    pub(super) fn enter_slots(&mut self) {
        for slot in &self.slots.slots {
            let ty = size_type(slot.size);
            let variable = self.builder.declare_var(ty);
            let zero = self.builder.ins().iconst(ty, 0);
            self.builder.def_var(variable, zero);
            self.slot_values.push(variable);
        }
    }

    /// The variable and type of a slot, and by how many bits the accessed part is shifted.
    fn slot_part(&self, access: SlotAccess, size: Size) -> (Variable, Type, u32) {
        let ty = size_type(self.slots.slots[access.slot].size);
        let below = match self.is_big_endian() {
            false => u32::from(access.at),
            true => ty.bytes() - u32::from(access.at) - u32::from(size.bytes()),
        };
        (self.slot_values[access.slot], ty, 8 * below)
    }

    pub(super) fn load_slot(&mut self, access: SlotAccess, size: Size, signed: bool, dst: Reg) {
        let (variable, ty, shift) = self.slot_part(access, size);
        let mut value = self.builder.use_var(variable);
        let part = size_type(size);
        if part != ty {
            value = self.builder.ins().ushr_imm_u(value, i64::from(shift));
            value = self.builder.ins().ireduce(part, value);
        }
        if signed && part != WORD {
            let extended = self.builder.ins().sextend(WORD, value);
            self.set(dst, extended);
        } else {
            self.set_extended(dst, value, part);
        }
    }

    pub(super) fn store_slot(&mut self, access: SlotAccess, size: Size, src: Operand) {
        let (variable, ty, shift) = self.slot_part(access, size);
        let part = size_type(size);
        let mut value = self.operand_at(src, part);
        if part != ty {
            let rest = access.keeps_rest.then(|| {
                let old = self.builder.use_var(variable);
                let mask = (u64::MAX >> (64 - part.bits())) << shift;
                let kept = !mask & (u64::MAX >> (64 - ty.bits()));
                let kept = self.builder.ins().iconst(ty, kept as i64);
                self.builder.ins().band(old, kept)
            });
            value = self.builder.ins().uextend(ty, value);
            if shift != 0 || rest.is_some() {
                value = self.builder.ins().ishl_imm_u(value, i64::from(shift));
            }
            if let Some(rest) = rest {
                value = self.builder.ins().bor(rest, value);
            }
        }
        self.builder.def_var(variable, value);
    }
}
