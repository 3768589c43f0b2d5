//! The order of basic blocks: what falls through, what jumps, and what is left as it is.

use super::{Coldness, Steps, check, function, isa, join, run, run_steps};
use crate::codegen::compiled::{CodeRange, CompiledFunction};
use crate::config::{Pass, Passes};

const RET: &[u8] = &[0xc3];

fn branch(opcode: u8, distance: i32) -> Vec<u8> {
    join(&[&[0x0f, opcode], &distance.to_le_bytes()])
}

fn jump(distance: i32) -> Vec<u8> {
    join(&[&[0xe9], &distance.to_le_bytes()])
}

/// A loop whose rare half lies between its header and its other half, which falls through to its end.
fn halves() -> CompiledFunction {
    let code = join(&[
        &[0x33, 0xc0],       //  0: xor %eax, %eax
        &[0x83, 0xff, 0x2c], //  2: cmp $44, %edi
        &branch(0x85, 10),   //  5: jne 21
        &[0x83, 0xc1, 0x01], // 11: add $1, %ecx
        &[0x33, 0xd2],       // 14: xor %edx, %edx
        &jump(12),           // 16: jmp 33
        &[0x83, 0xfa, 0x01], // 21: cmp $1, %edx
        &branch(0x84, 3),    // 24: je 33
        &[0x83, 0xc2, 0x02], // 30: add $2, %edx
        &[0x83, 0xc0, 0x01], // 33: add $1, %eax
        &[0x83, 0xf8, 0x09], // 36: cmp $9, %eax
        &branch(0x85, -43),  // 39: jne 2
        RET,                 // 45
    ]);
    function(code, &[0, 2, 11, 21, 30, 33, 45])
}

#[test]
fn loops_fall_through_to_their_headers() {
    let made = run_steps(halves(), &[Pass::BlockPlacement, Pass::ShortEncodings]);
    check(
        &made,
        &[
            " 0: xorl %eax, %eax",
            " 2: jmp 0x11",
            " 4: addl $1, %ecx",
            " 7: xorl %edx, %edx",
            " 9: addl $1, %eax",
            "12: cmpl $9, %eax",
            "15: je 0x20",
            "17: cmpl $0x2c, %edi",
            "20: je 4",
            "22: cmpl $1, %edx",
            "25: je 9",
            "27: addl $2, %edx",
            "30: jmp 9",
            "32: retq",
        ],
    );
    assert_eq!(made.entries, [0, 4, 9, 17, 22, 27, 32]);
}

/// Of code that counts, the last blocks that go back into the middle count what is unlikely.
#[test]
fn what_counts_unlikely_outcomes_stays_out_of_line() {
    let code = join(&[
        &[0x33, 0xc0],       //  0: xor %eax, %eax
        &[0x83, 0xff, 0x2c], //  2: cmp $44, %edi
        &branch(0x84, 16),   //  5: je 27
        &[0x83, 0xc2, 0x02], // 11: add $2, %edx
        &[0x83, 0xc0, 0x01], // 14: add $1, %eax
        &[0x83, 0xf8, 0x09], // 17: cmp $9, %eax
        &branch(0x85, -24),  // 20: jne 2
        RET,                 // 26
        &[0x83, 0xc1, 0x01], // 27: add $1, %ecx
        &jump(-21),          // 30: jmp 14
    ]);
    let entries = [0, 2, 11, 14, 26, 27];
    let placed = |coldness| {
        let mut made = function(code.clone(), &entries);
        let passes = Passes::NONE.with(Pass::BlockPlacement);
        run(&mut made, code.len() as u32, &*isa(), Steps { passes, coldness, ..Steps::default() });
        made.code
    };
    assert_eq!(placed(Coldness::Counted), code);
    assert_ne!(placed(Coldness::Unknown), code);
}

#[test]
fn locations_follow_the_blocks() {
    let mut before = halves();
    before.locations = vec![
        CodeRange { start: 0, end: 10, offset: 0 },
        CodeRange { start: 10, end: 33, offset: 8 },
        CodeRange { start: 33, end: 46, offset: 16 },
    ];
    let made = run_steps(before, &[Pass::BlockPlacement, Pass::ShortEncodings]);
    let locations: Vec<_> = made.locations.iter().map(|range| (range.start, range.end, range.offset)).collect();
    // The added jumps have none.
    assert_eq!(locations, [(0, 2, 0), (4, 9, 8), (9, 17, 16), (17, 22, 0), (22, 30, 8), (32, 33, 16)]);
}

#[test]
fn a_loop_of_one_block_stays() {
    let code = join(&[&[0x83, 0xc0, 0x01], &[0x83, 0xf8, 0x09], &branch(0x85, -12), RET]);
    let made = run_steps(function(code.clone(), &[0, 12]), &[Pass::BlockPlacement]);
    assert_eq!(made.code, code);
}

#[test]
fn traps_are_not_fallen_through_to() {
    let code = join(&[
        &[0x83, 0xff, 0x2c], //  0: cmp $44, %edi
        &branch(0x85, 2),    //  3: jne 11
        &[0x0f, 0x0b],       //  9: ud2
        RET,                 // 11
    ]);
    let made = run_steps(function(code, &[0, 9, 11]), &[Pass::BlockPlacement, Pass::ShortEncodings]);
    check(&made, &[" 0: cmpl $0x2c, %edi", " 3: je 6", " 5: retq", " 6: ud2"]);
}

#[test]
fn branches_inside_one_of_cranelifts_instructions_lead_where_they_did() {
    let code = join(&[
        &[0x66, 0x0f, 0x2e, 0xc0], //  0: ucomisd %xmm0, %xmm0
        &branch(0x8b, 7),          //  4: jnp 17, where no block starts
        &[0x33, 0xd2],             // 10: xor %edx, %edx
        &jump(6),                  // 12: jmp 23
        &[0x81, 0xc2, 0, 1, 0, 0], // 17: add $256, %edx
        RET,                       // 23
    ]);
    let made = run_steps(function(code, &[0, 23]), &[Pass::ShortEncodings]);
    check(
        &made,
        &[
            " 0: ucomisd %xmm0, %xmm0",
            " 4: jnp 0xa",
            " 6: xorl %edx, %edx",
            " 8: jmp 0x10",
            "10: addl $0x100, %edx",
            "16: retq",
        ],
    );
}
