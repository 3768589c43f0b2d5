//! Indices of jump tables, checked by a branch.
//!
//! Cranelift takes the lesser of the index and the number of entries, and has one entry more for what is beyond: the jump
//! waits for the comparison, against what code that is not trusted could learn of memory by speculation. What runs here is as
//! trusted as native code is (`docs/speculation.md`). In: the code, read back. Out: the same places, with other instructions in some.
//!
//! | as Cranelift writes it | as it is then |
//! |---|---|
//! | `mov $4, %ecx; mov %eax, %edx; cmp %ecx, %edx; cmovb %edx, %ecx` | `mov %eax, %edx; cmp $4, %edx; jae beyond; mov %edx, %ecx` |
//! | `lea table, %rdx; movslq (%rdx, %rcx, 4), %rcx; add %rcx, %rdx; jmp *%rdx` | the same |
//!
//! The rule: `beyond` is where the last entry leads. There, the registers of the index and of the address hold what they would
//! not have held; nobody reads them, since they are Cranelift's own (`JmpTableSeq`), made for this jump. Nothing leads in
//! between.

use super::short_encodings::Bytes;
use crate::x86::code::effects::{Flags, Flow, Set, Uses};
use crate::x86::code::pieces::{Item, Items, Kind};
use crate::x86::code::targets::Ways;

/// Instructions from the check to the table: `cmp`, `cmov`, `lea`, `movslq`, `add`, `jmp`.
pub(crate) const SEQUENCE: usize = 6;

/// How many instructions lie between the number of entries and its use, at most.
const BETWEEN: usize = 4;

/// The processor's number of the condition: not below.
pub(crate) const NOT_BELOW: u8 = 3;

/// Bytes of an entry.
const ENTRY: u32 = 4;

/// Bytes of `REX`, and its bits: 64 bits wide, and the fourth bits of the two registers.
const REX: u8 = 0x40;
const WIDE: u8 = 8;
const FIRST: u8 = 4;
const SECOND: u8 = 1;

/// Checks indices by branches, in all of a function, and says whether there are any.
pub(crate) fn check(items: &mut Items, code: &[u8]) -> bool {
    let tables: Vec<usize> = (0..items.len()).filter(|&index| matches!(items[index].kind, Kind::Table)).collect();
    if tables.is_empty() {
        return false;
    }
    let ways = Ways::new(items, code);
    let mut has_changed = false;
    for table in tables {
        let made = Check::read(items, code, table).and_then(|check| check.made(items, code, &ways, table));
        if let Some((first, list)) = made {
            has_changed = true;
            for (place, item) in (first..).zip(list) {
                items[place] = items[place].replaced(item);
            }
        }
    }
    has_changed
}

/// A check of an index.
pub(crate) struct Check {
    /// How many entries are for an index.
    pub(crate) entries: u32,
    /// The place of what says so.
    count: usize,
    /// Of the comparison, which the selection follows.
    pub(crate) comparison: usize,
    pub(crate) is_wide: bool,
    /// The index as it came, and where it is to be.
    pub(crate) from: u8,
    pub(crate) to: u8,
}

impl Check {
    /// Reads what lies before a table.
    pub(crate) fn read(items: &[Item], code: &[u8], table: usize) -> Option<Check> {
        let comparison = table.checked_sub(SEQUENCE)?;
        let sequence = items.get(comparison..table)?;
        let [compares, selects, address, loads, ..] = sequence else { return None };
        let (is_wide, to, from) = operands(selects, code, &[0x0f, 0x42])?;
        let is_compared = operands(compares, code, &[0x3b]) == Some((is_wide, from, to))
            || operands(compares, code, &[0x39]) == Some((is_wide, to, from));
        // The index goes to where the table is read.
        let index: Set = 1 << to;
        let is_index = address.uses.written & index == 0 && loads.uses.read == address.uses.written | index;
        if !is_compared || !is_index || from == to {
            return None;
        }
        let earliest = comparison.saturating_sub(BETWEEN + 1);
        let count = (earliest..comparison).rev().find(|&place| items[place].uses.written & index != 0)?;
        let entries = number(&items[count], code, to)?;
        Some(Check { entries, count, comparison, is_wide, from, to })
    }

    /// What takes the places from the number of entries to the selection.
    fn made(&self, items: &Items, code: &[u8], ways: &Ways, table: usize) -> Option<(usize, Vec<Item>)> {
        let Check { entries, count, comparison, is_wide, from, to } = *self;
        let table = &items[table];
        let size = entries.checked_add(1)?.checked_mul(ENTRY)?;
        let is_own = matches!(items[comparison + 2].kind, Kind::Relative { to, .. } if to == table.name);
        let between = &items[count + 1..comparison];
        let stays = |item: &Item| {
            let uses = item.uses;
            let is_next = uses.flow == Flow::Next && !matches!(item.kind, Kind::Branch { .. } | Kind::Table);
            is_next && !uses.is_stack && !item.is_relocated && uses.named() & (1 << to) == 0
        };
        if table.size != size
            || !is_own
            || !between.iter().all(stays)
            || ways.lead_to(&items[count + 1..comparison + SEQUENCE])
        {
            return None;
        }
        let beyond = table.entries(code).last()?;
        let read = Uses { read: 1 << from, flags: Flags::Set, ..Uses::NOTHING };
        let written = Uses { written: 1 << to, flags: Flags::Kept, ..read };
        let mut list = between.to_vec();
        list.push(Item::new(0, compare(is_wide, from, entries)?, read));
        list.push(Item::branch(0, Some(NOT_BELOW), beyond));
        list.push(Item::new(0, copy(is_wide, from, to)?, written));
        Some((count, list))
    }
}

/// Whether an instruction of two registers is 64 bits wide, and these: the first is the one in the middle bits of its last byte.
fn operands(item: &Item, code: &[u8], opcode: &[u8]) -> Option<(bool, u8, u8)> {
    let (prefix, rest) = parts(item, code)?;
    let [registers] = *rest.strip_prefix(opcode)? else { return None };
    let first = registers >> 3 & 7 | if prefix & FIRST != 0 { 8 } else { 0 };
    let second = registers & 7 | if prefix & SECOND != 0 { 8 } else { 0 };
    (registers >> 6 == 3).then_some((prefix & WIDE != 0, first, second))
}

/// `REX` if there is one, and the bytes behind it.
fn parts<'a>(item: &Item, code: &'a [u8]) -> Option<(u8, &'a [u8])> {
    let bytes = item.bytes(code)?;
    let (&first, rest) = bytes.split_first()?;
    Some(if first & 0xf0 == REX { (first, rest) } else { (0, bytes) })
}

/// The number that an item moves to a register.
fn number(item: &Item, code: &[u8], register: u8) -> Option<u32> {
    let (prefix, rest) = parts(item, code)?;
    let (&opcode, number) = rest.split_first()?;
    let to = opcode & 7 | if prefix & SECOND != 0 { 8 } else { 0 };
    let is_move = opcode & 0xf8 == 0xb8 && to == register && !item.is_relocated;
    is_move.then(|| number.try_into().ok().map(u32::from_le_bytes)).flatten()
}

/// `cmp $number, register`.
pub(crate) fn compare(is_wide: bool, register: u8, number: u32) -> Option<Bytes> {
    let number = i32::try_from(number).ok()?;
    let (prefix, registers) = encoded(is_wide, 7, register);
    let prefix: &[u8] = if prefix == REX { &[] } else { &[prefix] };
    match i8::try_from(number) {
        Ok(number) => Bytes::new([prefix, &[0x83, registers], &number.to_le_bytes()]),
        Err(_) => Bytes::new([prefix, &[0x81, registers], &number.to_le_bytes()]),
    }
}

/// `mov from, to`.
fn copy(is_wide: bool, from: u8, to: u8) -> Option<Bytes> {
    let (prefix, registers) = encoded(is_wide, to, from);
    let prefix: &[u8] = if prefix == REX { &[] } else { &[prefix] };
    Bytes::new([prefix, &[0x8b], &[registers]])
}

/// `REX`, and the byte of two registers.
fn encoded(is_wide: bool, first: u8, second: u8) -> (u8, u8) {
    let bit = |bit: u8, holds: bool| if holds { bit } else { 0 };
    let prefix = REX | bit(WIDE, is_wide) | bit(FIRST, first > 7) | bit(SECOND, second > 7);
    (prefix, 0xc0 | (first & 7) << 3 | second & 7)
}
