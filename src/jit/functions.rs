//! Functions of loaded programs, with the C types that their callers gave them.
//!
//! In: an address whose type was compared ([`Module::func`](super::Module::func)). Out: [`TypedFunction`], which borrows the module, and
//! [`OwnedFunction`], which keeps the program in memory.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::sync::Arc;

use super::loaded::Loaded;
use super::native::{Arguments, NativeValue};

/// A function of a loaded program.
#[derive(Clone, Copy)]
pub struct TypedFunction<'m, A, R> {
    address: *const u8,
    loaded: PhantomData<&'m Loaded>,
    signature: PhantomData<fn(A) -> R>,
}

// SAFETY: an address of code that does not change, borrowed from a program that is Send and Sync.
unsafe impl<A, R> Send for TypedFunction<'_, A, R> {}
// SAFETY: as above.
unsafe impl<A, R> Sync for TypedFunction<'_, A, R> {}

impl<'m, A: Arguments, R: NativeValue> TypedFunction<'m, A, R> {
    /// The function at an address.
    ///
    /// # Safety
    ///
    /// The function of a program in memory at `address` has this C type, and does what its caller vouches for.
    pub(super) unsafe fn new(_loaded: &'m Loaded, address: usize) -> TypedFunction<'m, A, R> {
        TypedFunction { address: address as *const u8, loaded: PhantomData, signature: PhantomData }
    }

    /// Calls the function.
    ///
    /// # Panics
    ///
    /// If a Rust function, a closure or an `extern "C-unwind"` function that the program calls does: the panic passes
    /// through.
    pub fn call(&self, arguments: A) -> R {
        // SAFETY: the address is of a function of a live module; whoever asked for it with this type vouched for it.
        unsafe { arguments.call(self.address) }
    }

    /// Its address, as a C function pointer. It is good as long as the module lives.
    pub fn address(&self) -> *const c_void {
        self.address.cast()
    }
}

/// A function of a loaded program that keeps the program in memory ([`Module::func_owned`](super::Module::func_owned)).
#[derive(Clone)]
pub struct OwnedFunction<A, R> {
    function: TypedFunction<'static, A, R>,
    _loaded: Arc<Loaded>,
}

impl<A: Arguments, R: NativeValue> OwnedFunction<A, R> {
    /// The same function, which keeps the program in memory that it is of.
    pub(super) fn new(function: TypedFunction<'_, A, R>, loaded: Arc<Loaded>) -> OwnedFunction<A, R> {
        let function = TypedFunction { address: function.address, loaded: PhantomData, signature: PhantomData };
        OwnedFunction { function, _loaded: loaded }
    }

    /// Calls the function.
    ///
    /// # Panics
    ///
    /// As [`TypedFunction::call`].
    pub fn call(&self, arguments: A) -> R {
        self.function.call(arguments)
    }

    /// Its address, as a C function pointer. It is good as long as this is there.
    pub fn address(&self) -> *const c_void {
        self.function.address()
    }
}
