//! Calls through pointers reach functions with floats and structs by their types, whoever defines them and wherever they
//! are: the program's, those of a native object or a library, libc's, and what a link has put in a function's place.
//!
//! `pointers.c` has the cases; threads make them all at once, so that they find the tables of adapters empty together.

use std::path::Path;
use std::process::Command;

use crate::command::{check, fixture, run};
use crate::translated::{object, prints};

const LEVELS: [&str; 3] = ["-O0", "-O1", "-O2"];

/// Links the native side with what an object became.
fn link(folder: &Path, compiler: &str, arguments: &[&str]) {
    let mut command = Command::new(compiler);
    command.current_dir(folder).args(["-O2", "-Wl,--fatal-warnings"]).arg(fixture("faults/pointers_host.c"));
    let (status, _, error) = run(command.args(arguments).args(["-o", "program", "-lm", "-pthread"]));
    assert_eq!(status, 0, "{compiler} {arguments:?}\n{error}");
}

/// Runs what was linked; an argument says that `chosen` is the host's.
fn tried(folder: &Path, emulator: &[&str], arguments: &[&str]) {
    let words = emulator.iter().chain([&"./program"]).chain(arguments).copied();
    let words: Vec<&str> = words.collect();
    let mut command = Command::new(words[0]);
    command.current_dir(folder).args(&words[1..]).env("LD_LIBRARY_PATH", folder);
    let (status, _, error) = run(&mut command);
    assert_eq!(status, 0, "{words:?}: the number of the case that is wrong\n{error}");
}

#[test]
fn pointers_of_an_object() {
    for level in LEVELS {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), &["-c", level, &object("pointers.o"), "-o", "pointers.o"], 0);
        for kind in [&["-fPIE", "-pie"][..], &["-fno-pie", "-no-pie"], &["-fno-pie", "-static"]] {
            link(folder.path(), "cc", &[kind, &["pointers.o"]].concat());
            tried(folder.path(), &[], &[]);
            link(folder.path(), "cc", &[kind, &["-DCHOSEN", "pointers.o"]].concat());
            tried(folder.path(), &[], &["replaced"]);
        }
    }
}

/// The program has entries for the library's functions, and these are their addresses for both.
#[test]
fn pointers_of_a_shared_library() {
    for level in LEVELS {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), &["--shared", level, &object("pointers.o"), "-o", "libpointers.so"], 0);
        for kind in [["-fPIE", "-pie"], ["-fno-pie", "-no-pie"]] {
            link(folder.path(), "cc", &[&kind[..], &["-rdynamic", "libpointers.so"]].concat());
            tried(folder.path(), &[], &[]);
            link(folder.path(), "cc", &[&kind[..], &["-DCHOSEN", "-rdynamic", "libpointers.so"]].concat());
            tried(folder.path(), &[], &["replaced"]);
        }
    }
}

#[test]
fn pointers_of_an_executable_and_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut library = Command::new("cc");
    library.current_dir(folder.path()).args(["-O2", "-shared", "-fPIC"]).arg(fixture("faults/pointers_host.c"));
    let (status, _, error) = run(library.args(["-o", "libhost.so", "-lm"]));
    assert_eq!(status, 0, "{error}");
    let object = object("pointers.o");
    for level in LEVELS {
        let libraries = ["-L", ".", "-l", "host", "-l", "m"];
        check(folder.path(), &[&[level, &object, "-o", "program"][..], &libraries].concat(), 0);
        tried(folder.path(), &[], &[]);
        check(folder.path(), &[&["run", level][..], &libraries, &[&object]].concat(), 0);
    }
}

#[test]
fn pointers_on_other_machines() {
    for (machine, name) in [("aarch64", "pointers.o"), ("riscv64", "pointers.o"), ("s390x", "pointers.be.o")] {
        let (compiler, emulator) = (format!("{machine}-linux-gnu-gcc"), format!("qemu-{machine}"));
        let tools = [compiler.as_str(), emulator.as_str()];
        if let Some(tool) = tools.into_iter().find(|tool| Command::new(tool).arg("--version").output().is_err()) {
            assert!(std::env::var_os("CI").is_none(), "`{tool}` is not installed");
            eprintln!("left out: `{tool}` is not installed");
            continue;
        }
        let (target, root) = (format!("{machine}-unknown-linux-gnu"), format!("/usr/{machine}-linux-gnu"));
        for level in ["-O0", "-O2"] {
            let folder = tempfile::tempdir().unwrap();
            check(folder.path(), &["-c", level, "--target", &target, &object(name), "-o", "pointers.o"], 0);
            for kind in [&["-fPIE", "-pie"][..], &["-fno-pie", "-no-pie"]] {
                link(folder.path(), &compiler, &[kind, &["-DCHOSEN", "pointers.o"]].concat());
                tried(folder.path(), &[&emulator, "-L", &root], &["replaced"]);
            }
        }
    }
}

/// Calls through pointers of functions that take fewer words than there are, from functions whose parameters are known, changed by
/// the compiler, or not described at all.
#[test]
fn words_that_are_passed() {
    for object in ["passed-words.o", "passed-words.O3.o", "passed-words.unsaid.o"] {
        prints(&[object], "12345 12\n16 123 164\n34 -1\n17 0 0\n71278\n13 60\n");
    }
}
