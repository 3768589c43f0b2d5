//! Byte order.

/// Byte order of the objects, as `e_ident[EI_DATA]` says it: `-target bpfel` or `-target bpfeb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endianness {
    /// `ELFDATA2LSB`: the low nibble of an instruction's second byte is the destination register.
    Little,
    /// `ELFDATA2MSB`: the high nibble of an instruction's second byte is the destination register.
    Big,
}
