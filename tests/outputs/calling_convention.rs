//! The programs in `docs/calling-convention.md` print what it says: compiled with the flags that `cflags` gives, for each
//! machine, by each clang that is installed.
//!
//! Wants clang 19 or 22; for other machines their cross compilers and QEMU. What is missing is named, which is a failure
//! where `CI` is set.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

const BPF2NATIVE: &str = env!("CARGO_BIN_EXE_bpf2native");
const COMPILERS: [&str; 2] = ["clang-19", "clang-22"];

/// The C programs of the page, each with what it prints.
fn programs() -> Vec<(String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/calling-convention.md");
    let page = fs::read_to_string(page).expect("the page");
    let mut programs = Vec::new();
    let mut blocks = page.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    while let Some((kind, program)) = blocks.next() {
        if kind == "c" {
            let (kind, output) = blocks.next().expect("what it prints");
            assert_eq!(kind, "text", "what a program prints follows it");
            programs.push((program.to_owned(), format!("{output}\n")));
        }
    }
    programs
}

fn is_missing(tool: &str) -> bool {
    if Command::new(tool).arg("--version").output().is_ok() {
        return false;
    }
    // Past the test harness, which hides what passing tests print.
    let _ = writeln!(std::io::stderr(), "calling_convention: left out, `{tool}` is not installed");
    assert!(std::env::var_os("CI").is_none(), "`{tool}` is not installed");
    true
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Compiles, translates and runs the programs for a machine; `runner` starts its executables.
fn check(target: &str, runner: &[&str]) {
    let programs = programs();
    assert_eq!(programs.len(), 2);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (header, source, object, program) = (path("header"), path("x.c"), path("x.o"), path("x"));
    let flags = succeed(Command::new(BPF2NATIVE).args(["cflags", "--target", target, "--header-dir", &header]));
    for compiler in COMPILERS.into_iter().filter(|compiler| !is_missing(compiler)) {
        for (text, expected) in &programs {
            fs::write(&source, text).expect("a file in a temporary folder");
            let compile = ["-Wall", "-Wextra", "-Werror", "-c", &source, "-o", &object];
            succeed(Command::new(compiler).args(flags.split_whitespace()).args(compile));
            succeed(Command::new(BPF2NATIVE).args(["--target", target, &object, "-o", &program]));
            let mut command = runner.iter().copied().chain([program.as_str()]);
            let mut run = Command::new(command.next().expect("a program"));
            assert_eq!(&succeed(run.args(command)), expected, "{target}, {compiler}");
        }
    }
}

#[test]
fn programs_of_the_page_here() {
    check(std::env::consts::ARCH, &[]);
}

#[test]
fn programs_of_the_page_on_other_machines() {
    for machine in ["aarch64", "riscv64", "s390x"] {
        let (compiler, emulator) = (format!("{machine}-linux-gnu-gcc"), format!("qemu-{machine}"));
        if !is_missing(&compiler) && !is_missing(&emulator) {
            check(machine, &[&emulator, "-L", &format!("/usr/{machine}-linux-gnu")]);
        }
    }
}
