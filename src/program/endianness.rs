//! Byte order.

/// Byte order of the objects, as `e_ident[EI_DATA]` says it: `-target bpfel` or `-target bpfeb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endianness {
    /// `ELFDATA2LSB`: the low nibble of an instruction's second byte is the destination register.
    Little,
    /// `ELFDATA2MSB`: the high nibble of an instruction's second byte is the destination register.
    Big,
}

impl Endianness {
    /// The bytes of a word.
    pub fn word(self, number: u32) -> [u8; 4] {
        match self {
            Endianness::Little => number.to_le_bytes(),
            Endianness::Big => number.to_be_bytes(),
        }
    }

    /// The bytes of a double word.
    pub fn double_word(self, number: u64) -> [u8; 8] {
        match self {
            Endianness::Little => number.to_le_bytes(),
            Endianness::Big => number.to_be_bytes(),
        }
    }
}
