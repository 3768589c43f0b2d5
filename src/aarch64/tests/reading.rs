//! What refers to the code, and what is not understood.

use cranelift_codegen::binemit::Reloc;
use cranelift_module::{ModuleReloc, ModuleRelocTarget};

use super::{CodeRange, Pass, RET, function, run_to};
use crate::codegen::compiled::GivenUp;

/// Jump over a table of two entries; both blocks extend what is extended.
const SWITCH: [u32; 11] = [
    0x1100_0401, // 0: add w1, w0, #1
    0x2a01_03e1, // 1: mov w1, w1
    0x1000_0082, // 2: adr x2, table
    0xb8a1_5843, // 3: ldrsw x3, [x2, w1, uxtw #2]
    0x8b03_0042, // 4: add x2, x2, x3
    0xd61f_0040, // 5: br x2
    8,           // 6: the table, of blocks at 8 and 9
    12,
    RET,         // 8
    0x2a01_03e1, // 9: mov w1, w1
    RET,
];

#[test]
fn jump_tables_move() {
    let made = run_to(function(&SWITCH, &[0, 8, 9]), 11, &[Pass::CopyPropagation]);
    assert_eq!(made.steps.given_up, None);
    let words: Vec<u32> = made.code.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect();
    let mut expected = SWITCH.to_vec();
    expected.remove(9);
    expected.remove(1);
    assert_eq!(words, expected);
    assert_eq!(made.entries, [0, 28, 32]);
}

#[test]
fn what_refers_to_the_code_moves_with_it() {
    // add w1, w0, #1; mov w1, w1; bl; ldr x0, constant; ret; a constant
    let words = [0x1100_0401, 0x2a01_03e1, 0x9400_0000, 0x5800_0060, RET, 0, 0x1234, 0x5678];
    let mut before = function(&words, &[0]);
    before.align = 8;
    let name = ModuleRelocTarget::user(0, 1);
    before.relocations = vec![ModuleReloc { offset: 8, kind: Reloc::Arm64Call, name, addend: 0 }];
    before.locations = vec![CodeRange { start: 0, end: 8, offset: 0 }, CodeRange { start: 8, end: 20, offset: 8 }];
    let made = run_to(before, 5, &[Pass::CopyPropagation]);
    let words: Vec<u32> = made.code.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect();
    // The constant is aligned as it was.
    assert_eq!(words, [0x1100_0401, 0x9400_0000, 0x5800_0080, RET, 0, 0, 0x1234, 0x5678][..words.len()]);
    assert_eq!(made.relocations[0].offset, 4);
    let locations: Vec<_> = made.locations.iter().map(|range| (range.start, range.end, range.offset)).collect();
    assert_eq!(locations, [(0, 4, 0), (4, 16, 8)]);
}

#[test]
fn what_is_not_understood_stays() {
    // A word behind a return that no block starts at.
    let words = [RET, 0xffff_ffff, RET];
    let made = run_to(function(&words, &[0, 2]), 3, &[Pass::CopyPropagation]);
    assert_eq!(made.steps.given_up, Some(GivenUp::Unaccounted));
    // A branch into the middle of nowhere.
    let made = run_to(function(&[0x1400_0010, RET], &[0, 1]), 2, &[Pass::CopyPropagation]);
    assert_eq!(made.steps.given_up, Some(GivenUp::Reference));
}
