//! The pool of threads that compile functions.

use super::error::CompileError;

/// More threads for each processor are of no use.
const THREADS_PER_PROCESSOR: usize = 4;

/// A pool of `threads` threads (0: one for each processor), at most four for each processor.
///
/// # Errors
///
/// [`CompileError::Threads`] when the system refuses.
pub fn thread_pool(threads: usize) -> Result<rayon::ThreadPool, CompileError> {
    let most = std::thread::available_parallelism().map_or(1, usize::from) * THREADS_PER_PROCESSOR;
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.min(most))
        .build()
        .map_err(|error| CompileError::Threads { threads, reason: error.to_string() })
}
