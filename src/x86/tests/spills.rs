//! Spills and reloads: which go, what others become, and what the check says of those that are needed.

use super::{function, isa, join, run_steps};
use crate::codegen::compiled::CompiledFunction;
use crate::config::Pass;
use crate::x86::check::{Checker, Followed};
use crate::x86::code::read;
use crate::x86::code::write;

const ENTER: &[u8] = &[0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x20];
const LEAVE: &[u8] = &[0x48, 0x83, 0xc4, 0x20, 0x48, 0x89, 0xec, 0x5d, 0xc3];
const STORE_RDI: &[u8] = &[0x48, 0x89, 0x3c, 0x24];
const LOAD_RDI: &[u8] = &[0x48, 0x8b, 0x3c, 0x24];
const LOAD_RAX: &[u8] = &[0x48, 0x8b, 0x04, 0x24];
const LOAD_RCX: &[u8] = &[0x48, 0x8b, 0x0c, 0x24];
const STORE_RSI_8: &[u8] = &[0x48, 0x89, 0x74, 0x24, 8];
const LOAD_RCX_8: &[u8] = &[0x48, 0x8b, 0x4c, 0x24, 8];
const ADD_RCX_RAX: &[u8] = &[0x48, 0x01, 0xc8];
const CALL: &[u8] = &[0xff, 0xd2];
const NEXT: &[u8] = &[0x48, 0xff, 0xce]; // dec %rsi

fn spilling(parts: &[&[u8]], entries: &[u32]) -> CompiledFunction {
    let mut before = function(join(parts), entries);
    before.frame.spills = 0..0x20;
    before
}

/// The body of what becomes of a function.
fn made(body: &[&[u8]], entries: &[u32], expected: &[&str]) {
    let made =
        run_steps(spilling(&[&[ENTER], body, &[LEAVE]].concat(), entries), &[Pass::Spills, Pass::ShortEncodings]);
    let frame = [" 0: pushq %rbp", " 1: movq %rsp, %rbp", " 4: subq $0x20, %rsp"];
    let text = super::text(&made);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], frame);
    assert_eq!(lines[3..lines.len() - 4], *expected, "{text}");
}

fn stays(body: &[&[u8]], entries: &[u32]) {
    let before = spilling(&[&[ENTER], body, &[LEAVE]].concat(), entries);
    let code = before.code.clone();
    assert_eq!(run_steps(before, &[Pass::Spills]).code, code);
}

#[test]
fn what_a_register_holds_is_not_reloaded() {
    made(
        &[STORE_RDI, LOAD_RAX, CALL, LOAD_RAX],
        &[0],
        &[" 8: movq %rdi, (%rsp)", "12: movq %rdi, %rax", "15: callq *%rdx", "17: movq (%rsp), %rax"],
    );
    // Into the register itself, and a store of what is there.
    made(
        &[STORE_RDI, CALL, LOAD_RDI, LOAD_RDI, STORE_RDI, CALL, LOAD_RAX],
        &[0],
        &[
            " 8: movq %rdi, (%rsp)",
            "12: callq *%rdx",
            "14: movq (%rsp), %rdi",
            "18: callq *%rdx",
            "20: movq (%rsp), %rax",
        ],
    );
}

#[test]
fn what_nothing_reads_goes() {
    // A store that no reload reads, one that another one replaces, a reload that another one replaces.
    made(
        &[STORE_RSI_8, STORE_RDI, &[0x48, 0xff, 0xc7], STORE_RDI, CALL, LOAD_RCX, LOAD_RCX_8, LOAD_RAX],
        &[0],
        &[" 8: incq %rdi", "11: movq %rdi, (%rsp)", "15: callq *%rdx", "17: movq (%rsp), %rax"],
    );
}

#[test]
fn loops_do_not_store_again_what_is_stored_before() {
    // The back edge comes with the register as it was.
    let back: &[u8] = &[0x0f, 0x85, 0xed, 0xff, 0xff, 0xff];
    made(
        &[STORE_RDI, STORE_RDI, ADD_RCX_RAX, NEXT, &[0x48, 0x01, 0xf8], back, CALL, LOAD_RAX],
        &[0, 12, 31],
        &[
            " 8: movq %rdi, (%rsp)",
            "12: addq %rcx, %rax",
            "15: decq %rsi",
            "18: addq %rdi, %rax",
            "21: jne 0xc",
            "23: callq *%rdx",
            "25: movq (%rsp), %rax",
        ],
    );
    // It does not: `inc %rdi`. So the store in the loop is needed, and the one before it is not.
    made(
        &[STORE_RDI, STORE_RDI, ADD_RCX_RAX, NEXT, &[0x48, 0xff, 0xc7], back, CALL, LOAD_RAX],
        &[0, 12, 31],
        &[
            " 8: movq %rdi, (%rsp)",
            "12: addq %rcx, %rax",
            "15: decq %rsi",
            "18: incq %rdi",
            "21: jne 8",
            "23: callq *%rdx",
            "25: movq (%rsp), %rax",
        ],
    );
}

const STORE_RAX: &[u8] = &[0x48, 0x89, 0x04, 0x24];

#[test]
fn what_a_loop_adds_up_is_in_a_register() {
    // The slot is needed afterwards. Nothing reads what was stored before.
    let back: &[u8] = &[0x0f, 0x85, 0xec, 0xff, 0xff, 0xff];
    made(
        &[STORE_RDI, LOAD_RAX, ADD_RCX_RAX, STORE_RAX, NEXT, back, CALL, LOAD_RAX],
        &[0, 12, 32],
        &[
            " 8: movq %rdi, %r10",
            "11: movq %r10, %rax",
            "14: addq %rcx, %rax",
            "17: movq %rax, (%rsp)",
            "21: movq %rax, %r10",
            "24: decq %rsi",
            "27: jne 0xb",
            "29: callq *%rdx",
            "31: movq (%rsp), %rax",
        ],
    );
    // It is not: neither are its stores. An edge from elsewhere leads to the reload, too.
    let skip: &[u8] = &[0x0f, 0x84, 2, 0, 0, 0];
    made(
        &[STORE_RDI, skip, CALL, LOAD_RAX, ADD_RCX_RAX, STORE_RAX, NEXT, back],
        &[0, 18, 20, 40],
        &[
            " 8: movq %rdi, (%rsp)",
            "12: je 0x10",
            "14: callq *%rdx",
            "16: movq (%rsp), %rdi",
            "20: movq %rdi, %rax",
            "23: addq %rcx, %rax",
            "26: movq %rax, %rdi",
            "29: decq %rsi",
            "32: jne 0x14",
        ],
    );
}

#[test]
fn slots_of_other_loops_stay_slots() {
    // A loop with a call, one that only reads the slot, and one that is entered in the middle.
    let back = |distance: u8| [0x0f, 0x85, distance, 0xff, 0xff, 0xff];
    stays(&[STORE_RDI, LOAD_RAX, ADD_RCX_RAX, STORE_RAX, CALL, NEXT, &back(0xea), CALL, LOAD_RAX], &[0, 12, 34]);
    stays(&[STORE_RDI, CALL, LOAD_RAX, ADD_RCX_RAX, NEXT, &back(0xf0), CALL, LOAD_RAX], &[0, 14, 30]);
    let into: &[u8] = &[0x0f, 0x84, 4, 0, 0, 0];
    stays(
        &[STORE_RDI, CALL, into, LOAD_RAX, ADD_RCX_RAX, STORE_RAX, NEXT, &back(0xec), CALL, LOAD_RAX],
        &[0, 20, 24, 40],
    );
}

#[test]
fn paths_that_meet_must_agree() {
    // Around a store of another register: `je` over it.
    let over: &[u8] = &[0x0f, 0x84, 4, 0, 0, 0];
    let store_rsi: &[u8] = &[0x48, 0x89, 0x34, 0x24];
    made(
        &[STORE_RDI, over, store_rsi, LOAD_RAX],
        &[0, 18, 22],
        &[" 8: movq %rdi, (%rsp)", "12: je 0x12", "14: movq %rsi, (%rsp)", "18: movq (%rsp), %rax"],
    );
}

#[test]
fn reloads_become_operands() {
    made(
        &[STORE_RDI, CALL, LOAD_RCX, ADD_RCX_RAX],
        &[0],
        &[" 8: movq %rdi, (%rsp)", "12: callq *%rdx", "14: addq (%rsp), %rax"],
    );
    // Not where the register is read again: `mov %rcx, %rdx` to a result.
    made(
        &[STORE_RDI, CALL, LOAD_RCX, ADD_RCX_RAX, &[0x48, 0x01, 0xca]],
        &[0],
        &[
            " 8: movq %rdi, (%rsp)",
            "12: callq *%rdx",
            "14: movq (%rsp), %rcx",
            "18: addq %rcx, %rax",
            "21: addq %rcx, %rdx",
        ],
    );
    // Not behind a store to the slot.
    made(
        &[STORE_RDI, CALL, LOAD_RCX, &[0x48, 0x89, 0x04, 0x24], ADD_RCX_RAX, CALL, LOAD_RAX],
        &[0],
        &[
            " 8: movq %rdi, (%rsp)",
            "12: callq *%rdx",
            "14: movq (%rsp), %rcx",
            "18: movq %rax, (%rsp)",
            "22: addq %rcx, %rax",
            "25: callq *%rdx",
            "27: movq (%rsp), %rax",
        ],
    );
}

#[test]
fn what_may_be_more_than_a_slot_stays() {
    // Its address is taken: `lea 8(%rsp), %rax`.
    stays(&[STORE_RDI, LOAD_RAX, &[0x48, 0x8d, 0x44, 0x24, 8]], &[0]);
    // A vector register is stored there: `movups %xmm0, (%rsp)`.
    stays(&[STORE_RDI, &[0x0f, 0x11, 0x04, 0x24], LOAD_RAX], &[0]);
    // A half of it is: `mov %edi, 4(%rsp)`.
    stays(&[STORE_RDI, &[0x89, 0x7c, 0x24, 4], LOAD_RAX], &[0]);
    // The stack pointer moves: `push %rdi; pop %rdi`.
    stays(&[STORE_RDI, &[0x57], LOAD_RAX, &[0x5f]], &[0]);
}

/// What the check says of a function without its fragment at this offset.
fn without(before: &CompiledFunction, offset: u32) -> bool {
    let end = before.code.len() as u32;
    let mut fragments = read::read(before, end).unwrap();
    let isa = isa();
    let checker = Checker::new(before, &fragments, &*isa);
    fragments.remove(fragments.index_of(offset).unwrap());
    let (made, layout) = write::write(before, &fragments, None, &[], &*isa, false).unwrap();
    checker.compare(&made, &fragments, &layout, Followed { frame: false, spills: true }).is_ok()
}

#[test]
fn the_check_knows_what_is_needed() {
    let body: &[&[u8]] = &[STORE_RDI, LOAD_RAX, STORE_RDI, CALL, LOAD_RCX, ADD_RCX_RAX];
    let before = spilling(&[&[ENTER], body, &[LEAVE]].concat(), &[0]);
    // One of the stores is enough; without the reloads, `%rax` and `%rcx` hold something else.
    let kept: Vec<u32> = [8, 12, 16, 22].into_iter().filter(|&offset| !without(&before, offset)).collect();
    assert_eq!(kept, [8, 12, 22]);
}
