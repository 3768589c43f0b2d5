//! How wide the lanes of each node are.
//!
//! In: the nodes of a loop, and how many low bits of some are wanted. Out: for each, the bits of its lanes, and how its operation
//! is done in lanes of that width. The rule: lanes are as narrow as they may be: they hold all low bits that are wanted, or
//! all of the value, so that an extension gives the rest (`range.rs`).

use cranelift_codegen::ir::Opcode;

use super::nodes::{Compare, Kind, Node, NodeId};

/// The widths of lanes.
const WIDTHS: [u32; 4] = [8, 16, 32, 64];

/// The least width of lanes in which there are products and shifts.
const NARROWEST_PRODUCT: u32 = 16;

/// What is known of a node's lanes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lanes {
    /// How many low bits others need.
    pub(super) wanted: u32,
    /// Bits of a lane; 0 if nothing is computed: nobody needs it, or it is a splat for each width.
    pub(super) width: u32,
    /// Whether a comparison is one of signed lanes.
    pub(super) is_signed: bool,
}

/// The lanes of all nodes; `wanted` are the low bits of some that are needed. None if an operation has no such lanes.
pub(super) fn assign(nodes: &[Node], wanted: &[(NodeId, u32)]) -> Option<Vec<Lanes>> {
    let mut lanes = vec![Lanes::default(); nodes.len()];
    for &(node, bits) in wanted {
        lanes[node].wanted = lanes[node].wanted.max(bits);
    }
    for (id, node) in nodes.iter().enumerate().rev() {
        let wanted = lanes[id].wanted;
        if wanted == 0 {
            continue;
        }
        let holds = |width: u32| wanted <= width || node.range.fits(width);
        let at_least = |least: u32| WIDTHS.into_iter().find(|&width| width >= least && holds(width));
        let mut need = |operand: NodeId, width: u32| lanes[operand].wanted = lanes[operand].wanted.max(width);
        match node.kind {
            Kind::Uniform(_) => {}
            Kind::Load(_) => {
                let width = WIDTHS.into_iter().find(|&width| node.range.fits(width))?;
                lanes[id].width = width;
            }
            Kind::Low(operand) | Kind::Unary(_, operand) => {
                let width = at_least(0)?;
                need(operand, width);
                lanes[id].width = width;
            }
            Kind::Saturated(operand) => {
                need(operand, 32);
                lanes[id].width = 16;
            }
            Kind::Binary(opcode, operands) => {
                let width = at_least(if opcode == Opcode::Imul { NARROWEST_PRODUCT } else { 0 })?;
                operands.into_iter().for_each(|operand| need(operand, width));
                lanes[id].width = width;
            }
            Kind::Shift(Opcode::Ishl, operand, by) => {
                let width = at_least(NARROWEST_PRODUCT.max(by + 1))?;
                need(operand, width);
                lanes[id].width = width;
            }
            Kind::Shift(opcode, operand, by) => {
                let shifted = nodes[operand].range;
                // Which of the bits that are shifted in are wanted.
                let has_all = |width: u32| {
                    width == node.bits
                        || by + wanted <= width
                        || by < width && shifted.fits_unsigned(width)
                        || by < width && opcode == Opcode::Sshr && shifted.fits_signed(width)
                };
                let width = WIDTHS.into_iter().find(|&width| width >= NARROWEST_PRODUCT && has_all(width))?;
                // Where lanes hold all of the number, so do those of the result; others that are shifted in are not wanted.
                let is_signed = opcode == Opcode::Sshr
                    && (width == node.bits || !shifted.fits_unsigned(width) && shifted.fits_signed(width));
                // There is no such instruction; the zeros of the other one do not matter where no narrower lane is said to hold all.
                let is_signed = match width == 64 && is_signed {
                    true if by + wanted > 64 || node.range.fits(32) => return None,
                    true => false,
                    false => is_signed,
                };
                need(operand, width);
                (lanes[id].width, lanes[id].is_signed) = (width, is_signed);
            }
            Kind::Extreme { compare, .. } => {
                let (least, _) = compared(nodes, &compare)?;
                let width = at_least(least)?;
                let is_signed = signed_at(nodes, &compare, width);
                compare.operands.into_iter().for_each(|operand| need(operand, width));
                (lanes[id].width, lanes[id].is_signed) = (width, is_signed);
            }
            Kind::Select { compare, values, .. } => {
                let (least, is_signed) = compared(nodes, &compare)?;
                let width = at_least(least)?;
                if !compare.is_exact && width != compare.bits {
                    return None;
                }
                let is_signed = if compare.is_exact { signed_at(nodes, &compare, width) } else { is_signed };
                compare.operands.into_iter().chain(values).for_each(|operand| need(operand, width));
                (lanes[id].width, lanes[id].is_signed) = (width, is_signed);
            }
            Kind::FloatUnary(_, operand) => {
                need(operand, node.bits);
                lanes[id].width = node.bits;
            }
            Kind::FloatBinary(_, operands) => {
                operands.into_iter().for_each(|operand| need(operand, node.bits));
                lanes[id].width = node.bits;
            }
        }
    }
    // Lanes wider than the scalar would not wrap as it does.
    let is_as_wide = |(node, lanes): (&Node, &Lanes)| lanes.width <= node.bits;
    nodes.iter().zip(&lanes).all(is_as_wide).then_some(lanes)
}

/// The least width in which a comparison can be made, and whether it is one of signed lanes there.
fn compared(nodes: &[Node], compare: &Compare) -> Option<(u32, bool)> {
    let ranges = compare.operands.map(|operand| nodes[operand].range);
    if !compare.is_exact {
        return Some((compare.bits, compare.is_signed));
    }
    let fits = |width: u32| {
        ranges.iter().all(|range| range.fits_unsigned(width)) || ranges.iter().all(|range| range.fits_signed(width))
    };
    WIDTHS.into_iter().find(|&width| fits(width)).map(|width| (width, signed_at(nodes, compare, width)))
}

/// Whether integers are compared as signed ones in lanes of this width: where both ways are right, bytes are unsigned and others
/// signed, as x86-64 has them.
fn signed_at(nodes: &[Node], compare: &Compare, width: u32) -> bool {
    let ranges = compare.operands.map(|operand| nodes[operand].range);
    let all_signed = ranges.iter().all(|range| range.fits_signed(width));
    let all_unsigned = ranges.iter().all(|range| range.fits_unsigned(width));
    all_signed && (width > 8 || !all_unsigned)
}
