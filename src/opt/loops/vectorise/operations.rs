//! The table of lane operations: what each becomes in vectors of 16 bytes, and what that costs.
//!
//! | operation | CLIF | one instruction of x86-64 |
//! |---|---|---|
//! | `+`, `-`, `&`, `\|`, `^`, `~` | the same | any lanes |
//! | `*` | `imul` | 16 bits; 32 bits with SSE4.1, or of numbers of 16 bits (two and an unpack); others are several |
//! | shifts by a constant | `ishl`, `ushr`, `sshr` | 16 and 32 bits; 64 bits but `sshr` |
//! | the lesser, the greater | `umin`, `umax`, `smin`, `smax` | unsigned bytes, signed words; others with SSE4.1 |
//! | select by comparison | `icmp`, `bitselect` | two, or four without SSE4.1 |
//! | 32 bits, saturated to 16 | `snarrow` | one |
//! | wider lanes | `uwiden_low`, `uwiden_high`, `swiden_low`, `swiden_high` | unsigned; signed with SSE4.1, or two |
//! | narrower lanes | `band`, `unarrow`; `ishl`, `sshr`, `snarrow`; `shuffle` | what is left of it where all values fit |
//! | floats: `+`, `-`, `*`, `/`, square root, sign | the same | any lanes |
//!
//! aarch64 has all of these in one or two. Left out, since Cranelift has no short code for them: products of bytes, `sshr` of 64 bits.

use cranelift_codegen::ir::Opcode;

use super::nodes::Kind;
use super::widths::Lanes;
use crate::config::TargetFacts;

/// What the operation of a node costs for a vector of its lanes, in instructions.
pub(super) fn cost(kind: &Kind, lanes: &Lanes, facts: &TargetFacts) -> u64 {
    let all = facts.compares_all_lanes;
    match *kind {
        Kind::Uniform(_) | Kind::Low(_) => 0,
        Kind::Load(_) | Kind::Saturated(_) | Kind::Unary(Opcode::Ineg, _) | Kind::FloatUnary(..) => 1,
        Kind::Unary(..) => 2,
        Kind::Binary(Opcode::Imul, _) => match lanes.width {
            16 => 1,
            32 if facts.multiplies_lanes => 1,
            32 => 6,
            _ => 8,
        },
        Kind::Binary(..) | Kind::Shift(..) => 1,
        Kind::FloatBinary(Opcode::Fdiv, _) => 4,
        Kind::FloatBinary(..) => 1,
        Kind::Extreme { .. } => match (lanes.width, lanes.is_signed) {
            (8, false) | (16, true) => 1,
            (16, false) => 2,
            (64, _) => 6,
            _ if all => 1,
            _ => 5,
        },
        Kind::Select { .. } => match (lanes.width, lanes.is_signed) {
            (64, _) => 8,
            (_, true) if all => 2,
            (_, true) => 4,
            (_, false) => 6,
        },
    }
}

/// What it costs to make vectors of lanes of one width of those of another, for each vector of the wider ones.
pub(super) fn conversion_cost(from: u32, to: u32, is_signed: bool, facts: &TargetFacts) -> u64 {
    let steps = u64::from(from.max(to).trailing_zeros() - from.min(to).trailing_zeros());
    match from < to {
        true if is_signed && !facts.compares_all_lanes => 2 * steps,
        true => steps,
        false => 2 * steps,
    }
}
