//! Tells what a file is by its first bytes, and refuses what is not a BPF object or an archive.
//!
//! In: the bytes of one file. Out: [`InputKind`], or an error that says how to compile instead.

use object::elf;

use super::error::ParseError;

/// What can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InputKind {
    /// A relocatable 64-bit ELF file for BPF.
    Object,
    /// A `!<arch>` archive.
    Archive,
}

const BITCODE: &str = "compile without -flto, and Rust with `bpf-linker`";
const COMPILE_FOR_BPF: &str = "compile with `clang -target bpf -c`";

/// Formats that are met by mistake: the magic bytes, the name, the cure.
const OTHER_FORMATS: &[(&[u8], &str, &str)] = &[
    (b"BC\xC0\xDE", "LLVM bitcode", BITCODE),
    (b"\xDE\xC0\x17\x0B", "LLVM bitcode", BITCODE),
    (b"\x0B\x17\xC0\xDE", "LLVM bitcode", BITCODE),
    (b"!<thin>\n", "a thin archive, which has no members in it", "make it without `T`: `llvm-ar rcs`"),
    (b"<bigaf>\n", "an AIX archive", COMPILE_FOR_BPF),
    (b"\xFE\xED\xFA\xCE", "a Mach-O file", COMPILE_FOR_BPF),
    (b"\xFE\xED\xFA\xCF", "a Mach-O file", COMPILE_FOR_BPF),
    (b"\xCE\xFA\xED\xFE", "a Mach-O file", COMPILE_FOR_BPF),
    (b"\xCF\xFA\xED\xFE", "a Mach-O file", COMPILE_FOR_BPF),
    (b"\xCA\xFE\xBA\xBE", "a universal Mach-O file", COMPILE_FOR_BPF),
    (b"MZ", "a PE file", COMPILE_FOR_BPF),
    (b"\0asm", "a WebAssembly module", COMPILE_FOR_BPF),
    (b"\x64\x86", "a COFF object", COMPILE_FOR_BPF),
    (b"\x4C\x01", "a COFF object", COMPILE_FOR_BPF),
    (b"\x64\xAA", "a COFF object", COMPILE_FOR_BPF),
    (b"; ModuleID", "LLVM assembly", "compile it with `llc -march=bpf -filetype=obj`"),
    (b"#!", "a script", "give the object that it makes"),
];

/// Names of machines whose objects are given by mistake.
const MACHINES: &[(u16, &str)] = &[
    (elf::EM_386, "i386"),
    (elf::EM_X86_64, "x86-64"),
    (elf::EM_ARM, "Arm"),
    (elf::EM_AARCH64, "AArch64"),
    (elf::EM_RISCV, "RISC-V"),
    (elf::EM_S390, "s390"),
    (elf::EM_PPC, "PowerPC"),
    (elf::EM_PPC64, "PowerPC64"),
    (elf::EM_MIPS, "MIPS"),
    (elf::EM_SPARCV9, "SPARC V9"),
    (elf::EM_LOONGARCH, "LoongArch"),
    (263, "Solana SBF"),
];

/// Says what `bytes`, the contents of `file`, are.
pub(super) fn classify(file: &str, bytes: &[u8]) -> Result<InputKind, ParseError> {
    let format = |format, cure| ParseError::Format { file: file.to_owned(), format, cure };
    if bytes.starts_with(b"!<arch>\n") {
        return Ok(InputKind::Archive);
    }
    if bytes.starts_with(&elf::ELFMAG) {
        return check_elf(file, bytes).map(|()| InputKind::Object);
    }
    if bytes.is_empty() {
        return Err(format("empty", "the compiler may have failed: compile it again"));
    }
    let known = OTHER_FORMATS.iter().find(|(magic, ..)| bytes.starts_with(magic));
    let (what, cure) =
        known.map_or(("not an object or an archive", COMPILE_FOR_BPF), |&(_, what, cure)| (what, cure));
    Err(format(what, cure))
}

/// Whether `bytes` look like an object of some kind, BPF or not; an archive may hold other files too.
pub(super) fn is_object(bytes: &[u8]) -> bool {
    bytes.starts_with(&elf::ELFMAG) || OTHER_FORMATS.iter().any(|(magic, ..)| bytes.starts_with(magic))
}

/// Checks the identification and the head of an ELF file.
fn check_elf(file: &str, bytes: &[u8]) -> Result<(), ParseError> {
    let format = |format, cure| ParseError::Format { file: file.to_owned(), format, cure };
    let Some(head) = bytes.get(..64) else {
        return Err(ParseError::Damaged {
            file: file.to_owned(),
            what: "it ends inside the ELF header".to_owned(),
        });
    };
    let half = |at: usize| {
        let field = [head[at], head[at + 1]];
        if head[5] == elf::ELFDATA2MSB { u16::from_be_bytes(field) } else { u16::from_le_bytes(field) }
    };
    let (kind, machine) = (half(16), half(18));
    if machine != elf::EM_BPF {
        let known = MACHINES.iter().find(|&&(number, _)| number == machine);
        let machine = known.map_or_else(|| format!("ELF machine {machine}"), |&(_, name)| name.to_owned());
        return Err(ParseError::Machine { file: file.to_owned(), machine });
    }
    if head[4] != elf::ELFCLASS64 {
        return Err(format("a 32-bit ELF file", "compile with `clang -target bpf`, which makes 64-bit ones"));
    }
    match kind {
        elf::ET_REL => Ok(()),
        elf::ET_EXEC => Err(format("a linked executable", "give the objects that it was linked from")),
        elf::ET_DYN => Err(format("a shared object", "give the objects that it was linked from")),
        _ => Err(format("an ELF file that is not relocatable", "compile with -c")),
    }
}
