//! The **decode** phase: bytes to [`Insn`], which cannot hold a nonsense instruction.
//!
//! Owns the instruction set: its type ([`insn`]), its opcode table ([`opcode`]), its text (`text.rs`). Comes in: the
//! 8-byte slots of a code section. Goes out: instructions, or a [`DecodeError`] that says which field is wrong.
//! Relocations are not looked at here; [`crate::graph`] joins them with the instructions.
//!
//! The rule: a field that an instruction does not use must be zero (RFC 9669 section 3.1); a shift's immediate may
//! be anything, since shifts mask it; `callx` has its register in `dst` (clang 19 and later) or in `imm` (clang 14
//! and 16).

mod error;
mod fields;
pub mod insn;
pub mod opcode;
mod text;

use crate::program::Endianness;
pub use error::DecodeError;
use fields::Fields;
pub use fields::SLOT;
use insn::{AluOp, ByteOrder, Callee, Insn, Operand, Reg, Size, WideImm, Width};
use opcode::{atomic, class, code, mode};

/// Decodes the instruction at the start of `bytes`, which hold at least one slot unless they are empty.
///
/// # Errors
///
/// [`DecodeError`] for anything that is not a legal encoding.
pub fn decode(bytes: &[u8], endianness: Endianness) -> Result<Insn, DecodeError> {
    let Some(slot) = bytes.first_chunk::<SLOT>() else {
        return Err(DecodeError::SecondSlot);
    };
    let fields = Fields::read(*slot, endianness);
    match fields.class() {
        class::LD if fields.mode() == mode::IMM => {
            let second = bytes[SLOT..].first_chunk::<SLOT>().ok_or(DecodeError::SecondSlot)?;
            load_imm(fields, Fields::read(*second, endianness))
        }
        class::LD => load_packet(fields),
        class::LDX => load(fields),
        class::ST => store(fields, false),
        class::STX if fields.mode() == mode::ATOMIC => read_modify_write(fields),
        class::STX => store(fields, true),
        class::ALU => arithmetic(fields, Width::W32),
        class::ALU64 => arithmetic(fields, Width::W64),
        class::JMP => jump(fields),
        _ => jump32(fields),
    }
}

fn arithmetic(fields: Fields, width: Width) -> Result<Insn, DecodeError> {
    let Fields { opcode, offset, imm, .. } = fields;
    match fields.code() {
        code::NEG => {
            if fields.source_is_register() {
                return Err(DecodeError::Opcode(opcode));
            }
            fields.zero_src()?;
            fields.zero_offset()?;
            fields.zero_imm()?;
            Ok(Insn::Neg { width, dst: fields.result()? })
        }
        code::END => {
            let order = match (width, fields.source_is_register()) {
                (Width::W32, false) => ByteOrder::Little,
                (Width::W32, true) => ByteOrder::Big,
                (Width::W64, false) => ByteOrder::Swap,
                (Width::W64, true) => return Err(DecodeError::Opcode(opcode)),
            };
            fields.zero_src()?;
            fields.zero_offset()?;
            let size = match imm {
                16 => Size::H,
                32 => Size::W,
                64 => Size::D,
                _ => return Err(fields.wrong("imm", imm, "a byte swap has 16, 32 or 64 bits")),
            };
            Ok(Insn::Endian { order, size, dst: fields.result()? })
        }
        found => {
            let mut rows = opcode::ALU.iter().filter(|row| row.0 == found).peekable();
            if rows.peek().is_none() {
                return Err(DecodeError::Opcode(opcode));
            }
            match rows.find(|row| row.1 == offset) {
                Some(&(_, _, op, _)) => {
                    let src = fields.operand()?;
                    Ok(Insn::Alu { op, width, dst: fields.result()?, src })
                }
                None => move_extended(fields, width),
            }
        }
    }
}

/// A move whose offset field is not zero: sign extension or an address space cast.
fn move_extended(fields: Fields, width: Width) -> Result<Insn, DecodeError> {
    let is_move = opcode::ALU.iter().any(|row| row.0 == fields.code() && row.2 == AluOp::Mov);
    if !is_move || !fields.source_is_register() {
        return Err(fields.wrong("offset", fields.offset, "must be zero (1 is signed division)"));
    }
    let (dst, src) = (fields.result()?, fields.src()?);
    let from = match (fields.offset, width) {
        (1, Width::W64) => {
            // The low half is the address space of the operand, the high half that of the result.
            let (to, from) = ((fields.imm as u32 >> 16) as u16, fields.imm as u16);
            return match (to, from) {
                (0, 1) | (1, 0) => Ok(Insn::AddrSpaceCast { dst, src, to, from }),
                _ => Err(fields.wrong("imm", fields.imm, "a cast is between address spaces 0 and 1")),
            };
        }
        (8, _) => Size::B,
        (16, _) => Size::H,
        (32, Width::W64) => Size::W,
        _ => return Err(fields.wrong("offset", fields.offset, "a move extends from 8, 16 or (64-bit) 32 bits")),
    };
    fields.zero_imm()?;
    Ok(Insn::MovSx { width, from, dst, src })
}

fn load_imm(fields: Fields, second: Fields) -> Result<Insn, DecodeError> {
    if fields.size() != Size::D {
        return Err(DecodeError::Opcode(fields.opcode));
    }
    fields.zero_offset()?;
    if second.opcode != 0 || second.dst != 0 || second.src != 0 || second.offset != 0 {
        return Err(DecodeError::SecondSlot);
    }
    let (low, high) = (fields.imm, second.imm);
    let value = match fields.src {
        0 => WideImm::Const(u64::from(low as u32) | u64::from(high as u32) << 32),
        1 => WideImm::MapByFd(low),
        2 => WideImm::MapValueByFd(low, high),
        3 => WideImm::Variable(low),
        4 => WideImm::Code(low),
        5 => WideImm::MapByIndex(low),
        6 => WideImm::MapValueByIndex(low, high),
        _ => return Err(fields.wrong("src", fields.src, "a 64-bit immediate has sources 0 to 6")),
    };
    let uses_high = matches!(
        value,
        WideImm::Const(_) | WideImm::MapValueByFd(..) | WideImm::MapValueByIndex(..) | WideImm::Variable(_)
    );
    if !uses_high && high != 0 {
        return Err(fields.wrong("next_imm", high, "must be zero"));
    }
    Ok(Insn::LoadImm { dst: fields.result()?, value })
}

fn load_packet(fields: Fields) -> Result<Insn, DecodeError> {
    let index = match fields.mode() {
        mode::ABS => {
            fields.zero_src()?;
            None
        }
        mode::IND => Some(fields.src()?),
        _ => return Err(DecodeError::Opcode(fields.opcode)),
    };
    if fields.size() == Size::D {
        return Err(DecodeError::Opcode(fields.opcode));
    }
    fields.zero_dst()?;
    fields.zero_offset()?;
    Ok(Insn::LoadPacket { size: fields.size(), index, offset: fields.imm })
}

/// The register number that addresses stack arguments.
const STACK_ARGUMENTS: u8 = 11;

fn load(fields: Fields) -> Result<Insn, DecodeError> {
    let (size, offset) = (fields.size(), fields.offset);
    let signed = match fields.mode() {
        mode::MEM => false,
        mode::MEMSX if size != Size::D => true,
        _ => return Err(DecodeError::Opcode(fields.opcode)),
    };
    fields.zero_imm()?;
    let dst = fields.result()?;
    if fields.src == STACK_ARGUMENTS && size == Size::D && !signed {
        return match offset {
            8.. if offset % 8 == 0 => Ok(Insn::LoadStackArgument { dst, position: offset as u16 / 8 }),
            _ => Err(fields.wrong("offset", offset, "stack arguments are read at r11 + 8, 16, ...")),
        };
    }
    Ok(Insn::Load { size, signed, dst, base: fields.src()?, offset: offset.into() })
}

fn store(fields: Fields, from_register: bool) -> Result<Insn, DecodeError> {
    let (size, offset) = (fields.size(), fields.offset);
    if fields.mode() != mode::MEM {
        return Err(DecodeError::Opcode(fields.opcode));
    }
    let src = if from_register {
        fields.zero_imm()?;
        Operand::Reg(fields.src()?)
    } else {
        fields.zero_src()?;
        Operand::Imm(fields.imm)
    };
    if fields.dst == STACK_ARGUMENTS && size == Size::D {
        return match offset {
            ..=-8 if offset % 8 == 0 => {
                Ok(Insn::StoreStackArgument { position: (offset / -8).unsigned_abs(), src })
            }
            _ => Err(fields.wrong("offset", offset, "stack arguments are written at r11 - 8, 16, ...")),
        };
    }
    Ok(Insn::Store { size, base: fields.dst()?, offset: offset.into(), src })
}

fn read_modify_write(fields: Fields) -> Result<Insn, DecodeError> {
    let (size, offset, imm) = (fields.size(), i32::from(fields.offset), fields.imm);
    if imm == atomic::LOAD_ACQUIRE {
        return Ok(Insn::LoadAcquire { size, dst: fields.result()?, base: fields.src()?, offset });
    }
    let (base, src) = (fields.dst()?, fields.src()?);
    if imm == atomic::STORE_RELEASE {
        return Ok(Insn::StoreRelease { size, base, offset, src });
    }
    let width = match size {
        Size::W => Width::W32,
        Size::D => Width::W64,
        Size::B | Size::H => return Err(DecodeError::Opcode(fields.opcode)),
    };
    match imm {
        atomic::XCHG => Ok(Insn::Xchg { width, base, offset, src: fields.written(fields.src)? }),
        atomic::CMPXCHG => Ok(Insn::Cmpxchg { width, base, offset, src }),
        _ => {
            let fetch = imm & atomic::FETCH != 0;
            let row = opcode::ATOMIC.iter().find(|row| row.0 == imm & !atomic::FETCH);
            let Some(&(_, op, ..)) = row else {
                return Err(fields.wrong("imm", imm, "no such atomic operation"));
            };
            if fetch {
                fields.written(fields.src)?;
            }
            Ok(Insn::Atomic { op, width, fetch, base, offset, src })
        }
    }
}

fn jump(fields: Fields) -> Result<Insn, DecodeError> {
    let register = fields.source_is_register();
    match fields.code() {
        code::JA => {
            fields.zero_src()?;
            fields.zero_imm()?;
            if register {
                fields.zero_offset()?;
                return Ok(Insn::JumpRegister { reg: fields.dst()? });
            }
            fields.zero_dst()?;
            Ok(Insn::Jump { offset: i32::from(fields.offset), long: false })
        }
        code::JCOND if !register => {
            fields.zero_dst()?;
            fields.zero_src()?;
            fields.zero_imm()?;
            Ok(Insn::MayGoto { offset: fields.offset })
        }
        code::CALL => call(fields).map(Insn::Call),
        code::EXIT if !register => {
            fields.zero_dst()?;
            fields.zero_src()?;
            fields.zero_offset()?;
            fields.zero_imm()?;
            Ok(Insn::Exit)
        }
        _ => branch(fields, Width::W64),
    }
}

fn call(fields: Fields) -> Result<Callee, DecodeError> {
    if fields.source_is_register() {
        fields.zero_src()?;
        fields.zero_offset()?;
        // clang 14 and 16 put the register's number into `imm`, later ones into `dst`.
        if fields.dst == 0 && fields.imm != 0 {
            let register = u8::try_from(fields.imm).ok().and_then(Reg::new);
            let expected = "callx has a register in `imm` or in `dst`";
            return register.map(Callee::Register).ok_or(fields.wrong("imm", fields.imm, expected));
        }
        fields.zero_imm()?;
        return Ok(Callee::Register(fields.dst()?));
    }
    fields.zero_dst()?;
    if fields.src == 2 {
        // The offset is an index of the module's BTF, which only the kernel resolves.
        return Ok(Callee::Kfunc(fields.imm as u32));
    }
    fields.zero_offset()?;
    match fields.src {
        0 => Ok(Callee::Helper(fields.imm as u32)),
        1 => Ok(Callee::Local(fields.imm)),
        _ => Err(fields.wrong("src", fields.src, "a call has sources 0, 1 and 2")),
    }
}

fn jump32(fields: Fields) -> Result<Insn, DecodeError> {
    match fields.code() {
        code::JA if !fields.source_is_register() => {
            fields.zero_dst()?;
            fields.zero_src()?;
            fields.zero_offset()?;
            Ok(Insn::Jump { offset: fields.imm, long: true })
        }
        _ => branch(fields, Width::W32),
    }
}

fn branch(fields: Fields, width: Width) -> Result<Insn, DecodeError> {
    let row = opcode::COND.iter().find(|row| row.0 == fields.code());
    let Some(&(_, cond, _)) = row else {
        return Err(DecodeError::Opcode(fields.opcode));
    };
    let src = fields.operand()?;
    Ok(Insn::Branch { cond, width, dst: fields.dst()?, src, offset: fields.offset })
}
