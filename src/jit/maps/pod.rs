//! Types whose values are their bytes: keys and values of maps, global variables.

/// A type whose values are their bytes, as C has them: integers, arrays of such, and structs of yours.
///
/// ```
/// use bpf2native::jit::Pod;
///
/// /// struct flow { __be32 source, destination; __u64 packets; };
/// #[derive(Clone, Copy)]
/// #[repr(C)]
/// struct Flow {
///     source: [u8; 4],
///     destination: [u8; 4],
///     packets: u64,
/// }
///
/// // SAFETY: a C struct of integers, without padding.
/// unsafe impl Pod for Flow {}
/// ```
///
/// # Safety
///
/// The type must have C's layout (`#[repr(C)]`), no padding, and a value for each combination of bytes: no references, no
/// `bool`, no `char`, no enums. Where C's struct has padding, give it a name in Rust: the bytes of a key are compared with it.
pub unsafe trait Pod: Copy + 'static {}

macro_rules! pods {
    ($($ty:ty)*) => {$(
        // SAFETY: a number of any bytes is one.
        unsafe impl Pod for $ty {}
    )*};
}

pods! { u8 i8 u16 i16 u32 i32 u64 i64 u128 i128 usize isize f32 f64 }

// SAFETY: the elements follow each other without padding.
unsafe impl<T: Pod, const N: usize> Pod for [T; N] {}

/// The bytes of a value.
pub(crate) fn bytes_of<T: Pod>(value: &T) -> &[u8] {
    // SAFETY: there is no padding, so all bytes have values.
    unsafe { std::slice::from_raw_parts((&raw const *value).cast(), size_of::<T>()) }
}

/// The value that these bytes are: as many as the type has.
pub(crate) fn from_bytes<T: Pod>(bytes: &[u8]) -> T {
    assert_eq!(bytes.len(), size_of::<T>(), "a value has as many bytes as its type");
    // SAFETY: there are as many bytes, of which any are a value.
    unsafe { bytes.as_ptr().cast::<T>().read_unaligned() }
}
