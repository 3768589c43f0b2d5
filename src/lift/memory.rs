//! Loads, stores and atomics (RFC 9669 section 5).
//!
//! | BPF | CLIF |
//! |---|---|
//! | load of 8, 16, 32 bits | `uloadN`, `sloadN` |
//! | load of 64 bits | `load` |
//! | store | `ireduce`, `store`, so that an extension of the stored value is dropped |
//! | store of 16 bits of a register | `ireduce` to 32, `istore16`: x86-64 is slow to decode constants of 16 bits |
//! | address r10 + n | `stack_addr` of that address |
//! | atomic operation | `atomic_rmw`, the old value zero-extended into `src` with fetch |
//! | cmpxchg | `atomic_cas`, the old value zero-extended into r0 |
//! | cmpxchg of 32 bits, where the target compares whole registers | the same, with an opaque zero-extended expected value (`zero_extended_register`) |
//! | atomics that fetch, xchg and cmpxchg are full barriers (LKMM) | a `fence` after them where Cranelift uses exclusive accesses, whose store later accesses may pass: aarch64 without LSE, and xchg with it |
//! | load-acquire, store-release | `atomic_load`, `atomic_store` (sequentially consistent, so stronger) |
//!
//! An access may fault and is never assumed to be aligned; none is merged or dropped, since memory may be volatile, shared
//! with other threads or with signal handlers (`docs/memory-model.md`). Frame slots that nothing else can reach are values
//! (`slots.rs`).

use cranelift_codegen::ir::{AtomicRmwOp, InstBuilder, MemFlagsData, Value, types};
use target_lexicon::Architecture;

use super::alu::{size_type, width_type};
use super::lifter::Lifter;
use crate::abi::WORD;
use crate::decode::insn::{AtomicOp, Operand, Reg, Size, Width};

impl Lifter<'_, '_> {
    /// The address `base + offset`, as an address and an offset for the access itself.
    fn address_and_offset(&mut self, base: Reg, offset: i32) -> (Value, i32) {
        match (base, self.aligned_end) {
            (Reg::FRAME, Some(end)) => (end, offset),
            (Reg::FRAME, None) => (self.frame_address(offset), 0),
            (base, _) => (self.get(base), offset),
        }
    }

    /// The address `base + offset`, as one value.
    fn address(&mut self, base: Reg, offset: i32) -> Value {
        match self.address_and_offset(base, offset) {
            (address, 0) => address,
            (address, offset) => self.builder.ins().iadd_imm_s(address, i64::from(offset)),
        }
    }

    pub(super) fn load(&mut self, size: Size, signed: bool, dst: Reg, base: Reg, offset: i32) {
        if let Some(access) = self.slots.access(self.at.offset) {
            return self.load_slot(access, size, signed, dst);
        }
        let (address, offset) = self.address_and_offset(base, offset);
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
        let (address, offset) = self.address_and_offset(base, offset);
        let flags = MemFlagsData::new();
        if size == Size::H && matches!(src, Operand::Reg(_)) {
            let value = self.operand_at(src, types::I32);
            self.builder.ins().istore16(flags, value, address, offset);
            return;
        }
        let value = self.operand_at(src, size_type(size));
        self.builder.ins().store(flags, value, address, offset);
    }

    /// Lifts an atomic read-modify-write; the old value.
    fn read_modify_write(&mut self, op: AtomicRmwOp, width: Width, base: Reg, offset: i32, src: Reg) -> Value {
        let ty = width_type(width);
        let address = self.address(base, offset);
        let value = self.operand_at(Operand::Reg(src), ty);
        self.builder.ins().atomic_rmw(ty, MemFlagsData::new(), op, address, value)
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
            self.set_extended(src, old, width_type(width));
            self.full_barrier(Some(op));
        }
    }

    /// Inserts a fence after an atomic access that is a full barrier, where the target's instruction is none.
    fn full_barrier(&mut self, op: Option<AtomicRmwOp>) {
        let platform = self.declarations.platform;
        let is_exclusive = !platform.has_lse || op == Some(AtomicRmwOp::Xchg);
        if is_exclusive && matches!(platform.architecture, Architecture::Aarch64(_)) {
            self.builder.ins().fence();
        }
    }

    pub(super) fn exchange(&mut self, width: Width, base: Reg, offset: i32, src: Reg) {
        let old = self.read_modify_write(AtomicRmwOp::Xchg, width, base, offset, src);
        self.set_extended(src, old, width_type(width));
        self.full_barrier(Some(AtomicRmwOp::Xchg));
    }

    pub(super) fn compare_exchange(&mut self, width: Width, base: Reg, offset: i32, src: Reg) {
        let ty = width_type(width);
        let address = self.address(base, offset);
        let expected = self.operand_at(Operand::Reg(Reg::R0), ty);
        let compares_registers = self.declarations.platform.compares_registers() && width == Width::W32;
        let expected = if compares_registers { self.zero_extended_register(expected) } else { expected };
        let new = self.operand_at(Operand::Reg(src), ty);
        let old = self.builder.ins().atomic_cas(MemFlagsData::new(), address, expected, new);
        self.set_extended(Reg::R0, old, ty);
        self.full_barrier(None);
    }

    /// A 32-bit value, in a register whose high half is 0.
    ///
    /// `ireduce` of a 64-bit value reuses that value's register, and Cranelift's optimiser looks through extensions: so the
    /// zero-extended value is made opaque, as half of a pair, which the optimiser does not look through.
    fn zero_extended_register(&mut self, value: Value) -> Value {
        let extended = self.builder.ins().uextend(WORD, value);
        let pair = self.builder.ins().iconcat(extended, extended);
        let (low, _) = self.builder.ins().isplit(pair);
        self.builder.ins().ireduce(types::I32, low)
    }

    pub(super) fn load_acquire(&mut self, size: Size, dst: Reg, base: Reg, offset: i32) {
        let ty = size_type(size);
        let address = self.address(base, offset);
        let value = self.builder.ins().atomic_load(ty, MemFlagsData::new(), address);
        self.set_extended(dst, value, ty);
    }

    pub(super) fn store_release(&mut self, size: Size, base: Reg, offset: i32, src: Reg) {
        let address = self.address(base, offset);
        let value = self.operand_at(Operand::Reg(src), size_type(size));
        self.builder.ins().atomic_store(MemFlagsData::new(), value, address);
    }
}
