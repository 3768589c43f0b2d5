//! Reloads that become operands of the instruction that reads them.
//!
//! In: a [`Flow`], and the registers that are live behind each operation. Out: instructions with a slot, or the register that was
//! copied, in the place of a register, and the flow without the reload. Source: the opcode maps of Intel's manual, volume 2.
//!
//! | instruction, of a reloaded register | becomes |
//! |---|---|
//! | `add`, `or`, `and`, `sub`, `xor`, `imul`, `cmov` from it | the same, from memory |
//! | `cmp`, `test` with it, on either side | the same, with memory on that side |
//! | `mov`, `movzx`, `movsx`, `imul` by a constant from it | the same, from memory |
//! | `cmp`, `test` with a constant; `mul`, `div` by it | the same, of memory |
//!
//! The rule: the instruction comes at most [`MAX_DISTANCE`] behind the reload, in its block, and is the last that reads the register;
//! nothing between them reads or writes that, or writes the slot.

use super::flow::{Flow, Operation};
use crate::x86::code::abi::RegisterSet;
use crate::x86::code::bytes::InstructionBytes;
use crate::x86::code::fragments::{FragmentKind, Fragments};
use crate::x86::code::spill_slots::SpillSlots;

/// How far behind a reload its reader may be.
const MAX_DISTANCE: usize = 8;

/// Where a value is.
#[derive(Clone, Copy)]
enum Source {
    Slot(usize),
    Register(u8),
}

/// `mov` of 64 bits between registers.
pub(super) fn copy(to: u8, from: u8) -> InstructionBytes {
    InstructionBytes::of([0x48 | (from >> 3) << 2 | to >> 3, 0x89, 0xc0 | (from & 7) << 3 | to & 7])
}

/// A reload.
pub(super) fn reload(slots: &SpillSlots, slot: usize, register: u8) -> InstructionBytes {
    let (operand, size) = slots.operand(slot, register);
    InstructionBytes::new([&[0x48 | (register >> 3) << 2, 0x8b], &operand[..size], &[]])
        .unwrap_or(InstructionBytes::NONE)
}

/// Makes operands of reloads; the indexes of the instructions that read them, and what they become.
pub(super) fn fold(
    flow: &mut Flow,
    fragments: &Fragments,
    code: &[u8],
    slots: &SpillSlots,
    live: &[RegisterSet],
) -> Vec<(usize, InstructionBytes)> {
    let mut folded: Vec<(usize, InstructionBytes)> = Vec::new();
    let mut is_folded = vec![false; flow.operations.len()];
    for block in flow.blocks.clone() {
        for index in block.clone() {
            let (register, source) = match flow.operations[index] {
                Operation::Load { slot, register } => (register, Source::Slot(slot)),
                // Copies of Cranelift's stay.
                Operation::Copy { to, from } if slots.is_access(&fragments[index], code) => {
                    (to, Source::Register(from))
                }
                _ => continue,
            };
            let Some(reader) = reader(flow, index..block.end, register, source) else { continue };
            if is_folded[reader] {
                continue;
            }
            let is_last = live[reader] >> register & 1 == 0;
            if let Operation::Copy { to, from } = flow.operations[reader] {
                if from == register && is_last {
                    flow.operations[reader] = match source {
                        Source::Slot(slot) => Operation::Load { slot, register: to },
                        Source::Register(from) => Operation::Copy { to, from },
                    };
                    flow.operations[index] = Operation::Nothing;
                }
                continue;
            }
            let fragment = &fragments[reader];
            if fragment.is_relocated || !matches!(fragment.kind, FragmentKind::Instruction) {
                continue;
            }
            let Some(made) = fragment.bytes(code).and_then(|bytes| Folded::of(bytes, register)) else { continue };
            if (is_last || made.replaces(register))
                && let Some(bytes) = made.encode(slots, source)
            {
                is_folded[reader] = true;
                folded.push((reader, bytes));
                flow.operations[index] = Operation::Nothing;
            }
        }
    }
    folded
}

/// The next operation that reads a register, if it can read where its value is instead.
fn reader(flow: &Flow, range: std::ops::Range<usize>, register: u8, source: Source) -> Option<usize> {
    for index in range.skip(1).take(MAX_DISTANCE) {
        match flow.operations[index] {
            Operation::Nothing => {}
            Operation::Other { read, .. } if read >> register & 1 != 0 => return Some(index),
            Operation::Copy { from, .. } if from == register => return Some(index),
            Operation::Other { written, .. } => {
                let is_source = matches!(source, Source::Register(from) if written >> from & 1 != 0);
                if is_source || written >> register & 1 != 0 {
                    return None;
                }
            }
            Operation::Copy { to, .. } | Operation::Load { register: to, .. } => {
                let is_source = matches!(source, Source::Register(from) if from == to);
                if is_source || to == register {
                    return None;
                }
            }
            Operation::Store { slot, register: from } => {
                let is_source = matches!(source, Source::Slot(other) if slot == other);
                if is_source || from == register {
                    return None;
                }
            }
            _ => return None,
        }
    }
    None
}

/// An instruction one of whose operands can be in memory.
struct Folded<'a> {
    /// Whether it is of 64 bits.
    is_wide: bool,
    /// Whether that operand is of 8 bits.
    is_byte: bool,
    opcode: [u8; 2],
    /// How many bytes of the opcode there are.
    size: usize,
    /// The other register, or the number of the operation.
    reg: u8,
    /// Whether `reg` is a register that it writes without reading it.
    is_written: bool,
    constant: &'a [u8],
}

impl<'a> Folded<'a> {
    /// An instruction whose register operand is to be another one.
    fn of(bytes: &'a [u8], register: u8) -> Option<Folded<'a>> {
        let (rex, rest) = match *bytes {
            [rex @ 0x40..=0x4f, ref rest @ ..] => (rex, rest),
            _ => (0, bytes),
        };
        let (opcode, size, operands, constant) = match *rest {
            [0x0f, second, operands @ 0xc0..=0xff, ref constant @ ..] => ([0x0f, second], 2, operands, constant),
            [first, operands @ 0xc0..=0xff, ref constant @ ..] => ([first, 0], 1, operands, constant),
            _ => return None,
        };
        let (reg, rm) = ((operands >> 3 & 7) | (rex & 4) << 1, (operands & 7) | (rex & 1) << 3);
        let made = |opcode: [u8; 2], reg: u8| Folded {
            is_wide: rex & 8 != 0,
            is_byte: false,
            opcode,
            size,
            reg,
            is_written: false,
            constant,
        };
        let (is_reg, is_rm) = (reg == register && rm != register, rm == register && reg != register);
        match opcode {
            // add, or, and, sub, xor: to a register, from another one.
            [0x01 | 0x09 | 0x21 | 0x29 | 0x31, 0] if is_reg => Some(made([opcode[0] | 2, 0], rm)),
            [0x03 | 0x0b | 0x23 | 0x2b | 0x33, 0] if is_rm => Some(made(opcode, reg)),
            // cmp, test
            [0x39, 0] if is_reg => Some(made([0x3b, 0], rm)),
            [0x3b, 0] if is_reg => Some(made([0x39, 0], rm)),
            [0x39 | 0x3b, 0] if is_rm => Some(made(opcode, reg)),
            [0x85, 0] if is_reg => Some(made(opcode, rm)),
            [0x85, 0] if is_rm => Some(made(opcode, reg)),
            // mov, movsxd; imul by a constant
            [0x89, 0] if reg == register => Some(Folded { is_written: true, ..made([0x8b, 0], rm) }),
            [0x8b | 0x69 | 0x6b, 0] if rm == register => Some(Folded { is_written: true, ..made(opcode, reg) }),
            [0x63, 0] if rm == register && rex & 8 != 0 => Some(Folded { is_written: true, ..made(opcode, reg) }),
            // cmp of a constant; test of one, mul, imul, div, idiv
            [0x81 | 0x83, 0] if rm == register && reg & 7 == 7 => Some(made(opcode, 7)),
            [0xf7, 0] if rm == register && matches!(reg & 7, 0) => Some(made(opcode, 0)),
            [0xf7, 0] if rm == register && reg & 7 >= 4 && !matches!(rm, 0 | 2) => Some(made(opcode, reg & 7)),
            // cmov, imul
            [0x0f, 0x40..=0x4f | 0xaf] if is_rm => Some(made(opcode, reg)),
            // movzx, movsx
            [0x0f, 0xb7 | 0xbf] if rm == register => Some(Folded { is_written: true, ..made(opcode, reg) }),
            [0x0f, 0xb6 | 0xbe] if rm == register && (rex != 0 || rm < 4) => {
                Some(Folded { is_written: true, is_byte: true, ..made(opcode, reg) })
            }
            _ => None,
        }
    }

    /// Whether a register holds another value behind it, whatever it was.
    fn replaces(&self, register: u8) -> bool {
        self.is_written && self.reg == register
    }

    fn encode(&self, slots: &SpillSlots, source: Source) -> Option<InstructionBytes> {
        let mut rex = u8::from(self.is_wide) << 3 | (self.reg >> 3) << 2;
        let (operand, size) = match source {
            Source::Slot(slot) => slots.operand(slot, self.reg),
            Source::Register(register) => {
                rex |= register >> 3;
                ([0xc0 | (self.reg & 7) << 3 | register & 7, 0, 0, 0, 0, 0], 1)
            }
        };
        // Without a prefix, bytes of the registers 4 to 7 are others.
        let has_rex = rex != 0 || (self.is_byte && matches!(source, Source::Register(4..)));
        let prefix = [0x40 | rex];
        let prefix = if has_rex { &prefix[..] } else { &[] };
        let start = InstructionBytes::new([prefix, &self.opcode[..self.size], &operand[..size]])?;
        InstructionBytes::new([start.bytes(), self.constant, &[]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of instructions that read `%rcx`, a word at 16 above the stack pointer.
    #[test]
    fn operands_are_in_memory() {
        let slots = SpillSlots::words(16..24);
        let cases: &[(&[u8], &[u8])] = &[
            (&[0x48, 0x01, 0xc8], &[0x48, 0x03, 0x44, 0x24, 16]), // add %rcx, %rax
            (&[0x29, 0xca], &[0x2b, 0x54, 0x24, 16]),             // sub %ecx, %edx
            (&[0x4c, 0x39, 0xc1], &[0x4c, 0x39, 0x44, 0x24, 16]), // cmp %r8, %rcx
            (&[0x49, 0x39, 0xc8], &[0x4c, 0x3b, 0x44, 0x24, 16]), // cmp %rcx, %r8
            (&[0x85, 0xc8], &[0x85, 0x44, 0x24, 16]),             // test %ecx, %eax
            (&[0x48, 0x0f, 0xaf, 0xc1], &[0x48, 0x0f, 0xaf, 0x44, 0x24, 16]), // imul %rcx, %rax
            (&[0x0f, 0xb6, 0xc9], &[0x0f, 0xb6, 0x4c, 0x24, 16]), // movzbl %cl, %ecx
            (&[0x83, 0xf9, 5], &[0x83, 0x7c, 0x24, 16, 5]),       // cmp $5, %ecx
            (&[0x89, 0xc8], &[0x8b, 0x44, 0x24, 16]),             // mov %ecx, %eax
        ];
        for &(before, after) in cases {
            let made = Folded::of(before, 1).and_then(|made| made.encode(&slots, Source::Slot(0)));
            assert_eq!(made.map(|made| made.bytes().to_vec()), Some(after.to_vec()), "{before:02x?}");
        }
    }

    #[test]
    fn others_stay() {
        let cases: &[&[u8]] = &[
            &[0x48, 0x01, 0xc1],       // add %rax, %rcx
            &[0x48, 0x01, 0xc9],       // add %rcx, %rcx
            &[0x48, 0x0f, 0xa3, 0xc1], // bt %rax, %rcx: of memory, bits beyond the word
            &[0x0f, 0xb6, 0xc5],       // movzbl %ch, %eax
            &[0x48, 0x8b, 0x01],       // mov (%rcx), %rax
            &[0xd3, 0xe0],             // shl %cl, %eax
            &[0x48, 0x83, 0xc1, 5],    // add $5, %rcx
            &[0x66, 0x39, 0xc8],       // cmp %cx, %ax
        ];
        for &bytes in cases {
            assert!(Folded::of(bytes, 1).is_none(), "{bytes:02x?}");
        }
    }
}
