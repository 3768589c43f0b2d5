//! The steps over machine code, in the order in which they run: the rows of [`STEPS`], and nothing else decides it.
//!
//! In: a function as Cranelift made it. Out: the function after all steps that are on, or why it stays as it is. In debug
//! builds, the code is written and checked after each step, and a failure names the step.

use cranelift_codegen::binemit::CodeOffset;
use cranelift_codegen::isa::TargetIsa;

use super::Steps;
use super::check::{Checker, Followed};
use super::code::alignment::AlignedLoop;
use super::code::blocks::Coldness;
use super::code::fragments::Fragments;
use super::code::measured::Measured;
use super::code::read;
use super::code::write::{self, WrittenFrame};
use super::steps::{
    block_placement, cleared_conditions, frame, jump_table_bounds, loop_alignment, loop_rotation, short_encodings,
    spills,
};
use crate::codegen::compiled::{CompiledFunction, GivenUp};
use crate::codegen::machine_step::MachineStep;
use crate::codegen::unwind::Unwind;
use crate::config::{Pass, Passes};
use crate::times::time_pass;

/// What runs a step, and says whether it changed anything.
type Run = fn(&mut Work<'_>) -> bool;

/// The steps, in order.
pub(crate) const STEPS: &[MachineStep<Run>] = &[
    MachineStep { pass: Pass::Spills, after: &[], run: spills },
    MachineStep {
        pass: Pass::ClearedConditions,
        after: &[(Pass::Spills, "spills and reloads are known by Cranelift's encodings")],
        run: cleared_conditions,
    },
    MachineStep {
        pass: Pass::ShortEncodings,
        after: &[
            (Pass::Spills, "spills and reloads are known by Cranelift's encodings"),
            (Pass::ClearedConditions, "extensions are known by Cranelift's encodings"),
        ],
        run: short_encodings,
    },
    MachineStep { pass: Pass::JumpTableBounds, after: &[], run: jump_table_bounds },
    MachineStep { pass: Pass::LoopRotation, after: &[], run: loop_rotation },
    MachineStep {
        pass: Pass::BlockPlacement,
        after: &[
            (Pass::JumpTableBounds, "the branch out of a table's bounds is an edge like others"),
            (Pass::LoopRotation, "where loops go back is settled"),
        ],
        run: block_placement,
    },
    MachineStep {
        pass: Pass::Prologues,
        after: &[(Pass::BlockPlacement, "which exits are early depends on the order of blocks")],
        run: prologues,
    },
    MachineStep {
        pass: Pass::LoopAlignment,
        after: &[(Pass::Prologues, "instructions have their final sizes")],
        run: loop_alignment,
    },
];

/// A function while the steps run.
pub(crate) struct Work<'f> {
    /// The function as Cranelift made it.
    function: &'f CompiledFunction,
    /// How often its code ran, if that is known.
    measured: Option<Measured<'f>>,
    fragments: Fragments,
    coldness: Coldness,
    /// Whether it has other spills and reloads.
    has_other_spills: bool,
    /// Whether branches are short where they reach.
    short_branches: bool,
    /// Its new frame, if it has one.
    frame: Option<WrittenFrame>,
    /// The loops that are aligned.
    loops: Vec<AlignedLoop>,
}

/// Runs the steps that are on; the function's instructions end at `end`.
pub(super) fn run(
    function: &CompiledFunction,
    end: CodeOffset,
    isa: &dyn TargetIsa,
    Steps { passes, times, frequencies, coldness }: Steps<'_>,
) -> Result<CompiledFunction, GivenUp> {
    let fragments = read::read(function, end)?;
    let checker = Checker::new(function, &fragments, isa);
    let measured = frequencies.filter(|known| known.is_mostly_loops());
    let measured = measured.map(|frequencies| Measured { frequencies, locations: &function.locations });
    let mut work = Work {
        function,
        measured,
        fragments,
        coldness,
        has_other_spills: false,
        short_branches: false,
        frame: None,
        loops: Vec::new(),
    };
    let mut changed = Passes::NONE;
    for step in STEPS.iter().filter(|step| passes.contains(step.pass)) {
        if time_pass(times, step.pass, || (step.run)(&mut work)) {
            changed = changed.with(step.pass);
        }
        let Work { fragments, frame, has_other_spills, short_branches, .. } = &work;
        checker.step(step.pass, fragments, frame.as_ref(), *has_other_spills, *short_branches)?;
    }
    let Work { fragments, has_other_spills, short_branches, frame, loops, .. } = work;
    let (mut made, layout) = write::write(function, &fragments, frame.as_ref(), &loops, isa, short_branches)?;
    // Whether anything became shorter is known once everything is laid out.
    if (layout.size as usize) >= function.code.len() {
        changed = changed.without(Pass::ShortEncodings);
    }
    made.steps.changed = changed;
    let followed = Followed { frame: frame.is_some(), spills: has_other_spills };
    checker.made(None, &made, &fragments, &layout, followed)?;
    Ok(made)
}

fn spills(work: &mut Work<'_>) -> bool {
    work.has_other_spills = spills::run(&mut work.fragments, work.function);
    work.has_other_spills
}

fn cleared_conditions(work: &mut Work<'_>) -> bool {
    cleared_conditions::run(&mut work.fragments, &work.function.code)
}

fn short_encodings(work: &mut Work<'_>) -> bool {
    work.short_branches = true;
    short_encodings::run(&mut work.fragments, &work.function.code);
    true
}

fn jump_table_bounds(work: &mut Work<'_>) -> bool {
    jump_table_bounds::check(&mut work.fragments, &work.function.code)
}

fn loop_rotation(work: &mut Work<'_>) -> bool {
    loop_rotation::rotate(&mut work.fragments, &work.function.code)
}

fn block_placement(work: &mut Work<'_>) -> bool {
    let fragments = std::mem::take(&mut work.fragments);
    let CompiledFunction { entries, code, .. } = work.function;
    let (fragments, has_changed) = block_placement::reorder(fragments, entries, code, work.measured, work.coldness);
    work.fragments = fragments;
    has_changed
}

fn prologues(work: &mut Work<'_>) -> bool {
    if !work.function.unwind.as_ref().is_some_and(Unwind::has_rows) {
        return false;
    }
    let fragments = std::mem::take(&mut work.fragments);
    (work.fragments, work.frame) = frame::rewrite(fragments, &work.function.code);
    work.frame.is_some()
}

fn loop_alignment(work: &mut Work<'_>) -> bool {
    work.loops = loop_alignment::loops(&work.fragments);
    if let Some(measured) = work.measured {
        let first = |found: &AlignedLoop| measured.run(&work.fragments[found.fragments.start]);
        work.loops.retain(|found| first(found).is_none_or(|run| run.count > 0));
    }
    !work.loops.is_empty()
}
