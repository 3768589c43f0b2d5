//! Exported names of a shared library: a program has copies of its variables, and addresses of its functions, and both
//! sides mean the same ones.
//!
//! A program that is not position independent has the variables of a library in its own memory, where the linker copies
//! them (R_X86_64_COPY and its like), and calls functions through entries of its own, whose addresses are the functions'.

use std::path::Path;
use std::process::Command;

use crate::command::{check, fixture, run};
use crate::translated::object;

/// Tools that are not installed are named.
fn is_there(tool: &str) -> bool {
    let there = Command::new(tool).arg("--version").output().is_ok();
    if !there {
        assert!(std::env::var_os("CI").is_none(), "`{tool}` is not installed");
        eprintln!("left out: `{tool}` is not installed");
    }
    there
}

/// Links the program natively with the library that an object becomes, and runs it.
fn tried(folder: &Path, compiler: &str, emulator: &[&str], flags: &[&str]) {
    let mut command = Command::new(compiler);
    command.current_dir(folder).args(flags).arg(fixture("faults").join("exported_main.c"));
    let (status, _, error) = run(command.args(["libexported.so", "-o", "program", "-Wl,--fatal-warnings"]));
    assert_eq!(status, 0, "{compiler} {flags:?}\n{error}");
    let mut program = match emulator {
        [] => Command::new(folder.join("program")),
        [emulator, arguments @ ..] => {
            let mut program = Command::new(emulator);
            program.args(arguments).arg("./program");
            program
        }
    };
    let (status, _, error) = run(program.current_dir(folder).env("LD_LIBRARY_PATH", folder));
    assert_eq!(status, 0, "{compiler} {flags:?}: the first case that is wrong\n{error}");
}

const KINDS: [&[&str]; 4] = [
    &["-O2", "-fPIE", "-pie"],
    &["-O2", "-fno-pie", "-no-pie"],
    &["-O0", "-fPIC", "-pie"],
    &["-fno-plt", "-no-pie"],
];

#[test]
fn a_program_and_a_library_share_variables_and_addresses() {
    for name in ["exported.o", "exported.common.o"] {
        for level in ["-O2", "-O0"] {
            let folder = tempfile::tempdir().unwrap();
            check(folder.path(), &["--shared", level, &object(name), "-o", "libexported.so"], 0);
            KINDS.iter().for_each(|flags| tried(folder.path(), "cc", &[], flags));
        }
    }
}

#[test]
fn a_program_and_a_library_on_other_machines() {
    for (machine, name) in [("aarch64", "exported.o"), ("riscv64", "exported.o"), ("s390x", "exported.be.o")] {
        let (compiler, emulator) = (format!("{machine}-linux-gnu-gcc"), format!("qemu-{machine}"));
        if !is_there(&compiler) || !is_there(&emulator) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let target = format!("{machine}-unknown-linux-gnu");
        check(folder.path(), &["--shared", "--target", &target, &object(name), "-o", "libexported.so"], 0);
        let root = format!("/usr/{machine}-linux-gnu");
        let library = format!("LD_LIBRARY_PATH={}", folder.path().display());
        let emulator = [emulator.as_str(), "-L", &root, "-E", &library];
        KINDS[..3].iter().for_each(|flags| tried(folder.path(), &compiler, &emulator, flags));
    }
}

/// What is hidden or static stays direct: the library asks the loader for nothing but what it exports.
#[test]
fn only_exported_names_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    check(folder.path(), &["--shared", &object("exported.o"), "-o", "libexported.so"], 0);
    let bytes = std::fs::read(folder.path().join("libexported.so")).unwrap();
    let names = dynamic_relocations(&bytes);
    let own: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !name.starts_with("__") && !name.starts_with("_ITM"))
        .collect();
    assert_eq!(
        own,
        ["chosen", "counter", "functions", "get", "limit", "optional", "table", "text", "twice", "where"]
    );
}

/// The names that dynamic relocations of a file refer to.
fn dynamic_relocations(bytes: &[u8]) -> std::collections::BTreeSet<String> {
    use object::{Object, ObjectSymbol, ObjectSymbolTable, RelocationTarget};
    let file = object::File::parse(bytes).unwrap();
    let symbols = file.dynamic_symbol_table().unwrap();
    let relocations = file.dynamic_relocations().unwrap();
    let names = relocations.filter_map(|(_, relocation)| match relocation.target() {
        RelocationTarget::Symbol(index) => Some(symbols.symbol_by_index(index).unwrap().name().unwrap().to_owned()),
        _ => None,
    });
    names.filter(|name| !name.is_empty()).collect()
}
