//! The steps over machine code, in the order in which they run: the rows of [`STEPS`], and nothing else decides it.
//!
//! In: a function as Cranelift made it. Out: the function after all steps that are on, or why it stays as it is. Where
//! assertions are on, the code is written and checked after each step; a failure names the step.

use cranelift_codegen::binemit::CodeOffset;
use cranelift_codegen::isa::TargetIsa;

use super::Reason;
use super::check::Check;
use super::code::pieces::Items;
use super::code::read;
use super::code::write::{self, Frame};
use super::steps::loop_alignment::{self, Loop};
use super::steps::{block_placement, frame, jump_table_bounds, loop_rotation, short_encodings};
use crate::codegen::{CompiledFunction, Unwind};
use crate::config::{Pass, Passes};
use crate::times::{Times, time_pass};

/// A step, as a row of the pipeline.
pub(crate) struct Step {
    /// Its switch.
    pub(crate) pass: Pass,
    /// What runs before it if it is on, and why.
    pub(crate) after: &'static [(Pass, &'static str)],
    /// Runs it, and says whether it changed anything.
    run: fn(&mut Work<'_>) -> bool,
}

/// The steps, in order.
pub(crate) const STEPS: &[Step] = &[
    Step { pass: Pass::ShortEncodings, after: &[], run: short_encodings },
    Step { pass: Pass::JumpTableBounds, after: &[], run: jump_table_bounds },
    Step { pass: Pass::LoopRotation, after: &[], run: loop_rotation },
    Step {
        pass: Pass::BlockPlacement,
        after: &[
            (Pass::JumpTableBounds, "the branch out of a table's bounds is an edge like others"),
            (Pass::LoopRotation, "where loops go back is settled"),
        ],
        run: block_placement,
    },
    Step {
        pass: Pass::Prologues,
        after: &[(Pass::BlockPlacement, "which exits are early depends on the order of blocks")],
        run: prologues,
    },
    Step {
        pass: Pass::LoopAlignment,
        after: &[(Pass::Prologues, "instructions have their final sizes")],
        run: loop_alignment,
    },
];

/// A function that is worked on.
struct Work<'f> {
    /// As it was.
    function: &'f CompiledFunction,
    items: Items,
    /// Whether branches are short where they reach.
    short_branches: bool,
    /// Its frame, if that is another one than it was.
    frame: Option<Frame>,
    /// The loops that are aligned.
    loops: Vec<Loop>,
}

/// Runs the steps that are on; the function's instructions end at `end`.
pub(super) fn run(
    function: &CompiledFunction,
    end: CodeOffset,
    isa: &dyn TargetIsa,
    passes: Passes,
    times: Option<&Times>,
) -> Result<CompiledFunction, Reason> {
    let items = read::read(function, end)?;
    let check = Check::new(function, &items, isa);
    let mut work = Work { function, items, short_branches: false, frame: None, loops: Vec::new() };
    let mut changed = Passes::NONE;
    for step in STEPS.iter().filter(|step| passes.contains(step.pass)) {
        if time_pass(times, step.pass, || (step.run)(&mut work)) {
            changed = changed.with(step.pass);
        }
        check.step(step.pass, &work.items, work.frame.as_ref(), work.short_branches)?;
    }
    let Work { items, short_branches, frame, loops, .. } = work;
    let (mut made, placed) = write::write(function, &items, frame.as_ref(), &loops, isa, short_branches)?;
    // What is short is known when all has its place.
    if (placed.size as usize) >= function.code.len() {
        changed = changed.without(Pass::ShortEncodings);
    }
    made.layout.changed = changed;
    check.made(None, &made, &items, &placed, frame.is_some())?;
    Ok(made)
}

fn short_encodings(work: &mut Work<'_>) -> bool {
    work.short_branches = true;
    short_encodings::run(&mut work.items, &work.function.code);
    true
}

fn jump_table_bounds(work: &mut Work<'_>) -> bool {
    jump_table_bounds::check(&mut work.items, &work.function.code)
}

fn loop_rotation(work: &mut Work<'_>) -> bool {
    loop_rotation::rotate(&mut work.items, &work.function.code)
}

fn block_placement(work: &mut Work<'_>) -> bool {
    let items = std::mem::take(&mut work.items);
    let (items, has_changed) = block_placement::reorder(items, &work.function.entries, &work.function.code);
    work.items = items;
    has_changed
}

fn prologues(work: &mut Work<'_>) -> bool {
    if !work.function.unwind.as_ref().is_some_and(Unwind::has_rows) {
        return false;
    }
    match frame::rewrite(std::mem::take(&mut work.items), &work.function.code) {
        Ok(rewritten) => {
            work.items = rewritten.items;
            work.frame = Some(Frame { rows: rewritten.rows, size: rewritten.size });
        }
        Err(same) => work.items = same,
    }
    work.frame.is_some()
}

fn loop_alignment(work: &mut Work<'_>) -> bool {
    work.loops = loop_alignment::loops(&work.items);
    !work.loops.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_run_after_what_they_come_after() {
        let place = |pass| STEPS.iter().position(|step| step.pass == pass);
        for (index, step) in STEPS.iter().enumerate() {
            for &(earlier, why) in step.after {
                assert!(place(earlier).is_some_and(|place| place < index), "{}: {why}", step.pass.name());
            }
        }
    }
}
