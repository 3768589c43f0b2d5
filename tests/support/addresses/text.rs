//! Ops as assembly, and what makes the result of what they leave behind.

use super::machine::{ARGUMENT, BYTES, Byte, Machine, Sum, Value, loaded};
use super::{Cond, Op, Operand, Place};

fn label(labels: &mut usize) -> String {
    *labels += 1;
    format!("L{labels}")
}

/// Writes ops as assembly.
pub fn write(ops: &[Op], text: &mut String, labels: &mut usize) {
    let operand = |letter: char, src: &Operand| match src {
        Operand::Reg(reg) => format!("{letter}{reg}"),
        Operand::Imm(imm) => imm.to_string(),
    };
    let at = |place: &Place| format!("r{} {:+}", place.base, place.offset).replace('+', "+ ").replace('-', "- ");
    for op in ops {
        let line = match op {
            Op::Alu { op, half, dst, src } => {
                let letter = if *half { 'w' } else { 'r' };
                format!("{letter}{dst} {op} {}", operand(letter, src))
            }
            Op::Constant { dst, value } => format!("r{dst} = {value:#x} ll"),
            Op::Same { reg, scratch, text } => text
                .replace('R', &format!("r{reg}"))
                .replace('S', &format!("r{scratch}"))
                .replace('W', &format!("w{reg}")),
            Op::Load { size, signed, dst, place } => {
                format!("r{dst} = *({}{} *)({})", if *signed { 's' } else { 'u' }, size * 8, at(place))
            }
            Op::Store { size, place, src } => format!("*(u{} *)({}) = {}", size * 8, at(place), operand('r', src)),
            Op::Exchange { src, place } => format!("r{src} = xchg_64({}, r{src})", at(place)),
            Op::Add { src, place, fetch: true } => {
                format!("r{src} = atomic_fetch_add((u64 *)({}), r{src})", at(place))
            }
            Op::Add { src, place, fetch: false } => format!("lock *(u64 *)({}) += r{src}", at(place)),
            Op::CompareExchange { src, place } => format!("r0 = cmpxchg_64({}, r0, r{src})", at(place)),
            Op::Call { callee } => format!("call f{callee}"),
            Op::If { condition, then, otherwise } => {
                let (taken, end) = (label(labels), label(labels));
                let Cond { left, op, right } = condition;
                *text += &format!("if r{left} {op} {} goto {taken}\n", operand('r', right));
                write(otherwise, text, labels);
                *text += &format!("goto {end}\n{taken}:\n");
                write(then, text, labels);
                format!("{end}:")
            }
            Op::Loop { counter, body } => {
                let top = label(labels);
                *text += &format!("{top}:\n");
                write(body, text, labels);
                format!("r{counter} -= 1\nif r{counter} != 0 goto {top}")
            }
        };
        *text += &line;
        text.push('\n');
    }
}

/// Puts all that does not depend on addresses into r0, and leaves no address in the memory argument.
pub fn result(end: &Machine, text: &mut String) {
    let is_shown = |value: Value| match value {
        Value::Sum(sum) if sum.is_number() => Some(""),
        Value::Sum(sum) if sum == Sum::base(0, sum.number) => Some("r1 -= r10\n"),
        _ => None,
    };
    // The registers first: they go into the frame, below what is looked at.
    for reg in 0..10 {
        *text += &match is_shown(end.registers[reg]) {
            Some(_) => format!("*(u64 *)(r10 - {}) = r{reg}\n", 80 + 8 * reg),
            None => String::new(),
        };
    }
    text.push_str("r0 = 1\n");
    let mut shown = |how: &str, at: usize| {
        *text += &format!("r1 = *(u64 *)(r10 - {at})\n{how}r0 *= 31\nr0 += r1\n");
    };
    for (reg, value) in end.registers.iter().enumerate() {
        if let Some(how) = is_shown(*value) {
            shown(how, 80 + 8 * reg);
        }
    }
    for (word, bytes) in end.memory[0].chunks(8).enumerate() {
        if let Some(how) = is_shown(loaded(bytes, false)) {
            shown(how, BYTES - 8 * word);
        }
    }
    text.push_str("r9 = *(u64 *)(r10 - 72)\n");
    for (at, byte) in end.memory[ARGUMENT].iter().enumerate() {
        if !matches!(byte, Byte::Known(_)) {
            *text += &format!("*(u8 *)(r9 + {at}) = 0\n");
        }
    }
}
