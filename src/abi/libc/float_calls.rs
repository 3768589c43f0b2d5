//! C's functions of floats that machines have instructions for, by name.
//!
//! In: a name. Out: what the function does, and to which format. Whether the name may be believed, `facts.rs` says.
//!
//! `rint` and `nearbyint` are none of them: they round as `fesetround` says, and CLIF's `nearest` always to even.

use crate::abi::libcalls::Float;

/// What such a function does (C11 7.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FloatFunction {
    /// `sqrt`; sets `errno` for a negative number
    SquareRoot,
    /// `fabs`
    Absolute,
    /// `floor`
    Floor,
    /// `ceil`
    Ceil,
    /// `trunc`
    Truncate,
    /// `copysign`
    CopySign,
    /// `fmin`: the other operand if one is a NaN
    Least,
    /// `fmax`: the same
    Largest,
    /// `fma`
    MultiplyAdd,
}

/// A function for one format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FloatCall {
    /// What it does.
    pub function: FloatFunction,
    /// The format of its operands and its result.
    pub format: Float,
}

/// The function of this name.
pub(super) fn named(name: &str) -> Option<FloatCall> {
    let of = |stem| {
        Some(match stem {
            "sqrt" => FloatFunction::SquareRoot,
            "fabs" => FloatFunction::Absolute,
            "floor" => FloatFunction::Floor,
            "ceil" => FloatFunction::Ceil,
            "trunc" => FloatFunction::Truncate,
            "copysign" => FloatFunction::CopySign,
            "fmin" => FloatFunction::Least,
            "fmax" => FloatFunction::Largest,
            "fma" => FloatFunction::MultiplyAdd,
            _ => return None,
        })
    };
    match of(name) {
        Some(function) => Some(FloatCall { function, format: Float::F64 }),
        None => of(name.strip_suffix('f')?).map(|function| FloatCall { function, format: Float::F32 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let call = |function, format| Some(FloatCall { function, format });
        for (name, expected) in [
            ("sqrt", call(FloatFunction::SquareRoot, Float::F64)),
            ("sqrtf", call(FloatFunction::SquareRoot, Float::F32)),
            ("fabsf", call(FloatFunction::Absolute, Float::F32)),
            ("fma", call(FloatFunction::MultiplyAdd, Float::F64)),
            ("sqrtl", None),
            ("sqrtff", None),
            ("rint", None),
            ("f", None),
            ("", None),
        ] {
            assert_eq!(named(name), expected, "{name}");
        }
    }
}
