//! Offsets from r10 that LLVM cut off.
//!
//! In: an instruction, and the size of its function's frame, if the compiler says it (`.stack_sizes`). Out: the
//! instruction with the offset that was meant.
//!
//! LLVM 19 to 23 lay out frames of any size (`-mllvm -bpf-stack-size`), and keep 16 bits of an offset from r10, in
//! silence: `r10 - 33040` becomes `r10 + 32496`. Sums (`r1 = r10; r1 += -33040`) have 32 bits and are right. Nothing
//! lies above r10, so each access of r10 is at one of `offset - n * 65536` in the frame:
//!
//! | frame | such places | the access |
//! |---|---|---|
//! | up to 32 KiB | the offset itself | as it is |
//! | up to 64 KiB | one | is read as that |
//! | more | one, or several | is read as that, or is an error: it cannot be known what was meant |
//! | not known | | as it is, or an error: above r10, or where the code shows a frame of more than 64 KiB ([`unclear`]) |
//!
//! bpf-gcc refuses frames of 32 KiB and more, and says no sizes.

use super::frame::access;
use super::model::{Block, Instruction};
use crate::decode::insn::{Insn, Reg};

/// What is lost of an offset is a multiple of this.
const CUT: i64 = 1 << 16;

/// Why it cannot be known where an access is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// Above r10, where no frame is.
    Above,
    /// At several places of the frame.
    Several {
        /// Bytes of the frame.
        size: u64,
    },
}

/// The instruction as it was meant.
pub(super) fn restored(insn: Insn, size: Option<u64>) -> Result<Insn, Lost> {
    let Some(access) = access(insn).filter(|access| access.base == Reg::FRAME) else { return Ok(insn) };
    let (start, end) = (i64::from(access.offset), i64::from(access.offset) + i64::from(access.bytes));
    let lowest = -size.and_then(|size| i64::try_from(size).ok()).unwrap_or(0);
    // How many times the offset may have been cut: as often as it stays in the frame.
    let (fewest, most) = (if end > 0 { 1 } else { 0 }, (start - lowest).div_euclid(CUT));
    if end > 0 && most < fewest {
        return Err(Lost::Above);
    }
    if most > fewest {
        return Err(Lost::Several { size: lowest.unsigned_abs() });
    }
    let cut = if most == fewest { fewest * CUT } else { 0 };
    // The difference is at least -64 KiB.
    Ok(with_offset(insn, (start - cut) as i32))
}

/// The first instruction that may access several places of a frame of so many bytes.
pub(super) fn unclear(instructions: &[Instruction], blocks: &[Block], size: u64) -> Option<Instruction> {
    if size.cast_signed() <= CUT {
        return None;
    }
    let mut all = blocks.iter().flat_map(|block| &instructions[block.start..block.end]);
    all.find(|instruction| matches!(restored(instruction.insn, Some(size)), Err(Lost::Several { .. }))).copied()
}

/// The instruction with another offset.
fn with_offset(mut insn: Insn, to: i32) -> Insn {
    match &mut insn {
        Insn::Load { offset, .. }
        | Insn::LoadAcquire { offset, .. }
        | Insn::Store { offset, .. }
        | Insn::StoreRelease { offset, .. }
        | Insn::Atomic { offset, .. }
        | Insn::Xchg { offset, .. }
        | Insn::Cmpxchg { offset, .. } => *offset = to,
        _ => {}
    }
    insn
}

#[cfg(test)]
mod tests {
    use super::{Lost, restored};
    use crate::decode::insn::{Insn, Operand, Reg, Size};

    fn at(offset: i32) -> Insn {
        Insn::Store { size: Size::D, base: Reg::FRAME, offset, src: Operand::Imm(1) }
    }

    #[test]
    fn what_one_place_can_be_meant_by() {
        for size in [None, Some(8), Some(32_768), Some(65_536)] {
            assert_eq!(restored(at(-8), size), Ok(at(-8)), "{size:?}");
        }
        assert_eq!(restored(at(32_496), Some(33_040)), Ok(at(-33_040)));
        assert_eq!(restored(at(0), Some(65_536)), Ok(at(-65_536)));
        assert_eq!(restored(at(-32_768), Some(65_536)), Ok(at(-32_768)));
        assert_eq!(restored(at(-100), Some(65_600)), Ok(at(-100)));
        assert_eq!(restored(at(32_000), Some(90_000)), Ok(at(-33_536)));
        // It is outside of what the section says, and where it says.
        assert_eq!(restored(at(-16), Some(8)), Ok(at(-16)));
        let other = Insn::Store { size: Size::D, base: Reg::R1, offset: 8, src: Operand::Imm(1) };
        assert_eq!(restored(other, Some(8)), Ok(other));
    }

    #[test]
    fn what_cannot_be_known() {
        for (offset, size) in [(0, None), (8, None), (-4, None), (32_496, Some(33_032)), (8, Some(512))] {
            assert_eq!(restored(at(offset), size), Err(Lost::Above), "{offset} {size:?}");
        }
        assert_eq!(restored(at(-8), Some(65_544)), Err(Lost::Several { size: 65_544 }));
        assert_eq!(restored(at(8), Some(131_072)), Err(Lost::Several { size: 131_072 }));
    }
}
