//! Jump-table bounds checks: a branch in place of Cranelift's clamp of the index.
//!
//! Cranelift clamps the index to the number of entries, and adds an entry for the default: the jump depends on the comparison,
//! so that untrusted code cannot learn of memory by speculation. What runs here is as trusted as any native code
//! (`docs/speculation.md`). In: fragments. Out: as many fragments, some with other instructions.
//!
//! | Cranelift's | this step's |
//! |---|---|
//! | `mov $4, %ecx; mov %eax, %edx; cmp %ecx, %edx; cmovb %edx, %ecx` | `mov %eax, %edx; cmp $4, %edx; jae beyond; mov %edx, %ecx` |
//! | `lea table, %rdx; movslq (%rdx, %rcx, 4), %rcx; add %rcx, %rdx; jmp *%rdx` | the same |
//!
//! An index that a branch has checked already is not checked again: what jumps to a label compares all 64 bits, and Cranelift's
//! index has 32.
//!
//! | Cranelift's | this step's |
//! |---|---|
//! | `cmp $4, %rax; jae none; mov %eax, %eax; mov $4, %ecx; cmp %ecx, %eax; cmovb %eax, %ecx` | `cmp $4, %rax; jae none; mov %eax, %ecx` |
//!
//! The rule: no branch leads between the two comparisons, and what lies there writes the index only by taking its low half. Measured,
//! with labels that are their table's indices (`graph/label_numbers.rs`), in executed instructions of all, the rest of the program
//! included: Oniguruma 0.93, QuickJS 0.935, Lua 0.95. A jump takes 7 or 8 instructions in place of 12.
//!
//! The rule of both: `beyond` is the target of the last entry. There, the registers of the index and of the table's address hold
//! other values than they did; nothing reads them, since they are temporaries of Cranelift's sequence (`JmpTableSeq`). No
//! branch leads into the sequence.

use crate::x86::code::abi::RegisterSet;
use crate::x86::code::bytes::InstructionBytes;
use crate::x86::code::effects::{Effects, Flags, Transfer};
use crate::x86::code::fragments::{Fragment, FragmentKind, Fragments};
use crate::x86::code::targets::BranchTargets;

/// Instructions from the comparison to the table: `cmp`, `cmov`, `lea`, `movslq`, `add`, `jmp`.
pub(crate) const SEQUENCE: usize = 6;

/// At most so many instructions lie between the move of the number of entries and its use.
const MAX_BETWEEN: usize = 4;

/// At most so many instructions lie between a branch that checked the index and the comparison.
const MAX_SINCE_CHECKED: usize = 16;

/// The number of the condition "not below" in opcodes.
pub(crate) const NOT_BELOW: u8 = 3;

/// InstructionBytes of an entry.
const ENTRY: u32 = 4;

/// InstructionBytes of `REX`, and its bits: 64 bits wide, and the fourth bits of the two registers.
const REX: u8 = 0x40;
const REX_W: u8 = 8;
const REX_R: u8 = 4;
const REX_B: u8 = 1;

/// Changes all bounds checks of a function, and says whether there are any.
pub(crate) fn check(fragments: &mut Fragments, code: &[u8]) -> bool {
    let tables: Vec<usize> =
        (0..fragments.len()).filter(|&index| matches!(fragments[index].kind, FragmentKind::JumpTable)).collect();
    if tables.is_empty() {
        return false;
    }
    let targets = BranchTargets::new(fragments, code);
    let mut has_changed = false;
    for table in tables {
        let made = BoundsCheck::read(fragments, code, table)
            .and_then(|check| check.made(fragments, code, &targets, table));
        if let Some((first, list)) = made {
            has_changed = true;
            for (place, fragment) in (first..).zip(list) {
                fragments.replace(place, fragment);
            }
        }
    }
    has_changed
}

/// A bounds check as Cranelift writes it.
pub(crate) struct BoundsCheck {
    /// Entries, but for the default's.
    pub(crate) entries: u32,
    /// The index of the instruction that moves this number to a register.
    count: usize,
    /// The index of the comparison; `cmovb` is next.
    pub(crate) comparison: usize,
    pub(crate) is_64_bit: bool,
    /// The register that the index is in, and the one for the clamped index.
    pub(crate) from: u8,
    pub(crate) to: u8,
}

impl BoundsCheck {
    /// Recognises what lies before a table.
    pub(crate) fn read(fragments: &[Fragment], code: &[u8], table: usize) -> Option<BoundsCheck> {
        let comparison = table.checked_sub(SEQUENCE)?;
        let sequence = fragments.get(comparison..table)?;
        let [compares, selects, address, loads, ..] = sequence else { return None };
        let (is_64_bit, to, from) = operands(selects, code, &[0x0f, 0x42])?;
        let is_compared = operands(compares, code, &[0x3b]) == Some((is_64_bit, from, to))
            || operands(compares, code, &[0x39]) == Some((is_64_bit, to, from));
        // The clamped index is what the table is read by.
        let index: RegisterSet = 1 << to;
        let is_index =
            address.effects.written & index == 0 && loads.effects.read == address.effects.written | index;
        if !is_compared || !is_index || from == to {
            return None;
        }
        let earliest = comparison.saturating_sub(MAX_BETWEEN + 1);
        let count = (earliest..comparison).rev().find(|&place| fragments[place].effects.written & index != 0)?;
        let entries = number(&fragments[count], code, to)?;
        Some(BoundsCheck { entries, count, comparison, is_64_bit, from, to })
    }

    /// The instructions in place of those from the move of the number to `cmovb`.
    fn made(
        &self,
        fragments: &Fragments,
        code: &[u8],
        targets: &BranchTargets,
        table: usize,
    ) -> Option<(usize, Vec<Fragment>)> {
        let BoundsCheck { entries, count, comparison, is_64_bit, from, to } = *self;
        let jump_table = &fragments[table];
        let size = entries.checked_add(1)?.checked_mul(ENTRY)?;
        let is_own =
            matches!(fragments[comparison + 2].kind, FragmentKind::PcRelative { to, .. } if to == jump_table.label);
        let between = &fragments[count + 1..comparison];
        let stays = |fragment: &Fragment| {
            let effects = fragment.effects;
            let is_next = effects.transfer == Transfer::Next
                && !matches!(fragment.kind, FragmentKind::Branch { .. } | FragmentKind::JumpTable);
            is_next && !effects.is_stack && !fragment.is_relocated && effects.named() & (1 << to) == 0
        };
        if jump_table.size != size
            || !is_own
            || !between.iter().all(stays)
            || targets.include_any(&fragments[count + 1..comparison + SEQUENCE])
        {
            return None;
        }
        let beyond = jump_table.entries(code).last()?;
        let read = Effects { read: 1 << from, flags: Flags::Set, ..Effects::NOTHING };
        let written = Effects { written: 1 << to, flags: Flags::Kept, ..read };
        let mut list = between.to_vec();
        if let Some(extension) = self.checked_before(fragments, code, targets) {
            let gone = Fragment::new(0, InstructionBytes::NONE, Effects::NOTHING);
            let copy = Fragment::new(0, copy(is_64_bit, from, to)?, written);
            list.extend([gone, gone, copy]);
            // A move of a register to itself clears its high half, which is 0.
            let moved = &fragments[extension];
            let place = extension.checked_sub(count + 1).filter(|_| moved.effects.read == moved.effects.written);
            place.and_then(|place| list.get_mut(place)).into_iter().for_each(Fragment::remove);
            return Some((count, list));
        }
        list.push(Fragment::new(0, compare(is_64_bit, from, entries)?, read));
        list.push(Fragment::branch(0, Some(NOT_BELOW), beyond));
        list.push(Fragment::new(0, copy(is_64_bit, from, to)?, written));
        Some((count, list))
    }
}

impl BoundsCheck {
    /// Where the index is made of the low half of a register, if a branch has checked the whole of that already.
    fn checked_before(&self, fragments: &[Fragment], code: &[u8], targets: &BranchTargets) -> Option<usize> {
        let earliest = self.comparison.saturating_sub(MAX_SINCE_CHECKED);
        let writes = |place: usize, register: u8| fragments[place].effects.written & (1 << register) != 0;
        let extension = (earliest..self.comparison).rev().find(|&place| writes(place, self.from))?;
        let (is_64_bit, first, second) = operands(&fragments[extension], code, &[0x8b])
            .or_else(|| operands(&fragments[extension], code, &[0x89]).map(|(wide, rm, reg)| (wide, reg, rm)))?;
        let whole = (!is_64_bit && first == self.from).then_some(second)?;
        let is_branch = |place: usize| matches!(fragments[place].kind, FragmentKind::Branch { .. });
        let branch = (earliest..extension).rev().find(|&place| is_branch(place) || writes(place, whole))?;
        let FragmentKind::Branch { condition: Some(NOT_BELOW), .. } = fragments[branch].kind else { return None };
        let bound = bound(fragments.get(branch.checked_sub(1)?)?, code, whole)?;
        let since = &fragments[branch..self.comparison];
        let is_next = |fragment: &Fragment| fragment.effects.transfer == Transfer::Next && !fragment.is_data();
        (bound <= self.entries && since.iter().all(is_next) && !targets.include_any(since)).then_some(extension)
    }
}

/// The number that an instruction compares all 64 bits of a register with.
pub(crate) fn bound(fragment: &Fragment, code: &[u8], register: u8) -> Option<u32> {
    let (prefix, rest) = parts(fragment, code)?;
    let extended = if prefix & REX_B != 0 { 8 } else { 0 };
    let (compared, number) = match *rest {
        // Of `rax`, which has a form of its own.
        [0x3d, ref number @ ..] => (0, i32::from_le_bytes(number.try_into().ok()?)),
        [0x81, registers @ 0xf8..=0xff, ref number @ ..] => {
            (registers & 7 | extended, i32::from_le_bytes(number.try_into().ok()?))
        }
        [0x83, registers @ 0xf8..=0xff, number] => (registers & 7 | extended, i32::from(number.cast_signed())),
        _ => return None,
    };
    let is_whole = prefix & REX_W != 0 && !fragment.is_relocated && compared == register;
    u32::try_from(number).ok().filter(|_| is_whole)
}

/// Whether an instruction with this opcode and two registers is of 64 bits, and the registers: `reg` and `rm` of ModRM.
fn operands(fragment: &Fragment, code: &[u8], opcode: &[u8]) -> Option<(bool, u8, u8)> {
    let (prefix, rest) = parts(fragment, code)?;
    let [registers] = *rest.strip_prefix(opcode)? else { return None };
    let first = registers >> 3 & 7 | if prefix & REX_R != 0 { 8 } else { 0 };
    let second = registers & 7 | if prefix & REX_B != 0 { 8 } else { 0 };
    (registers >> 6 == 3).then_some((prefix & REX_W != 0, first, second))
}

/// `REX` if there is one, and the bytes behind it.
fn parts<'a>(fragment: &Fragment, code: &'a [u8]) -> Option<(u8, &'a [u8])> {
    let bytes = fragment.bytes(code)?;
    let (&first, rest) = bytes.split_first()?;
    Some(if first & 0xf0 == REX { (first, rest) } else { (0, bytes) })
}

/// The constant that an instruction moves to a register.
fn number(fragment: &Fragment, code: &[u8], register: u8) -> Option<u32> {
    let (prefix, rest) = parts(fragment, code)?;
    let (&opcode, number) = rest.split_first()?;
    let to = opcode & 7 | if prefix & REX_B != 0 { 8 } else { 0 };
    let is_move = opcode & 0xf8 == 0xb8 && to == register && !fragment.is_relocated;
    is_move.then(|| number.try_into().ok().map(u32::from_le_bytes)).flatten()
}

/// `cmp $number, register`.
pub(crate) fn compare(is_64_bit: bool, register: u8, number: u32) -> Option<InstructionBytes> {
    let number = i32::try_from(number).ok()?;
    let (prefix, registers) = encoded(is_64_bit, 7, register);
    let prefix: &[u8] = if prefix == REX { &[] } else { &[prefix] };
    match i8::try_from(number) {
        Ok(number) => InstructionBytes::new([prefix, &[0x83, registers], &number.to_le_bytes()]),
        Err(_) => InstructionBytes::new([prefix, &[0x81, registers], &number.to_le_bytes()]),
    }
}

/// `mov from, to`.
fn copy(is_64_bit: bool, from: u8, to: u8) -> Option<InstructionBytes> {
    let (prefix, registers) = encoded(is_64_bit, to, from);
    let prefix: &[u8] = if prefix == REX { &[] } else { &[prefix] };
    InstructionBytes::new([prefix, &[0x8b], &[registers]])
}

/// `REX`, and the ModRM byte of two registers.
fn encoded(is_64_bit: bool, first: u8, second: u8) -> (u8, u8) {
    let bit = |bit: u8, holds: bool| if holds { bit } else { 0 };
    let prefix = REX | bit(REX_W, is_64_bit) | bit(REX_R, first > 7) | bit(REX_B, second > 7);
    (prefix, 0xc0 | (first & 7) << 3 | second & 7)
}
