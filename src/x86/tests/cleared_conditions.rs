//! Conditions as numbers.

use super::{check, function, join, run_steps};
use crate::config::Pass;

#[test]
fn a_register_is_cleared_before_the_comparison() {
    let code = join(&[
        &[0x3b, 0xc1],             // cmp %ecx, %eax
        &[0x0f, 0x9c, 0xc2],       // setl %dl
        &[0x0f, 0xb6, 0xd2],       // movzbl %dl, %edx
        &[0x48, 0x3b, 0xc1],       // cmp %rcx, %rax
        &[0x41, 0x0f, 0x93, 0xc0], // setae %r8b
        &[0x49, 0x0f, 0xb6, 0xf0], // movzbq %r8b, %rsi
        &[0x4d, 0x31, 0xc0],       // xor %r8, %r8
        &[0xc3],
    ]);
    let made = run_steps(function(code, &[0]), &[Pass::ClearedConditions]);
    check(
        &made,
        &[
            " 0: xorl %edx, %edx",
            " 2: cmpl %ecx, %eax",
            " 4: setl %dl",
            " 7: xorl %esi, %esi",
            " 9: cmpq %rcx, %rax",
            "12: setae %sil",
            "16: xorq %r8, %r8",
            "19: retq",
        ],
    );
}

#[test]
fn what_is_compared_or_read_again_stays() {
    let stay: [&[&[u8]]; 4] = [
        // The comparison reads the register.
        &[&[0x3b, 0xc2], &[0x0f, 0x9c, 0xc2], &[0x0f, 0xb6, 0xd2], &[0xc3]],
        // The byte is returned.
        &[&[0x3b, 0xc1], &[0x0f, 0x9c, 0xc0], &[0x0f, 0xb6, 0xd0], &[0xc3]],
        // Another byte is extended.
        &[&[0x3b, 0xc1], &[0x0f, 0x9c, 0xc2], &[0x0f, 0xb6, 0xd1], &[0xc3]],
        // Nothing sets the flags right before.
        &[&[0x3b, 0xc1], &[0x90], &[0x0f, 0x9c, 0xc2], &[0x0f, 0xb6, 0xd2], &[0xc3]],
    ];
    for parts in stay {
        let code = join(parts);
        assert_eq!(run_steps(function(code.clone(), &[0]), &[Pass::ClearedConditions]).code, code);
    }
}

#[test]
fn what_a_branch_leads_into_stays() {
    let code = join(&[
        &[0x0f, 0x84, 5, 0, 0, 0], // je to the next `setl`
        &[0x90, 0x90],
        &[0x41, 0x3b, 0xc1], // cmp %r9d, %eax
        &[0x0f, 0x9c, 0xc2], // setl %dl
        &[0x0f, 0xb6, 0xd2], // movzbl %dl, %edx
        &[0xc3],
    ]);
    assert_eq!(run_steps(function(code.clone(), &[0, 11]), &[Pass::ClearedConditions]).code, code);
}
