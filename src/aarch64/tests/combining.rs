//! Instruction combining.

use super::{RET, made};
use crate::config::Pass;

fn combined(words: &[u32]) -> Vec<String> {
    made(words, &[0], Pass::InstructionCombining)
}

#[test]
fn shifts_are_done_by_what_uses_them() {
    let words = [0x5305_7c23, 0x4a03_0000, RET]; // lsr w3, w1, #5; eor w0, w0, w3
    assert_eq!(combined(&words), ["eor w0, w0, w1, lsr #5", "ret"]);
    // Not where the source has changed since, nor where the widths differ.
    let changed = [0x5305_7c23, 0x1100_0421, 0x4a03_0000, RET]; // add w1, w1, #1
    assert_eq!(combined(&changed).len(), 4);
    let wider = [0x5305_7c23, 0xca03_0000, RET]; // eor x0, x0, x3
    assert_eq!(combined(&wider).len(), 3);
}

#[test]
fn a_difference_compares_its_operands() {
    let words = [0x5100_0403, 0x7100_041f, 0x5400_0041, 0xaa03_03e0, RET]; // sub w3, w0, #1; cmp w0, #1; b.ne
    let blocks = [0, 3, 4];
    let made = made(&words, &blocks, Pass::InstructionCombining);
    assert_eq!(made[0], "subs w3, w0, #1");
    assert_eq!(made.len(), 4);
    // `sub w0, w0, #1` leaves nothing to compare.
    let changed = [0x5100_0400, 0x7100_041f, 0x5400_0041, 0xaa03_03e0, RET];
    assert_eq!(super::made(&changed, &blocks, Pass::InstructionCombining).len(), 5);
}

#[test]
fn constants_are_inside_of_sums() {
    let words = [0x9280_0063, 0x8b03_0020, RET]; // mov x3, #-4; add x0, x1, x3
    assert_eq!(combined(&words), ["sub x0, x1, #4", "ret"]);
}

#[test]
fn accesses_move_their_addresses_on() {
    // ldrb w3, [x0]; strb w3, [x1]; add x0, x0, #1; add x1, x1, #1
    let words = [0x3940_0003, 0x3900_0023, 0x9100_0400, 0x9100_0421, 0xaa00_03e2, RET];
    assert_eq!(combined(&words)[..2], ["ldrb w3, [x0], #1", "strb w3, [x1], #1"]);
    // Not if something in between has the address.
    let between = [0x3940_0003, 0x3900_0003, 0x9100_0400, RET]; // strb w3, [x0]
    assert_eq!(combined(&between), ["ldrb w3, [x0]", "strb w3, [x0], #1", "ret"]);
}

#[test]
fn frame_addresses_are_relative_to_the_stack_pointer() {
    // add x1, sp, #48; ldr x0, [x1, #8]; sub x2, x1, #48; str x0, [x2, x3]
    let words = [0x9100_c3e1, 0xf940_0420, 0xd100_c022, 0xf823_6840, RET];
    let made = combined(&words);
    assert_eq!(made[made.len() - 3..], ["ldr x0, [sp, #0x38]", "str x0, [sp, x3]", "ret"]);
}

#[test]
fn bits_are_extracted_at_once() {
    let words = [0x5310_7e83, 0x1200_1c60, RET]; // lsr w3, w20, #16; and w0, w3, #0xff
    let made = combined(&words);
    assert_eq!(made[made.len() - 2..], ["ubfx w0, w20, #0x10, #8", "ret"]);
}
