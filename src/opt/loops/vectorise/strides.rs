//! Strides: loads that together read all elements of a structure of two to four of them, one structure in each iteration.
//!
//! In: the loads of a loop whose addresses move by a multiple of their size. Out: groups, each of which is accessed as one stream of
//! structures (`streams.rs`); and vectors of the first elements, of the second ones, and so on, taken apart (deinterleaved) by unpacks.
//!
//! Of `s` vectors with `n` lanes each, lane `s i + c` is element `c` of structure `i`, and is to be lane `n c + i`. A perfect shuffle
//! (the first half of all lanes interleaved with the second half) takes lane `p` to lane `2 p` modulo `s n - 1`, so as many of them
//! as the logarithm of `n` take it to `n p`, and `n (s i + c) = n c + i`, modulo `s n - 1`. Each is one unpack for each vector; where `s` is
//! odd, halves have to be moved too.
//!
//! Sound: each byte is read once, as before. No other load of the loop may have the address of a group, since the order of the loads
//! of one byte would not be the program's.

use cranelift_codegen::cursor::FuncCursor;
use cranelift_codegen::ir::{ConstantData, InstBuilder, Type, Value, types};

use super::lanes::bitcast;
use super::streams::{Member, Stream, Streams, vector};

/// Bytes of a vector.
const VECTOR: usize = 16;

impl Streams {
    /// Makes groups of all loads with strides; none if that is not possible.
    pub(super) fn group(&mut self) -> Option<()> {
        for index in 0..self.all.len() {
            let stream = self.all[index];
            if stream.elements == 1 || stream.member.is_some() {
                continue;
            }
            let is_root = |other: &&Stream| other.stored.is_none() && other.access.root == stream.access.root;
            if self.all.iter().filter(is_root).count() as i64 != stream.elements {
                return None;
            }
            let mut members: Vec<usize> = (0..self.all.len()).filter(|&at| is_root(&&self.all[at])).collect();
            members.sort_by_key(|&member| self.all[member].access.at);
            let leader = *members.first()?;
            for (element, &member) in members.iter().enumerate() {
                let at = self.all[leader].access.at.wrapping_add(element as i64 * i64::from(stream.access.size));
                let other = &mut self.all[member];
                if other.access.at != at || other.lane != stream.lane || other.elements != stream.elements {
                    return None;
                }
                other.member = Some(Member { leader, element });
            }
        }
        Some(())
    }

    /// The elements of which vectors have to be whole, in bits, if there are some.
    pub(super) fn whole(&self) -> Option<u32> {
        self.all.iter().filter(|stream| stream.elements > 1).map(|stream| stream.lane.bits()).min()
    }
}

/// What it costs to take vectors of such elements apart, for each of them.
pub(super) fn cost(elements: i64, lane: Type) -> u64 {
    let rounds = u64::from((128 / lane.bits()).ilog2());
    match elements {
        1 => 0,
        odd if odd % 2 == 1 => 3 * rounds,
        _ => 2 * rounds,
    }
}

/// Takes vectors of structures apart: the vectors of each element.
pub(super) fn apart(
    cursor: &mut FuncCursor<'_>,
    all: &[Value],
    elements: usize,
    lane: Type,
) -> Option<Vec<Vec<Value>>> {
    let ty = vector(lane)?;
    let mut found = vec![Vec::new(); elements];
    for block in all.chunks(elements) {
        let mut vectors: Vec<Value> = block.iter().map(|&value| bitcast(cursor, types::I8X16, value)).collect();
        for _ in 0..(128 / lane.bits()).ilog2() {
            vectors = (0..elements)
                .map(|place| {
                    let halves = [place, place + elements].map(|half| (vectors[half / 2], half % 2 == 1));
                    interleaved(cursor, halves, lane.bytes() as usize)
                })
                .collect();
        }
        for (element, value) in vectors.into_iter().enumerate() {
            found[element].push(bitcast(cursor, ty, value));
        }
    }
    Some(found)
}

/// The lanes of two halves of vectors, in turn; of each, the vector, and whether it is the high half.
fn interleaved(cursor: &mut FuncCursor<'_>, halves: [(Value, bool); 2], bytes: usize) -> Value {
    let is_high = halves[0].1 && halves[1].1;
    let pair = halves.map(|(vector, is_other)| match is_other && !is_high {
        true => shuffled(cursor, [vector, vector], |byte| (byte + VECTOR / 2) % VECTOR),
        false => vector,
    });
    let start = if is_high { VECTOR / 2 } else { 0 };
    shuffled(cursor, pair, |byte| {
        let (lane, inside) = (byte / bytes, byte % bytes);
        start + lane / 2 * bytes + inside + lane % 2 * VECTOR
    })
}

fn shuffled(cursor: &mut FuncCursor<'_>, [one, other]: [Value; 2], from: impl Fn(usize) -> usize) -> Value {
    let mask: Vec<u8> = (0..VECTOR).map(|byte| from(byte) as u8).collect();
    let mask = cursor.func.dfg.immediates.push(ConstantData::from(&mask[..]));
    cursor.ins().shuffle(one, other, mask)
}
