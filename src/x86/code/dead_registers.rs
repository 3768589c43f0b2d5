//! Whether what a register holds is read again.
//!
//! In: fragments, a place among them, a register. Out: whether no path reads it before it is written. The rule: the search visits
//! [`MAX_VISITED`] instructions at most, and what it does not find out counts as live.

use super::abi::{ARGUMENTS, CALLEE_SAVED, RESULTS, RegisterSet};
use super::effects::Transfer;
use super::fragments::{FragmentKind, Fragments};

/// How many instructions the search for a register's next use visits.
const MAX_VISITED: usize = 48;

/// Whether nothing reads what a register holds before a fragment.
pub(crate) fn is_dead(fragments: &Fragments, start: usize, register: RegisterSet) -> bool {
    let mut open = vec![start];
    let mut seen = vec![start];
    let mut left = MAX_VISITED;
    while let Some(mut at) = open.pop() {
        loop {
            let Some(fragment) = fragments.get(at).filter(|_| left > 0) else { return false };
            left -= 1;
            at += 1;
            let effects = fragment.effects;
            match fragment.kind {
                FragmentKind::Constants | FragmentKind::JumpTable => return false,
                FragmentKind::Branch { condition, to } => {
                    let Some(to) = fragments.index_of(to) else { return false };
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
            let (may_read, ends) = match effects.transfer {
                Transfer::Next => (effects.read, effects.written & register != 0),
                Transfer::Call if effects.keeps_registers => (effects.read, false),
                Transfer::Call => (effects.read | ARGUMENTS, register & CALLEE_SAVED == 0),
                Transfer::Return => (RESULTS | CALLEE_SAVED, true),
                Transfer::Trap => (0, true),
                Transfer::Elsewhere => return false,
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
