//! Sets of registers, and what calls do with them (Procedure Call Standard for the Arm 64-bit Architecture, section 6.1).

/// Registers, a bit each: `x0` to `x30` by their numbers, then the stack pointer and the flags.
pub(crate) type RegisterSet = u64;

/// What a register field has that means the stack pointer or the register that is always 0.
pub(crate) const R31: u8 = 31;

/// The stack pointer.
pub(crate) const SP: RegisterSet = 1 << 31;

/// The frame pointer.
pub(crate) const FRAME: RegisterSet = 1 << 29;

/// The condition flags.
pub(crate) const FLAGS: RegisterSet = 1 << 32;

/// All.
pub(crate) const ALL: RegisterSet = (1 << 33) - 1;

/// Those that a callee gives back as they were, the frame and the stack pointer among them.
pub(crate) const CALLEE_SAVED: RegisterSet = 0x7ff << 19 | SP;

/// Those that calls may read: arguments, and where a large result goes.
pub(crate) const ARGUMENTS: RegisterSet = 0x1ff;

/// Those that a call may change: all others, and the one that it returns by.
pub(crate) const CLOBBERED: RegisterSet = 0x7ffff | 1 << 30 | FLAGS;

/// Those that have results.
pub(crate) const RESULTS: RegisterSet = 0xff;

/// Those that a caller wants back, and where it is.
pub(crate) const AT_RETURN: RegisterSet = CALLEE_SAVED | 1 << 30;

/// The set of one register; of none, if it is the one that is always 0.
pub(crate) fn register(number: u8) -> RegisterSet {
    if number == R31 { 0 } else { 1 << number }
}

/// The registers that the calls of a function, and its callers, may look at, of those that have arguments and results.
#[derive(Clone, Copy)]
pub(crate) struct CallRegisters {
    /// By all calls that it makes.
    pub(crate) arguments: RegisterSet,
    /// By its callers.
    pub(crate) results: RegisterSet,
}

impl Default for CallRegisters {
    fn default() -> CallRegisters {
        CallRegisters { arguments: ARGUMENTS, results: RESULTS }
    }
}
