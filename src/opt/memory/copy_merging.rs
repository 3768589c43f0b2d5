//! Copy merging: adjacent bytes that are loaded and stored one by one become one load and one store.
//!
//! Compilers write a copy of a few bytes that may lie anywhere as a load and a store of each byte. What becomes wider:
//!
//! | copies (`copies.rs`) | become |
//! |---|---|
//! | all loads before all stores, to one root | loads and stores of 2, 4 or 8 bytes, or 16 |
//! | loads and stores in any order, where it is known that no store reaches what is loaded | the same |
//! | the same, where that is not known | a check that the bytes are disjoint, the same if they are, and else the copies as they were, in a cold block |
//!
//! Sound: between these copies there are only pure instructions. No load reads what a store of the same group writes, so
//! that all loads can come first; groups stay in their order, and each store of a group writes other bytes. No access is
//! split, and 8 bytes and more that are accessed at once stay as they are: they are likely to have been stored so a moment ago,
//! and a processor does not forward two stores to one load.
//!
//! One pass; a check has to save [`CHECK_COST`] instructions.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Function, Inst, InstBuilder, MemFlagsData, Type, Value, types};

use super::copies::{Copy, Run, may_have, runs};
use crate::config::Need;
use crate::opt::ir::memory_accesses::Root;
use crate::opt::ir::operands::{iconst, type_of};
use crate::opt::ir::uses::use_counts;
use crate::opt::pass::PassContext;

/// How many instructions a check has to save at least.
const CHECK_COST: usize = 8;

/// A copy of 8 bytes or more stays as it is.
const MAX_PART: u8 = 4;

/// From how many bytes on copies whose loads come first are merged without looking at what follows.
const MIN_BYTES: usize = 4;

/// How many copies become one of 16 bytes at least: those of bytes, or of two.
const MIN_VECTOR: usize = 8;

/// Copies that become one of `size` bytes; or one copy, which stays.
struct Piece {
    copies: Vec<Copy>,
    size: u8,
}

/// Copies of one way that together reach as far as the widest access at most.
type Group = Vec<Copy>;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let widest = if context.facts.has(Need::Vectors) { 16 } else { 8 };
    let blocks: Vec<_> = function.layout.blocks().filter(|&block| may_have(function, MAX_PART, block)).collect();
    if blocks.is_empty() {
        return;
    }
    let counts = use_counts(function);
    let runs: Vec<Run> = blocks.into_iter().flat_map(|block| runs(function, &counts, block)).collect();
    for run in runs {
        if merge_run(function, widest, run) {
            context.analyses.changed();
        }
    }
}

/// Merges what it can of a run. Returns whether there are new blocks.
fn merge_run(function: &mut Function, widest: u8, run: Run) -> bool {
    let mut has_branches = false;
    let mut groups: Vec<Group> = Vec::new();
    for unit in run {
        let copies = unit.copies;
        let bytes: usize = copies.iter().map(|copy| usize::from(copy.load.size)).sum();
        let before = groups.last_mut().filter(|group| group[0].way() == copies[0].way());
        if unit.loads_first && copies.len() > 1 && bytes >= MIN_BYTES {
            has_branches |= merge_groups(function, widest, std::mem::take(&mut groups));
            merge_in_place(function, &copies, widest);
        } else if let Some(group) = before {
            if fits(group, &copies, widest) {
                group.extend(copies);
            } else if fits(&[], &copies, widest) {
                groups.push(copies);
            } else {
                has_branches |= merge_groups(function, widest, std::mem::take(&mut groups));
            }
        } else {
            has_branches |= merge_groups(function, widest, std::mem::take(&mut groups));
            if fits(&[], &copies, widest) {
                groups.push(copies);
            }
        }
    }
    merge_groups(function, widest, groups) || has_branches
}

/// Whether copies have one way, reach as far as the widest access at most together with those of a group, and write each
/// byte once.
fn fits(group: &[Copy], copies: &[Copy], widest: u8) -> bool {
    let all: Vec<&Copy> = group.iter().chain(copies).collect();
    all.iter().all(|copy| copy.way() == all[0].way())
        && span(&all).is_some_and(|span| span <= i64::from(widest))
        && are_disjoint(&all)
}

/// How far it is from the lowest byte that is loaded to behind the highest one.
fn span(copies: &[&Copy]) -> Option<i64> {
    let low = copies.iter().map(|copy| copy.load.at).min()?;
    let ends = copies.iter().map(|copy| copy.load.at.checked_add(i64::from(copy.load.size)));
    ends.collect::<Option<Vec<i64>>>()?.into_iter().max()?.checked_sub(low)
}

/// Whether copies to one root write each byte once.
fn are_disjoint(copies: &[&Copy]) -> bool {
    let mut stores: Vec<_> = copies.iter().map(|copy| copy.store).collect();
    stores.sort_by_key(|store| store.at);
    stores.windows(2).all(|pair| {
        pair[0].root == pair[1].root && pair[1].at.checked_sub(pair[0].at) >= Some(i64::from(pair[0].size))
    })
}

/// Merges groups of one way that follow each other. Returns whether there are new blocks.
fn merge_groups(function: &mut Function, widest: u8, groups: Vec<Group>) -> bool {
    let pieces: Vec<Vec<Piece>> = groups.iter().map(|group| pieces(group, widest)).collect();
    let [before, after] = [groups.iter().map(Vec::len).sum(), pieces.iter().map(Vec::len).sum::<usize>()];
    let spans = groups.iter().map(|group| span(&group.iter().collect::<Vec<_>>()));
    let Some(span) = spans.max().flatten() else { return false };
    let (from, to, distance) = groups[0][0].way();
    let is_known = from == to || matches!((from, to), (Root::Slot(_), Root::Slot(_)));
    let are_disjoint = is_known && (from != to || distance.unsigned_abs() >= span.unsigned_abs());
    if !is_known && 2 * before >= 2 * after + CHECK_COST {
        return branch(function, &pieces, span).is_some();
    }
    for group in groups.iter().filter(|group| are_disjoint || has_loads_first(group)) {
        merge_in_place(function, group, widest);
    }
    false
}

/// Whether all of the loads come before all of the stores.
fn has_loads_first(group: &[Copy]) -> bool {
    group.iter().map(|copy| copy.places[0]).max() < group.iter().map(|copy| copy.places[1]).min()
}

/// The widest pieces that copies make up, from the lowest byte on.
fn pieces(copies: &[Copy], widest: u8) -> Vec<Piece> {
    let mut sorted = copies.to_vec();
    sorted.sort_by_key(|copy| copy.load.at);
    let (mut rest, mut pieces) = (&sorted[..], Vec::new());
    while let Some(first) = rest.first() {
        let wide = [16, 8, 4, 2].into_iter().filter(|&size| size <= widest).find_map(|size| {
            let count = covering(rest, size)?;
            (size < 16 || count >= MIN_VECTOR).then_some((count, size))
        });
        let (count, size) = wide.unwrap_or((1, first.load.size));
        pieces.push(Piece { copies: rest[..count].to_vec(), size });
        rest = &rest[count..];
    }
    pieces
}

/// How many adjacent copies of one way from the first one on make up exactly `size` bytes; at least two.
fn covering(sorted: &[Copy], size: u8) -> Option<usize> {
    let first = sorted.first()?;
    let mut done = 0;
    for (count, copy) in sorted.iter().enumerate() {
        let is_next = copy.load.at.checked_sub(first.load.at) == Some(done);
        if !is_next || copy.way() != first.way() || copy.load.size > MAX_PART {
            return None;
        }
        done += i64::from(copy.load.size);
        if done >= i64::from(size) {
            return (done == i64::from(size) && count > 0).then_some(count + 1);
        }
    }
    None
}

/// Merges copies to one root of which no store writes what a later load reads: each piece's load is where its last one
/// was, and so is its store.
fn merge_in_place(function: &mut Function, copies: &[Copy], widest: u8) {
    if !are_disjoint(&copies.iter().collect::<Vec<_>>()) {
        return;
    }
    for piece in pieces(copies, widest).iter().filter(|piece| piece.copies.len() > 1) {
        let last = |which: usize| piece.copies.iter().max_by_key(|copy| copy.places[which]);
        let (Some(load), Some(store)) = (last(0), last(1)) else { continue };
        let Some(wide) = piece.wide() else { continue };
        let locations = [load.load.inst, store.store.inst].map(|inst| function.srcloc(inst));
        let mut cursor = FuncCursor::new(function).at_inst(load.load.inst).with_srcloc(locations[0]);
        let value = wide.load(&mut cursor);
        wide.store(&mut cursor.at_inst(store.store.inst).with_srcloc(locations[1]), value);
        piece.copies.iter().for_each(|copy| remove(function, copy));
    }
}

/// Puts a check in place of copies that follow each other in a block: if the bytes are disjoint, they are copied in
/// pieces, and else as they were.
fn branch(function: &mut Function, groups: &[Vec<Piece>], span: i64) -> Option<()> {
    let all = || groups.iter().flatten().flat_map(|piece| &piece.copies);
    let last = all().max_by_key(|copy| copy.places[1])?;
    let location = function.srcloc(last.store.inst);
    let accesses = |group: &Vec<Piece>| group.iter().map(Piece::wide).collect::<Option<Vec<Wide>>>();
    let accesses: Vec<Vec<Wide>> = groups.iter().map(accesses).collect::<Option<_>>()?;
    let after = function.layout.next_inst(last.store.inst)?;
    let block = function.layout.inst_block(last.store.inst)?;
    let [wide, slow, join] = [(); 3].map(|()| function.dfg.make_block());
    function.layout.split_block(join, after);
    function.layout.insert_block_after(slow, block);
    function.layout.insert_block_after(wide, block);
    if function.layout.is_cold(block) {
        function.layout.set_cold(wide);
        function.layout.set_cold(join);
    }
    function.layout.set_cold(slow);

    let mut insts: Vec<(usize, Inst)> = Vec::new();
    for copy in all() {
        insts.push((copy.places[0], copy.load.inst));
        // They come right behind the load: only the store uses them.
        insts.extend(copy.conversions.iter().rev().map(|&inst| (copy.places[0], inst)));
        insts.push((copy.places[1], copy.store.inst));
    }
    insts.sort_by_key(|&(place, _)| place);
    for &(_, inst) in &insts {
        function.layout.remove_inst(inst);
        function.layout.append_inst(inst, slow);
    }

    let mut cursor = FuncCursor::new(function).at_bottom(block).with_srcloc(location);
    // From -(span - 1) to span - 1, they overlap.
    let between = cursor.ins().isub(last.store.address, last.load.address);
    let offsets = i64::from(last.store.offset) - i64::from(last.load.offset);
    let above = iconst(&mut cursor, types::I64, offsets + span - 1);
    let above = cursor.ins().iadd(between, above);
    let limit = iconst(&mut cursor, types::I64, 2 * (span - 1));
    let are_disjoint = cursor.ins().icmp(IntCC::UnsignedGreaterThan, above, limit);
    cursor.ins().brif(are_disjoint, wide, &[], slow, &[]);
    FuncCursor::new(function).at_bottom(slow).with_srcloc(location).ins().jump(join, &[]);
    let mut cursor = FuncCursor::new(function).at_bottom(wide).with_srcloc(location);
    for group in accesses {
        let values: Vec<Value> = group.iter().map(|access| access.load(&mut cursor)).collect();
        group.iter().zip(values).for_each(|(access, value)| access.store(&mut cursor, value));
    }
    cursor.ins().jump(join, &[]);
    Some(())
}

/// What a piece becomes: its type, and the addresses and offsets of its load and its store.
struct Wide {
    ty: Type,
    from: (Value, i32),
    to: (Value, i32),
}

impl Piece {
    /// None if an offset is out of reach.
    fn wide(&self) -> Option<Wide> {
        let ty = if self.size == 16 { types::I8X16 } else { type_of(self.size)? };
        let lowest = self.copies.first()?;
        // The address operands of the last ones are there wherever the piece is put.
        let load = self.copies.iter().max_by_key(|copy| copy.places[0])?.load;
        let store = self.copies.iter().max_by_key(|copy| copy.places[1])?.store;
        let from = (load.address, load.offset_to(lowest.load.at)?);
        Some(Wide { ty, from, to: (store.address, store.offset_to(lowest.store.at)?) })
    }
}

impl Wide {
    fn load(&self, cursor: &mut FuncCursor<'_>) -> Value {
        cursor.ins().load(self.ty, MemFlagsData::new(), self.from.0, self.from.1)
    }

    fn store(&self, cursor: &mut FuncCursor<'_>, value: Value) {
        cursor.ins().store(MemFlagsData::new(), value, self.to.0, self.to.1);
    }
}

/// Removes a copy.
fn remove(function: &mut Function, copy: &Copy) {
    for inst in [copy.store.inst].into_iter().chain(copy.conversions.iter().copied()).chain([copy.load.inst]) {
        function.layout.remove_inst(inst);
    }
}
