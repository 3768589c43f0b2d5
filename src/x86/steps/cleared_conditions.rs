//! Conditions become numbers in a register that was cleared before.
//!
//! Cranelift sets the low byte of a register, and extends it. The byte is merged with what the register held, so both wait for whatever
//! wrote that last: a division, whose remainder nobody wants, or the last iteration. Cleared by `xor`, a register waits for nothing,
//! and what is set in it needs no extension.
//!
//! | before | after |
//! |---|---|
//! | `cmp %ecx, %eax; setl %dl; movzbl %dl, %edx` | `xor %edx, %edx; cmp %ecx, %eax; setl %dl` |
//! | `cmp %ecx, %eax; setl %dl; movzbl %dl, %esi`, where nothing else reads `%dl` | `xor %esi, %esi; cmp %ecx, %eax; setl %sil` |
//! | the same, where the comparison reads the register | the same |
//!
//! In: fragments. Out: as many, some with other instructions. The rule: the three lie side by side, and no branch leads between them.
//! Flags are set by the comparison in either case, so that clearing a register before it changes none.
//!
//! Measured: `primecount` of Embench, whose divisions waited for each other so, 0.56 of the time.

use crate::x86::code::bytes::InstructionBytes;
use crate::x86::code::dead_registers::is_dead;
use crate::x86::code::effects::{Effects, Flags};
use crate::x86::code::fragments::{Fragment, FragmentKind, Fragments};
use crate::x86::code::targets::BranchTargets;

/// `REX`, and its bits: the fourth bits of the two registers.
const REX: u8 = 0x40;
const REX_R: u8 = 4;
const REX_B: u8 = 1;

/// Changes all of them, and says whether there are any.
pub(crate) fn run(fragments: &mut Fragments, code: &[u8]) -> bool {
    let mut targets = None;
    let mut has_changed = false;
    for place in 1..fragments.len().saturating_sub(1) {
        let Some((condition, byte)) = instruction(fragments, code, place).and_then(set_byte) else { continue };
        let Some((to, from)) = instruction(fragments, code, place + 1).and_then(extended_byte) else { continue };
        let comparison = fragments[place - 1];
        let may_move = matches!(comparison.kind, FragmentKind::Instruction | FragmentKind::Rewritten(_))
            && !comparison.is_relocated
            && comparison.effects.only_sets_flags()
            && comparison.effects.read & 1 << to == 0;
        if from != byte || !may_move || to != byte && !is_dead(fragments, place + 2, 1 << byte) {
            continue;
        }
        let targets = targets.get_or_insert_with(|| BranchTargets::new(fragments, code));
        if targets.include_any(&fragments[place..=place + 1]) {
            continue;
        }
        let (Some(clear), Some(set)) = (clear(to), set(condition, to)) else { continue };
        fragments.replace(place - 1, clear);
        fragments.replace(place, comparison);
        fragments.replace(place + 1, set);
        has_changed = true;
    }
    has_changed
}

/// The bytes of an instruction as Cranelift wrote it.
fn instruction<'a>(fragments: &Fragments, code: &'a [u8], place: usize) -> Option<&'a [u8]> {
    let fragment = fragments.get(place)?;
    let is_plain = matches!(fragment.kind, FragmentKind::Instruction) && !fragment.is_relocated;
    fragment.bytes(code).filter(|_| is_plain)
}

/// `REX`, or 0, and the rest of an instruction.
fn parts(bytes: &[u8]) -> (u8, &[u8]) {
    match bytes.split_first() {
        Some((&rex, rest)) if rex & 0xf0 == REX => (rex, rest),
        _ => (0, bytes),
    }
}

/// Whether a byte of a register is the lowest: without a prefix, those of 4 to 7 are others.
fn is_lowest(rex: u8, register: u8) -> bool {
    rex != 0 || register < 4
}

/// The condition, and the register whose low byte is set by it.
pub(crate) fn set_byte(bytes: &[u8]) -> Option<(u8, u8)> {
    let (rex, rest) = parts(bytes);
    let [0x0f, opcode @ 0x90..=0x9f, operand @ 0xc0..=0xff] = *rest else { return None };
    let register = operand & 7;
    is_lowest(rex, register).then_some((opcode & 15, register | if rex & REX_B != 0 { 8 } else { 0 }))
}

/// The register that a byte is zero-extended to, and that of the byte.
pub(crate) fn extended_byte(bytes: &[u8]) -> Option<(u8, u8)> {
    let (rex, rest) = parts(bytes);
    let [0x0f, 0xb6, operands @ 0xc0..=0xff] = *rest else { return None };
    let (to, from) = (operands >> 3 & 7, operands & 7);
    let fourth = |bit: u8| if rex & bit != 0 { 8 } else { 0 };
    is_lowest(rex, from).then_some((to | fourth(REX_R), from | fourth(REX_B)))
}

/// `xor register, register`, of 32 bits.
fn clear(register: u8) -> Option<Fragment> {
    let prefix: &[u8] = if register > 7 { &[REX | REX_R | REX_B] } else { &[] };
    let bytes = InstructionBytes::new([prefix, &[0x31], &[0xc0 | (register & 7) << 3 | register & 7]])?;
    Some(Fragment::new(0, bytes, Effects { written: 1 << register, flags: Flags::Set, ..Effects::NOTHING }))
}

/// `setcc` of a register's low byte.
fn set(condition: u8, register: u8) -> Option<Fragment> {
    let prefix: &[u8] = match register {
        0..4 => &[],
        4..8 => &[REX],
        _ => &[REX | REX_B],
    };
    let bytes = InstructionBytes::new([prefix, &[0x0f, 0x90 | condition], &[0xc0 | register & 7]])?;
    let merged = 1 << register;
    Some(Fragment::new(0, bytes, Effects { read: merged, written: merged, reads_flags: true, ..Effects::NOTHING }))
}
