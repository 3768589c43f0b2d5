//! Loops that go back by their own test, without a jump.
//!
//! The allocator's moves for the next round lie between a loop's test and a jump back, and the next round may start with moves
//! that undo them. In: the code, read back. Out: the same places, with other instructions in some.
//!
//! | as it is | as it is then |
//! |---|---|
//! | `cmp; je out; mov ..; jmp head; out:` | `mov ..; cmp; jne head; out:` |
//! | `mov %rbx, %rdi; jmp head; head: mov %rdi, %rbx; next:` | `mov %rbx, %rdi; jmp next` |
//! | a move back that nothing reads | nothing |
//!
//! The rule: moves and addresses may be computed before a test if what they write is dead where the loop ends; where the
//! test reads it, they come behind the test. Whether a register is dead is looked for on all ways, [`LOOKED_AT`]
//! instructions at most; what is not found out is live.

use crate::x86::code::effects::{ARGUMENTS, Flow, RESULTS, SAVED, Set};
use crate::x86::code::pieces::{Item, Items, Kind};
use crate::x86::code::targets::Ways;

/// How many instructions are looked at for a register's next use.
const LOOKED_AT: usize = 48;

/// Moves before a jump, at most.
const MOVES: usize = 8;

/// Changes all loops of a function, and says whether there are any.
pub(crate) fn rotate(items: &mut Items, code: &[u8]) -> bool {
    let mut ways = None;
    let mut has_changed = false;
    for jump in 1..items.len() {
        let Kind::Branch { condition: None, to } = items[jump].kind else { continue };
        let Some(head) = items.index_of(to).filter(|&head| head < jump) else { continue };
        let ways = ways.get_or_insert_with(|| Ways::new(items, code));
        let Some(back) = Back::read(items, code, ways, head, jump) else { continue };
        has_changed |= back.change(items, ways);
    }
    has_changed
}

/// A move from a register to another, or a value that is computed without memory and flags.
#[derive(Clone, Copy)]
struct Move {
    item: Item,
    /// Both registers, if it copies all of one.
    copies: Option<(Set, Set)>,
}

impl Move {
    fn read(item: &Item, code: &[u8]) -> Option<Move> {
        if item.is_relocated || !matches!(item.kind, Kind::Plain | Kind::Short(_)) {
            return None;
        }
        let bytes = item.bytes(code)?;
        let (prefix, rest) = bytes.split_at(usize::from(bytes.first()? & 0xf0 == 0x40));
        let copies = match *rest {
            [0x89 | 0x8b, operands] if operands >> 6 == 3 => {
                let is_whole = prefix.first().is_some_and(|prefix| prefix & 8 != 0);
                is_whole.then_some((item.uses.written, item.uses.read))
            }
            [0x8d, ..] | [0xb8..=0xbf, _, _, _, _] => None,
            _ => return None,
        };
        Some(Move { item: *item, copies })
    }
}

/// A test, moves, and a jump back.
struct Back {
    /// The index of the conditional branch; none if what comes before the moves is something else.
    test: Option<usize>,
    /// The moves that are needed, and where they lie.
    moves: Vec<Move>,
    first: usize,
    jump: usize,
    /// The index of what the next round starts with.
    head: usize,
}

impl Back {
    fn read(items: &Items, code: &[u8], ways: &Ways, head: usize, jump: usize) -> Option<Back> {
        let mut first = jump;
        let mut moves = Vec::new();
        while let Some(made) = Move::read(&items[first.checked_sub(1)?], code).filter(|_| moves.len() < MOVES) {
            moves.insert(0, made);
            first -= 1;
        }
        if ways.lead_to(&items[first..=jump]) {
            return None;
        }
        let out = items.get(jump + 1)?.name;
        let test = first - 1;
        let is_test = matches!(items[test].kind, Kind::Branch { condition: Some(_), to } if to == out);
        let mut back = Back { test: is_test.then_some(test), moves, first, jump, head };
        back.skip_copies(items, code);
        back.drop_dead(items);
        Some(back)
    }

    /// Lets the jump lead behind copies that are there already.
    fn skip_copies(&mut self, items: &Items, code: &[u8]) {
        let mut same: Vec<(Set, Set)> = Vec::new();
        for made in &self.moves {
            let written = made.item.uses.written;
            same.retain(|(to, from)| (to | from) & written == 0);
            same.extend(made.copies);
        }
        while let Some(head) = items.get(self.head).filter(|_| self.head < self.first) {
            let copies = Move::read(head, code).and_then(|made| made.copies);
            if !copies.is_some_and(|(to, from)| same.contains(&(to, from)) || same.contains(&(from, to))) {
                break;
            }
            self.head += 1;
        }
    }

    /// Leaves out moves whose values nothing reads.
    fn drop_dead(&mut self, items: &Items) {
        for index in (0..self.moves.len()).rev() {
            let written = self.moves[index].item.uses.written;
            let mut later = self.moves[index + 1..].iter().map(|later| later.item.uses);
            let next = later.find(|uses| uses.named() & written != 0);
            let is_read = match next {
                Some(uses) => uses.read & written != 0,
                None => !is_dead(items, self.head, written),
            };
            if !is_read {
                self.moves.remove(index);
            }
        }
    }

    /// Writes it over what was there, and says whether it is something else.
    fn change(self, items: &mut Items, ways: &mut Ways) -> bool {
        let (mut jump, out, head) = (items[self.jump], items[self.jump + 1].name, items[self.head].name);
        let mut made: Vec<Item> = self.moves.iter().map(|made| made.item).collect();
        let written = made.iter().fold(0, |written, item| written | item.uses.written);
        let test = self.test.filter(|&test| {
            !ways.lead_to(&items[test..=test])
                && made.iter().all(|item| is_dead(items, self.jump + 1, item.uses.written))
        });
        let first = match test {
            None => self.first,
            Some(test) => {
                let comparison = test.checked_sub(1).filter(|&comparison| {
                    let item = &items[comparison];
                    let is_alone = !item.is_relocated && !ways.lead_to(&items[comparison..test]);
                    is_alone && item.uses.only_sets_flags() && item.uses.read & written == 0
                });
                made.extend(comparison.map(|comparison| items[comparison]));
                jump = items[test];
                ways.remove(out);
                comparison.unwrap_or(test)
            }
        };
        let mut is_other = test.is_some() || self.moves.len() < self.jump - self.first;
        if let Kind::Branch { to, .. } = items[self.jump].kind {
            ways.replace(to, head);
            is_other |= to != head;
        }
        jump.lead_to(head, test.is_some());
        made.push(jump);
        for index in first..=self.jump {
            match made.get(index - first) {
                Some(&by) => items[index] = items[index].replaced(by),
                None => items[index].remove(),
            }
        }
        is_other
    }
}

/// Whether what a register holds before an item is not read there or later.
fn is_dead(items: &Items, start: usize, register: Set) -> bool {
    let mut open = vec![start];
    let mut seen = vec![start];
    let mut left = LOOKED_AT;
    while let Some(mut at) = open.pop() {
        loop {
            let Some(item) = items.get(at).filter(|_| left > 0) else { return false };
            left -= 1;
            at += 1;
            let uses = item.uses;
            match item.kind {
                Kind::Data | Kind::Table => return false,
                Kind::Branch { condition, to } => {
                    let Some(to) = items.index_of(to) else { return false };
                    if !seen.contains(&to) {
                        seen.push(to);
                        open.push(to);
                    }
                    if condition.is_none() {
                        break;
                    }
                    continue;
                }
                _ => {}
            }
            let (may_read, ends) = match uses.flow {
                Flow::Next => (uses.read, uses.written & register != 0),
                Flow::Call => (uses.read | ARGUMENTS, register & SAVED == 0),
                Flow::Return => (RESULTS | SAVED, true),
                Flow::Trap => (0, true),
                Flow::Elsewhere => return false,
            };
            if may_read & register != 0 {
                return false;
            }
            if ends {
                break;
            }
        }
    }
    true
}
