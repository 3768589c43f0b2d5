//! Values: what arithmetic computes and when a jump is taken (RFC 9669 section 4.1 to 4.3).

use super::{Order, Slot};

/// Section 4.1 and 4.2: the new value of dst.
pub fn arithmetic(order: Order, slot: Slot, dst: u64, src: u64) -> Option<u64> {
    let Slot { opcode, offset, imm, .. } = slot;
    let from_register = opcode & 0x08 != 0;
    match opcode {
        0xd4 | 0xdc | 0xd7 => return swap(order, opcode, imm, dst),
        // An address space cast: one address space for all, so a move.
        0xbf if offset == 1 => return Some(src),
        _ => {}
    }
    let src = if from_register { src } else { i64::from(imm) as u64 };
    if opcode & 7 == 7 {
        arithmetic64(opcode >> 4, offset, dst, src)
    } else {
        // The result of a 32-bit operation is zero-extended.
        arithmetic32(opcode >> 4, offset, dst as u32, src as u32).map(u64::from)
    }
}

/// Section 4.1 at one width: the operation of `code`, when there is one with this offset.
macro_rules! arithmetic {
    ($name:ident, $unsigned:ty, $signed:ty, [$($width:literal => $narrow:ty),*]) => {
        fn $name(code: u8, offset: i16, dst: $unsigned, src: $unsigned) -> Option<$unsigned> {
            let (sdst, ssrc) = (dst as $signed, src as $signed);
            let shift = src & (<$unsigned>::BITS - 1) as $unsigned;
            Some(match (code, offset) {
                (0x0, 0) => dst.wrapping_add(src),
                (0x1, 0) => dst.wrapping_sub(src),
                (0x2, 0) => dst.wrapping_mul(src),
                (0x3, 0) if src == 0 => 0,
                (0x3, 0) => dst / src,
                (0x3, 1) if src == 0 => 0,
                (0x3, 1) => sdst.wrapping_div(ssrc) as $unsigned,
                (0x4, 0) => dst | src,
                (0x5, 0) => dst & src,
                (0x6, 0) => dst << shift,
                (0x7, 0) => dst >> shift,
                (0x8, 0) => dst.wrapping_neg(),
                (0x9, 0) if src == 0 => dst,
                (0x9, 0) => dst % src,
                (0x9, 1) if src == 0 => dst,
                (0x9, 1) => sdst.wrapping_rem(ssrc) as $unsigned,
                (0xa, 0) => dst ^ src,
                (0xb, 0) => src,
                $((0xb, $width) => src as $narrow as $unsigned,)*
                (0xc, 0) => (sdst >> shift) as $unsigned,
                _ => return None,
            })
        }
    };
}

arithmetic!(arithmetic64, u64, i64, [8 => i8, 16 => i16, 32 => i32]);
arithmetic!(arithmetic32, u32, i32, [8 => i8, 16 => i16]);

/// Section 4.2: bswap swaps; le and be truncate where that is the machine's order, and swap where it is not.
fn swap(order: Order, opcode: u8, width: i32, dst: u64) -> Option<u64> {
    let truncates = match opcode {
        0xd4 => order == Order::Little,
        0xdc => order == Order::Big,
        _ => false,
    };
    Some(match (truncates, width) {
        (true, 16) => u64::from(dst as u16),
        (true, 32) => u64::from(dst as u32),
        (true, 64) => dst,
        (false, 16) => u64::from((dst as u16).swap_bytes()),
        (false, 32) => u64::from((dst as u32).swap_bytes()),
        (false, 64) => dst.swap_bytes(),
        _ => return None,
    })
}

/// Section 4.3: whether the jump is taken.
pub fn condition(slot: Slot, dst: u64, src: u64) -> Option<bool> {
    let src = if slot.opcode & 0x08 != 0 { src } else { i64::from(slot.imm) as u64 };
    let (dst, src, sdst, ssrc) = if slot.opcode & 7 == 5 {
        (dst, src, dst as i64, src as i64)
    } else {
        (u64::from(dst as u32), u64::from(src as u32), i64::from(dst as i32), i64::from(src as i32))
    };
    Some(match slot.opcode >> 4 {
        0x1 => dst == src,
        0x2 => dst > src,
        0x3 => dst >= src,
        0x4 => dst & src != 0,
        0x5 => dst != src,
        0x6 => sdst > ssrc,
        0x7 => sdst >= ssrc,
        0xa => dst < src,
        0xb => dst <= src,
        0xc => sdst < ssrc,
        0xd => sdst <= ssrc,
        _ => return None,
    })
}
