//! Whether two instructions do the same, however they are encoded.
//!
//! In: the bytes of both. Out: whether registers, memory and flags are the same after them; or would be, if the two places that they
//! read a value from hold the same. The rule: what is not one of the differences that `short_encodings.rs` and `spills/` make is a
//! difference.

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

use crate::x86::code::effects::number;

/// Whether two instructions do the same; neither is a branch or has an address relative to itself.
pub(crate) fn do_the_same(one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    let decode = |bytes: &[u8]| {
        let instruction = Decoder::new(64, bytes, DecoderOptions::NONE).decode();
        (!instruction.is_invalid() && instruction.len() == bytes.len()).then_some(instruction)
    };
    let (Some(one), Some(other)) = (decode(one), decode(other)) else { return false };
    // Instructions with such prefixes have one encoding here.
    let is_plain = |of: &Instruction| {
        !of.has_lock_prefix()
            && !of.has_rep_prefix()
            && !of.has_repne_prefix()
            && of.segment_prefix() == Register::None
    };
    one.mnemonic() == other.mnemonic()
        && one.op_count() == other.op_count()
        && is_plain(&one)
        && is_plain(&other)
        && (0..one.op_count()).all(|operand| is_same_operand(&one, &other, operand))
}

/// The only operand of two instructions that is not the same.
pub(crate) struct Elsewhere {
    /// The register that the first one reads.
    pub(crate) was: u8,
    /// The register that the other one reads, or how far above the stack pointer it reads memory.
    pub(crate) now: Result<u8, u32>,
}

/// Which operand of the other instruction is elsewhere, if they do the same but for one that they only read.
pub(crate) fn reads_elsewhere(one: &[u8], other: &[u8]) -> Option<Elsewhere> {
    let decode = |bytes: &[u8]| {
        let instruction = Decoder::new(64, bytes, DecoderOptions::NONE).decode();
        (!instruction.is_invalid() && instruction.len() == bytes.len()).then_some(instruction)
    };
    let (one, other) = (decode(one)?, decode(other)?);
    let count = one.op_count();
    if one.mnemonic() != other.mnemonic() || other.op_count() != count {
        return None;
    }
    // The operands of `test` may change places.
    let orders = if one.mnemonic() == Mnemonic::Test { 2 } else { 1 };
    (0..orders).find_map(|order| {
        let place = |operand: u32| if order == 0 { operand } else { count - 1 - operand };
        let is_other = |&operand: &u32| !is_same_at(&one, operand, &other, place(operand));
        let mut others = (0..count).filter(is_other);
        let (operand, None) = (others.next()?, others.next()) else { return None };
        let only_reads = match one.mnemonic() {
            Mnemonic::Cmp | Mnemonic::Test => true,
            Mnemonic::Mul | Mnemonic::Div | Mnemonic::Idiv => count == 1,
            Mnemonic::Imul => count == 1 || operand > 0,
            Mnemonic::Add | Mnemonic::Sub | Mnemonic::And | Mnemonic::Or | Mnemonic::Xor => operand > 0,
            Mnemonic::Movzx | Mnemonic::Movsx | Mnemonic::Movsxd => operand > 0,
            mnemonic => operand > 0 && is_conditional_move(mnemonic),
        };
        if !only_reads || one.op_kind(operand) != OpKind::Register {
            return None;
        }
        let register = one.op_register(operand);
        let now = match other.op_kind(place(operand)) {
            OpKind::Register => {
                let now = other.op_register(place(operand));
                (now.size() == register.size()).then_some(Ok(number(now)?))
            }
            OpKind::Memory => {
                let is_direct = other.memory_base() == Register::RSP
                    && other.memory_index() == Register::None
                    && other.memory_size().size() == register.size();
                let offset = u32::try_from(other.memory_displacement64()).ok();
                offset.filter(|_| is_direct).map(Err)
            }
            _ => None,
        };
        // The second byte of a register is not its lowest.
        let is_high = [Register::AH, Register::BH, Register::CH, Register::DH].contains(&register);
        Some(Elsewhere { was: number(register).filter(|_| !is_high)?, now: now? })
    })
}

fn is_conditional_move(mnemonic: Mnemonic) -> bool {
    use Mnemonic::{Cmova, Cmovae, Cmovb, Cmovbe, Cmove, Cmovg, Cmovge, Cmovl, Cmovle, Cmovne, Cmovno, Cmovnp};
    use Mnemonic::{Cmovns, Cmovo, Cmovp, Cmovs};
    [
        Cmova, Cmovae, Cmovb, Cmovbe, Cmove, Cmovg, Cmovge, Cmovl, Cmovle, Cmovne, Cmovno, Cmovnp, Cmovns, Cmovo,
        Cmovp, Cmovs,
    ]
    .contains(&mnemonic)
}

/// Whether an operand of one instruction is that one of the other.
fn is_same_at(one: &Instruction, operand: u32, other: &Instruction, place: u32) -> bool {
    if operand == place {
        return is_same_operand(one, other, operand);
    }
    one.op_kind(operand) == OpKind::Register
        && other.op_kind(place) == OpKind::Register
        && one.op_register(operand) == other.op_register(place)
}

fn is_same_operand(one: &Instruction, other: &Instruction, operand: u32) -> bool {
    match (one.op_kind(operand), other.op_kind(operand)) {
        (OpKind::Register, OpKind::Register) => {
            let (first, second) = (one.op_register(operand), other.op_register(operand));
            first == second || (clears_the_rest(one) && clears_the_rest(other) && is_same_number(first, second))
        }
        (OpKind::Memory, OpKind::Memory) => {
            let parts = |of: &Instruction| {
                let scale = if of.memory_index() == Register::None { 0 } else { of.memory_index_scale() };
                (of.memory_base(), of.memory_index(), scale, of.memory_displacement64(), of.memory_size().size())
            };
            parts(one) == parts(other)
        }
        (first, second) if is_immediate(first) && is_immediate(second) => {
            let is_of_32_bits = |of: &Instruction| match of.op0_kind() {
                OpKind::Register => of.op0_register().size() == 4,
                _ => of.memory_size().size() == 4,
            };
            let (first, second) = (one.immediate(operand), other.immediate(operand));
            first == second || (is_of_32_bits(one) && is_of_32_bits(other) && first as u32 == second as u32)
        }
        _ => false,
    }
}

/// Whether the high 32 bits of its first operand are 0, whichever of 32 and 64 bits it is of.
fn clears_the_rest(instruction: &Instruction) -> bool {
    match instruction.mnemonic() {
        Mnemonic::Movzx => instruction.op0_register().size() >= 4,
        Mnemonic::Xor => {
            instruction.op1_kind() == OpKind::Register
                && instruction.op0_register() == instruction.op1_register()
                && instruction.op0_register().size() >= 4
        }
        _ => false,
    }
}

/// Whether these are the same register, of 32 or 64 bits.
fn is_same_number(one: Register, other: Register) -> bool {
    one.size() >= 4 && other.size() >= 4 && number(one) == number(other)
}

fn is_immediate(kind: OpKind) -> bool {
    matches!(
        kind,
        OpKind::Immediate8
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate64
            | OpKind::Immediate8to16
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64
    )
}

#[cfg(test)]
mod tests {
    use super::do_the_same;

    #[test]
    fn other_encodings_do_the_same() {
        let pairs: [(&[u8], &[u8]); 4] = [
            (&[0x48, 0x81, 0xc0, 6, 0, 0, 0], &[0x48, 0x83, 0xc0, 6]),
            (&[0x25, 15, 0, 0, 0], &[0x83, 0xe0, 15]),
            (&[0x48, 0x0f, 0xb6, 0x4c, 0x07, 0x16], &[0x0f, 0xb6, 0x4c, 0x07, 0x16]),
            (&[0x48, 0x33, 0xc0], &[0x33, 0xc0]),
        ];
        for (one, other) in pairs {
            assert!(do_the_same(one, other) && do_the_same(other, one), "{one:02x?} {other:02x?}");
        }
    }

    #[test]
    fn different_instructions_do_not() {
        let pairs: [(&[u8], &[u8]); 7] = [
            // Other numbers, registers, sizes, places.
            (&[0x48, 0x81, 0xc0, 6, 0, 0, 0], &[0x48, 0x83, 0xc0, 7]),
            (&[0x81, 0xc0, 0xff, 0, 0, 0], &[0x83, 0xc0, 0xff]),
            (&[0x48, 0x01, 0xc8], &[0x01, 0xc8]),
            (&[0x48, 0x33, 0xc1], &[0x33, 0xc1]),
            (&[0x48, 0x0f, 0xb6, 0xc1], &[0x0f, 0xb7, 0xc1]),
            (&[0x8b, 0x47, 8], &[0x8b, 0x47, 9]),
            (&[0x8b, 0x47, 8], &[0x48, 0x8b, 0x47, 8]),
        ];
        for (one, other) in pairs {
            assert!(!do_the_same(one, other) && !do_the_same(other, one), "{one:02x?} {other:02x?}");
        }
    }
}
