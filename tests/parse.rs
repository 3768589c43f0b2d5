//! What `parse` makes of the objects in `fixtures/parse`, as text: functions, imports, symbols, relocations.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::PathBuf;

use bpf2native::btf::Btf;
use bpf2native::parse::{Input, Options, parse};
use bpf2native::program::{Binding, Contents, Program, Target, Visibility};
use object::write::{Object, Relocation, StandardSection};
use object::{Architecture, BinaryFormat, Endianness, RelocationFlags};

fn input(name: &str) -> Input {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/parse").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Input { name: name.to_owned(), bytes }
}

fn program(names: &[&str]) -> Program {
    let inputs: Vec<Input> = names.iter().map(|name| input(name)).collect();
    parse(&inputs, &Options::default()).unwrap_or_else(|error| panic!("{names:?}: {error}"))
}

fn error(names: &[&str]) -> String {
    let inputs: Vec<Input> = names.iter().map(|name| input(name)).collect();
    parse(&inputs, &Options::default()).map(|_| ()).unwrap_err().to_string()
}

/// `actual` has the lines of `expected`, in order, blanks at their starts aside.
#[track_caller]
fn check(actual: &str, expected: &str) {
    let lines =
        |text: &str| text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    let (actual, expected) = (lines(actual), lines(expected));
    assert!(actual == expected, "{}", similar::TextDiff::from_lines(&expected, &actual).unified_diff());
}

fn target(program: &Program, target: Target) -> String {
    let plus = |number: i64| match number {
        0 => String::new(),
        1.. => format!("+{number:#x}"),
        _ => format!("-{:#x}", number.unsigned_abs()),
    };
    match target {
        Target::Function(id) => format!("fn {}", program.functions[id].name),
        Target::Label { section, offset } => format!("label {}+{offset:#x}", program.code[section].name),
        Target::Data { section, offset } => format!("data {}{}", program.data[section].name, plus(offset)),
        Target::Symbol { symbol, addend } => format!("weak {}{}", program.symbols[symbol].name, plus(addend)),
        Target::Import { import, addend } => format!("import {}{}", program.imports[import].name, plus(addend)),
        Target::Absolute(number) => format!("number {number:#x}"),
    }
}

fn functions(program: &Program) -> String {
    let mut text = String::new();
    for (_, function) in program.functions.iter() {
        let section = &program.code[function.section];
        let binding = match function.binding {
            Binding::Local => "local",
            Binding::Global => "global",
            Binding::Weak => "weak",
        };
        let hidden = if function.visibility == Visibility::Hidden { " hidden" } else { "" };
        let taken = if function.address_taken { " taken" } else { "" };
        let (name, start, end) = (&function.name, function.start, function.end);
        write!(text, "{name}: {} {start:#x}..{end:#x} {binding}{hidden}{taken}", section.name).unwrap();
        for (alias, ..) in &function.aliases {
            write!(text, " alias {alias}").unwrap();
        }
        text.push('\n');
    }
    text
}

fn code(program: &Program) -> String {
    let mut text = String::new();
    for (_, section) in program.code.iter() {
        for relocation in &section.relocations {
            writeln!(text, "{} {:#x}: {}", section.name, relocation.offset, target(program, relocation.target))
                .unwrap();
        }
    }
    text
}

fn data(program: &Program) -> String {
    let mut text = String::new();
    for (_, section) in program.data.iter() {
        let kind = match &section.contents {
            Contents::Bytes(bytes) => format!("{:?}, {} bytes", section.kind, bytes.len()),
            Contents::Zeros(size) => format!("{:?}, {size} zeros", section.kind),
        };
        writeln!(text, "{}: {kind}, align {}", section.name, section.align).unwrap();
        for relocation in &section.relocations {
            writeln!(text, "{:#x}: {}", relocation.offset, target(program, relocation.target)).unwrap();
            let Contents::Bytes(bytes) = &section.contents else { panic!("zeros have no relocations") };
            let field = &bytes[relocation.offset as usize..][..8];
            assert_eq!(field, [0; 8], "the addend is still in {}", section.name);
        }
    }
    text
}

fn names(program: &Program) -> String {
    let mut text = String::new();
    for (_, symbol) in program.symbols.iter() {
        let section = &program.data[symbol.section];
        let hidden = if symbol.visibility == Visibility::Hidden { " hidden" } else { "" };
        let weak = if symbol.binding == Binding::Weak { " weak" } else { "" };
        let file = &program.files[section.file];
        let (name, offset, size) = (&symbol.name, symbol.offset, symbol.size);
        writeln!(text, "{name}: {file} {}+{offset:#x}, {size} bytes{weak}{hidden}", section.name).unwrap();
    }
    for (_, import) in program.imports.iter() {
        let weak = if import.weak { " weak" } else { "" };
        let files: Vec<&str> = import.files.iter().map(|&file| program.files[file].as_str()).collect();
        writeln!(text, "import {}: {:?}{weak}, {}", import.name, import.kind, files.join(" ")).unwrap();
    }
    for map in &program.maps {
        writeln!(text, "map {}: {}+{:#x}", map.name, program.data[map.section].name, map.offset).unwrap();
    }
    text
}

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
            ".text+0x0: .text 0x0..0x8 local
             main: .text 0x8..0x98 global taken
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

/// Weak, COMMON, hidden and undefined names of two objects. The weak function that gave way is no function.
#[test]
fn merge() {
    let program = program(&["merge_a.o", "merge_b.o"]);
    check(
        &functions(&program),
        "same_name: .text 0x0..0x18 local taken
         main: .text 0x28..0x120 global
         same_name: .text 0x0..0x18 local taken
         weak_function: .text 0x18..0x30 global
         strong_in_b: .text 0x30..0x40 global
         from_b: .text 0x40..0x98 global",
    );
    check(
        &code(&program),
        ".text 0x28: data COMMON
         .text 0x40: fn from_b
         .text 0x48: weak both_weak
         .text 0x68: data .data+0x4
         .text 0x88: data .data+0x8
         .text 0xa8: data .data+0xc
         .text 0xd0: fn weak_function
         .text 0xe8: import nowhere
         .text 0x100: fn strong_in_b
         .text 0x48: data .data+0x10
         .text 0x80: import nowhere",
    );
    check(
        &names(&program),
        "both_weak: merge_a.o .data+0x0, 4 bytes weak
         pointer_a: merge_a.o .data+0x8, 8 bytes
         pointer_b: merge_b.o .data+0x10, 8 bytes
         weak_here: merge_b.o .data+0x4, 4 bytes
         only_b: merge_b.o .data+0x8, 4 bytes
         hidden_in_a: merge_b.o .data+0xc, 4 bytes hidden
         common_small: merge_b.o COMMON+0x0, 8 bytes
         import nowhere: Function, merge_a.o merge_b.o",
    );
}

/// Groups: one copy of each inline function, inline variable and vtable.
#[test]
fn comdat() {
    let program = program(&["comdat_a.o", "comdat_b.o"]);
    check(
        &functions(&program),
        "main: .text 0x0..0x60 global
         _Z6sharedi: .text._Z6sharedi 0x0..0x28 weak
         _ZNK5Shape4areaEv: .text._ZNK5Shape4areaEv 0x0..0x10 weak taken
         _Z5otherRK5Shape: .text 0x0..0x70 global",
    );
    check(
        &code(&program),
        ".text 0x0: weak _ZTV5Shape
         .text 0x28: fn _Z6sharedi
         .text 0x48: fn _Z5otherRK5Shape
         .text._Z6sharedi 0x0: weak counter
         .text 0x10: fn _Z6sharedi
         .text 0x48: weak counter",
    );
    check(
        &data(&program),
        ".rodata._ZTV5Shape: ReadOnly, 24 bytes, align 8
         0x8: weak _ZTI5Shape
         0x10: fn _ZNK5Shape4areaEv
         .rodata._ZTS5Shape: ReadOnly, 7 bytes, align 1
         .rodata._ZTI5Shape: ReadOnly, 16 bytes, align 8
         0x0: import _ZTVN10__cxxabiv117__class_type_infoE+0x10
         0x8: weak _ZTS5Shape
         .data.counter: Data, 4 bytes, align 4",
    );
}

/// `one` is needed, and needs `two`, which stands before it; a weak reference takes no member; a text is no object.
#[test]
fn archive() {
    let program = program(&["archive_user.o", "library.a"]);
    check(
        &functions(&program),
        "main: .text 0x0..0x58 global
         one: .text 0x0..0x18 global
         two: .text 0x0..0x18 global",
    );
    check(
        &names(&program),
        "missing_only_here: library.a(member_two.o) .bss+0x0, 4 bytes
         import missing: Function weak, archive_user.o",
    );
}

/// All duplicates at once, and each error with its cure.
#[test]
fn errors() {
    check(
        &error(&["merge_a.o", "merge_b.o", "duplicate.o"]),
        "`main` is defined in merge_a.o and again in duplicate.o; make one of them static or weak
         `only_b` is defined in merge_b.o and again in duplicate.o; make one of them static or weak",
    );
    check(
        &error(&["relinked.o"]),
        "relinked.o: section `.text` at 0x1f0: relocation of type 10 to `main` is a call without its function's value \
         in place, as `bpf-ld -r` leaves it; give the objects that it linked",
    );
    check(
        &error(&["statics.stripped.o"]),
        "statics.stripped.o: section `.text` has calls whose relocations were stripped; strip with -g only",
    );
    check(
        &error(&["thin.a"]),
        "thin.a: is a thin archive, which has no members in it; make it without `T`: `llvm-ar rcs`",
    );
    check(
        &error(&["library.a"]),
        "library.a: no member defines `main`; give the object that needs the archive too",
    );
    check(
        &error(&["statics.clang19.o", "statics.clang19eb.o"]),
        "`statics.clang19.o` is little-endian and `statics.clang19eb.o` is big-endian; compile all with the same \
         `-target bpfel` or `-target bpfeb`",
    );
}

/// Files that are no BPF objects: first bytes, and what is said of them.
#[test]
fn other_files() {
    let elf = |class: u8, kind: u8, machine: u8| {
        let mut head = b"\x7fELF\0\x01\x01".to_vec();
        head[4] = class;
        head.resize(64, 0);
        (head[16], head[18]) = (kind, machine);
        head
    };
    let cases: [(Vec<u8>, &str); 12] = [
        (b"".to_vec(), "is empty; the compiler may have failed: compile it again"),
        (b"BC\xC0\xDE....".to_vec(), "is LLVM bitcode; compile without -flto, and Rust with `bpf-linker`"),
        (b"\xDE\xC0\x17\x0B....".to_vec(), "is LLVM bitcode; compile without -flto, and Rust with `bpf-linker`"),
        (b"\xCF\xFA\xED\xFE".to_vec(), "is a Mach-O file; compile with `clang -target bpf -c`"),
        (b"MZ".to_vec(), "is a PE file; compile with `clang -target bpf -c`"),
        (b"\0asm".to_vec(), "is a WebAssembly module; compile with `clang -target bpf -c`"),
        (b"int main;".to_vec(), "is not an object or an archive; compile with `clang -target bpf -c`"),
        (elf(1, 1, 247), "is a 32-bit ELF file; compile with `clang -target bpf`, which makes 64-bit ones"),
        (elf(2, 1, 62), "is for x86-64, not for BPF; compile with `clang -target bpf`, or with `bpf-gcc`"),
        (elf(2, 3, 247), "is a shared object; give the objects that it was linked from"),
        (
            elf(2, 1, 247),
            "no code and no data in it; give objects with functions, compiled with `clang -target bpf -c`",
        ),
        (elf(2, 1, 247)[..20].to_vec(), "is damaged: it ends inside the ELF header; make it again"),
    ];
    for (bytes, expected) in cases {
        let error = Program::from_bytes("x", &bytes).map(|_| ()).unwrap_err().to_string();
        assert_eq!(error, format!("x: {expected}"));
    }
}

/// Raw instructions: `main`, and what it calls.
#[test]
fn instructions() {
    const CALL: [u8; 8] = [0x85, 0x10, 0, 0, 1, 0, 0, 0];
    const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];
    let program = Program::from_instructions("x", &[CALL, EXIT, EXIT].concat()).unwrap();
    check(
        &functions(&program),
        "main: .text 0x0..0x10 global
         .text+0x10: .text 0x10..0x18 local",
    );
    let error = Program::from_instructions("x", &EXIT[..7]).map(|_| ()).unwrap_err().to_string();
    assert_eq!(error, "x: has 7 bytes; instructions are 8 bytes each, and there must be at least one");
}

/// BTF gives functions and imports their types, and code its source lines.
#[test]
fn types_and_lines() {
    for object in ["statics.clang19.o", "statics.clang22.o", "statics.clang19eb.o"] {
        let program = program(&[object]);
        let functions = program.functions.iter().map(|(_, function)| (&function.name, &function.prototype));
        let imports = program.imports.iter().map(|(_, import)| (&import.name, &import.prototype));
        let declarations: String = functions
            .chain(imports)
            .map(|(name, prototype)| match prototype {
                Some(prototype) => format!("{}\n", prototype.declare(name)),
                None => format!("{name}\n"),
            })
            .collect();
        check(
            &declarations,
            "int shared(int)
             int local(int)
             int main(int, char **)
             int away(int)
             int perhaps(void)
             stdout
             int printf(const char *, ...)",
        );
        let (text, code) = program.code.iter().next().unwrap();
        assert_eq!(code.name, ".text");
        let line = program.line(text, 8).unwrap();
        assert_eq!((&*line.file, line.line, line.column), ("./statics.c", 24, 13));
        assert_eq!(line.text.trim(), "counter = a;");
    }
}

/// With a target's types, the code is that of `Relocator`; without, it is as compiled.
#[test]
fn core_relocations() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/btf/");
    let bytes = |name: &str| std::fs::read(format!("{folder}{name}")).unwrap();
    let mut options = Options::default();
    let inputs = [Input { name: "core.o".to_owned(), bytes: bytes("core.o") }];
    let plain = parse(&inputs, &options).unwrap();
    assert!(plain.warnings.is_empty());
    options.btf = Some(Btf::from_file_bytes(&bytes("core_target.o")).unwrap());
    let fitted = parse(&inputs, &options).unwrap();
    let code = |program: &Program| program.code.iter().map(|(_, code)| code.bytes.clone()).collect::<Vec<_>>();
    assert_ne!(code(&plain), code(&fitted));
    assert!(fitted.warnings.iter().all(|warning| warning.starts_with("core.o: section `raw_tp/x` at ")));
    assert!(fitted.warnings[1].contains("is not in the target"), "{:?}", fitted.warnings);

    options.btf = Some(Btf::from_file_bytes(&bytes("core_target.be.o")).unwrap());
    let error = parse(&inputs, &options).map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        error,
        "core.o: does not fit the given BTF; translate without it to keep the values that were compiled in"
    );
}
