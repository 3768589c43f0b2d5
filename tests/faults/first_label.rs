//! A label that is a function's first instruction, in a table in data: jumps lead there, and calls of its address too.

use crate::command::run;
use crate::support::engine::cross::MACHINES;
use crate::translated::{executable, prints};

const EXPECTED: &str = "5 31\n5 31\n";

#[test]
fn a_table_in_data_has_the_first_label() {
    prints(&["first-label.o"], EXPECTED);
}

#[test]
fn a_table_in_data_has_the_first_label_on_other_machines() {
    for machine in MACHINES.iter().filter(|machine| machine.is_ready("first_label")) {
        let name = if machine.name == "s390x" { "first-label.s390x.o" } else { "first-label.o" };
        let program = executable(&[name], &["--target", machine.name]);
        let (status, out, error) = run(machine.command().arg(program.path()));
        assert_eq!((status, out.as_str()), (0, EXPECTED), "{}\n{error}", machine.name);
    }
}
