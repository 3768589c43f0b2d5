//! The code of a function as it is in the end.
//!
//! In: its pieces, and where they lie. Out: the function with these bytes, and all that refers to them. The rule: what cannot be
//! said of the new code leaves the function as it was.

use cranelift_codegen::binemit::CodeOffset;
use cranelift_codegen::isa::TargetIsa;
use cranelift_module::ModuleReloc;

use super::pieces::{Items, Kind};
use super::relaxation::{self, Placed};
use crate::codegen::{CompiledFunction, FrameRow, FrameRows, Unwind};
use crate::x86::steps::loop_alignment::Loop;
use crate::x86::{LINE, Reason};

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

/// Another frame than it had.
pub(crate) struct Frame {
    /// What unwinders are told from the end of an item on.
    pub(crate) rows: Vec<(usize, FrameRow)>,
    /// Its bytes, with the return address.
    pub(crate) size: u32,
}

/// Writes a function, with `nop`s before these loops.
pub(crate) fn write(
    function: &CompiledFunction,
    items: &Items,
    frame: Option<&Frame>,
    loops: &[Loop],
    isa: &dyn TargetIsa,
    shortens: bool,
) -> Result<(CompiledFunction, Placed), Reason> {
    let placed = Placed::new(items, loops, function.align as CodeOffset, shortens);
    let code = written(function, items, &placed).ok_or(Reason::Reference)?;
    let told = match (frame, &function.unwind) {
        (Some(frame), _) => Told::Items(&frame.rows),
        (None, None) => Told::Nothing,
        // There are none of a form that says where instructions end in its own way.
        (None, Some(unwind)) => Told::Offsets(unwind.rows(isa).ok_or(Reason::Unwind)?),
    };
    let moved = moved(function, items, &placed, told).ok_or(Reason::Reference)?;
    let mut made = CompiledFunction {
        id: function.id,
        function: function.function,
        code,
        align: function.align,
        relocations: moved.relocations,
        unwind: moved.unwind,
        locations: placed.locations(items, &function.locations),
        entries: moved.entries,
        frame: function.frame.clone(),
        optimised: function.optimised.clone(),
        layout: function.layout,
    };
    if let Some(frame) = frame {
        made.frame.size = frame.size;
    }
    if !loops.is_empty() {
        made.align = made.align.max(u64::from(LINE));
    }
    Ok((made, placed))
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
                    (Some(condition), Ok(short)) if end - start == relaxation::SHORT => {
                        code.extend([0x70 | condition, short.cast_unsigned()]);
                    }
                    (None, Ok(short)) if end - start == relaxation::SHORT => {
                        code.extend([0xeb, short.cast_unsigned()])
                    }
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
                let distance = placed.data(items, to)?.wrapping_sub(end);
                code.extend_from_slice(bytes);
                code.get_mut(at..at + 4)?.copy_from_slice(&distance.to_le_bytes());
            }
            Kind::Table => {
                for to in item.entries(old) {
                    code.extend(placed.at(items, to)?.wrapping_sub(start).to_le_bytes());
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

/// What refers to the code, told where things are now.
struct Moved {
    relocations: Vec<ModuleReloc>,
    entries: Vec<CodeOffset>,
    unwind: Option<Unwind>,
}

/// Says where they are; none where that cannot be said.
fn moved(function: &CompiledFunction, items: &Items, placed: &Placed, told: Told<'_>) -> Option<Moved> {
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
    // Nothing may be left of the last block.
    let code_end = placed.end_of_code(items);
    entries.retain(|&entry| entry < code_end);
    entries.sort_unstable();
    entries.dedup();
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
    Some(Moved { relocations, entries, unwind: rows.map(Unwind::Rows) })
}
