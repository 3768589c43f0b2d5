//! x86-64 in AT&T syntax.
//!
//! | memory operand | access |
//! |---|---|
//! | last, of `mov` | store |
//! | last, of `cmp`, `test`, `bt` | load |
//! | last, of others | load and store |
//! | not last | load |
//! | only | by the instruction |
//! | of `lea`, `nop`, prefetches | none |

use super::operands::{address, based, frame, number, operands, split};
use super::{Class, Kind, Reference};

const PREFIXES: [&str; 7] = ["lock", "rep", "repne", "repe", "notrack", "bnd", "data16"];

pub(crate) fn classify(text: &str, offset: u32, size: u32) -> Class {
    let (mut mnemonic, mut from) = split(text);
    while PREFIXES.contains(&mnemonic) && from < text.len() {
        let (next, length) = split(&text[from..]);
        mnemonic = next;
        from += length;
    }
    let operands = operands(text, from);
    let is_indirect = operands.first().is_some_and(|range| text[range.clone()].starts_with('*'));
    let direct = || if is_indirect { None } else { address(text, &operands, 0) };
    let kind = match mnemonic {
        "call" | "callq" => Kind::Call,
        "jmp" | "jmpq" => Kind::Jump,
        "ret" | "retq" | "lretq" | "iretq" => Kind::Return,
        "ud2" | "ud1" | "ud0" | "hlt" | "int3" => Kind::Trap,
        name if name.starts_with('j') || name.starts_with("loop") => Kind::Branch,
        _ => Kind::Plain,
    };
    let mut class = Class::control(kind, None);
    if matches!(kind, Kind::Call | Kind::Jump | Kind::Branch) {
        class.reference = direct();
    }
    let memory = operands.iter().position(|range| text[range.clone()].contains('('));
    if let Some(position) = memory {
        let is_last = position + 1 == operands.len();
        let span = operands[position].clone();
        let operand = text[span.clone()].trim_start_matches('*');
        (class.loads, class.stores) = access(mnemonic, is_last, operands.len());
        if let Some((displacement, registers)) = based(segmentless(operand)) {
            if registers == "%rip" {
                let start = span.end - "(%rip)".len() - displacement.len();
                let end = i64::from(offset) + i64::from(size);
                let distance = if displacement.is_empty() { Some(0) } else { number(displacement) };
                let offset = distance.map(|distance| distance.wrapping_add(end));
                class.reference = Some(Reference { offset, span: start..start + displacement.len() });
            } else {
                class.frame = frame(registers, "%rsp", "%rbp", displacement);
            }
        }
    }
    class
}

/// An operand without `%fs:`.
fn segmentless(operand: &str) -> &str {
    operand.split_once(':').map_or(operand, |parts| parts.1)
}

/// Whether a memory operand is read and written.
fn access(mnemonic: &str, is_last: bool, operands: usize) -> (bool, bool) {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| mnemonic.starts_with(prefix));
    if starts(&["lea", "nop", "prefetch", "clflush", "invlpg", "endbr"]) {
        (false, false)
    } else if operands == 1 {
        match mnemonic {
            _ if starts(&["set", "pop", "stmxcsr", "fst", "fnst"]) => (false, true),
            _ if starts(&["inc", "dec", "neg", "not", "sh", "sa", "ro", "rc", "cmpxchg"]) => (true, true),
            _ => (true, false),
        }
    } else if !is_last {
        // An exchange writes wherever its memory stands.
        (true, starts(&["xchg", "xadd"]))
    } else if starts(&["mov", "vmov", "stos", "pextr", "vpextr"]) {
        (false, true)
    } else if starts(&["cmpxchg"]) {
        (true, true)
    } else if starts(&["cmp", "test", "ucomi", "comi", "vucomi", "vcomi"]) || is_bit_test(mnemonic) {
        (true, false)
    } else {
        (true, true)
    }
}

fn is_bit_test(mnemonic: &str) -> bool {
    matches!(mnemonic, "bt" | "btw" | "btl" | "btq")
}
