//! What is known of libc's and libm's functions: one table.
//!
//! In: a name. Out: its [`Prototype`], from `libc.txt`, which `tools/prototypes.sh` makes of the system's headers, for
//! objects that do not say it. The types are those that the LP64 Linux targets have in common. Functions with
//! `long double` are not in it: they are like their forms for `double` (`abi::long_double`). s390x's headers give what
//! prints or reads numbers another symbol where `long double` has 64 bits, with `__nldbl_` before it, and the same type.
//! What else is known of a function is in the last column, written by hand: [`Facts`] says what, and when it may be
//! believed.
//!
//! A line is a name, the result, the parameters, and facts, if there are any, with tabs between; the lines are sorted by
//! name.
//!
//! | spelled | type |
//! |---|---|
//! | `v`, `b` | `void`, `_Bool` |
//! | `i4`, `u8`, `f8` | a signed or unsigned integer, a floating-point number, of so many bytes |
//! | `*const char` | a pointer to that |
//! | `struct in_addr=4;0 u4` | a struct of 4 bytes, with its scalars by offset; `_Complex double` as one |
//! | `...` after the parameters | a variadic function |
//! | `:upwards copy` at the end | facts (`facts.rs`) |

mod agree;
mod facts;
mod float_calls;
mod formats;

use std::sync::Arc;

use super::long_double;
use super::table::find;
use crate::btf::{Aggregate, CType, Parameter, Prototype};

pub(crate) use facts::format_of;
pub use facts::{Definer, Facts, InPlace, MemoryCall};
pub use float_calls::{FloatCall, FloatFunction};
pub use formats::{Format, VForm};

const TABLE: &str = include_str!("libc.txt");

/// What the symbols of s390x start with that take a `long double` to have 64 bits.
pub(crate) const NLDBL: &str = "__nldbl_";

/// The prototype of a function of libc or libm.
pub fn prototype(name: &str) -> Option<Prototype> {
    let plain = name.strip_prefix(NLDBL).unwrap_or(name);
    if let Some(line) = find(TABLE, plain) {
        return read(columns(line).0);
    }
    let mut prototype = read(columns(find(TABLE, long_double::form(name)?)?).0)?;
    let types = prototype.parameters.iter_mut().map(|parameter| &mut parameter.ty).chain([&mut prototype.result]);
    for ty in types.filter(|ty| **ty == CType::Float { bytes: 8 }) {
        *ty = CType::LongDouble;
    }
    Some(prototype)
}

/// The types and the facts of a line.
fn columns(line: &'static str) -> (&'static str, Option<&'static str>) {
    line.split_once("\t:").map_or((line, None), |(types, facts)| (types, Some(facts)))
}

fn read(types: &str) -> Option<Prototype> {
    let (types, variadic) = match types.strip_suffix("\t...") {
        Some(types) => (types, true),
        None => (types, false),
    };
    let mut types = types.split('\t').map(ctype);
    let result = types.next()??;
    let parameters = types.map(|ty| Some(Parameter { name: None, ty: ty? })).collect::<Option<_>>()?;
    Some(Prototype { parameters, variadic, result })
}

fn ctype(text: &str) -> Option<CType> {
    if let Some(pointee) = text.strip_prefix('*') {
        return Some(CType::Pointer(pointee.into()));
    }
    if let Some((name, layout)) = text.split_once('=') {
        let mut parts = layout.split(';');
        let size = parts.next()?.parse().ok()?;
        let scalar = |part: &str| {
            let (offset, ty) = part.split_once(' ')?;
            Some((offset.parse().ok()?, ctype(ty)?))
        };
        let scalars = parts.map(scalar).collect::<Option<_>>()?;
        // The table has none with arrays.
        let (has_union, has_array) = (name.starts_with("union "), false);
        let is_complex = name.starts_with("_Complex ");
        let aggregate = Aggregate { name: name.to_owned(), size, scalars, has_union, has_array, is_complex };
        return Some(CType::Aggregate(Arc::new(aggregate)));
    }
    let (kind, bytes) = text.split_at_checked(1)?;
    Some(match kind {
        "v" => CType::Void,
        "b" => CType::Bool,
        "i" => CType::Int { bytes: bytes.parse().ok()?, signed: true },
        "u" => CType::Int { bytes: bytes.parse().ok()?, signed: false },
        "f" => CType::Float { bytes: bytes.parse().ok()? },
        _ => return None,
    })
}

/// Whether a call by one prototype is the same as by the other: the same words in the same kinds of registers, as wide.
/// Signedness is not compared, nor what pointers point to; a result that one of them leaves out is no difference.
pub(crate) fn is_same_call(one: &Prototype, other: &Prototype) -> bool {
    let result = match (&one.result, &other.result) {
        (CType::Void, _) | (_, CType::Void) => true,
        (one, other) => is_same_class(one, other),
    };
    result
        && one.variadic == other.variadic
        && one.parameters.len() == other.parameters.len()
        && one.parameters.iter().zip(&other.parameters).all(|(one, other)| is_same_class(&one.ty, &other.ty))
}

fn is_same_class(one: &CType, other: &CType) -> bool {
    match (one, other) {
        (CType::Aggregate(one), CType::Aggregate(other)) => {
            let same = |((at, one), (place, other)): (&(u32, CType), &(u32, CType))| {
                at == place && is_same_class(one, other)
            };
            one.size == other.size
                && one.scalars.len() == other.scalars.len()
                && one.scalars.iter().zip(&other.scalars).all(same)
        }
        (CType::Aggregate(union), CType::Pointer(_)) | (CType::Pointer(_), CType::Aggregate(union)) => {
            is_pointers(union)
        }
        (one, other) if float_bytes(one).is_some() => float_bytes(one) == float_bytes(other),
        (one, other) => integer_bytes(one).is_some_and(|bytes| integer_bytes(other) == Some(bytes)),
    }
}

/// A union of pointers, as `connect` takes a transparent one: it is passed as a pointer is, on all machines.
fn is_pointers(union: &Aggregate) -> bool {
    union.has_union
        && union.size == 8
        && !union.scalars.is_empty()
        && union.scalars.iter().all(|(offset, ty)| *offset == 0 && matches!(ty, CType::Pointer(_)))
}

fn float_bytes(ty: &CType) -> Option<u8> {
    match ty {
        CType::Float { bytes } => Some(*bytes),
        CType::LongDouble => Some(8),
        _ => None,
    }
}

fn integer_bytes(ty: &CType) -> Option<u8> {
    match ty {
        CType::Bool => Some(1),
        CType::Int { bytes, .. } => Some(*bytes),
        CType::Pointer(_) => Some(8),
        CType::Void | CType::Float { .. } | CType::LongDouble | CType::Aggregate(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{TABLE, columns, find, is_same_call, prototype, read};

    #[test]
    fn every_line_is_found_and_read() {
        let mut last = "";
        for line in TABLE.lines() {
            let (name, types) = line.split_once('\t').expect(line);
            assert!(last < name, "`{name}` is not sorted");
            assert_eq!(find(TABLE, name), Some(types));
            let (types, facts) = columns(types);
            assert!(read(types).is_some(), "{line}");
            assert!(facts.is_none_or(|facts| super::facts::read(facts, 0).is_some()), "{line}");
            last = name;
        }
        for name in ["", "\u{7f}", "aaaa", "no_such_function"] {
            assert_eq!(prototype(name), None, "{name}");
        }
    }

    #[test]
    fn declarations() {
        for (name, expected) in [
            ("printf", "int printf(const char *, ...)"),
            ("qsort", "void qsort(void *, unsigned long, unsigned long, int (*)(const void *, const void *))"),
            ("pow", "double pow(double, double)"),
            ("sqrtf", "float sqrtf(float)"),
            ("__isoc99_sscanf", "int __isoc99_sscanf(const char *, const char *, ...)"),
            ("inet_ntoa", "char *inet_ntoa(struct in_addr)"),
            ("__errno_location", "int *__errno_location(void)"),
            ("cexp", "_Complex double cexp(_Complex double)"),
            ("cabsf", "float cabsf(_Complex float)"),
            ("ldexpl", "long double ldexpl(long double, int)"),
            ("__nldbl_printf", "int __nldbl_printf(const char *, ...)"),
            ("__nldbl___isoc99_sscanf", "int __nldbl___isoc99_sscanf(const char *, const char *, ...)"),
        ] {
            assert_eq!(prototype(name).expect(name).declare(name), expected);
        }
    }

    /// One function at least of each header that programs rely on.
    #[test]
    fn headers() {
        let names = "fopen strtol memcpy strcasecmp write open mktime isalpha __ctype_b_loc wcslen atan2 fabsf \
            pthread_create stat mmap socket sigaction _setjmp longjmp readdir setlocale poll ntohl thrd_create \
            __printf_chk getaddrinfo dlopen regcomp fnmatch glob syslog getopt_long select waitpid";
        let missing: Vec<&str> = names.split_whitespace().filter(|name| prototype(name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn same_calls() {
        let same = |one, other| is_same_call(&prototype(one).expect(one), &prototype(other).expect(other));
        assert!(same("sin", "cos"));
        assert!(same("strlen", "malloc"));
        assert!(!same("sin", "sinf"));
        assert!(!same("pow", "sin"));
        assert!(!same("printf", "puts"));
        assert!(!same("abs", "labs"));
    }
}
