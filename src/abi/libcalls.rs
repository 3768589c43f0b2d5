//! Compiler-runtime functions: what compilers call where BPF has no instruction, by name.
//!
//! In: the name of an undefined function. Out: which of those it is that are lifted inline (`lift/libcalls.rs`), or its C type,
//! which no BTF has.

use crate::btf::{CType, Parameter, Prototype};
use crate::decode::insn::{AluOp, Width};

/// A floating-point format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Float {
    /// `float`.
    F32,
    /// `double`.
    F64,
}

/// An operation on two floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatOp {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a * b`
    Mul,
    /// `a / b`
    Div,
}

/// What is counted of an integer's bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitCount {
    /// Ones.
    Ones,
    /// Whether the number of ones is odd.
    Parity,
    /// Zeros above the highest one.
    LeadingZeros,
    /// Zeros below the lowest one.
    TrailingZeros,
    /// The place of the lowest one, from 1 on; 0 if there is none.
    LowestPlace,
    /// Bits below the sign that are as it is.
    SignBits,
}

/// A function that is lifted inline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Libcall {
    /// `a op b` of two integers.
    Divide(AluOp, Width),
    /// `a * b` of two 128-bit integers.
    Multiply128,
    /// `a op b` of two floats.
    Float(FloatOp, Float),
    /// `-a`.
    Negate(Float),
    /// Three-way comparison; unordered counts as greater.
    CompareLess(Float),
    /// Three-way comparison; unordered counts as less.
    CompareGreater(Float),
    /// Whether one is a NaN.
    Unordered(Float),
    /// `float` to `double`.
    Promote,
    /// `double` to `float`.
    Demote,
    /// An integer to a float.
    FromInt {
        /// Of the integer.
        width: Width,
        /// Of the integer.
        signed: bool,
        /// The result.
        to: Float,
    },
    /// A float to an integer.
    ToInt {
        /// The operand.
        from: Float,
        /// Of the integer.
        width: Width,
        /// Of the integer.
        signed: bool,
    },
    /// The bytes in the other order.
    Swap(Width),
    /// A count of bits.
    Count(BitCount, Width),
    /// Memory that is soon read is brought near; changes nothing.
    Prefetch,
    /// Never reached.
    Trap,
}

/// A float format by its letters in libgcc's names.
fn float(letters: &str) -> Option<Float> {
    match letters {
        "sf" => Some(Float::F32),
        "df" => Some(Float::F64),
        _ => None,
    }
}

/// An integer width by its letters in libgcc's names.
fn width(letters: &str) -> Option<Width> {
    match letters {
        "si" => Some(Width::W32),
        "di" => Some(Width::W64),
        _ => None,
    }
}

/// The function of this name, if calls of it are lifted inline.
pub fn named(name: &str) -> Option<Libcall> {
    let name = name.strip_prefix("__")?;
    match name {
        "bpf_trap" => return Some(Libcall::Trap),
        // Of `bpf2native_builtins.h`: LLVM drops the builtin for BPF.
        "bpf2native_prefetch" => return Some(Libcall::Prefetch),
        "multi3" => return Some(Libcall::Multiply128),
        "bswapsi2" => return Some(Libcall::Swap(Width::W32)),
        "bswapdi2" => return Some(Libcall::Swap(Width::W64)),
        "extendsfdf2" => return Some(Libcall::Promote),
        "truncdfsf2" => return Some(Libcall::Demote),
        _ => {}
    }
    if let Some(rest) = name.strip_prefix("float") {
        let (signed, rest) = rest.strip_prefix("un").map_or((true, rest), |rest| (false, rest));
        let (from, to) = rest.split_at_checked(2)?;
        return Some(Libcall::FromInt { width: width(from)?, signed, to: float(to)? });
    }
    if let Some(rest) = name.strip_prefix("fix") {
        let (signed, rest) = rest.strip_prefix("uns").map_or((true, rest), |rest| (false, rest));
        let (from, to) = rest.split_at_checked(2)?;
        return Some(Libcall::ToInt { from: float(from)?, width: width(to)?, signed });
    }
    if let Some(stem) = name.strip_suffix('3') {
        let (operation, letters) = stem.split_at_checked(stem.len().checked_sub(2)?)?;
        let divide = |op| width(letters).map(|width| Libcall::Divide(op, width));
        let arithmetic = |op| float(letters).map(|float| Libcall::Float(op, float));
        return match operation {
            "add" => arithmetic(FloatOp::Add),
            "sub" => arithmetic(FloatOp::Sub),
            "mul" => arithmetic(FloatOp::Mul),
            "div" => arithmetic(FloatOp::Div).or_else(|| divide(AluOp::SDiv)),
            "mod" => divide(AluOp::SMod),
            "udiv" => divide(AluOp::Div),
            "umod" => divide(AluOp::Mod),
            _ => None,
        };
    }
    let stem = name.strip_suffix('2')?;
    let (operation, letters) = stem.split_at_checked(stem.len().checked_sub(2)?)?;
    let count = match operation {
        "popcount" => Some(BitCount::Ones),
        "parity" => Some(BitCount::Parity),
        "clz" => Some(BitCount::LeadingZeros),
        "ctz" => Some(BitCount::TrailingZeros),
        "ffs" => Some(BitCount::LowestPlace),
        "clrsb" => Some(BitCount::SignBits),
        _ => None,
    };
    if let Some(count) = count {
        return Some(Libcall::Count(count, width(letters)?));
    }
    let format = float(letters)?;
    match operation {
        "neg" => Some(Libcall::Negate(format)),
        "eq" | "ne" | "lt" | "le" => Some(Libcall::CompareLess(format)),
        "gt" | "ge" => Some(Libcall::CompareGreater(format)),
        "unord" => Some(Libcall::Unordered(format)),
        _ => None,
    }
}

/// The C type of a compiler-runtime function that is called.
pub fn prototype(name: &str) -> Option<Prototype> {
    let int = |bytes, signed| CType::Int { bytes, signed };
    let (f32, f64) = (CType::Float { bytes: 4 }, CType::Float { bytes: 8 });
    let (parameters, result) = match name {
        "__divti3" | "__modti3" => (vec![int(16, true), int(16, true)], int(16, true)),
        "__udivti3" | "__umodti3" => (vec![int(16, false), int(16, false)], int(16, false)),
        "__ashlti3" | "__ashrti3" | "__lshrti3" => (vec![int(16, true), int(4, true)], int(16, true)),
        "__fixdfti" => (vec![f64], int(16, true)),
        "__fixsfti" => (vec![f32], int(16, true)),
        "__fixunsdfti" => (vec![f64], int(16, false)),
        "__fixunssfti" => (vec![f32], int(16, false)),
        "__floattidf" => (vec![int(16, true)], f64),
        "__floattisf" => (vec![int(16, true)], f32),
        "__floatuntidf" => (vec![int(16, false)], f64),
        "__floatuntisf" => (vec![int(16, false)], f32),
        "__powidf2" => (vec![f64.clone(), int(4, true)], f64),
        "__powisf2" => (vec![f32.clone(), int(4, true)], f32),
        // Two complex numbers, in their parts.
        "__muldc3" | "__divdc3" => (vec![f64.clone(); 4], CType::complex(f64)),
        "__mulsc3" | "__divsc3" => (vec![f32.clone(); 4], CType::complex(f32)),
        _ => return None,
    };
    let parameters = parameters.into_iter().map(|ty| Parameter { name: None, ty }).collect();
    Some(Prototype { parameters, variadic: false, result })
}

#[cfg(test)]
mod tests {
    use super::{BitCount, Float, FloatOp, Libcall, named};
    use crate::decode::insn::{AluOp, Width};

    #[test]
    fn names_of_libgcc() {
        for (name, expected) in [
            ("__adddf3", Some(Libcall::Float(FloatOp::Add, Float::F64))),
            ("__divsf3", Some(Libcall::Float(FloatOp::Div, Float::F32))),
            ("__divdi3", Some(Libcall::Divide(AluOp::SDiv, Width::W64))),
            ("__umodsi3", Some(Libcall::Divide(AluOp::Mod, Width::W32))),
            ("__unorddf2", Some(Libcall::Unordered(Float::F64))),
            ("__floatunsisf", Some(Libcall::FromInt { width: Width::W32, signed: false, to: Float::F32 })),
            ("__fixunsdfdi", Some(Libcall::ToInt { from: Float::F64, width: Width::W64, signed: false })),
            ("__ctzdi2", Some(Libcall::Count(BitCount::TrailingZeros, Width::W64))),
            ("__clrsbsi2", Some(Libcall::Count(BitCount::SignBits, Width::W32))),
            ("__ctzti2", None),
            ("__fixdfti", None),
            ("__divti3", None),
            ("__powidf2", None),
            ("adddf3", None),
            ("__", None),
            ("__3", None),
            ("__fix", None),
        ] {
            assert_eq!(named(name), expected, "{name}");
        }
    }
}
