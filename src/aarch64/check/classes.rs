//! What is known of the registers of both codes where paths meet: which hold the same value, constants, significant bits.

use std::collections::HashMap;

use super::terms::{COUNT, State, Term, Terms};

/// What is known of a register.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Known {
    /// The first register that holds the same.
    class: usize,
    constant: Option<u64>,
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
            Known { class, constant: terms.as_constant(term), width: terms.width(term) }
        });
        Classes { of }
    }

    /// Values of which just this is known.
    pub(super) fn start(&self, terms: &mut Terms) -> [State; 2] {
        let mut made: [Term; 2 * COUNT] = [0; 2 * COUNT];
        for (index, known) in self.of.iter().enumerate() {
            made[index] = match known.constant {
                _ if known.class != index => made[known.class],
                Some(constant) => terms.constant(constant),
                None => terms.unknown(known.width),
            };
        }
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
        Known { class, constant: first.constant.filter(|_| first.constant == second.constant), width }
    });
    Classes { of }
}
