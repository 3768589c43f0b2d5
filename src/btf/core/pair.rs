//! The two sides of a relocation, and how much may be compared of them.

use super::error::CoreCause;
use crate::btf::Btf;

/// The two sides of a relocation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub(super) local: &'a Btf,
    pub(super) target: &'a Btf,
}

/// How many comparisons of parts one relocation may take.
pub(super) const MAX_STEPS: u32 = 1 << 20;

/// Counts comparisons.
pub(super) struct Budget(u32);

impl Budget {
    pub(super) fn new() -> Self {
        Budget(MAX_STEPS)
    }

    pub(super) fn spend(&mut self) -> Result<(), CoreCause> {
        self.0 = self.0.checked_sub(1).ok_or(CoreCause::TooComplex)?;
        Ok(())
    }
}
