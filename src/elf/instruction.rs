//! As much of an instruction as linking needs: calls, `ld_imm64`, and where jumps go (RFC 9669, section 3.1).

use crate::program::Endianness;

/// Bytes of one instruction slot.
pub(crate) const SLOT: usize = 8;

const LD_IMM64: u8 = 0x18;
const CALL: u8 = 0x85;
const CALL_REGISTER: u8 = 0x8d;
/// `dst = src` of 64 bits.
const MOVE_REGISTER: u8 = 0xbf;
/// `dst += imm` of 64 bits.
const ADD_CONSTANT: u8 = 0x07;
/// r10.
const FRAME: u8 = 10;
const EXIT: u8 = 0x95;
const GOTO: u8 = 0x05;
const GOTO_LONG: u8 = 0x06;
const GOTO_REGISTER: u8 = 0x0d;
/// `src_reg` of a call of a function of the same section.
const LOCAL: u8 = 1;
/// `src_reg` of a call of a helper by number.
const HELPER: u8 = 0;
/// `src_reg` of a `ld_imm64` of an address of the same section: `code_addr(imm)`.
const CODE_ADDRESS: u8 = 4;

/// One slot of 8 bytes.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    bytes: [u8; SLOT],
    endianness: Endianness,
}

impl Slot {
    pub(crate) fn new(bytes: [u8; SLOT], endianness: Endianness) -> Self {
        Self { bytes, endianness }
    }

    /// The slot at a byte offset, if there is one.
    pub(crate) fn at(code: &[u8], offset: u64, endianness: Endianness) -> Option<Self> {
        let offset = usize::try_from(offset).ok().filter(|offset| offset.is_multiple_of(SLOT))?;
        let bytes = code.get(offset..)?.first_chunk().copied()?;
        Some(Self::new(bytes, endianness))
    }

    pub(crate) fn imm(self) -> i32 {
        let field = [self.bytes[4], self.bytes[5], self.bytes[6], self.bytes[7]];
        match self.endianness {
            Endianness::Little => i32::from_le_bytes(field),
            Endianness::Big => i32::from_be_bytes(field),
        }
    }

    fn offset(self) -> i16 {
        let field = [self.bytes[2], self.bytes[3]];
        match self.endianness {
            Endianness::Little => i16::from_le_bytes(field),
            Endianness::Big => i16::from_be_bytes(field),
        }
    }

    fn source(self) -> u8 {
        match self.endianness {
            Endianness::Little => self.bytes[1] >> 4,
            Endianness::Big => self.bytes[1] & 15,
        }
    }

    fn destination(self) -> u8 {
        match self.endianness {
            Endianness::Little => self.bytes[1] & 15,
            Endianness::Big => self.bytes[1] >> 4,
        }
    }

    /// A call through a register.
    pub(crate) fn is_call_of_register(self) -> bool {
        self.bytes[0] == CALL_REGISTER
    }

    /// The register that it copies the frame's end to.
    pub(crate) fn copies_frame_pointer(self) -> Option<u8> {
        (self.bytes[0] == MOVE_REGISTER && self.source() == FRAME && self.offset() == 0).then(|| self.destination())
    }

    /// The place in the frame that it means, by the frame's end or by a register that was made that by the instruction
    /// before: loads, stores, and additions of a constant.
    pub(crate) fn frame_offset(self, copied: Option<u8>) -> Option<i64> {
        let (class, mode) = (self.bytes[0] & 7, self.bytes[0] & 0xe0);
        let base = match class {
            1 if mode >= 0x60 => self.source(),
            2 | 3 => self.destination(),
            _ if self.bytes[0] == ADD_CONSTANT && copied == Some(self.destination()) => {
                return Some(i64::from(self.imm()));
            }
            _ => return None,
        };
        (base == FRAME).then(|| i64::from(self.offset()))
    }

    /// A call of any kind, but not through a register.
    pub(crate) fn is_call(self) -> bool {
        self.bytes[0] == CALL
    }

    pub(crate) fn is_ld_imm64(self) -> bool {
        self.bytes[0] == LD_IMM64
    }

    /// Slots that it takes.
    pub(crate) fn slots(self) -> usize {
        if self.is_ld_imm64() { 2 } else { 1 }
    }

    /// The slots between the next one and the function that it calls, if that is in the same section.
    pub(crate) fn local_call(self) -> Option<i64> {
        (self.is_call() && self.source() == LOCAL).then(|| i64::from(self.imm()))
    }

    /// The number of the helper that it calls, if it calls one.
    pub(crate) fn helper(self) -> Option<u32> {
        (self.is_call() && self.source() == HELPER).then(|| self.imm().cast_unsigned())
    }

    /// `r0 = *(uN *)skb[...]`: class `LD`, mode `ABS` or `IND`.
    pub(crate) fn is_packet_load(self) -> bool {
        matches!(self.bytes[0] & 0xe7, 0x20 | 0x40)
    }

    /// The slots between the next one and the place whose address it loads, if that is in the same section.
    fn code_address(self) -> Option<i64> {
        (self.is_ld_imm64() && self.source() == CODE_ADDRESS).then(|| i64::from(self.imm()))
    }

    /// Whether the next instruction can follow it.
    pub(crate) fn falls_through(self) -> bool {
        !matches!(self.bytes[0], EXIT | GOTO | GOTO_LONG | GOTO_REGISTER)
    }

    /// The slots between the next one and the jump's target.
    pub(crate) fn jump(self) -> Option<i64> {
        let is_jump = matches!(self.bytes[0] & 7, 5 | 6);
        match self.bytes[0] {
            GOTO_LONG => Some(i64::from(self.imm())),
            GOTO_REGISTER => None,
            _ if is_jump && !matches!(self.bytes[0] & 0xf0, 0x80 | 0x90) => Some(i64::from(self.offset())),
            _ => None,
        }
    }
}

/// A call of a helper by number.
pub(crate) fn helper_call(number: u32, endianness: Endianness) -> [u8; SLOT] {
    let [a, b, c, d] = endianness.word(number);
    [CALL, 0, 0, 0, a, b, c, d]
}

/// A jump to behind the next instruction, which leaves a function of this one instruction: it traps.
pub(crate) fn trap(endian: object::Endianness) -> [u8; SLOT] {
    match endian {
        object::Endianness::Little => [GOTO, 0, 1, 0, 0, 0, 0, 0],
        object::Endianness::Big => [GOTO, 0, 0, 1, 0, 0, 0, 0],
    }
}

/// The addend in an `ld_imm64`: all 64 bits, or the lower 32 with their sign if the upper are 0.
pub(crate) fn ld_imm64_addend(code: &[u8], offset: u64, endianness: Endianness) -> Option<i64> {
    let low = Slot::at(code, offset, endianness)?.imm();
    let high = Slot::at(code, offset.checked_add(8)?, endianness)?.imm();
    let wide = i64::from(high) << 32 | i64::from(low.cast_unsigned());
    Some(if high == 0 { i64::from(low) } else { wide })
}

/// The instructions of a section, with their slot numbers.
pub(crate) fn slots(code: &[u8], endianness: Endianness) -> impl Iterator<Item = (usize, Slot)> {
    let (all, _) = code.as_chunks();
    let mut next = 0;
    std::iter::from_fn(move || {
        let index = next;
        let slot = Slot::new(*all.get(index)?, endianness);
        next += slot.slots();
        Some((index, slot))
    })
}

/// The byte offsets of calls of helpers by number, and the numbers.
pub(crate) fn helper_calls(code: &[u8], endianness: Endianness) -> impl Iterator<Item = (u64, u32)> {
    slots(code, endianness).filter_map(|(index, slot)| Some(((index * SLOT) as u64, slot.helper()?)))
}

/// The byte offsets of `code_addr` loads and of the places in the section that they mean (RFC 9669 section 5.4).
pub(crate) fn code_addresses(code: &[u8], endianness: Endianness) -> impl Iterator<Item = (u64, u64)> {
    slots(code, endianness).filter_map(move |(index, slot)| {
        let target = usize::try_from(slot.code_address()? + index as i64 + 1).ok()?;
        (target < code.len() / SLOT).then_some(((index * SLOT) as u64, (target * SLOT) as u64))
    })
}
