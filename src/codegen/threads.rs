//! The pool of threads that compile functions, and which programs are worth it.

use std::sync::OnceLock;

use rayon::ThreadPool;

use super::error::CompileError;
use crate::program::Program;

/// More threads for each processor are of no use.
const THREADS_PER_PROCESSOR: usize = 4;

/// Bytes of code that this thread has translated before others have woken up: 128 instructions.
const SMALL: usize = 1024;

/// The threads that compile functions, which start when there is something for them to do.
pub struct Threads {
    count: usize,
    pool: OnceLock<ThreadPool>,
}

impl Threads {
    /// So many threads (0: one for each processor), at most four for each processor.
    pub fn new(count: usize) -> Threads {
        Threads { count, pool: OnceLock::new() }
    }

    /// The pool that compiles a program; none if the program is so small that the thread which asks does it.
    ///
    /// # Errors
    ///
    /// [`CompileError::Threads`] when the system refuses.
    pub fn for_program(&self, program: &Program) -> Result<Option<&ThreadPool>, CompileError> {
        let code: usize = program.code.iter().map(|(_, section)| section.bytes.len()).sum();
        if code <= SMALL {
            return Ok(None);
        }
        if self.pool.get().is_none() {
            let made = thread_pool(self.count)?;
            // Another thread may have made one meanwhile.
            let _ = self.pool.set(made);
        }
        Ok(self.pool.get())
    }
}

/// A pool of `threads` threads (0: one for each processor), at most four for each processor.
///
/// # Errors
///
/// [`CompileError::Threads`] when the system refuses.
pub fn thread_pool(threads: usize) -> Result<ThreadPool, CompileError> {
    let most = std::thread::available_parallelism().map_or(1, usize::from) * THREADS_PER_PROCESSOR;
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.min(most))
        .build()
        .map_err(|error| CompileError::Threads { threads, reason: error.to_string() })
}
