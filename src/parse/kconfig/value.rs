//! A value of a configuration as the bytes of a variable.
//!
//! In: the variable's type, the value as its line has it. Out: bytes, or why the value does not fit. The rules are libbpf's:
//!
//! | type | values |
//! |---|---|
//! | `bool` | `y`, `n`, 0, 1 |
//! | `enum libbpf_tristate` | `y` (2), `m` (1), `n` (0) |
//! | `char` | `y`, `m`, `n` as characters, a number that fits |
//! | other integers | a number that fits |
//! | array of `char` | a text in quotes, cut to what fits with the zero at its end |

use super::config::number;
use crate::btf::{Btf, Kind, TypeId};
use crate::program::Endianness;

/// The name of libbpf's type of what may be a module.
const TRISTATE: &str = "libbpf_tristate";

/// A type that variables of a configuration have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum VariableType {
    Bool,
    Tristate { bytes: u32 },
    Char { signed: bool },
    Int { bytes: u32, signed: bool },
    Text { bytes: u32 },
}

impl VariableType {
    fn of(btf: &Btf, ty: TypeId) -> Option<VariableType> {
        let (_, ty) = btf.resolve(ty).ok()?;
        Some(match ty.kind {
            Kind::Int(int) if int.boolean => VariableType::Bool,
            Kind::Int(int) if int.bytes == 1 => VariableType::Char { signed: int.signed },
            Kind::Int(int) if matches!(int.bytes, 2 | 4 | 8) => {
                VariableType::Int { bytes: int.bytes, signed: int.signed }
            }
            Kind::Enum(all) if btf.name(ty.name) == TRISTATE && all.bytes <= 8 => {
                VariableType::Tristate { bytes: all.bytes }
            }
            Kind::Array(array) if array.count > 0 => match btf.resolve(array.element).ok()?.1.kind {
                Kind::Int(int) if int.bytes == 1 && !int.boolean => VariableType::Text { bytes: array.count },
                _ => return None,
            },
            _ => return None,
        })
    }
}

/// The bytes of a variable of this type; or what is wrong.
pub(super) fn bytes(btf: &Btf, ty: TypeId, value: &str, endianness: Endianness) -> Result<Vec<u8>, String> {
    let variable = VariableType::of(btf, ty).ok_or_else(|| {
        format!(
            "has the type `{}`: `bool`, `char`, integers, `enum {TRISTATE}` and arrays of `char` can have values",
            btf.text(ty)
        )
    })?;
    let does_not_fit = || format!("has the type `{}`, and the value `{value}` does not fit it", btf.text(ty));
    let word = |word: u64, bytes: u32| {
        let bytes = bytes as usize;
        match endianness {
            Endianness::Little => word.to_le_bytes()[..bytes].to_vec(),
            Endianness::Big => word.to_be_bytes()[size_of::<u64>() - bytes..].to_vec(),
        }
    };
    let made = match (variable, value) {
        (VariableType::Bool, "y" | "1") => Some(vec![1]),
        (VariableType::Bool, "n" | "0") => Some(vec![0]),
        (VariableType::Tristate { bytes }, "n") => Some(word(0, bytes)),
        (VariableType::Tristate { bytes }, "m") => Some(word(1, bytes)),
        (VariableType::Tristate { bytes }, "y") => Some(word(2, bytes)),
        (VariableType::Char { .. }, "y" | "m" | "n") => Some(value.bytes().collect()),
        (VariableType::Char { signed }, _) => fitting(value, 1, signed).map(|number| word(number, 1)),
        (VariableType::Int { bytes, signed }, _) => fitting(value, bytes, signed).map(|number| word(number, bytes)),
        (VariableType::Text { bytes }, _) => {
            let text = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            text.map(|text| {
                let mut text = text.as_bytes()[..text.len().min(bytes as usize - 1)].to_vec();
                text.resize(bytes as usize, 0);
                text
            })
        }
        _ => None,
    };
    made.ok_or_else(does_not_fit)
}

/// A number that so many bytes hold.
fn fitting(value: &str, bytes: u32, signed: bool) -> Option<u64> {
    let number = number(value)?;
    let bits = 8 * bytes;
    let fits = match (bits, signed) {
        (64, _) => true,
        (_, true) => number.wrapping_add(1 << (bits - 1)) >> bits == 0,
        (_, false) => number >> bits == 0,
    };
    fits.then_some(number)
}
