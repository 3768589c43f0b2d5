//! Whether the new code of a function does what Cranelift's did.
//!
//! In: a function before and after. Out: what is different. The constants are compared byte by byte; the code is read again
//! from its bytes, and walked beside Cranelift's (`walk.rs`, `idioms.rs`). A new frame is followed on its own (`frames.rs`).
//!
//! The rule: a function that does not pass stays as it was. The constants are always compared; the rest in debug builds and
//! tests, after each step, where a difference is a panic that names the step.

mod frames;
mod idioms;
mod mismatch;
mod same;
mod side;
mod values;
mod walk;

use cranelift_codegen::isa::TargetIsa;

use super::code::fragments::{Fragment, FragmentKind, Fragments};
use super::code::read;
use super::code::relaxation::Layout;
use super::code::spill_slots::SpillSlots;
use super::code::write::{self, WrittenFrame};
use super::steps::frame::{CraneliftFrame, FramePointer};
use crate::codegen::compiled::{CompiledFunction, GivenUp};
use crate::config::Pass;
pub(crate) use mismatch::Mismatch;
use walk::Walk;

/// What the steps changed that is followed on its own.
#[derive(Clone, Copy, Default)]
pub(crate) struct Followed {
    /// The frame.
    pub(crate) frame: bool,
    /// Spills and reloads.
    pub(crate) spills: bool,
}

/// A function as Cranelift made it.
pub(crate) struct Checker<'a> {
    function: &'a CompiledFunction,
    /// Its code, where it is to be walked.
    fragments: Option<Fragments>,
    isa: &'a dyn TargetIsa,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(
        function: &'a CompiledFunction,
        fragments: &Fragments,
        isa: &'a dyn TargetIsa,
    ) -> Checker<'a> {
        let fragments = cfg!(any(debug_assertions, test)).then(|| fragments.clone());
        Checker { function, fragments, isa }
    }

    /// Checks the code after a step, in debug builds.
    pub(crate) fn step(
        &self,
        step: Pass,
        fragments: &Fragments,
        frame: Option<&WrittenFrame>,
        spills: bool,
        short_branches: bool,
    ) -> Result<(), GivenUp> {
        if self.fragments.is_none() {
            return Ok(());
        }
        let (made, layout) = write::write(self.function, fragments, frame, &[], self.isa, short_branches)?;
        self.made(Some(step), &made, fragments, &layout, Followed { frame: frame.is_some(), spills })
    }

    /// Checks the function after a step, or after all of them.
    pub(crate) fn made(
        &self,
        step: Option<Pass>,
        made: &CompiledFunction,
        fragments: &Fragments,
        layout: &Layout,
        followed: Followed,
    ) -> Result<(), GivenUp> {
        match self.compare(made, fragments, layout, followed) {
            Ok(()) => Ok(()),
            Err(Mismatch::Effort) => Err(GivenUp::Effort),
            Err(wrong) => {
                let step = step.map_or("writing", Pass::name);
                debug_assert!(false, "x86: {step} made other code of function {:?}: {wrong:x?}", made.function);
                Err(GivenUp::Check)
            }
        }
    }

    /// Compares.
    pub(crate) fn compare(
        &self,
        made: &CompiledFunction,
        fragments: &Fragments,
        layout: &Layout,
        followed: Followed,
    ) -> Result<(), Mismatch> {
        constants_stay(self.function, made, fragments, layout)?;
        let Some(before) = &self.fragments else { return Ok(()) };
        let after = read::read(made, layout.end_of_code(fragments)).map_err(Mismatch::Unread)?;
        let (frame, slots) = match followed {
            Followed { frame: false, spills: false } => (None, None),
            Followed { spills, .. } => {
                let uses = if followed.frame { FramePointer::Unused } else { FramePointer::LoadsArguments };
                let frame = CraneliftFrame::read(before, &self.function.code, uses)
                    .ok_or(Mismatch::Frame(0, "there was no such frame"))?;
                let slots = self.slots(before, &frame).filter(|_| spills);
                (Some(frame).filter(|_| followed.frame), slots)
            }
        };
        let place = |fragment: &Fragment| after.index_of(layout.at(fragments, fragment.label)?);
        let places = before.iter().map(place).collect();
        Walk::new((self.function, before), (made, &after), places, frame, slots).run()?;
        if followed.frame { frames::follow(made, &after) } else { Ok(()) }
    }

    /// The spill slots of Cranelift's code.
    fn slots(&self, before: &Fragments, frame: &CraneliftFrame) -> Option<SpillSlots> {
        let body = before.iter().enumerate().filter(|&(index, _)| !frame.is_part(index));
        SpillSlots::find(&self.function.frame.spills, body.map(|(_, fragment)| fragment), &self.function.code)
    }
}

/// Whether the constants keep their bytes and their alignment.
fn constants_stay(
    before: &CompiledFunction,
    made: &CompiledFunction,
    fragments: &Fragments,
    layout: &Layout,
) -> Result<(), Mismatch> {
    let Some(last) =
        fragments.len().checked_sub(1).filter(|&last| matches!(fragments[last].kind, FragmentKind::Constants))
    else {
        return Ok(());
    };
    let (was, now) = (fragments[last].start, layout.starts[last]);
    let align = before.align.max(1);
    let is_aligned = u64::from(was) % align == u64::from(now) % align && made.align.is_multiple_of(align);
    let is_same = before.code.get(was as usize..) == made.code.get(now as usize..);
    if is_same && is_aligned { Ok(()) } else { Err(Mismatch::Different(was, now, "constants")) }
}
