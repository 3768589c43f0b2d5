//! Loops that go back by their own test, and those that cannot.

use super::{check, function, join, run_steps};
use crate::codegen::compiled::CompiledFunction;
use crate::config::Pass;

const NEXT: &[u8] = &[0x48, 0x8d, 0x4f, 0x01]; // lea 1(%rdi), %rcx
const COMPARE_NEXT: &[u8] = &[0x48, 0x39, 0xf1]; // cmp %rsi, %rcx
const COMPARE_LAST: &[u8] = &[0x48, 0x39, 0xf7]; // cmp %rsi, %rdi
const OUT: &[u8] = &[0x0f, 0x83, 8, 0, 0, 0]; // jae, over a move and a jump
const MOVE: &[u8] = &[0x48, 0x89, 0xcf]; // mov %rcx, %rdi
const BACK: &[u8] = &[0xe9, 0xeb, 0xff, 0xff, 0xff]; // jmp, to the start
const RESULT: &[u8] = &[0x48, 0x89, 0xf0]; // mov %rsi, %rax
const RET: &[u8] = &[0xc3];

fn made(parts: &[&[u8]], entries: &[u32]) -> CompiledFunction {
    run_steps(function(join(parts), entries), &[Pass::LoopRotation, Pass::ShortEncodings])
}

#[test]
fn moves_come_before_the_test() {
    let rotated = made(&[NEXT, COMPARE_NEXT, OUT, MOVE, BACK, RESULT, RET], &[0, 13, 21]);
    check(
        &rotated,
        &[
            " 0: leaq 1(%rdi), %rcx",
            " 4: movq %rcx, %rdi",
            " 7: cmpq %rsi, %rcx",
            "10: jb 0",
            "12: movq %rsi, %rax",
            "15: retq",
        ],
    );
}

#[test]
fn moves_come_behind_a_test_of_what_they_write() {
    let rotated = made(&[NEXT, COMPARE_LAST, OUT, MOVE, BACK, RESULT, RET], &[0, 13, 21]);
    check(
        &rotated,
        &[
            " 0: leaq 1(%rdi), %rcx",
            " 4: cmpq %rsi, %rdi",
            " 7: movq %rcx, %rdi",
            "10: jb 0",
            "12: movq %rsi, %rax",
            "15: retq",
        ],
    );
}

#[test]
fn copies_that_undo_each_other_go() {
    // The next iteration starts with `mov %rdi, %rcx`, and then writes %rdi.
    let copy: &[u8] = &[0x48, 0x89, 0xf9];
    let write: &[u8] = &[0x48, 0x8d, 0x79, 0x01]; // lea 1(%rcx), %rdi
    let back: &[u8] = &[0xe9, 0xe8, 0xff, 0xff, 0xff];
    let rotated = made(&[copy, write, COMPARE_NEXT, OUT, MOVE, back, RESULT, RET], &[0, 16, 24]);
    check(
        &rotated,
        &[
            " 0: movq %rdi, %rcx",
            " 3: leaq 1(%rcx), %rdi",
            " 7: cmpq %rsi, %rcx",
            "10: jb 3",
            "12: movq %rsi, %rax",
            "15: retq",
        ],
    );
    // What it reads is not what was copied: mov %rdi, %rdx.
    let other: &[u8] = &[0x48, 0x89, 0xfa];
    let rotated = made(&[other, write, COMPARE_NEXT, OUT, MOVE, back, RESULT, RET], &[0, 16, 24]);
    check(
        &rotated,
        &[
            " 0: movq %rdi, %rdx",
            " 3: leaq 1(%rcx), %rdi",
            " 7: movq %rcx, %rdi",
            "10: cmpq %rsi, %rcx",
            "13: jb 0",
            "15: movq %rsi, %rax",
            "18: retq",
        ],
    );
}

#[test]
fn what_is_read_behind_the_loop_is_not_written_before_its_end() {
    let stays = |parts: &[&[u8]], entries: &[u32]| {
        let code = run_steps(function(join(parts), entries), &[Pass::ShortEncodings]);
        assert_eq!(made(parts, entries).code, code.code);
    };
    let start: &[&[u8]] = &[NEXT, COMPARE_NEXT, OUT, MOVE, BACK];
    let ends: &[&[&[u8]]] = &[
        &[&[0x48, 0x89, 0xf8], RET],       // mov %rdi, %rax
        &[&[0x40, 0x0f, 0x97, 0xc7], RET], // seta %dil: a part of it
        &[&[0x48, 0x0f, 0x44, 0xf8], RET], // cmove %rax, %rdi
        &[&[0xff, 0xd0], RET],             // call *%rax: an argument
        &[&[0xff, 0xe0]],                  // jmp *%rax
        &[&[0xf3, 0x48, 0xab], RET],       // rep stos: not named
        &[&[0xeb, 0x00], &[0x48, 0x89, 0xf8], RET],
    ];
    for &end in ends {
        stays(&[start, end].concat(), &[0, 13, 21]);
    }
    // Something leads to the jump alone.
    let jump: &[u8] = &[0xeb, 0xf6];
    stays(&[start, &[RESULT, jump, RET]].concat(), &[0, 13, 16, 21, 26]);
}

#[test]
fn what_is_left_of_a_block_may_be_nothing() {
    // The block of the move and the jump, which both go, is where a loop would lie.
    let code = join(&[NEXT, COMPARE_NEXT, OUT, MOVE, BACK, RESULT, RET]);
    let rotated =
        run_steps(function(code, &[0, 13, 21]), &[Pass::LoopRotation, Pass::ShortEncodings, Pass::LoopAlignment]);
    assert_eq!(rotated.code.len(), 16);
}
