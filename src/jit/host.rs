//! Functions of the embedder that a program may call.
//!
//! In: a pointer to a C function, a Rust function, a closure. Out: [`HostFunction`], its C type and how native code gets to it.
//!
//! | function | native code calls |
//! |---|---|
//! | a pointer to an `extern "C"` function | it |
//! | a Rust function or a closure without captured state | `direct`, made by the compiler for it: nothing but its type is needed |
//! | a closure with captured state, a pointer to a Rust function | a thunk (`thunks.rs`), which calls `entry` with the address of the state |
//!
//! The rule: whatever was registered stays alive as long as the linker, or a module that was loaded with it.

use std::any::Any;
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use super::native::{NativeSignature, NativeValue, for_each_arity};

/// How a thunk enters a function that has state: the state, the words of the arguments, room for two words of the result.
///
/// A word has an integer in its low bits, and an argument of more than 8 bytes takes two words, in the order of memory.
pub(super) type Entry = unsafe extern "C-unwind" fn(*const c_void, *const u64, *mut u64);

/// How native code gets to a function.
#[derive(Clone)]
pub(super) enum Code {
    /// By calling this address.
    Address(usize),
    /// Through a thunk.
    Entry {
        /// What the thunk calls.
        entry: Entry,
        /// Whether the result is a signed integer.
        is_signed: bool,
    },
}

/// A function that is registered.
#[derive(Clone)]
pub struct HostFunction {
    pub(super) signature: NativeSignature,
    pub(super) code: Code,
    /// The function itself, if it is no pointer to a C function.
    pub(super) state: Option<Arc<dyn Any + Send + Sync>>,
}

impl HostFunction {
    /// The address of the state, which is good as long as `state`.
    pub(super) fn context(&self) -> *const c_void {
        self.state.as_ref().map_or(ptr::null(), |state| Arc::as_ptr(state).cast())
    }
}

/// A function that can be registered ([`Linker::func`](super::Linker::func)), of up to 12
/// [native values](super::NativeValue):
///
/// | function | given as | a call costs | a panic |
/// |---|---|---|---|
/// | `fn f(...) -> ...` of Rust, a closure without state | it is | as one of a C function | passes through the program |
/// | a closure with captured state (`Fn + Send + Sync + 'static`), a pointer `fn(...) -> ...` | it is | one call more | passes through the program |
/// | `extern "C-unwind" fn f(...) -> ...`, `unsafe` or not | a pointer, by a cast | the same as in C | passes through the program |
/// | `extern "C" fn f(...) -> ...`, `unsafe` or not | a pointer, by a cast | the same as in C | ends the process |
///
/// A cast is `f as extern "C" fn(i32) -> i32`: in Rust, functions of C's convention, and `unsafe` ones, are no `Fn`. A closure
/// that calls one needs none.
///
/// A closure may be called from any thread, and outlive whoever registers it, so what it captures must allow that:
///
/// ```compile_fail,E0277
/// let step = std::rc::Rc::new(1);
/// bpf2native::Linker::new().func("add", move |value: i64| value + *step);
/// ```
///
/// ```compile_fail,E0373
/// let step = 1;
/// bpf2native::Linker::new().func("add", |value: i64| value + step);
/// ```
///
/// `Kind` tells them apart, and is never named: the compiler finds it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no function that a program can call",
    label = "neither a `Fn` of native values that is `Send + Sync + 'static`, nor a pointer to a C function",
    note = "cast an `extern \"C\"` or `unsafe` function to its pointer, as in `f as extern \"C\" fn(i32) -> i32`",
    note = "a closure says the types of its parameters, as in `|value: i32| value + 1`"
)]
pub trait NativeFunction<Kind> {
    /// The function, as native code sees it. Nobody else can make one.
    #[doc(hidden)]
    fn into_host_function(self) -> HostFunction;
}

/// The kind of pointers to C functions.
#[doc(hidden)]
pub struct Pointer(());

/// The kind of Rust functions and closures of a type.
#[doc(hidden)]
pub struct Callable<F>(F);

/// The words of arguments.
struct ArgumentWords(*const u64);

impl ArgumentWords {
    /// The next argument.
    ///
    /// # Safety
    ///
    /// The words must be there, and have a value of this type.
    unsafe fn next<T: NativeValue>(&mut self) -> T {
        let first = self.0;
        self.0 = first.wrapping_add(size_of::<T>().div_ceil(size_of::<u64>()));
        // SAFETY: as the caller says.
        unsafe { first.byte_add(offset_in_words::<T>()).cast::<T>().read_unaligned() }
    }
}

/// The byte of its words where a value starts.
fn offset_in_words<T>() -> usize {
    if cfg!(target_endian = "big") { size_of::<u64>().saturating_sub(size_of::<T>()) } else { 0 }
}

/// Puts a result where its words are.
///
/// # Safety
///
/// There must be room for two words.
unsafe fn put<R: NativeValue>(value: R, words: *mut u64) {
    // SAFETY: as the caller says; a native value has no more than two words.
    unsafe {
        words.write(0);
        words.byte_add(offset_in_words::<R>()).cast::<R>().write_unaligned(value);
    }
}

/// The functions of some numbers of parameters.
macro_rules! functions {
    ($(($($name:ident)*))*) => {$(
        pointer!(extern "C" fn($($name),*) -> R, $($name)*);
        pointer!(unsafe extern "C" fn($($name),*) -> R, $($name)*);
        pointer!(extern "C-unwind" fn($($name),*) -> R, $($name)*);
        pointer!(unsafe extern "C-unwind" fn($($name),*) -> R, $($name)*);

        impl<T, R, $($name),*> NativeFunction<Callable<fn($($name),*) -> R>> for T
        where
            T: Fn($($name),*) -> R + Send + Sync + 'static,
            R: NativeValue,
            $($name: NativeValue),*
        {
            fn into_host_function(self) -> HostFunction {
                /// A function without state, as a C function.
                #[allow(non_snake_case)]
                extern "C-unwind" fn direct<T, R, $($name),*>($($name: $name),*) -> R
                where
                    T: Fn($($name),*) -> R,
                {
                    // SAFETY: a value of this type was registered, and stays as long as what calls this; it has no
                    // bytes, so it is at any aligned address.
                    let function = unsafe { NonNull::<T>::dangling().as_ref() };
                    function($($name),*)
                }

                /// As an [`Entry`].
                #[allow(non_snake_case, unused_mut, unused_variables)]
                unsafe extern "C-unwind" fn entry<T, R, $($name),*>(
                    state: *const c_void,
                    words: *const u64,
                    result: *mut u64,
                ) where
                    T: Fn($($name),*) -> R,
                    R: NativeValue,
                    $($name: NativeValue),*
                {
                    let mut words = ArgumentWords(words);
                    // SAFETY: the thunk gives the state and the words of arguments of these types, in this order, and
                    // room for the result.
                    unsafe {
                        $(let $name = words.next::<$name>();)*
                        let function = &*state.cast::<T>();
                        put(function($($name),*), result);
                    }
                }

                let code = match size_of::<T>() {
                    0 => Code::Address(direct::<T, R, $($name),*> as *const c_void as usize),
                    _ => Code::Entry { entry: entry::<T, R, $($name),*>, is_signed: R::IS_SIGNED },
                };
                let signature = NativeSignature { parameters: vec![$($name::TYPE),*], result: R::TYPE };
                HostFunction { signature, code, state: Some(Arc::new(self)) }
            }
        }
    )*};
}

macro_rules! pointer {
    ($kind:ty, $($name:ident)*) => {
        impl<R: NativeValue, $($name: NativeValue),*> NativeFunction<Pointer> for $kind {
            fn into_host_function(self) -> HostFunction {
                let signature = NativeSignature { parameters: vec![$($name::TYPE),*], result: R::TYPE };
                HostFunction { signature, code: Code::Address(self as *const c_void as usize), state: None }
            }
        }
    };
}

for_each_arity!(functions);
