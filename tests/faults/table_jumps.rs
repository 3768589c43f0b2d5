//! Jumps by the entries of jump tables (`gotox`, clang 22): with gaps, shared labels, large indices and unchecked ones.

use bpf2native::compare::listing;
use bpf2native::config::{Pass, Passes};
use bpf2native::{Config, Program};

use crate::command::run;
use crate::support::engine::cross::MACHINES;
use crate::translated::{executable, object, prints};

/// What gcc's and clang's native code of the source print.
const EXPECTED: &str = "c1dc9b1467dddbad\n495908429c09fd20\ncaaf27f3ba086c20\na8fe8ec7de70eddd\n112b78\n";

#[test]
fn entries_of_jump_tables_lead_where_they_say() {
    prints(&["table-jumps.o"], EXPECTED);
}

#[test]
fn entries_of_jump_tables_lead_where_they_say_on_other_machines() {
    for machine in MACHINES.iter().filter(|machine| machine.is_ready("table jumps")) {
        let object = if machine.name == "s390x" { "table-jumps.be.o" } else { "table-jumps.o" };
        for level in ["-O0", "-O2"] {
            let program = executable(&[object], &["--target", machine.name, level]);
            let (status, out, error) = run(machine.command().arg(program.path()));
            assert_eq!((status, out.as_str()), (0, EXPECTED), "{} {level}\n{error}", machine.name);
        }
    }
}

/// How many instructions of the CLIF are of this opcode, for both byte orders.
fn count(passes: Passes, opcode: &str) -> [usize; 2] {
    [("x86_64", "table-jumps.o"), ("s390x", "table-jumps.be.o")].map(|(target, name)| {
        let program = Program::from_files([object(name)]).unwrap();
        let config = Config::for_target(target.parse().unwrap()).passes(passes).clone();
        listing::clif(&program, &config, None).unwrap().text.matches(opcode).count()
    })
}

#[test]
fn the_index_of_each_is_what_the_program_has() {
    let alone = Passes::NONE.with(Pass::TableJumps);
    for (before, after) in count(Passes::NONE, "load.i64").into_iter().zip(count(alone, "load.i64")) {
        assert_eq!(before - after, 5, "a load of each table's entry");
    }
}
