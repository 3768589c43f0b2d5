//! Parsing the text of instructions: mnemonics, operands, numbers, and their positions.
//!
//! Offsets of text are bytes from the start of the instruction's text.

use std::ops::Range;

use super::{FrameBase, FrameOperand, Reference};

/// The mnemonic, and where the operands start.
pub(crate) fn split(text: &str) -> (&str, usize) {
    match text.find(' ') {
        Some(at) => (&text[..at], at + 1),
        None => (text, text.len()),
    }
}

/// The operands that start at `from`, by the commas outside of parentheses and brackets.
pub(crate) fn operands(text: &str, from: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut depth) = (from, 0);
    for (at, byte) in text.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b',' if depth == 0 => {
                ranges.push(trimmed(text, start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < text.len() {
        ranges.push(trimmed(text, start..text.len()));
    }
    ranges
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

/// A number as capstone spells it: `12`, `0x1f`, `-0x10`, with `#` before it on aarch64.
pub(crate) fn number(text: &str) -> Option<i64> {
    let text = text.strip_prefix('#').unwrap_or(text);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()? as i64,
        None => digits.parse().ok()?,
    };
    Some(if negative { value.wrapping_neg() } else { value })
}

/// The last operand as an address: absolute, or relative to `base`.
pub(crate) fn address(text: &str, operands: &[Range<usize>], base: i64) -> Option<Reference> {
    let span = operands.last()?.clone();
    let offset = number(&text[span.clone()])?.checked_add(base)?;
    Some(Reference { offset: Some(offset), span })
}

/// A frame operand from the names of its registers and the displacement's text; an empty one is 0.
pub(crate) fn frame(register: &str, stack: &str, frame: &str, displacement: &str) -> Option<FrameOperand> {
    let base = match register {
        name if name == stack => FrameBase::Stack,
        name if name == frame => FrameBase::Frame,
        _ => return None,
    };
    let offset = if displacement.is_empty() { 0 } else { number(displacement)? };
    Some(FrameOperand { base, offset })
}

/// `displacement(registers)` at its two parts.
pub(crate) fn based(operand: &str) -> Option<(&str, &str)> {
    let (displacement, registers) = operand.split_once('(')?;
    Some((displacement, registers.strip_suffix(')')?))
}
