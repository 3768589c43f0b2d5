//! Results of two words, r0 and r2.

use std::path::Path;
use std::process::Command;

use crate::command::{check, fixture, run};
use crate::translated::prints;

/// Direct calls, calls at the end, recursion, tables of functions, words that are passed on where they are.
#[test]
fn two_words_in_assembly() {
    let expected = "7 49\n8 14\n100 36\n3 5 4 6\n11 22\n21 -9\n10 55\ndefined\n";
    prints(&["two_words.o"], expected);
}

/// A Rust program that LLVM 23 compiled, with all that it uses of `core`: as the same source compiled natively.
#[test]
fn a_rust_program() {
    let folder = tempfile::tempdir().unwrap();
    let flags =
        ["--edition", "2024", "-O", "-Cpanic=abort", "-Clink-arg=-lc", "--cap-lints", "allow", "-o", "native"];
    let (status, _, error) =
        run(Command::new("rustc").args(flags).arg(fixture("llvm23/words.rs")).current_dir(folder.path()));
    assert_eq!(status, 0, "{error}");
    let expected = run(&mut Command::new(folder.path().join("native")));
    assert_eq!(expected.0, 3, "it ends in a panic");
    let object = fixture("llvm23/words.o").into_os_string().into_string().unwrap();
    for level in ["-O0", "-O1", "-O2"] {
        check(folder.path(), &[&object, level, "-o", "translated"], 0);
        assert_eq!(run(&mut Command::new(folder.path().join("translated"))), expected, "{level}");
        let in_memory = run(&mut crate::command::command(Path::new("."), &["run", level, &object]));
        assert_eq!(in_memory, expected, "{level}, in memory");
    }
}
