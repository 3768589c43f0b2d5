//! Prologues and epilogues without a frame pointer, and shrink wrapping.
//!
//! Cranelift sets up a frame pointer in each function, and saves registers with moves, before everything else. In: fragments.
//! Out: fragments with these sequences instead, and the [`WrittenFrame`]: its size and its unwind rows.
//!
//! | | Cranelift's | this step's |
//! |---|---|---|
//! | prologue | `push %rbp; mov %rsp, %rbp; sub $N, %rsp; mov %rbx, k(%rsp) ..` | `push %rbx ..; sub $M, %rsp` |
//! | epilogue | `mov k(%rsp), %rbx ..; add $N, %rsp; mov %rbp, %rsp; pop %rbp; ret` | `add $M, %rsp; pop %rbx ..; ret` |
//!
//! | job | file |
//! |---|---|
//! | recognising Cranelift's frame | `cranelift.rs` |
//! | where the prologue goes: behind early exits that need no frame | `shrink_wrapping.rs` |
//! | moves that wait for the frame then | `deferred_moves.rs` |
//! | writing the new frame | `write.rs` |
//!
//! The rule: slots keep their distances from the stack pointer, and saved registers lie above them, before and after. So `M`
//! is at least the offset of the first saved register; the stack pointer is a multiple of 16 at calls and wherever there are
//! slots. A function stays as it is that uses `%rbp` otherwise (arguments on the stack), moves the stack pointer otherwise
//! (frames that are probed), or accesses the stack above its slots.

mod cranelift;
mod deferred_moves;
mod shrink_wrapping;
mod write;

pub(crate) use cranelift::{CraneliftFrame, FramePointer};

use crate::x86::code::fragments::Fragments;
use crate::x86::code::write::WrittenFrame;
use shrink_wrapping::ShrinkWrapping;

/// Gives a function another frame, unless Cranelift's is not understood.
pub(crate) fn rewrite(fragments: Fragments, code: &[u8]) -> (Fragments, Option<WrittenFrame>) {
    let Some(frame) = CraneliftFrame::read(&fragments, code, FramePointer::Unused) else {
        return (fragments, None);
    };
    let plan = if frame.is_empty() { None } else { ShrinkWrapping::plan(&fragments, &frame, code) };
    let plan = plan.unwrap_or_else(|| ShrinkWrapping::none(&frame));
    let (fragments, frame) = write::write(fragments, &frame, &plan);
    (fragments, Some(frame))
}
