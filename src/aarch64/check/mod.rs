//! Whether the new code of a function does what Cranelift's did.
//!
//! In: a function, its listing as it was read and after a step. Out: why the new code is not taken. Both are walked side by side
//! (`walk.rs`), and what is written is read again.
//!
//! The rule: it runs in debug builds and tests, after each step that changed anything, where a difference is a panic that names the step.

mod accesses;
mod classes;
mod terms;
mod walk;

use cranelift_codegen::isa::TargetIsa;

use super::code::listing::{Content, Listing};
use super::code::{read, write};
use crate::codegen::compiled::{CompiledFunction, GivenUp};
use crate::config::Pass;
use walk::{Mismatch, Walk};

/// Checks a function after a step.
pub(super) fn check(
    (function, before): (&CompiledFunction, &Listing),
    after: &Listing,
    isa: &dyn TargetIsa,
    step: Pass,
) -> Result<(), GivenUp> {
    match compare((function, before), after, isa) {
        Ok(()) => Ok(()),
        Err(Mismatch::Effort) => Err(GivenUp::Effort),
        Err(wrong) => {
            debug_assert!(
                false,
                "aarch64: {} made other code of function {:?}: {wrong:?}\n{}",
                step.name(),
                function.function,
                text(before, after)
            );
            Err(GivenUp::Check)
        }
    }
}

/// Compares.
fn compare(
    (function, before): (&CompiledFunction, &Listing),
    after: &Listing,
    isa: &dyn TargetIsa,
) -> Result<(), Mismatch> {
    Walk::new(before, after).run()?;
    // What does not reach leaves the function as it was.
    let Ok((made, layout)) = write::write(function, after, isa) else { return Ok(()) };
    let read = read::read(&made, layout.end(), after.calls).map_err(|_| Mismatch::Written)?;
    let filled = |listing: &Listing| {
        let slots = listing.slots.iter().enumerate();
        slots
            .filter(|(_, slot)| !matches!(slot.content, Content::Gone))
            .map(|(index, slot)| (index, *slot))
            .collect()
    };
    let (wanted, got): (Vec<_>, Vec<_>) = (filled(after), filled(&read));
    let place = |to: Option<u32>| to.map(|to| layout.slot(to));
    // Its slots have room between them too.
    let again = |to: u32| match read.slots.get(to as usize) {
        Some(slot) => slot.from * read::WORD,
        None => (to - read.slots.len() as u32 + read.words.len() as u32) * read::WORD,
    };
    let written = |to: Option<u32>| to.map(again);
    let is_same = wanted.len() == got.len()
        && wanted.iter().zip(&got).all(|((_, wanted), (_, got))| match (wanted.content, got.content) {
            (
                Content::Instruction { instruction: one, to, is_relocated },
                Content::Instruction { instruction: other, to: other_to, is_relocated: is_other_relocated },
            ) => {
                let is_same = (one.sources, one.dest, one.reads, one.writes)
                    == (other.sources, other.dest, other.reads, other.writes);
                let is_word = to.is_some() || one.word == other.word;
                is_same && is_word && is_relocated == is_other_relocated && place(to) == written(other_to)
            }
            (Content::Data(one), Content::Data(other)) => one == other,
            (Content::TableEntry { to, .. }, Content::TableEntry { to: other, .. }) => {
                place(Some(to)) == written(Some(other))
            }
            _ => false,
        });
    if is_same { Ok(()) } else { Err(Mismatch::Written) }
}

/// The words of both codes, by slots.
fn text(before: &Listing, after: &Listing) -> String {
    let word = |listing: &Listing, slot: usize| match listing.slots.get(slot).map(|slot| slot.content) {
        Some(Content::Instruction { instruction, .. }) => format!("{:08x}", instruction.word),
        Some(Content::Data(word)) => format!("data {word:08x}"),
        Some(Content::TableEntry { to, .. }) => format!("entry {to}"),
        _ => String::new(),
    };
    (0..before.slots.len()).map(|slot| format!("{slot}: {} {}\n", word(before, slot), word(after, slot))).collect()
}
