//! Machine code to instructions, one at a time.
//!
//! In: bytes. Out: an [`Instruction`]: its size, what it does, what it refers to. The instructions that most code consists of are
//! decoded here (`integers.rs`); all others by iced, which takes ten times as long for each, and 3 million instructions for its
//! tables the first time in a process: as long as all else that the translation of a small program takes.
//!
//! The rule: an instruction is the same by both; debug builds decode all of them twice.

use iced_x86::{Decoder, DecoderOptions, InstructionInfoFactory, Mnemonic, OpKind};

use super::effects::Effects;
use super::instruction::{Form, Instruction};
use super::integers;

/// Decodes the instruction that bytes begin with; none if there is none.
pub(crate) fn decode(bytes: &[u8]) -> Option<Instruction> {
    let Some(instruction) = integers::decode(bytes) else { return by_iced(bytes) };
    debug_assert_eq!(Some(instruction), by_iced(bytes), "{:x?}", &bytes[..instruction.size as usize]);
    Some(instruction)
}

fn by_iced(bytes: &[u8]) -> Option<Instruction> {
    let mut decoder = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE);
    let decoded = decoder.decode();
    if decoded.is_invalid() {
        return None;
    }
    let size = u32::try_from(decoded.len()).ok()?;
    let distance = |target: u64| target.wrapping_sub(u64::from(size)).cast_signed();
    // A branch's target is its only operand.
    let form = if matches!(decoded.op0_kind(), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64) {
        let condition = match bytes.get(..decoded.len())? {
            [0x0f, second, ..] if second & 0xf0 == 0x80 => Some(Some(second & 0xf)),
            [first, _] if first & 0xf0 == 0x70 => Some(Some(first & 0xf)),
            [0xe9, ..] | [0xeb, _] => Some(None),
            _ => None,
        };
        let distance = distance(decoded.near_branch_target());
        condition.map_or(Form::Call, |condition| Form::Branch { condition, distance })
    } else if decoded.is_ip_rel_memory_operand() {
        let at = u8::try_from(decoder.get_constant_offsets(&decoded).displacement_offset()).ok()?;
        let accessed = u32::try_from(decoded.memory_size().size()).unwrap_or(0);
        Form::PcRelative { at, distance: distance(decoded.ip_rel_memory_address()), accessed }
    } else if decoded.mnemonic() == Mnemonic::Jmp && decoded.op0_kind() == OpKind::Register {
        Form::RegisterJump
    } else {
        Form::Plain
    };
    let effects = Effects::new(&mut InstructionInfoFactory::new(), &decoded);
    let ends = matches!(decoded.mnemonic(), Mnemonic::Jmp | Mnemonic::Ret | Mnemonic::Ud2);
    Some(Instruction { size, effects, form, ends })
}
