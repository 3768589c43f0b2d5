//! Values of C types as text and as JSON.
//!
//! In: a type of BTF, and bytes in this machine's order. Out: a [`Shown`], which is written in either way. Bytes without a
//! known type are a list of hexadecimal bytes, as bpftool has them.
//!
//! | type | text | JSON |
//! |---|---|---|
//! | integer | decimal | number |
//! | enum | its name, or decimal | string, or number |
//! | `_Bool` | `true`, `false` | the same |
//! | floating point | the shortest that reads back as the same | number; string if it is no number |
//! | pointer | `0x...` | string |
//! | array of characters | `"text"` if that is what it has, else numbers | string, or array |
//! | array | `[1, 2]` | array |
//! | struct, union | `{a = 1, b = 2}`, with the members of anonymous ones in it | object |

use bpf2native::btf::{Btf, Enum, Int, Kind, MAX_NESTING, TypeId};

use super::layout::{Place, at_member, element, kind};

/// The most elements of arrays that are shown of one value.
const MOST: usize = 4096;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// What text and JSON have in common: a number, a truth value.
    Plain(String),
    /// A name or an address, which is quoted in JSON.
    Word(String),
    /// A string, which is quoted.
    Text(String),
    List(Vec<Shown>),
    Record(Vec<(String, Shown)>),
}

impl Shown {
    /// Bytes of no known type.
    pub fn bytes(bytes: &[u8]) -> Shown {
        Shown::List(bytes.iter().map(|byte| Shown::Word(format!("0x{byte:02x}"))).collect())
    }

    /// A value of a type; its bytes, if its type is not known or larger than they are.
    pub fn of(btf: &Btf, ty: TypeId, bytes: &[u8]) -> Shown {
        let mut reader = Reader { btf, bytes, left: MOST };
        reader.at(Place::whole(ty), MAX_NESTING).unwrap_or_else(|| Shown::bytes(bytes))
    }

    pub fn text(&self) -> String {
        match self {
            Shown::Plain(text) | Shown::Word(text) => text.clone(),
            Shown::Text(text) => quoted(text),
            Shown::List(list) => format!("[{}]", list.iter().map(Shown::text).collect::<Vec<_>>().join(", ")),
            Shown::Record(members) => {
                let members = members.iter().map(|(name, value)| format!("{name} = {}", value.text()));
                format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
            }
        }
    }

    pub fn json(&self) -> String {
        match self {
            Shown::Plain(text) => text.clone(),
            Shown::Word(text) | Shown::Text(text) => quoted(text),
            Shown::List(list) => format!("[{}]", list.iter().map(Shown::json).collect::<Vec<_>>().join(",")),
            Shown::Record(members) => {
                let members = members.iter().map(|(name, value)| format!("{}:{}", quoted(name), value.json()));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// A string as JSON and C have it.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

struct Reader<'a> {
    btf: &'a Btf,
    bytes: &'a [u8],
    /// How many elements of arrays may still be shown.
    left: usize,
}

impl Reader<'_> {
    fn at(&mut self, place: Place, steps: usize) -> Option<Shown> {
        let steps = steps.checked_sub(1)?;
        let btf = self.btf;
        match kind(btf, place.ty)? {
            Kind::Int(Int { bits, bit_offset, bytes, signed, boolean, .. }) => {
                // Old objects have bit-fields as types of their own.
                let whole = u32::from(bits) == bytes * 8;
                let place = match (place.bits, whole) {
                    (None, false) => Place { bit: place.bit + u64::from(bit_offset), bits: Some(bits), ..place },
                    _ => place,
                };
                let value = self.integer(place, signed)?;
                Some(Shown::Plain(match boolean {
                    true => (value.of_unsigned & 0xff != 0).to_string(),
                    false => value.text(),
                }))
            }
            Kind::Enum(all) | Kind::Enum64(all) => self.enumerator(place, all),
            Kind::Float { bytes } => Some(float(self.range(place, u64::from(bytes))?)),
            Kind::Pointer(_) => {
                let bytes = self.range(place, 8)?.try_into().ok()?;
                Some(Shown::Word(format!("{:#x}", u64::from_ne_bytes(bytes))))
            }
            Kind::Array(array) => {
                if let Some(Kind::Int(Int { bytes: 1, boolean: false, .. })) = kind(btf, array.element)
                    && let Some(text) = text(self.range(place, array.count.into())?)
                    && is_character(btf, array.element)
                {
                    return Some(Shown::Text(text));
                }
                let mut list = Vec::new();
                for index in 0..array.count {
                    let Some(left) = self.left.checked_sub(1) else { break };
                    self.left = left;
                    list.push(self.at(element(btf, place, index)?, steps)?);
                }
                Some(Shown::List(list))
            }
            Kind::Struct(composite) | Kind::Union(composite) => {
                self.range(place, composite.bytes.into())?;
                let mut members = Vec::new();
                for member in btf.members(composite) {
                    let value = self.at(at_member(place, member), steps);
                    // A flexible array member has no elements, and locks and the like may be unknown.
                    let Some(value) = value else { continue };
                    match (btf.name(member.name), value) {
                        ("", Shown::Record(inner)) => members.extend(inner),
                        ("", _) => {}
                        (name, value) => members.push((name.to_owned(), value)),
                    }
                }
                Some(Shown::Record(members))
            }
            _ => None,
        }
    }

    /// The bytes of a value.
    fn range(&self, place: Place, size: u64) -> Option<&[u8]> {
        let start = place.bit / 8;
        let end = start.checked_add(size)?;
        self.bytes.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }

    fn integer(&self, place: Place, signed: bool) -> Option<Integer> {
        let size = self.btf.size_of(place.ty).ok()?.filter(|&size| (1..=16).contains(&size))?;
        let (bits, value) = match place.bits {
            None => (8 * size as u32, number(self.range(place, size)?)),
            Some(bits) => {
                // The bits are counted as the machine counts them: from the lowest, or from the highest.
                let bytes = (place.bit % 8 + u64::from(bits)).div_ceil(8);
                let (value, skipped) = (number(self.range(place, bytes)?), (place.bit % 8) as u32);
                let unused = 8 * bytes as u32 - skipped - u32::from(bits);
                (bits.into(), value >> if cfg!(target_endian = "big") { unused } else { skipped })
            }
        };
        let unused = 128 - bits;
        let value = value << unused;
        Some(Integer { of_unsigned: value >> unused, of_signed: value.cast_signed() >> unused, signed })
    }

    fn enumerator(&self, place: Place, all: Enum) -> Option<Shown> {
        let value = self.integer(place, all.signed)?;
        // Their values are extended to 64 bits by the enum's signedness.
        let wide = if all.signed { value.of_signed as u64 } else { value.of_unsigned as u64 };
        let named = self.btf.enumerators(all).iter().find(|one| one.value == wide);
        Some(match named {
            Some(named) => Shown::Word(self.btf.name(named.name).to_owned()),
            None => Shown::Plain(value.text()),
        })
    }
}

struct Integer {
    of_unsigned: u128,
    of_signed: i128,
    signed: bool,
}

impl Integer {
    fn text(&self) -> String {
        if self.signed { self.of_signed.to_string() } else { self.of_unsigned.to_string() }
    }
}

/// Bytes as a number.
fn number(bytes: &[u8]) -> u128 {
    let each = |value: u128, byte: &u8| value << 8 | u128::from(*byte);
    if cfg!(target_endian = "big") { bytes.iter().fold(0, each) } else { bytes.iter().rev().fold(0, each) }
}

fn float(bytes: &[u8]) -> Shown {
    let (value, text) = match bytes.len() {
        4 => {
            let value = f32::from_bits(number(bytes) as u32);
            (f64::from(value), format!("{value:?}"))
        }
        8 => {
            let value = f64::from_bits(number(bytes) as u64);
            (value, format!("{value:?}"))
        }
        _ => return Shown::bytes(bytes),
    };
    if value.is_finite() { Shown::Plain(text) } else { Shown::Word(text) }
}

/// Whether a type is one that C programmers write text in: `char`, and no `unsigned char`.
fn is_character(btf: &Btf, ty: TypeId) -> bool {
    let Ok((_, ty)) = btf.resolve(ty) else { return false };
    matches!(ty.kind, Kind::Int(int) if int.character || int.signed) || btf.name(ty.name) == "char"
}

/// What bytes say up to their first zero, if all of it is text, and what follows is zeros.
fn text(bytes: &[u8]) -> Option<String> {
    let length = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let (text, rest) = bytes.split_at(length);
    let text = std::str::from_utf8(text).ok()?;
    let is_shown = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    (rest.iter().all(|&byte| byte == 0) && text.chars().all(is_shown)).then(|| text.to_owned())
}
