//! The bytes of an instruction, held in place.

/// The longest instruction.
const MAX_SIZE: usize = 15;

/// The bytes of an instruction; none at all for one that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InstructionBytes {
    bytes: [u8; MAX_SIZE],
    size: u8,
}

impl InstructionBytes {
    /// None at all.
    pub(crate) const NONE: InstructionBytes = InstructionBytes { bytes: [0; MAX_SIZE], size: 0 };

    /// Parts, put together; none where that is longer than any instruction.
    pub(crate) fn new(parts: [&[u8]; 3]) -> Option<InstructionBytes> {
        let mut bytes = [0; MAX_SIZE];
        let mut size = 0;
        for part in parts {
            bytes.get_mut(size..size + part.len())?.copy_from_slice(part);
            size += part.len();
        }
        Some(InstructionBytes { bytes, size: u8::try_from(size).ok()? })
    }

    /// An instruction of a known size.
    pub(crate) fn of<const N: usize>(instruction: [u8; N]) -> InstructionBytes {
        const { assert!(N <= MAX_SIZE) };
        let mut bytes = [0; MAX_SIZE];
        bytes[..N].copy_from_slice(&instruction);
        InstructionBytes { bytes, size: N as u8 }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.size)]
    }
}
