//! Fragments to bytes, and everything that refers to them.
//!
//! In: a function, its fragments, and its new frame if it has one. Out: the function with new code, relocations, locations,
//! entries and unwind information. The rule: where one of these has no place in the new code, the function stays as it was.

use cranelift_codegen::binemit::CodeOffset;
use cranelift_codegen::isa::TargetIsa;
use cranelift_module::ModuleReloc;

use super::alignment::{AlignedLoop, CACHE_LINE};
use super::fragments::{FragmentKind, Fragments};
use super::relaxation::{self, Layout};
use crate::codegen::compiled::{CompiledFunction, GivenUp};
use crate::codegen::unwind::{FrameRow, FrameRows, Unwind};

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

/// The frame that replaces Cranelift's.
pub(crate) struct WrittenFrame {
    /// Unwind rows, each from the end of the fragment with this index on.
    pub(crate) rows: Vec<(usize, FrameRow)>,
    /// Its bytes, with the return address.
    pub(crate) size: u32,
}

/// Writes a function, with `nop`s before these loops.
pub(crate) fn write(
    function: &CompiledFunction,
    fragments: &Fragments,
    frame: Option<&WrittenFrame>,
    loops: &[AlignedLoop],
    isa: &dyn TargetIsa,
    shortens: bool,
) -> Result<(CompiledFunction, Layout), GivenUp> {
    let layout = Layout::new(fragments, loops, function.align as CodeOffset, shortens);
    let code = written(function, fragments, &layout).ok_or(GivenUp::Reference)?;
    let unwind = match (frame, &function.unwind) {
        (Some(frame), _) => UnwindSource::Rewritten(&frame.rows),
        (None, None) => UnwindSource::None,
        // Only rows say in a known form where instructions end.
        (None, Some(unwind)) => UnwindSource::Original(unwind.rows(isa).ok_or(GivenUp::Unwind)?),
    };
    let moved = moved_references(function, fragments, &layout, unwind).ok_or(GivenUp::Reference)?;
    let mut made = CompiledFunction {
        id: function.id,
        function: function.function,
        code,
        align: function.align,
        relocations: moved.relocations,
        unwind: moved.unwind,
        locations: layout.locations(fragments, &function.locations),
        entries: moved.entries,
        frame: function.frame.clone(),
        optimised: function.optimised.clone(),
        keeping: function.keeping.clone(),
        steps: function.steps,
    };
    if let Some(frame) = frame {
        made.frame.size = frame.size;
    }
    if !loops.is_empty() {
        made.align = made.align.max(u64::from(CACHE_LINE));
    }
    Ok((made, layout))
}

/// Where the unwind rows of the new code come from.
enum UnwindSource<'a> {
    /// It has no unwind information.
    None,
    /// Cranelift's, by offsets in its code.
    Original(FrameRows),
    /// A new frame's, by the indexes of the fragments that they follow.
    Rewritten(&'a [(usize, FrameRow)]),
}

/// The bytes; none if a reference has no target.
fn written(function: &CompiledFunction, fragments: &Fragments, layout: &Layout) -> Option<Vec<u8>> {
    let old = &function.code;
    let mut code: Vec<u8> = Vec::with_capacity(layout.size as usize);
    for (index, fragment) in fragments.iter().enumerate() {
        let start = layout.starts[index];
        fill(&mut code, start, !matches!(fragment.kind, FragmentKind::Constants));
        let end = start + layout.sizes[index];
        let bytes = old.get(fragment.start as usize..(fragment.start + fragment.size) as usize)?;
        let target = |to: u32| layout.at(fragments, to).map(|to| to.wrapping_sub(end).cast_signed());
        match &fragment.kind {
            FragmentKind::Instruction | FragmentKind::Constants => code.extend_from_slice(bytes),
            FragmentKind::Rewritten(short) => code.extend_from_slice(short.bytes()),
            &FragmentKind::Branch { condition, to } => {
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
            &FragmentKind::PcRelative { to, at } => {
                let at = code.len() + usize::from(at);
                let distance = layout.data(fragments, to)?.wrapping_sub(end);
                code.extend_from_slice(bytes);
                code.get_mut(at..at + 4)?.copy_from_slice(&distance.to_le_bytes());
            }
            FragmentKind::JumpTable => {
                for to in fragment.entries(old) {
                    code.extend(layout.at(fragments, to)?.wrapping_sub(start).to_le_bytes());
                }
            }
        }
        if code.len() != end as usize {
            return None;
        }
    }
    Some(code)
}

/// Pads up to an offset.
fn fill(code: &mut Vec<u8>, to: CodeOffset, by_nops: bool) {
    while let Some(left) = (to as usize).checked_sub(code.len() + 1) {
        code.extend_from_slice(if by_nops { NOPS[left.min(NOPS.len() - 1)] } else { &[0] });
    }
}

/// What refers to the code, moved with it.
struct MovedReferences {
    relocations: Vec<ModuleReloc>,
    entries: Vec<CodeOffset>,
    unwind: Option<Unwind>,
}

/// Moves what refers to the code; none where something has no place in it.
fn moved_references(
    function: &CompiledFunction,
    fragments: &Fragments,
    layout: &Layout,
    unwind: UnwindSource<'_>,
) -> Option<MovedReferences> {
    let start = |offset: CodeOffset| layout.at(fragments, offset);
    let end = |offset: CodeOffset| layout.end(fragments, offset);
    let mut relocations = function.relocations.clone();
    for relocation in &mut relocations {
        relocation.offset = layout.inside(fragments, relocation.offset)?;
    }
    relocations.sort_by_key(|relocation| relocation.offset);
    let mut entries = function.entries.iter().map(|&entry| start(entry)).collect::<Option<Vec<_>>>()?;
    entries.extend(layout.nops_apart(fragments));
    // Blocks that were added are entries too, unless control falls through to them.
    entries.extend(layout.new_blocks(fragments));
    // The last block may be empty now.
    let code_end = layout.end_of_code(fragments);
    entries.retain(|&entry| entry < code_end);
    entries.sort_unstable();
    entries.dedup();
    let rows = match unwind {
        UnwindSource::None => None,
        UnwindSource::Rewritten(rows) => {
            let row =
                |&(fragment, row): &(usize, FrameRow)| (layout.starts[fragment] + layout.sizes[fragment], row);
            Some(FrameRows { length: layout.size, rows: rows.iter().map(row).collect() })
        }
        UnwindSource::Original(mut rows) => {
            rows.length = layout.size;
            for (offset, _) in &mut rows.rows {
                *offset = end(*offset)?;
            }
            if !rows.rows.is_sorted_by_key(|&(offset, _)| offset) {
                return None;
            }
            Some(rows)
        }
    };
    Some(MovedReferences { relocations, entries, unwind: rows.map(Unwind::Rows) })
}
