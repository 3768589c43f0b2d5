//! Compiler-runtime functions, lifted inline.
//!
//! In: which of them is called ([`crate::abi::libcalls`]). Out: what it does, as CLIF. Floats are bit patterns in registers; an
//! `f32` is in the low 32 bits.
//!
//! | function | CLIF |
//! |---|---|
//! | `__{add,sub,mul,div}{df,sf}3`, `__neg{df,sf}2` | `fadd`, `fsub`, `fmul`, `fdiv`, `fneg` |
//! | `__{eq,ne,lt,le}{df,sf}2` | -1 when less, 0 when equal, else 1 (unordered too) |
//! | `__{gt,ge}{df,sf}2` | 1 when greater, 0 when equal, else -1 (unordered too) |
//! | `__unord{df,sf}2` | 1 when unordered, else 0 |
//! | `__extendsfdf2`, `__truncdfsf2` | `fpromote`, `fdemote` |
//! | `__float{,un}{si,di}{df,sf}` | `fcvt_from_sint`, `fcvt_from_uint` |
//! | `__fix{,uns}{df,sf}{si,di}` | `fcvt_to_sint_sat`, `fcvt_to_uint_sat`; a NaN as compiler-rt has it: by its sign, the largest or the smallest number |
//! | `__bswap{si,di}2` | `bswap` |
//! | `__{popcount,parity,clz,ctz,ffs,clrsb}{si,di}2` | `popcnt`, `clz`, `ctz` (`bit_counts.rs`) |
//! | `__multi3` | `imul`, `umulhi` |
//! | `__{,u}{div,mod}{si,di}3` | `sdiv`, `udiv`, `srem`, `urem`, guarded as BPF's own |
//! | `__bpf2native_prefetch` (what `bpf2native_builtins.h` makes of `__builtin_prefetch`) | a call that `codegen/prefetch.rs` makes an instruction |
//! | `__bpf_trap` (what LLVM 21 and later call where code is unreachable) | `trap` |
//! | `__{,u}{div,mod}ti3`, `__fix{df,sf}ti`, `__floatti{df,sf}`, `__powi{df,sf}2`, `__{mul,div}{dc,sc}3`, ... | a call, with the type given here |

use std::cmp::Ordering;

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{
    AbiParam, ExtFuncData, ExternalName, InstBuilder, MemFlagsData, Signature, Type, UserExternalName, Value, types,
};
use cranelift_codegen::isa::CallConv;

use super::alu::width_type;
use super::constants::constant;
use super::lifter::{Lifter, TRAP_OUTSIDE};
use crate::abi::libcalls::{Float, FloatOp, Libcall};
use crate::abi::{ResultWords, WORD};
use crate::declarations::PREFETCH;
use crate::decode::insn::{Operand, Reg, Width};

pub(super) const fn float_type(float: Float) -> Type {
    match float {
        Float::F32 => types::F32,
        Float::F64 => types::F64,
    }
}

/// The bits of a power of two.
fn power_of_two(format: Float, exponent: i64) -> i64 {
    match format {
        Float::F32 => (127 + exponent) << 23,
        Float::F64 => (1023 + exponent) << 52,
    }
}

impl Lifter<'_, '_> {
    /// Lifts a call of a compiler-runtime function inline.
    pub(super) fn inline(&mut self, libcall: Libcall) -> ResultWords {
        let low = match libcall {
            Libcall::Trap => self.trap_here(TRAP_OUTSIDE),
            Libcall::Prefetch => return self.prefetch(),
            Libcall::Multiply128 => return self.multiply_128(),
            Libcall::Divide(op, width) => {
                let ty = width_type(width);
                let [left, right] = [Reg::R1, Reg::R2].map(|reg| self.operand_at(Operand::Reg(reg), ty));
                let result = self.divide(op, left, right, ty);
                self.zero_extend(result, ty)
            }
            Libcall::Swap(width) => {
                let ty = width_type(width);
                let value = self.operand_at(Operand::Reg(Reg::R1), ty);
                let value = self.builder.ins().bswap(value);
                self.zero_extend(value, ty)
            }
            Libcall::Count(count, width) => self.count_bits(count, width_type(width)),
            Libcall::Float(op, float) => {
                let [left, right] = self.float_operands(float);
                let ins = self.builder.ins();
                let result = match op {
                    FloatOp::Add => ins.fadd(left, right),
                    FloatOp::Sub => ins.fsub(left, right),
                    FloatOp::Mul => ins.fmul(left, right),
                    FloatOp::Div => ins.fdiv(left, right),
                };
                self.float_word(float, result)
            }
            Libcall::Negate(float) => {
                let value = self.float(float, Reg::R1);
                let value = self.builder.ins().fneg(value);
                self.float_word(float, value)
            }
            Libcall::CompareLess(float) => self.three_way(float, FloatCC::LessThan, -1),
            Libcall::CompareGreater(float) => self.three_way(float, FloatCC::GreaterThan, 1),
            Libcall::Unordered(float) => {
                let [left, right] = self.float_operands(float);
                let unordered = self.builder.ins().fcmp(FloatCC::Unordered, left, right);
                self.builder.ins().uextend(WORD, unordered)
            }
            Libcall::Promote => {
                let value = self.float(Float::F32, Reg::R1);
                let value = self.builder.ins().fpromote(types::F64, value);
                self.float_word(Float::F64, value)
            }
            Libcall::Demote => {
                let value = self.float(Float::F64, Reg::R1);
                let value = self.builder.ins().fdemote(types::F32, value);
                self.float_word(Float::F32, value)
            }
            Libcall::FromInt { width, signed, to } => {
                let value = self.operand_at(Operand::Reg(Reg::R1), width_type(width));
                let ins = self.builder.ins();
                let ty = float_type(to);
                let value = if signed { ins.fcvt_from_sint(ty, value) } else { ins.fcvt_from_uint(ty, value) };
                self.float_word(to, value)
            }
            Libcall::ToInt { from, width, signed } => self.float_to_int(from, width, signed),
        };
        ResultWords { first: Some(low), second: None }
    }

    /// CLIF has no such instruction. The call keeps all registers, as the instruction does that takes its place.
    fn prefetch(&mut self) -> ResultWords {
        let address = self.get(Reg::R1);
        let builder = &mut *self.builder;
        let callee = *self.references.prefetch.get_or_insert_with(|| {
            let mut signature = Signature::new(CallConv::PreserveAll);
            signature.params.push(AbiParam::new(WORD));
            let signature = builder.import_signature(signature);
            let name = UserExternalName { namespace: PREFETCH, index: 0 };
            let name = ExternalName::user(builder.func.declare_imported_user_function(name));
            builder.import_function(ExtFuncData { name, signature, colocated: true, patchable: false })
        });
        builder.ins().call(callee, &[address]);
        ResultWords { first: None, second: None }
    }

    /// The float in a register.
    pub(super) fn float(&mut self, float: Float, reg: Reg) -> Value {
        let word = self.get(reg);
        self.float_of(float, word)
    }

    /// The float in a word.
    pub(super) fn float_of(&mut self, float: Float, word: Value) -> Value {
        let bits = match float {
            Float::F32 => self.builder.ins().ireduce(types::I32, word),
            Float::F64 => word,
        };
        self.builder.ins().bitcast(float_type(float), MemFlagsData::new(), bits)
    }

    fn float_operands(&mut self, float: Float) -> [Value; 2] {
        [Reg::R1, Reg::R2].map(|reg| self.float(float, reg))
    }

    /// The 64-bit bit pattern of a float.
    pub(super) fn float_word(&mut self, float: Float, value: Value) -> Value {
        let flags = MemFlagsData::new();
        match float {
            Float::F64 => self.builder.ins().bitcast(WORD, flags, value),
            Float::F32 => {
                let bits = self.builder.ins().bitcast(types::I32, flags, value);
                self.builder.ins().uextend(WORD, bits)
            }
        }
    }

    /// `sign` when the comparison holds, 0 when equal, else `-sign`.
    fn three_way(&mut self, float: Float, holds: FloatCC, sign: i64) -> Value {
        let [left, right] = self.float_operands(float);
        let [yes, zero, no] = [sign, 0, -sign].map(|number| self.builder.ins().iconst(WORD, number));
        let is_equal = self.builder.ins().fcmp(FloatCC::Equal, left, right);
        let otherwise = self.builder.ins().select(is_equal, zero, no);
        let holds = self.builder.ins().fcmp(holds, left, right);
        self.builder.ins().select(holds, yes, otherwise)
    }

    /// A cold block does what is rare: a NaN, which becomes the largest or the smallest number by its sign; and where the machine
    /// converts to signed numbers only, what these do not have. Of numbers without a sign, one comparison of the bits tells both.
    fn float_to_int(&mut self, from: Float, width: Width, signed: bool) -> Value {
        let ty = width_type(width);
        let value = self.float(from, Reg::R1);
        let bits_type = Type::int(float_type(from).bits() as u16).unwrap_or(WORD);
        let bits = self.builder.ins().bitcast(bits_type, MemFlagsData::new(), value);
        let by_signed = !signed && self.facts.converts_to_signed_only;
        let (plain, special, done) =
            (self.builder.create_block(), self.builder.create_block(), self.builder.create_block());
        let result_type = if by_signed { WORD } else { ty };
        self.builder.append_block_param(done, result_type);
        self.builder.set_cold_block(special);
        if by_signed {
            let limit = power_of_two(from, if width == Width::W32 { 32 } else { 63 });
            let limit = self.constant(bits_type, limit);
            let fits = self.builder.ins().icmp(IntCC::UnsignedLessThan, bits, limit);
            self.builder.ins().brif(fits, plain, &[], special, &[]);
        } else {
            let is_nan = self.builder.ins().fcmp(FloatCC::Unordered, value, value);
            self.builder.ins().brif(is_nan, special, &[], plain, &[]);
        }

        self.builder.switch_to_block(plain);
        let number = self.saturating_int(value, result_type, signed || by_signed);
        self.builder.ins().jump(done, &[number.into()]);

        self.builder.switch_to_block(special);
        let sign = self.builder.ins().sshr_imm_u(bits, i64::from(bits_type.bits()) - 1);
        let sign = match bits_type.bits().cmp(&ty.bits()) {
            Ordering::Less => self.builder.ins().sextend(ty, sign),
            Ordering::Equal => sign,
            Ordering::Greater => self.builder.ins().ireduce(ty, sign),
        };
        let largest = match (signed, width) {
            (true, Width::W32) => i64::from(i32::MAX),
            (true, Width::W64) => i64::MAX,
            (false, _) => -1,
        };
        let largest = self.constant(ty, largest);
        let mut result = self.builder.ins().bxor(sign, largest);
        if by_signed && width == Width::W64 {
            let number = self.saturating_int(value, ty, signed);
            let is_nan = self.builder.ins().fcmp(FloatCC::Unordered, value, value);
            result = self.builder.ins().select(is_nan, result, number);
        }
        let result = if by_signed { self.zero_extend(result, ty) } else { result };
        self.builder.ins().jump(done, &[result.into()]);

        self.builder.switch_to_block(done);
        let result = self.builder.block_params(done)[0];
        self.zero_extend(result, result_type)
    }

    fn saturating_int(&mut self, value: Value, ty: Type, signed: bool) -> Value {
        let ins = self.builder.ins();
        if signed { ins.fcvt_to_sint_sat(ty, value) } else { ins.fcvt_to_uint_sat(ty, value) }
    }

    /// The low 128 bits of a product: r1, r2 by r3, r4, each with its words in the order that memory has them.
    fn multiply_128(&mut self) -> ResultWords {
        let words: Vec<Value> = Reg::arguments().take(4).map(|reg| self.get(reg)).collect();
        // Which word of a number is the low one, and which the high one.
        let (low, high) = if self.is_big_endian() { (1, 0) } else { (0, 1) };
        let (left, right) = (&words[..2], &words[2..]);
        let product = self.builder.ins().imul(left[low], right[low]);
        let mut above = self.builder.ins().umulhi(left[low], right[low]);
        // A number of 64 bits has no high word, and most are.
        for (word, other) in [(left[high], right[low]), (right[high], left[low])] {
            if constant(&self.builder.func.dfg, word) != Some(0) {
                let crossed = self.builder.ins().imul(word, other);
                above = self.builder.ins().iadd(above, crossed);
            }
        }
        let mut result = [product; 2];
        result[high] = above;
        ResultWords { first: Some(result[0]), second: Some(result[1]) }
    }
}
