//! Why bytes are not an instruction.

/// Why bytes are not an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// No instruction has this opcode byte.
    #[error("unknown opcode `{0:#04x}`")]
    Opcode(u8),
    /// A register above r10.
    #[error("opcode `{opcode:#04x}` names register r{register}: there are r0 to r10")]
    Register {
        /// The opcode byte.
        opcode: u8,
        /// The register field.
        register: u8,
    },
    /// r10 where an instruction writes.
    #[error("opcode `{0:#04x}` writes r10, the frame pointer, which is read-only")]
    FramePointer(u8),
    /// A field holds a value that has no meaning for this opcode.
    #[error("opcode `{opcode:#04x}` with `{field}` = {value:#x}: {expected}")]
    Field {
        /// The opcode byte.
        opcode: u8,
        /// `dst`, `src`, `offset` or `imm`.
        field: &'static str,
        /// What it holds.
        value: i64,
        /// What would be right.
        expected: &'static str,
    },
    /// A 64-bit immediate load is cut off, or its second slot has an opcode, register or offset.
    #[error("a 64-bit immediate load (`0x18`) has no valid second slot")]
    SecondSlot,
}
