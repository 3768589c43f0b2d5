//! A small BPF assembler, so that test cases can be read.
//!
//! In: text in the syntax of LLVM's assembler and of the kernel's verifier log, an instruction a line (or several
//! with `;` between), `#` comments, `label:` lines, and `bytes ...` lines that pass hex through. Out: little-endian
//! instruction slots. The rule: one table, [`FORMS`], holds every form; text that fits none of them is an error.
//!
//! In a form, a word that starts with `$` stands for an operand:
//!
//! | word | operand | field |
//! |---|---|---|
//! | `$D` `$d`, `$S` `$s` | a 64-bit (`r1`) or 32-bit (`w1`) register | dst, src |
//! | `$=` | the line's first register once more | |
//! | `$alu`, `$cond` | an operator of [`ALU`] or [`COND`] | opcode (and offset) |
//! | `$I`, `$V` | a number of 32 bits, of 64 bits | imm, imm of both slots |
//! | `$u`, `$x`, `$a` | `u8`..`u64`, `s8`..`s32`, `u32` or `u64` | opcode |
//! | `$m` | `s8`, `s16`, `s32` | offset |
//! | `$O` | `+ 8`, `- 8` or nothing | offset |
//! | `$T`, `$L` | a jump's target: label, `+2` or `-2` | offset, imm |

use std::collections::HashMap;

/// Arithmetic operators: text, code, offset (RFC 9669 table 11).
const ALU: [(&str, u8, i16); 14] = [
    ("+=", 0x00, 0),
    ("-=", 0x10, 0),
    ("*=", 0x20, 0),
    ("/=", 0x30, 0),
    ("s/=", 0x30, 1),
    ("|=", 0x40, 0),
    ("&=", 0x50, 0),
    ("<<=", 0x60, 0),
    (">>=", 0x70, 0),
    ("%=", 0x90, 0),
    ("s%=", 0x90, 1),
    ("^=", 0xa0, 0),
    ("=", 0xb0, 0),
    ("s>>=", 0xc0, 0),
];

/// Conditions: text and code (RFC 9669 table 15).
const COND: [(&str, u8); 11] = [
    ("==", 0x10),
    (">", 0x20),
    (">=", 0x30),
    ("&", 0x40),
    ("!=", 0x50),
    ("s>", 0x60),
    ("s>=", 0x70),
    ("<", 0xa0),
    ("<=", 0xb0),
    ("s<", 0xc0),
    ("s<=", 0xd0),
];

/// Sizes of memory: letters after `u` or `s`, size bits of the opcode (RFC 9669 table 18).
const SIZES: [(&str, u8); 4] = [("8", 0x10), ("16", 0x08), ("32", 0x00), ("64", 0x18)];

/// Every form: text, opcode, imm.
const FORMS: &[(&str, u8, i32)] = &[
    // RFC 9669 section 4.1: arithmetic
    ("$D $alu $S", 0x0f, 0),
    ("$D $alu $I", 0x07, 0),
    ("$d $alu $s", 0x0c, 0),
    ("$d $alu $I", 0x04, 0),
    ("$D = - $=", 0x87, 0),
    ("$d = - $=", 0x84, 0),
    ("$D = ( $m ) $S", 0xbf, 0),
    ("$d = ( $m ) $s", 0xbc, 0),
    ("$D = addr_space_cast ( $S , 0 , 1 )", 0xbf, 1),
    ("$D = addr_space_cast ( $S , 1 , 0 )", 0xbf, 0x10000),
    // 4.2: byte swaps
    ("$D = le16 $=", 0xd4, 16),
    ("$D = le32 $=", 0xd4, 32),
    ("$D = le64 $=", 0xd4, 64),
    ("$D = be16 $=", 0xdc, 16),
    ("$D = be32 $=", 0xdc, 32),
    ("$D = be64 $=", 0xdc, 64),
    ("$D = bswap16 $=", 0xd7, 16),
    ("$D = bswap32 $=", 0xd7, 32),
    ("$D = bswap64 $=", 0xd7, 64),
    // 4.3: jumps and calls
    ("if $D $cond $S goto $T", 0x0d, 0),
    ("if $D $cond $I goto $T", 0x05, 0),
    ("if $d $cond $s goto $T", 0x0e, 0),
    ("if $d $cond $I goto $T", 0x06, 0),
    ("goto $T", 0x05, 0),
    ("gotol $L", 0x06, 0),
    ("gotox $D", 0x0d, 0),
    ("may_goto $T", 0xe5, 0),
    ("call $L", 0x85, 0),
    ("call $I", 0x85, 0),
    ("call kfunc $I", 0x85, 0),
    ("callx $D", 0x8d, 0),
    ("exit", 0x95, 0),
    // 5.1, 5.2: loads and stores
    ("$D = * ( $u * ) ( $S $O )", 0x61, 0),
    ("$D = * ( $x * ) ( $S $O )", 0x81, 0),
    ("* ( $u * ) ( $D $O ) = $S", 0x63, 0),
    ("* ( $u * ) ( $D $O ) = $s", 0x63, 0),
    ("* ( $u * ) ( $D $O ) = $I", 0x62, 0),
    // 5.3: atomics
    ("lock * ( $a * ) ( $D $O ) += $S", 0xc3, 0x00),
    ("lock * ( $a * ) ( $D $O ) |= $S", 0xc3, 0x40),
    ("lock * ( $a * ) ( $D $O ) &= $S", 0xc3, 0x50),
    ("lock * ( $a * ) ( $D $O ) ^= $S", 0xc3, 0xa0),
    ("lock * ( $a * ) ( $D $O ) += $s", 0xc3, 0x00),
    ("lock * ( $a * ) ( $D $O ) |= $s", 0xc3, 0x40),
    ("lock * ( $a * ) ( $D $O ) &= $s", 0xc3, 0x50),
    ("lock * ( $a * ) ( $D $O ) ^= $s", 0xc3, 0xa0),
    ("$S = atomic_fetch_add ( ( u64 * ) ( $D $O ) , $= )", 0xdb, 0x01),
    ("$S = atomic_fetch_or ( ( u64 * ) ( $D $O ) , $= )", 0xdb, 0x41),
    ("$S = atomic_fetch_and ( ( u64 * ) ( $D $O ) , $= )", 0xdb, 0x51),
    ("$S = atomic_fetch_xor ( ( u64 * ) ( $D $O ) , $= )", 0xdb, 0xa1),
    ("$s = atomic_fetch_add ( ( u32 * ) ( $D $O ) , $= )", 0xc3, 0x01),
    ("$s = atomic_fetch_or ( ( u32 * ) ( $D $O ) , $= )", 0xc3, 0x41),
    ("$s = atomic_fetch_and ( ( u32 * ) ( $D $O ) , $= )", 0xc3, 0x51),
    ("$s = atomic_fetch_xor ( ( u32 * ) ( $D $O ) , $= )", 0xc3, 0xa1),
    ("$S = xchg_64 ( $D $O , $= )", 0xdb, 0xe1),
    ("$s = xchg32_32 ( $D $O , $= )", 0xc3, 0xe1),
    ("r0 = cmpxchg_64 ( $D $O , r0 , $S )", 0xdb, 0xf1),
    ("w0 = cmpxchg32_32 ( $D $O , w0 , $s )", 0xc3, 0xf1),
    ("$D = load_acquire ( ( $u * ) ( $S $O ) )", 0xc3, 0x100),
    ("$d = load_acquire ( ( $u * ) ( $S $O ) )", 0xc3, 0x100),
    ("store_release ( ( $u * ) ( $D $O ) , $S )", 0xc3, 0x110),
    ("store_release ( ( $u * ) ( $D $O ) , $s )", 0xc3, 0x110),
    // 5.4: 64-bit immediates
    ("$D = $V ll", 0x18, 0),
    ("$D = code_addr ( $L ) ll", 0x18, 0),
    // 5.5: packets
    ("r0 = * ( $u * ) skb [ $I ]", 0x20, 0),
    ("r0 = * ( $u * ) skb [ $S ]", 0x40, 0),
    ("r0 = * ( $u * ) skb [ $S + $I ]", 0x40, 0),
];

/// An instruction while it is put together.
#[derive(Default)]
struct Slot<'a> {
    opcode: u8,
    dst: u8,
    src: u8,
    offset: i16,
    imm: i32,
    second: Option<i32>,
    target: Option<Target<'a>>,
}

struct Target<'a> {
    label: &'a str,
    in_imm: bool,
}

/// Assembles `text`.
pub fn assemble(text: &str) -> Result<Vec<u8>, String> {
    let mut labels = HashMap::new();
    let mut slots: Vec<(usize, Slot<'_>)> = Vec::new();
    let mut raw: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut next = 0;
    for line in text.lines().flat_map(|line| line.split('#').next().unwrap_or("").split(';')) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if let Some(label) = line.strip_suffix(':') {
            if labels.insert(label, next).is_some() {
                return Err(format!("label `{label}` stands twice"));
            }
        } else if let Some(hex) = line.strip_prefix("bytes ") {
            let bytes = super::hex::decode(hex)?;
            let count = bytes.len() / 8;
            raw.push((next, bytes));
            next += count;
        } else {
            let slot = instruction(line)?;
            let count = if slot.second.is_some() { 2 } else { 1 };
            slots.push((next, slot));
            next += count;
        }
    }
    let mut code = vec![0; next * 8];
    for (at, bytes) in raw {
        code[at * 8..at * 8 + bytes.len()].copy_from_slice(&bytes);
    }
    for (at, mut slot) in slots {
        if let Some(Target { label, in_imm }) = slot.target {
            let target = *labels.get(label).ok_or_else(|| format!("no label `{label}`"))?;
            let distance = target as i64 - at as i64 - 1;
            if in_imm {
                slot.imm = i32::try_from(distance).map_err(|_| format!("`{label}` is too far"))?;
            } else {
                slot.offset = i16::try_from(distance).map_err(|_| format!("`{label}` is too far"))?;
            }
        }
        encode(&slot, &mut code[at * 8..]);
    }
    Ok(code)
}

fn encode(slot: &Slot<'_>, code: &mut [u8]) {
    code[0] = slot.opcode;
    code[1] = slot.dst | slot.src << 4;
    code[2..4].copy_from_slice(&slot.offset.to_le_bytes());
    code[4..8].copy_from_slice(&slot.imm.to_le_bytes());
    if let Some(high) = slot.second {
        code[12..16].copy_from_slice(&high.to_le_bytes());
    }
}

fn instruction(line: &str) -> Result<Slot<'_>, String> {
    let tokens = tokens(line);
    let first = tokens.first().and_then(|token| token.chars().next());
    // Most forms are ruled out by their first character; programs of 200,000 lines are assembled.
    let may_fit = |form: &str| match form.strip_prefix('$') {
        Some(operand) => {
            first.is_some_and(|letter| operand.starts_with(if letter == 'w' { ['d', 's'] } else { ['D', 'S'] }))
        }
        None => form.chars().next() == first,
    };
    FORMS
        .iter()
        .filter(|form| may_fit(form.0))
        .find_map(|&(form, opcode, imm)| matches(form, Slot { opcode, imm, ..Slot::default() }, &tokens))
        .ok_or_else(|| format!("not an instruction: `{line}`"))
}

/// Words, and runs of operator characters; brackets and commas stand alone, as does a sign before a number.
fn tokens(line: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let is_operator = |c: char| "<>=!&|^%/+-*".contains(c);
        // The signed operators: `s>`, `s>>=`, `s/=`.
        let signed = rest.starts_with('s') && rest[1..].starts_with(['<', '>', '/', '%']);
        let length = if signed {
            1 + rest[1..].find(|c| !is_operator(c)).unwrap_or(rest.len() - 1)
        } else if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if is_operator(first) && first != '*' && first != '-'
            || rest.starts_with("*=")
            || rest.starts_with("-=")
        {
            rest.find(|c| !is_operator(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

/// The instruction, when `tokens` fit `form`.
fn matches<'a>(form: &str, mut slot: Slot<'a>, tokens: &[&'a str]) -> Option<Slot<'a>> {
    let mut rest = tokens;
    for word in form.split(' ') {
        let used = match word.strip_prefix('$') {
            Some(operand) => slot.operand(operand, rest, tokens)?,
            None => usize::from(*rest.first()? == word),
        };
        if used == 0 && word != "$O" {
            return None;
        }
        rest = &rest[used..];
    }
    match form {
        "call $L" => slot.src = 1,
        _ if form.contains("addr_space_cast") => slot.offset = 1,
        "call kfunc $I" => slot.src = 2,
        "$D = code_addr ( $L ) ll" => (slot.src, slot.second) = (4, Some(0)),
        _ => {}
    }
    rest.is_empty().then_some(slot)
}

impl<'a> Slot<'a> {
    /// Takes one operand from the start of `rest`: how many tokens it is, or `None` when it is not there.
    fn operand(&mut self, kind: &str, rest: &[&'a str], line: &[&'a str]) -> Option<usize> {
        let first = rest.first().copied();
        match kind {
            "D" => self.dst = register('r', first?)?,
            "d" => self.dst = register('w', first?)?,
            "S" => self.src = register('r', first?)?,
            "s" => self.src = register('w', first?)?,
            "=" => {
                if first != line.first().copied() {
                    return None;
                }
            }
            "alu" => {
                let &(_, code, offset) = ALU.iter().find(|row| Some(row.0) == first)?;
                self.opcode = self.opcode & 0x0f | code;
                self.offset = offset;
            }
            "cond" => {
                let &(_, code) = COND.iter().find(|row| Some(row.0) == first)?;
                self.opcode |= code;
            }
            "u" => self.opcode |= size(first?.strip_prefix('u')?)?,
            "a" => self.opcode |= size(first?.strip_prefix('u').filter(|bits| ["32", "64"].contains(bits))?)?,
            "x" => self.opcode |= size(first?.strip_prefix('s').filter(|bits| *bits != "64")?)?,
            "m" => {
                self.offset = first?.strip_prefix('s')?.parse().ok().filter(|bits| [8, 16, 32].contains(bits))?
            }
            "I" => {
                let (used, value) = number(rest)?;
                self.imm = i32::try_from(value).ok()?;
                return Some(used);
            }
            "V" => {
                let (used, value) = number(rest)?;
                let value = i64::try_from(value).or_else(|_| u64::try_from(value).map(u64::cast_signed)).ok()?;
                self.imm = value as i32;
                self.second = Some((value >> 32) as i32);
                return Some(used);
            }
            "O" => {
                let (used, value) = match first {
                    Some("+") => (2, number(rest.get(1..)?)?.1),
                    Some("-") => (2, -number(rest.get(1..)?)?.1),
                    _ => return Some(0),
                };
                self.offset = i16::try_from(value).ok()?;
                return Some(used);
            }
            "T" | "L" => return self.jump_target(kind == "L", rest),
            _ => unreachable!("the table has no operand `{kind}`"),
        }
        Some(1)
    }

    fn jump_target(&mut self, in_imm: bool, rest: &[&'a str]) -> Option<usize> {
        let first = *rest.first()?;
        let sign = match first {
            "+" => 1,
            "-" => -1,
            label if label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') => {
                self.target = Some(Target { label, in_imm });
                return Some(1);
            }
            _ => return None,
        };
        let distance = sign * number(rest.get(1..)?)?.1;
        if in_imm {
            self.imm = i32::try_from(distance).ok()?;
        } else {
            self.offset = i16::try_from(distance).ok()?;
        }
        Some(2)
    }
}

fn register(letter: char, token: &str) -> Option<u8> {
    let number = token.strip_prefix(letter)?;
    number.parse().ok().filter(|register| *register <= 11 && !number.starts_with('+'))
}

fn size(bits: &str) -> Option<u8> {
    SIZES.iter().find(|row| row.0 == bits).map(|row| row.1)
}

/// A decimal or hexadecimal number with an optional minus: the tokens it takes, and its value.
fn number(tokens: &[&str]) -> Option<(usize, i128)> {
    let (used, sign, digits) = match *tokens.first()? {
        "-" => (2, -1, *tokens.get(1)?),
        digits => (1, 1, digits),
    };
    let value = match digits.strip_prefix("0x") {
        Some(hex) => i128::from_str_radix(hex, 16).ok()?,
        None if digits.starts_with(|c: char| c.is_ascii_digit()) => digits.parse().ok()?,
        None => return None,
    };
    Some((used, sign * value))
}
