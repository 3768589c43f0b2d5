//! The BPF frame as a native stack slot.
//!
//! | r10 | CLIF |
//! |---|---|
//! | r10 + n | `stack_addr` of that address in one explicit slot, whose end is r10 |
//! | the same, where the compiler assumed a larger alignment than native stacks have | `iadd` of n and of the frame's end, which is a `band` of `stack_addr` at entry; the slot is so much larger |
//! | where nothing is left in the frame | `iconst`: r10 is read, but never used as an address |

use cranelift_codegen::ir::{InstBuilder, StackSlot, StackSlotData, StackSlotKind, Value};
use cranelift_frontend::FunctionBuilder;
use target_lexicon::Architecture;

use super::lifter::Lifter;
use crate::abi::WORD;
use crate::declarations::Declarations;
use crate::graph::Graph;

/// The alignment of the slot, as a power of two.
const ALIGN_LOG2: u8 = 4;

/// Bytes above the frame that are needed to align its end.
fn slack(declarations: &Declarations, graph: &Graph) -> u64 {
    // The alignment of the stack pointer, and so of the slot.
    let native = if declarations.platform.architecture == Architecture::S390x { 8 } else { 1 << ALIGN_LOG2 };
    graph.frame.alignment.map_or(0, |alignment| alignment.saturating_sub(native))
}

/// Creates the slot, if bytes of the frame are left.
pub(super) fn slot(
    declarations: &Declarations,
    graph: &Graph,
    frame_size: u64,
    builder: &mut FunctionBuilder<'_>,
) -> Option<StackSlot> {
    (frame_size > 0).then(|| {
        // The frame's end is aligned too, since its size is a multiple of the alignment.
        let size = (frame_size + slack(declarations, graph)).next_multiple_of(1 << ALIGN_LOG2);
        let size = u32::try_from(size).expect("the graph phase bounds the frame");
        builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, ALIGN_LOG2))
    })
}

impl Lifter<'_, '_> {
    /// Aligns the frame's end, if that takes an instruction.
    pub(super) fn align_frame(&mut self) {
        let (Some(slot), Some(alignment)) = (self.frame, self.graph.frame.alignment) else { return };
        if slack(self.declarations, self.graph) > 0 {
            let end = self.slot_end(slot);
            self.aligned_end = Some(self.builder.ins().band_imm_s(end, -alignment.cast_signed()));
        }
    }

    /// The address of the end of the slot.
    fn slot_end(&mut self, slot: StackSlot) -> Value {
        let size = self.builder.func.sized_stack_slots[slot].size;
        self.builder.ins().stack_addr(WORD, slot, size as i32)
    }

    /// The address r10 + `offset`.
    pub(super) fn frame_address(&mut self, offset: i32) -> Value {
        let Some(slot) = self.frame else {
            return self.builder.ins().iconst(WORD, i64::from(offset));
        };
        if let Some(end) = self.aligned_end {
            return if offset == 0 { end } else { self.builder.ins().iadd_imm_s(end, i64::from(offset)) };
        }
        let size = self.builder.func.sized_stack_slots[slot].size;
        let from_start = i64::from(size) + i64::from(offset);
        match i32::try_from(from_start) {
            Ok(inside) if (0..=size as i32).contains(&inside) => self.builder.ins().stack_addr(WORD, slot, inside),
            _ => {
                let end = self.slot_end(slot);
                self.builder.ins().iadd_imm_s(end, i64::from(offset))
            }
        }
    }
}
