//! How the code of a function is laid out, once Cranelift has written it (x86-64).
//!
//! Cranelift writes branches of 6 bytes, constants of 4, and aligns no loop. In: a compiled function, the starts of its
//! blocks, and the ways between them. Out: the same instructions, as short as they can be, its loops where the processor
//! reads them fastest.
//!
//! | step | file |
//! |---|---|
//! | the code, read back: instructions, jump tables, constants | `items.rs` |
//! | shorter encodings of one instruction | `shorten.rs` |
//! | bytes of `nop` before inner loops | `align.rs` |
//! | where everything lies, and how long branches are | `place.rs` |
//!
//! The rule: what moves is what refers to it: branches, addresses relative to the instruction, jump tables, relocations,
//! locations, entries, unwind information. An instruction that is not understood, or a reference into the middle of one,
//! leaves the function as it was. Instructions that relocations are in keep their bytes.
//!
//! Measured over 54 programs: 0.89 of the code, in the same time; `fib` and `coremix`, whose branches lie close together then,
//! take 1.12 and 1.06 times as long, `json` and `lcs` 0.85. Tried, and not kept: long branches where three would lie in 16
//! bytes (`fib` as before, `lcs` 1.3 times as long).
//!
//! Time is linear in the size of the code, but for the search of what is referred to, which is `log n` each.

mod align;
mod items;
mod place;
mod shorten;

use cranelift_codegen::binemit::CodeOffset;
use cranelift_codegen::isa::TargetIsa;

use super::{CompiledFunction, Unwind};
use crate::config::{Pass, Passes};
use items::{Item, Kind};
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
pub(super) fn run(
    function: &mut CompiledFunction,
    starts: &[CodeOffset],
    ways: &[(CodeOffset, CodeOffset)],
    isa: &dyn TargetIsa,
    passes: Passes,
) {
    let rows = match &function.unwind {
        None => None,
        Some(unwind) => match unwind.rows(isa) {
            Some(rows) => Some(rows),
            // A form that says where instructions end in its own way.
            None => return,
        },
    };
    let shortens = passes.contains(Pass::Short);
    let Some(items) = items::read(function, shortens) else { return };
    let loops = if passes.contains(Pass::Align) { align::loops(&items, starts, ways) } else { Vec::new() };
    let placed = Placed::new(&items, &loops, function.align as CodeOffset, shortens);
    let Some(code) = written(function, &items, &placed) else { return };
    if apply(function, &items, &placed, rows).is_some() {
        function.code = code;
        if !loops.is_empty() {
            function.align = function.align.max(u64::from(LINE));
        }
    }
}

/// The bytes; none if something refers to where nothing starts.
fn written(function: &CompiledFunction, items: &[Item], placed: &Placed) -> Option<Vec<u8>> {
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
fn apply(
    function: &mut CompiledFunction,
    items: &[Item],
    placed: &Placed,
    rows: Option<super::unwind::FrameRows>,
) -> Option<()> {
    let start = |offset: CodeOffset| placed.at(items, offset);
    let end = |offset: CodeOffset| placed.end(items, offset);
    let mut relocations = function.relocations.clone();
    for relocation in &mut relocations {
        relocation.offset = placed.inside(items, relocation.offset)?;
    }
    let mut entries = function.entries.iter().map(|&entry| start(entry)).collect::<Option<Vec<_>>>()?;
    entries.extend(placed.nops_apart(items));
    entries.sort_unstable();
    let mut locations = function.locations.clone();
    for range in &mut locations {
        (range.start, range.end) = (start(range.start)?, end(range.end)?);
    }
    let rows = match rows {
        None => None,
        Some(mut rows) => {
            rows.length = placed.size;
            for (offset, _) in &mut rows.rows {
                *offset = end(*offset)?;
            }
            Some(rows)
        }
    };
    function.unwind = rows.map(Unwind::Rows);
    (function.relocations, function.entries, function.locations) = (relocations, entries, locations);
    Some(())
}

#[cfg(test)]
mod tests {
    use cranelift_codegen::binemit::Reloc;
    use cranelift_module::{FuncId, ModuleReloc, ModuleRelocTarget};

    use super::*;
    use crate::compile::{CodeRange, NativeFrame};

    /// Code whose blocks start at these places.
    fn function(code: Vec<u8>, entries: &[u32]) -> CompiledFunction {
        CompiledFunction {
            id: FuncId::from_u32(0),
            function: None,
            code,
            align: 16,
            relocations: Vec::new(),
            unwind: None,
            locations: Vec::new(),
            entries: entries.to_vec(),
            frame: NativeFrame::default(),
            optimised: None,
        }
    }

    fn laid_out(mut function: CompiledFunction, ways: &[(u32, u32)], passes: &[Pass]) -> CompiledFunction {
        let isa = cranelift_codegen::isa::lookup_by_name("x86_64-linux").unwrap();
        let isa =
            isa.finish(cranelift_codegen::settings::Flags::new(cranelift_codegen::settings::builder())).unwrap();
        let passes = passes.iter().fold(Passes::NONE, |passes, &pass| passes.with(pass));
        let starts = function.entries.clone();
        run(&mut function, &starts, ways, &*isa, passes);
        function
    }

    fn short(code: Vec<u8>, entries: &[u32]) -> Vec<u8> {
        laid_out(function(code, entries), &[], &[Pass::Short]).code
    }

    fn join(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    #[test]
    fn branches_are_short_where_they_reach() {
        let nops = |count| vec![0x90; count];
        // Forward: a jump over so many bytes.
        let forward = |count: usize| {
            let distance = (count as u32).to_le_bytes();
            short(join(&[&[0xe9], &distance, &nops(count), &[0xc3]]), &[0, 5, 5 + count as u32])
        };
        assert_eq!(forward(127), join(&[&[0xeb, 127], &nops(127), &[0xc3]]));
        assert_eq!(forward(128), join(&[&[0xe9, 128, 0, 0, 0], &nops(128), &[0xc3]]));
        // Backward: `jne` at the end of so many bytes.
        let backward = |count: usize| {
            let distance = (-(count as i32) - 6).to_le_bytes();
            short(join(&[&nops(count), &[0x0f, 0x85], &distance, &[0xc3]]), &[0])
        };
        assert_eq!(backward(126), join(&[&nops(126), &[0x75, 0x80, 0xc3]]));
        assert_eq!(backward(127), join(&[&nops(127), &[0x0f, 0x85, 0x7b, 0xff, 0xff, 0xff, 0xc3]]));
    }

    #[test]
    fn a_branch_that_grows_makes_others_grow() {
        // The first jumps over 124 bytes and the second, which goes over 128.
        let code = join(&[&[0xe9, 129, 0, 0, 0], &[0x90; 124], &[0xe9, 128, 0, 0, 0], &[0x90; 128], &[0xc3]]);
        // 124 and 2 are not more than 127, but 124 and 5 are.
        let made = short(code.clone(), &[0, 5, 134, 262]);
        assert_eq!(made, code);
        // With a byte less behind the second, both reach.
        let code = join(&[&[0xe9, 129, 0, 0, 0], &[0x90; 124], &[0xe9, 127, 0, 0, 0], &[0x90; 127], &[0xc3]]);
        let made = short(code, &[0, 5, 134, 261]);
        assert_eq!(made, join(&[&[0xeb, 126], &[0x90; 124], &[0xeb, 127], &[0x90; 127], &[0xc3]]));
    }

    #[test]
    fn jump_tables_and_constants_move() {
        let code = join(&[
            &[0x48, 0x8d, 0x05, 12, 0, 0, 0], // 0: lea table(%rip), %rax
            &[0x48, 0x63, 0x0c, 0xb8],        // 7: movslq (%rax, %rdi, 4), %rcx
            &[0x48, 0x81, 0xc1, 0, 0, 0, 0],  // 11: add $0, %rcx
            &[0xff, 0xe0],                    // 18: jmp *%rax, misplaced by one byte before the table
        ]);
        // The table is at 20: the `lea` says 19, which is in the middle of the jump.
        let broken = join(&[&code, &9_i32.to_le_bytes(), &[0xc3, 0xc3]]);
        assert_eq!(short(broken.clone(), &[0, 24, 25]), broken);
        let mut code = code;
        code[3] = 13;
        let code = join(&[
            &code,
            &8_i32.to_le_bytes(),
            &17_i32.to_le_bytes(),                  // 20: the table, of blocks at 28 and 37
            &[0xf2, 0x0f, 0x10, 0x05, 12, 0, 0, 0], // 28: movsd constant(%rip), %xmm0
            &[0xc3],                                // 36
            &[0xe9, 0xf2, 0xff, 0xff, 0xff],        // 37: jmp 28
            &[0; 6],
            &[1, 2, 3, 4, 5, 6, 7, 8], // 48
        ]);
        let expected = join(&[
            &[0x48, 0x8d, 0x05, 10, 0, 0, 0],
            &[0x48, 0x63, 0x0c, 0xb8],
            &[0x48, 0x83, 0xc1, 0],
            &[0xff, 0xe0],
            &8_i32.to_le_bytes(),
            &17_i32.to_le_bytes(),
            &[0xf2, 0x0f, 0x10, 0x05, 15, 0, 0, 0],
            &[0xc3],
            &[0xeb, 0xf5],
            &[0; 12],
            &[1, 2, 3, 4, 5, 6, 7, 8],
        ]);
        assert_eq!(short(code, &[0, 28, 37]), expected);
    }

    #[test]
    fn what_refers_to_the_code_moves_with_it() {
        let code = join(&[
            &[0x48, 0x81, 0xc7, 1, 0, 0, 0], // 0: add $1, %rdi
            &[0xe8, 0, 0, 0, 0],             // 7: call
            &[0xe9, 0, 0, 0, 0],             // 12: jmp 17
            &[0xc3],
        ]);
        let mut before = function(code, &[0, 17]);
        before.relocations = vec![ModuleReloc {
            offset: 8,
            kind: Reloc::X86CallPCRel4,
            name: ModuleRelocTarget::user(0, 1),
            addend: -4,
        }];
        before.locations =
            vec![CodeRange { start: 0, end: 7, offset: 0 }, CodeRange { start: 12, end: 18, offset: 8 }];
        let after = laid_out(before, &[], &[Pass::Short]);
        assert_eq!(after.code, [0x48, 0x83, 0xc7, 1, 0xe8, 0, 0, 0, 0, 0xeb, 0, 0xc3]);
        assert_eq!(after.relocations[0].offset, 5);
        assert_eq!(after.entries, [0, 11]);
        let locations: Vec<_> = after.locations.iter().map(|range| (range.start, range.end)).collect();
        assert_eq!(locations, [(0, 4), (9, 12)]);
    }

    #[test]
    fn inner_loops_lie_in_one_line() {
        // A loop of 9 bytes at 60.
        let code = join(&[&[0x90; 60], &[0x48, 0xff, 0xcf], &[0x0f, 0x85, 0xf7, 0xff, 0xff, 0xff], &[0xc3]]);
        let made = laid_out(function(code.clone(), &[0, 60, 69]), &[(60, 60), (60, 69)], &[Pass::Align]);
        assert_eq!(made.align, 64);
        assert_eq!(made.code, join(&[&code[..60], &[0x0f, 0x1f, 0x40, 0x00], &code[60..]]));
        // In the middle of a line it stays.
        let made = laid_out(function(code[20..].to_vec(), &[0, 40, 49]), &[(40, 40), (40, 49)], &[Pass::Align]);
        assert_eq!(made.code, code[20..]);
    }
}
