//! An instruction as it is decoded: its size, what it does, what it refers to.

use super::effects::Effects;

/// An instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    /// Bytes.
    pub(crate) size: u32,
    pub(crate) effects: Effects,
    pub(crate) form: Form,
    /// Whether control never goes on behind it.
    pub(crate) ends: bool,
}

/// What an instruction refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Nothing in the code.
    Plain,
    /// A direct branch, to a distance from its end; with the condition's number in the opcode.
    Branch { condition: Option<u8>, distance: i64 },
    /// A direct branch of another form: a call.
    Call,
    /// A jump to the address in a register.
    RegisterJump,
    /// An address at a distance from its end, which is in the 4 bytes at `at`; of the memory there it accesses so many bytes, 0
    /// where it only takes the address.
    PcRelative { at: u8, distance: i64, accessed: u32 },
}
