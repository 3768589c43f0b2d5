//! Native code: counts of instructions.
//!
//! In: the bytes of a function, and its relocations. Out: [`Measures`].
//!
//! | | this translator's code | foreign code ([`foreign`]) |
//! |---|---|---|
//! | spills, reloads | stores and loads relative to the stack pointer, in the range of the spill slots | all stores and loads relative to the stack pointer or the frame pointer: saved registers (where they are not pushed) and local variables too |
//! | frame | as the code generator reports it | the constants by which the first block moves the stack pointer |

use std::ops::Range;

use super::hash::Hash;
use super::{Measure, Measured, Measures, Want, cost};
use crate::compare::disasm::{Control, Disassembler, FrameBase, Instruction, Shape};
use crate::compare::listing::{Places, Texts, assembly_lines, relocated};

/// Native code from another compiler.
#[derive(Clone, Debug)]
pub struct Foreign<'a> {
    /// Its bytes.
    pub code: &'a [u8],
    /// Ranges of them that are data.
    pub data: &'a [Range<u32>],
    /// Relocations, sorted by offset.
    pub relocations: &'a [ForeignRelocation],
}

/// A relocation in foreign code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignRelocation {
    /// Byte offset in the function.
    pub offset: u32,
    /// The symbol.
    pub name: String,
    /// Whether another object defines it.
    pub is_import: bool,
}

/// Which accesses are to spill slots.
pub(crate) enum Slots<'a> {
    /// Those at these offsets from the stack pointer.
    Range(&'a Range<u32>),
    /// All in the frame.
    Frame,
}

impl Slots<'_> {
    fn has(&self, instruction: &Instruction) -> bool {
        let Some(frame) = instruction.frame else { return false };
        match self {
            Slots::Range(range) => {
                let offset = u32::try_from(frame.offset);
                frame.base == FrameBase::Stack && offset.is_ok_and(|offset| range.contains(&offset))
            }
            Slots::Frame => true,
        }
    }
}

/// Counts the instructions of a function of `size` bytes; `relocated` says which relocation each has.
pub(crate) fn count(
    instructions: &[Instruction],
    size: usize,
    relocated: &[Option<usize>],
    slots: &Slots<'_>,
) -> Measures {
    let of = |test: &dyn Fn(&Instruction) -> bool| {
        instructions.iter().filter(|instruction| test(instruction)).count() as u64
    };
    // A jump to another function is a tail call.
    let is_outside = |index: usize| relocated[index].is_some();
    let tail_calls = instructions
        .iter()
        .enumerate()
        .filter(|&(index, instruction)| instruction.kind == Control::Jump && is_outside(index));
    let tail_calls = tail_calls.count() as u64;
    Measures::from([
        (Measure::Bytes, size as u64),
        (Measure::Insns, of(&|instruction| instruction.kind != Control::Data)),
        (Measure::Spills, of(&|instruction| instruction.stores && slots.has(instruction))),
        (Measure::Reloads, of(&|instruction| instruction.loads && slots.has(instruction))),
        (Measure::Calls, of(&|instruction| instruction.kind == Control::Call) + tail_calls),
        (
            Measure::Branches,
            of(&|instruction| matches!(instruction.kind, Control::Jump | Control::Branch)) - tail_calls,
        ),
        (Measure::Loads, of(&|instruction| instruction.loads)),
        (Measure::Stores, of(&|instruction| instruction.stores)),
        (Measure::Cycles, cost::cycles(instructions, size, is_outside)),
    ])
}

/// Measures a function of another compiler; with the assembly, if texts are wanted.
pub fn foreign(disassembler: &Disassembler, function: &Foreign<'_>, want: Want) -> Measured {
    let instructions = disassembler.function(function.code, Shape::Foreign(function.data));
    let offsets: Vec<u32> = function.relocations.iter().map(|relocation| relocation.offset).collect();
    let relocated = relocated(&instructions, &offsets);
    let mut measures = count(&instructions, function.code.len(), &relocated, &Slots::Frame);
    let imports = function.relocations.iter().filter(|relocation| relocation.is_import);
    let mut imports: Vec<String> = imports.map(|relocation| relocation.name.clone()).collect();
    imports.sort_unstable();
    imports.dedup();
    measures.insert(Measure::Frame, frame(&instructions));
    measures.insert(Measure::Imports, imports.len() as u64);
    let mut hash = Hash::new();
    hash.part(function.code);
    for relocation in function.relocations {
        hash.number(i64::from(relocation.offset));
        hash.part(relocation.name.as_bytes());
    }
    let texts = (want == Want::Texts).then(|| {
        let names: Vec<String> = function.relocations.iter().map(|relocation| relocation.name.clone()).collect();
        let places = Places { relocated: &relocated, names: &names, size: function.code.len() };
        let lines = assembly_lines(&instructions, &places, |_| None, None);
        Texts { asm: lines.into_iter().map(|line| line.line).collect(), ..Texts::default() }
    });
    Measured { measures, imports, clif: None, code: hash.finish(), texts }
}

/// By how many bytes the first instructions lower the stack pointer, up to the first jump or call.
fn frame(instructions: &[Instruction]) -> u64 {
    let first = instructions.iter().take_while(|instruction| instruction.kind == Control::Plain);
    first.map(|instruction| lowers_stack(&instruction.text)).sum()
}

/// By how many bytes an instruction lowers the stack pointer.
fn lowers_stack(text: &str) -> u64 {
    let (mnemonic, operands) = text.split_once(' ').unwrap_or((text, ""));
    let number = |text: &str| -> Option<i64> {
        let text = text.trim().trim_start_matches(['#', '$']);
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text),
        };
        let value = match digits.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).ok()?,
            None => digits.parse().ok()?,
        };
        Some(sign * value)
    };
    let after = |start: &str| operands.strip_prefix(start).and_then(number);
    let lowered = match mnemonic {
        // x86-64
        "pushq" | "push" => Some(8),
        "subq" => operands.strip_suffix(", %rsp").and_then(number),
        "addq" => operands.strip_suffix(", %rsp").and_then(number).map(|by| -by),
        // aarch64: `sub sp, sp, #0x20`, `stp x29, x30, [sp, #-0x10]!`
        "sub" => after("sp, sp, "),
        "stp" | "str" => operands
            .strip_suffix("]!")
            .and_then(|operands| operands.rsplit_once("[sp, "))
            .and_then(|(_, by)| number(by))
            .map(|by| -by),
        // riscv64
        "addi" => after("sp, sp, ").map(|by| -by),
        "c.addi16sp" | "c.addi" => after("sp, ").map(|by| -by),
        // s390x: `aghi %r15, -0xa0`, `lay %r15, -0xa0(%r15)`
        "aghi" | "agfi" => after("%r15, ").map(|by| -by),
        "lay" => operands
            .strip_suffix("(%r15)")
            .and_then(|operands| operands.strip_prefix("%r15, "))
            .and_then(number)
            .map(|by| -by),
        _ => None,
    };
    lowered.and_then(|by| u64::try_from(by).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::lowers_stack;

    #[test]
    fn prologues_lower_the_stack_pointer() {
        let cases = [
            ("pushq %rbp", 8),
            ("subq $0x28, %rsp", 0x28),
            ("movq %rsp, %rbp", 0),
            ("sub sp, sp, #0x30", 0x30),
            ("stp x29, x30, [sp, #-0x10]!", 16),
            ("stp x29, x30, [sp, #0x10]", 0),
            ("addi sp, sp, -0x20", 0x20),
            ("c.addi16sp sp, -0x40", 0x40),
            ("aghi %r15, -0xa0", 0xa0),
            ("lay %r15, -0xa8(%r15)", 0xa8),
        ];
        for (text, expected) in cases {
            assert_eq!(lowers_stack(text), expected, "{text}");
        }
    }
}
