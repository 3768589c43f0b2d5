//! Frames, followed instruction by instruction: registers that a caller wants back are saved, and come back, and unwinders
//! are told the truth at each of them.

mod follow;
mod machines;

use std::path::{Path, PathBuf};

use crate::native::{bpf2native, fixture, output};

/// The objects below a folder, without those that are parts of a program.
fn objects(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("split") {
            objects(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "o") {
            found.push(path);
        }
    }
}

#[test]
fn frames_are_what_unwinders_are_told() {
    let mut found = Vec::new();
    objects(&fixture("obj/clang22-v4"), &mut found);
    objects(&fixture("unwind"), &mut found);
    found.sort();
    let folder = tempfile::tempdir().unwrap();
    let native = folder.path().join("native.o");
    let mut all = follow::Seen::default();
    for path in &found {
        for flags in [&[][..], &["-Z", "no-prologues"], &["-Z", "none", "-Z", "prologues"], &["-O", "0"]] {
            output(bpf2native().args(["--target", "x86_64", "-c"]).args(flags).arg(path).arg("-o").arg(&native));
            let seen = follow::object(&std::fs::read(&native).unwrap())
                .unwrap_or_else(|error| panic!("{} {flags:?}: {error}", path.display()));
            all.add(seen);
        }
    }
    // Most of the code is followed, and all kinds of frames are there.
    assert!(all.instructions > 50_000, "{all:?}");
    assert!(all.frame_pointers > 100 && all.pushes > 1000 && all.bare_returns > 4, "{all:?}");
}

#[test]
fn frames_on_other_machines() {
    for (folder, target, at_least) in [
        ("obj/clang22-v4-aarch64", "aarch64-unknown-linux-gnu", 30_000),
        ("obj/clang22-v4-riscv64", "riscv64gc-unknown-linux-gnu", 30_000),
        ("obj/clang22-v4-s390x", "s390x-unknown-linux-gnu", 30_000),
    ] {
        let mut found = Vec::new();
        objects(&fixture(folder), &mut found);
        found.sort();
        let temporary = tempfile::tempdir().unwrap();
        let native = temporary.path().join("native.o");
        let mut seen = 0;
        for path in &found {
            for level in ["0", "2"] {
                let arguments = ["--target", target, "-O", level, "-c"];
                output(bpf2native().args(arguments).arg(path).arg("-o").arg(&native));
                seen += machines::object(&std::fs::read(&native).unwrap(), &target.parse().unwrap())
                    .unwrap_or_else(|error| panic!("{} for {target} -O{level}: {error}", path.display()));
            }
        }
        assert!(seen > at_least, "{target}: {seen}");
    }
}
