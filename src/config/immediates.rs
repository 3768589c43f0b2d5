//! Which constants an instruction takes as they are, and what the others cost.
//!
//! In: a target's architecture, a constant, what it is used for. Out: how many instructions make it in a register; 0 where the
//! instruction that uses it has it inside. These are Cranelift's rules for the architectures' encodings.
//!
//! | use | x86-64 | aarch64 | others |
//! |---|---|---|---|
//! | added, subtracted, compared | 32 bits | 12 bits, or 12 bits above 12 zeros | 12 bits |
//! | mask (and, or, xor) | 32 bits | a rotated run of ones, repeated | 12 bits |
//! | factor | 32 bits | none but powers of two | none but powers of two |
//! | stored, selected | 32 bits | 0 | 0 |

use target_lexicon::Architecture;

/// What a constant is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstantUse {
    /// It is added, subtracted, or compared with.
    Addend,
    /// It is the operand of and, or, xor.
    Mask,
    /// It is multiplied by.
    Factor,
    /// It is stored, or one of the values that a select chooses from.
    Moved,
}

/// The immediate operands of an architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Immediates {
    /// Sign-extended 32 bits; all 64 by one long instruction.
    Words,
    /// Those of aarch64; 16 bits by each instruction.
    Arm,
    /// Sign-extended 12 bits; 12 or 20 by each instruction.
    Short,
}

impl Immediates {
    /// Those of an architecture.
    pub(super) fn of(architecture: Architecture) -> Immediates {
        match architecture {
            Architecture::X86_64 => Immediates::Words,
            Architecture::Aarch64(_) => Immediates::Arm,
            _ => Immediates::Short,
        }
    }

    /// How many instructions make a constant, sign-extended from its type, for an instruction that uses it so; 0 if none.
    pub fn cost(self, constant: i64, is_wide: bool, used: ConstantUse) -> u32 {
        let magnitude = constant.unsigned_abs();
        let is_short = (-2048..2048).contains(&constant);
        // A zero-extension is a mask of 32 ones, which no target has as a constant.
        if used == ConstantUse::Mask && constant == 0xffff_ffff || constant == 0 {
            return 0;
        }
        let is_immediate = match (self, used) {
            (Immediates::Words, _) => i32::try_from(constant).is_ok(),
            (_, ConstantUse::Factor) => magnitude.is_power_of_two(),
            (_, ConstantUse::Moved) => false,
            (Immediates::Arm, ConstantUse::Addend) => {
                magnitude < 1 << 12 || magnitude < 1 << 24 && magnitude.trailing_zeros() >= 12
            }
            (Immediates::Arm, ConstantUse::Mask) => is_repeated_run(constant, is_wide),
            (Immediates::Short, _) => is_short,
        };
        match self {
            _ if is_immediate => 0,
            Immediates::Words => 1,
            Immediates::Arm if is_repeated_run(constant, is_wide) => 1,
            Immediates::Arm => {
                let parts = if is_wide { 4 } else { 2 };
                let differing =
                    |from: i64| (0..parts).filter(|part| (constant ^ from) >> (16 * part) & 0xffff != 0).count();
                differing(0).min(differing(-1)).max(1) as u32
            }
            Immediates::Short if is_short => 1,
            Immediates::Short if i32::try_from(constant).is_ok() => 2,
            Immediates::Short => 4,
        }
    }
}

/// Whether a number is a run of ones in an element of 2 to 64 bits, rotated, and repeated (Arm ARM, `DecodeBitMasks`).
fn is_repeated_run(constant: i64, is_wide: bool) -> bool {
    let low = constant as u64 & u64::from(u32::MAX);
    let bits = if is_wide { constant as u64 } else { low << 32 | low };
    // All bits of the smallest element that repeats are those at the next element's place: of these, two differ from their neighbour.
    let sizes = [2, 4, 8, 16, 32, 64];
    let Some(size) = sizes.into_iter().find(|&size| bits.rotate_right(size % 64) == bits) else { return false };
    (bits ^ bits.rotate_right(1)).count_ones() == 2 * (64 / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_of_aarch64() {
        for yes in [
            1,
            0xff,
            0xff00,
            0x7fff_ffff_ffff_ffff,
            -2,
            0x5555_5555_5555_5555,
            0x0f0f_0f0f_0f0f_0f0f,
            -256,
            0x8000_0000_0000_0001_u64 as i64,
        ] {
            assert!(is_repeated_run(yes, true), "{yes:#x}");
        }
        for no in [0, -1, 5, 0x1234, 0xff00ff, 0x5555_5555_5555_5554] {
            assert!(!is_repeated_run(no, true), "{no:#x}");
        }
        assert!(is_repeated_run(0xff00ff, false));
        assert_eq!((0..1 << 20).filter(|&number| is_repeated_run(number, true)).count(), 20 * 21 / 2);
    }

    #[test]
    fn costs_of_aarch64() {
        let cost = |constant, used| Immediates::Arm.cost(constant, true, used);
        assert_eq!(cost(4095, ConstantUse::Addend), 0);
        assert_eq!(cost(-0x5000, ConstantUse::Addend), 0);
        assert_eq!(cost(4097, ConstantUse::Addend), 1);
        assert_eq!(cost(255, ConstantUse::Mask), 0);
        assert_eq!(cost(5, ConstantUse::Mask), 1);
        assert_eq!(cost(8, ConstantUse::Factor), 0);
        assert_eq!(cost(10, ConstantUse::Factor), 1);
        assert_eq!(cost(0x1234_5678, ConstantUse::Moved), 2);
        assert_eq!(cost(-0x1234_5678, ConstantUse::Moved), 2);
        assert_eq!(cost(0x9e37_79b9_7f4a_7c15_u64 as i64, ConstantUse::Factor), 4);
    }
}
