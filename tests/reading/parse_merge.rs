//! What `parse` makes of several objects and archives of `fixtures/parse`, of what is none, and of types.

use bpf2native::Program;
use bpf2native::btf::Btf;
use bpf2native::parse::{Input, Options, parse};

use crate::parsed::{check, code, data, error, functions, names, program};

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
    assert!(fitted.warnings.iter().all(|warning| warning.text().starts_with("core.o: section `raw_tp/x` at ")));
    assert!(fitted.warnings[1].text().contains("is not in the target"), "{:?}", fitted.warnings);

    options.btf = Some(Btf::from_file_bytes(&bytes("core_target.be.o")).unwrap());
    let error = parse(&inputs, &options).map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        error,
        "core.o: does not fit the given BTF; translate without it to keep the values that were compiled in"
    );
}
