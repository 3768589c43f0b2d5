//! Shorter encodings of one instruction (Intel's manual, volume 2), which do the same to registers, memory and flags.
//!
//! | as Cranelift writes it | shorter | bytes saved |
//! |---|---|---:|
//! | `81 /n imm32`, `69 /r imm32` | `83 /n imm8`, `6b /r imm8`, if the constant fits | 3 |
//! | `05 imm32` and its like, of `rax` | `83 /n imm8`, if the constant fits | 2 |
//! | `48 0f b6`, `48 0f b7`: `movzbq`, `movzwq` | without the `48`: `movzbl`, `movzwl` clear the high 32 bits too | 1 |
//! | `48 33 c0`, `48 31 c0`: `xorq` of a register with itself | without the `48`: `xorl`, the same | 1 |
//!
//! Prefixes other than `REX` are left alone.

use crate::x86::code::bytes::InstructionBytes;
use crate::x86::code::fragments::{FragmentKind, Fragments};

/// `REX` with nothing but `W`.
const REX_W: u8 = 0x48;

/// Gives instructions shorter encodings, unless a relocation is in them.
pub(crate) fn run(fragments: &mut Fragments, code: &[u8]) {
    for index in 0..fragments.len() {
        let fragment = &fragments[index];
        if matches!(fragment.kind, FragmentKind::Instruction)
            && !fragment.is_relocated
            && let Some(short) = fragment.bytes(code).and_then(shorten)
        {
            fragments.rewrite(index, short);
        }
    }
}

/// A shorter encoding of one whole instruction, which has no address relative to itself.
fn shorten(bytes: &[u8]) -> Option<InstructionBytes> {
    let rex = usize::from(bytes.first()? & 0xf0 == 0x40);
    let (prefix, rest) = bytes.split_at(rex);
    match rest {
        // add, or, adc, sbb, and, sub, xor, cmp; imul.
        [opcode @ (0x81 | 0x69), operands @ ..] => {
            let (operands, constant) = operands.split_last_chunk()?;
            let opcode = if *opcode == 0x81 { 0x83 } else { 0x6b };
            InstructionBytes::new([prefix, &[opcode], operands])
                .and_then(|start| InstructionBytes::new([start.bytes(), &[small(*constant)?], &[]]))
        }
        [opcode, constant @ ..] if opcode & 0xc7 == 0x05 => {
            let register = 0xc0 | opcode & 0x38;
            InstructionBytes::new([prefix, &[0x83, register], &[small(constant.try_into().ok()?)?]])
        }
        // Without a prefix, bytes of the registers 4 to 7 are others.
        [0x0f, 0xb6, operand, ..] if operand >> 6 == 3 && operand & 7 > 3 => None,
        [0x0f, 0xb6 | 0xb7, ..] if prefix == [REX_W] => InstructionBytes::new([rest, &[], &[]]),
        [0x31 | 0x33, registers]
            if prefix == [REX_W] && registers >> 6 == 3 && registers >> 3 & 7 == registers & 7 =>
        {
            InstructionBytes::new([rest, &[], &[]])
        }
        _ => None,
    }
}

/// A constant as one sign-extended byte.
fn small(constant: [u8; 4]) -> Option<u8> {
    i8::try_from(i32::from_le_bytes(constant)).ok().map(i8::cast_unsigned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(long: &[u8], short: &[u8]) {
        assert_eq!(shorten(long).map(|bytes| bytes.bytes().to_vec()), Some(short.to_vec()), "{long:02x?}");
        let decode = |bytes: &[u8]| {
            let mut decoder = iced_x86::Decoder::new(64, bytes, iced_x86::DecoderOptions::NONE);
            let instruction = decoder.decode();
            assert_eq!(instruction.len(), bytes.len(), "{bytes:02x?}");
            instruction
        };
        let (long, short) = (decode(long), decode(short));
        assert_eq!(long.mnemonic(), short.mnemonic());
        // `eax` and its like come 16 before `rax` and its like.
        assert_eq!(long.op0_register() as usize % 16, short.op0_register() as usize % 16);
        assert_eq!(long.op1_kind() == iced_x86::OpKind::Register, short.op1_kind() == iced_x86::OpKind::Register);
        assert_eq!(long.memory_displacement64(), short.memory_displacement64());
        assert_eq!((long.memory_base(), long.memory_index()), (short.memory_base(), short.memory_index()));
    }

    #[test]
    fn constants_that_fit_a_byte_are_one() {
        check(&[0x48, 0x81, 0xc0, 6, 0, 0, 0], &[0x48, 0x83, 0xc0, 6]);
        check(&[0x41, 0x81, 0xe3, 0x80, 0xff, 0xff, 0xff], &[0x41, 0x83, 0xe3, 0x80]);
        check(&[0x81, 0x7c, 0x24, 8, 0x7f, 0, 0, 0], &[0x83, 0x7c, 0x24, 8, 0x7f]);
        check(&[0x48, 0x69, 0xc2, 10, 0, 0, 0], &[0x48, 0x6b, 0xc2, 10]);
        check(&[0x48, 0x3d, 0xff, 0xff, 0xff, 0xff], &[0x48, 0x83, 0xf8, 0xff]);
        check(&[0x25, 15, 0, 0, 0], &[0x83, 0xe0, 15]);
    }

    #[test]
    fn what_clears_the_high_32_bits_anyway_needs_no_rex_w() {
        check(&[0x48, 0x0f, 0xb6, 0x4c, 0x07, 0x16], &[0x0f, 0xb6, 0x4c, 0x07, 0x16]);
        check(&[0x48, 0x0f, 0xb6, 0xc3], &[0x0f, 0xb6, 0xc3]);
        check(&[0x48, 0x0f, 0xb7, 0xcf], &[0x0f, 0xb7, 0xcf]);
        check(&[0x48, 0x33, 0xc0], &[0x33, 0xc0]);
        check(&[0x48, 0x31, 0xd2], &[0x31, 0xd2]);
    }

    #[test]
    fn others_stay() {
        let stay: [&[u8]; 11] = [
            // Constants that do not fit.
            &[0x48, 0x81, 0xc0, 0x80, 0, 0, 0],
            &[0x81, 0xe3, 0x7f, 0xff, 0xff, 0xff],
            &[0x48, 0x3d, 0x80, 0, 0, 0],
            // Of 16 bits, and extended by the sign.
            &[0x66, 0x81, 0xc0, 6, 0],
            &[0x48, 0x0f, 0xbf, 0x4c, 0x07, 0x16],
            // `movzbq %dil`; `movzbl` without a prefix is of `%bh`.
            &[0x48, 0x0f, 0xb6, 0xc7],
            // Registers of the upper half need the prefix; another register's value is not 0.
            &[0x4c, 0x0f, 0xb6, 0xc0],
            &[0x4d, 0x33, 0xc0],
            &[0x48, 0x33, 0xc1],
            &[0x48, 0x33, 0x00],
            &[0xc3],
        ];
        for bytes in stay {
            assert_eq!(shorten(bytes), None, "{bytes:02x?}");
        }
    }
}
