//! C types of functions, as far as a calling convention needs them.

use std::sync::Arc;

/// The C type of a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prototype {
    /// Parameters, in order, without the `...`.
    pub parameters: Vec<Parameter>,
    /// Ends in `...` (also what K&R `f()` looks like in BTF).
    pub variadic: bool,
    /// The result; [`CType::Void`] for none.
    pub result: CType,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameter {
    /// Its name, if the declaration gave one.
    pub name: Option<String>,
    /// Its type.
    pub ty: CType,
}

/// A C type: its size, signedness and parts, which decide the registers that pass it. Typedefs, `const` and
/// `volatile` are looked through.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CType {
    /// `void`, as a result.
    Void,
    /// `_Bool`.
    Bool,
    /// `char` to `__int128`, and enums.
    Int {
        /// Size: 1, 2, 4, 8 or 16.
        bytes: u8,
        /// Whether a wider register holds it sign-extended.
        signed: bool,
    },
    /// `float` (4), `double` (8).
    Float {
        /// Size: 4 or 8.
        bytes: u8,
    },
    /// `long double`, which is a `double` in BPF and no type of native code that is passed the same way.
    LongDouble,
    /// Any pointer; what it points to is kept as C text (`const char`, `int (const void *)`), for display only.
    Pointer(Arc<str>),
    /// A struct or a union, passed by value.
    Aggregate(Arc<Aggregate>),
}

impl CType {
    /// A complex number, whose parts are of this type.
    pub fn complex(part: CType) -> CType {
        let size: u32 = if part == (CType::Float { bytes: 4 }) { 4 } else { 8 };
        CType::Aggregate(Arc::new(Aggregate {
            name: format!("_Complex {part}"),
            size: 2 * size,
            scalars: vec![(0, part.clone()), (size, part)],
            has_union: false,
            has_array: false,
            is_complex: true,
        }))
    }

    /// Whether a value of this type is, or has in it, a `long double`.
    pub fn has_long_double(&self) -> bool {
        match self {
            CType::LongDouble => true,
            CType::Aggregate(aggregate) => aggregate.scalars.iter().any(|(_, ty)| *ty == CType::LongDouble),
            CType::Void | CType::Bool | CType::Int { .. } | CType::Float { .. } | CType::Pointer(_) => false,
        }
    }
}

/// A struct or union type, or a complex number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Aggregate {
    /// `struct timespec`, for display.
    pub name: String,
    /// Size in bytes.
    pub size: u32,
    /// Its scalars (arrays and nested structs flattened; each bit-field is the integer that holds it), by byte
    /// offset; other overlapping ones are a union's. Empty if the type is larger than [`super::MAX_AGGREGATE`].
    pub scalars: Vec<(u32, CType)>,
    /// Some of them are a union's, even if it has only one member.
    pub has_union: bool,
    /// Some of them are an array's, even if it has only one element.
    pub has_array: bool,
    /// `_Complex`: its scalars are the real and the imaginary part.
    pub is_complex: bool,
}
