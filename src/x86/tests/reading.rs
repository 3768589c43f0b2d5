//! What is code, what is data, and that a difference is found.

use cranelift_codegen::isa::TargetIsa;

use super::{function, isa, join, run_to};
use crate::codegen::compiled::{CompiledFunction, GivenUp};
use crate::config::Pass;
use crate::x86::check::{Checker, Followed, Mismatch};
use crate::x86::code::{read, write};
use crate::x86::steps::short_encodings;

/// test %rdi, %rdi; jne 15; xor constant(%rip), %rax; ret; add $1, %eax; movsd the next constant(%rip), %xmm0; ret; padding;
/// `ret`s and branches as constants.
fn constants() -> (CompiledFunction, u32) {
    let code = join(&[
        &[0x48, 0x85, 0xff],                      //  0
        &[0x0f, 0x85, 8, 0, 0, 0],                //  3
        &[0x48, 0x33, 0x05, 0x20, 0, 0, 0],       //  9: 48
        &[0xc3],                                  // 16
        &[0x81, 0xc0, 1, 0, 0, 0],                // 17
        &[0xf2, 0x0f, 0x10, 0x05, 25, 0, 0, 0],   // 23: 56
        &[0xc3],                                  // 31
        &[0; 16],                                 // 32
        &[0xc3, 0xc3, 0x70, 0xfe, 0xc3, 0, 0, 0], // 48
        &[0xeb, 0x02, 0xe9, 0, 0, 0, 0, 0xc3],    // 56
    ]);
    (function(code, &[0, 17]), 32)
}

fn reason(function: &CompiledFunction, end: u32) -> Option<GivenUp> {
    read::read(function, end).err()
}

#[test]
fn constants_stay_whatever_their_bytes_are() {
    let (before, end) = constants();
    let passes = [
        Pass::JumpTableBounds,
        Pass::LoopRotation,
        Pass::BlockPlacement,
        Pass::ShortEncodings,
        Pass::LoopAlignment,
    ];
    let made = run_to(before.clone(), end, &passes);
    assert_eq!(made.steps.given_up, None);
    assert!(made.steps.changed.contains(Pass::ShortEncodings));
    assert!(made.code.len() < before.code.len());
    assert_eq!(made.code[made.code.len() - 16..], before.code[48..]);
}

#[test]
fn each_byte_is_accounted_for() {
    let (before, end) = constants();
    assert_eq!(reason(&before, end), None);
    let with = |at: usize, bytes: &[u8]| {
        let mut function = before.clone();
        function.code[at..at + bytes.len()].copy_from_slice(bytes);
        function
    };
    // Padding that is none; a branch into it; a constant that begins in the code, or ends behind all bytes.
    assert_eq!(reason(&with(35, &[1]), end), Some(GivenUp::Constants));
    assert_eq!(reason(&with(5, &[23]), end), Some(GivenUp::Reference));
    assert_eq!(reason(&with(27, &[0xf2, 0xff, 0xff, 0xff]), end), Some(GivenUp::Reference));
    assert_eq!(reason(&with(27, &[26, 0, 0, 0]), end), Some(GivenUp::Constants));
    // A block that starts in an instruction, or behind all of them; code that runs into constants, or that ends before them.
    let blocks = |entries: &[u32], end: u32| {
        let mut function = before.clone();
        function.entries = entries.to_vec();
        reason(&function, end)
    };
    assert_eq!(blocks(&[0, 11], end), Some(GivenUp::Instruction));
    assert_eq!(blocks(&[0, 17, 48], end), Some(GivenUp::Unaccounted));
    assert_eq!(blocks(&[0, 17], 31), Some(GivenUp::Unaccounted));
    // What a branch of the same block leads over is code.
    assert_eq!(blocks(&[0], end), None);
    assert_eq!(blocks(&[0, 17], 65), Some(GivenUp::Unaccounted));
}

/// What the check finds in new code with a byte changed.
fn wrong(function: &CompiledFunction, end: u32, at: usize, from: u8, to: u8) -> Result<(), Mismatch> {
    let isa: &dyn TargetIsa = &*isa();
    let mut fragments = read::read(function, end).unwrap();
    let check = Checker::new(function, &fragments, isa);
    short_encodings::run(&mut fragments, &function.code);
    let (mut made, layout) = write::write(function, &fragments, None, &[], isa, true).unwrap();
    check.compare(&made, &fragments, &layout, Followed::default()).unwrap();
    assert_eq!(made.code[at], from, "{:02x?}", made.code);
    made.code[at] = to;
    check.compare(&made, &fragments, &layout, Followed::default())
}

#[test]
fn a_difference_is_found() {
    let (before, end) = constants();
    let is_different = |at: usize, from: u8, to: u8| {
        let found = wrong(&before, end, at, from, to);
        assert!(matches!(found, Err(Mismatch::Different(..) | Mismatch::Unread(_))), "{at}: {found:?}");
    };
    //  0: test; 3: jne 13; 5: xor; 12: ret; 13: add $1, %eax; 16: movsd; 24: ret; 32: constants
    is_different(32, 0xc3, 0x30);
    is_different(47, 0xc3, 0);
    // Another register, condition, target, number, constant.
    is_different(2, 0xff, 0xfe);
    is_different(3, 0x75, 0x72);
    is_different(4, 8, 3);
    is_different(15, 1, 2);
    is_different(8, 20, 28);
    // The opposite condition, with the same successors.
    is_different(3, 0x75, 0x74);
    is_different(7, 0x05, 0x0d);
}

#[test]
fn moves_may_come_elsewhere_but_not_go() {
    // mov $1, %eax; test %rdi, %rdi; je 15; mov $2, %eax; ret
    let code = [0xb8, 1, 0, 0, 0, 0x48, 0x85, 0xff, 0x74, 5, 0xb8, 2, 0, 0, 0, 0xc3];
    let before = function(code.to_vec(), &[0, 15]);
    // What the `ret` reads is another number, or what was in another register.
    assert!(wrong(&before, 16, 1, 1, 3).is_err());
    assert!(wrong(&before, 16, 0, 0xb8, 0xb9).is_err());
    // A register that nothing reads: %ecx.
    let mut code = code;
    (code[0], code[10]) = (0xb9, 0xb9);
    let before = function(code.to_vec(), &[0, 15]);
    assert_eq!(wrong(&before, 16, 1, 1, 3), Ok(()));
}
