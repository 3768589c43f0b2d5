//! Instructions from their words (Arm Architecture Reference Manual for A-profile, section C4.1).
//!
//! In: 32 bits. Out: an [`Instruction`]. The rule: what is not known reads and writes everything; what transfers control or refers to
//! places near it is always known.

use super::fields::{Fields, bits, signed};
use super::instruction::{Branch, Instruction, Kind, Plain, field};
use super::registers::{ALL, AT_RETURN, CALLEE_SAVED, CLOBBERED, R31, SP, register};

/// Decodes an instruction.
pub(crate) fn decode(word: u32) -> Instruction {
    match bits(word, 25, 4) {
        0b1000 | 0b1001 => immediate(word),
        0b1010 | 0b1011 => control(word),
        0b0100 | 0b0110 | 0b1100 | 0b1110 => access(word),
        0b0101 | 0b1101 => data_processing(word),
        0b0111 | 0b1111 => vector(word),
        // `udf`.
        0 if word >> 16 == 0 => Instruction { reads: CALLEE_SAVED, ..Instruction::new(word, Kind::Trap) },
        _ => Instruction::unknown(word),
    }
}

fn plain(word: u32, plain: Plain) -> Instruction {
    Instruction::new(word, Kind::Plain(plain))
}

/// Data processing with immediates (C4.1.93).
fn immediate(word: u32) -> Instruction {
    let wide = word >> 31 != 0;
    let width = if wide { 64 } else { 32 };
    let (opc, high) = (bits(word, 29, 2), bits(word, 22, 1) != 0);
    match bits(word, 23, 3) {
        0b000 | 0b001 => {
            let distance = signed(bits(word, 5, 19) << 2 | bits(word, 29, 2), 21);
            // `adrp` is filled in by a relocation.
            let kind = if wide { Kind::Fixed } else { Kind::PcRelative(distance) };
            Instruction { wide: true, ..Instruction::new(word, kind) }.writing(0)
        }
        0b010 => {
            let constant = bits(word, 10, 12) << if high { 12 } else { 0 };
            let made = plain(word, Plain::AddConstant { subtracts: opc & 2 != 0, constant }).reading_or_sp(5);
            if opc & 1 != 0 {
                made.writing(0).with_flags(false, true)
            } else if field(word, 0) == R31 {
                Instruction { writes: SP, ..made }
            } else {
                made.writing(0)
            }
        }
        0b100 => {
            let Some(mask) = super::fields::mask(high, bits(word, 16, 6), bits(word, 10, 6), wide) else {
                return Instruction::unknown(word);
            };
            // `mov` of a constant.
            let made = match opc {
                0b01 if field(word, 5) == R31 => plain(word, Plain::Constant(mask)),
                0b00 => plain(word, Plain::Mask(mask)).reading(5, wide),
                _ => plain(word, Plain::Other { bits: width }).reading(5, wide),
            };
            match opc {
                0b11 => made.writing(0).with_flags(false, true),
                _ if field(word, 0) == R31 => Instruction { writes: SP, ..made },
                _ => made.writing(0),
            }
        }
        0b101 => {
            let shifted = u64::from(bits(word, 5, 16)) << (16 * bits(word, 21, 2));
            let whole = if wide { u64::MAX } else { u64::from(u32::MAX) };
            match opc {
                0b00 => plain(word, Plain::Constant(!shifted & whole)).writing(0),
                0b10 => plain(word, Plain::Constant(shifted)).writing(0),
                // `movk` keeps the other bits of its register.
                0b11 => keeping(plain(word, Plain::Other { bits: width })),
                _ => Instruction::unknown(word),
            }
        }
        0b110 => bitfield(word, opc, wide),
        0b111 if opc == 0 && bits(word, 21, 1) == 0 => {
            let amount = bits(word, 10, 6) as u8;
            let is_rotation = field(word, 5) == field(word, 16) && amount < width;
            let made = if is_rotation { Plain::Shift { shift: 3, amount } } else { Plain::Other { bits: width } };
            plain(word, made).reading(5, wide).reading(16, wide).writing(0)
        }
        _ => Instruction::unknown(word),
    }
}

/// Writes the register in bits 0 to 4, of which it keeps some bits: it is no source that can be another register.
fn keeping(instruction: Instruction) -> Instruction {
    let kept = register(field(instruction.word, 0));
    Instruction { reads: instruction.reads | kept, writes: instruction.writes | kept, ..instruction }
}

/// `sbfm`, `bfm`, `ubfm` (C4.1.93.6).
fn bitfield(word: u32, opc: u32, wide: bool) -> Instruction {
    let width: u8 = if wide { 64 } else { 32 };
    let (right, left) = (bits(word, 16, 6) as u8, bits(word, 10, 6) as u8);
    if right >= width || left >= width {
        return Instruction::unknown(word);
    }
    let made = match opc {
        0b00 if left == width - 1 => Plain::Shift { shift: 2, amount: right },
        0b10 if left == width - 1 => Plain::Shift { shift: 1, amount: right },
        0b10 if left + 1 == right => Plain::Shift { shift: 0, amount: width - right },
        0b10 if right == 0 => Plain::ZeroExtend { bits: left + 1 },
        0b10 if left >= right => Plain::Extract { from: right, bits: left - right + 1 },
        0b00..=0b10 => Plain::Other { bits: width },
        _ => return Instruction::unknown(word),
    };
    let made = plain(word, made).reading(5, wide);
    if opc == 0b01 { keeping(made) } else { made.writing(0) }
}

/// Branches, calls, traps (C4.1.94).
fn control(word: u32) -> Instruction {
    let near = |kind, at, size| Kind::Branch(kind, signed(bits(word, at, size), size));
    let call = |made: Instruction| Instruction { reads: made.reads | CALLEE_SAVED, writes: CLOBBERED, ..made };
    let everything = |made: Instruction| Instruction { reads: ALL, ..made };
    if bits(word, 26, 5) == 0b00101 {
        if word >> 31 != 0 {
            return call(Instruction::new(word, Kind::Call));
        }
        return Instruction::new(word, near(Branch::Always, 0, 26));
    }
    match (bits(word, 25, 6), word & 0xffff_fc1f) {
        (0b011010, _) => {
            let made = Instruction::new(word, near(Branch::Zero, 5, 19));
            let wide = made.wide;
            made.reading(0, wide)
        }
        (0b011011, _) => {
            let made = Instruction::new(word, near(Branch::Bit, 5, 14));
            let wide = made.wide;
            made.reading(0, wide)
        }
        _ if bits(word, 24, 8) == 0b0101_0100 && bits(word, 4, 1) == 0 => {
            Instruction::new(word, near(Branch::Flags, 5, 19)).with_flags(true, false)
        }
        (_, 0xd61f_0000) => everything(Instruction::new(word, Kind::Jump).reading(5, true)),
        (_, 0xd63f_0000) => call(Instruction::new(word, Kind::Call).reading(5, true)),
        (_, 0xd65f_0000) => {
            Instruction { reads: AT_RETURN | register(field(word, 5)), ..Instruction::new(word, Kind::Return) }
        }
        _ => Instruction::unknown(word),
    }
}

/// Loads and stores (C4.1.95).
fn access(word: u32) -> Instruction {
    let (is_vector, size, opc) = (bits(word, 26, 1) != 0, bits(word, 30, 2), bits(word, 22, 2));
    match bits(word, 27, 3) {
        0b111 => {
            let is_load = if is_vector { opc & 1 != 0 } else { opc != 0 };
            // `prfm`.
            if !is_vector && size == 3 && opc >= 2 {
                let is_near = bits(word, 24, 2) == 1;
                let made = Instruction::new(word, Kind::Fixed).reading_or_sp(5);
                return if is_near { made } else { Instruction::unknown(word) };
            }
            let wide = if is_load { opc == 2 || size == 3 } else { size == 3 };
            let bits_read = match opc {
                1 => 8 << size,
                3 => 32,
                _ => 64,
            };
            let kind = if is_load { Kind::Load { bits: bits_read } } else { Kind::Store };
            let made = Instruction { wide: true, ..Instruction::new(word, kind) }.reading_or_sp(5);
            let moves_base = bits(word, 24, 2) == 0 && bits(word, 21, 1) == 0 && bits(word, 10, 1) == 1;
            let made = match (bits(word, 24, 2), bits(word, 21, 1), bits(word, 10, 2)) {
                (0b01, ..) | (0b00, 0, 0b00) => made,
                (0b00, 0, 0b01 | 0b11) => moving_base(made),
                (0b00, 1, 0b10) => made.reading(16, bits(word, 13, 1) != 0),
                _ => return Instruction::unknown(word),
            };
            match (is_vector, is_load) {
                (true, _) => Instruction { wide, ..made },
                (false, true) => of_data(Instruction { wide, ..made }, moves_base),
                (false, false) => Instruction { wide, ..made.reading(0, wide) },
            }
        }
        0b101 => {
            let mode = bits(word, 23, 3);
            if mode > 0b011 || mode == 0 {
                return Instruction::unknown(word);
            }
            let is_load = opc & 1 != 0;
            let kind = if is_load { Kind::Load { bits: 0 } } else { Kind::Store };
            let made = Instruction { wide: true, ..Instruction::new(word, kind) }.reading_or_sp(5);
            let made = if mode == 0b010 { made } else { moving_base(made) };
            let wide = size == 2;
            let made = match (is_vector, is_load) {
                (true, _) => made,
                (false, true) => {
                    let both = register(field(word, 0)) | register(field(word, 10));
                    Instruction { writes: made.writes | both, ..made }
                }
                (false, false) => made.reading(0, wide).reading(10, wide),
            };
            Instruction { wide, ..made }
        }
        0b011 if bits(word, 24, 2) == 0 => {
            let made = Instruction::new(word, Kind::PcRelative(signed(bits(word, 5, 19), 19) * 4));
            // `prfm`; the others of a general register.
            match (is_vector, size) {
                (true, _) => made,
                (false, 3) => Instruction::unknown(word),
                (false, _) => Instruction { wide: size != 0, ..made.writing(0) },
            }
        }
        _ => Instruction::unknown(word),
    }
}

/// A load of the register in bits 0 to 4.
fn of_data(made: Instruction, moves_base: bool) -> Instruction {
    if moves_base {
        Instruction { writes: made.writes | register(field(made.word, 0)), ..made }
    } else {
        made.writing(0)
    }
}

/// The register of its address is moved on: it is no source that can be another register.
fn moving_base(made: Instruction) -> Instruction {
    let base = match field(made.word, 5) {
        R31 => SP,
        number => register(number),
    };
    Instruction { sources: Fields::NONE, writes: made.writes | base, ..made }
}

/// Data processing with registers (C4.1.96).
fn data_processing(word: u32) -> Instruction {
    let wide = word >> 31 != 0;
    let width = if wide { 64 } else { 32 };
    let (opc, sets_flags) = (bits(word, 29, 2), bits(word, 29, 1) != 0);
    let (shift, amount) = (bits(word, 22, 2) as u8, bits(word, 10, 6) as u8);
    let other = plain(word, Plain::Other { bits: width });
    let two = |made: Instruction| made.reading(5, wide).reading(16, wide).writing(0);
    match bits(word, 24, 5) {
        0b01010 => {
            let is_copy = opc == 1 && amount == 0 && shift == 0 && field(word, 5) == R31 && bits(word, 21, 1) == 0;
            match (is_copy, field(word, 16)) {
                (true, R31) => plain(word, Plain::Constant(0)).writing(0),
                (true, _) => plain(word, Plain::Copy).reading(16, wide).writing(0),
                (false, _) => two(plain(word, Plain::Logic { shift, amount })).with_flags(false, opc == 3),
            }
        }
        0b01011 if bits(word, 21, 1) == 0 => {
            two(plain(word, Plain::Add { subtracts: opc & 2 != 0, shift, amount })).with_flags(false, sets_flags)
        }
        0b01011 if shift == 0 => {
            let made = other.reading_or_sp(5).reading(16, bits(word, 13, 2) == 3);
            if sets_flags {
                made.writing(0).with_flags(false, true)
            } else if field(word, 0) == R31 {
                Instruction { writes: SP, ..made }
            } else {
                made.writing(0)
            }
        }
        0b11010 => match bits(word, 21, 3) {
            0b000 if bits(word, 10, 6) == 0 => two(other).with_flags(true, sets_flags),
            0b010 if sets_flags => {
                let made = other.reading(5, wide);
                let made = if bits(word, 11, 1) == 0 { made.reading(16, wide) } else { made };
                made.with_flags(true, true)
            }
            0b100 if !sets_flags => two(other).with_flags(true, false),
            // Instructions of extensions may set flags, and are left alone.
            0b110 if !sets_flags && opc & 2 != 0 && bits(word, 16, 5) == 0 && bits(word, 10, 6) < 6 => {
                other.reading(5, wide).writing(0)
            }
            0b110 if opc == 0 && matches!(bits(word, 10, 6), 2 | 3 | 8..=11) => two(other),
            _ => Instruction::unknown(word),
        },
        0b11011 if opc == 0 => {
            // Products of 32 bits that are added to 64.
            let narrow = matches!(bits(word, 21, 3), 1 | 5);
            let made = other.reading(5, wide && !narrow).reading(16, wide && !narrow);
            made.reading(10, wide).writing(0)
        }
        _ => Instruction::unknown(word),
    }
}

/// Floats and vectors (C4.1.97).
fn vector(word: u32) -> Instruction {
    let made = Instruction { wide: false, ..Instruction::new(word, Kind::Fixed) };
    let wide = word >> 31 != 0;
    let writes = |made: Instruction| Instruction { writes: register(field(word, 0)), wide, ..made };
    let reads = |made: Instruction| Instruction { reads: register(field(word, 5)), wide, ..made };
    if word & 0x5f00_0000 == 0x1e00_0000 {
        return match (bits(word, 21, 1), bits(word, 10, 6)) {
            (0, _) => Instruction::unknown(word),
            (_, 0) if matches!(bits(word, 16, 3), 2 | 3 | 7) => reads(made),
            (_, 0) => writes(made),
            (_, 0b001000) => made.with_flags(false, true),
            (_, low) if low & 3 == 1 => made.with_flags(true, true),
            (_, low) if low & 3 == 3 => made.with_flags(true, false),
            _ => made,
        };
    }
    if word & 0x9fe0_8400 == 0x0e00_0400 && bits(word, 29, 1) == 0 {
        return match bits(word, 11, 4) {
            0b0001 | 0b0011 => reads(made),
            0b0101 | 0b0111 => writes(made),
            _ => made,
        };
    }
    made
}
