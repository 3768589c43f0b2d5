//! Loads, stores and atomics (RFC 9669 section 5).
//!
//! | BPF | CLIF |
//! |---|---|
//! | load of 8, 16, 32 bits | `uloadN`, `sloadN` |
//! | load of 64 bits | `load` |
//! | store | `ireduce`, `store`, so that an extension of what is stored goes |
//! | store of 16 bits of a register | `ireduce` to 32, `istore16`: x86-64 is slow to decode constants of 16 bits |
//! | address r10 + n | `stack_addr` of that place |
//! | atomic operation | `atomic_rmw`, the old value zero-extended into `src` with fetch |
//! | cmpxchg | `atomic_cas`, the old value zero-extended into r0 |
//! | load-acquire, store-release | `atomic_load`, `atomic_store` (sequentially consistent, so stronger) |
//!
//! An access may fault and is never assumed to be aligned; none is merged or dropped here, since memory may be
//! volatile, shared with other threads or with signal handlers. Frame slots that nothing else can reach are values
//! (`slots.rs`).

use cranelift_codegen::ir::{AtomicRmwOp, InstBuilder, MemFlagsData, Value, types};

use super::Lifter;
use super::alu::{size_type, width_type};
use crate::abi::WORD;
use crate::decode::insn::{AtomicOp, Operand, Reg, Size, Width};

impl Lifter<'_, '_> {
    /// The address `base + offset`, as an address and an offset that an access folds in.
    fn place(&mut self, base: Reg, offset: i32) -> (Value, i32) {
        match (base, self.aligned_end) {
            (Reg::FRAME, Some(end)) => (end, offset),
            (Reg::FRAME, None) => (self.frame_address(offset), 0),
            (base, _) => (self.get(base), offset),
        }
    }

    /// The address `base + offset`, as one value.
    fn address(&mut self, base: Reg, offset: i32) -> Value {
        match self.place(base, offset) {
            (address, 0) => address,
            (address, offset) => self.builder.ins().iadd_imm_s(address, i64::from(offset)),
        }
    }

    pub(super) fn load(&mut self, size: Size, signed: bool, dst: Reg, base: Reg, offset: i32) {
        if let Some(access) = self.slots.access(self.at.offset) {
            return self.load_slot(access, size, signed, dst);
        }
        let (address, offset) = self.place(base, offset);
        let flags = MemFlagsData::new();
        let ins = self.builder.ins();
        let value = match (size, signed) {
            (Size::B, false) => ins.uload8(WORD, flags, address, offset),
            (Size::B, true) => ins.sload8(WORD, flags, address, offset),
            (Size::H, false) => ins.uload16(WORD, flags, address, offset),
            (Size::H, true) => ins.sload16(WORD, flags, address, offset),
            (Size::W, false) => ins.uload32(flags, address, offset),
            (Size::W, true) => ins.sload32(flags, address, offset),
            (Size::D, _) => ins.load(WORD, flags, address, offset),
        };
        self.set(dst, value);
    }

    pub(super) fn store(&mut self, size: Size, base: Reg, offset: i32, src: Operand) {
        if let Some(access) = self.slots.access(self.at.offset) {
            return self.store_slot(access, size, src);
        }
        let (address, offset) = self.place(base, offset);
        let flags = MemFlagsData::new();
        if size == Size::H && matches!(src, Operand::Reg(_)) {
            let value = self.operand_at(src, types::I32);
            self.builder.ins().istore16(flags, value, address, offset);
            return;
        }
        let value = self.operand_at(src, size_type(size));
        self.builder.ins().store(flags, value, address, offset);
    }

    /// An atomic read-modify-write; the old value.
    fn read_modify_write(&mut self, op: AtomicRmwOp, width: Width, base: Reg, offset: i32, src: Reg) -> Value {
        let ty = width_type(width);
        let address = self.address(base, offset);
        let value = self.operand_at(Operand::Reg(src), ty);
        let old = self.builder.ins().atomic_rmw(ty, MemFlagsData::new(), op, address, value);
        self.word(old, ty)
    }

    pub(super) fn atomic(&mut self, op: AtomicOp, width: Width, fetch: bool, base: Reg, offset: i32, src: Reg) {
        let op = match op {
            AtomicOp::Add => AtomicRmwOp::Add,
            AtomicOp::Or => AtomicRmwOp::Or,
            AtomicOp::And => AtomicRmwOp::And,
            AtomicOp::Xor => AtomicRmwOp::Xor,
        };
        let old = self.read_modify_write(op, width, base, offset, src);
        if fetch {
            self.set(src, old);
        }
    }

    pub(super) fn exchange(&mut self, width: Width, base: Reg, offset: i32, src: Reg) {
        let old = self.read_modify_write(AtomicRmwOp::Xchg, width, base, offset, src);
        self.set(src, old);
    }

    pub(super) fn compare_exchange(&mut self, width: Width, base: Reg, offset: i32, src: Reg) {
        let ty = width_type(width);
        let address = self.address(base, offset);
        let expected = self.operand_at(Operand::Reg(Reg::R0), ty);
        let new = self.operand_at(Operand::Reg(src), ty);
        let old = self.builder.ins().atomic_cas(MemFlagsData::new(), address, expected, new);
        let old = self.word(old, ty);
        self.set(Reg::R0, old);
    }

    pub(super) fn load_acquire(&mut self, size: Size, dst: Reg, base: Reg, offset: i32) {
        let ty = size_type(size);
        let address = self.address(base, offset);
        let value = self.builder.ins().atomic_load(ty, MemFlagsData::new(), address);
        let value = self.word(value, ty);
        self.set(dst, value);
    }

    pub(super) fn store_release(&mut self, size: Size, base: Reg, offset: i32, src: Reg) {
        let address = self.address(base, offset);
        let value = self.operand_at(Operand::Reg(src), size_type(size));
        self.builder.ins().atomic_store(MemFlagsData::new(), value, address);
    }
}
