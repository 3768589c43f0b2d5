//! Jump tables: how their indices are checked.

use super::{check, function, join, run_steps, run_to, text};
use crate::codegen::compiled::CompiledFunction;
use crate::config::Pass;

/// A jump by a table of two entries, the default, and `ret`s that they lead to; `between` lies before the comparison.
fn table(between: &[u8]) -> CompiledFunction {
    let start = 27 + between.len() as u32;
    let code = join(&[
        &[0xb9, 2, 0, 0, 0],             //  0: mov $2, %ecx
        between,                         //
        &[0x8b, 0xd7],                   //  5: mov %edi, %edx
        &[0x3b, 0xd1],                   //  7: cmp %ecx, %edx
        &[0x0f, 0x42, 0xca],             //  9: cmovb %edx, %ecx
        &[0x48, 0x8d, 0x15, 9, 0, 0, 0], // 12: lea table, %rdx
        &[0x48, 0x63, 0x0c, 0x8a],       // 19: movslq (%rdx, %rcx, 4), %rcx
        &[0x48, 0x01, 0xca],             // 23: add %rcx, %rdx
        &[0xff, 0xe2],                   // 26: jmp *%rdx
        &12_i32.to_le_bytes(),           // 28
        &13_i32.to_le_bytes(),
        &14_i32.to_le_bytes(),
        &[0xc3, 0xc3, 0xc3], // 40
    ]);
    function(code, &[0, start + 13, start + 14, start + 15])
}

#[test]
fn indices_are_checked_by_a_branch() {
    let made = run_steps(table(&[]), &[Pass::JumpTableBounds, Pass::ShortEncodings]);
    check(
        &made,
        &[
            " 0: movl %edi, %edx",
            " 2: cmpl $2, %edx",
            " 5: jae 0x27",
            " 7: movl %edx, %ecx",
            " 9: leaq 9(%rip), %rdx",
            "16: movslq (%rdx, %rcx, 4), %rcx",
            "20: addq %rcx, %rdx",
            "23: jmpq *%rdx",
            "25: .byte 0x0c, 0x00, 0x00, 0x00, 0x0d, 0x00, 0x00",
            "32: .byte 0x00, 0x0e, 0x00, 0x00, 0x00",
            "37: retq",
            "38: retq",
            "39: retq",
        ],
    );
}

#[test]
fn an_index_that_something_else_writes_is_checked_as_it_was() {
    let before = table(&[0x83, 0xc1, 0x00]); // add $0, %ecx
    let made = run_steps(before.clone(), &[Pass::JumpTableBounds]);
    assert_eq!(made.code, before.code);
}

#[test]
fn a_table_of_another_size_is_checked_as_it_was() {
    let mut before = table(&[]);
    before.code[1] = 3;
    let made = run_steps(before.clone(), &[Pass::JumpTableBounds]);
    assert_eq!(made.code, before.code);
}

#[test]
fn a_table_behind_all_code_ends_with_its_entries() {
    // addss 42(%rip), %xmm0; two entries, the default, and a constant.
    let mut code = vec![0xc3, 0xf3, 0x0f, 0x58, 0x05, 42, 0, 0, 0, 0xc3, 0xc3];
    code.extend_from_slice(&table(&[]).code[..28]);
    for to in [0_i32, 1, 10] {
        code.extend_from_slice(&(to - 39).to_le_bytes());
    }
    code.extend_from_slice(&[1, 2, 3, 4]);
    let made = run_to(function(code.clone(), &[0, 1, 10, 11]), 51, &[Pass::JumpTableBounds, Pass::ShortEncodings]);
    assert!(text(&made).contains("jae 0xa\n"), "{}", text(&made));
    assert_eq!(made.code.last_chunk(), Some(&[1, 2, 3, 4]));
}
