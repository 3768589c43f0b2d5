//! Values as terms: two registers whose terms are one term hold the same value.
//!
//! In: instructions that only compute, and the terms of what they read. Out: the terms of what they write. The rule: a term is what is
//! computed and not how, for what the steps change: copies, zero extensions, sums with constants, shifts inside of other instructions.
//! Anything else is the instruction itself, with its register fields cleared.

use std::collections::HashMap;

use crate::aarch64::code::fields::{bits, mask};
use crate::aarch64::code::instruction::{Instruction, Kind, Plain, field};
use crate::aarch64::code::registers::{FLAGS, R31, SP};

/// A value, by its number.
pub(super) type Term = u32;

/// The stack pointer's index among the values of a state, and that of the flags.
pub(super) const STACK: usize = 31;
pub(super) const CONDITIONS: usize = 32;

/// How many values a state has.
pub(super) const COUNT: usize = 33;

/// The registers and the flags, each with its value.
pub(super) type State = [Term; COUNT];

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Node {
    /// A value of which nothing is known but its number.
    Unknown(u32),
    Constant(u64),
    /// The low bits.
    Low(u8, Term),
    AddConstant {
        wide: bool,
        term: Term,
        constant: u64,
    },
    Sum {
        wide: bool,
        subtracts: bool,
        terms: [Term; 2],
    },
    /// By its bits 21, 29 and 30, and whether it is of 64 bits.
    Logic {
        key: u32,
        terms: [Term; 2],
    },
    Shift {
        wide: bool,
        shift: u8,
        amount: u8,
        term: Term,
    },
    Other {
        word: u32,
        terms: [Term; 4],
    },
    /// The flags of a node, and whether a difference with 0 or the least number makes them.
    Flags {
        of: Term,
        wide: bool,
        subtracts: bool,
    },
    /// The flags of a sum with a constant, which the sum that is its own term does not tell.
    FlagsOfConstant {
        wide: bool,
        term: Term,
        constant: u64,
        subtracts: bool,
    },
}

/// All terms.
#[derive(Default)]
pub(super) struct Terms {
    /// Each with its significant bits.
    nodes: Vec<(Node, u8)>,
    numbers: HashMap<Node, Term>,
}

impl Terms {
    /// A new value with so many significant bits.
    pub(super) fn unknown(&mut self, width: u8) -> Term {
        let node = Node::Unknown(self.nodes.len() as u32);
        self.number(node, width)
    }

    pub(super) fn constant(&mut self, constant: u64) -> Term {
        self.number(Node::Constant(constant), (64 - constant.leading_zeros()) as u8)
    }

    /// What a term is, if that is known.
    pub(super) fn as_constant(&self, term: Term) -> Option<u64> {
        match self.nodes.get(term as usize)?.0 {
            Node::Constant(constant) => Some(constant),
            _ => None,
        }
    }

    /// How much a term is above another one, if that is known.
    pub(super) fn above(&self, term: Term, base: Term) -> Option<u64> {
        let parts = |term: Term| match self.nodes.get(term as usize) {
            Some(&(Node::AddConstant { wide: true, term, constant }, _)) => (term, constant),
            _ => (term, 0),
        };
        let ((term, constant), (base, of_base)) = (parts(term), parts(base));
        (term == base).then(|| constant.wrapping_sub(of_base))
    }

    /// The significant bits of a term.
    pub(super) fn width(&self, term: Term) -> u8 {
        self.nodes.get(term as usize).map_or(64, |&(_, width)| width)
    }

    fn number(&mut self, node: Node, width: u8) -> Term {
        let next = self.nodes.len() as u32;
        let number = *self.numbers.entry(node).or_insert(next);
        if number == next {
            self.nodes.push((node, width));
        }
        number
    }

    /// The low bits of a term.
    pub(super) fn low(&mut self, width: u8, term: Term) -> Term {
        if self.width(term) <= width {
            return term;
        }
        match self.nodes[term as usize].0 {
            Node::Constant(constant) => self.constant(constant & (u64::MAX >> (64 - width))),
            Node::Low(_, of) => self.low(width, of),
            _ => self.number(Node::Low(width, term), width),
        }
    }

    /// The value in a register field.
    pub(super) fn register(&mut self, state: &State, number: u8, has_zero: bool, wide: bool) -> Term {
        let term = if number != R31 {
            state[usize::from(number)]
        } else if has_zero {
            self.constant(0)
        } else {
            state[STACK]
        };
        if wide { term } else { self.low(32, term) }
    }

    /// A sum with a constant.
    pub(super) fn add_constant(&mut self, wide: bool, term: Term, constant: u64) -> Term {
        let width = if wide { 64 } else { 32 };
        let kept = |constant: u64| constant & (u64::MAX >> (64 - width));
        let constant = kept(constant);
        if constant == 0 {
            return self.low(width, term);
        }
        match self.nodes[term as usize].0 {
            Node::Constant(other) => self.constant(kept(other.wrapping_add(constant))),
            Node::AddConstant { wide: inner, term, constant: other } if inner == wide => {
                self.add_constant(wide, term, other.wrapping_add(constant))
            }
            _ => self.number(Node::AddConstant { wide, term, constant }, width),
        }
    }

    fn shift(&mut self, wide: bool, shift: u8, amount: u8, term: Term) -> Term {
        let width = if wide { 64 } else { 32 };
        if amount == 0 {
            return self.low(width, term);
        }
        let made = if shift == 1 { self.width(term).saturating_sub(amount) } else { width };
        self.number(Node::Shift { wide, shift, amount, term }, made.min(width))
    }

    /// Computes what an instruction writes.
    pub(super) fn execute(&mut self, state: &mut State, instruction: &Instruction) {
        let (Kind::Plain(plain), word, wide) = (instruction.kind, instruction.word, instruction.wide) else {
            return;
        };
        let sets_flags = instruction.writes & FLAGS != 0;
        let mut terms = [0; 4];
        let has_first_sp = instruction.sources.is_empty() && instruction.reads & SP != 0;
        for (term, source) in terms.iter_mut().zip(&*instruction.sources) {
            *term = self.register(state, source.of(word), source.has_zero, source.wide);
        }
        let width = if wide { 64 } else { 32 };
        let (made, flags) = match plain {
            Plain::Copy => (terms[0], 0),
            Plain::Constant(constant) => (self.constant(constant), 0),
            Plain::ZeroExtend { bits } => (self.low(bits, terms[0]), 0),
            Plain::Extract { from, bits } => {
                let shifted = self.shift(wide, 1, from, terms[0]);
                (self.low(bits, shifted), 0)
            }
            Plain::Mask(mask) if mask & mask.wrapping_add(1) == 0 && mask != 0 => {
                (self.low((64 - mask.leading_zeros()) as u8, terms[0]), 0)
            }
            Plain::AddConstant { subtracts, constant } => {
                let term = if has_first_sp { state[STACK] } else { terms[0] };
                let constant = u64::from(constant);
                self.sum(wide, subtracts, term, Err(if subtracts { constant.wrapping_neg() } else { constant }))
            }
            Plain::Add { subtracts, shift, amount } => {
                let second = self.shift(wide, shift, amount, terms[1]);
                let constant = self.as_constant(second);
                let second = match constant {
                    Some(constant) if subtracts => Err(constant.wrapping_neg()),
                    Some(constant) => Err(constant),
                    None => Ok(second),
                };
                self.sum(wide, subtracts, terms[0], second)
            }
            Plain::Logic { shift, amount } => {
                let second = self.shift(wide, shift, amount, terms[1]);
                let made = self.logic(word, wide, terms[0], second);
                (made, self.number(Node::Flags { of: made, wide, subtracts: false }, 64))
            }
            Plain::Shift { shift, amount } => (self.shift(wide, shift, amount, terms[0]), 0),
            Plain::Mask(_) | Plain::Other { .. } => match or_constant(word, wide) {
                // With 0, as `mov` of a constant has it.
                Some(constant) if self.as_constant(terms[0]) == Some(0) => (self.constant(constant), 0),
                _ => self.other(state, instruction, terms),
            },
        };
        debug_assert!(self.width(made) <= width, "{instruction:x?}");
        if let Some(dest) = instruction.dest {
            state[usize::from(dest)] = made;
        } else if instruction.writes & !FLAGS & !SP != 0 {
            // It keeps some bits of what it writes, which are a source of its term.
            state[usize::from(field(word, 0))] = made;
        }
        if instruction.writes & SP != 0 {
            state[STACK] = made;
        }
        if sets_flags {
            state[CONDITIONS] = flags;
        }
    }

    /// A sum with a term, or with a constant, and the flags that it sets.
    fn sum(&mut self, wide: bool, subtracts: bool, first: Term, second: Result<Term, u64>) -> (Term, Term) {
        let width = if wide { 64 } else { 32 };
        match second {
            Err(constant) => {
                let kept = u64::MAX >> (64 - width);
                let (constant, negated) = (constant & kept, constant.wrapping_neg() & kept);
                // But for these, a difference is a sum with the opposite.
                let subtracts = subtracts && constant == negated;
                let flags = Node::FlagsOfConstant { wide, term: first, constant, subtracts };
                (self.add_constant(wide, first, constant), self.number(flags, 64))
            }
            Ok(second) => {
                let constant = self.as_constant(first).filter(|_| !subtracts);
                if let Some(constant) = constant {
                    return self.sum(wide, subtracts, second, Err(constant));
                }
                let swaps = !subtracts && second < first;
                let terms = if swaps { [second, first] } else { [first, second] };
                let made = self.number(Node::Sum { wide, subtracts, terms }, width);
                (made, self.number(Node::Flags { of: made, wide, subtracts }, 64))
            }
        }
    }

    fn logic(&mut self, word: u32, wide: bool, first: Term, second: Term) -> Term {
        let (opc, inverts) = (bits(word, 29, 2), bits(word, 21, 1) != 0);
        let zero = self.constant(0);
        let is_or = opc == 1 && !inverts;
        if is_or && first == zero {
            return second;
        }
        if is_or && second == zero {
            return first;
        }
        let terms = if !inverts && second < first { [second, first] } else { [first, second] };
        let width = if wide { 64 } else { 32 };
        let most = if matches!(opc, 1 | 2) && !inverts { self.width(first).max(self.width(second)) } else { width };
        // `ands` computes what `and` does.
        let key = (opc % 3) << 1 | u32::from(inverts) | u32::from(wide) << 3;
        self.number(Node::Logic { key, terms }, most.min(width))
    }

    /// Any other, by its word; also of what it keeps, of the stack pointer and of the flags.
    fn other(&mut self, state: &State, instruction: &Instruction, mut terms: [Term; 4]) -> (Term, Term) {
        let mut word = instruction.word & !0x1f;
        for source in &*instruction.sources {
            word = source.with(word, 0);
        }
        let is_select = word & 0x7fe0_0c00 == 0x1a80_0000;
        let width = match instruction.kind {
            _ if is_select => self.width(terms[0]).max(self.width(terms[1])),
            Kind::Plain(Plain::Mask(_)) => self.width(terms[0]),
            _ => 64,
        };
        let width = width.min(instruction.result_bits());
        if instruction.reads & FLAGS != 0 {
            terms[3] = state[CONDITIONS];
        } else if instruction.dest.is_none() && instruction.writes & !FLAGS & !SP != 0 {
            let kept = self.register(state, field(instruction.word, 0), true, instruction.wide);
            terms[3] = kept;
        } else if instruction.reads & SP != 0 {
            terms[3] = state[STACK];
        }
        let made = self.number(Node::Other { word, terms }, width);
        (made, self.number(Node::Flags { of: made, wide: instruction.wide, subtracts: false }, 64))
    }
}

/// The constant of an `orr` with one.
fn or_constant(word: u32, wide: bool) -> Option<u64> {
    let is_or = bits(word, 23, 6) == 0b10_0100 && bits(word, 29, 2) == 1;
    mask(bits(word, 22, 1) != 0, bits(word, 16, 6), bits(word, 10, 6), wide).filter(|_| is_or)
}
