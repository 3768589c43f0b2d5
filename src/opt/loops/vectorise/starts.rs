//! Where streams start, as far as that is known: many go through arrays of one section, or of one frame.
//!
//! In: a loop, the number of its last iteration, if that is constant. Out: how far apart two addresses are in the first iteration, and
//! which bytes they get to. The rule: both are parameters of the loop's header, and start with constants added to one value, to the
//! address of one symbol, or to one slot of the frame.

use cranelift_codegen::ir::{Function, GlobalValue, InstructionData, StackSlot, Value, ValueDef};

use crate::opt::ir::edges::argument;
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::ir::memory_accesses::Root;
use crate::opt::loops::induction::linear;

/// The most bytes that a stream goes over for its area to be known.
const MAX_AREA: u64 = 1 << 30;

/// What an address is computed from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    Value(Value),
    Symbol(GlobalValue),
    Slot(StackSlot),
}

/// A loop.
pub(super) struct Starts<'a> {
    function: &'a Function,
    inner: &'a Loop,
    last: Option<u64>,
}

impl<'a> Starts<'a> {
    /// That loop, and its last iteration.
    pub(super) fn new(function: &'a Function, inner: &'a Loop, last: Option<u64>) -> Starts<'a> {
        Starts { function, inner, last }
    }

    /// How much further on the second root is than the first, in the first iteration.
    pub(super) fn distance(&self, one: Root, other: Root) -> Option<i64> {
        let ((one_base, one_at), (base, at)) = (self.start(one)?, self.start(other)?);
        (one_base == base).then(|| at.wrapping_sub(one_at))
    }

    /// How many bytes a stream whose address moves by so many gets to.
    pub(super) fn area(&self, step: i64) -> Option<i64> {
        let bytes = self.last?.checked_add(1)?.checked_mul(step.unsigned_abs())?;
        (bytes <= MAX_AREA).then_some(bytes as i64)
    }

    fn start(&self, root: Root) -> Option<(Base, i64)> {
        let Root::Value(root) = root else { return None };
        let (dfg, header) = (&self.function.dfg, self.inner.header());
        let index = dfg.block_params(header).iter().position(|&parameter| parameter == root)?;
        let &[entry] = &self.inner.entries[..] else { return None };
        let (value, at) = linear(dfg, argument(self.function, entry, header, index)?);
        let value = dfg.resolve_aliases(value);
        let base = match dfg.value_def(value) {
            ValueDef::Result(inst, _) => match dfg.insts[inst] {
                InstructionData::UnaryGlobalValue { global_value, .. } => Base::Symbol(global_value),
                InstructionData::StackAddr { stack_slot, offset, .. } => {
                    return Some((Base::Slot(stack_slot), at.wrapping_add(i64::from(i32::from(offset)))));
                }
                _ => Base::Value(value),
            },
            _ => Base::Value(value),
        };
        Some((base, at))
    }
}
