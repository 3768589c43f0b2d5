//! Objects of an LLVM newer than the packaged ones: more than five arguments, struct results, floats, 128-bit integers.
//! They do what the same sources do natively, ahead of time and in process.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const BPF2NATIVE: &str = env!("CARGO_BIN_EXE_bpf2native");

/// Numbers of several kinds, for the program that reads some.
const INPUT: &str = "3.5\n-1e300\n2.25\nnan\n7\n1e-310\n";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/llvm23").join(name)
}

/// Runs a command with the input; its standard output and exit status.
fn outcome(command: &mut Command) -> (String, Option<i32>) {
    use std::io::Write;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the command starts");
    // A program that does not read its input may have ended already.
    let _ = child.stdin.take().expect("it is piped").write_all(INPUT.as_bytes());
    let Output { stdout, status, .. } = child.wait_with_output().expect("the command ends");
    (String::from_utf8_lossy(&stdout).into_owned(), status.code())
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("the command starts");
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

fn check(name: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (native, translated) = (folder.path().join("native"), folder.path().join("translated"));
    let (source, object) = (fixture(&format!("{name}.c")), fixture(&format!("{name}.o")));
    succeed(
        Command::new("cc").args(["-O1", "-w", "-ffp-contract=off"]).arg(source).arg("-o").arg(&native).arg("-lm"),
    );
    succeed(Command::new(BPF2NATIVE).arg(&object).arg("-o").arg(&translated));
    let expected = outcome(&mut Command::new(native));
    assert_eq!(outcome(&mut Command::new(translated)), expected, "{name}, executable");
    assert_eq!(outcome(Command::new(BPF2NATIVE).arg("run").arg(object)), expected, "{name}, in process");
}

#[test]
fn more_than_five_arguments() {
    check("args");
}

#[test]
fn structs_and_128_bit_integers() {
    check("structs");
}

/// BTF says that they return nothing; the DWARF of the object says what.
#[test]
fn native_code_calls_functions_that_return_structs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let translated = folder.path().join("structs.o");
    let output = Command::new(BPF2NATIVE).arg("-c").arg(fixture("structs.o")).arg("-o").arg(&translated).output();
    let output = output.expect("the command starts");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let check = folder.path().join("check");
    // Both have a `main`; the first is taken.
    let sources = [fixture("structs_check.c"), translated];
    succeed(Command::new("cc").args(["-O1", "-Wl,-z,muldefs"]).args(sources).arg("-o").arg(&check));
    let expected = "21 -35 9\n-2.5 1.5 2.5 42\nffffffffffffff40 1\n".to_owned();
    assert_eq!(outcome(&mut Command::new(check)), (expected, Some(0)));
}

#[test]
fn floats() {
    check("floats");
}

#[test]
fn large_copies() {
    check("bigcopy");
}

/// The functions of `soft.c`, called with numbers of every kind beside native ones of another name.
#[test]
fn soft_float_and_128_bit_functions() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let native = folder.path().join("soft.c");
    let source = std::fs::read_to_string(fixture("soft.c")).expect("a fixture");
    std::fs::write(&native, prefixed(&source)).expect("a file in a temporary folder");
    let translated = folder.path().join("soft.o");
    succeed(Command::new(BPF2NATIVE).arg("-c").arg(fixture("soft.o")).arg("-o").arg(&translated));
    let check = folder.path().join("check");
    let sources = [native, fixture("soft_check.c"), translated];
    let flags = ["-O1", "-w", "-fno-builtin", "-ffp-contract=off"];
    succeed(Command::new("cc").args(flags).args(sources).arg("-o").arg(&check).arg("-lm"));
    assert_eq!(outcome(&mut Command::new(check)), ("0 differences\n".to_owned(), Some(0)));
}

/// The source with `native_` before the name of each function. Every function is one line: `type name(parameters){`.
fn prefixed(source: &str) -> String {
    let line = |line: &str| match line.split_once('(') {
        Some((head, tail)) if !line.starts_with("//") => {
            let (result, name) = head.rsplit_once(' ').expect("a result type and a name");
            format!("{result} native_{name}({tail}\n")
        }
        _ => format!("{line}\n"),
    };
    source.lines().map(line).collect()
}
