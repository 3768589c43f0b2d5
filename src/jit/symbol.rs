//! A function of a loaded program, as unwinders and debuggers know it.

/// A function, as it is registered.
pub(super) struct Symbol {
    pub name: String,
    pub address: u64,
    pub size: u64,
    /// Whether other objects could refer to it by this name.
    pub global: bool,
}
