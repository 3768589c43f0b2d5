//! What a vector loop combined, as one number.
//!
//! In: vectors whose lanes are partial results. Out: the scalar that all lanes make together. Halves of a vector are combined, then
//! quarters, down to 32 bits; what is narrower is combined in a register.

use cranelift_codegen::cursor::FuncCursor;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{ConstantData, InstBuilder, Opcode, Type, Value, types};

use super::lanes::{binary, bitcast, extreme};
use super::reductions::Combine;
use super::streams::integer;
use crate::opt::ir::operands::iconst;

/// Combines two values, vectors or scalars.
pub(super) fn combine(cursor: &mut FuncCursor<'_>, by: Combine, pair: [Value; 2]) -> Value {
    match by {
        Combine::Bits(opcode) => binary(cursor, opcode, pair),
        Combine::Extreme { is_max, is_signed } if cursor.func.dfg.value_type(pair[0]).is_vector() => {
            extreme(cursor, is_max, is_signed, pair)
        }
        Combine::Extreme { is_max, is_signed } => {
            let code = match (is_max, is_signed) {
                (true, true) => IntCC::SignedGreaterThan,
                (true, false) => IntCC::UnsignedGreaterThan,
                (false, true) => IntCC::SignedLessThan,
                (false, false) => IntCC::UnsignedLessThan,
            };
            let holds = cursor.ins().icmp(code, pair[0], pair[1]);
            cursor.ins().select(holds, pair[0], pair[1])
        }
    }
}

/// The bits of a lane that change nothing when they are combined with others.
pub(super) fn neutral(by: Combine, bits: u32) -> u64 {
    let all = u64::MAX >> (64 - bits);
    match by {
        Combine::Bits(Opcode::Band) => all,
        Combine::Bits(_) => 0,
        Combine::Extreme { is_max: true, is_signed: false } => 0,
        Combine::Extreme { is_max: false, is_signed: false } => all,
        Combine::Extreme { is_max: true, is_signed: true } => 1 << (bits - 1),
        Combine::Extreme { is_max: false, is_signed: true } => all >> 1,
    }
}

/// All lanes of all vectors, combined: a scalar as wide as a lane.
pub(super) fn total(cursor: &mut FuncCursor<'_>, by: Combine, vectors: &[Value], bits: u32) -> Option<Value> {
    let (&first, rest) = vectors.split_first()?;
    let ty = cursor.func.dfg.value_type(first);
    let mut all = rest.iter().fold(first, |all, &vector| combine(cursor, by, [all, vector]));
    let mut bytes = 16;
    while bytes > 4.max(bits / 8) {
        bytes /= 2;
        let moved = moved_down(cursor, all, bytes);
        let moved = bitcast(cursor, ty, moved);
        all = combine(cursor, by, [all, moved]);
    }
    let lane = integer(bytes * 8)?;
    let words = bitcast(cursor, lane.by(128 / lane.bits())?, all);
    let mut scalar = cursor.ins().extractlane(words, 0);
    while bytes * 8 > bits {
        bytes /= 2;
        // Each half in a register of 32 bits, as the lanes are extended.
        let ty = cursor.func.dfg.value_type(scalar);
        let by_bits = iconst(cursor, ty, (bytes * 8).into());
        let high = cursor.ins().ushr(scalar, by_bits);
        let narrow = integer(bytes * 8)?;
        let halves = [scalar, high].map(|half| cursor.ins().ireduce(narrow, half));
        scalar = if bytes * 8 == bits {
            narrow_pair(cursor, by, halves, bits)
        } else {
            folded(cursor, by, halves, bits)?
        };
    }
    Some(scalar)
}

/// Two numbers of lanes, combined in 32 bits, since comparisons of fewer are extended anyway.
fn narrow_pair(cursor: &mut FuncCursor<'_>, by: Combine, pair: [Value; 2], bits: u32) -> Value {
    let is_signed = matches!(by, Combine::Extreme { is_signed: true, .. });
    let wide = pair.map(|value| match is_signed {
        true => cursor.ins().sextend(types::I32, value),
        false => cursor.ins().uextend(types::I32, value),
    });
    let both = combine(cursor, by, wide);
    let narrow = Type::int(bits as u16).unwrap_or(types::I32);
    cursor.ins().ireduce(narrow, both)
}

/// Two pairs of lanes of 8 bits: combined lane by lane, low with low and high with high.
fn folded(cursor: &mut FuncCursor<'_>, by: Combine, pairs: [Value; 2], bits: u32) -> Option<Value> {
    let narrow = integer(bits)?;
    let [low, high] = [false, true].map(|is_high| {
        let lanes = pairs.map(|pair| {
            let ty = cursor.func.dfg.value_type(pair);
            let lane = if is_high {
                let by_bits = iconst(cursor, ty, bits.into());
                cursor.ins().ushr(pair, by_bits)
            } else {
                pair
            };
            cursor.ins().ireduce(narrow, lane)
        });
        narrow_pair(cursor, by, lanes, bits)
    });
    let ty = integer(2 * bits)?;
    let low = cursor.ins().uextend(ty, low);
    let high = cursor.ins().uextend(ty, high);
    let by_bits = iconst(cursor, ty, bits.into());
    let high = cursor.ins().ishl(high, by_bits);
    Some(cursor.ins().bor(low, high))
}

/// A vector whose low `bytes` bytes are those that follow them.
fn moved_down(cursor: &mut FuncCursor<'_>, vector: Value, bytes: u32) -> Value {
    let all = bitcast(cursor, types::I8X16, vector);
    let mask: Vec<u8> = (0..16).map(|index| ((index + bytes) % 16) as u8).collect();
    let mask = cursor.func.dfg.immediates.push(ConstantData::from(&mask[..]));
    cursor.ins().shuffle(all, all, mask)
}
