//! Calls across the border that only `bpf2native.h` makes, with native code linked beside, on each machine; where that
//! header is found; and objects of the wrong byte order.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BPF2NATIVE: &str = env!("CARGO_BIN_EXE_bpf2native");

/// What `list_calls_main.c` prints.
const EXPECTED: &str = "6 7 0.5 -2.25 7 6 7696581394432 1\n7696581394459\n53.5\n321654\n\
    43 5000000000 2.5 5000000001 -0.5 5000000002 8\n54321\n";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", text(&output.stderr));
    output
}

/// The first of these that is not installed; a failure in CI.
fn missing<'a>(tools: &[&'a str]) -> Option<&'a str> {
    let is_there = |tool: &&str| Command::new(tool).arg("--version").output().is_ok();
    let missing = tools.iter().copied().find(|tool| !is_there(tool))?;
    // Past the test harness, which hides what passing tests print.
    let _ = writeln!(std::io::stderr(), "border: left out, `{missing}` is not installed");
    assert!(std::env::var_os("CI").is_none(), "`{missing}` is not installed");
    Some(missing)
}

/// Translates `object` for a machine, links it with the native side, and runs that.
fn check_list_calls(target: &str, object: &str, compiler: &str, runner: &[&str]) {
    let tools: Vec<&str> = [compiler].into_iter().chain(runner.first().copied()).collect();
    if missing(&tools).is_some() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (translated, program) = (folder.path().join("translated.o"), folder.path().join("program"));
    for level in ["0", "2"] {
        succeed(
            Command::new(BPF2NATIVE)
                .args(["-c", "-O", level, "--target", target])
                .arg(fixture(object))
                .arg("-o")
                .arg(&translated),
        );
        let native = fixture("api/list_calls_main.c");
        succeed(Command::new(compiler).args(["-O1", "-w"]).arg(native).arg(&translated).arg("-o").arg(&program));
        let mut command = runner.iter().copied().chain([program.to_str().expect("UTF-8")]);
        let mut run = Command::new(command.next().expect("a program"));
        assert_eq!(text(&succeed(run.args(command)).stdout), EXPECTED, "{target} -O{level}");
    }
}

#[test]
fn list_calls_of_native_functions() {
    check_list_calls("x86_64", "api/list_calls.o", "cc", &[]);
}

#[test]
fn list_calls_on_other_machines() {
    for machine in ["aarch64", "riscv64"] {
        let (compiler, emulator) = (format!("{machine}-linux-gnu-gcc"), format!("qemu-{machine}"));
        let root = format!("/usr/{machine}-linux-gnu");
        check_list_calls(machine, "api/list_calls.o", &compiler, &[&emulator, "-L", &root]);
    }
    check_list_calls(
        "s390x",
        "api/list_calls.be.o",
        "s390x-linux-gnu-gcc",
        &["qemu-s390x", "-L", "/usr/s390x-linux-gnu"],
    );
}

#[test]
fn list_calls_that_cannot_be() {
    for (function, expected) in [
        (
            "strfmon_with_doubles",
            "`strfmon`, called by way of bpf2native.h, takes doubles after the `...`, and has no known form with a `va_list`",
        ),
        ("no_struct", "`strtol`, called by way of bpf2native.h, does not return a struct"),
        ("no_list", "`strtol`, called by way of bpf2native.h, takes no `va_list` as its last argument"),
    ] {
        let object = fixture("api/list_errors.o");
        let mut command = Command::new(BPF2NATIVE);
        let output = command.args(["run", "--entry", function]).arg(object).output().expect("it starts");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(expected) && error.contains(&format!("function `{function}`")), "{error}");
    }
}

/// `cflags` with this home and cache, the flag for the header, and what it says besides.
fn cflags(command: &Path, home: Option<&Path>, more: &[&str]) -> (Option<PathBuf>, String) {
    let mut run = Command::new(command);
    run.arg("cflags").args(more).env_remove("XDG_CACHE_HOME").env_remove("HOME");
    if let Some(home) = home {
        run.env("HOME", home);
    }
    let output = succeed(&mut run);
    let flags = text(&output.stdout);
    // The last one: those of the system come first.
    let folder = flags.split_whitespace().filter_map(|flag| flag.strip_prefix("-isystem")).next_back();
    (folder.filter(|folder| !folder.starts_with("/usr/")).map(PathBuf::from), text(&output.stderr))
}

fn has_header(folder: &Path) -> bool {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/bpf2native.h");
    fs::read(folder.join("bpf2native.h")).is_ok_and(|found| found == fs::read(ours).expect("our header"))
}

#[test]
fn flags_point_to_the_header() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let home = temporary.path().join("home");
    let command = Path::new(BPF2NATIVE);
    let (folder, said) = cflags(command, Some(&home), &[]);
    let folder = folder.expect("a folder");
    assert!(folder.starts_with(home.join(".cache/bpf2native")) && has_header(&folder), "{folder:?}");
    assert_eq!(said, "");
    assert!(
        fs::read_to_string(folder.join("bpf2native_builtins.h")).is_ok_and(|header| header.contains("prefetch"))
    );
    for (more, included) in [(&[][..], true), (&["--bpftool"], false)] {
        let output = succeed(Command::new(command).arg("cflags").args(more).env("HOME", &home));
        assert_eq!(text(&output.stdout).contains("-include bpf2native_builtins.h"), included, "{more:?}");
    }
    // Once it is there, nothing is written, and what was damaged is mended.
    let written =
        || fs::metadata(folder.join("bpf2native.h")).and_then(|file| file.modified()).expect("it is there");
    let before = written();
    assert_eq!(cflags(command, Some(&home), &["--target", "s390x"]).0.as_ref(), Some(&folder));
    assert_eq!(written(), before);
    fs::write(folder.join("bpf2native.h"), "").expect("it can be written");
    assert_eq!(cflags(command, Some(&home), &[]).0.as_ref(), Some(&folder));
    assert!(has_header(&folder));

    let wanted = temporary.path().join("wanted");
    let (folder, _) = cflags(command, None, &["--header-dir", wanted.to_str().expect("UTF-8")]);
    assert!(folder.as_ref() == Some(&wanted) && has_header(&wanted), "{folder:?}");

    let (folder, said) = cflags(command, None, &[]);
    assert_eq!(folder, None);
    assert!(said.contains("neither XDG_CACHE_HOME nor HOME is set"), "{said}");
}

#[test]
fn an_installed_header_is_used_if_it_is_this_one() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let (prefix, home) = (temporary.path().canonicalize().expect("it is there"), temporary.path().join("home"));
    let (command, folder) = (prefix.join("bin/bpf2native"), prefix.join("include/bpf2native"));
    for folder in [&prefix.join("bin"), &folder] {
        fs::create_dir_all(folder).expect("a folder");
    }
    // A copy may be on another file system.
    if fs::hard_link(BPF2NATIVE, &command).is_err() {
        fs::copy(BPF2NATIVE, &command).expect("a copy of the command");
    }
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    for header in fs::read_dir(ours).expect("our headers") {
        let header = header.expect("a header");
        fs::copy(header.path(), folder.join(header.file_name())).expect("a copy of the header");
    }
    assert_eq!(cflags(&command, Some(&home), &[]).0.as_ref(), Some(&folder));
    assert!(!home.exists(), "it was not needed");
    fs::write(folder.join("bpf2native.h"), "/* of another version */\n").expect("it can be written");
    let (other, _) = cflags(&command, Some(&home), &[]);
    assert!(other.is_some_and(|other| other.starts_with(&home)));
}

#[test]
fn objects_of_the_wrong_byte_order() {
    for (target, object, order) in [
        ("s390x", "obj/clang22-v4/wc.o", "little-endian"),
        ("s390x-ibm-linux-gnu", "obj/clang22-v4/wc.o", "little-endian"),
        ("x86_64", "obj/clang22-v4-s390x/wc.o", "big-endian"),
        ("aarch64", "obj/clang22-v4-s390x/wc.o", "big-endian"),
    ] {
        let output = Command::new(BPF2NATIVE)
            .args(["-c", "--target", target, "-o", "/dev/null"])
            .arg(fixture(object))
            .output()
            .expect("it starts");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(order) && error.contains("bpfe"), "{target}: {error}");
    }
}
