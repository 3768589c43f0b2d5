//! The command line: what each command prints and writes, and its exit status.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BPF2NATIVE: &str = env!("CARGO_BIN_EXE_bpf2native");

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// An ordinary program: counts lines, words and bytes.
fn wc() -> PathBuf {
    fixture("obj/clang22-v4/wc.o")
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(BPF2NATIVE).current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs the command and checks its exit status; what it printed to standard output and to standard error.
fn check(folder: &Path, arguments: &[&str], status: i32) -> (String, String) {
    let output = run(folder, arguments);
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{arguments:?}\n{out}{error}");
    (out, error)
}

fn with_input(command: &mut Command, input: &str) -> Output {
    use std::io::Write;
    use std::process::Stdio;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn an_executable_is_position_independent_and_protected() {
    let folder = tempfile::tempdir().unwrap();
    check(folder.path(), &[wc().to_str().unwrap(), "-o", "wc"], 0);
    let output = with_input(Command::new(folder.path().join("wc")).current_dir(folder.path()), "a b\nc\n");
    assert!(output.status.success());
    let counts: Vec<String> = text(&output.stdout).split_whitespace().map(str::to_owned).collect();
    assert_eq!(counts[..3], ["2", "3", "6"]);

    use object::read::elf::{Dyn, FileHeader, ProgramHeader};
    let bytes = fs::read(folder.path().join("wc")).unwrap();
    let header = object::elf::FileHeader64::<object::Endianness>::parse(&*bytes).unwrap();
    let endian = header.endian().unwrap();
    assert_eq!(header.e_type(endian), object::elf::ET_DYN);
    let segments = header.program_headers(endian, &*bytes).unwrap();
    let has = |kind| segments.iter().any(|segment| segment.p_type(endian) == kind);
    assert!(has(object::elf::PT_GNU_RELRO));
    for segment in segments {
        let (writable, executable) =
            (segment.p_flags(endian) & object::elf::PF_W != 0, segment.p_flags(endian) & object::elf::PF_X != 0);
        assert!(!(writable && executable), "a segment is writable and executable");
        for entry in segment.dynamic(endian, &*bytes).unwrap().unwrap_or_default() {
            assert_ne!(entry.d_tag(endian), object::elf::DT_TEXTREL, "text relocations");
        }
    }
}

#[test]
fn the_default_outputs_are_those_of_a_compiler() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(wc(), folder.path().join("prog.o")).unwrap();
    check(folder.path(), &["prog.o"], 0);
    check(folder.path(), &["-c", "prog.o"], 0);
    check(folder.path(), &["--shared", "prog.o"], 0);
    for name in ["a.out", "prog.native.o", "prog.so"] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
}

#[test]
fn a_relocatable_object_leaves_undefined_symbols_to_the_linker() {
    use object::{Object, ObjectSymbol};
    let folder = tempfile::tempdir().unwrap();
    check(folder.path(), &["-c", wc().to_str().unwrap(), "-o", "wc.o"], 0);
    let bytes = fs::read(folder.path().join("wc.o")).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let symbol =
        |name: &str| file.symbols().find(|symbol| symbol.name() == Ok(name) && symbol.is_global()).unwrap();
    assert!(symbol("printf").is_undefined());
    assert!(symbol("main").is_definition());
    assert!(file.section_by_name(".eh_frame").is_some());
    check(folder.path(), &["-c", wc().to_str().unwrap(), "-o", "one.o", "-j", "1"], 0);
    check(folder.path(), &["-c", wc().to_str().unwrap(), "-o", "two.o", "-j", "2"], 0);
    let [one, two] = ["one.o", "two.o"].map(|name| fs::read(folder.path().join(name)).unwrap());
    assert_eq!(one, two, "the number of threads shows");
}

#[test]
fn text_goes_to_standard_output_and_names_things() {
    let folder = tempfile::tempdir().unwrap();
    let wc = wc();
    for (kind, expected) in [("bpf", "exit"), ("clif", "return"), ("asm", "ret")] {
        let arguments = ["--emit", kind, "--function", "main", wc.to_str().unwrap()];
        let (out, _) = check(folder.path(), &arguments, 0);
        assert!(out.contains(expected), "{kind}:\n{out}");
        assert!(out.contains("printf"), "{kind} does not name what it calls:\n{out}");
        assert_eq!(out.matches("section `").count(), 1, "{kind}: another function is shown:\n{out}");
        assert_eq!(check(folder.path(), &arguments, 0).0, out, "{kind} differs from run to run");
    }
    let (_, error) = check(folder.path(), &["--emit", "bpf", "--function", "nope", wc.to_str().unwrap()], 1);
    assert!(error.contains("there is no function `nope`"), "{error}");
}

#[test]
fn dependencies_are_a_makefile_rule() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(wc(), folder.path().join("my prog.o")).unwrap();
    check(folder.path(), &["-c", "my prog.o", "-o", "x.o", "--depfile", "x.d"], 0);
    let rule = fs::read_to_string(folder.path().join("x.d")).unwrap();
    assert_eq!(rule, "x.o: my\\ prog.o\n\nmy\\ prog.o:\n");
}

#[test]
fn run_passes_arguments_input_and_status() {
    let folder = tempfile::tempdir().unwrap();
    let output = with_input(Command::new(BPF2NATIVE).arg("run").arg(wc()), "one two\n");
    assert!(output.status.success());
    assert_eq!(text(&output.stdout).split_whitespace().take(3).collect::<Vec<_>>(), ["1", "2", "8"]);
    let missing = check(folder.path(), &["run", wc().to_str().unwrap(), "--", "no-such-file"], 1);
    assert!(missing.1.contains("no-such-file"), "{missing:?}");
}

#[test]
fn one_function_of_a_kernel_object_is_tried_on_a_buffer() {
    let script = fixture("obj/clang22-v4/script.o");
    let classify = |input: &str| {
        let output = with_input(Command::new(BPF2NATIVE).args(["run", "--entry", "classify"]).arg(&script), input);
        assert!(output.status.success(), "{output:?}");
        text(&output.stdout)
    };
    assert_eq!(classify("short"), "-1\n");
    assert_eq!(classify("123456789012\x08\x06 and more"), "2054\n");
    // What is called by number, and the program defines itself, is reached too.
    let platform = fixture("obj/asm/platform.o");
    let output = with_input(Command::new(BPF2NATIVE).args(["run", "--entry", "main"]).arg(platform), "");
    assert_eq!(text(&output.stdout), "180\n", "{output:?}");
    let folder = tempfile::tempdir().unwrap();
    let script = script.to_str().unwrap();
    let (_, error) = check(folder.path(), &["run", "--no-runtime", "--entry", "count", script], 1);
    assert!(error.contains("`bpf_map_update_elem`") && error.contains("function `count`"), "{error}");
    let (_, error) = check(folder.path(), &["run", "--entry", "nope", script], 1);
    assert!(error.contains("there is no function `nope`"), "{error}");
}

#[test]
fn wrong_use_is_status_2_and_failed_work_status_1() {
    let folder = tempfile::tempdir().unwrap();
    let wc = wc();
    let wc = wc.to_str().unwrap();
    check(folder.path(), &[], 2);
    check(folder.path(), &["--no-such-flag"], 2);
    check(folder.path(), &["--target", "pdp11", wc], 2);
    check(folder.path(), &["--function", "main", wc], 2);
    check(folder.path(), &["-o", "-", wc], 2);
    let (_, error) = check(folder.path(), &["no-such-file.o"], 1);
    assert!(error.contains("cannot read `no-such-file.o`"), "{error}");
    let (_, error) = check(folder.path(), &["-c", "--cpu", "no-such-cpu", wc], 1);
    assert!(error.contains("`no-such-cpu` is not a processor"), "{error}");
    let (_, error) = check(folder.path(), &["-c", "--target", "s390x", wc], 1);
    assert!(error.contains("little-endian") && error.contains("bpfeb"), "{error}");
}

#[test]
fn optimisations_have_switches() {
    let folder = tempfile::tempdir().unwrap();
    let wc = wc();
    let wc = wc.to_str().unwrap();
    let (list, _) = check(folder.path(), &["-Z", "help"], 0);
    let names: Vec<&str> = list.lines().filter_map(|line| line.strip_prefix("  ")?.split("  ").next()).collect();
    assert_eq!(names, bpf2native::config::Pass::ALL.iter().map(|pass| pass.name()).collect::<Vec<_>>());
    let (_, error) = check(folder.path(), &["-Z", "no-such", wc], 2);
    assert!(error.contains("there is no pass `no-such`"), "{error}");
    let code = |words: &[&str]| check(folder.path(), &[&["--emit", "asm", wc], words].concat(), 0).0;
    assert_ne!(code(&[]), code(&["-Z", "none"]));
    assert_eq!(code(&["-O1"]), code(&["-Z", "none"]));
    assert_eq!(code(&["-O2"]), code(&["-O1", "-Z", "all"]));
}

#[test]
fn clif_is_shown_after_a_pass() {
    let folder = tempfile::tempdir().unwrap();
    let (wc, object) = (wc(), fixture("llvm23/floats.o"));
    let after = |words: &[&str]| {
        check(folder.path(), &[&["--emit", "clif", object.to_str().unwrap()], words].concat(), 0).0
    };
    let count = |text: &str, what: &str| text.matches(what).count();
    // Plans are in what is lifted, so all are shown alike; the last pass is what is shown anyway.
    assert!(after(&["--after", "stack-promotion"]) == after(&["--after", "cold-blocks"]));
    assert!(after(&["--after", "float-anchors", "-Z", "no-egraph"]) == after(&["-Z", "no-egraph"]));
    // What a pass does is there after it, and not before.
    let (before, then) = (after(&["--after", "post-increment"]), after(&["--after", "edge-splitting"]));
    assert!(count(&then, "\nblock") > count(&before, "\nblock"));
    assert!(after(&["--after", "edge-splitting", "-Z", "no-edge-splitting"]) == before);
    let wc = wc.to_str().unwrap();
    for (arguments, expected) in [
        (["--emit", "clif", "--after", "egraph", wc], "`--emit clif-opt`"),
        (["--emit", "clif", "--after", "prologues", wc], "`-Z no-prologues`"),
        (["--emit", "clif", "--after", "no-egraph", wc], "there is no pass `no-egraph`"),
        (["--emit", "asm", "--after", "egraph", wc], "`--emit clif`"),
    ] {
        let (_, error) = check(folder.path(), &arguments, 2);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn files_that_are_no_bpf_objects_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bitcode.o"), b"BC\xc0\xde0000").unwrap();
    fs::write(folder.path().join("text.o"), "hello, I am no object at all\n".repeat(10)).unwrap();
    fs::write(folder.path().join("empty.o"), "").unwrap();
    fs::copy(std::env::current_exe().unwrap(), folder.path().join("native.o")).unwrap();
    for (name, expected) in
        [("bitcode.o", "bitcode"), ("text.o", "text.o"), ("empty.o", "empty.o"), ("native.o", "BPF")]
    {
        let (_, error) = check(folder.path(), &["-c", name, "-o", "out.o"], 1);
        assert!(error.contains(expected) && error.contains(name), "{name}: {error}");
        assert!(!folder.path().join("out.o").exists());
    }
}

#[test]
fn inspect_shows_prototypes() {
    let folder = tempfile::tempdir().unwrap();
    let (out, _) = check(folder.path(), &["inspect", wc().to_str().unwrap()], 0);
    assert!(out.contains("int printf(const char *, ...) (from BTF)"), "{out}");
    assert!(out.contains("int main(int"), "{out}");
    let without_btf = fixture("obj/clang19-v2/ctype.o");
    let (out, _) = check(folder.path(), &["inspect", without_btf.to_str().unwrap()], 0);
    assert!(out.contains("int isalpha(int) (from the table of libc)"), "{out}");
    assert!(out.contains("stdin (only its address)"), "{out}");
}

#[test]
fn every_target_gets_an_object() {
    use object::{Architecture, BinaryFormat, Object};
    let folder = tempfile::tempdir().unwrap();
    let wc = wc();
    for (target, architecture, format) in [
        ("x86_64", Architecture::X86_64, BinaryFormat::Elf),
        ("aarch64-linux-gnu", Architecture::Aarch64, BinaryFormat::Elf),
        ("riscv64gc-unknown-linux-gnu", Architecture::Riscv64, BinaryFormat::Elf),
        ("x86_64-apple-darwin", Architecture::X86_64, BinaryFormat::MachO),
        ("aarch64-apple-darwin", Architecture::Aarch64, BinaryFormat::MachO),
        ("x86_64-pc-windows-msvc", Architecture::X86_64, BinaryFormat::Coff),
        ("aarch64-pc-windows-msvc", Architecture::Aarch64, BinaryFormat::Coff),
    ] {
        check(folder.path(), &["-c", "--target", target, wc.to_str().unwrap(), "-o", "x.o"], 0);
        let bytes = fs::read(folder.path().join("x.o")).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        assert_eq!((file.architecture(), file.format()), (architecture, format), "{target}");
    }
}

#[test]
fn flags_are_those_of_the_target() {
    let folder = tempfile::tempdir().unwrap();
    for (names, expected) in [
        (&["aarch64", "arm64-linux-gnu"][..], &["bpfel", "-D__aarch64__"][..]),
        (
            &[
                "riscv64",
                "riscv64gc",
                "riscv64-linux-gnu",
                "riscv64gc-unknown-linux-gnu",
                "riscv64-unknown-linux-gnu",
            ],
            &["bpfel", "-D__riscv", "-D__riscv_xlen=64"],
        ),
        (&["s390x", "s390x-unknown-linux-gnu", "s390x-linux-gnu"], &["bpfeb", "-D__s390x__"]),
        (&["x86_64", "x86_64-linux-gnu"], &["bpfel", "-D__x86_64__"]),
    ] {
        for name in names {
            let (out, _) = check(folder.path(), &["cflags", "--target", name], 0);
            let flags: Vec<&str> = out.split_whitespace().collect();
            assert!(expected.iter().all(|flag| flags.contains(flag)), "{name}: {out}");
        }
    }
}

/// The phases that `--time` names, in order, each with its milliseconds.
fn phases(error: &str) -> Vec<&str> {
    let words = |line: &'_ str| -> Option<()> {
        let mut words = line.split_whitespace().skip(1);
        words.next()?.parse::<f64>().ok().filter(|&time| time > 0.0)?;
        (words.next() == Some("ms")).then_some(())
    };
    error.lines().filter(|line| words(line).is_some()).filter_map(|line| line.split_whitespace().next()).collect()
}

#[test]
fn time_names_every_pass() {
    let folder = tempfile::tempdir().unwrap();
    let time = |target| {
        let wc = wc();
        let arguments = ["--time", "--target", target, "-c", wc.to_str().unwrap(), "-o", "wc.o"];
        check(folder.path(), &arguments, 0).1
    };
    // Each is of use on one of these.
    let error = time("x86_64") + &time("aarch64");
    let rows: Vec<&str> =
        error.lines().filter_map(|line| line.strip_prefix("    ")?.rsplit("    ").next()).collect();
    for row in bpf2native::internals::pipeline::rows().iter().filter(|row| row.phase().is_some()) {
        assert!(rows.contains(&row.name), "{} in {error}", row.name);
    }
}

#[test]
fn time_names_every_phase() {
    let translated =
        ["parse", "graph", "declare", "plan", "lift", "opt", "optimise", "lower", "registers", "assemble", "emit"];
    let (folder, wc) = (tempfile::tempdir().unwrap(), wc());
    let wc = wc.to_str().unwrap();
    let (_, error) = check(folder.path(), &["--time", wc, "-o", "wc"], 0);
    assert_eq!(phases(&error), [&translated[..], &["link", "total"]].concat());
    let (_, error) = check(folder.path(), &["--time", "-O1", "-c", wc, "-o", "wc.o"], 0);
    let unoptimised: Vec<&str> = translated.iter().copied().filter(|&name| name != "optimise").collect();
    assert_eq!(phases(&error), [&unoptimised[..], &["total"]].concat());
    let output = with_input(Command::new(BPF2NATIVE).args(["run", "--time", wc]), "a b\nc\n");
    assert_eq!(phases(&text(&output.stderr)), [&translated[..], &["total"]].concat());
    let (_, error) = check(folder.path(), &[wc, "-o", "wc"], 0);
    assert_eq!(error, "");
}
