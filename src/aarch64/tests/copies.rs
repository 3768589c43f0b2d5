//! Copy propagation, move coalescing, loop-invariant code motion, loop inversion.

use super::{RET, made};
use crate::config::Pass;

#[test]
fn registers_are_read_where_they_were_copied_from() {
    let words = [0xaa13_03e1, 0xf940_0422, 0xaa02_03e0, RET]; // mov x1, x19; ldr x2, [x1, #8]; mov x0, x2
    // A return may look at the second result register.
    let expected = ["movq x1, x19", "ldr x2, [x19, #8]", "mov x0, x2", "ret"];
    assert_eq!(made(&words, &[0], Pass::CopyPropagation)[1], expected[1]);
}

#[test]
fn extensions_of_what_has_no_more_bits_go() {
    let words = [0x1100_0401, 0x2a01_03e1, 0x8b02_0020, RET]; // add w1, w0, #1; mov w1, w1; add x0, x1, x2
    assert_eq!(made(&words, &[0], Pass::CopyPropagation), ["add w1, w0, #1", "add x0, x1, x2", "ret"]);
    // The low byte of an argument is not the argument.
    let words = [0x1200_1ce2, 0x8b02_0020, RET]; // and w2, w7, #0xff; add x0, x1, x2
    assert_eq!(made(&words, &[0], Pass::CopyPropagation).len(), 3);
}

#[test]
fn a_constant_is_an_or_with_nothing() {
    // mov x3, #0; orr w2, w3, #3; add x0, x2, x1; ret
    let words = [0xd280_0003, 0x3200_0462, 0x8b01_0040, RET];
    let made = made(&words, &[0], Pass::CopyPropagation);
    assert_eq!((made.len(), made[1].as_str()), (3, "add x0, x2, x1"));
}

/// `ldr x3, [x0]; add x4, x0, #8; cbz x3, out; mov x0, x4; b loop; out: mov x0, x3; ret`
const LOOP: [u32; 7] = [0xf940_0003, 0x9100_2004, 0xb400_0063, 0xaa04_03e0, 0x17ff_fffc, 0xaa03_03e0, RET];

#[test]
fn values_are_computed_where_moves_bring_them() {
    assert_eq!(
        made(&LOOP, &[0, 3, 5], Pass::MoveCoalescing),
        ["ldr x3, [x0]", "add x0, x0, #8", "cbz x3, #0x10", "b #0", "mov x0, x3", "ret"]
    );
    // Where the old value is wanted behind the loop, it is moved.
    let mut wanted = LOOP;
    wanted[5] = 0x8b03_0000; // add x0, x0, x3
    assert_eq!(made(&wanted, &[0, 3, 5], Pass::MoveCoalescing).len(), 7);
}

#[test]
fn loops_go_back_by_their_own_branch() {
    assert_eq!(
        made(&LOOP, &[0, 3, 5], Pass::LoopInversion),
        ["ldr x3, [x0]", "add x4, x0, #8", "mov x0, x4", "cbnz x3, #0", "mov x0, x3", "ret"]
    );
    // A move of what the branch looks at stays behind it.
    let mut looked_at = LOOP;
    looked_at[2] = 0xb400_0060; // cbz x0, out
    assert_eq!(made(&looked_at, &[0, 3, 5], Pass::LoopInversion).len(), 7);
}

#[test]
fn what_does_not_change_in_a_loop_is_in_front_of_it() {
    // mov x4, x0; loop: add x5, x1, #0x1000; ldrb w5, [x5, x4]; add x4, x4, #1; cbnz w5, loop; mov x0, x4; ret
    let words = [0xaa00_03e4, 0x9140_0425, 0x3864_68a5, 0x9100_0484, 0x35ff_ffa5, 0xaa04_03e0, RET];
    let made_of = |words: &[u32]| made(words, &[0, 1, 5], Pass::LoopInvariants);
    assert_eq!(
        made_of(&words)[..4],
        ["mov x4, x0", "add x0, x1, #1, lsl #12", "ldrb w5, [x0, x4]", "add x4, x4, #1"]
    );
    // `add x1, x1, #1` changes what it is computed of.
    let mut changed = words;
    changed[3] = 0x9100_0421;
    assert_eq!(made_of(&changed)[1], "add x5, x1, #1, lsl #12");
}
