//! The steps over small functions, byte by byte.

mod block_placement;
mod cleared_conditions;
mod frames;
mod jump_table_bounds;
mod loop_rotation;
mod reading;
mod spills;

use std::fmt::Write;

use cranelift_codegen::binemit::Reloc;
use cranelift_module::{FuncId, ModuleReloc, ModuleRelocTarget};

use super::*;
use crate::codegen::compiled::{CodeRange, NativeFrame, StepOutcome};
use crate::compare::disasm::{Disassembler, Shape};
use crate::config::Pass;

/// A function whose blocks start at these offsets.
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
        keeping: Vec::new(),
        steps: StepOutcome::default(),
    }
}

fn run_steps(function: CompiledFunction, passes: &[Pass]) -> CompiledFunction {
    let end = function.code.len() as u32;
    run_to(function, end, passes)
}

/// Of a function whose instructions end there.
fn run_to(mut function: CompiledFunction, end: u32, passes: &[Pass]) -> CompiledFunction {
    let passes = passes.iter().fold(Passes::NONE, |passes, &pass| passes.with(pass));
    run(&mut function, end, &*isa(), Steps { passes, ..Steps::default() });
    function
}

fn isa() -> cranelift_codegen::isa::OwnedTargetIsa {
    let isa = cranelift_codegen::isa::lookup_by_name("x86_64-linux").unwrap();
    isa.finish(cranelift_codegen::settings::Flags::new(cranelift_codegen::settings::builder())).unwrap()
}

fn short(code: Vec<u8>, entries: &[u32]) -> Vec<u8> {
    run_steps(function(code, entries), &[Pass::ShortEncodings]).code
}

/// Its instructions, with their offsets.
fn text(function: &CompiledFunction) -> String {
    let disassembler = Disassembler::new(&"x86_64".parse().unwrap()).unwrap();
    let mut text = String::new();
    for instruction in disassembler.function(&function.code, Shape::Entries(&function.entries)) {
        writeln!(text, "{:2}: {}", instruction.offset, instruction.text).unwrap();
    }
    text
}

fn check(function: &CompiledFunction, expected: &[&str]) {
    assert_eq!(text(function).lines().collect::<Vec<_>>(), expected);
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
    assert_eq!(run_to(function(code, &[0, 28, 37]), 42, &[Pass::ShortEncodings]).code, expected);
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
    before.locations = vec![CodeRange { start: 0, end: 7, offset: 0 }, CodeRange { start: 12, end: 18, offset: 8 }];
    let after = run_steps(before, &[Pass::ShortEncodings]);
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
    let made = run_steps(function(code.clone(), &[0, 60, 69]), &[Pass::LoopAlignment]);
    assert_eq!(made.align, 64);
    assert_eq!(made.code, join(&[&code[..60], &[0x0f, 0x1f, 0x40, 0x00], &code[60..]]));
    // In the middle of a line it stays.
    let made = run_steps(function(code[20..].to_vec(), &[0, 40, 49]), &[Pass::LoopAlignment]);
    assert_eq!(made.code, code[20..]);
}
