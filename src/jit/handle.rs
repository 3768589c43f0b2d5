//! The identity of a module for the C library, as a shared library's `__dso_handle` is its.
//!
//! In: nothing. Out: an address that no other module has. C++ compilers pass it to `__cxa_atexit` when they register the
//! destructors of global objects; they run when the module is dropped, or when the process exits.

/// What `__dso_handle` refers to in one module.
pub(super) struct Handle(Box<u8>);

/// The symbol that C++ objects ask for.
pub(super) const SYMBOL: &str = "__dso_handle";

impl Handle {
    pub fn new() -> Handle {
        Handle(Box::new(0))
    }

    /// Its address, which stays as long as the handle lives.
    pub fn address(&self) -> usize {
        std::ptr::from_ref(&*self.0) as usize
    }
}

#[cfg(unix)]
impl Drop for Handle {
    /// Runs what was registered for the module, so that nothing of it runs when its memory is gone.
    fn drop(&mut self) {
        unsafe extern "C" {
            fn __cxa_finalize(handle: *const u8);
        }
        // SAFETY: the C library runs only what was registered with this handle, by the module, whose code is still
        // there: its owner drops the handle first. Whoever ran the module's code has vouched for it.
        unsafe { __cxa_finalize(&raw const *self.0) }
    }
}
