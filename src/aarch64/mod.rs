//! Steps over aarch64 code that Cranelift has written.
//!
//! Cranelift's allocator moves values between registers more than others do, and its lowering has no shifts to the right inside of
//! other instructions, no comparison that is a difference too, no access that moves its address on, and no loop that goes back by its
//! own test. In: a compiled function. Out: one that does the same in fewer instructions.
//!
//! | what | file |
//! |---|---|
//! | the order of the steps | `pipeline.rs` |
//! | words to instructions, and what they read and write | `code/decode.rs`, `fields.rs`, `registers.rs` |
//! | words to a listing: instructions, jump tables, data | `code/read.rs`, `listing.rs` |
//! | blocks, and what is live where | `code/blocks.rs` |
//! | what is known of registers: copies, constants, significant bits | `steps/facts.rs` |
//! | copy propagation | `steps/copy_propagation.rs` |
//! | instruction combining | `steps/instruction_combining.rs` |
//! | move coalescing | `steps/move_coalescing.rs` |
//! | loop-invariant code motion | `steps/loop_invariants.rs` |
//! | loop inversion | `steps/loop_inversion.rs` |
//! | a listing to bytes, and what refers to them | `code/write.rs` |
//! | whether the new code does the same | `check/` |
//!
//! The rule: instructions stay in their slots, in Cranelift's order, and a step changes what is in a slot or takes it away; so frames,
//! calls and accesses of memory stay as they are. What an instruction does that is not known, it does with everything. An instruction
//! with a relocation stays as it is. A function that is not understood stays as it was.
//!
//! Time is linear in the size of the code: what is known of a register at the start of a block, and whether it is live there, changes a
//! few times at most.

mod check;
mod code;
mod pipeline;
mod steps;

use cranelift_codegen::binemit::CodeOffset;
use cranelift_codegen::isa::TargetIsa;

use crate::codegen::compiled::CompiledFunction;
use crate::config::Passes;
use crate::times::Times;
pub(crate) use code::registers::CallRegisters;
pub(crate) use pipeline::STEPS;

/// Runs the steps that are on over a function, whose instructions end at `end` and whose calls look at these registers. A function that
/// is not understood stays as it was. In debug builds and tests, one that does not pass the check is a panic.
pub(crate) fn run(
    function: &mut CompiledFunction,
    end: CodeOffset,
    isa: &dyn TargetIsa,
    calls: CallRegisters,
    (passes, times): (Passes, Option<&Times>),
) {
    match pipeline::run(function, end, isa, calls, (passes, times)) {
        Ok(made) => *function = made,
        Err(reason) => function.steps.given_up = Some(reason),
    }
}

#[cfg(all(test, feature = "compare"))]
mod tests;
