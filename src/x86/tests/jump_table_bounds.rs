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

/// A jump by the low half of `%rdi`, of which `compares` and a branch have checked all; `moves` takes that half.
fn checked(compares: &[u8], moves: &[u8]) -> CompiledFunction {
    let mut code = join(&[compares, &[0x0f, 0x83], &[0; 4], &[0xb9, 2, 0, 0, 0], moves]); // jae, to be patched; mov $2, %ecx
    let start = code.len() as u32;
    let branch = compares.len();
    code.extend_from_slice(&join(&[
        &[0x3b, 0xc1],                   // cmp %ecx, %eax
        &[0x0f, 0x42, 0xc8],             // cmovb %eax, %ecx
        &[0x48, 0x8d, 0x15, 9, 0, 0, 0], // lea table, %rdx
        &[0x48, 0x63, 0x0c, 0x8a],       // movslq (%rdx, %rcx, 4), %rcx
        &[0x48, 0x01, 0xca],             // add %rcx, %rdx
        &[0xff, 0xe2],                   // jmp *%rdx
        &12_i32.to_le_bytes(),
        &13_i32.to_le_bytes(),
        &14_i32.to_le_bytes(),
        &[0xc3, 0xc3, 0xc3, 0xc3],
    ]));
    let rets = start + 33;
    let distance = rets + 3 - (branch as u32 + 6);
    code[branch + 2..branch + 6].copy_from_slice(&distance.to_le_bytes());
    function(code, &[0, branch as u32 + 6, rets, rets + 1, rets + 2, rets + 3])
}

/// `cmp $2, %rax`, as Cranelift writes it.
const COMPARES: &[u8] = &[0x48, 0x3d, 2, 0, 0, 0];

/// `mov %eax, %eax`.
const TAKES_LOW_HALF: &[u8] = &[0x8b, 0xc0];

#[test]
fn an_index_that_a_branch_has_checked_is_not_checked_again() {
    let steps = [Pass::JumpTableBounds, Pass::ShortEncodings];
    let made = text(&run_steps(checked(COMPARES, TAKES_LOW_HALF), &steps));
    let lines: Vec<&str> = made.lines().map(|line| line.trim_start_matches(|c: char| c != ':')).collect();
    assert_eq!(
        lines[..7],
        [
            ": cmpq $2, %rax",
            ": jae 0x27",
            ": movl %eax, %ecx",
            ": leaq 9(%rip), %rdx",
            ": movslq (%rdx, %rcx, 4), %rcx",
            ": addq %rcx, %rdx",
            ": jmpq *%rdx",
        ],
        "{made}"
    );
}

#[test]
fn an_index_of_which_less_is_known_is_checked() {
    let cases: [(&[u8], &[u8]); 5] = [
        // More than the table has.
        (&[0x48, 0x83, 0xf8, 3], TAKES_LOW_HALF),
        // The low half only: `mov %eax, %eax` is no proof of what else there was.
        (&[0x83, 0xf8, 2], TAKES_LOW_HALF),
        // Another register.
        (&[0x48, 0x83, 0xff, 2], TAKES_LOW_HALF),
        (COMPARES, &[0x8b, 0xc7]),
        // Something else happens to it: add $1, %rax.
        (COMPARES, &[0x48, 0x83, 0xc0, 1, 0x8b, 0xc0]),
    ];
    for (compares, moves) in cases {
        let made = text(&run_steps(checked(compares, moves), &[Pass::JumpTableBounds]));
        assert_eq!(made.matches("jae").count(), 2, "{made}");
    }
}
