//! What a loop does to memory, as a plan for doing it 16 bytes at a time.
//!
//! In: a loop whose induction variables and exit test are known. Out: a [`VectorPlan`], if the loop fills, copies or computes
//! memory element by element (`idioms.rs` says which loops). The code is made by `vectoriser.rs`.

use cranelift_codegen::ir::{Function, Opcode, Value};

use super::induction::InductionVariables;
use super::lanes::{Lanes, VECTOR_BYTES};
use super::trip_count::ExitTest;
use crate::opt::ir::effects::is_pure;
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::ir::memory_accesses::{self, MemoryAccess};
use crate::opt::ir::operands::constant;

/// The fewest bytes for which vectors pay.
pub(crate) const MIN_BYTES: i64 = 64;

/// The fewest bytes of a fill for which iterations of [`UNROLLED_FILL_BYTES`] pay.
pub(crate) const MIN_UNROLLED_FILL: i64 = 512;

/// Bytes that are stored in each iteration of a large fill.
pub(crate) const UNROLLED_FILL_BYTES: i64 = 64;

/// Loops of more iterations are left to the scalar loop.
pub(crate) const MAX_VECTOR_ITERATIONS: i64 = 0x7fff_0000;

/// What a loop does.
pub(crate) struct VectorPlan {
    /// The store.
    pub(crate) store: MemoryAccess,
    /// The bytes of an element.
    pub(crate) size: i64,
    /// Whether addresses increase.
    pub(crate) up: bool,
    /// What is stored.
    pub(crate) stored: StoredValue,
}

/// What a loop stores.
pub(crate) enum StoredValue {
    /// An invariant byte.
    Byte(Value),
    /// A constant each of whose bytes is this.
    Constant(u8),
    /// What is computed from loaded elements.
    Lanes(Lanes),
}

impl VectorPlan {
    /// Finds what a loop does.
    pub(crate) fn find(
        function: &Function,
        inner: &Loop,
        variables: &InductionVariables,
        test: &ExitTest,
    ) -> Option<VectorPlan> {
        let dfg = &function.dfg;
        let (mut store, mut loads) = (None, 0);
        for inst in inner.blocks.iter().flat_map(|&block| function.layout.block_insts(block)) {
            if let Some(found) = memory_accesses::store(dfg, inst) {
                if store.replace(found).is_some() {
                    return None;
                }
            } else if memory_accesses::load(dfg, inst).is_some() {
                loads += 1;
            } else if !is_pure(dfg, inst)
                && inst != test.branch
                && !matches!(dfg.insts[inst].opcode(), Opcode::Jump | Opcode::SequencePoint)
            {
                return None;
            }
        }
        let (store, value) = store?;
        let size = i64::from(store.size);
        let step = variables.step_inside(store.address).filter(|step| step.abs() == size)?;
        let stored = match loads {
            1.. => {
                let lanes = Lanes::find(function, inner, variables, value, store.size)?;
                let goes_along = |load: &MemoryAccess| {
                    variables.step_inside(load.address) == Some(step)
                        && (lanes.is_copy() || step > 0 && is_apart(&store, load) != Some(false))
                };
                // Each iteration executes all loads once.
                if lanes.loads.len() != loads || !lanes.loads.iter().all(goes_along) {
                    return None;
                }
                StoredValue::Lanes(lanes)
            }
            0 => match constant(dfg, value) {
                Some(number) => {
                    let bytes = number.to_le_bytes();
                    let is_same = bytes[..usize::from(store.size)].iter().all(|&byte| byte == bytes[0]);
                    is_same.then_some(StoredValue::Constant(bytes[0]))?
                }
                None if size == 1 && variables.step(function, inner, value) == Some(0) => StoredValue::Byte(value),
                None => return None,
            },
        };
        Some(VectorPlan { store, size, up: step > 0, stored })
    }

    /// The loads.
    pub(crate) fn loads(&self) -> &[MemoryAccess] {
        match &self.stored {
            StoredValue::Lanes(lanes) => &lanes.loads,
            StoredValue::Byte(_) | StoredValue::Constant(_) => &[],
        }
    }

    /// Whether the loop fills memory with one byte.
    pub(crate) fn is_fill(&self) -> bool {
        !matches!(self.stored, StoredValue::Lanes(_))
    }

    /// Whether all that the loop does to loaded elements is to store them.
    pub(crate) fn is_copy(&self) -> bool {
        matches!(&self.stored, StoredValue::Lanes(lanes) if lanes.is_copy())
    }
}

/// Whether a vector may be loaded before one is stored, if the distance is known: no earlier iteration stores what a later one
/// loads.
pub(crate) fn is_apart(store: &MemoryAccess, load: &MemoryAccess) -> Option<bool> {
    (store.address == load.address).then(|| {
        let distance = i64::from(store.offset) - i64::from(load.offset);
        distance <= 0 || distance >= VECTOR_BYTES
    })
}
