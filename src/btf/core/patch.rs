//! Changes one instruction.
//!
//! | instruction | what is relocated |
//! |---|---|
//! | ALU, ALU64 with an immediate | `imm` |
//! | LD_IMM64 | the 64-bit immediate |
//! | LDX, ST, STX | `off`, and the size, if the field has another one |

use super::value::{Outcome, Resize};
use super::{CoreCause, WarningReason};
use crate::program::endianness::Endianness;

/// The helper that a poisoned instruction calls: 0xbad2310, "bad relocation".
pub const POISON: i32 = 0x0bad_2310;

const LD_IMM64: u8 = 0x18;
const CALL: u8 = 0x85;

/// Patches the instruction at `offset`; says why, if it was poisoned.
pub(super) fn apply(
    code: &mut [u8],
    offset: u64,
    endianness: Endianness,
    outcome: &Outcome,
) -> Result<Option<WarningReason>, CoreCause> {
    let start = usize::try_from(offset).ok().filter(|offset| offset % 8 == 0).ok_or(CoreCause::Place)?;
    let (slots, _) = code.get_mut(start..).ok_or(CoreCause::Place)?.as_chunks_mut::<8>();
    let [slot, rest @ ..] = slots else { return Err(CoreCause::Place) };
    let mut instruction = PatchSlot { bytes: slot, endianness };
    let mut second = match (instruction.bytes[0], rest) {
        (LD_IMM64, [second, ..]) => Some(PatchSlot { bytes: second, endianness }),
        (LD_IMM64, []) => return Err(CoreCause::Place),
        _ => None,
    };
    let poison = match *outcome {
        Outcome::Poison => Some(WarningReason::Missing),
        Outcome::Value { old, checked_bits, new, resize } => {
            let found = instruction.value(second.as_ref())?;
            if (found ^ old) & checked_bits != 0 {
                return Err(CoreCause::Unexpected { found, expected: old });
            }
            instruction.set(second.as_mut(), new, resize)?
        }
    };
    if poison.is_some() {
        instruction.poison();
        if let Some(mut second) = second {
            second.poison();
        }
    }
    Ok(poison)
}

/// Whether the instruction at `offset` is an `LD_IMM64`.
pub(super) fn is_wide(code: &[u8], offset: u64) -> bool {
    usize::try_from(offset).ok().and_then(|offset| code.get(offset)) == Some(&LD_IMM64)
}

/// One slot of 8 bytes: opcode, registers, `off` (16 bits), `imm` (32 bits).
struct PatchSlot<'c> {
    bytes: &'c mut [u8; 8],
    endianness: Endianness,
}

/// Where an instruction has its value.
enum Field {
    Imm,
    Imm64,
    Off,
}

impl PatchSlot<'_> {
    fn field(&self) -> Result<Field, CoreCause> {
        let opcode = self.bytes[0];
        match opcode & 7 {
            // ALU and ALU64, but not with a register.
            4 | 7 if opcode & 8 == 0 => Ok(Field::Imm),
            0 if opcode == LD_IMM64 => Ok(Field::Imm64),
            1..=3 => Ok(Field::Off),
            _ => Err(CoreCause::Instruction(opcode)),
        }
    }

    /// The value that the instruction has; `second` is the other half of LD_IMM64.
    fn value(&self, second: Option<&PatchSlot<'_>>) -> Result<u64, CoreCause> {
        Ok(match (self.field()?, second) {
            (Field::Imm64, Some(second)) => {
                // Source registers other than 0 make it the address of something.
                let plain = self.source() == 0 && self.off() == 0 && second.bytes[..4] == [0; 4];
                if !plain {
                    return Err(CoreCause::Instruction(LD_IMM64));
                }
                u64::from(second.imm() as u32) << 32 | u64::from(self.imm() as u32)
            }
            (Field::Off, _) => self.off() as u64,
            (Field::Imm | Field::Imm64, _) => self.imm() as u64,
        })
    }

    fn set(
        &mut self,
        second: Option<&mut PatchSlot<'_>>,
        new: u64,
        resize: Option<Resize>,
    ) -> Result<Option<WarningReason>, CoreCause> {
        match (self.field()?, second) {
            (Field::Imm64, Some(second)) => {
                self.set_imm(new as u32);
                second.set_imm((new >> 32) as u32);
            }
            (Field::Off, _) => {
                let off = i16::try_from(new).map_err(|_| CoreCause::Range(new))?;
                if let Some(resize) = resize {
                    if !resize.allowed {
                        return Ok(Some(WarningReason::Resized));
                    }
                    self.resize(resize)?;
                }
                self.set_off(off);
            }
            (Field::Imm | Field::Imm64, _) => {
                // 32 bits, that 64-bit instructions sign-extend and 32-bit ones do not.
                let fits =
                    i32::try_from(new as i64).is_ok() || self.bytes[0] & 7 == 4 && u32::try_from(new).is_ok();
                if !fits {
                    return Err(CoreCause::Range(new));
                }
                self.set_imm(new as u32);
            }
        }
        Ok(None)
    }

    /// Makes a load or store one of another size.
    fn resize(&mut self, resize: Resize) -> Result<(), CoreCause> {
        // Bits 3 and 4 of the opcode: 4, 2, 1, 8 bytes.
        const SIZES: [u64; 4] = [4, 2, 1, 8];
        let opcode = self.bytes[0];
        if SIZES[usize::from(opcode >> 3 & 3)] != resize.old {
            return Err(CoreCause::Size(resize.old));
        }
        let size = (0..).zip(SIZES).find(|&(_, bytes)| bytes == resize.new).ok_or(CoreCause::Size(resize.new))?;
        self.bytes[0] = opcode & !0x18 | size.0 << 3;
        Ok(())
    }

    fn poison(&mut self) {
        *self.bytes = [CALL, 0, 0, 0, 0, 0, 0, 0];
        self.set_imm(POISON as u32);
    }

    fn source(&self) -> u8 {
        match self.endianness {
            Endianness::Little => self.bytes[1] >> 4,
            Endianness::Big => self.bytes[1] & 0xf,
        }
    }

    fn off(&self) -> i16 {
        let bytes = [self.bytes[2], self.bytes[3]];
        match self.endianness {
            Endianness::Little => i16::from_le_bytes(bytes),
            Endianness::Big => i16::from_be_bytes(bytes),
        }
    }

    fn set_off(&mut self, off: i16) {
        let bytes = match self.endianness {
            Endianness::Little => off.to_le_bytes(),
            Endianness::Big => off.to_be_bytes(),
        };
        self.bytes[2..4].copy_from_slice(&bytes);
    }

    fn imm(&self) -> i32 {
        let bytes = [self.bytes[4], self.bytes[5], self.bytes[6], self.bytes[7]];
        match self.endianness {
            Endianness::Little => i32::from_le_bytes(bytes),
            Endianness::Big => i32::from_be_bytes(bytes),
        }
    }

    fn set_imm(&mut self, imm: u32) {
        let bytes = match self.endianness {
            Endianness::Little => imm.to_le_bytes(),
            Endianness::Big => imm.to_be_bytes(),
        };
        self.bytes[4..].copy_from_slice(&bytes);
    }
}
