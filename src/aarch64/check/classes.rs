//! What is known of the registers of both codes where paths meet: which hold the same value, constants, significant bits.

use std::collections::HashMap;

use super::terms::{COUNT, STACK, State, Term, Terms};

/// What is known of a register.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Known {
    /// The first register that holds the same.
    class: usize,
    constant: Option<u64>,
    /// How much it is above the stack pointer.
    above_stack: Option<u64>,
    width: u8,
}

/// What is known of the registers of both codes.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Classes {
    of: [Known; 2 * COUNT],
}

impl Classes {
    /// Of registers with these values.
    pub(super) fn new(terms: &Terms, states: &[State; 2]) -> Classes {
        let mut seen: HashMap<Term, usize> = HashMap::new();
        let of = std::array::from_fn(|index| {
            let term = states[index / COUNT][index % COUNT];
            let class = *seen.entry(term).or_insert(index);
            let above_stack = terms.above(term, states[index / COUNT][STACK]).filter(|_| index % COUNT != STACK);
            Known { class, constant: terms.as_constant(term), above_stack, width: terms.width(term) }
        });
        Classes { of }
    }

    /// Values of which just this is known.
    pub(super) fn start(&self, terms: &mut Terms) -> [State; 2] {
        let mut made: [Option<Term>; 2 * COUNT] = [None; 2 * COUNT];
        // The stack pointers first, which are the same in both codes.
        let stack = terms.unknown(64);
        for index in [STACK, COUNT + STACK] {
            made[index] =
                Some(if self.of[STACK].class == self.of[index].class { stack } else { terms.unknown(64) });
        }
        for (index, known) in self.of.iter().enumerate() {
            let stack = made[index / COUNT * COUNT + STACK];
            made[index] = made[index].or_else(|| match (known.constant, known.above_stack) {
                _ if known.class != index => made[known.class],
                (Some(constant), _) => Some(terms.constant(constant)),
                (None, Some(above)) => stack.map(|stack| terms.add_constant(true, stack, above)),
                (None, None) => Some(terms.unknown(known.width)),
            });
        }
        let made = made.map(|term| term.unwrap_or_default());
        let (first, second) = made.split_at(COUNT);
        [first, second].map(|half| std::array::from_fn(|index| half[index]))
    }
}

/// What is known on both paths. Widths grow in a few steps.
pub(super) fn meet(one: &Classes, other: &Classes) -> Classes {
    let mut seen: HashMap<(usize, usize), usize> = HashMap::new();
    let of = std::array::from_fn(|index| {
        let (first, second) = (one.of[index], other.of[index]);
        let class = *seen.entry((first.class, second.class)).or_insert(index);
        let width = match second.width {
            width if width <= first.width => first.width,
            0..=8 => 8,
            9..=16 => 16,
            17..=32 => 32,
            _ => 64,
        };
        let constant = first.constant.filter(|_| first.constant == second.constant);
        let above_stack = first.above_stack.filter(|_| first.above_stack == second.above_stack);
        Known { class, constant, above_stack, width }
    });
    Classes { of }
}
