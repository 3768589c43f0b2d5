//! What `parse` makes of one object of `fixtures/parse`, as text: functions, imports, symbols, relocations.

use bpf2native::Program;
use bpf2native::parse::{Input, Options, parse};
use object::write::{Object, Relocation, StandardSection};
use object::{Architecture, BinaryFormat, Endianness, RelocationFlags};

use crate::parsed::{check, code, data, functions, input, names, program};

/// clang's calls and data of all kinds; the big-endian object is the same program.
#[test]
fn statics_of_clang() {
    for object in ["statics.clang19.o", "statics.clang22.o", "statics.clang19eb.o"] {
        let program = program(&[object]);
        check(
            &functions(&program),
            "shared: .text 0x0..0x50 global taken
             local: .text 0x50..0x78 local taken
             main: .text 0x78..0x208 global
             away: other 0x0..0xd8 global",
        );
        check(
            &code(&program),
            ".text 0x0: data .bss
             .text 0x20: data .data
             .text 0x50: data .bss
             .text 0x80: import perhaps
             .text 0x98: import perhaps
             .text 0xc0: fn shared
             .text 0xc8: data .data+0x20
             .text 0xe8: fn local
             .text 0x128: data .data+0x40
             .text 0x150: weak chosen
             .text 0x180: data .rodata
             .text 0x1a8: import stdout
             .text 0x1c0: data .data+0x10
             .text 0x1d8: data .data+0x8
             .text 0x1f8: import printf
             other 0x8: fn local
             other 0x20: fn shared
             other 0x28: data .data+0x20
             other 0x48: fn local
             other 0x80: data .data+0x40
             other 0xa8: weak chosen",
        );
        check(
            &data(&program),
            ".data: Data, 104 bytes, align 8
             0x8: data .data+0x4c
             0x10: data .data
             0x20: fn local
             0x28: fn shared
             0x30: import printf
             0x38: import stdout
             .rodata.str1.1: ReadOnly, 8 bytes, align 1
             .rodata: ReadOnly, 16 bytes, align 8
             0x0: data .rodata.str1.1
             0x8: data .rodata.str1.1+0x4
             .bss: Data, 4 zeros, align 4",
        );
    }
}

/// Without local symbols, functions are found by who calls them.
#[test]
fn statics_without_local_symbols() {
    check(
        &functions(&program(&["statics.nolocals.o"])),
        "shared: .text 0x0..0x50 global taken
         .text+0x50: .text 0x50..0x78 local taken
         main: .text 0x78..0x208 global
         away: other 0x0..0xd8 global",
    );
}

/// bpf-gcc's calls and data: relocation numbers and addends of its own, in both byte orders.
#[test]
fn statics_of_gcc() {
    for object in ["statics.gcc.o", "statics.gcceb.o"] {
        let program = program(&[object]);
        check(
            &functions(&program),
            "local: .text 0x0..0x30 local taken
             shared: .text 0x30..0x88 global taken
             main: .text 0x88..0x188 global
             away: other 0x0..0xf8 global",
        );
        check(
            &data(&program),
            ".data: Data, 104 bytes, align 8
             0x0: import stdout
             0x8: import printf
             0x10: fn local
             0x18: fn shared
             0x28: data .data+0x38
             0x30: data .data+0x48
             .bss: Data, 4 zeros, align 4
             .rodata.str1.1: ReadOnly, 8 bytes, align 1
             .rodata: ReadOnly, 16 bytes, align 8
             0x0: data .rodata.str1.1
             0x8: data .rodata.str1.1+0x4",
        );
    }
}

/// The assembler of binutils 2.40 has symbols' values in the fields.
#[test]
fn binutils() {
    for object in ["binutils.o", "binutils_eb.o"] {
        let program = program(&[object]);
        check(
            &functions(&program),
            "main: .text 0x8..0x98 global taken
             weak_function: .text 0x98..0xa0 weak taken
             local: .text 0xa0..0xa8 local
             other+0x0: other 0x0..0x8 local
             elsewhere: other 0x8..0x10 local",
        );
        check(
            &code(&program),
            ".text 0x8: data .data+0x28
             .text 0x18: data .data+0x30
             .text 0x28: weak weak_datum
             .text 0x38: fn main
             .text 0x48: import external-0x8
             .text 0x58: import external+0x123456789
             .text 0x68: fn main
             .text 0x70: fn weak_function
             .text 0x80: fn elsewhere
             .text 0x88: import external_function",
        );
        check(
            &data(&program),
            ".data: Data, 64 bytes, align 1
             0x0: data .data+0x28
             0x8: data .data+0x38
             0x10: fn main
             0x18: fn weak_function
             0x20: import external
             0x28: weak weak_datum
             0x30: weak weak_datum+0x8
             0x38: data .data+0x38",
        );
    }
}

/// Hand-written assembly: what is a function and what a label is seen from how the code flows.
#[test]
fn assembly() {
    let program = program(&["assembly.o"]);
    check(
        &functions(&program),
        ".text+0x0: .text 0x0..0x10 local
         main: .text 0x10..0x78 global
         helper: .text 0x78..0x88 local taken
         uncalled: .text 0x88..0x98 local taken
         two_entries: .text 0x98..0xb0 global
         second_entry: .text 0xa0..0xb0 global
         other+0x0: other 0x0..0x10 local
         outside: other 0x10..0x20 local",
    );
    check(
        &code(&program),
        ".text 0x30: fn outside
         .text 0x38: fn helper
         .text 0x48: fn uncalled
         .text 0x58: import external-0x8",
    );
    check(
        &data(&program),
        ".data: Data, 52 bytes, align 1
         0x8: label .text+0x18
         0x10: data .data-0x8
         0x18: import external-0x10
         0x2c: weak replaceable+0x8",
    );
}

/// Each jump table is a section that belongs to the code section with its user; labels of a computed goto stay labels.
#[test]
fn jump_tables() {
    let program = program(&["jump_tables.clang22.o"]);
    check(
        &data(&program),
        ".rodata: ReadOnly, 24 bytes, align 8
         0x0: label .text+0x740
         0x8: label .text+0x750
         0x10: label .text+0x768
         .init_array.200: Constructors(Some(200)), 8 bytes, align 8
         0x0: fn early
         .init_array: Constructors(None), 8 bytes, align 8
         0x0: fn late
         .fini_array: Destructors(None), 8 bytes, align 8
         0x0: fn after
         BPF.JT.0.0: JumpTable(code0), 120 bytes, align 8
         BPF.JT.1.0: JumpTable(code0), 120 bytes, align 8
         BPF.JT.2.0: JumpTable(code1), 120 bytes, align 8",
    );
    // The tables' names are global and the same in every object.
    let twice = parse(
        &[
            input("jump_tables.clang22.o"),
            Input { name: "b.o".to_owned(), bytes: input("jump_tables.clang22.o").bytes },
        ],
        &Options::default(),
    );
    let duplicates = twice.map(|_| ()).unwrap_err().to_string();
    assert!(!duplicates.contains("BPF.JT") && duplicates.contains("`third`"), "{duplicates}");
}

/// `.ctors` run from the last to the first.
#[test]
fn constructors() {
    check(
        &data(&program(&["constructors.o"])),
        ".ctors: Constructors(None), 16 bytes, align 8
         0x0: fn late
         0x8: fn later
         .ctors.65335: Constructors(Some(200)), 8 bytes, align 8
         0x0: fn early
         .dtors: Destructors(None), 8 bytes, align 8
         0x0: fn after",
    );
}

#[test]
fn kernel() {
    let program = program(&["kernel.o"]);
    check(
        &functions(&program),
        "subprogram: .text 0x0..0x78 local
         drop: xdp 0x0..0x38 global
         pass: tc 0x0..0x88 global",
    );
    check(
        &names(&program),
        "counts: kernel.o .maps+0x0, 32 bytes
         level: kernel.o .rodata+0x0, 4 bytes
         legacy: kernel.o maps+0x0, 16 bytes
         licence: kernel.o license+0x0, 4 bytes
         kernel_version: kernel.o version+0x0, 4 bytes
         import kernel_function: Function, kernel.o
         import kernel_variable: Data, kernel.o
         map counts: .maps+0x0
         map legacy: maps+0x0",
    );
}

/// A function without instructions is the next one under another name, or traps if there is none.
#[test]
fn unreachable() {
    let program = program(&["unreachable.o"]);
    check(
        &functions(&program),
        "main: .text 0x0..0x10 global taken alias before
         last: .text 0x10..0x18 global taken
         alone: apart 0x0..0x8 global taken",
    );
    let main = &program.functions[program.function_named("main").unwrap()];
    assert_eq!(main.prototype.as_ref().unwrap().declare("main"), "int main(int, char **)");
    assert!(program.code.iter().all(|(_, code)| code.bytes.ends_with(&[0x05, 0, 1, 0, 0, 0, 0, 0])));
}

#[test]
fn maps_without_programs() {
    let program = program(&["maps.o"]);
    check(
        &names(&program),
        "counts: maps.o .maps+0x0, 32 bytes
         map counts: .maps+0x0",
    );
}

/// LLVM to 12 has one number for pointers in data and in instructions, and one for calls and 4-byte fields.
#[test]
fn old_relocation_numbers() {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    let text = object.section_id(StandardSection::Text);
    let place = object.section_id(StandardSection::Data);
    object.append_section_data(text, &[0x95, 0, 0, 0, 0, 0, 0, 0], 8);
    object.append_section_data(place, &[0; 16], 8);
    object.append_section_data(place, &[8, 0, 0, 0, 0, 0, 0, 0], 8);
    let symbol = object.section_symbol(place);
    let flags = RelocationFlags::Elf { r_type: 1 };
    object.add_relocation(place, Relocation { offset: 16, symbol, addend: 8, flags }).unwrap();
    let program = Program::from_bytes("old.o", &object.write().unwrap()).unwrap();
    check(
        &data(&program),
        ".data: Data, 24 bytes, align 8
         0x10: data .data+0x8",
    );
}
