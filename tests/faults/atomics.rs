//! Atomic operations on 32 bits, of operands that have something above them: on each machine, with few features and many.

use std::process::Command;

use crate::command::{fixture, run};
use crate::support::engine::cross::MACHINES;
use crate::translated::{executable, prints};

/// What the program prints as C.
fn expected() -> String {
    let folder = tempfile::tempdir().unwrap();
    let native = folder.path().join("native");
    let mut compile = Command::new("cc");
    compile.args(["-w", "-O1", "-o"]).arg(&native).arg(fixture("faults").join("compare-and-swap.c"));
    let (status, _, error) = run(&mut compile);
    assert_eq!(status, 0, "{error}");
    run(&mut Command::new(native)).1
}

#[test]
fn operands_are_low_halves() {
    prints(&["compare-and-swap.o"], &expected());
}

#[test]
fn operands_are_low_halves_on_other_machines() {
    let expected = expected();
    for machine in MACHINES.iter().filter(|machine| machine.is_ready("atomics")) {
        let object = if machine.name == "s390x" { "compare-and-swap.s390x.o" } else { "compare-and-swap.o" };
        for features in ["", machine.most_features()] {
            let feature = |word: &str| format!("--target-feature={word}");
            let features: Vec<String> = features.split_whitespace().map(feature).collect();
            for level in ["-O0", "-O1", "-O2"] {
                let mut options = vec!["--target", machine.name, level];
                options.extend(features.iter().map(String::as_str));
                let program = executable(&[object], &options);
                let (status, out, error) = run(machine.command().arg(program.path()));
                assert_eq!((status, out), (0, expected.clone()), "{options:?}\n{error}");
            }
        }
    }
}
