//! Programs with maps and helpers, in process, as executables and on other machines: all print the same.

use std::path::Path;
use std::process::Command;

use crate::native::{bpf2native, fixture, has_tool, output};
use crate::show::SHOWN;
use crate::throws::PRINTED;

/// Programs, by their objects, and what they print.
const PROGRAMS: [(&[&str], &str); 9] = [
    (&["tail_runs"], "210000: 33, 0\n210000: 33, 0\n33, 1\n"),
    (&["counts"], "0 2 2 42\n1 -22\n"),
    (&["shared.main", "shared.other"], "0 1242 12 42\n"),
    (&["calls", "own"], "7 1 5 11\n"),
    (&["throws_main", "throws"], PRINTED),
    (&["map_fields_main", "map_fields"], crate::map_fields::PRINTED),
    (&["arena"], "0, 6, 8\n"),
    (&["show_main", "show_other"], SHOWN),
    (
        &["tail"],
        "0: 5, value 105, depth 0\n1: 210, value 105, depth 1\n2: 5, value 105, depth 2\n\
         3: 5, value 105, depth 3\n4: 37, value 105, depth 37\n5: 38, value 105, depth 38\n\
         6: 0, value 105, depth 6\n7: 5, value 105, depth 7\n8: 5, value 105, depth 8\n\
         50000000000\n6\n34\n34\n",
    ),
];

/// Those that are compiled for big-endian machines too.
const BOTH_ORDERS: [&str; 7] =
    ["arena", "map_fields_main", "counts", "show_main", "tail", "tail_runs", "throws_main"];

fn objects(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| fixture(&format!("runtime/{name}.o")).display().to_string()).collect()
}

#[test]
fn programs_in_process() {
    for (names, expected) in PROGRAMS {
        for level in ["-O0", "-O2"] {
            assert_eq!(
                output(bpf2native().arg("run").arg(level).args(objects(names))),
                expected,
                "{names:?} {level}"
            );
        }
    }
}

#[test]
fn programs_as_executables() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    for (names, expected) in PROGRAMS {
        for level in ["-O0", "-O2"] {
            output(bpf2native().args(objects(names)).arg(level).arg("-o").arg(&program));
            assert_eq!(output(&mut Command::new(&program)), expected, "{names:?} {level}");
        }
    }
}

/// Both objects have the runtime's functions, which a link has once.
#[test]
fn objects_that_are_linked_natively() {
    let folder = tempfile::tempdir().unwrap();
    for (names, expected) in PROGRAMS {
        let natives = names.iter().map(|name| folder.path().join(format!("{name}.native.o"))).collect::<Vec<_>>();
        for (object, native) in objects(names).iter().zip(&natives) {
            output(bpf2native().args(["-c", object, "-o"]).arg(native));
        }
        if names.contains(&"own") || names.contains(&"show_main") {
            // A function by its name in C is a helper for BPF objects of one translation; and so are numbers of types.
            continue;
        }
        let program = folder.path().join("program");
        output(Command::new("cc").args(&natives).arg("-o").arg(&program));
        assert_eq!(output(&mut Command::new(&program)), expected, "{names:?}");
    }
}

#[test]
fn programs_on_other_machines() {
    let folder = tempfile::tempdir().unwrap();
    for machine in ["aarch64", "riscv64", "s390x"] {
        let emulator = format!("qemu-{machine}");
        if !has_tool(&emulator) || !has_tool(&format!("{machine}-linux-gnu-gcc")) {
            continue;
        }
        for (names, expected) in PROGRAMS {
            let is_big = machine == "s390x";
            if is_big && !BOTH_ORDERS.contains(&names[0]) {
                continue;
            }
            let objects = match is_big {
                true => {
                    let names: Vec<String> = names.iter().map(|name| format!("{name}.be")).collect();
                    objects(&names.iter().map(String::as_str).collect::<Vec<_>>())
                }
                false => objects(names),
            };
            let program = folder.path().join("program");
            output(bpf2native().args(["--target", machine]).args(objects).arg("-o").arg(&program));
            let found = output(&mut emulated(&emulator, machine, &program));
            assert_eq!(found, expected, "{names:?} on {machine}");
        }
    }
}

/// Descriptors lie as C has them, in the byte order of the machine.
#[test]
fn descriptors_on_other_machines() {
    let here = output(bpf2native().arg("run").args(objects(&["define"])));
    let folder = tempfile::tempdir().unwrap();
    for (machine, name) in [("aarch64", "define"), ("riscv64", "define"), ("s390x", "define.be")] {
        let emulator = format!("qemu-{machine}");
        if !has_tool(&emulator) || !has_tool(&format!("{machine}-linux-gnu-gcc")) {
            continue;
        }
        let program = folder.path().join("program");
        output(bpf2native().args(["--target", machine]).args(objects(&[name])).arg("-o").arg(&program));
        assert_eq!(output(&mut emulated(&emulator, machine, &program)), here, "{machine}");
    }
}

fn emulated(emulator: &str, machine: &str, program: &Path) -> Command {
    let mut command = Command::new(emulator);
    command.arg("-L").arg(format!("/usr/{machine}-linux-gnu")).arg(program);
    command
}
