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
    /// `float` (4), `double` (8). In BPF objects `long double` is 8 too.
    Float {
        /// Size: 4 or 8.
        bytes: u8,
    },
    /// Any pointer; what it points to is kept as C text (`const char`, `int (const void *)`), for display only.
    Pointer(Arc<str>),
    /// A struct or a union, passed by value.
    Aggregate(Arc<Aggregate>),
}

/// A struct or union type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Aggregate {
    /// `struct timespec`, for display.
    pub name: String,
    /// Size in bytes.
    pub size: u32,
    /// Its scalars (arrays and nested structs flattened; a bit-field is the integer that holds it), by byte offset;
    /// overlapping ones are a union's. Empty if the type is larger than [`super::MAX_AGGREGATE`].
    pub scalars: Vec<(u32, CType)>,
    /// Some of them are a union's, even if it has only one member.
    pub has_union: bool,
    /// Some of them are an array's, even if it has only one element.
    pub has_array: bool,
}
