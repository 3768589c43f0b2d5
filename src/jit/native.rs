//! C types of native functions and of the functions that native code calls.
//!
//! In: Rust types. Out: the C types that they are, to be checked against BTF once, before any call.

use std::fmt;
use std::sync::Arc;

use crate::btf::{Aggregate, CType, Parameter, Prototype};

/// A C type, as far as a call sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NativeType {
    /// No value.
    Void,
    /// A `bool`: in Rust, no value but 0 and 1 may be one.
    Bool,
    /// An integer or an enum of this many bytes.
    Int(u8),
    /// A floating-point number of this many bytes.
    Float(u8),
    /// A pointer.
    Pointer,
    /// A struct of two words, [`Words`].
    Words,
}

impl fmt::Display for NativeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NativeType::Void => f.write_str("void"),
            NativeType::Bool => f.write_str("_Bool"),
            NativeType::Int(bytes) => write!(f, "int{}_t", u32::from(*bytes) * 8),
            NativeType::Float(4) => f.write_str("float"),
            NativeType::Float(_) => f.write_str("double"),
            NativeType::Pointer => f.write_str("void *"),
            NativeType::Words => f.write_str("struct words"),
        }
    }
}

impl NativeType {
    /// Whether a value of this type can stand for one of the C type: pointers are 8-byte integers, and signedness
    /// does not matter.
    fn matches(self, ty: &CType) -> bool {
        match (self, ty) {
            (NativeType::Void, CType::Void) => true,
            (NativeType::Int(bytes), CType::Int { bytes: declared, .. }) => bytes == *declared,
            (NativeType::Bool | NativeType::Int(1), CType::Bool) => true,
            (NativeType::Int(8) | NativeType::Pointer, CType::Pointer(_)) => true,
            (NativeType::Pointer, CType::Int { bytes: 8, .. }) => true,
            (NativeType::Words, CType::Aggregate(aggregate)) => {
                let is_whole = |ty: &CType| !matches!(ty, CType::Float { .. });
                (9..=16).contains(&aggregate.size) && aggregate.scalars.iter().all(|(_, ty)| is_whole(ty))
            }
            (NativeType::Float(bytes), CType::Float { bytes: declared }) => bytes == *declared,
            // For an embedder, `long double` is `double`.
            (NativeType::Float(8), CType::LongDouble) => true,
            _ => false,
        }
    }
}

impl NativeType {
    /// A C type that is passed as this one; none for no value.
    fn c_type(self, signed: bool) -> Option<CType> {
        let word = CType::Int { bytes: 8, signed: false };
        Some(match self {
            NativeType::Void => return None,
            NativeType::Bool => CType::Bool,
            NativeType::Int(bytes) => CType::Int { bytes, signed },
            NativeType::Float(bytes) => CType::Float { bytes },
            NativeType::Pointer => CType::Pointer("void".into()),
            NativeType::Words => CType::Aggregate(Arc::new(Aggregate {
                name: "struct words".to_owned(),
                size: 16,
                scalars: vec![(0, word.clone()), (8, word)],
                has_union: false,
                has_array: false,
                is_complex: false,
            })),
        })
    }
}

/// The C type of a native function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeSignature {
    /// Parameters.
    pub parameters: Vec<NativeType>,
    /// Result.
    pub result: NativeType,
}

impl NativeSignature {
    /// Whether native code can call a function of the prototype as one of this type. It may ignore a result.
    pub(super) fn calls(&self, prototype: &Prototype) -> bool {
        let ignored = self.result == NativeType::Void && !matches!(prototype.result, CType::Aggregate(_));
        self.takes(prototype) && (ignored || self.result.matches(&prototype.result))
    }

    /// Whether a function of this type can stand for one of the prototype, which a program calls. The program may
    /// ignore a result.
    pub(super) fn answers(&self, prototype: &Prototype) -> bool {
        let ignored = prototype.result == CType::Void;
        self.takes(prototype) && (ignored || self.result.matches(&prototype.result))
    }

    fn takes(&self, prototype: &Prototype) -> bool {
        let (count, declared) = (self.parameters.len(), prototype.parameters.len());
        // Arguments for `...` are passed in integer registers.
        let extra_fits = !self.parameters.iter().skip(declared).any(|ty| matches!(ty, NativeType::Float(_)));
        let count_fits = if prototype.variadic { count >= declared && extra_fits } else { count == declared };
        let mut pairs = self.parameters.iter().zip(&prototype.parameters);
        count_fits && pairs.all(|(native, declared)| native.matches(&declared.ty))
    }

    /// A C type that is passed as this one; integer parameters are unsigned, and the result is as it is said to be.
    pub(super) fn prototype(&self, is_signed: bool) -> Prototype {
        let parameters = self.parameters.iter().filter_map(|ty| ty.c_type(false));
        Prototype {
            parameters: parameters.map(|ty| Parameter { name: None, ty }).collect(),
            variadic: false,
            result: self.result.c_type(is_signed).unwrap_or(CType::Void),
        }
    }

    /// A C declaration of a function of this type.
    pub(super) fn declare(&self, name: &str) -> String {
        let mut parameters: Vec<String> = self.parameters.iter().map(NativeType::to_string).collect();
        if parameters.is_empty() {
            parameters.push("void".to_owned());
        }
        let space = if self.result == NativeType::Pointer { "" } else { " " };
        format!("{}{space}{name}({})", self.result, parameters.join(", "))
    }

    /// Whether it takes or returns what is not passed as words: a floating-point number, or two words where the platform
    /// passes those in memory.
    pub(super) fn needs_type(&self) -> bool {
        let in_memory = cfg!(any(target_arch = "s390x", windows));
        self.parameters.iter().chain([&self.result]).any(|ty| match ty {
            NativeType::Float(_) => true,
            NativeType::Words | NativeType::Int(16) => in_memory,
            NativeType::Void | NativeType::Bool | NativeType::Int(_) | NativeType::Pointer => false,
        })
    }
}

/// Two words: a C struct of 9 to 16 bytes without floating-point numbers, and what functions without a type return in r0
/// and r2, as those of Rust's own convention do (`&str`: address and length; `Option<u64>`: 0 or 1, and the number).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Words {
    /// The first 8 bytes, r0.
    pub first: u64,
    /// The others, r2.
    pub second: u64,
}

/// A Rust type that a C function takes or returns.
///
/// # Safety
///
/// The type must be passed as [`NativeValue::TYPE`] by `extern "C"` functions.
pub unsafe trait NativeValue: Copy {
    /// Its C type.
    const TYPE: NativeType;

    /// Whether it is a signed integer: decides how a narrow one is extended where the platform wants that of a result.
    const IS_SIGNED: bool = false;
}

macro_rules! native_values {
    ($($ty:ty => $native:expr, $is_signed:literal;)*) => {$(
        // SAFETY: the Rust reference gives the C equivalents of these types.
        unsafe impl NativeValue for $ty {
            const TYPE: NativeType = $native;
            const IS_SIGNED: bool = $is_signed;
        }
    )*};
}

native_values! {
    () => NativeType::Void, false;
    bool => NativeType::Bool, false;
    u8 => NativeType::Int(1), false;
    i8 => NativeType::Int(1), true;
    u16 => NativeType::Int(2), false;
    i16 => NativeType::Int(2), true;
    u32 => NativeType::Int(4), false;
    i32 => NativeType::Int(4), true;
    u64 => NativeType::Int(8), false;
    i64 => NativeType::Int(8), true;
    u128 => NativeType::Int(16), false;
    i128 => NativeType::Int(16), true;
    Words => NativeType::Words, false;
    usize => NativeType::Int(size_of::<usize>() as u8), false;
    isize => NativeType::Int(size_of::<isize>() as u8), true;
    f32 => NativeType::Float(4), false;
    f64 => NativeType::Float(8), false;
}

// SAFETY: a thin pointer is a C pointer.
unsafe impl<T> NativeValue for *const T {
    const TYPE: NativeType = NativeType::Pointer;
}

// SAFETY: a thin pointer is a C pointer.
unsafe impl<T> NativeValue for *mut T {
    const TYPE: NativeType = NativeType::Pointer;
}

/// Who else could say of a type that it is called so would be believed: nobody else can.
mod sealed {
    pub trait Sealed {}
}

/// The arguments of a call: a tuple of native values.
pub trait Arguments: Copy + sealed::Sealed {
    /// Their C types.
    fn types() -> Vec<NativeType>;

    /// Calls the function at `address` with them.
    ///
    /// # Safety
    ///
    /// There must be a function that takes these arguments and returns an `R`, and calling it must be sound.
    unsafe fn call<R: NativeValue>(self, address: *const u8) -> R;
}

/// Gives a macro the type parameters of each number of arguments that a call may have.
macro_rules! for_each_arity {
    ($macro:ident) => {
        $macro! {
            ()
            (A)
            (A B)
            (A B C)
            (A B C D)
            (A B C D E)
            (A B C D E F)
            (A B C D E F G)
            (A B C D E F G H)
            (A B C D E F G H I)
            (A B C D E F G H I J)
            (A B C D E F G H I J K)
            (A B C D E F G H I J K L)
        }
    };
}

pub(super) use for_each_arity;

macro_rules! arguments {
    ($(($($name:ident)*))*) => {$(
        impl<$($name: NativeValue),*> sealed::Sealed for ($($name,)*) {}

        impl<$($name: NativeValue),*> Arguments for ($($name,)*) {
            fn types() -> Vec<NativeType> {
                vec![$($name::TYPE),*]
            }

            #[allow(non_snake_case)]
            unsafe fn call<R: NativeValue>(self, address: *const u8) -> R {
                let ($($name,)*) = self;
                // SAFETY: the caller vouches that a function of this type is there.
                unsafe {
                    let function: extern "C-unwind" fn($($name),*) -> R = std::mem::transmute(address);
                    function($($name),*)
                }
            }
        }
    )*};
}

for_each_arity!(arguments);
