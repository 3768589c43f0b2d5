//! The steps over aarch64 code, in the order in which they run: the rows of [`STEPS`], and nothing else decides it.
//!
//! In: a function as Cranelift made it. Out: the function after all steps that are on, or why it stays as it is. In debug builds and
//! tests, the code is written and checked after each step, and a failure names the step.

use cranelift_codegen::binemit::CodeOffset;
use cranelift_codegen::isa::TargetIsa;

use super::check;
use super::code::listing::Listing;
use super::code::registers::CallRegisters;
use super::code::{read, write};
use super::steps::{copy_propagation, instruction_combining, loop_invariants, loop_inversion, move_coalescing};
use crate::codegen::compiled::{CompiledFunction, GivenUp};
use crate::codegen::machine_step::MachineStep;
use crate::config::{Pass, Passes};
use crate::times::{Times, time_pass};

/// What runs a step, and says whether it changed anything.
type Run = fn(&mut Listing) -> bool;

/// The steps, in order.
pub(crate) const STEPS: &[MachineStep<Run>] = &[
    MachineStep { pass: Pass::CopyPropagation, after: &[], run: copy_propagation::run },
    MachineStep {
        pass: Pass::InstructionCombining,
        after: &[(Pass::CopyPropagation, "constants are known where they are used")],
        run: instruction_combining::run,
    },
    MachineStep {
        pass: Pass::MoveCoalescing,
        after: &[
            (Pass::CopyPropagation, "moves that nothing needs are gone"),
            (Pass::InstructionCombining, "a comparison that a difference does is no use of its register"),
        ],
        run: move_coalescing::run,
    },
    MachineStep {
        pass: Pass::LoopInvariants,
        after: &[
            (Pass::InstructionCombining, "what can be inside of an instruction is"),
            (Pass::MoveCoalescing, "which registers a loop leaves is settled"),
        ],
        run: loop_invariants::run,
    },
    MachineStep {
        pass: Pass::LoopInversion,
        after: &[(Pass::MoveCoalescing, "few moves are left in front of jumps")],
        run: loop_inversion::run,
    },
];

/// Runs the steps that are on; the function's instructions end at `end`.
pub(super) fn run(
    function: &CompiledFunction,
    end: CodeOffset,
    isa: &dyn TargetIsa,
    calls: CallRegisters,
    (passes, times): (Passes, Option<&Times>),
) -> Result<CompiledFunction, GivenUp> {
    let mut listing = read::read(function, end, calls)?;
    let before = cfg!(any(debug_assertions, test)).then(|| listing.clone());
    let mut changed = Passes::NONE;
    for step in STEPS.iter().filter(|step| passes.contains(step.pass)) {
        if time_pass(times, step.pass, || (step.run)(&mut listing)) {
            changed = changed.with(step.pass);
            if let Some(before) = &before {
                check::check((function, before), &listing, isa, step.pass)?;
            }
        }
    }
    let (mut made, _) = write::write(function, &listing, isa)?;
    made.steps.changed = changed;
    Ok(made)
}
