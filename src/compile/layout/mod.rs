//! How the code of a function is laid out, once Cranelift has written it (x86-64).
//!
//! Cranelift writes branches of 6 bytes, constants of 4, sets up a frame pointer before all else, and aligns no loop. In: a
//! compiled function. Out: what does the same in fewer and shorter
//! instructions, its loops where the processor reads them fastest.
//!
//! | step | file |
//! |---|---|
//! | the code, read back: instructions, jump tables, constants | `items.rs`, `registers.rs` |
//! | indices of jump tables, checked by a branch | `tables.rs` |
//! | loops that go back by their own test | `rotation.rs` |
//! | the order of basic blocks | `blocks.rs`, `order.rs` |
//! | prologues and epilogues without a frame pointer | `frame.rs` |
//! | prologues behind early exits | `wrap.rs` |
//! | shorter encodings of one instruction | `shorten.rs` |
//! | bytes of `nop` before inner loops | `align.rs` |
//! | where everything lies, and how long branches are | `place.rs` |
//!
//! The rule: what moves is what refers to it: branches, addresses relative to the instruction, jump tables, relocations,
//! locations, entries, unwind information. An instruction that is not understood, or a reference into the middle of one,
//! leaves the function as it was. Instructions that relocations are in keep their bytes.
//!
//! Measured over 54 programs, each alone:
//!
//! | step | time | size of code |
//! |---|---|---:|
//! | indices of tables, checked by a branch | 1.00; `vm` 0.84 | 1.00 |
//! | order of blocks | 0.98; `coremix` 0.58, `utf8` 0.75, `bfs` 0.8, `json` and `vm` 0.9, `lcs` 1.07 | 1.01 |
//! | prologues | 0.99; `ackermann` 0.63, `queens` 0.94 | 0.90 |
//! | loops back by their own test | 1.00; `fib` 0.80, `lz_decompress` 0.83, `sieve` 0.95 | 0.99 |
//! | short branches and constants | 1.00; `coremix`, whose branches lie close together then, 1.06, `json` and `lcs` 0.85 | 0.89 |
//!
//! Tried, and not kept: long branches where three would lie in 16 bytes (`fib` as before, `lcs` 1.3 times as long); the flags
//! of a computation in place of a `test` of its result (8 programs have one such, in time all are as before); the spill slot
//! that is used most, in `%rbp` (`coremix` 0.96, `http` 1.06, 19 others as before; code 0.98).
//!
//! Time is linear in the size of the code, but for the search of relocations, which is `log n` each.

mod align;
mod blocks;
mod frame;
mod items;
mod order;
mod place;
mod registers;
mod rotation;
mod shorten;
mod tables;
mod ways;
mod wrap;

use cranelift_codegen::binemit::CodeOffset;
use cranelift_codegen::isa::TargetIsa;

use super::{CompiledFunction, FrameRow, FrameRows, Unwind};
use crate::config::{Pass, Passes};
use items::{Items, Kind};
use place::Placed;

/// Bytes in a line of the cache: what a function with inner loops is aligned to.
const LINE: u32 = 64;

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

/// Lays out a function again, as the passes say that are on.
pub(super) fn run(function: &mut CompiledFunction, isa: &dyn TargetIsa, passes: Passes) {
    let shortens = passes.contains(Pass::Short);
    let Some(mut items) = items::read(function, shortens) else { return };
    if passes.contains(Pass::Tables) {
        tables::check(&mut items, &function.code);
    }
    if passes.contains(Pass::Rotation) {
        rotation::rotate(&mut items, &function.code);
    }
    if passes.contains(Pass::Placement) {
        items = order::reorder(items, &function.entries, &function.code);
    }
    let mut frame = None;
    if passes.contains(Pass::Prologues) && function.unwind.as_ref().is_some_and(Unwind::has_rows) {
        match frame::rewrite(items, &function.code) {
            Ok(rewritten) => {
                items = rewritten.items;
                frame = Some((rewritten.rows, rewritten.size));
            }
            Err(same) => items = same,
        }
    }
    let loops = if passes.contains(Pass::Align) { align::loops(&items) } else { Vec::new() };
    let placed = Placed::new(&items, &loops, function.align as CodeOffset, shortens);
    let Some(code) = written(function, &items, &placed) else { return };
    let told = match (&frame, &function.unwind) {
        (Some((rows, _)), _) => Told::Items(rows),
        (None, None) => Told::Nothing,
        // There are none of a form that says where instructions end in its own way.
        (None, Some(unwind)) => match unwind.rows(isa) {
            Some(rows) => Told::Offsets(rows),
            None => return,
        },
    };
    if apply(function, &items, &placed, told).is_some() {
        function.code = code;
        if let Some((_, size)) = frame {
            function.frame.size = size;
        }
        if !loops.is_empty() {
            function.align = function.align.max(u64::from(LINE));
        }
    }
}

/// What unwinders are told.
enum Told<'a> {
    Nothing,
    /// From offsets in the code as it was.
    Offsets(FrameRows),
    /// From the ends of items.
    Items(&'a [(usize, FrameRow)]),
}

/// The bytes; none if something refers to where nothing starts.
fn written(function: &CompiledFunction, items: &Items, placed: &Placed) -> Option<Vec<u8>> {
    let old = &function.code;
    let mut code: Vec<u8> = Vec::with_capacity(placed.size as usize);
    for (index, item) in items.iter().enumerate() {
        let start = placed.starts[index];
        fill(&mut code, start, !matches!(item.kind, Kind::Data));
        let end = start + placed.sizes[index];
        let bytes = old.get(item.start as usize..(item.start + item.size) as usize)?;
        let target = |to: u32| placed.at(items, to).map(|to| to.wrapping_sub(end).cast_signed());
        match &item.kind {
            Kind::Plain | Kind::Data => code.extend_from_slice(bytes),
            Kind::Short(short) => code.extend_from_slice(short.bytes()),
            &Kind::Branch { condition, to } => {
                let distance = target(to)?;
                match (condition, i8::try_from(distance)) {
                    (Some(condition), Ok(short)) if end - start == place::SHORT => {
                        code.extend([0x70 | condition, short.cast_unsigned()]);
                    }
                    (None, Ok(short)) if end - start == place::SHORT => code.extend([0xeb, short.cast_unsigned()]),
                    (Some(condition), _) => {
                        code.extend([0x0f, 0x80 | condition]);
                        code.extend(distance.to_le_bytes());
                    }
                    (None, _) => {
                        code.push(0xe9);
                        code.extend(distance.to_le_bytes());
                    }
                }
            }
            &Kind::Relative { to, at } => {
                let at = code.len() + usize::from(at);
                code.extend_from_slice(bytes);
                code.get_mut(at..at + 4)?.copy_from_slice(&target(to)?.to_le_bytes());
            }
            Kind::Table => {
                for entry in bytes.chunks_exact(4) {
                    let entry = u32::from_le_bytes(entry.try_into().ok()?);
                    let to = placed.at(items, item.start.wrapping_add(entry))?;
                    code.extend(to.wrapping_sub(start).to_le_bytes());
                }
            }
        }
        if code.len() != end as usize {
            return None;
        }
    }
    Some(code)
}

/// Fills up to an offset.
fn fill(code: &mut Vec<u8>, to: CodeOffset, by_nops: bool) {
    while let Some(left) = (to as usize).checked_sub(code.len() + 1) {
        code.extend_from_slice(if by_nops { NOPS[left.min(NOPS.len() - 1)] } else { &[0] });
    }
}

/// Tells all that refers to the code where things are now; nothing is changed where that cannot be said.
fn apply(function: &mut CompiledFunction, items: &Items, placed: &Placed, told: Told<'_>) -> Option<()> {
    let start = |offset: CodeOffset| placed.at(items, offset);
    let end = |offset: CodeOffset| placed.end(items, offset);
    let mut relocations = function.relocations.clone();
    for relocation in &mut relocations {
        relocation.offset = placed.inside(items, relocation.offset)?;
    }
    relocations.sort_by_key(|relocation| relocation.offset);
    let mut entries = function.entries.iter().map(|&entry| start(entry)).collect::<Option<Vec<_>>>()?;
    entries.extend(placed.nops_apart(items));
    // What was not there is where branches lead, or is run into.
    entries.extend(placed.new_blocks(items));
    entries.sort_unstable();
    entries.dedup();
    let locations = placed.locations(items, &function.locations);
    let rows = match told {
        Told::Nothing => None,
        Told::Items(rows) => {
            let row = |&(item, row): &(usize, FrameRow)| (placed.starts[item] + placed.sizes[item], row);
            Some(FrameRows { length: placed.size, rows: rows.iter().map(row).collect() })
        }
        Told::Offsets(mut rows) => {
            rows.length = placed.size;
            for (offset, _) in &mut rows.rows {
                *offset = end(*offset)?;
            }
            if !rows.rows.is_sorted_by_key(|&(offset, _)| offset) {
                return None;
            }
            Some(rows)
        }
    };
    function.unwind = rows.map(Unwind::Rows);
    (function.relocations, function.entries, function.locations) = (relocations, entries, locations);
    Some(())
}

#[cfg(test)]
mod tests;
