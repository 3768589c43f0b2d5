//! The order in which the terms of a sum are added up.
//!
//! In: a [`Sum`], whose terms are there at some time. Out: an [`Order`]. The rule: the two of least depth are added first,
//! again and again; what the next round of a loop waits for, last.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use cranelift_codegen::ir::Value;

/// A term of a sum.
#[derive(Clone, Copy)]
pub(crate) struct Term {
    /// When it is there.
    pub(crate) depth: u32,
    /// What is added.
    pub(crate) value: Value,
    /// What the program adds: `value`, or a copy of it.
    pub(crate) copy: Value,
}

/// A sum as the program has it.
#[derive(Default)]
pub(crate) struct Sum {
    /// Its terms.
    pub(crate) terms: Vec<Term>,
    /// Those of them that the next round gets the sum for.
    pub(crate) carried: Vec<Term>,
    /// How many additions such a one goes through.
    pub(crate) wait: u32,
    /// When the sum is there.
    pub(crate) depth: u32,
}

/// The order in which a sum is added up.
pub(crate) struct Order {
    /// Its terms.
    pub(crate) terms: Vec<Value>,
    /// The two to be added next: places among the terms, and then among the sums of earlier steps.
    pub(crate) steps: Vec<(usize, usize)>,
    /// When the sum is there.
    pub(crate) depth: u32,
}

impl Sum {
    /// The order that keeps nobody waiting.
    pub(crate) fn order(&self) -> Option<Order> {
        let terms: Vec<Value> = self.terms.iter().chain(&self.carried).map(|term| term.value).collect();
        let mut order = Order { steps: Vec::with_capacity(terms.len()), terms, depth: 0 };
        let depths = self.terms.iter().map(|term| term.depth);
        let mut ready: BinaryHeap<_> = depths.enumerate().map(|(place, depth)| Reverse((depth, place))).collect();
        let mut sum = ready.pop()?.0;
        while let Some(Reverse((depth, place))) = ready.pop() {
            ready.push(Reverse(order.add(sum, (depth, place))));
            sum = ready.pop()?.0;
        }
        for (index, term) in self.carried.iter().enumerate() {
            sum = order.add((term.depth, self.terms.len() + index), sum);
        }
        order.depth = sum.0;
        Some(order)
    }

    /// Whether an order is better than the program's own.
    pub(crate) fn is_worse_than(&self, order: &Order) -> bool {
        (self.carried.len() as u32, order.depth) < (self.wait, self.depth)
    }
}

impl Order {
    /// Adds two terms or sums: when they are there, and their places.
    fn add(&mut self, one: (u32, usize), other: (u32, usize)) -> (u32, usize) {
        self.steps.push((one.1, other.1));
        (one.0.max(other.0) + 1, self.terms.len() + self.steps.len() - 1)
    }
}
