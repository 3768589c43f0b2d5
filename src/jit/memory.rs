//! Memory of a loaded program: one region, so that near calls and addresses reach everywhere in it.
//!
//! In: the sizes of code and data. Out: a provider of memory for Cranelift's JIT, which starts writable and becomes
//! executable or read-only once everything is written; no page is ever both writable and executable.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use cranelift_jit::{ArenaMemoryProvider, BranchProtection, JITMemoryKind, JITMemoryProvider};
use cranelift_module::ModuleResult;

use super::error::LoadError;
use crate::codegen::CompiledFunction;
use crate::declarations::adapters::Adapters;
use crate::lift::Declarations;
use crate::program::Program;

/// The largest program, in bytes: well inside the 2 GiB that a 32-bit displacement reaches.
const MAX_PROGRAM: u64 = 1 << 30;

/// The largest alignment that the region gives.
const PAGE: u64 = 4096;

/// Bytes before the first function.
const LEAD: usize = 16;

/// Room for a jump to a far function; aarch64 needs one for each call.
const VENEER: u64 = 24;

/// A region whose size is set after the module that uses it is created.
#[derive(Clone, Default)]
pub(super) struct Deferred(Arc<Mutex<Option<ArenaMemoryProvider>>>);

impl Deferred {
    /// Reserves the region.
    pub fn reserve(&self, size: u64) -> Result<(), LoadError> {
        let failed = |reason: String| LoadError::Memory { size, reason };
        let size = usize::try_from(size).map_err(|error| failed(error.to_string()))?;
        let region = ArenaMemoryProvider::new_with_size(size).map_err(|error| failed(error.to_string()))?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(region);
        Ok(())
    }

    /// Puts bytes before the first function: code may read what lies before a function, to check its type
    /// (`-fsanitize=function`).
    pub fn lead(&self) -> Result<(), LoadError> {
        let failed = |error: io::Error| LoadError::Memory { size: LEAD as u64, reason: error.to_string() };
        self.clone().allocate(LEAD, LEAD as u64, JITMemoryKind::Executable).map(|_| ()).map_err(failed)
    }

    fn with<T>(&self, what: impl FnOnce(&mut ArenaMemoryProvider) -> T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(what)
    }
}

impl JITMemoryProvider for Deferred {
    fn allocate(&mut self, size: usize, align: u64, kind: JITMemoryKind) -> io::Result<*mut u8> {
        let allocated = self.with(|region| region.allocate(size, align, kind));
        allocated.unwrap_or_else(|| Err(io::Error::other("the region is not reserved yet")))
    }

    unsafe fn free_memory(&mut self) {
        self.with(|region| {
            // SAFETY: the caller vouches that nothing runs from the region and that nothing points into it.
            unsafe { region.free_memory() }
        });
    }

    fn finalize(&mut self, branch_protection: BranchProtection) -> ModuleResult<()> {
        let mut region = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match region.as_mut() {
            Some(region) => region.finalize(branch_protection),
            None => Ok(()),
        }
    }
}

/// The size of the region that the program needs, with room for alignment.
///
/// # Errors
///
/// [`LoadError`] for data that does not fit in memory this way.
pub(super) fn size(
    program: &Program,
    declarations: &Declarations,
    functions: &[CompiledFunction],
) -> Result<u64, LoadError> {
    let mut size = declarations.adapters.as_ref().map_or(0, Adapters::bytes);
    for function in functions {
        let veneers = VENEER * function.relocations.len() as u64;
        size = size.saturating_add(function.code.len() as u64 + veneers + function.align);
    }
    for (_, data) in program.data.iter() {
        if data.align > PAGE {
            return Err(LoadError::Alignment { name: data.name.clone(), align: data.align });
        }
        size = size.saturating_add(data.contents.len().max(1)).saturating_add(data.align);
    }
    // What is shared with the kernel is alone on its pages.
    let shared = program.halves.as_ref().map_or(0, |halves| halves.shared.len());
    size = size.saturating_add(2 * PAGE * shared as u64);
    // There are three kinds of pages, and each takes whole pages.
    size = size.saturating_add(64 * PAGE);
    if size > MAX_PROGRAM { Err(LoadError::TooLarge(size)) } else { Ok(size) }
}
