//! Normalisation of lines for comparison: names that mean nothing by themselves do not count.
//!
//! | text | does not count |
//! |---|---|
//! | BPF | how far a jump or a call goes (calls have the callee's name) |
//! | CLIF | numbers of values, blocks and signatures; functions count by name |
//! | assembly | which register of its class (the stack and frame pointers are classes of their own), labels, offsets from the stack pointer, distances to the function itself |
//!
//! Lines are shown unchanged; only the comparison uses what is left of them.

use std::collections::HashMap;

use crate::compare::measure::{TextKind, TextLine};

/// The normalised form of each line.
pub(crate) fn keys(kind: TextKind, lines: &[TextLine]) -> Vec<String> {
    let callees = match kind {
        TextKind::Clif => callees(lines),
        TextKind::Bpf | TextKind::Asm => HashMap::new(),
    };
    let key = |line: &TextLine| match kind {
        TextKind::Bpf => words(&line.text, bpf),
        TextKind::Clif => words(&line.text, |word, _| clif(word, &callees)),
        TextKind::Asm => words(&line.text, assembly),
    };
    lines.iter().map(key).collect()
}

/// Replaces the words of a line: letters, digits, and `_.%$#`. The function sees a word and the text before it.
fn words<'a>(line: &'a str, replace: impl Fn(&'a str, &'a str) -> Option<String>) -> String {
    let is_word = |c: char| c.is_alphanumeric() || "_.%$#".contains(c);
    let mut key = String::with_capacity(line.len());
    let mut at = 0;
    while at < line.len() {
        let rest = &line[at..];
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if length == 0 {
            let c = rest.chars().next().unwrap_or_default();
            key.push(c);
            at += c.len_utf8();
            continue;
        }
        let word = &rest[..length];
        match replace(word, &line[..at]) {
            Some(text) => key.push_str(&text),
            None => key.push_str(word),
        }
        at += length;
    }
    key
}

/// `word` without `prefix` is a number.
fn is_numbered(word: &str, prefix: &str) -> bool {
    let digits = word.strip_prefix(prefix).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn bpf(word: &str, before: &str) -> Option<String> {
    let jumps = ["goto +", "goto -", "gotol +", "gotol -", "call +", "call -"];
    let is_distance = jumps.iter().any(|jump| before.ends_with(jump));
    (is_distance && word.bytes().all(|byte| byte.is_ascii_digit())).then(|| "_".to_owned())
}

/// The functions that CLIF declares: `fn0 = colocated name sig0`.
fn callees(lines: &[TextLine]) -> HashMap<&str, &str> {
    let declared = lines.iter().filter_map(|line| {
        let (name, declaration) = line.text.trim().split_once(" = ")?;
        if !is_numbered(name, "fn") {
            return None;
        }
        let declaration = declaration.strip_prefix("colocated ").unwrap_or(declaration);
        Some((name, declaration.split(' ').next()?))
    });
    declared.collect()
}

fn clif(word: &str, callees: &HashMap<&str, &str>) -> Option<String> {
    if let Some(name) = callees.get(word) {
        return Some((*name).to_owned());
    }
    let names = ["v", "block", "sig", "fn", "gv"];
    names.iter().find(|prefix| is_numbered(word, prefix)).map(|prefix| format!("{prefix}_"))
}

fn assembly(word: &str, before: &str) -> Option<String> {
    if is_numbered(word, "L") {
        return Some("L_".to_owned());
    }
    if let Some(register) = word.strip_prefix('%') {
        return register_kind(register).map(|kind| format!("%{kind}"));
    }
    let is_frame_offset = || {
        let at = before.rfind(['[', '(']).map(|at| &before[at + 1..]);
        at.is_some_and(|inner| inner.starts_with("sp, ") || inner.starts_with("x29, "))
    };
    let number = word.trim_start_matches(['#', '$', '-']);
    let is_number = number.starts_with(|c: char| c.is_ascii_digit());
    if is_number && is_frame_offset() {
        return Some("_".to_owned());
    }
    // The first word is the mnemonic, which is not a register.
    if before.trim().is_empty() { None } else { register_kind(word) }
}

/// The class of a register; none for one that is a class of its own, and for words that are no registers.
fn register_kind(name: &str) -> Option<String> {
    let x86 = [
        ("r64", &["rax", "rbx", "rcx", "rdx", "rsi", "rdi"][..]),
        ("r32", &["eax", "ebx", "ecx", "edx", "esi", "edi", "ebp"]),
        ("r16", &["ax", "bx", "cx", "dx", "si", "di", "bp"]),
        ("r8", &["al", "bl", "cl", "dl", "sil", "dil", "bpl"]),
    ];
    if let Some((kind, _)) = x86.iter().find(|(_, names)| names.contains(&name)) {
        return Some((*kind).to_owned());
    }
    if name == "r15" || name == "x29" || name == "x30" {
        // The stack pointer of s390x (which x86-64 has as one of many), the frame pointer, the return address.
        return None;
    }
    let digits = name.trim_start_matches(|c: char| c.is_ascii_lowercase());
    let letters = &name[..name.len() - digits.len()];
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    if letters.is_empty() || count == 0 || count > 2 {
        return None;
    }
    let suffix = &digits[count..];
    match (letters, suffix) {
        ("r", "") => Some("r64".to_owned()),
        ("r", "d") => Some("r32".to_owned()),
        ("r", "w") => Some("r16".to_owned()),
        ("r", "b") => Some("r8".to_owned()),
        ("xmm" | "ymm" | "x" | "w" | "d" | "s" | "q" | "v" | "h" | "b" | "f", _) => {
            Some(format!("{letters}_{suffix}"))
        }
        // riscv64, by their role.
        ("a" | "t", "") => Some("s_".to_owned()),
        ("fa" | "ft" | "fs", "") => Some("f_".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(kind: TextKind, left: &str, right: &str) -> bool {
        let key = |text: &str| keys(kind, &[TextLine { text: text.to_owned(), ..TextLine::default() }]);
        key(left) == key(right)
    }

    #[test]
    fn registers_of_a_kind_are_the_same() {
        for (left, right) in [
            ("movq %rax, %r12", "movq %rdi, %rbx"),
            ("movl 8(%rsi), %r8d", "movl 8(%rdx), %ecx"),
            ("jne L3", "jne L12"),
            ("ldr x0, [sp, #0x20]", "ldr x19, [sp, #0x38]"),
            ("addi a0, s3, 4", "addi t2, a7, 4"),
            ("addsd %xmm1, %xmm0", "addsd %xmm5, %xmm7"),
        ] {
            assert!(same(TextKind::Asm, left, right), "{left} {right}");
        }
    }

    #[test]
    fn what_an_instruction_does_counts() {
        for (left, right) in [
            ("movq %rax, %rcx", "movl %eax, %ecx"),
            ("movq 8(%rax), %rcx", "movq 16(%rax), %rcx"),
            ("movq (%rsp), %rcx", "movq (%rax), %rcx"),
            ("callq printf", "callq puts"),
            ("ldr x0, [x1, #0x20]", "ldr x0, [x1, #0x38]"),
            ("addq $1, %rax", "addq $2, %rax"),
        ] {
            assert!(!same(TextKind::Asm, left, right), "{left} {right}");
        }
    }

    #[test]
    fn values_and_distances_do_not_count() {
        assert!(same(TextKind::Clif, "    v12 = iadd v3, v4", "    v7 = iadd v1, v12"));
        assert!(same(TextKind::Clif, "    brif v1, block2, block3(v4)", "    brif v9, block1, block7(v2)"));
        assert!(!same(TextKind::Clif, "    v1 = iadd_imm v2, 4", "    v1 = iadd_imm v2, 8"));
        assert!(same(TextKind::Bpf, "if r1 > 5 goto +2", "if r1 > 5 goto +7"));
        assert!(!same(TextKind::Bpf, "r1 = 2", "r1 = 3"));
    }
}
