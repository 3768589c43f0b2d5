//! Computed gotos: labels lead where they say, and numbers that are no label of the function trap.

use crate::command::run;
use crate::support::engine::cross::MACHINES;
use crate::translated::{Executable, executable};

/// Arguments that lead to labels, and what is printed then.
const LABELS: [(&[&str], &str); 5] = [
    (&["t", "1", "0"], "11\n"),
    (&["t", "1", "1"], "12\n"),
    (&["t", "1", "2"], "13\n"),
    (&["t", "2", "0"], "21\n"),
    (&["t", "2", "1"], "22\n"),
];

/// The numbers around the labels of each function, and labels with other high halves.
const NUMBERS: [(&str, &str); 8] = [
    ("1", "0"),
    ("1", "-1"),
    ("1", "4"),
    ("1", "0x100000001"),
    ("2", "0"),
    ("2", "3"),
    ("2", "6"),
    ("2", "0x100000004"),
];

const SIGILL: i32 = 4;

fn leads_to_labels(program: &Executable, what: &str) {
    for (arguments, expected) in LABELS {
        let (status, out, error) = program.run(arguments);
        assert_eq!((status, out.as_str()), (0, expected), "{what} {arguments:?}\n{error}");
    }
}

#[test]
fn labels_lead_where_they_say_and_other_numbers_trap() {
    use std::os::unix::process::ExitStatusExt;
    for options in [&["-O0"][..], &["-O1"], &["-O2"], &["-O2", "-Z", "no-jump-table-bounds"]] {
        let program = executable(&["computed-gotos.o"], options);
        leads_to_labels(&program, &format!("{options:?}"));
        for (function, number) in NUMBERS {
            let ended = std::process::Command::new(program.path()).args(["n", function, number]).output().unwrap();
            assert_eq!(ended.status.signal(), Some(SIGILL), "{options:?} {function} {number}: {ended:?}");
        }
    }
}

#[test]
fn labels_lead_where_they_say_on_other_machines() {
    for machine in MACHINES.iter().filter(|machine| machine.is_ready("computed gotos") && machine.name != "s390x") {
        for level in ["-O0", "-O2"] {
            let program = executable(&["computed-gotos.o"], &["--target", machine.name, level]);
            for (arguments, expected) in LABELS {
                let (status, out, error) = run(machine.command().arg(program.path()).args(arguments));
                assert_eq!(
                    (status, out.as_str()),
                    (0, expected),
                    "{} {level} {arguments:?}\n{error}",
                    machine.name
                );
            }
        }
    }
}
