//! The fields of an instruction word.

/// A field that has the number of a register that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its lowest bit.
    pub(crate) at: u8,
    /// Whether all 64 bits of the register are read.
    pub(crate) wide: bool,
    /// Whether 31 in it is the register that is always 0, and not the stack pointer.
    pub(crate) has_zero: bool,
}

impl Field {
    /// The number in it.
    pub(crate) fn of(self, word: u32) -> u8 {
        bits(word, self.at, 5) as u8
    }

    /// The word with another number in it.
    pub(crate) fn with(self, word: u32, number: u8) -> u32 {
        with(word, self.at, 5, u32::from(number))
    }
}

/// Up to three of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    list: [Field; 3],
    count: u8,
}

impl Fields {
    /// None.
    pub(crate) const NONE: Fields = Fields { list: [Field { at: 0, wide: false, has_zero: false }; 3], count: 0 };

    /// One more; no instruction has a fourth.
    pub(crate) fn push(&mut self, field: Field) {
        if let Some(place) = self.list.get_mut(usize::from(self.count)) {
            *place = field;
            self.count += 1;
        }
    }
}

impl std::ops::Deref for Fields {
    type Target = [Field];

    fn deref(&self) -> &[Field] {
        &self.list[..usize::from(self.count)]
    }
}

/// So many bits of a word, from one on.
pub(crate) fn bits(word: u32, at: u8, size: u8) -> u32 {
    word >> at & ((1 << size) - 1)
}

/// A word with other bits there.
pub(crate) fn with(word: u32, at: u8, size: u8, value: u32) -> u32 {
    let mask = ((1 << size) - 1) << at;
    word & !mask | value << at & mask
}

/// A number of so many bits, with its sign.
pub(crate) fn signed(value: u32, size: u8) -> i32 {
    let rest = 32 - u32::from(size);
    (value << rest).cast_signed() >> rest
}

/// The constant of a bitwise operation (`DecodeBitMasks`, Arm Architecture Reference Manual, shared pseudocode); none if it is reserved.
pub(crate) fn mask(n: bool, rotation: u32, ones: u32, wide: bool) -> Option<u64> {
    let length = 31_u32.checked_sub((u32::from(n) << 6 | (!ones & 0x3f)).leading_zeros())?;
    if length == 0 || (n && !wide) {
        return None;
    }
    let size = 1_u32 << length;
    let (rotation, ones) = (rotation & (size - 1), ones & (size - 1));
    if ones == size - 1 {
        return None;
    }
    let run = (1_u64 << (ones + 1)) - 1;
    let element = if rotation == 0 { run } else { (run >> rotation) | run << (size - rotation) };
    let element = if size == 64 { element } else { element & ((1 << size) - 1) };
    let mut mask = 0;
    for place in (0..64).step_by(size as usize) {
        mask |= element << place;
    }
    Some(if wide { mask } else { mask & u64::from(u32::MAX) })
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn constants_of_bitwise_operations() {
        assert_eq!(mask(true, 0, 7, true), Some(0xff));
        assert_eq!(mask(false, 0, 0x3c, true), Some(0x5555_5555_5555_5555));
        assert_eq!(mask(true, 60, 59, true), Some(!0xf));
        assert_eq!(mask(false, 24, 7, false), Some(0xff00));
        assert_eq!(mask(true, 0, 63, true), None);
        assert_eq!(mask(true, 0, 7, false), None);
    }
}
