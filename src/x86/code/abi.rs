//! Registers and the stack, as the System V psABI for x86-64 has them. Registers have the processor's numbers.

/// General registers, a bit each.
pub(crate) type RegisterSet = u16;

/// The stack pointer.
pub(crate) const RSP: u8 = 4;

/// The frame pointer.
pub(crate) const RBP: u8 = 5;

/// Callee-saved registers (section 3.2.1), but for the frame and the stack pointer.
pub(crate) const CALLEE_SAVED: RegisterSet = 1 << 3 | 0xf << 12;

/// Those that a call may read: arguments, and the number of vector registers that hold some.
pub(crate) const ARGUMENTS: RegisterSet = 1 | 1 << 1 | 1 << 2 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9;

/// Those that hold results.
pub(crate) const RESULTS: RegisterSet = 1 | 1 << 2;

/// The DWARF numbers of general registers (figure 3.36).
pub(crate) const DWARF_NUMBERS: [u16; 16] = [0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15];

/// Bytes of a saved register, and of a return address.
pub(crate) const WORD: u32 = 8;

/// The stack pointer is a multiple of this at calls (section 3.2.2).
pub(crate) const STACK_ALIGNMENT: u32 = 16;
