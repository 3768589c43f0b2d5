//! A list of values for each of some values: linked lists in one vector.
//!
//! In: pairs of a value and one for its list. Out: the list of a value, the last pair first. Most values have none, and an own vector
//! for each that has one would cost more than what is asked.

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{DataFlowGraph, Value};

use super::operands::value_map;

/// The lists.
pub(crate) struct ValueLists {
    /// One more than the index of a value's first entry; 0 if it has none.
    first: SecondaryMap<Value, u32>,
    /// A member of a list, and one more than the index of the next entry.
    entries: Vec<(Value, u32)>,
}

impl ValueLists {
    /// Lists without members.
    pub(crate) fn new(dfg: &DataFlowGraph) -> ValueLists {
        ValueLists { first: value_map(dfg), entries: Vec::new() }
    }

    /// Adds a member to the list of a value.
    pub(crate) fn add(&mut self, of: Value, member: Value) {
        self.entries.push((member, self.first[of]));
        self.first[of] = self.entries.len() as u32;
    }

    /// The list of a value.
    pub(crate) fn of(&self, value: Value) -> impl Iterator<Item = Value> + '_ {
        let entry = |index: u32| (index as usize).checked_sub(1).and_then(|index| self.entries.get(index));
        std::iter::successors(entry(self.first[value]), move |(_, next)| entry(*next)).map(|&(member, _)| member)
    }
}
