//! Shrink wrapping: the prologue goes behind the early exits that need no frame.
//!
//! In: fragments, and Cranelift's frame. Out: a [`ShrinkWrapping`].
//!
//! The rule: from the start of the body on, instructions that need no frame may come before the prologue. Where a conditional
//! branch among them has one successor that runs straight into an epilogue and needs no frame either, that path is copied
//! with a bare `ret`, the branch goes there, and the frame may be set up on the other path. What needs a frame: calls, uses of
//! the stack pointer or of callee-saved registers, jumps through registers. Moves of arguments and constants into
//! callee-saved registers are deferred until the frame is there (`deferred_moves.rs`). The search ends at a fragment that
//! other branches lead to, since they come with a frame.

use std::ops::Range;

use super::cranelift::CraneliftFrame;
use super::deferred_moves::{DeferredMoves, needs_no_frame};
use crate::x86::code::fragments::{FragmentKind, Fragments};
use crate::x86::code::targets::BranchTargets;

/// A function has at most so many early exits.
const MAX_EXITS: usize = 4;

/// At most so many bytes are copied for each, without `ret`.
const MAX_COPIED: u32 = 32;

/// At most so many instructions of an exit's path are visited.
const MAX_PATH: usize = 16;

/// At most so many instructions come before the prologue.
const MAX_BEFORE: usize = 64;

/// Where to set up a frame, and which branches leave before that.
#[derive(Default)]
pub(super) struct ShrinkWrapping {
    /// The index of the fragment that the prologue comes before.
    pub(super) at: usize,
    /// Early exits.
    pub(super) exits: Vec<Exit>,
    /// The paths of the exits: fragments to be copied before a `ret`.
    pub(super) tails: Vec<Vec<usize>>,
    /// Fragments that come behind the prologue, and what they are then.
    pub(super) deferred: Vec<(usize, FragmentKind)>,
    /// Fragments that nothing leads to any more.
    unreachable: Vec<Range<usize>>,
}

/// A branch of an early exit.
pub(super) struct Exit {
    /// The index of the branch.
    pub(super) branch: usize,
    /// The index of the tail that it goes to.
    pub(super) tail: usize,
    /// Whether that was its fall-through path: its condition is inverted then.
    pub(super) inverts: bool,
}

impl ShrinkWrapping {
    /// The frame is set up at the start, as it was.
    pub(super) fn none(frame: &CraneliftFrame) -> ShrinkWrapping {
        ShrinkWrapping { at: frame.prologue.end, ..ShrinkWrapping::default() }
    }

    /// Finds early exits; none if there is not one.
    pub(super) fn plan(fragments: &Fragments, frame: &CraneliftFrame, code: &[u8]) -> Option<ShrinkWrapping> {
        let start = frame.prologue.end;
        let mut plan = ShrinkWrapping::default();
        let mut moves = DeferredMoves::default();
        let mut targets = None;
        let mut at = start;
        // Whether branches lead to the fragments from here to `at` has not been looked up yet.
        let mut unchecked = start;
        while at < start + MAX_BEFORE && plan.exits.len() < MAX_EXITS {
            let fragment = fragments.get(at)?;
            let FragmentKind::Branch { condition: Some(_), to } = fragment.kind else {
                if !moves.pass(at, fragment, code) {
                    break;
                }
                at += 1;
                continue;
            };
            let taken = fragments.index_of(to)?;
            let (tail, inverts) = match path_to_epilogue(fragments, frame, taken) {
                Some(tail) => (tail, false),
                None => match path_to_epilogue(fragments, frame, at + 1) {
                    Some(tail) if at < taken => (tail, true),
                    _ => break,
                },
            };
            let targets = targets.get_or_insert_with(|| BranchTargets::new(fragments, code));
            let next = if inverts { taken } else { at + 1 };
            if moves.have_flags() || targets.include_any(&fragments[unchecked..next]) {
                break;
            }
            if inverts {
                targets.remove(to);
                plan.unreachable.push(at + 1..taken);
            }
            let tail = plan.tail(tail);
            plan.exits.push(Exit { branch: at, tail, inverts });
            plan.deferred.clone_from(moves.list());
            (plan.at, at, unchecked) = (next, next, next);
        }
        (!plan.exits.is_empty()).then_some(plan)
    }

    /// Whether a fragment is no longer where it was.
    pub(super) fn is_gone(&self, fragment: usize) -> bool {
        self.unreachable.iter().any(|gone| gone.contains(&fragment))
            || self.deferred.iter().any(|&(from, _)| from == fragment)
    }

    /// The index of a tail; equal ones are one.
    fn tail(&mut self, fragments: Vec<usize>) -> usize {
        self.tails.iter().position(|tail| *tail == fragments).unwrap_or_else(|| {
            self.tails.push(fragments);
            self.tails.len() - 1
        })
    }
}

/// The fragments from one on to an epilogue; none if one of them needs a frame.
fn path_to_epilogue(fragments: &Fragments, frame: &CraneliftFrame, start: usize) -> Option<Vec<usize>> {
    let (mut at, mut path, mut size) = (start, Vec::new(), 0);
    for _ in 0..MAX_PATH {
        if frame.is_epilogue(at) {
            return Some(path);
        }
        let fragment = fragments.get(at)?;
        at = match fragment.kind {
            FragmentKind::Branch { condition: None, to } => fragments.index_of(to)?,
            _ => {
                size += fragment.size;
                if fragment.is_relocated || !needs_no_frame(fragment) || size > MAX_COPIED {
                    return None;
                }
                path.push(at);
                at + 1
            }
        };
    }
    None
}
