//! A step over machine code, as a row of its machine's pipeline.

use crate::config::Pass;

/// A step, and the function that runs it: which says whether it changed anything.
pub(crate) struct MachineStep<Run> {
    /// Its switch.
    pub(crate) pass: Pass,
    /// What runs before it if it is on, and why.
    pub(crate) after: &'static [(Pass, &'static str)],
    /// Runs it.
    pub(crate) run: Run,
}
