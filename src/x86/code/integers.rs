//! The instructions that most code consists of: moves, arithmetic and branches of 8, 32 and 64 bits, and scalar floats.
//!
//! In: bytes. Out: the [`Instruction`] that they begin with, if it is one of these; none if it is another one. Source: the opcode
//! maps of Intel's manual, volume 2, appendix A. The rule: what needs a second look (most prefixes of 16 bits and locks, registers
//! that are the second byte of another, flags that depend on other flags, shifts by 0) is none of these.
//!
//! | opcode | instruction |
//! |---|---|
//! | `00` to `3f` | `add`, `or`, `and`, `sub`, `xor`, `cmp` |
//! | `63`, `88` to `8b`, `b8` to `bf`, `c6`, `c7`, `0f b6` to `0f bf` | moves and extensions |
//! | `69`, `6b`, `0f af`, `f7` | multiplications, divisions, `not`, `neg` |
//! | `c1`, `d1`, `d3` | shifts and rotates |
//! | `50` to `5f`, `8d`, `98`, `99`, `0f 40` to `0f 4f`, `0f 90` to `0f 9f`, `0f c8` to `0f cf` | `push`, `pop`, `lea`, `cdqe`, `cqo`, `cmov`, `set`, `bswap` |
//! | `70` to `7f`, `c3`, `e8`, `e9`, `eb`, `ff`, `0f 0b`, `0f 80` to `0f 8f` | branches, calls, `ret`, `ud2` |
//! | `66 89`, `66 c7`, `66 c1` | stores of 16 bits, and rotates of 16 bits, which swap bytes |
//! | `0f`, `66 0f`, `f2 0f`, `f3 0f` | arithmetic of floats |

use super::abi::{RSP, RegisterSet};
use super::effects::{Effects, Flags, Transfer};
use super::instruction::{Form, Instruction};
use super::operands::{Bytes, Use};

const RAX: RegisterSet = 1;
const RCX: RegisterSet = 1 << 1;
const RDX: RegisterSet = 1 << 2;

/// Decodes an instruction.
pub(super) fn decode(all: &[u8]) -> Option<Instruction> {
    let mut bytes = Bytes::new(all);
    let mut opcode = bytes.next()?;
    let prefix = matches!(opcode, 0x66 | 0xf2 | 0xf3).then_some(opcode);
    if prefix.is_some() {
        opcode = bytes.next()?;
    }
    if opcode & 0xf0 == 0x40 {
        (bytes.rex, bytes.has_rex) = (opcode & 0xf, true);
        opcode = bytes.next()?;
    }
    let mut effects = Effects::NOTHING;
    let (mut form, mut ends) = (Form::Plain, false);
    match (prefix, opcode) {
        (None, 0x0f) => {
            let opcode = bytes.next()?;
            match opcode {
                0x0b => {
                    effects.transfer = Transfer::Trap;
                    ends = true;
                }
                0x80..=0x8f => {
                    effects.reads_flags = true;
                    form = branch(&mut bytes, Some(opcode & 0xf), 4)?;
                }
                _ if two_byte(&mut bytes, opcode, &mut effects).is_none() => {
                    bytes.at = 2 + usize::from(bytes.has_rex);
                    effects = Effects::NOTHING;
                    float(&mut bytes, prefix, opcode, &mut effects)?;
                }
                _ => {}
            }
        }
        (Some(_), 0x0f) => {
            let opcode = bytes.next()?;
            float(&mut bytes, prefix, opcode, &mut effects)?;
        }
        (Some(0x66), _) => half_word(&mut bytes, opcode, &mut effects)?,
        (Some(_), _) => return None,
        (None, 0x70..=0x7f) => {
            effects.reads_flags = true;
            form = branch(&mut bytes, Some(opcode & 0xf), 1)?;
        }
        (None, 0xe9 | 0xeb) => {
            effects.transfer = Transfer::Elsewhere;
            form = branch(&mut bytes, None, if opcode == 0xe9 { 4 } else { 1 })?;
            ends = true;
        }
        (None, 0xe8) => {
            (effects.transfer, effects.is_stack, form) = (Transfer::Call, true, Form::Call);
            bytes.skip(4)?;
        }
        (None, 0xc3) => {
            (effects.transfer, effects.is_stack) = (Transfer::Return, true);
            ends = true;
        }
        (None, 0xff) => {
            let operands = bytes.operands()?;
            effects.operand(&operands, Use::Read);
            match (operands.reg & 7, operands.register) {
                (2, _) => (effects.transfer, effects.is_stack) = (Transfer::Call, true),
                (4, Some(_)) => {
                    (effects.transfer, form, ends) = (Transfer::Elsewhere, Form::RegisterJump, true);
                }
                _ => return None,
            }
            // Whether a call through the stack pointer names it is another question.
            if (operands.address | effects.read) & 1 << RSP != 0 {
                return None;
            }
        }
        (None, _) => one_byte(&mut bytes, opcode, &mut effects)?,
    }
    if let Some(at) = bytes.relative {
        let word = if bytes.is_wide() { 8 } else { 4 };
        let accessed = match (prefix, opcode) {
            (None, 0x8d) => 0,
            (None, 0x89 | 0x8b | 0xf7) => word,
            // imul
            (None, 0x0f) if all.get(1 + usize::from(bytes.has_rex)) == Some(&0xaf) => word,
            (None, 0xff) => 8,
            _ => return None,
        };
        let &[a, b, c, d] = bytes.all.get(at..bytes.at)? else { return None };
        let distance = i32::from_le_bytes([a, b, c, d]).into();
        form = Form::PcRelative { at: u8::try_from(at).ok()?, distance, accessed };
    }
    let size = u32::try_from(bytes.at).ok()?;
    (bytes.at <= all.len()).then_some(Instruction { size, effects, form, ends })
}

/// A branch whose distance has so many bytes.
fn branch(bytes: &mut Bytes<'_>, condition: Option<u8>, size: usize) -> Option<Form> {
    // A prefix has no meaning here.
    if bytes.has_rex {
        return None;
    }
    let at = bytes.at;
    bytes.skip(size)?;
    let distance = match *bytes.all.get(at..bytes.at)? {
        [byte] => i64::from(byte.cast_signed()),
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        _ => return None,
    };
    Some(Form::Branch { condition, distance })
}

/// Instructions whose opcode is one byte.
fn one_byte(bytes: &mut Bytes<'_>, opcode: u8, effects: &mut Effects) -> Option<()> {
    let low = opcode & 7 | (bytes.rex & 1) << 3;
    match opcode {
        0x00..=0x3f => arithmetic(bytes, opcode, effects)?,
        0x50..=0x5f if low != RSP => {
            effects.is_stack = true;
            effects.register(low, if opcode < 0x58 { Use::Read } else { Use::Write });
        }
        // movsxd
        0x63 if bytes.is_wide() => {
            let operands = bytes.operands()?;
            effects.operand(&operands, Use::Read);
            effects.register(operands.reg, Use::Write);
        }
        // imul with a constant
        0x69 | 0x6b => {
            let operands = bytes.operands()?;
            bytes.skip(if opcode == 0x69 { 4 } else { 1 })?;
            effects.operand(&operands, Use::Read);
            effects.register(operands.reg, Use::Write);
            effects.flags = Flags::Set;
        }
        0x80 | 0x81 | 0x83 => {
            let operands = bytes.operands()?;
            bytes.skip(if opcode == 0x81 { 4 } else { 1 })?;
            if opcode == 0x80 {
                operands.register.map_or(Some(0), |register| bytes.byte_register(register))?;
            }
            let by = match operands.reg & 7 {
                2 | 3 => return None,
                7 => Use::Read,
                _ => Use::Both,
            };
            effects.operand(&operands, by);
            effects.flags = Flags::Set;
        }
        // test
        0x84 | 0x85 => {
            let operands = bytes.operands()?;
            if opcode == 0x84 {
                bytes.byte_register(operands.reg)?;
                operands.register.map_or(Some(0), |register| bytes.byte_register(register))?;
            }
            effects.operand(&operands, Use::Read);
            effects.register(operands.reg, Use::Read);
            effects.flags = Flags::Set;
        }
        0x88..=0x8b => {
            let operands = bytes.operands()?;
            let is_byte = opcode & 1 == 0;
            if is_byte {
                bytes.byte_register(operands.reg)?;
                operands.register.map_or(Some(0), |register| bytes.byte_register(register))?;
            }
            // A byte of a register leaves the rest of it.
            let whole = if is_byte { Use::Both } else { Use::Write };
            if opcode < 0x8a {
                effects.register(operands.reg, Use::Read);
                effects.operand(&operands, whole);
            } else {
                effects.operand(&operands, Use::Read);
                effects.register(operands.reg, whole);
            }
        }
        // lea
        0x8d => {
            let operands = bytes.operands()?;
            operands.register.is_none().then_some(())?;
            effects.read |= operands.address;
            effects.register(operands.reg, Use::Write);
        }
        // cdqe, cqo
        0x98 => (effects.read, effects.written) = (RAX, RAX),
        0x99 => (effects.read, effects.written) = (RAX, RDX),
        0xa8 | 0xa9 => {
            bytes.skip(if opcode == 0xa8 { 1 } else { 4 })?;
            (effects.read, effects.flags) = (RAX, Flags::Set);
        }
        0xb8..=0xbf => {
            bytes.skip(if bytes.is_wide() { 8 } else { 4 })?;
            effects.register(low, Use::Write);
        }
        0xc1 | 0xd1 | 0xd3 => shift(bytes, opcode, effects)?,
        0xc6 | 0xc7 => {
            let operands = bytes.operands()?;
            bytes.skip(if opcode == 0xc6 { 1 } else { 4 })?;
            // A byte into a register is written in another way.
            let is_known = matches!(operands.reg, 0 | 8) && (opcode == 0xc7 || operands.register.is_none());
            is_known.then_some(())?;
            effects.operand(&operands, Use::Write);
        }
        0xf6 | 0xf7 => group3(bytes, opcode, effects)?,
        _ => return None,
    }
    Some(())
}

/// Instructions of 16 bits.
fn half_word(bytes: &mut Bytes<'_>, opcode: u8, effects: &mut Effects) -> Option<()> {
    // Of 64 bits, whatever the prefix says.
    if bytes.is_wide() {
        return None;
    }
    match opcode {
        0x89 | 0xc7 => {
            let operands = bytes.operands()?;
            // 16 bits of a register leave the rest of it.
            operands.register.is_none().then_some(())?;
            if opcode == 0x89 {
                effects.register(operands.reg, Use::Read);
            } else {
                bytes.skip(2)?;
                matches!(operands.reg, 0 | 8).then_some(())?;
            }
            effects.operand(&operands, Use::Write);
        }
        // rol, ror
        0xc1 => {
            let operands = bytes.operands()?;
            let by = bytes.next()?;
            (operands.reg & 7 < 2 && !by.is_multiple_of(16)).then_some(())?;
            effects.operand(&operands, Use::Both);
            effects.flags = Flags::Changed;
        }
        _ => return None,
    }
    Some(())
}

/// `add`, `or`, `and`, `sub`, `xor` and `cmp` of two operands.
fn arithmetic(bytes: &mut Bytes<'_>, opcode: u8, effects: &mut Effects) -> Option<()> {
    let operation = opcode >> 3;
    // adc and sbb read flags.
    if matches!(operation, 2 | 3) {
        return None;
    }
    let by = if operation == 7 { Use::Read } else { Use::Both };
    effects.flags = Flags::Set;
    match opcode & 7 {
        form @ 0..=3 => {
            let operands = bytes.operands()?;
            let is_byte = form & 1 == 0;
            if is_byte {
                bytes.byte_register(operands.reg)?;
                operands.register.map_or(Some(0), |register| bytes.byte_register(register))?;
            }
            // The difference of a register and itself does not depend on it.
            let clears = matches!(operation, 5 | 6) && operands.register == Some(operands.reg);
            if clears && is_byte {
                return None;
            }
            if clears {
                effects.register(operands.reg, Use::Write);
            } else if form < 2 {
                effects.register(operands.reg, Use::Read);
                effects.operand(&operands, by);
            } else {
                effects.operand(&operands, Use::Read);
                effects.register(operands.reg, by);
            }
        }
        form @ (4 | 5) => {
            bytes.skip(if form == 4 { 1 } else { 4 })?;
            effects.register(0, by);
        }
        _ => return None,
    }
    Some(())
}

/// Shifts and rotates.
fn shift(bytes: &mut Bytes<'_>, opcode: u8, effects: &mut Effects) -> Option<()> {
    let operands = bytes.operands()?;
    let operation = operands.reg & 7;
    let is_shift = matches!(operation, 4 | 5 | 7);
    // Rotates through the carry, and the second name of `shl`.
    if matches!(operation, 2 | 3 | 6) {
        return None;
    }
    effects.operand(&operands, Use::Both);
    effects.flags = if is_shift { Flags::Set } else { Flags::Changed };
    match opcode {
        0xc1 => {
            let by = bytes.next()?;
            (by & if bytes.is_wide() { 63 } else { 31 } != 0).then_some(())?;
        }
        // A count in a register may be 0.
        0xd3 => {
            effects.read |= RCX;
            effects.flags = Flags::Changed;
        }
        _ => {}
    }
    Some(())
}

/// `test`, `not`, `neg`, multiplications and divisions.
fn group3(bytes: &mut Bytes<'_>, opcode: u8, effects: &mut Effects) -> Option<()> {
    let operands = bytes.operands()?;
    let is_byte = opcode == 0xf6;
    effects.flags = Flags::Set;
    match operands.reg & 7 {
        0 => {
            bytes.skip(if is_byte { 1 } else { 4 })?;
            if is_byte {
                operands.register.map_or(Some(0), |register| bytes.byte_register(register))?;
            }
            effects.operand(&operands, Use::Read);
        }
        _ if is_byte => return None,
        2 => {
            effects.operand(&operands, Use::Both);
            effects.flags = Flags::Kept;
        }
        3 => effects.operand(&operands, Use::Both),
        operation @ 4..=7 => {
            effects.operand(&operands, Use::Read);
            effects.read |= if operation >= 6 { RAX | RDX } else { RAX };
            effects.written |= RAX | RDX;
        }
        _ => return None,
    }
    Some(())
}

/// Instructions of integers whose opcode is `0f` and this.
fn two_byte(bytes: &mut Bytes<'_>, opcode: u8, effects: &mut Effects) -> Option<()> {
    match opcode {
        // cmov
        0x40..=0x4f => {
            let operands = bytes.operands()?;
            effects.operand(&operands, Use::Read);
            effects.register(operands.reg, Use::Both);
            effects.reads_flags = true;
        }
        // set
        0x90..=0x9f => {
            let operands = bytes.operands()?;
            operands.register.map_or(Some(0), |register| bytes.byte_register(register))?;
            effects.operand(&operands, Use::Both);
            effects.reads_flags = true;
        }
        // imul
        0xaf => {
            let operands = bytes.operands()?;
            effects.operand(&operands, Use::Read);
            effects.register(operands.reg, Use::Both);
            effects.flags = Flags::Set;
        }
        // movzx, movsx
        0xb6 | 0xb7 | 0xbe | 0xbf => {
            let operands = bytes.operands()?;
            if opcode & 1 == 0 {
                operands.register.map_or(Some(0), |register| bytes.byte_register(register))?;
            }
            effects.operand(&operands, Use::Read);
            effects.register(operands.reg, Use::Write);
        }
        // bswap
        0xc8..=0xcf => effects.register(opcode & 7 | (bytes.rex & 1) << 3, Use::Both),
        _ => return None,
    }
    Some(())
}

/// Instructions of floats: what they do with general registers, flags and memory.
fn float(bytes: &mut Bytes<'_>, prefix: Option<u8>, opcode: u8, effects: &mut Effects) -> Option<()> {
    let is_scalar = matches!(prefix, Some(0xf2 | 0xf3));
    let operands = bytes.operands()?;
    effects.read = operands.address;
    match opcode {
        // Loads, moves, and arithmetic of vector registers.
        0x10 | 0x51 | 0x58 | 0x59 | 0x5c..=0x5f => {}
        0x28 | 0x54..=0x57 if !is_scalar => {}
        0x5a => {}
        0x6f if prefix != Some(0xf2) && prefix.is_some() => {}
        // ucomis, comis
        0x2e | 0x2f if !is_scalar => effects.flags = Flags::Set,
        // Stores
        0x11 => effects.stores = operands.register.is_none(),
        0x29 if !is_scalar => effects.stores = operands.register.is_none(),
        0x7f if matches!(prefix, Some(0x66 | 0xf3)) => effects.stores = operands.register.is_none(),
        0xd6 if prefix == Some(0x66) => effects.stores = operands.register.is_none(),
        0x7e if prefix == Some(0xf3) => {}
        // From and to general registers.
        0x2a if is_scalar => effects.operand(&operands, Use::Read),
        0x2c | 0x2d if is_scalar => effects.register(operands.reg, Use::Write),
        0x6e if prefix == Some(0x66) => effects.operand(&operands, Use::Read),
        0x7e if prefix == Some(0x66) => effects.operand(&operands, Use::Write),
        _ => return None,
    }
    Some(())
}
