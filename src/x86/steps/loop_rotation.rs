//! Loop rotation: the loop's test is its back edge, without a jump.
//!
//! The register allocator's moves for the next iteration lie between a loop's test and the jump to its header, and the next
//! iteration may start with moves that undo them. In: fragments. Out: as many fragments, some with other instructions.
//!
//! | before | after |
//! |---|---|
//! | `cmp; je out; mov ..; jmp header; out:` | `mov ..; cmp; jne header; out:` |
//! | `mov %rbx, %rdi; jmp header; header: mov %rdi, %rbx; next:` | `mov %rbx, %rdi; jmp next` |
//! | a move before the jump that nothing reads | nothing |
//!
//! The rule: moves and address computations may come before a test if what they write is dead at the loop's exit; where the
//! comparison reads it, they come between comparison and branch. A register is dead if no path reads it before it is written
//! (`code/dead_registers.rs`).

use crate::x86::code::abi::RegisterSet;
use crate::x86::code::dead_registers::is_dead;
use crate::x86::code::fragments::{Fragment, FragmentKind, Fragments};
use crate::x86::code::targets::BranchTargets;

/// At most so many moves before a jump are taken.
const MAX_MOVES: usize = 8;

/// Changes all loops of a function, and says whether there are any.
pub(crate) fn rotate(fragments: &mut Fragments, code: &[u8]) -> bool {
    let mut targets = None;
    let mut has_changed = false;
    for jump in 1..fragments.len() {
        let FragmentKind::Branch { condition: None, to } = fragments[jump].kind else { continue };
        let Some(header) = fragments.index_of(to).filter(|&header| header < jump) else { continue };
        let targets = targets.get_or_insert_with(|| BranchTargets::new(fragments, code));
        let Some(back_edge) = BackEdge::read(fragments, code, targets, header, jump) else { continue };
        has_changed |= back_edge.change(fragments, targets);
    }
    has_changed
}

/// An instruction that may move: a copy of a register, or a computation without memory and flags.
#[derive(Clone, Copy)]
struct Movable {
    fragment: Fragment,
    /// The registers that it writes and reads, if it is a copy of 64 bits.
    copies: Option<(RegisterSet, RegisterSet)>,
}

impl Movable {
    fn read(fragment: &Fragment, code: &[u8]) -> Option<Movable> {
        if fragment.is_relocated || !matches!(fragment.kind, FragmentKind::Instruction | FragmentKind::Rewritten(_))
        {
            return None;
        }
        let bytes = fragment.bytes(code)?;
        let (prefix, rest) = bytes.split_at(usize::from(bytes.first()? & 0xf0 == 0x40));
        let copies = match *rest {
            [0x89 | 0x8b, operands] if operands >> 6 == 3 => {
                let is_whole = prefix.first().is_some_and(|prefix| prefix & 8 != 0);
                is_whole.then_some((fragment.effects.written, fragment.effects.read))
            }
            [0x8d, ..] | [0xb8..=0xbf, _, _, _, _] => None,
            _ => return None,
        };
        Some(Movable { fragment: *fragment, copies })
    }
}

/// A back edge: the loop's test, moves, and a jump to the header.
struct BackEdge {
    /// The index of the conditional branch; none if what comes before the moves is something else.
    test: Option<usize>,
    /// The moves that are needed.
    moves: Vec<Movable>,
    /// The index of the first move, needed or not.
    first: usize,
    jump: usize,
    /// The index of what the next iteration starts with.
    header: usize,
}

impl BackEdge {
    fn read(
        fragments: &Fragments,
        code: &[u8],
        targets: &BranchTargets,
        header: usize,
        jump: usize,
    ) -> Option<BackEdge> {
        let mut first = jump;
        let mut moves = Vec::new();
        while let Some(made) =
            Movable::read(&fragments[first.checked_sub(1)?], code).filter(|_| moves.len() < MAX_MOVES)
        {
            moves.insert(0, made);
            first -= 1;
        }
        if targets.include_any(&fragments[first..=jump]) {
            return None;
        }
        let out = fragments.get(jump + 1)?.label;
        let test = first - 1;
        let is_test = matches!(fragments[test].kind, FragmentKind::Branch { condition: Some(_), to } if to == out);
        let mut back_edge = BackEdge { test: is_test.then_some(test), moves, first, jump, header };
        back_edge.skip_copies(fragments, code);
        back_edge.drop_dead(fragments);
        Some(back_edge)
    }

    /// Lets the jump lead behind copies at the header that the moves have done already.
    fn skip_copies(&mut self, fragments: &Fragments, code: &[u8]) {
        let mut same: Vec<(RegisterSet, RegisterSet)> = Vec::new();
        for made in &self.moves {
            let written = made.fragment.effects.written;
            same.retain(|(to, from)| (to | from) & written == 0);
            same.extend(made.copies);
        }
        while let Some(header) = fragments.get(self.header).filter(|_| self.header < self.first) {
            let copies = Movable::read(header, code).and_then(|made| made.copies);
            if !copies.is_some_and(|(to, from)| same.contains(&(to, from)) || same.contains(&(from, to))) {
                break;
            }
            self.header += 1;
        }
    }

    /// Drops moves whose values nothing reads.
    fn drop_dead(&mut self, fragments: &Fragments) {
        for index in (0..self.moves.len()).rev() {
            let written = self.moves[index].fragment.effects.written;
            let mut later = self.moves[index + 1..].iter().map(|later| later.fragment.effects);
            let next = later.find(|effects| effects.named() & written != 0);
            let is_read = match next {
                Some(effects) => effects.read & written != 0,
                None => !is_dead(fragments, self.header, written),
            };
            if !is_read {
                self.moves.remove(index);
            }
        }
    }

    /// Replaces the instructions, and says whether they are other ones.
    fn change(self, fragments: &mut Fragments, targets: &mut BranchTargets) -> bool {
        let (mut jump, out, header) =
            (fragments[self.jump], fragments[self.jump + 1].label, fragments[self.header].label);
        let mut made: Vec<Fragment> = self.moves.iter().map(|made| made.fragment).collect();
        let written = made.iter().fold(0, |written, fragment| written | fragment.effects.written);
        let test = self.test.filter(|&test| {
            !targets.include_any(&fragments[test..=test])
                && made.iter().all(|fragment| is_dead(fragments, self.jump + 1, fragment.effects.written))
        });
        let first = match test {
            None => self.first,
            Some(test) => {
                let comparison = test.checked_sub(1).filter(|&comparison| {
                    let fragment = &fragments[comparison];
                    let is_alone = !fragment.is_relocated && !targets.include_any(&fragments[comparison..test]);
                    is_alone && fragment.effects.only_sets_flags() && fragment.effects.read & written == 0
                });
                made.extend(comparison.map(|comparison| fragments[comparison]));
                jump = fragments[test];
                targets.remove(out);
                comparison.unwrap_or(test)
            }
        };
        let mut is_other = test.is_some() || self.moves.len() < self.jump - self.first;
        if let FragmentKind::Branch { to, .. } = fragments[self.jump].kind {
            targets.replace(to, header);
            is_other |= to != header;
        }
        jump.retarget(header, test.is_some());
        made.push(jump);
        for index in first..=self.jump {
            match made.get(index - first) {
                Some(&by) => fragments.replace(index, by),
                None => fragments.remove(index),
            }
        }
        is_other
    }
}
