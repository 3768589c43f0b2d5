//! `bpf2native test`: how tests end, what is said of them, formats, exit status. The objects are those of `fixtures/testing/`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::command::{check, command, fixture, run};
use crate::native;

/// The folder of the objects.
fn objects() -> std::path::PathBuf {
    fixture("testing")
}

/// Runs tests in that folder; what is printed to standard output.
fn tested(arguments: &[&str], status: i32) -> String {
    let arguments = [&["test"], arguments].concat();
    let (out, error) = check(&objects(), &arguments, status);
    assert_eq!(error, "", "{arguments:?} complains");
    out
}

/// The error of a command line that runs no test.
fn refused(arguments: &[&str]) -> String {
    let arguments = [&["test"], arguments].concat();
    let (out, error) = check(&objects(), &arguments, 2);
    assert_eq!(out, "", "{arguments:?} prints");
    error
}

/// Without numbers that differ from run to run: the addresses and depths of a used-up stack, and times.
fn steady(text: &str) -> String {
    let mut steady = String::new();
    for line in text.lines() {
        let cut = ["SIGSEGV: an access of 0x7", "      ... and ", "timestamp="]
            .iter()
            .find(|&&start| line.starts_with(start));
        steady += match cut {
            Some(start) => start,
            None if line.ends_with(": test_overflows") => "N: test_overflows",
            // Which instruction is the first that does not fit is the frame's size.
            None if line.ends_with("outcomes_test.c:46") => "             at ./outcomes_test.c:47",
            None => line,
        };
        steady.push('\n');
    }
    steady
}

#[test]
fn tests_use_the_object_that_ships() {
    let out = tested(&["program_test.o", "--", "program.o"], 0);
    let expected = "
running 5 tests
test test_limit_as_it_ships ... ok
test test_limit_that_is_set ... ok
test test_map_by_its_name ... ok
test test_helper_is_replaced ... ok
test test_packets ... ok

test result: ok. 5 passed; 0 failed; 0 skipped; 0 filtered out

";
    assert_eq!(out, expected);
    for level in ["0", "1"] {
        assert_eq!(tested(&["-O", level, "program_test.o", "--", "program.o"], 0), expected, "-O {level}");
    }
}

#[test]
fn failures_say_what_does_not_hold_and_where() {
    let out = steady(&tested(&["outcomes_test.o", "--", "program.o"], 1));
    let expected = r#"
running 9 tests
test test_passes ... ok
test test_asserts ... FAILED
test test_bytes_differ ... FAILED
test test_fails ... FAILED
test test_expects_only ... FAILED
test test_faults ... FAILED
test test_is_skipped ... skipped, no #1 kernel
test test_exits ... FAILED
test test_overflows ... FAILED

failures:

---- test_asserts (outcomes_test.o) ----
before
outcomes_test.c:15: EXPECT_EQ(minus, 5u) failed
  left:  -3
  right: 5
outcomes_test.c:16: EXPECT_GT(4096ul, 70000ul) failed
  left:  4096 (0x1000)
  right: 70000 (0x11170)
outcomes_test.c:17: EXPECT_EQ((void *)16, (void *)0) failed
  left:  0x10
  right: NULL
outcomes_test.c:18: EXPECT_STREQ("a\"", "b\n") failed
  left:  "a\""
  right: "b\n"
outcomes_test.c:19: EXPECT(minus == 3) failed
outcomes_test.c:20: ASSERT_LT(minus, -4) failed
  left:  -3
  right: -4

---- test_bytes_differ (outcomes_test.o) ----
outcomes_test.c:26: ASSERT_MEMEQ(left, right, sizeof left) failed
  they differ at byte 20; from byte 16 on:
  left:  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
  right: 00 00 00 00 07 00 00 00 00 00 00 00 00 00 00 00

---- test_fails (outcomes_test.o) ----
outcomes_test.c:29: cannot work

---- test_expects_only (outcomes_test.o) ----
outcomes_test.c:31: EXPECT_NE(1, 1) failed
  left:  1
  right: 1

---- test_faults (outcomes_test.o) ----
SIGSEGV: an access of 0x0, a null pointer or near one
   0: first_of
             at ./program.c:40
   1: test_faults
             at ./outcomes_test.c:33

---- test_exits (outcomes_test.o) ----
the process ended with exit status 0 before the test returned

---- test_overflows (outcomes_test.o) ----
SIGSEGV: an access of 0x7
   0: deep
             at ./outcomes_test.c:47
   1: deep
             at ./outcomes_test.c:47
      ... and 
N: test_overflows
             at ./outcomes_test.c:41

failures:
    test_asserts
    test_bytes_differ
    test_fails
    test_expects_only
    test_faults
    test_exits
    test_overflows

test result: FAILED. 1 passed; 7 failed; 1 skipped; 0 filtered out

"#;
    // -O0 inlines nothing, so that all frames are there.
    let unoptimised = steady(&tested(&["-O0", "outcomes_test.o", "--", "program.o"], 1));
    assert_eq!(unoptimised, expected);
    let fault = |text: &str| text.contains("SIGSEGV: an access of 0x0") && text.contains("at ./outcomes_test.c:33");
    assert!(fault(&out), "{out}");
}

#[test]
fn the_number_of_threads_does_not_show() {
    let all = |threads| {
        let arguments = ["-j", threads, "outcomes_test.o", "program_test.o", "--", "program.o"];
        steady(&tested(&arguments, 1))
    };
    let one = all("1");
    assert!(one.contains("running 14 tests"), "{one}");
    for _ in 0..3 {
        assert_eq!(all("4"), one);
    }
}

/// A context with 32 of an address's 64 bits: what may be wrong is said where it shows.
#[test]
fn a_cut_address_is_explained() {
    let out = tested(&["cut_test.o", "--", "program.o"], 1);
    assert!(out.contains("test test_cut ... FAILED\ntest test_refused ... ok\n"), "{out}");
    let line =
        out.lines().find(|line| line.starts_with("SIGSEGV: an access of 0x")).unwrap_or_else(|| panic!("{out}"));
    for part in ["if it is of a packet: `data` and `data_end` of its context have 32 bits", "`bpf2native_xdp_at`"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(out.contains("0: my_filter\n"), "{out}");
}

#[test]
fn a_test_that_hangs_fails_in_its_time() {
    let start = Instant::now();
    let out = tested(&["--timeout", "1", "hang_test.o"], 1);
    assert!(start.elapsed() < Duration::from_secs(30), "it took {:?}", start.elapsed());
    let lines = "test test_hangs ... FAILED\ntest test_ends ... ok\ntest test_leaves ... FAILED\n\
                 test test_calls_nothing ... FAILED\n";
    assert!(out.contains(lines), "{out}");
    let hang = "---- test_hangs (hang_test.o) ----
when its time was over, the test was here:
   0: test_hangs
             at ./hang_test.c:11
the test did not end within 1 s
";
    assert!(out.contains(hang), "{out}");
    let left = "---- test_leaves (hang_test.o) ----
the process ended with exit status 3 before the test returned
";
    assert!(out.contains(left), "{out}");
    if cfg!(target_arch = "x86_64") {
        let nothing = "---- test_calls_nothing (hang_test.o) ----
SIGSEGV: an access of 0x0, a null pointer or near one
   0: (unknown)
   1: test_calls_nothing
             at ./hang_test.c:21
";
        assert!(out.contains(nothing), "{out}");
    }
}

/// TCP, UDP, ICMP and ICMPv6 over both versions of IP: byte by byte.
#[test]
fn packets_are_those_that_linux_sends() {
    let out = tested(&["packets_test.o"], 0);
    assert!(out.contains("5 passed; 0 failed; 0 skipped"), "{out}");
}

#[test]
fn filters_choose_tests() {
    let (list, _) = check(&objects(), &["test", "--list", "program_test.o", "--", "program.o"], 0);
    let expected = "test_limit_as_it_ships\ntest_limit_that_is_set\ntest_map_by_its_name\ntest_helper_is_replaced\n\
                    test_packets\n";
    assert_eq!(list, expected);
    let out = tested(&["--filter", "limit", "--filter", "map", "program_test.o", "--", "program.o"], 0);
    assert!(
        out.contains("running 3 tests\n") && out.contains("3 passed; 0 failed; 0 skipped; 2 filtered out"),
        "{out}"
    );
    let arguments = ["--filter", "test_packets", "--exact", "--list", "program_test.o", "--", "program.o"];
    assert_eq!(tested(&arguments, 0), "test_packets\n");
    let error = refused(&["--filter", "packets", "--exact", "program_test.o", "--", "program.o"]);
    assert!(error.contains("no test of 5 fits `--filter packets`; `--list` prints their names"), "{error}");
}

#[test]
fn output_is_shown_at_once_where_that_is_asked_for() {
    let arguments = ["--filter", "test_passes", "outcomes_test.o", "--", "program.o"];
    assert!(!tested(&arguments, 0).contains("nobody reads this"));
    let out = tested(&[&["--nocapture"], &arguments[..]].concat(), 0);
    assert!(out.contains("nobody reads this\n"), "{out}");
}

#[test]
fn tap() {
    let arguments = ["-O0", "--format", "tap", "outcomes_test.o", "program_test.o", "--", "program.o"];
    let out = tested(&arguments, 1);
    assert!(
        out.starts_with("TAP version 14\n1..14\nok 1 - test_passes\nnot ok 2 - test_asserts\n  ---\n"),
        "{out}"
    );
    let fault = "not ok 6 - test_faults
  ---
  object: \"outcomes_test.o\"
  output: |2
    SIGSEGV: an access of 0x0, a null pointer or near one
       0: first_of
                 at ./program.c:40
       1: test_faults
                 at ./outcomes_test.c:33
  ...
ok 7 - test_is_skipped # SKIP no \\#1 kernel
";
    assert!(out.contains(fault), "{out}");
}

#[test]
fn junit_is_xml_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.xml");
    let path = path.to_str().unwrap();
    let arguments = ["--format", "junit", "-o", path, "outcomes_test.o", "program_test.o", "--", "program.o"];
    let out = tested(&arguments, 1);
    assert!(out.ends_with("test result: FAILED. 6 passed; 7 failed; 1 skipped; 0 filtered out\n\n"), "{out}");
    let xml = fs::read_to_string(path).unwrap();
    let report = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    let skipped = |suite: &quick_junit::TestSuite| {
        let is_skipped = |status| matches!(status, &quick_junit::TestCaseStatus::Skipped { .. });
        suite.test_cases.iter().filter(|case| is_skipped(&case.status)).count()
    };
    let suites: Vec<(&str, usize, usize, usize)> = report
        .test_suites
        .iter()
        .map(|suite| (suite.name.as_str(), suite.tests, suite.failures, skipped(suite)))
        .collect();
    assert_eq!(suites, [("outcomes_test.o", 9, 7, 1), ("program_test.o", 5, 0, 0)]);
    let faults = &report.test_suites[0].test_cases[5];
    assert_eq!(faults.name.as_str(), "test_faults");
    let quick_junit::TestCaseStatus::NonSuccess { message, .. } = &faults.status else { panic!("{faults:?}") };
    assert_eq!(message.as_ref().unwrap().as_str(), "SIGSEGV: an access of 0x0, a null pointer or near one");
    assert!(faults.system_out.as_ref().unwrap().as_str().contains("./outcomes_test.c:33"), "{faults:?}");
}

/// Compiles the native tests; whether they are position independent does not matter.
fn native_object(folder: &Path, flag: &str) -> String {
    let object = folder.join(format!("native{flag}.o"));
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let mut cc = Command::new("cc");
    cc.args(["-g", "-O1", "-Wall", "-Wextra", "-Werror", flag, "-c", "-o"]).arg(&object).arg("-I").arg(include);
    native::output(cc.arg(objects().join("native_test.c")));
    object.to_str().unwrap().to_owned()
}

#[test]
fn native_tests_call_programs_and_name_their_maps() {
    let folder = tempfile::tempdir().unwrap();
    for flag in ["-fPIC", "-fPIE"] {
        let object = native_object(folder.path(), flag);
        let out = tested(&["-O0", &object, "--", "program.o"], 1);
        assert!(
            out.contains("test test_native_calls_the_program ... ok\ntest test_native_replaces_a_helper ... ok\n"),
            "{out}"
        );
        let fault = "SIGSEGV: an access of 0x0, a null pointer or near one\n   0: first_of\n             at ./program.c:40\n   \
                     1: test_native_faults\n             at ";
        assert!(out.contains(fault) && out.contains("native_test.c:40\n"), "{out}");
    }
    // Beside tests for BPF, with the results in the order of the command line.
    let object = native_object(folder.path(), "-fPIC");
    let both =
        tested(&["--filter", "calls", "--filter", "fails", &object, "outcomes_test.o", "--", "program.o"], 1);
    assert!(both.contains("test test_native_calls_the_program ... ok\ntest test_fails ... FAILED\n"), "{both}");
}

#[test]
fn what_is_undefined_is_said_at_once() {
    let error = refused(&["static_test.o", "--", "program.o"]);
    let expected = "bpf2native: error: 2 undefined symbols:
  `hidden`, which static_test.o (function `test_names_what_is_static`, ./static_test.c:9) refers to
  `absent`, which static_test.o (function `test_names_what_is_static`, ./static_test.c:9) refers to
give the objects that define them, or name their library with `-l`
`hidden` is static in program.o: take the `static` away, or test what calls it
";
    assert_eq!(error, expected);
}

#[test]
fn trouble_is_not_a_failed_test() {
    for (arguments, expected) in [
        (
            &["program.o"][..],
            "there are no tests in `program.o`: a test is a global function `void test_NAME(void)`",
        ),
        (&["no_test.o"], "`int test_with_a_parameter(int)` is not a test, which takes and returns nothing"),
        (&["--target", "aarch64", "program_test.o"], "tests run on this machine, and `--target` names another"),
        (&[], "no objects with tests given"),
        (&["absent.o"], "cannot read `absent.o`"),
        (&["program.c"], "program.c"),
        (&["-o", "program.o", "program_test.o", "--", "program.o"], "`program.o` is an input: name another output"),
    ] {
        let error = refused(arguments);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let object = native_object(folder.path(), "-fPIC");
    let error = refused(&[&object]);
    assert!(error.contains("there is no BPF object: name the program's behind `--`"), "{error}");
}

#[test]
fn coverage_is_that_of_all_tests_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.info");
    let covered = |arguments: &[&str], status| {
        let arguments = [&["--coverage", path.to_str().unwrap()], arguments].concat();
        tested(&arguments, status);
        fs::read_to_string(&path).unwrap()
    };
    let program = ["program_test.o", "--", "program.o"];
    let lcov = covered(&program, 0);
    let files: Vec<&str> = lcov.lines().filter(|line| line.starts_with("SF:")).collect();
    assert_eq!(files, ["SF:./program.c"], "{lcov}");
    // Four packets of two tests, and two of a third; nobody calls `first_of`.
    for line in ["FNDA:6,my_filter", "FNDA:6,hidden", "FNDA:1,age_of", "FNDA:0,first_of", "DA:37,1", "DA:40,0"] {
        assert!(lcov.lines().any(|found| found == line), "no {line}:\n{lcov}");
    }
    let one = covered(&[&["--filter", "map"], &program[..]].concat(), 0);
    assert!(one.contains("FNDA:2,my_filter\n") && one.contains("FNDA:0,age_of\n"), "{one}");
    // A test that faults has run, too.
    let fault = covered(&["--filter", "faults", "outcomes_test.o", "--", "program.o"], 1);
    assert!(fault.contains("FNDA:1,first_of\n"), "{fault}");
    // One that hangs can still tell, and one that leaves by `_exit` cannot.
    let arguments =
        ["test", "--timeout", "1", "--coverage", path.to_str().unwrap(), "hang_test.o", "--", "program.o"];
    let (status, _, error) = run(&mut command(&objects(), &arguments));
    assert_eq!(status, 1);
    assert!(error.contains("1 of 4 tests ended without telling what ran: they are not in the coverage"), "{error}");
}

#[test]
fn variables_of_the_kernels_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    fs::write(&config, "CONFIG_HZ=250\n").unwrap();
    let option = config.display().to_string();
    let out = tested(&["--kconfig", &option, "kconfig_test.o"], 0);
    assert!(out.contains("test test_frequency ... ok"), "{out}");
    fs::write(&config, "CONFIG_HZ=1000\n").unwrap();
    let out = tested(&["--kconfig", &option, "kconfig_test.o"], 1);
    assert!(out.contains("ASSERT_EQ(CONFIG_HZ, 250)") && out.contains("1000"), "{out}");
    let error = refused(&["kconfig_test.o"]);
    assert!(error.contains("`CONFIG_HZ`") && error.contains("--kconfig"), "{error}");
}
