//! Whether code that was laid out is what it was.
//!
//! In: a function as Cranelift made it, and as it is then. Out: what is different. The constants are compared byte by byte; the
//! code is read again from its bytes, and walked beside what it was (`walk.rs`). A frame that is another one is followed by
//! itself (`frames.rs`).
//!
//! The rule: a function that does not pass stays as it was. The constants are compared always; the rest in debug builds and
//! tests, after each step, and one that fails is a panic that names it.

mod frames;
mod same;
mod side;
mod values;
mod walk;

use cranelift_codegen::isa::TargetIsa;

use super::Reason;
use super::code::pieces::{Item, Items, Kind};
use super::code::read;
use super::code::relaxation::Placed;
use super::code::write::{self, Frame};
use super::steps::frame;
use crate::codegen::CompiledFunction;
use crate::config::Pass;
use walk::Walk;

/// A function as it was.
pub(crate) struct Check<'a> {
    function: &'a CompiledFunction,
    /// Where the walk is made.
    items: Option<Items>,
    isa: &'a dyn TargetIsa,
}

/// What is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// This is different: where it was, where it is, and what.
    Different(u32, u32, &'static str),
    /// It cannot be read.
    Unread(Reason),
    /// The frame is not what unwinders are told, or what the code needs: where, and what.
    Frame(u32, &'static str),
    /// It takes too long to find out.
    Effort,
}

impl<'a> Check<'a> {
    pub(crate) fn new(function: &'a CompiledFunction, items: &Items, isa: &'a dyn TargetIsa) -> Check<'a> {
        let items = cfg!(any(debug_assertions, test)).then(|| items.clone());
        Check { function, items, isa }
    }

    /// Checks what there is after a step, in debug builds.
    pub(crate) fn step(
        &self,
        step: Pass,
        items: &Items,
        frame: Option<&Frame>,
        short_branches: bool,
    ) -> Result<(), Reason> {
        if self.items.is_none() {
            return Ok(());
        }
        let (made, placed) = write::write(self.function, items, frame, &[], self.isa, short_branches)?;
        self.made(Some(step), &made, items, &placed, frame.is_some())
    }

    /// Checks what was made of the function by a step, or by all of them.
    pub(crate) fn made(
        &self,
        step: Option<Pass>,
        made: &CompiledFunction,
        items: &Items,
        placed: &Placed,
        has_frame: bool,
    ) -> Result<(), Reason> {
        match self.compare(made, items, placed, has_frame) {
            Ok(()) => Ok(()),
            Err(Wrong::Effort) => Err(Reason::Effort),
            Err(wrong) => {
                let step = step.map_or("writing", Pass::name);
                debug_assert!(false, "layout: {step} made other code of function {:?}: {wrong:x?}", made.function);
                Err(Reason::Check)
            }
        }
    }

    /// Compares.
    pub(crate) fn compare(
        &self,
        made: &CompiledFunction,
        items: &Items,
        placed: &Placed,
        has_frame: bool,
    ) -> Result<(), Wrong> {
        constants_stay(self.function, made, items, placed)?;
        let Some(before) = &self.items else { return Ok(()) };
        let after = read::read(made, placed.end_of_code(items)).map_err(Wrong::Unread)?;
        let frame = if has_frame { frame::Frame::read(before, &self.function.code) } else { None };
        if has_frame && frame.is_none() {
            return Err(Wrong::Frame(0, "there was no such frame"));
        }
        let place = |item: &Item| after.index_of(placed.at(items, item.name)?);
        let places = before.iter().map(place).collect();
        Walk::new((self.function, before), (made, &after), places, frame).run()?;
        if has_frame { frames::follow(made, &after) } else { Ok(()) }
    }
}

/// Whether the constants have their bytes, and their alignment.
fn constants_stay(
    before: &CompiledFunction,
    made: &CompiledFunction,
    items: &Items,
    placed: &Placed,
) -> Result<(), Wrong> {
    let Some(last) = items.len().checked_sub(1).filter(|&last| matches!(items[last].kind, Kind::Data)) else {
        return Ok(());
    };
    let (was, now) = (items[last].start, placed.starts[last]);
    let align = before.align.max(1);
    let is_aligned = u64::from(was) % align == u64::from(now) % align && made.align.is_multiple_of(align);
    let is_same = before.code.get(was as usize..) == made.code.get(now as usize..);
    if is_same && is_aligned { Ok(()) } else { Err(Wrong::Different(was, now, "constants")) }
}
