//! The rest of a fill whose length is known.
//!
//! In: the vector that a fill stores, and where the next one would be. Out: stores of fewer bytes: each address once, in as few stores
//! of power-of-two sizes as possible, so that no element is in two of them.

use cranelift_codegen::cursor::FuncCursor;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value};

use super::lanes::bitcast;
use super::plan::Plan;

/// Bytes of a vector.
const VECTOR_BYTES: i64 = 16;

/// Stores the rest of a fill, so many elements, from where the next vector would be.
pub(super) fn fill_remainder(
    cursor: &mut FuncCursor<'_>,
    plan: &Plan,
    start: Value,
    vector: Value,
    elements: i64,
) -> Option<()> {
    let stream = plan.streams.all.first()?;
    let remainder = elements * stream.size();
    let is_up = plan.streams.is_up();
    let mut done = 0;
    while done < remainder {
        let left = remainder - done;
        let size = if left >= VECTOR_BYTES { VECTOR_BYTES } else { 1 << left.ilog2() };
        let value = if size == VECTOR_BYTES {
            vector
        } else {
            let lane = Type::int(8 * size as u16)?;
            let lanes = bitcast(cursor, lane.by((VECTOR_BYTES / size) as u32)?, vector);
            cursor.ins().extractlane(lanes, 0)
        };
        // Where addresses decrease, the next element is the one that starts at `start`.
        let offset = if is_up { done } else { stream.size() - size - done };
        cursor.ins().store(MemFlagsData::new(), value, start, offset as i32);
        done += size;
    }
    Some(())
}
