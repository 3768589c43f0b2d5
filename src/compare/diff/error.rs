//! Why two sides cannot be compared.

use crate::compare::report::ReportError;

/// Why two sides cannot be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// A side has no report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Native code cannot be read.
    #[error("`{file}` cannot be read as native code: {reason}")]
    Native {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// Native code for another machine.
    #[error("`{file}` is code for {found}, and the target is {target}: see `--target`")]
    Machine {
        /// The file.
        file: String,
        /// Its machine.
        found: String,
        /// The target's.
        target: String,
    },
    /// The kernel does not load programs, or not for this target.
    #[error("cannot compare with the kernel: {0}")]
    Kernel(String),
}
