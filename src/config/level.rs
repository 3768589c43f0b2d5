//! Levels of optimisation.

/// How much to optimise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OptLevel {
    /// The fastest translation: single-pass register allocation, no optimisation.
    O0,
    /// Good register allocation, no optimisation.
    O1,
    /// All optimisations ([`super::Pass`]) too.
    #[default]
    O2,
}
