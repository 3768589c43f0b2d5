//! A module's `__dso_handle`, by which the C library identifies it, as it does a shared library.
//!
//! In: nothing. Out: an address that no other module has. C++ compilers pass it to `__cxa_atexit` when they register the
//! destructors of global objects; they run when the module is dropped, or when the process exits.

/// What `__dso_handle` refers to in one module.
pub(super) struct DsoHandle(Box<u8>);

/// The symbol that C++ objects ask for.
pub(super) const SYMBOL: &str = "__dso_handle";

impl DsoHandle {
    pub fn new() -> DsoHandle {
        DsoHandle(Box::new(0))
    }

    /// Its address, which stays as long as the handle lives.
    pub fn address(&self) -> usize {
        std::ptr::from_ref(&*self.0) as usize
    }
}

#[cfg(unix)]
impl Drop for DsoHandle {
    /// Runs the destructors that were registered with it, so that none runs once the module's memory is freed.
    fn drop(&mut self) {
        unsafe extern "C" {
            fn __cxa_finalize(handle: *const u8);
        }
        // SAFETY: the C library runs only what was registered with this handle, by the module, whose code is still
        // there: its owner drops the handle first. Whoever ran the module's code has vouched for it.
        unsafe { __cxa_finalize(&raw const *self.0) }
    }
}
