//! Programs whose accesses are of one kind each: what compilers make of seqlocks, flags, locks and registers of devices.
//!
//! r1 is the memory, of [`MEMORY`] bytes, r2 its length, which no translator knows. What a program reads ends up in r0, but
//! where it is to be read for nothing.

use std::fmt::Write;

/// Bytes of memory.
pub const MEMORY: usize = 8192;

/// Where there are eight zero bytes.
pub const ZERO: usize = 4096;

/// Names and texts of those without loops over elements.
pub fn all() -> Vec<(String, String)> {
    let mut programs: Vec<(String, String)> =
        FIXED.iter().map(|(name, text)| ((*name).to_owned(), format!("r0 = 0\n{text}\nexit\n"))).collect();
    numbers(&mut programs);
    programs
}

const FIXED: &[(&str, &str)] = &[
    (
        "a seqlock's reader",
        "
        again:
        r3 = *(u32 *)(r1 +0)
        r4 = *(u64 *)(r1 +8)
        r5 = *(u64 *)(r1 +16)
        r6 = *(u32 *)(r1 +0)
        if r6 != r3 goto again
        r0 = r4; r0 += r5; r0 += r3",
    ),
    (
        "two loads of one place",
        "
        r3 = *(u32 *)(r1 +0)
        r4 = *(u32 *)(r1 +0)
        r0 = r3; r0 -= r4",
    ),
    (
        "three loads of one place, in all widths",
        "
        r3 = *(u64 *)(r1 +0); r4 = *(u64 *)(r1 +0); r5 = *(u64 *)(r1 +0); r0 += r3; r0 += r4; r0 += r5
        r3 = *(u32 *)(r1 +0); r4 = *(u32 *)(r1 +0); r5 = *(u32 *)(r1 +0); r0 += r3; r0 += r4; r0 += r5
        r3 = *(u16 *)(r1 +0); r4 = *(u16 *)(r1 +0); r5 = *(u16 *)(r1 +0); r0 += r3; r0 += r4; r0 += r5
        r3 = *(u8 *)(r1 +0); r4 = *(u8 *)(r1 +0); r5 = *(u8 *)(r1 +0); r0 += r3; r0 += r4; r0 += r5
        r3 = *(s32 *)(r1 +0); r4 = *(s32 *)(r1 +0); r5 = *(s16 *)(r1 +0); r0 += r3; r0 += r4; r0 += r5
        r3 = *(s8 *)(r1 +0); r4 = *(s8 *)(r1 +0); r5 = *(s16 *)(r1 +0); r0 += r3; r0 += r4; r0 += r5",
    ),
    (
        "one place by two addresses",
        "
        r3 = r1; r3 += 24; r4 = r1; r4 += 8; r4 += 16; r5 = r1; r5 += r2; r5 -= r2
        r6 = *(u64 *)(r3 +0); r7 = *(u64 *)(r4 +0); r8 = *(u64 *)(r1 +24); r9 = *(u64 *)(r5 +24)
        r0 = r6; r0 += r7; r0 += r8; r0 += r9",
    ),
    (
        "loads for nothing",
        "
        r3 = *(u64 *)(r1 +0); r3 = *(u64 *)(r1 +0); r4 = *(u8 *)(r1 +8); r4 = *(u8 *)(r1 +8)",
    ),
    ("a load and a mask of nothing", "r3 = *(u64 *)(r1 +0); r3 &= 0; r0 = r3"),
    ("a load of which a byte is used", "r3 = *(u64 *)(r1 +0); r3 >>= 56; r0 = r3"),
    ("a load whose low half is used", "r3 = *(u64 *)(r1 +0); w0 = w3"),
    (
        "a store, and what is there",
        "
        r3 = 5; *(u64 *)(r1 +0) = r3; r4 = *(u64 *)(r1 +0); r0 = r4
        *(u32 *)(r1 +8) = 7; r4 = *(u32 *)(r1 +8); r0 += r4",
    ),
    (
        "one value stored twice",
        "
        r3 = r2; *(u64 *)(r1 +0) = r3; *(u64 *)(r1 +0) = r3; *(u8 *)(r1 +8) = 1; *(u8 *)(r1 +8) = 1",
    ),
    ("two values stored", "*(u64 *)(r1 +0) = 1; *(u64 *)(r1 +0) = 2; *(u32 *)(r1 +0) = 3; *(u32 *)(r1 +0) = 4"),
    ("what was loaded, stored again", "r3 = *(u64 *)(r1 +0); *(u64 *)(r1 +0) = r3"),
    (
        "a number in place",
        "
        r3 = *(u64 *)(r1 +0); r3 += r2; *(u64 *)(r1 +0) = r3
        r3 = *(u8 *)(r1 +8); r3 ^= 3; *(u8 *)(r1 +8) = r3",
    ),
    (
        "a load on each way, and after",
        "
        r3 = *(u32 *)(r1 +0)
        if r3 & 1 goto odd
        r4 = *(u32 *)(r1 +0); r0 += r4; goto after
        odd:
        r4 = *(u32 *)(r1 +0); r0 -= r4
        after:
        r5 = *(u32 *)(r1 +0); r0 ^= r5",
    ),
    (
        "a load on one way, and after",
        "
        r3 = *(u32 *)(r1 +0)
        if r3 & 2 goto after
        r4 = *(u32 *)(r1 +4); r0 += r4
        after:
        r5 = *(u32 *)(r1 +0); r0 ^= r5; r5 = *(u32 *)(r1 +4); r0 ^= r5",
    ),
    (
        "a store on one way",
        "
        r3 = *(u32 *)(r1 +0)
        if r3 & 1 goto after
        *(u32 *)(r1 +8) = 1
        after:
        r4 = *(u32 *)(r1 +16)
        if r4 & 1 goto last
        *(u32 *)(r1 +20) = 1
        last:",
    ),
    (
        "a minimum of what is behind a test",
        "
        r3 = *(u64 *)(r1 +0); r4 = r2
        if r3 > r4 goto after
        r4 = *(u64 *)(r1 +8)
        after:
        r0 = r4",
    ),
    (
        "a null pointer's field",
        "
        r3 = r1; r3 += 4096; r4 = *(u64 *)(r3 +0)
        if r4 == 0 goto after
        r0 = *(u64 *)(r4 +0)
        after:",
    ),
    (
        "two tests that lead to one place",
        "
        r3 = *(u32 *)(r1 +0); if r3 == 7 goto out
        r4 = *(u32 *)(r1 +4); if r4 == 9 goto out
        r0 = 1
        out:",
    ),
    (
        "a flag that is looked at some times",
        "
        r3 = 0
        again:
        r3 += 1
        r4 = *(u32 *)(r1 +0)
        if r3 > 20 goto out
        if r4 != 0x12345 goto again
        out:
        r0 = r3",
    ),
    (
        "a flag that is looked at a constant number of times",
        "
        r3 = 0
        again:
        r4 = *(u32 *)(r1 +0); r0 += r4
        r3 += 1
        if r3 != 4 goto again",
    ),
    (
        "a register of a device that is fed",
        "
        r3 = 0
        again:
        r4 = *(u8 *)(r1 +64); *(u8 *)(r1 +0) = r4
        r3 += 1
        if r3 != 40 goto again",
    ),
    (
        "one place stored in each round",
        "
        r3 = 0
        again:
        *(u32 *)(r1 +0) = r3
        r3 += 1
        if r3 != 9 goto again",
    ),
    (
        "a store before and after a loop",
        "
        *(u32 *)(r1 +0) = 1
        r3 = 0
        again:
        r4 = *(u32 *)(r1 +0); r0 += r4; r3 += 1
        if r3 < r2 goto more
        more:
        if r3 < 11 goto again
        *(u32 *)(r1 +0) = 1",
    ),
    (
        "a call between accesses",
        "
        r6 = r1
        *(u32 *)(r6 +0) = 4; r7 = *(u32 *)(r6 +8)
        call callee
        r3 = *(u32 *)(r6 +0); r0 += r3; r3 = *(u32 *)(r6 +8); r0 += r3; r0 += r7
        *(u32 *)(r6 +0) = 4
        exit
        callee:
        r0 = *(u32 *)(r1 +0); *(u32 *)(r1 +0) = 4; *(u32 *)(r1 +8) = 5",
    ),
    (
        "atomics are one access each",
        "
        r3 = 3; lock *(u64 *)(r1 +0) += r3
        r4 = 5; r4 = atomic_fetch_add((u64 *)(r1 +0), r4); r0 += r4
        r4 = 6; w4 = xchg32_32(r1 +8, w4); r0 += r4
        r5 = *(u64 *)(r1 +0); r0 += r5; r5 = *(u64 *)(r1 +0); r0 += r5
        r5 = load_acquire((u64 *)(r1 +0)); r0 += r5; r5 = load_acquire((u64 *)(r1 +0)); r0 += r5
        store_release((u32 *)(r1 +0), r0); store_release((u32 *)(r1 +0), r0)
        r6 = r0; r0 = 4; r3 = 9; r0 = cmpxchg_64(r1 +16, r0, r3); r0 += r6",
    ),
    (
        "two counts by one loop of products",
        "
        r3 = 0; r6 = r1; r7 = r1; r7 += 512
        again:
        r4 = *(s16 *)(r6 +0); r5 = *(s16 *)(r7 +0); w4 *= w5; w0 += w4
        r4 = *(s16 *)(r6 +2); r5 = *(s16 *)(r7 +2); w4 *= w5; w0 += w4
        r4 = *(s16 *)(r6 +4); r5 = *(s16 *)(r7 +4); w4 *= w5; w0 += w4
        r4 = *(s16 *)(r6 +6); r5 = *(s16 *)(r7 +6); w4 *= w5; w0 += w4
        r4 = *(s16 *)(r6 +8); r5 = *(s16 *)(r7 +8); w4 *= w5; w0 += w4
        r4 = *(s16 *)(r6 +10); r5 = *(s16 *)(r7 +10); w4 *= w5; w0 += w4
        r4 = *(s16 *)(r6 +12); r5 = *(s16 *)(r7 +12); w4 *= w5; w0 += w4
        r4 = *(s16 *)(r6 +14); r5 = *(s16 *)(r7 +14); w4 *= w5; w0 += w4
        r6 += 16; r7 += 16; r3 += 1
        if r3 != 5 goto again",
    ),
    (
        "two strings, up to the first difference",
        "
        r3 = r1; r4 = r1; r4 += 256
        again:
        r5 = *(u8 *)(r3 +0); r6 = *(u8 *)(r4 +0)
        if r5 != r6 goto out
        r3 += 1; r4 += 1
        if r5 != 0 goto again
        out:
        r0 = r5; r0 -= r6",
    ),
    (
        "the length of a string",
        "
        r3 = r1; r3 += 4000
        again:
        r5 = *(u8 *)(r3 +0); r3 += 1
        if r5 != 0 goto again
        r0 = r3; r0 -= r1",
    ),
];

/// Fills, copies and what is computed of elements: sizes, directions, lengths that are known or not.
pub fn loops() -> Vec<(String, String)> {
    let mut programs = Vec::new();
    for size in [1_i64, 2, 4, 8] {
        let bits = size * 8;
        for (rounds, is_known) in [(3, true), (64, true), (77, true), (70, false), (17, false)] {
            for step in [size, -size] {
                for kind in ["zeros", "a value", "a copy", "a copy down", "sums", "in place"] {
                    let mut text = format!("r6 = r1; r6 += 6000; r7 = r1; r7 += 1280; r3 = {rounds}; r4 = r2\n");
                    if !is_known {
                        text.push_str("r3 += r2; r3 -= r2; r3 ^= r2; r3 ^= r2\n");
                    }
                    let body = match kind {
                        "zeros" => format!("*(u{bits} *)(r6 +0) = 0"),
                        "a value" => format!("*(u{bits} *)(r6 +0) = r4"),
                        "a copy" => format!("r5 = *(u{bits} *)(r7 +0); *(u{bits} *)(r6 +0) = r5"),
                        "a copy down" => format!("r5 = *(u{bits} *)(r6 +8); *(u{bits} *)(r6 +0) = r5"),
                        "sums" => format!(
                            "r5 = *(u{bits} *)(r7 +0); r8 = *(u{bits} *)(r7 +2048); r5 += r8; *(u{bits} *)(r6 +0) = r5"
                        ),
                        _ => format!("r5 = *(u{bits} *)(r6 +0); r5 ^= r4; *(u{bits} *)(r6 +0) = r5"),
                    };
                    write!(
                        text,
                        "r0 = 0; r9 = 0\nagain:\n{body}\nr6 += {step}; r7 += {step}; r9 += 1\nif r9 < r3 goto again\nr0 = r9\nexit\n"
                    )
                    .unwrap();
                    let known = if is_known { "" } else { " that are not known" };
                    programs.push((format!("{kind}, {rounds} times{known}, {bits} bits, step {step}"), text));
                }
            }
        }
    }
    let large =
        "r6 = r1; r3 = 0\nagain:\n*(u8 *)(r6 +0) = 7\nr6 += 1; r3 += 1\nif r3 != 8001 goto again\nr0 = r3\nexit\n";
    programs.push(("a large fill".to_owned(), large.to_owned()));
    let down = "r6 = r1; r6 += 8004; r3 = 0\nagain:\n*(u8 *)(r6 +0) = 7\nr6 += -1; r3 += 1\nif r3 != 8001 goto again\nr0 = r3\nexit\n";
    programs.push(("a large fill downwards".to_owned(), down.to_owned()));
    programs
}

/// Numbers in bytes: loaded and stored a byte at a time, in both orders, with some bytes used otherwise too.
fn numbers(programs: &mut Vec<(String, String)>) {
    for size in [2, 3, 4, 5, 6, 7, 8] {
        for is_big in [false, true] {
            for is_used in [false, true] {
                let shift = |index: usize| 8 * if is_big { size - 1 - index } else { index };
                let order: Vec<usize> = if is_used { (0..size).rev().collect() } else { (0..size).collect() };
                let mut text = "r0 = 0\n".to_owned();
                for &index in &order {
                    writeln!(text, "r3 = *(u8 *)(r1 {:+})\nr3 <<= {}\nr0 |= r3", index + 3, shift(index)).unwrap();
                }
                if is_used {
                    writeln!(text, "r3 = *(u8 *)(r1 +4)\nr0 += r3\nr3 = *(u16 *)(r1 +4)\nr0 += r3").unwrap();
                }
                for &index in &order {
                    writeln!(text, "r3 = r0\nr3 >>= {}\n*(u8 *)(r1 {:+}) = r3", shift(index), index + 33).unwrap();
                }
                for &index in &order {
                    writeln!(text, "*(u8 *)(r1 {:+}) = {index}", index + 65).unwrap();
                }
                text.push_str("exit\n");
                programs.push((format!("a number of {size} bytes, big {is_big}, used {is_used}"), text));
            }
        }
    }
}
