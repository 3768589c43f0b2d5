//! Results of two words, r0 and r2; structs of up to 16 bytes in them.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use bpf2native::config::OptLevel;
use bpf2native::{Config, Jit, Linker, Program, Words};

use crate::command::{check, command, fixture, run};
use crate::support::differential::Translator;
use crate::support::random::MEMORY;
use crate::translated::{object, prints};

/// What `two_words.s` prints.
const TWO_WORDS: &str = "7 49\n8 14\n100 36\n3 5 4 6\n11 22\n21 -9\n10 55\ndefined\n";

/// What `struct_results.s` prints.
const STRUCTS: &str = "7 3\n-7 3\n";

/// Direct calls, calls at the end, recursion, tables of functions, words that are passed on where they are.
#[test]
fn two_words_in_assembly() {
    prints(&["two_words.o"], TWO_WORDS);
}

/// Functions that return their second parameter where it is, and whose second word is read by nothing but a function that it
/// is passed to.
#[test]
fn second_words_that_are_arguments() {
    // r6 is 3, and so is the second word; what is passed on is passed in place.
    let keeps = "keeps:\nr0 = r1\nr0 += 40\nexit\n";
    let calls = [
        ("directly", "call keeps\n"),
        ("through a register", "r8 = code_addr(keeps) ll\ncallx r8\n"),
        ("by one that hands its argument on", "call hands_on\nr2 = r0\n"),
        ("at an end", "call ends\n"),
        ("at an end, through a register", "call ends_in_register\n"),
    ];
    let readers = [
        ("an instruction", "r0 += r2\n"),
        ("a function", "r1 = r0\ncall reads\n"),
        ("a function's callee", "r1 = r0\ncall passes\n"),
        ("functions that call each other", "r1 = r0\ncall rings\n"),
    ];
    let others = "ends:\ncall keeps\nexit
        hands_on:\ncall keeps\nr1 = 9\ncall reads\nexit
        ends_in_register:\nr8 = code_addr(keeps) ll\ncallx r8\nexit
        reads:\nr0 = r1\nr0 *= r2\nexit
        passes:\nr6 = 5\ncall reads\nr0 += r6\nexit
        rings:\nr0 = 7\nif r1 s< 40 goto +2\nr1 += -1\ncall rung\nexit
        rung:\nif r1 s< 41 goto +2\ncall rings\nexit\nr0 = r1\nr0 *= r2\nexit\n";
    let translators = [OptLevel::O2, OptLevel::O1, OptLevel::O0]
        .map(|opt_level| Translator::new(&format!("{opt_level:?}"), Config { opt_level, ..Config::default() }));
    let mut failures = String::new();
    for (how, call) in calls {
        for (who, reader) in readers {
            let text = format!("r6 = 3\nr2 = r6\nr1 = 7\n{call}{reader}exit\n{keeps}{others}");
            for translator in &translators {
                let name = format!("called {how}, read by {who}, {}", translator.name);
                if let Some(error) = translator.difference(&name, &text, [0; MEMORY]) {
                    failures += &format!("{name}: {error}\n");
                }
            }
        }
    }
    assert_eq!(failures, "");
}

/// What the compilers' runtime returns is handed on, also where no type says so.
#[test]
fn products_of_128_bits_are_handed_on() {
    prints(&["wide_runtime.o"], "10000 20000000001\n");
}

/// libc's functions, by what the code reads after the calls; and by the version of the compiler.
#[test]
fn structs_of_libc_in_registers() {
    prints(&["struct_results.o"], STRUCTS);
    prints(&["struct_results.new.o"], &format!("{STRUCTS}done\n"));
}

/// What the same Rust source does natively: exit status, standard output, standard error.
fn rust_program(folder: &Path) -> (i32, String, String) {
    let flags =
        ["--edition", "2024", "-O", "-Cpanic=abort", "-Clink-arg=-lc", "--cap-lints", "allow", "-o", "native"];
    let (status, _, error) =
        run(Command::new("rustc").args(flags).arg(fixture("llvm23/words.rs")).current_dir(folder));
    assert_eq!(status, 0, "{error}");
    let expected = run(&mut Command::new(folder.join("native")));
    assert_eq!(expected.0, 3, "it ends in a panic");
    expected
}

/// A Rust program that LLVM 23 compiled, with all that it uses of `core`: as the same source compiled natively.
#[test]
fn a_rust_program() {
    let folder = tempfile::tempdir().unwrap();
    let expected = rust_program(folder.path());
    let object = fixture("llvm23/words.o").into_os_string().into_string().unwrap();
    for level in ["-O0", "-O1", "-O2"] {
        check(folder.path(), &[&object, level, "-o", "translated"], 0);
        assert_eq!(run(&mut Command::new(folder.path().join("translated"))), expected, "{level}");
        assert_eq!(run(&mut command(Path::new("."), &["run", level, &object])), expected, "{level}, in memory");
    }
}

/// Whether the cross compiler and the emulator of a machine are here; if not, it is left out by name.
fn is_there(machine: &str) -> bool {
    let tools = [format!("{machine}-linux-gnu-gcc"), format!("qemu-{machine}")];
    let is_missing =
        |tool: &&String| !Command::new(tool).arg("--version").output().is_ok_and(|ran| ran.status.success());
    let Some(missing) = tools.iter().find(is_missing) else { return true };
    // Past the test harness, which hides what passing tests print.
    let _ = writeln!(std::io::stderr(), "two_words: {machine} is left out: `{missing}` is not installed");
    assert!(std::env::var_os("CI").is_none(), "`{missing}` is not installed");
    false
}

/// Translates an object for another machine and runs it there.
fn on_machine(machine: &str, object: &str, level: &str) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    check(folder.path(), &["--target", machine, level, object, "-o", "translated"], 0);
    let library = format!("/usr/{machine}-linux-gnu");
    run(Command::new(format!("qemu-{machine}")).args(["-L", &library]).arg(folder.path().join("translated")))
}

fn check_machine(machine: &str) {
    if !is_there(machine) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let rust = (machine != "s390x").then(|| rust_program(folder.path()));
    let suffix = if machine == "s390x" { ".s390x.o" } else { ".o" };
    for level in ["-O0", "-O2"] {
        for (name, expected) in [("two_words", TWO_WORDS), ("struct_results", STRUCTS)] {
            let (status, out, error) = on_machine(machine, &object(&format!("{name}{suffix}")), level);
            assert_eq!((status, out.as_str()), (0, expected), "{machine} {level} {name}: {error}");
        }
        if let Some(expected) = &rust {
            let object = fixture("llvm23/words.o").into_os_string().into_string().unwrap();
            assert_eq!(&on_machine(machine, &object, level), expected, "{machine} {level}");
        }
    }
}

#[test]
fn two_words_on_aarch64() {
    check_machine("aarch64");
}

#[test]
fn two_words_on_riscv64() {
    check_machine("riscv64");
}

/// The objects of other machines are little-endian.
#[test]
fn two_words_on_s390x() {
    check_machine("s390x");
}

/// A function of no type, called by native code.
#[test]
#[cfg(not(any(target_arch = "s390x", windows)))]
fn native_code_has_both_words() {
    let program = Program::from_files([object("struct_results.o")]).unwrap();
    let module = Jit::new(&Config::default()).unwrap().load(&program, &Linker::new()).unwrap();
    // SAFETY: it takes an integer and returns two.
    let halves = unsafe { module.func::<(u64,), Words>("halves") }.unwrap();
    assert_eq!(halves.call((0x0000_0007_0000_0009,)), Words { first: 7, second: 9 });
    // SAFETY: as above; the second word is not looked at.
    let first = unsafe { module.func::<(u64,), u64>("halves") }.unwrap();
    assert_eq!(first.call((0x0000_0007_0000_0009,)), 7);
}

/// A module of `llvm23/structs.o`, whose functions' types BTF and DWARF say.
#[test]
#[cfg(not(any(target_arch = "s390x", windows)))]
fn types_of_two_words_are_checked() {
    let program = Program::from_files([fixture("llvm23/structs.o")]).unwrap();
    let module = Jit::new(&Config::default()).unwrap().load(&program, &Linker::new()).unwrap();
    // SAFETY: `struct s16 m16(struct s8)`, and `struct s8` is one word.
    assert!(unsafe { module.func::<(Words,), u64>("m16") }.is_err());
    // SAFETY: `struct d2 swap(struct d2)` is of floating-point numbers.
    assert!(unsafe { module.func::<(Words,), Words>("swap") }.is_err());
    // SAFETY: `__int128 wide(__int128, long)`.
    let wide = unsafe { module.func::<(i128, i64), i128>("wide") }.unwrap();
    assert_eq!(wide.call((1 << 70, -3)), (1i128 << 70) * -3 + 1);
}
