//! A generator of large objects: shapes of code that a pass with more than linear work would show.
//!
//! In: a shape and a number of instructions. Out: an object, or raw instructions in one. The rule: twice the
//! instructions are twice the functions, blocks, edges, symbols and relocations of that shape.

use std::fmt::Write;

use object::elf::{R_BPF_64_32, R_BPF_64_64};
use object::write::{Object, Relocation, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

use super::asm::assemble;
use super::lines;

/// A kind of code, with a generator of about as many instructions as are asked for.
pub struct Shape {
    pub name: &'static str,
    pub make: fn(usize) -> Vec<u8>,
}

/// All shapes.
pub const SHAPES: &[Shape] = &[
    Shape { name: "functions", make: functions },
    Shape { name: "mixed", make: mixed },
    Shape { name: "straight", make: straight },
    Shape { name: "blocks", make: blocks },
    Shape { name: "diamonds", make: diamonds },
    Shape { name: "nested", make: nested },
    Shape { name: "loops", make: loops },
    Shape { name: "rounds", make: rounds },
    Shape { name: "choices", make: choices },
    Shape { name: "chases", make: chases },
    Shape { name: "jump-chain", make: jump_chain },
    Shape { name: "compare-chain", make: compare_chain },
    Shape { name: "jump-table", make: jump_table },
    Shape { name: "dispatches", make: dispatches },
    Shape { name: "divisions", make: divisions },
    Shape { name: "back-edges", make: back_edges },
    Shape { name: "loads", make: loads },
    Shape { name: "frame", make: frame },
    Shape { name: "relocations", make: relocations },
    Shape { name: "symbols", make: symbols },
];

/// One function of this text.
fn one(text: &str) -> Vec<u8> {
    object_of(&[("main".to_owned(), assemble(text).expect("the generator writes valid assembly"))], &[])
}

/// `body` of each number from 0, then `exit`.
fn repeated(count: usize, start: &str, mut body: impl FnMut(&mut String, usize)) -> String {
    let mut text = format!("{start}\n");
    for index in 0..count {
        body(&mut text, index);
    }
    text + "exit\n"
}

macro_rules! put {
    ($text:expr, $($what:tt)*) => { writeln!($text, $($what)*).expect("a string takes all") };
}

/// Functions of 100 instructions, each of which calls a helper; 5,000 of them in 500,000 instructions.
fn functions(instructions: usize) -> Vec<u8> {
    let body = repeated(12, "r6 = r1\nr7 = 0", |text, index| {
        put!(text, "r2 = *(u32 *)(r6 + {})\nif r2 > {index} goto +2\nr7 += r2\nr7 ^= {index}", 4 * index);
        put!(text, "*(u64 *)(r10 - 8) = r7\nr1 = r10\nr1 += -8\nr0 = r7");
    });
    let code = assemble(&body.replace("exit", "call 5\nexit")).expect("the generator writes valid assembly");
    let functions: Vec<_> = (0..instructions / 100).map(|index| (format!("f{index}"), code.clone())).collect();
    object_of(&functions, &[])
}

/// What compilers make of C: arithmetic, loads, stores, forward and backward branches, calls.
fn mixed(instructions: usize) -> Vec<u8> {
    one(&repeated(instructions / 20, "r6 = r1\nr7 = r2\nr8 = 0\nr9 = 1", |text, index| {
        put!(text, "r1 = *(u64 *)(r6 + {})\nr2 = *(u32 *)(r7 + {})", index % 4000 * 8, index % 4000 * 4);
        put!(text, "if r1 == r2 goto other{index}\nr8 += r1\nr8 ^= r2\nr9 *= 3\ngoto both{index}");
        put!(text, "other{index}:\nr8 -= r2\nr9 += r8\nboth{index}:\nr1 = r8\nr2 = r9\nr3 = {index}");
        put!(text, "*(u64 *)(r10 - {}) = r8\ncall 7\nr8 ^= r0\nr3 = 4", index % 60 * 8 + 8);
        put!(text, "again{index}:\nr9 += r3\nr3 -= 1\nif r3 != 0 goto again{index}");
    }))
}

/// An interpreter whose every label ends in a jump to all labels.
fn dispatches(instructions: usize) -> Vec<u8> {
    let count = instructions / 5;
    let mut text = "r0 = 0\nr3 = code_addr(arm0) ll\ngotox r3\n".to_owned();
    for index in 0..count {
        put!(text, "arm{index}:\nr0 += {index}\nr3 = code_addr(arm{}) ll\ngotox r3", (index * 7 + 1) % count);
    }
    put!(text, "exit");
    one(&text)
}

/// Divisions, each of which is a few blocks.
fn divisions(instructions: usize) -> Vec<u8> {
    one(&repeated(instructions / 2, "r0 = r1", |text, index| {
        let register = 2 + index % 4;
        put!(text, "r0 /= r{register}\nr{register} s%= r0");
    }))
}

/// A maze: each block may go back to the one before, so each is in the loops of all before.
fn back_edges(instructions: usize) -> Vec<u8> {
    one(&repeated(instructions / 3, "r0 = 0\nback0:", |text, index| {
        put!(text, "r0 += {index}\nif r1 == {index} goto back{index}\nback{}:", index + 1);
        put!(text, "if r0 == {} goto back{}", index * 7, index.saturating_sub(1));
    }))
}

/// One address, for all loads.
fn loads(instructions: usize) -> Vec<u8> {
    one(&repeated(instructions / 2, "r0 = 0", |text, index| {
        put!(text, "r2 = *(u64 *)(r1 + {})\nr0 += r2", index % 4000 * 8);
    }))
}

/// No branch at all.
fn straight(instructions: usize) -> Vec<u8> {
    one(&repeated(instructions / 4, "r0 = r1", |text, index| {
        put!(text, "r0 += r2\nr3 ^= r0\nr2 = *(u64 *)(r1 + {})\nr0 ^= {index}", index % 4000 * 8);
    }))
}

/// A block for every two instructions, each left for the end as well.
fn blocks(instructions: usize) -> Vec<u8> {
    one(&(repeated(instructions / 2, "r0 = r1", |text, index| {
        put!(text, "r0 += {index}\nif r0 > r2 goto l{index}\nl{index}:");
    })))
}

/// Branches that part and meet again, with values that differ on the two ways.
fn diamonds(instructions: usize) -> Vec<u8> {
    one(&repeated(instructions / 6, "r0 = r1", |text, index| {
        put!(text, "if r{} > r0 goto left{index}\nr3 += r0\nr4 = r3\ngoto meet{index}", 1 + index % 5);
        put!(text, "left{index}:\nr5 -= r2\nr2 = r5\nmeet{index}:");
    }))
}

/// Branches inside of branches, all of which are closed at the end.
fn nested(instructions: usize) -> Vec<u8> {
    let count = instructions / 4;
    let mut text = "r0 = r1\n".to_owned();
    for index in 0..count {
        // Only `gotol` reaches the end.
        put!(text, "if r0 <= {index} goto m{index}\ngotol l{index}\nm{index}:\nr0 += r2");
    }
    for index in (0..count).rev() {
        put!(text, "l{index}:\nr0 ^= {index}");
    }
    one(&(text + "exit\n"))
}

/// Loops, 8 deep, one after the other.
fn loops(instructions: usize) -> Vec<u8> {
    one(&repeated(instructions / 24, "r0 = 0\nr1 = 1", |text, index| {
        (0..8).for_each(|depth| put!(text, "back{index}x{depth}:\nr0 += r1"));
        (0..8).rev().for_each(|depth| {
            put!(text, "r1 += {depth}\nif r1 < r0 goto back{index}x{depth}");
        });
    }))
}

/// Loops of ten rounds, one after the other.
fn rounds(instructions: usize) -> Vec<u8> {
    one(&repeated(instructions / 6, "r0 = 0", |text, index| {
        put!(text, "r2 = 0\nback{index}:\nr3 = *(u64 *)(r1 + 0)\nr0 += r3\nr1 += 8\nr2 += 1");
        put!(text, "if r2 != 10 goto back{index}");
    }))
}

/// Loops that go round as often as a parameter says, one after the other, each with a choice in it.
fn choices(instructions: usize) -> Vec<u8> {
    one(&repeated(instructions / 9, "r0 = 0", |text, index| {
        put!(text, "if r2 == 0 goto after{index}\nr4 = 0\nback{index}:\nr5 = *(u32 *)(r1 + 0)\nr0 ^= r5");
        put!(text, "if r0 & r3 goto odd{index}\nr0 *= 3\nodd{index}:\nr4 += 1\nif r4 != r2 goto back{index}");
        put!(text, "after{index}:");
    }))
}

/// Jumps to jumps, from the end to the start and back.
fn jump_chain(instructions: usize) -> Vec<u8> {
    let count = instructions / 2;
    let mut text = "r0 = 0\ngotol up0\n".to_owned();
    (0..count).rev().for_each(|index| put!(text, "down{index}:\ngotol up{}", index + 1));
    put!(text, "exit");
    (0..count).for_each(|index| put!(text, "up{index}:\ngotol down{index}"));
    put!(text, "up{count}:\nexit");
    one(&text)
}

/// A switch without a table: a comparison for each case.
fn compare_chain(instructions: usize) -> Vec<u8> {
    let count = instructions / 4;
    let mut text = "r0 = 0\n".to_owned();
    // A branch reaches 32,767 instructions, so tests and arms come in groups.
    for group in 0..count.div_ceil(1000) {
        (0..1000).for_each(|case| put!(text, "if r1 == {} goto a{group}x{case}", group * 1000 + case));
        put!(text, "gotol next{group}");
        (0..1000).for_each(|case| put!(text, "a{group}x{case}:\nr0 += {case}\ngotol end"));
        put!(text, "next{group}:");
    }
    one(&(text + "end:\nexit\n"))
}

/// Computed gotos: eight of them, over all the labels whose address is taken.
fn jump_table(instructions: usize) -> Vec<u8> {
    let arms = instructions / 5;
    let text = repeated(arms, "r0 = r1", |text, index| {
        // Each arm has six slots, and the address of the next arm is taken.
        let next = (index + 1) % arms * 48 + 8;
        put!(text, "r1 = {next} ll\nr0 ^= {index}\nr2 += r0");
        put!(text, "{}", if index % (arms / 8).max(1) == 0 { "gotox r1\nr3 += r1" } else { "r3 += r1\nr4 ^= r3" });
    });
    let references: Vec<_> = (0..arms).map(|index| (8 + index as u64 * 48, String::new(), R_BPF_64_64)).collect();
    object_of(&[("main".to_owned(), assemble(&text).expect("the generator writes valid assembly"))], &references)
}

/// A frame of many places, each written and read.
fn frame(instructions: usize) -> Vec<u8> {
    one(&repeated(instructions / 4, "r0 = r1", |text, index| {
        let (here, there) = (index % 4000 * 8 + 8, index * 7 % 4000 * 8 + 8);
        put!(text, "*(u64 *)(r10 - {here}) = r0\nr2 = *(u64 *)(r10 - {there})\nr0 += r2\nr0 ^= {index}");
    }))
}

/// References to undefined symbols, each of which is called and has its address taken.
fn relocations(instructions: usize) -> Vec<u8> {
    let text =
        repeated(instructions / 3, "r6 = r1", |text, _| put!(text, "bytes 85 10 00 00 ff ff ff ff\nr1 = 0 ll"));
    let code = assemble(&text).expect("the generator writes valid assembly");
    let references: Vec<_> = (0..instructions / 3)
        .flat_map(|index| {
            let name = format!("extern{}", index % (instructions / 30).max(1));
            [(8 + index as u64 * 24, name.clone(), R_BPF_64_32), (16 + index as u64 * 24, name, R_BPF_64_64)]
        })
        .collect();
    object_of(&[("main".to_owned(), code)], &references)
}

/// Functions of two instructions, each with a symbol.
fn symbols(instructions: usize) -> Vec<u8> {
    let code = assemble("r0 = 1\nexit").expect("valid");
    let functions: Vec<_> = (0..instructions / 2).map(|index| (format!("f{index}"), code.clone())).collect();
    object_of(&functions, &[])
}

/// An object with these functions, one after the other in `.text`, each instruction on a line of its own, and relocations: where, to what (no name: the
/// section), of which type.
fn object_of(functions: &[(String, Vec<u8>)], references: &[(u64, String, u32)]) -> Vec<u8> {
    let mut elf = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    let section = elf.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    for (name, code) in functions {
        let value = elf.append_section_data(section, code, 8);
        let place = SymbolSection::Section(section);
        add_symbol(&mut elf, name, value, code.len() as u64, SymbolKind::Text, place);
    }
    let mut externs: std::collections::HashMap<&str, SymbolId> = std::collections::HashMap::new();
    for (offset, name, r_type) in references {
        let symbol = match name.as_str() {
            "" => elf.section_symbol(section),
            name => *externs
                .entry(name)
                .or_insert_with(|| add_symbol(&mut elf, name, 0, 0, SymbolKind::Unknown, SymbolSection::Undefined)),
        };
        let flags = RelocationFlags::Elf { r_type: *r_type };
        elf.add_relocation(section, Relocation { offset: *offset, symbol, addend: 0, flags })
            .expect("an ELF relocation without an addend can be added");
    }
    lines::add(&mut elf, ".text", functions.iter().map(|(_, code)| code.len()).sum());
    elf.write().expect("sections, symbols and relocations can be written")
}

fn add_symbol(
    elf: &mut Object<'_>,
    name: &str,
    value: u64,
    size: u64,
    kind: SymbolKind,
    section: SymbolSection,
) -> SymbolId {
    elf.add_symbol(Symbol {
        name: name.as_bytes().to_vec(),
        value,
        size,
        kind,
        scope: SymbolScope::Dynamic,
        weak: false,
        section,
        flags: SymbolFlags::None,
    })
}

/// One loop of many choices and ways back: each loads from where the last choice led.
fn chases(instructions: usize) -> Vec<u8> {
    let start = "r4 = 0\nr3 = 0\nr6 = 0\nhead:\nr3 += 1";
    one(&repeated(instructions / 9, start, |text, index| {
        put!(text, "r5 = r4\nr5 <<= 3\nr5 += r1\nr5 = *(u64 *)(r5 + 0)\nif r5 == {index} goto +1\nr4 = r3");
        put!(text, "if r3 > {index} goto +2\nr6 += 3\ngotol head\nr0 = r6");
    }))
}
