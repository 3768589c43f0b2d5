//! Where a prologue goes: behind the early exits that need no frame (shrink wrapping).
//!
//! In: the code, and its frame. Out: a [`Plan`].
//!
//! The rule: from the start on, instructions that need no frame may come before it. A branch there, one way of which leads
//! over nothing else to an epilogue, gets a copy of that way with a bare `ret`, and the frame may be set up behind it. What
//! needs a frame: calls, what names the stack pointer or a register that is saved, jumps through registers.
//! Moves of arguments and constants into registers that are saved wait until the frame is there. The walk ends at what
//! other branches lead to, since these come with a frame.

use std::ops::Range;

use super::frame::Frame;
use super::short_encodings::Bytes;
use crate::x86::code::effects::{Flags, Flow, RBP, RSP, SAVED, Set};
use crate::x86::code::pieces::{Item, Items, Kind};
use crate::x86::code::targets::Ways;

/// How many early exits a function has, at most.
const EXITS: usize = 4;

/// How many bytes are copied for each, at most, without `ret`.
const COPIED: u32 = 32;

/// How many instructions are looked at, at most, for each.
const LOOKED_AT: usize = 16;

/// How many instructions may come before the prologue.
const BEFORE: usize = 64;

/// Where to set up a frame, and what ends before.
#[derive(Default)]
pub(crate) struct Plan {
    /// The item before which it is set up.
    pub(crate) at: usize,
    /// Branches of early exits.
    pub(crate) exits: Vec<Exit>,
    /// The items of each way out, to be copied before a `ret`.
    pub(crate) tails: Vec<Vec<usize>>,
    /// Items that come behind the prologue, and what they are then.
    pub(crate) postponed: Vec<(usize, Kind)>,
    /// Items that nothing leads to any more.
    gone: Vec<Range<usize>>,
}

/// A branch of an early exit.
pub(crate) struct Exit {
    /// The item.
    pub(crate) branch: usize,
    /// The index of the tail that it leads to.
    pub(crate) tail: usize,
    /// Whether it goes there if it did not go away.
    pub(crate) inverts: bool,
}

impl Plan {
    /// A frame that is set up before an item, and nothing else.
    pub(crate) fn at(at: usize) -> Plan {
        Plan { at, ..Plan::default() }
    }

    /// Whether an item is no longer where it was.
    pub(crate) fn is_gone(&self, item: usize) -> bool {
        self.gone.iter().any(|gone| gone.contains(&item)) || self.postponed.iter().any(|&(from, _)| from == item)
    }

    /// The index of a tail.
    fn tail(&mut self, items: Vec<usize>) -> usize {
        self.tails.iter().position(|tail| *tail == items).unwrap_or_else(|| {
            self.tails.push(items);
            self.tails.len() - 1
        })
    }
}

/// Finds it; none if no exit is early.
pub(crate) fn plan(items: &Items, frame: &Frame, code: &[u8]) -> Option<Plan> {
    let start = frame.prologue.end;
    let mut plan = Plan::default();
    let mut waiting = Waiting::default();
    let mut ways = None;
    let mut at = start;
    // What lies from here to `at` is not known yet to have one way to it only.
    let mut behind = start;
    while at < start + BEFORE && plan.exits.len() < EXITS {
        let item = items.get(at)?;
        let Kind::Branch { condition: Some(_), to } = item.kind else {
            if !waiting.pass(at, item, code) {
                break;
            }
            at += 1;
            continue;
        };
        let taken = items.index_of(to)?;
        let (tail, inverts) = match way_out(items, frame, taken) {
            Some(tail) => (tail, false),
            None => match way_out(items, frame, at + 1) {
                Some(tail) if at < taken => (tail, true),
                _ => break,
            },
        };
        let ways = ways.get_or_insert_with(|| Ways::new(items, code));
        let next = if inverts { taken } else { at + 1 };
        if waiting.has_flags || ways.lead_to(&items[behind..next]) {
            break;
        }
        if inverts {
            ways.remove(to);
            plan.gone.push(at + 1..taken);
        }
        let tail = plan.tail(tail);
        plan.exits.push(Exit { branch: at, tail, inverts });
        plan.postponed.clone_from(&waiting.moves);
        (plan.at, at, behind) = (next, next, next);
    }
    (!plan.exits.is_empty()).then_some(plan)
}

/// The items from one on to an epilogue that need no frame; none if others are among them.
fn way_out(items: &Items, frame: &Frame, start: usize) -> Option<Vec<usize>> {
    let (mut at, mut way, mut size) = (start, Vec::new(), 0);
    for _ in 0..LOOKED_AT {
        if frame.is_epilogue(at) {
            return Some(way);
        }
        let item = items.get(at)?;
        at = match item.kind {
            Kind::Branch { condition: None, to } => items.index_of(to)?,
            _ => {
                size += item.size;
                if item.is_relocated || !needs_no_frame(item) || size > COPIED {
                    return None;
                }
                way.push(at);
                at + 1
            }
        };
    }
    None
}

fn needs_no_frame(item: &Item) -> bool {
    let is_instruction = matches!(item.kind, Kind::Plain | Kind::Short(_) | Kind::Relative { .. });
    is_instruction
        && item.uses.flow == Flow::Next
        && !item.uses.is_stack
        && item.uses.named() & (SAVED | 1 << RSP | 1 << RBP) == 0
}

/// What waits for the frame.
#[derive(Default)]
struct Waiting {
    moves: Vec<(usize, Kind)>,
    /// The registers that it reads.
    reads: Set,
    /// Whether the flags are those of an instruction that waits.
    has_flags: bool,
}

impl Waiting {
    /// Goes past an instruction that needs no frame, or lets it wait.
    fn pass(&mut self, at: usize, item: &Item, code: &[u8]) -> bool {
        let Some(bytes) = item.bytes(code) else { return false };
        if item.uses.written & self.reads != 0 {
            return false;
        }
        let rest = if bytes.first().is_some_and(|byte| byte & 0xf0 == 0x40) { &bytes[1..] } else { bytes };
        if needs_no_frame(item) {
            if self.has_flags && item.uses.reads_flags {
                return false;
            }
            self.has_flags &= item.uses.flags != Flags::Set;
            return true;
        }
        let others = item.uses.named() & !SAVED;
        let written = item.uses.written;
        if item.is_relocated || written & SAVED == 0 || others & (1 << RSP | 1 << RBP) != 0 {
            return false;
        }
        let kind = match *rest {
            // Of another register: one that is not saved.
            [0x89 | 0x8b, operands] if operands >> 6 == 3 && others.count_ones() == 1 => Kind::Plain,
            [0xb8..=0xbf, _, _, _, _] => Kind::Plain,
            // Of itself, which is 0: with no flags.
            [0x31 | 0x33, operands] if operands >> 6 == 3 && item.uses.named() == written => {
                self.has_flags = true;
                let register = written.trailing_zeros() as u8;
                let opcode = 0xb8 | register & 7;
                let bytes = if register < 8 {
                    Bytes::of([opcode, 0, 0, 0, 0])
                } else {
                    Bytes::of([0x41, opcode, 0, 0, 0, 0])
                };
                Kind::Short(bytes)
            }
            _ => return false,
        };
        self.moves.push((at, kind));
        self.reads |= others;
        true
    }
}
