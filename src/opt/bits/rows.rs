//! Values each bit of which is the OR, or the XOR, of some bits of one other: smeared bits, and parities.
//!
//! In: a [`Cone`], and how bits are joined. Out: for its value, some leaf `x` and rows `r`, so that bit `j` of the value is the
//! OR or XOR of the bits of `x` that are in `r[j]`. Sound by induction: shifts, masks and conversions move and drop rows, and the
//! joining instruction joins them. What is none of these, or joins two leaves, is a leaf.

use cranelift_codegen::ir::{Opcode, Value};

use super::cone::{Cone, Node, Operation, ones};

/// Rows of bits.
#[derive(Clone)]
struct Rows {
    leaf: usize,
    rows: [u64; 64],
}

/// What the value of a cone is: bits of the value `of`, joined by `opcode`.
pub(super) struct JoinedBits {
    /// The value whose bits are joined.
    pub(super) of: Value,
    /// Those of its bits that may be ones.
    pub(super) bits: u64,
    /// Which of them each bit is joined from.
    pub(super) rows: [u64; 64],
    /// How many instructions that is, without conversions.
    pub(super) work: usize,
}

/// What the value of a cone is; none if it is a leaf itself.
pub(super) fn joined_bits(cone: &Cone, join: Opcode) -> Option<JoinedBits> {
    let mut all: Vec<Rows> = Vec::with_capacity(cone.nodes.len());
    for (index, node) in cone.nodes.iter().enumerate() {
        let rows = Rows::of(node, join, &all)
            .unwrap_or_else(|| Rows { leaf: index, rows: std::array::from_fn(|bit| node.bits & 1 << bit) });
        all.push(rows);
    }
    let last = all.last()?;
    if last.leaf + 1 == cone.nodes.len() {
        return None;
    }
    let leaf = cone.nodes[last.leaf];
    let is_work = |(node, rows): &(&Node, &Rows)| {
        let converts = matches!(node.operation, Operation::Unary(Opcode::Uextend | Opcode::Ireduce, _));
        rows.leaf == last.leaf && !converts && node.value != leaf.value
    };
    let work = cone.nodes.iter().zip(&all).filter(is_work).count();
    Some(JoinedBits { of: leaf.value, bits: leaf.bits, rows: last.rows, work })
}

impl Rows {
    /// Keeps the bits that are in `mask`.
    fn masked(&self, mask: u64) -> Rows {
        let keep = |bit: usize| if mask >> bit & 1 != 0 { self.rows[bit] } else { 0 };
        Rows { leaf: self.leaf, rows: std::array::from_fn(keep) }
    }

    fn of(node: &Node, join: Opcode, all: &[Rows]) -> Option<Rows> {
        let width = node.width;
        match node.operation {
            Operation::Unary(Opcode::Uextend, a) => Some(all[a].clone()),
            Operation::Unary(Opcode::Ireduce, a) => Some(all[a].masked(ones(width))),
            Operation::WithConstant(opcode, a, number) => {
                let (Rows { leaf, rows }, by) = (&all[a], number as usize);
                let row = |bit: Option<usize>| bit.and_then(|bit| rows.get(bit)).copied().unwrap_or(0);
                match opcode {
                    Opcode::Band => Some(all[a].masked(number)),
                    Opcode::Ushr => {
                        Some(Rows { leaf: *leaf, rows: std::array::from_fn(|bit| row(bit.checked_add(by))) })
                    }
                    Opcode::Ishl => {
                        let moved = Rows { leaf: *leaf, rows: std::array::from_fn(|bit| row(bit.checked_sub(by))) };
                        Some(moved.masked(ones(width)))
                    }
                    _ => None,
                }
            }
            Operation::Binary(opcode, a, b) if opcode == join && all[a].leaf == all[b].leaf => {
                let mut rows = all[a].rows;
                for (row, other) in rows.iter_mut().zip(all[b].rows) {
                    *row = if join == Opcode::Bxor { *row ^ other } else { *row | other };
                }
                Some(Rows { leaf: all[a].leaf, rows })
            }
            _ => None,
        }
    }
}
