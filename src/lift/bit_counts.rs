//! Functions of the compiler's runtime that count bits, as CLIF: gcc calls them, since BPF has no instructions for it.
//!
//! | function | CLIF |
//! |---|---|
//! | `__popcount` | `popcnt` |
//! | `__parity` | `popcnt & 1` |
//! | `__clz`, `__ctz` (undefined for 0) | `clz`, `ctz`: of 0, how many bits there are |
//! | `__ffs` | `ctz + 1`, 0 of 0 |
//! | `__clrsb` | `clz (x ^ (x >> w - 1)) - 1` |
//!
//! Where the target has no instructions for them, Cranelift makes loops of `popcnt`, `clz` and `ctz`; so there, ones are added up in
//! fields that double, leading zeros are the ones of the complement of what is smeared from the highest one down, and trailing zeros
//! those of what is below the lowest (Warren, Hacker's Delight, chapter 5).

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value};

use super::lifter::Lifter;
use crate::abi::WORD;
use crate::abi::libcalls::BitCount;
use crate::decode::insn::{Operand, Reg};

impl Lifter<'_, '_> {
    /// What a function counts of its argument, of this type.
    pub(super) fn count_bits(&mut self, count: BitCount, ty: Type) -> Value {
        let value = self.operand_at(Operand::Reg(Reg::R1), ty);
        let number = match count {
            BitCount::Ones => self.ones(value, ty),
            BitCount::Parity => {
                let ones = self.ones(value, ty);
                self.builder.ins().band_imm_u(ones, 1)
            }
            BitCount::LeadingZeros => self.leading_zeros(value, ty),
            BitCount::TrailingZeros => self.trailing_zeros(value, ty),
            BitCount::LowestPlace => {
                let zeros = self.trailing_zeros(value, ty);
                let place = self.builder.ins().iadd_imm_u(zeros, 1);
                let is_zero = self.builder.ins().icmp_imm_u(IntCC::Equal, value, 0);
                let none = self.constant(ty, 0);
                self.builder.ins().select(is_zero, none, place)
            }
            BitCount::SignBits => {
                let sign = self.builder.ins().sshr_imm_u(value, i64::from(ty.bits()) - 1);
                let differs = self.builder.ins().bxor(value, sign);
                let zeros = self.leading_zeros(differs, ty);
                self.builder.ins().iadd_imm_s(zeros, -1)
            }
        };
        self.zero_extend(number, ty)
    }

    fn leading_zeros(&mut self, value: Value, ty: Type) -> Value {
        if self.facts.counts_zeros {
            return self.builder.ins().clz(value);
        }
        let mut smeared = value;
        let mut by = 1;
        while by < ty.bits() {
            let lower = self.builder.ins().ushr_imm_u(smeared, i64::from(by));
            smeared = self.builder.ins().bor(smeared, lower);
            by *= 2;
        }
        let above = self.builder.ins().bnot(smeared);
        self.ones(above, ty)
    }

    fn trailing_zeros(&mut self, value: Value, ty: Type) -> Value {
        if self.facts.counts_zeros && (ty == WORD || self.facts.counts_zeros_of_words) {
            return self.builder.ins().ctz(value);
        }
        let less = self.builder.ins().iadd_imm_s(value, -1);
        let inverse = self.builder.ins().bnot(value);
        let below = self.builder.ins().band(less, inverse);
        self.ones(below, ty)
    }

    fn ones(&mut self, value: Value, ty: Type) -> Value {
        if self.facts.counts_zeros {
            return self.builder.ins().popcnt(value);
        }
        let [fives, threes, nibbles, bytes] = [0x55, 0x33, 0x0f, 0x01].map(|byte: u8| {
            let number = u64::from_le_bytes([byte; 8]) >> (64 - ty.bits());
            self.constant(ty, number as i64)
        });
        let odd = self.builder.ins().ushr_imm_u(value, 1);
        let odd = self.builder.ins().band(odd, fives);
        let twos = self.builder.ins().isub(value, odd);
        let low = self.builder.ins().band(twos, threes);
        let high = self.builder.ins().ushr_imm_u(twos, 2);
        let high = self.builder.ins().band(high, threes);
        let fours = self.builder.ins().iadd(low, high);
        let high = self.builder.ins().ushr_imm_u(fours, 4);
        let eights = self.builder.ins().iadd(fours, high);
        let eights = self.builder.ins().band(eights, nibbles);
        let product = self.builder.ins().imul(eights, bytes);
        self.builder.ins().ushr_imm_u(product, i64::from(ty.bits()) - 8)
    }
}
