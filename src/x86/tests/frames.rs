//! Prologues and epilogues: what is rewritten, unwind rows, and what is left alone.

use super::{check, function, join, run_steps, text};
use crate::codegen::compiled::CompiledFunction;
use crate::codegen::unwind::{FrameRow, FrameRows, Unwind};
use crate::config::Pass;

const ENTER: &[u8] = &[0x55, 0x48, 0x89, 0xe5];
const LEAVE: &[u8] = &[0x48, 0x89, 0xec, 0x5d];
const RET: &[u8] = &[0xc3];
const TAKE_16: &[u8] = &[0x48, 0x83, 0xec, 0x10];
const GIVE_16: &[u8] = &[0x48, 0x83, 0xc4, 0x10];
const SAVE_RBX: &[u8] = &[0x48, 0x89, 0x1c, 0x24];
const LOAD_RBX: &[u8] = &[0x48, 0x8b, 0x1c, 0x24];
const SAVE_R12: &[u8] = &[0x4c, 0x89, 0x64, 0x24, 0x08];
const LOAD_R12: &[u8] = &[0x4c, 0x8b, 0x64, 0x24, 0x08];
const CALL: &[u8] = &[0xff, 0xd0];
const RBX_IS_RDI: &[u8] = &[0x48, 0x89, 0xfb];
const RAX_IS_RBX: &[u8] = &[0x48, 0x89, 0xd8];
const RAX_IS_1: &[u8] = &[0xb8, 1, 0, 0, 0];
const TEST_RDI: &[u8] = &[0x48, 0x85, 0xff];

/// A frame with a slot for each register.
const SAVES: &[&[u8]] = &[ENTER, TAKE_16, SAVE_RBX];
const RETURNS: &[&[u8]] = &[LOAD_RBX, GIVE_16, LEAVE, RET];

fn made(parts: &[&[&[u8]]], entries: &[u32]) -> CompiledFunction {
    let mut before = function(join(&parts.concat()), entries);
    // It has unwind information, as every function has that is emitted.
    before.unwind = Some(Unwind::Rows(FrameRows { length: before.code.len() as u32, rows: Vec::new() }));
    run_steps(before, &[Pass::Prologues, Pass::ShortEncodings])
}

fn rows(function: &CompiledFunction) -> &[(u32, FrameRow)] {
    match &function.unwind {
        Some(Unwind::Rows(rows)) => &rows.rows,
        _ => panic!("there are no rows"),
    }
}

/// Nothing in the function changes but the sizes of branches.
fn stays(parts: &[&[&[u8]]]) {
    let code = join(&parts.concat());
    assert_eq!(made(parts, &[0]).code, code);
}

#[test]
fn a_function_that_saves_nothing_has_no_frame() {
    let leaf = made(&[&[ENTER, RAX_IS_1, LEAVE, RET]], &[0]);
    check(&leaf, &[" 0: movl $1, %eax", " 5: retq"]);
    assert_eq!(rows(&leaf), []);
    assert_eq!(leaf.frame.size, 8);
    // The stack is aligned for calls.
    let calls = made(&[&[ENTER, CALL, LEAVE, RET]], &[0]);
    check(&calls, &[" 0: pushq %rax", " 1: callq *%rax", " 3: popq %rcx", " 4: retq"]);
    assert_eq!(rows(&calls)[0], (1, FrameRow::CfaOffset(16)));
    assert_eq!(calls.frame.size, 16);
}

#[test]
fn saved_registers_are_pushed() {
    let saves = made(
        &[&[ENTER, TAKE_16, SAVE_RBX, SAVE_R12, RBX_IS_RDI, CALL, LOAD_RBX, LOAD_R12, GIVE_16, LEAVE, RET]],
        &[0],
    );
    check(
        &saves,
        &[
            " 0: pushq %rbx",
            " 1: pushq %r12",
            " 3: pushq %rax",
            " 4: movq %rdi, %rbx",
            " 7: callq *%rax",
            " 9: popq %rcx",
            "10: popq %r12",
            "12: popq %rbx",
            "13: retq",
        ],
    );
    use FrameRow::{CfaOffset, Offset, RememberState};
    assert_eq!(
        rows(&saves),
        [
            (1, CfaOffset(16)),
            (1, Offset(3, -16)),
            (3, CfaOffset(24)),
            (3, Offset(12, -24)),
            (4, CfaOffset(32)),
            (10, RememberState),
            (10, CfaOffset(24)),
            (12, CfaOffset(16)),
            (13, CfaOffset(8)),
        ]
    );
    assert_eq!(saves.frame.size, 32);
}

#[test]
fn slots_stay_where_they_are_and_aligned() {
    // sub $32, %rsp; mov %rbx, 16(%rsp) ..; mov %rdi, 8(%rsp)
    let take: &[u8] = &[0x48, 0x83, 0xec, 0x20];
    let give: &[u8] = &[0x48, 0x83, 0xc4, 0x20];
    let save: &[u8] = &[0x48, 0x89, 0x5c, 0x24, 0x10];
    let load: &[u8] = &[0x48, 0x8b, 0x5c, 0x24, 0x10];
    let slot: &[u8] = &[0x48, 0x89, 0x7c, 0x24, 0x08];
    let slots = made(&[&[ENTER, take, save, slot, RBX_IS_RDI, load, give, LEAVE, RET]], &[0]);
    check(
        &slots,
        &[
            " 0: pushq %rbx",
            " 1: subq $0x10, %rsp",
            " 5: movq %rdi, 8(%rsp)",
            "10: movq %rdi, %rbx",
            "13: addq $0x10, %rsp",
            "17: popq %rbx",
            "18: retq",
        ],
    );
    assert_eq!(slots.frame.size, 32);
    // lea 16(%rsp), %rax: the end of the slots.
    let end: &[u8] = &[0x48, 0x8d, 0x44, 0x24, 0x10];
    let ends = made(&[&[ENTER, TAKE_16, end, GIVE_16, LEAVE, RET]], &[0]);
    check(&ends, &[" 0: subq $0x18, %rsp", " 4: leaq 0x10(%rsp), %rax", " 9: addq $0x18, %rsp", "13: retq"]);
}

#[test]
fn frames_that_are_not_understood_stay() {
    let names_it: &[u8] = &[0x48, 0x8b, 0x45, 0x10]; // mov 16(%rbp), %rax
    stays(&[&[ENTER, names_it, LEAVE, RET]]);
    let moves_it: &[u8] = &[0x48, 0x29, 0xc4]; // sub %rax, %rsp
    stays(&[&[ENTER, moves_it, LEAVE, RET]]);
    stays(&[&[ENTER, TAKE_16, &[0x50], GIVE_16, LEAVE, RET]]); // push %rax
    let above: &[u8] = &[0x48, 0x8b, 0x44, 0x24, 0x10]; // mov 16(%rsp), %rax
    stays(&[&[ENTER, TAKE_16, above, GIVE_16, LEAVE, RET]]);
    let far: &[u8] = &[0x48, 0x8d, 0x44, 0x24, 0x11]; // lea 17(%rsp), %rax
    stays(&[&[ENTER, TAKE_16, far, GIVE_16, LEAVE, RET]]);
    let saved: &[u8] = &[0x48, 0x8b, 0x04, 0x24]; // mov (%rsp), %rax, where %rbx is saved
    stays(&[SAVES, &[saved], RETURNS]);
    let by_an_index: &[u8] = &[0x48, 0x8b, 0x44, 0x04, 0x10]; // mov 16(%rsp, %rax), %rax
    stays(&[&[ENTER, TAKE_16, by_an_index, GIVE_16, LEAVE, RET]]);
    // An epilogue that leaves something out, or gives back another size.
    stays(&[SAVES, &[GIVE_16, LEAVE, RET]]);
    stays(&[SAVES, &[LOAD_RBX, &[0x48, 0x83, 0xc4, 0x20], LEAVE, RET]]);
    stays(&[&[ENTER, TAKE_16, RET]]);
    stays(&[&[TAKE_16, GIVE_16, RET]]);
}

#[test]
fn early_exits_need_no_frame() {
    // test %rdi, %rdi; je 30: an exit that is also fallen through to.
    let jump: &[u8] = &[0x0f, 0x84, 8, 0, 0, 0];
    let body: &[&[u8]] = &[RAX_IS_1, TEST_RDI, jump, RBX_IS_RDI, CALL, RAX_IS_RBX, RAX_IS_1];
    let early = made(&[SAVES, body, RETURNS], &[0, 26, 34]);
    check(
        &early,
        &[
            " 0: movl $1, %eax",
            " 5: testq %rdi, %rdi",
            " 8: je 0x1a",
            "10: pushq %rbx",
            "11: movq %rdi, %rbx",
            "14: callq *%rax",
            "16: movq %rbx, %rax",
            "19: movl $1, %eax",
            "24: popq %rbx",
            "25: retq",
            "26: movl $1, %eax",
            "31: retq",
        ],
    );
}

#[test]
fn early_exits_that_were_fallen_through_to_are_branched_to() {
    // mov %rdi, %rbx; xor %r12, %r12; test %rdi, %rdi; jne over an exit.
    let zero: &[u8] = &[0x4d, 0x33, 0xe4];
    let jump: &[u8] = &[0x0f, 0x85, 10, 0, 0, 0];
    let out: &[u8] = &[0xe9, 5, 0, 0, 0];
    let saves: &[&[u8]] = &[ENTER, TAKE_16, SAVE_RBX, SAVE_R12];
    let body: &[&[u8]] = &[RBX_IS_RDI, zero, TEST_RDI, jump, RAX_IS_1, out, CALL, RAX_IS_RBX];
    let returns: &[&[u8]] = &[LOAD_RBX, LOAD_R12, GIVE_16, LEAVE, RET];
    let early = made(&[saves, body, returns], &[0, 32, 42, 47]);
    check(
        &early,
        &[
            " 0: testq %rdi, %rdi",
            " 3: je 0x1c",
            " 5: pushq %rbx",
            " 6: pushq %r12",
            " 8: pushq %rax",
            " 9: movq %rdi, %rbx",
            // With no flags.
            "12: movl $0, %r12d",
            "18: callq *%rax",
            "20: movq %rbx, %rax",
            "23: popq %rcx",
            "24: popq %r12",
            "26: popq %rbx",
            "27: retq",
            "28: movl $1, %eax",
            "33: retq",
        ],
    );
}

#[test]
fn prologues_stay_before_what_needs_them() {
    let starts_with_a_push = |before: &[&[u8]], distance: u8, entries: &[u32]| {
        let jump: &[u8] = &[0x0f, 0x84, distance, 0, 0, 0];
        let body: &[&[u8]] = &[jump, RBX_IS_RDI, CALL, RAX_IS_RBX];
        let made = made(&[SAVES, before, body, RETURNS], entries);
        assert!(text(&made).starts_with(" 0: pushq %rbx"), "{}", text(&made));
    };
    // Another branch leads behind the start, with a frame.
    let back = |to: u8| -> Vec<u8> { vec![0x0f, 0x85, to, 0xff, 0xff, 0xff] };
    let loops = made(
        &[
            SAVES,
            &[TEST_RDI, &[0x0f, 0x84, 17, 0, 0, 0], RBX_IS_RDI, CALL, TEST_RDI, &back(0xe9), RAX_IS_RBX],
            RETURNS,
        ],
        &[0, 12, 21, 35],
    );
    assert!(text(&loops).starts_with(" 0: pushq %rbx"), "{}", text(&loops));
    // A deferred move would read another value: mov %rdi, %rbx; mov $1, %edi.
    starts_with_a_push(&[RBX_IS_RDI, &[0xbf, 1, 0, 0, 0], TEST_RDI], 8, &[0, 29, 37]);
    // The branch would read its flags: xor %rbx, %rbx; je.
    starts_with_a_push(&[TEST_RDI, &[0x48, 0x33, 0xdb]], 8, &[0, 24, 32]);
    // The same with an instruction in between that keeps them: movzbl %sil, %eax; sete %al; cmove %rdi, %rax.
    for between in [&[0x40, 0x0f, 0xb6, 0xc6][..], &[0x0f, 0x94, 0xc0], &[0x48, 0x0f, 0x44, 0xc7]] {
        let jump = 24 + between.len() as u32;
        starts_with_a_push(&[TEST_RDI, &[0x48, 0x33, 0xdb], between], 8, &[0, jump, jump + 8]);
    }
    // It is no move: a load.
    starts_with_a_push(&[&[0x48, 0x8b, 0x1f], TEST_RDI], 8, &[0, 24, 32]);
    // It is a part of the register: mov %dil, %bl.
    starts_with_a_push(&[&[0x40, 0x88, 0xfb], TEST_RDI], 8, &[0, 24, 32]);
    // The exit reads a callee-saved register.
    starts_with_a_push(&[TEST_RDI], 5, &[0, 21, 26]);
}

/// One path moves a constant that is there already, to a return that others reach without that move.
#[test]
fn a_move_of_what_is_there_already_differs_in_nothing() {
    const JNE: [u8; 2] = [0x0f, 0x85];
    const TEST_RSI: &[u8] = &[0x48, 0x85, 0xf6];
    let to_return: &[u8] = &[&JNE[..], &[21, 0, 0, 0]].concat();
    let to_call: &[u8] = &[&JNE[..], &[10, 0, 0, 0]].concat();
    let jump: &[u8] = &[0xe9, 2, 0, 0, 0];
    let parts: [&[&[u8]]; 2] =
        [&[ENTER, RAX_IS_1, TEST_RDI, to_return, TEST_RSI, to_call, RAX_IS_1, jump, CALL], &[LEAVE, RET]];
    assert!(made(&parts, &[0]).code.starts_with(RAX_IS_1));
}
