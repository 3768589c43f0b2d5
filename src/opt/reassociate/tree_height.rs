//! Tree-height reduction: the order in which the terms of a sum are added.
//!
//! In: a [`Sum`], whose terms are available after some cycles. Out: an [`AdditionOrder`]. The rule: of all terms and partial
//! sums, the two that are available first are added first; loop-carried terms are added last.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use cranelift_codegen::ir::Value;

/// A term of a sum.
#[derive(Clone, Copy)]
pub(crate) struct Term {
    /// When it is available, in cycles.
    pub(crate) depth: u32,
    /// The value.
    pub(crate) value: Value,
    /// What the program adds: `value`, or a zero-extended copy of it.
    pub(crate) copy: Value,
}

/// A sum as the program has it.
#[derive(Default)]
pub(crate) struct Sum {
    /// Its terms that are not loop-carried.
    pub(crate) terms: Vec<Term>,
    /// Its loop-carried terms: their next value is the sum.
    pub(crate) carried: Vec<Term>,
    /// How many additions depend on such a term.
    pub(crate) carried_height: u32,
    /// When the sum is available, in cycles.
    pub(crate) depth: u32,
}

/// The order in which the terms of a sum are added.
pub(crate) struct AdditionOrder {
    /// Its terms.
    pub(crate) terms: Vec<Value>,
    /// The operands of each addition: indices of terms, and then of the sums of earlier additions.
    pub(crate) additions: Vec<(usize, usize)>,
    /// When the sum is available, in cycles.
    pub(crate) depth: u32,
}

impl Sum {
    /// The order of the least height.
    pub(crate) fn order(&self) -> Option<AdditionOrder> {
        let terms: Vec<Value> = self.terms.iter().chain(&self.carried).map(|term| term.value).collect();
        let mut order = AdditionOrder { additions: Vec::with_capacity(terms.len()), terms, depth: 0 };
        let depths = self.terms.iter().map(|term| term.depth);
        let mut ready: BinaryHeap<_> = depths.enumerate().map(|(index, depth)| Reverse((depth, index))).collect();
        let mut sum = ready.pop()?.0;
        while let Some(Reverse((depth, index))) = ready.pop() {
            ready.push(Reverse(order.add(sum, (depth, index))));
            sum = ready.pop()?.0;
        }
        for (index, term) in self.carried.iter().enumerate() {
            sum = order.add((term.depth, self.terms.len() + index), sum);
        }
        order.depth = sum.0;
        Some(order)
    }

    /// Whether an order is better than the program's own.
    pub(crate) fn is_worse_than(&self, order: &AdditionOrder) -> bool {
        (self.carried.len() as u32, order.depth) < (self.carried_height, self.depth)
    }
}

impl AdditionOrder {
    /// Adds two terms or sums, each given by its depth and index.
    fn add(&mut self, one: (u32, usize), other: (u32, usize)) -> (u32, usize) {
        self.additions.push((one.1, other.1));
        (one.0.max(other.0) + 1, self.terms.len() + self.additions.len() - 1)
    }
}
