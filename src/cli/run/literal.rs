//! Text as values of C types.
//!
//! In: a type of BTF, and a user's text. Out: the bytes of the value, in this machine's order. The rule: what does not fit the
//! type is an error that says what would.
//!
//! | type | text |
//! |---|---|
//! | integer | decimal, `0x` or `0b`, with a sign; an `enum`'s names too; of one byte also a character |
//! | `_Bool` | `true`, `false`, `1`, `0` |
//! | `float`, `double` | decimal, `inf`, `nan` |
//! | pointer | `0`; an address `0x...`; `hex:00ff` or `@FILE`, a buffer with these bytes; to characters or `void`: a string |
//! | array of characters | a string; any array, struct, union: `hex:00ff`, the rest is zeros |

use anyhow::Context;
use bpf2native::btf::{Btf, Enum, Int, Kind, TypeId};

use super::layout::{described, kind};
use super::packets::{hex, is_hex};
use crate::cli::outputs;

/// The most bytes that a value of a context or of an argument has: more is not typed.
const LARGEST: u64 = 1 << 20;

/// Buffers that values point to. They stay where they are as long as this is there.
#[derive(Default)]
pub struct Buffers(Vec<Box<[u64]>>);

impl Buffers {
    /// Keeps bytes, and a zero after them; the address of a copy that is aligned to 8 bytes.
    pub fn add(&mut self, bytes: &[u8]) -> *mut u8 {
        let mut words = vec![0u64; bytes.len() / 8 + 1].into_boxed_slice();
        for (word, chunk) in words.iter_mut().zip(bytes.chunks(8)) {
            let mut all = [0; 8];
            all[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_ne_bytes(all);
        }
        let address = words.as_mut_ptr().cast();
        self.0.push(words);
        address
    }
}

/// The bytes of a value.
pub fn parse(btf: &Btf, ty: TypeId, text: &str, buffers: &mut Buffers) -> anyhow::Result<Vec<u8>> {
    let wrong = || anyhow::anyhow!("`{text}` is no value of {}", described(btf, ty));
    let resolved = kind(btf, ty);
    let size = btf.size_of(ty).ok().flatten().filter(|&size| size <= LARGEST).with_context(wrong)? as usize;
    match resolved {
        Some(Kind::Int(int)) if int.boolean => Ok(vec![u8::from(boolean(text).with_context(wrong)?)]),
        Some(Kind::Int(Int { signed, .. })) => integer(text, size, signed),
        Some(Kind::Enum(all) | Kind::Enum64(all)) => enumerator(btf, all, text),
        Some(Kind::Float { .. }) => float(text, size),
        Some(Kind::Pointer(pointee)) => {
            let is_text = match kind(btf, pointee) {
                Some(Kind::Void) => true,
                Some(Kind::Int(int)) => int.bytes == 1,
                _ => false,
            };
            Ok(pointer(text, is_text, buffers)?.to_ne_bytes().to_vec())
        }
        Some(Kind::Array(_) | Kind::Struct(_) | Kind::Union(_)) => {
            let of_characters = match resolved {
                Some(Kind::Array(array)) => {
                    matches!(kind(btf, array.element), Some(Kind::Int(Int { bytes: 1, boolean: false, .. })))
                }
                _ => false,
            };
            let mut bytes = match text.strip_prefix("hex:") {
                Some(digits) => hex(digits)?,
                None if of_characters => text.as_bytes().to_vec(),
                None => anyhow::bail!("{} is set by `hex:` and its bytes, or member by member", described(btf, ty)),
            };
            anyhow::ensure!(
                bytes.len() <= size,
                "`{text}` has {} bytes, and there is room for {size}",
                bytes.len()
            );
            bytes.resize(size, 0);
            Ok(bytes)
        }
        _ => Err(wrong()),
    }
}

/// The bytes of an integer of up to 16 bytes.
pub fn integer(text: &str, size: usize, signed: bool) -> anyhow::Result<Vec<u8>> {
    if let ([character], 1) = (text.as_bytes(), size)
        && character.is_ascii()
        && !character.is_ascii_digit()
    {
        return Ok(vec![*character]);
    }
    let (negative, magnitude) =
        number(text).with_context(|| format!("`{text}` is no integer: write it as 12, -3 or 0x1f"))?;
    let bits = 8 * size as u32;
    let name = format!("a{} integer of {bits} bits", if signed { " signed" } else { "n unsigned" });
    let most = match (signed, negative) {
        (true, true) => 1u128 << (bits - 1),
        (true, false) => u128::MAX >> (128 - bits + 1),
        (false, true) => 0,
        (false, false) => u128::MAX >> (128 - bits),
    };
    if magnitude > most {
        let (least, most) = match signed {
            true => (i128::MIN >> (128 - bits), u128::MAX >> (128 - bits + 1)),
            false => (0, u128::MAX >> (128 - bits)),
        };
        anyhow::bail!("`{text}` does not fit {name}: that goes from {least} to {most}");
    }
    let value = if negative { magnitude.wrapping_neg() } else { magnitude };
    Ok(low_bytes(value, size))
}

/// The low bytes of a number, in this machine's order.
fn low_bytes(value: u128, size: usize) -> Vec<u8> {
    let mut bytes = value.to_le_bytes()[..size].to_vec();
    if cfg!(target_endian = "big") {
        bytes.reverse();
    }
    bytes
}

/// The sign and the magnitude of a number.
fn number(text: &str) -> Option<(bool, u128)> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let radix = |prefix: [&str; 2]| prefix.iter().find_map(|prefix| digits.strip_prefix(prefix));
    // The parser takes a sign of its own.
    let parse = |digits: &str, radix| {
        let starts = digits.starts_with(|first: char| first.is_ascii_alphanumeric());
        starts.then(|| u128::from_str_radix(digits, radix).ok()).flatten()
    };
    let magnitude = match (radix(["0x", "0X"]), radix(["0b", "0B"])) {
        (Some(digits), _) => parse(digits, 16),
        (_, Some(digits)) => parse(digits, 2),
        _ => parse(digits, 10),
    };
    Some((negative, magnitude?))
}

/// A truth value.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// A value of an enum: by name, or any number of its size.
fn enumerator(btf: &Btf, all: Enum, text: &str) -> anyhow::Result<Vec<u8>> {
    let size = all.bytes as usize;
    let names = btf.enumerators(all);
    if let Some(found) = names.iter().find(|one| btf.name(one.name) == text) {
        return Ok(low_bytes(u128::from(found.value), size));
    }
    // Old compilers do not say that an enum is signed.
    let is_signed = all.signed || text.starts_with('-');
    integer(text, size, is_signed).map_err(|error| match number(text) {
        Some(_) => error,
        None => {
            let names: Vec<&str> = names.iter().map(|one| btf.name(one.name)).collect();
            anyhow::anyhow!("there is no `{text}`; there are `{}`", names.join("`, `"))
        }
    })
}

/// The bytes of a floating-point number.
pub fn float(text: &str, size: usize) -> anyhow::Result<Vec<u8>> {
    let value: f64 = text.parse().ok().with_context(|| format!("`{text}` is no number"))?;
    match size {
        4 => {
            let narrow = value as f32;
            anyhow::ensure!(narrow.is_finite() || !value.is_finite(), "`{text}` does not fit a float");
            Ok(narrow.to_ne_bytes().to_vec())
        }
        8 => Ok(value.to_ne_bytes().to_vec()),
        _ => anyhow::bail!("a floating-point number of {size} bytes cannot be given"),
    }
}

/// A pointer: null, an address, or that of a buffer; a string where that is meant.
pub fn pointer(text: &str, is_text: bool, buffers: &mut Buffers) -> anyhow::Result<u64> {
    if let Some(digits) = text.strip_prefix("hex:") {
        return Ok(buffers.add(&hex(digits)?) as u64);
    }
    if let Some(file) = text.strip_prefix('@') {
        return Ok(buffers.add(&outputs::read(file.as_ref())?) as u64);
    }
    match text {
        "0" | "NULL" | "null" => Ok(0),
        _ if text.starts_with("0x") && is_hex(&text[2..]) => {
            u64::from_str_radix(&text[2..], 16).with_context(|| format!("`{text}` is no address: it has 64 bits"))
        }
        _ if is_text => Ok(buffers.add(text.as_bytes()) as u64),
        _ => anyhow::bail!(
            "`{text}` is no pointer: write 0, an address as 0x..., a buffer as hex:00ff, or @FILE for what is in a file"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffers, float, integer, pointer};

    #[test]
    fn integers_are_checked_against_their_range() {
        for (text, size, signed, expected) in [
            ("127", 1, true, Some(127i128)),
            ("128", 1, true, None),
            ("-128", 1, true, Some(-128)),
            ("-129", 1, true, None),
            ("255", 1, false, Some(255)),
            ("256", 1, false, None),
            ("-1", 4, false, None),
            ("-0", 4, false, Some(0)),
            ("0xffffffff", 4, false, Some(0xffff_ffff)),
            ("0xffffffff", 4, true, None),
            ("18446744073709551615", 8, false, Some(u64::MAX.into())),
            ("18446744073709551616", 8, false, None),
            ("-9223372036854775808", 8, true, Some(i64::MIN.into())),
            ("170141183460469231731687303715884105727", 16, true, Some(i128::MAX)),
            ("170141183460469231731687303715884105728", 16, true, None),
            ("0b101", 2, false, Some(5)),
            ("+7", 2, false, Some(7)),
            ("+-7", 2, true, None),
            ("--7", 2, true, None),
            ("0x", 2, true, None),
            ("", 2, true, None),
            ("1.5", 2, true, None),
            ("o", 1, true, Some(111)),
            ("o", 2, true, None),
        ] {
            let found = integer(text, size, signed).ok();
            let expected = expected.map(|value| value.to_ne_bytes());
            let part = if cfg!(target_endian = "big") { 16 - size..16 } else { 0..size };
            assert_eq!(found, expected.map(|bytes| bytes[part].to_vec()), "{text} of {size} bytes");
        }
    }

    #[test]
    fn floats_and_pointers() {
        assert_eq!(float("0.5", 8).unwrap(), 0.5f64.to_ne_bytes());
        assert_eq!(float("inf", 4).unwrap(), f32::INFINITY.to_ne_bytes());
        assert!(float("1e40", 4).is_err() && float("half", 8).is_err());
        let mut buffers = Buffers::default();
        assert_eq!(pointer("0", true, &mut buffers).unwrap(), 0);
        assert_eq!(pointer("0x10", false, &mut buffers).unwrap(), 16);
        assert!(pointer("text", false, &mut buffers).is_err());
        let address = pointer("text", true, &mut buffers).unwrap() as *const std::ffi::c_char;
        // SAFETY: the buffer is there, and ends in a zero.
        assert_eq!(unsafe { std::ffi::CStr::from_ptr(address) }, c"text");
    }
}
