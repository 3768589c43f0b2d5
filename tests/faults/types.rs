//! What an object says of types, and is not to be believed to the letter: functions of one unmangled name, vectors that
//! look like arrays, `long double`, complex numbers, other symbols for libc's functions.

use crate::command::{command, run};
use crate::native::machines;
use crate::translated::{executable, in_memory, object, prints};

const LEVELS: [&str; 3] = ["-O0", "-O1", "-O2"];

/// What the translator says beside its work.
fn warnings(objects: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let inputs: Vec<String> = objects.iter().map(|name| object(name)).collect();
    let mut arguments = vec!["-c", "-o", "translated.o"];
    arguments.extend(inputs.iter().map(String::as_str));
    let (status, _, error) = run(&mut command(folder.path(), &arguments));
    assert_eq!(status, 0, "{error}");
    error
}

#[test]
fn undefined_functions_have_no_type_of_the_program_s_own() {
    for name in ["unmangled.o", "unmangled.last.o"] {
        prints(&[name], "42 36\n24 2.5 Q\n2.5 5 0.25\n");
        assert_eq!(warnings(&[name]), "", "{name}");
    }
}

/// With the functions that BTF has several of by one name, and those of which it leaves out a reference.
#[test]
fn functions_are_found_by_their_mangled_names() {
    let native = machines(false).into_iter().filter(|machine| machine.name() == "x86_64");
    for machine in native {
        for level in LEVELS {
            let out = machine.prints(&["faults/mangled.o"], &["faults/mangled_native.cpp"], &[level]);
            assert_eq!(out, "5 21\n1.875\n2.75\n-1.625\n3.5\n4.5\n", "{level}");
        }
    }
}

/// Then two functions of one name cannot be told apart, and that is said.
#[test]
fn without_dwarf_what_is_not_known_warns() {
    let warnings = warnings(&["mangled.nodwarf.o"]);
    let several = "`level` cannot be called natively: BTF has several functions of this name";
    assert!(warnings.contains(several), "{warnings}");
    assert_eq!(warnings.lines().count(), 1, "{warnings}");
}

/// By the messages that a linker's names are shown with, the table of libc and the header of glibc agree.
#[test]
fn transparent_unions_are_pointers() {
    let both = ["unions.o", "unions.other.o"];
    prints(&both, "0 0\n0 16\n0\n1 2\n0 1 -1\n");
    assert_eq!(warnings(&both), "");
    assert_eq!(warnings(&["unions.other.o", "unions.o"]), "");
}

const LONG_DOUBLES: &str = "2.5 -0.125
e 3.000000 12
29.25 36
0.25 2
0.5625 4 9
123456789012345678 %Lf L +2.250  |
    9.0|
2.25|5|123456789012345678|%Lf| 9.00
no conversions: %Lf L
as it was
2
7 3.5 7 -8
1 7 6.5 7
8 1 <  2.25> 8.5 7
3
";

#[test]
fn long_doubles_cross_as_doubles() {
    for name in ["longdouble.o", "longdouble.plain.o"] {
        prints(&[name], LONG_DOUBLES);
        assert_eq!(warnings(&[name]), "", "{name}");
    }
    for machine in machines(false) {
        for level in LEVELS {
            let out = machine.prints(&["faults/longdouble.o"], &[], &[level]);
            assert_eq!(out, LONG_DOUBLES, "{} {level}", machine.name());
        }
    }
    for machine in machines(true) {
        for level in LEVELS {
            let out = machine.prints(&["faults/longdouble.be.o"], &[], &[level]);
            assert_eq!(out, LONG_DOUBLES, "{} {level}", machine.name());
        }
    }
}

#[test]
fn long_doubles_of_a_host_warn() {
    let warnings = warnings(&["longdouble_host.o"]);
    let lines: Vec<&str> = warnings.lines().collect();
    let calls =
        "`long double` has 8 bytes in BPF and is passed as a `double`, which native code takes for another type";
    let expected = [
        format!("bpf2native: warning: `measure` is declared as `double measure(long double, int)`: {calls}"),
        format!("bpf2native: warning: `answer` is declared as `long double answer(long double)`: {calls}"),
        format!("bpf2native: warning: `room` is declared as `long double room(void)`: {calls}"),
        "bpf2native: warning: `fill` is declared as `void fill(long double *)`: a `long double` in memory has 8 bytes \
         in BPF, and native code takes it to be larger"
            .to_owned(),
        "bpf2native: warning: `sinl` is declared as `int sinl(const char *)`, and in libc it is `long double \
         sinl(long double)`: calls are by the declaration"
            .to_owned(),
    ];
    for line in &expected {
        assert!(lines.contains(&line.as_str()), "{line}\n{warnings}");
    }
    assert_eq!(lines.len(), expected.len(), "{warnings}");
}

#[test]
fn s390x_has_symbols_of_its_own_for_libc() {
    for machine in machines(true) {
        for level in LEVELS {
            let out = machine.prints(&["faults/nldbl.be.o"], &[], &[level]);
            let expected =
                "1.500000 3\n2.250000 text\n1.5 2.25\n1.5|1.5\n2.250000e+00\n-3.5 1.5\n1.5 2.25\nonly text\n";
            assert_eq!(out, expected, "{level}");
        }
    }
}

const COMPLEX: &str = "0.1+0.7i 5+5i 5+5i 0.523077-0.184615i inf+infi 
1-2i 0+2i inf+0i -3+4i 5 3.14159
0.5-4i 0+2i 5 0.5 4
1-2i 5
4.5+6i -4+0.5i 3 4
1-2i -4+0.5i 3-4i 0+8i 13
0.1+0.7i 4-0.5i
";

#[test]
fn complex_numbers_cross() {
    for (big_endian, name) in [(false, "llvm23/complex.o"), (true, "llvm23/complex.be.o")] {
        for machine in machines(big_endian) {
            for level in LEVELS {
                let out = machine.prints(&[name], &["llvm23/complex_check.c"], &[level]);
                assert_eq!(out, COMPLEX, "{} {level}", machine.name());
            }
        }
    }
}

#[test]
fn vectors_are_no_pointers() {
    let expected = "2 3 3 4\n10 12 14 16\n2 3 3 4\n8 -16 24 32\n";
    let name = "../llvm23/vectors.o";
    for level in LEVELS {
        let (status, out, error) = executable(&[name], &[level]).run(&[]);
        assert_eq!((status, out.as_str()), (0, expected), "{level}\n{error}");
        let (status, out, error) = in_memory(&[name], &[level], &[]);
        assert_eq!((status, out.as_str()), (0, expected), "{level}, in memory\n{error}");
    }
}
