//! Where the loops of a function lie in the lines of the processor's cache (x86-64).
//!
//! In: a compiled function, the starts of its blocks, and the ways between them. Out: the same function, aligned to a line
//! and with fewer than [`MOST`] bytes of `nop` behind its prologue. Cranelift aligns no blocks, and a loop takes up to twice as long
//! where a branch of it crosses a boundary of 32 bytes, or where it lies in a line more than it needs.
//!
//! The rule: of the distances that keep constants aligned, the one at which branches cross the fewest boundaries and loops
//! take the fewest lines, each counted [`INNER`] bits more for each loop around it; a byte of `nop` costs a little too.
//!
//! All from the first block on moves by the same distance, so what is relative between there stays as it is; the prologue
//! refers to nothing behind it but by relocations. Where the unwind information says something behind the prologue, or
//! has another form, nothing is done. Time is linear in the number of blocks.
//!
//! Tried, and not kept: functions aligned to 32 or 64 bytes, and no more (as fast on the whole: each loop lies somewhere
//! else).

use cranelift_codegen::isa::TargetIsa;

use super::{CompiledFunction, Unwind};

/// Bytes in a line.
const LINE: u32 = 64;

/// Bytes that the processor fetches at once.
const FETCH: u32 = 32;

/// `nop`s are fewer bytes than this.
const MOST: u32 = 32;

/// Binary logarithm of how much more an inner loop counts than what is around it.
const INNER: u32 = 3;

/// Loops in more loops count as those in so many.
const DEEPEST: usize = 6;

/// What a crossing in a loop counts, in bytes of `nop`.
const CROSSING: u64 = 10;

/// How many bytes a comparison has at least that is one operation with the branch behind it.
const COMPARISON: u32 = 3;

/// `nop`s of 1 to 9 bytes (Intel's Optimization Reference Manual, 3.5.1.9).
const NOPS: [&[u8]; 9] = [
    &[0x90],
    &[0x66, 0x90],
    &[0x0f, 0x1f, 0x00],
    &[0x0f, 0x1f, 0x40, 0x00],
    &[0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
    &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

/// Bytes that should lie together: a loop in its lines, a branch between two boundaries.
struct Piece {
    start: u32,
    end: u32,
    unit: u32,
    weight: u64,
}

impl Piece {
    /// What it costs where all lies further on by a distance.
    fn cost(&self, by: u32) -> u64 {
        let (first, last) = ((self.start + by) / self.unit, (self.end + by).saturating_sub(1) / self.unit);
        u64::from(last.saturating_sub(first)) * self.weight
    }
}

/// Aligns a function's loops, if it has any.
pub(super) fn align(function: &mut CompiledFunction, starts: &[u32], ways: &[(u32, u32)], isa: &dyn TargetIsa) {
    let mut starts = starts.to_vec();
    starts.sort_unstable();
    let (Some(&prologue), Ok(step)) = (starts.first(), u32::try_from(function.align)) else { return };
    let pieces = pieces(&function.code, &starts, ways);
    if pieces.is_empty() || !(1..LINE).contains(&step) {
        return;
    }
    let Some(mut rows) = function.unwind.as_ref().and_then(|unwind| unwind.rows(isa)) else { return };
    if rows.rows.iter().any(|row| row.0 > prologue) {
        return;
    }
    let cost = |by: u32| pieces.iter().map(|piece| piece.cost(by)).sum::<u64>() * CROSSING + u64::from(by);
    let by = (0..MOST).step_by(step as usize).min_by_key(|&by| cost(by)).unwrap_or(0);
    rows.length += by;
    function.unwind = Some(Unwind::Rows(rows));
    function.align = u64::from(LINE);
    let mut nops = Vec::new();
    while let Some(left) = (by as usize).checked_sub(nops.len() + 1) {
        nops.extend_from_slice(NOPS[left.min(NOPS.len() - 1)]);
    }
    let at = prologue as usize;
    function.code.splice(at..at, nops);
    let moved = |offset: &mut u32| *offset += if *offset >= prologue { by } else { 0 };
    function.relocations.iter_mut().for_each(|relocation| moved(&mut relocation.offset));
    function.entries.iter_mut().for_each(moved);
    for range in &mut function.locations {
        moved(&mut range.start);
        // One that ends where the blocks start is the prologue's.
        range.end += if range.end > prologue { by } else { 0 };
    }
}

/// The loops of a function, and the branches in them. A loop is what lies between a block and one behind it that leads
/// back to it.
fn pieces(code: &[u8], starts: &[u32], ways: &[(u32, u32)]) -> Vec<Piece> {
    let size = code.len() as u32;
    let end_of = |block: u32| starts.get(starts.partition_point(|&start| start <= block)).copied().unwrap_or(size);
    let back = ways.iter().filter(|(from, to)| to <= from);
    let mut loops: Vec<(u32, u32)> = back.map(|&(from, to)| (to, end_of(from))).collect();
    // The last way back to a block makes the loop.
    loops.sort_by_key(|&(start, end)| (start, std::cmp::Reverse(end)));
    loops.dedup_by_key(|found| found.0);
    let mut loops = loops.into_iter().peekable();
    let mut pieces = Vec::new();
    // The ends of the loops around a block.
    let mut around: Vec<u32> = Vec::new();
    let weight = |depth: usize| 1 << (INNER * depth.min(DEEPEST) as u32);
    for &block in starts {
        while around.last().is_some_and(|&end| end <= block) {
            around.pop();
        }
        while let Some((start, end)) = loops.next_if(|found| found.0 <= block) {
            pieces.push(Piece { start, end, unit: LINE, weight: weight(around.len()) });
            around.push(end);
        }
        if let Some(depth) = around.len().checked_sub(1) {
            let branch = |(start, end)| Piece { start, end, unit: FETCH, weight: weight(depth) };
            pieces.extend(branches(code, block, end_of(block)).map(branch));
        }
    }
    pieces
}

/// The branches at the end of a block, as Cranelift writes them: `jcc` of 6 bytes, `jmp` of 5, or one before the other.
fn branches(code: &[u8], block: u32, end: u32) -> impl Iterator<Item = (u32, u32)> {
    let before = |end: u32, size: u32| end.checked_sub(size).filter(|&start| start >= block);
    let conditional = |end: u32| {
        let start = before(end, 6)?;
        let is_branch = code[start as usize] == 0x0f && code[start as usize + 1] & 0xf0 == 0x80;
        is_branch.then(|| (before(start, COMPARISON).unwrap_or(start), end))
    };
    let jump = before(end, 5).filter(|&start| code[start as usize] == 0xe9).map(|start| (start, end));
    let first = jump.map_or(end, |jump| jump.0);
    [conditional(first), jump].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `nop`s, with a branch of these bytes before each of these places.
    fn code(size: usize, branches: &[(usize, &[u8])]) -> Vec<u8> {
        let mut code = vec![0x90; size];
        for &(end, bytes) in branches {
            code[end - bytes.len()..end].copy_from_slice(bytes);
        }
        code
    }

    const JNE: &[u8] = &[0x0f, 0x85, 0, 0, 0, 0];
    const JMP: &[u8] = &[0xe9, 0, 0, 0, 0];

    #[test]
    fn branches_are_those_at_the_end_of_a_block() {
        let found = |code: &[u8], block, end| branches(code, block, end).collect::<Vec<_>>();
        assert_eq!(found(&code(40, &[(30, JNE)]), 10, 30), [(21, 30)]);
        assert_eq!(found(&code(40, &[(30, JMP)]), 10, 30), [(25, 30)]);
        assert_eq!(found(&code(40, &[(25, JNE), (30, JMP)]), 10, 30), [(16, 25), (25, 30)]);
        // What is before the block is none of its own.
        assert_eq!(found(&code(40, &[(30, JNE)]), 24, 30), [(24, 30)]);
        assert_eq!(found(&code(40, &[(30, JNE)]), 27, 30), []);
        assert_eq!(found(&code(40, &[(29, JNE)]), 10, 30), []);
    }

    #[test]
    fn inner_loops_count_more() {
        let code = code(200, &[(100, JNE), (150, JNE)]);
        let pieces = pieces(&code, &[20, 40, 60, 100, 150], &[(60, 60), (100, 40), (20, 40), (40, 60)]);
        let found: Vec<_> = pieces.iter().map(|piece| (piece.start, piece.end, piece.unit, piece.weight)).collect();
        // The outer loop, the inner one, the inner one's branch, the outer one's.
        assert_eq!(found, [(40, 150, LINE, 1), (60, 100, LINE, 8), (91, 100, FETCH, 8), (141, 150, FETCH, 1)]);
    }

    #[test]
    fn a_piece_costs_what_it_crosses() {
        let piece = |start, end| Piece { start, end, unit: LINE, weight: 3 };
        assert_eq!(piece(0, 64).cost(0), 0);
        assert_eq!(piece(0, 64).cost(1), 3);
        assert_eq!(piece(60, 70).cost(0), 3);
        assert_eq!(piece(60, 70).cost(4), 0);
        assert_eq!(piece(10, 200).cost(0), 9);
    }
}
