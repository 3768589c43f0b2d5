//! Values as sums of the bits of one other: population counts, and permutations of bits, whatever way they are written.
//!
//! In: a [`Cone`]. Out: for its value, a [`Sum`]: some leaf `x` and numbers `c`, so that the value is the sum of all `c[i]` for
//! which bit `i` of `x` is set. All `c[i]` together are less than 2 to the value's width, so nothing ever wraps.
//!
//! | instruction | c\[i\] | if |
//! |---|---|---|
//! | leaf | `1 << i` | |
//! | `a << n`, `a >> n`, `a & m`, `ireduce`, `bswap`, rotates | the same of `a`'s | no carry goes over a bit at which `a` is cut (what is below it, of all `c[i]`, adds up to less) |
//! | `a * n`, `a + b` | the same | it does not wrap, in all |
//! | `a - b` | the same | none is negative |
//! | `a \| b`, `a ^ b` | `a`'s + `b`'s | no two of them have a common bit |
//! | `a % n` | the same | they add up to less than `n` |
//!
//! What satisfies none of these is a leaf itself, as is what is computed from two. Sound by induction over this table: each row is
//! an equation of numbers, exact for all values of `x`. A population count is a sum of which all `c[i]` are 1, a reversal one of
//! which each is `1 << (w - 1 - i)`.

use cranelift_codegen::ir::{Opcode, Value};

use super::cone::{Cone, Node, Operation, ones};

/// A sum of bits of a value.
#[derive(Clone)]
pub(super) struct Sum {
    /// The node whose bits are added up.
    leaf: usize,
    /// What each bit of it counts.
    terms: [u64; 64],
}

/// What a value of a cone is.
pub(super) struct BitSum {
    /// The value whose bits are added up.
    pub(super) of: Value,
    /// Those of its bits that may be ones.
    pub(super) bits: u64,
    /// What each of them counts; the others, nothing.
    pub(super) terms: [u64; 64],
    /// How many instructions that is, without conversions.
    pub(super) work: usize,
}

/// What the value of a cone is; none if it is only a sum of its own bits.
pub(super) fn bit_sum(cone: &Cone) -> Option<BitSum> {
    let mut sums: Vec<Sum> = Vec::with_capacity(cone.nodes.len());
    for (index, node) in cone.nodes.iter().enumerate() {
        let sum = Sum::of(node, &sums).unwrap_or_else(|| Sum::leaf(index, node.bits));
        sums.push(sum);
    }
    let last = sums.last()?;
    let leaf = cone.nodes[last.leaf];
    if last.leaf + 1 == cone.nodes.len() {
        return None;
    }
    let is_work = |(node, sum): &(&Node, &Sum)| {
        let converts = matches!(node.operation, Operation::Unary(Opcode::Uextend | Opcode::Ireduce, _));
        sum.leaf == last.leaf && !converts && node.value != leaf.value
    };
    let work = cone.nodes.iter().zip(&sums).filter(is_work).count();
    Some(BitSum { of: leaf.value, bits: leaf.bits, terms: last.terms, work })
}

impl Sum {
    fn leaf(leaf: usize, bits: u64) -> Sum {
        Sum { leaf, terms: std::array::from_fn(|index| bits & 1 << index) }
    }

    fn map(&self, change: impl Fn(u64) -> u64) -> Sum {
        Sum { leaf: self.leaf, terms: self.terms.map(change) }
    }

    /// All terms together.
    fn total(&self) -> u128 {
        self.terms.iter().map(|&term| u128::from(term)).sum()
    }

    /// It, if it is less than 2 to the power of `width`.
    fn within(self, width: u32) -> Option<Sum> {
        (self.total() < 1 << width).then_some(self)
    }

    /// Whether the bits below `at` never carry into those from there on.
    fn is_cut_at(&self, at: u32) -> bool {
        at >= 64 || self.map(|term| term & ((1 << at) - 1)).total() < 1 << at
    }

    /// The bits that are in `mask`, if nothing carries into or out of its runs of ones.
    fn masked(&self, mask: u64) -> Option<Sum> {
        let edges = mask ^ mask << 1;
        let is_cut = (0..64).filter(|at| edges >> at & 1 != 0).all(|at| self.is_cut_at(at));
        is_cut.then(|| self.map(|term| term & mask))
    }

    /// Shifted within `width` bits.
    fn shifted(&self, opcode: Opcode, by: u32, width: u32) -> Option<Sum> {
        match opcode {
            Opcode::Ishl => Some(self.masked(ones(width) >> by)?.map(|term| term << by)),
            Opcode::Ushr => self.is_cut_at(by).then(|| self.map(|term| term >> by)),
            _ => None,
        }
    }

    /// The two added up.
    fn plus(&self, other: &Sum, width: u32) -> Option<Sum> {
        let mut terms = self.terms;
        terms.iter_mut().zip(other.terms).for_each(|(term, other)| *term = term.wrapping_add(other) & ones(width));
        Sum { leaf: self.leaf, terms }.within(width)
    }

    fn minus(&self, other: &Sum) -> Option<Sum> {
        let mut terms = self.terms;
        for (term, other) in terms.iter_mut().zip(other.terms) {
            *term = term.checked_sub(other)?;
        }
        Some(Sum { leaf: self.leaf, terms })
    }

    /// The bits that it may have, if no two of its terms have one in common.
    fn bits(&self) -> Option<u64> {
        let bits = self.terms.iter().fold(0, |bits, term| bits | term);
        (u128::from(bits) == self.total()).then_some(bits)
    }

    /// What an instruction computes, from what its operands are.
    fn of(node: &Node, sums: &[Sum]) -> Option<Sum> {
        let width = node.width;
        match node.operation {
            Operation::Leaf | Operation::OfConstant(..) => None,
            Operation::Unary(opcode, a) => match opcode {
                Opcode::Uextend => Some(sums[a].clone()),
                Opcode::Ireduce => sums[a].masked(ones(width)),
                Opcode::Bswap => {
                    let is_cut = (8..width).step_by(8).all(|at| sums[a].is_cut_at(at));
                    is_cut.then(|| sums[a].map(|term| term.swap_bytes() >> (64 - width)))
                }
                _ => None,
            },
            Operation::WithConstant(opcode, a, number) => match opcode {
                Opcode::Ishl | Opcode::Ushr => sums[a].shifted(opcode, number as u32, width),
                Opcode::Rotl | Opcode::Rotr => {
                    let up = if opcode == Opcode::Rotl { number as u32 } else { (width - number as u32) % width };
                    let high = sums[a].shifted(Opcode::Ishl, up, width)?;
                    if up == 0 {
                        Some(high)
                    } else {
                        high.plus(&sums[a].shifted(Opcode::Ushr, width - up, width)?, width)
                    }
                }
                Opcode::Band => sums[a].masked(number),
                Opcode::Imul => sums[a].map(|term| term.wrapping_mul(number) & ones(width)).within(width),
                Opcode::Urem if number != 0 => {
                    let sum = sums[a].map(|term| term % number);
                    (sum.total() < u128::from(number)).then_some(sum)
                }
                _ => None,
            },
            Operation::Binary(opcode, a, b) => {
                let (a, b) = (&sums[a], &sums[b]);
                if a.leaf != b.leaf {
                    return None;
                }
                match opcode {
                    Opcode::Iadd => a.plus(b, width),
                    Opcode::Isub => a.minus(b),
                    Opcode::Bor | Opcode::Bxor => (a.bits()? & b.bits()? == 0).then(|| a.plus(b, width))?,
                    _ => None,
                }
            }
        }
    }
}
