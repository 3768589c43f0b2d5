//! `diff --against`: this code beside what other compilers and the kernel make.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use object::{Object, ObjectSymbol, SymbolKind};
use serde_json::Value;

use crate::command::{check, command, fixture, run};

/// The functions of a diff by name.
fn functions(json: &str) -> BTreeMap<String, Value> {
    let diff: Value = serde_json::from_str(json).unwrap();
    let functions = diff["functions"].as_array().unwrap().iter();
    functions.map(|function| (function["function"].as_str().unwrap().to_owned(), function.clone())).collect()
}

#[test]
fn native_functions_are_found_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let source = fixture("compare/shop.c");
    let mut cc = Command::new("cc");
    cc.current_dir(folder.path()).args(["-O1", "-w", "-c", "-o", "native.o"]).arg(source);
    assert!(cc.status().unwrap().success(), "cc compiles C");
    let bytes = fs::read(folder.path().join("native.o")).unwrap();
    let native = object::File::parse(&*bytes).unwrap();
    let sizes: BTreeMap<&str, u64> = native
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        .map(|symbol| (symbol.name().unwrap(), symbol.size()))
        .collect();
    let old = fixture("compare/old/shop.o");
    let old = old.to_str().unwrap();
    let (out, error) = check(folder.path(), &["diff", old, "--against", "native.o", "--format", "json"], 1);
    let functions = functions(&out);
    for name in ["price", "hash", "gift", "label", "main"] {
        let row = &functions[name];
        let number = |side: &str, measure: &str| row[side]["measures"][measure].as_u64().unwrap();
        assert_eq!(number("a", "bytes"), sizes[name], "{name}");
        assert!(number("a", "insns") > 3 && number("b", "insns") > 3, "{row}");
        assert_eq!(row["a"]["measures"].get("bpf"), None);
    }
    let number = |name: &str, measure: &str| functions[name]["a"]["measures"][measure].as_u64().unwrap();
    assert!(number("label", "calls") >= 1 && number("gift", "calls") == 0);
    assert!(number("price", "branches") >= 1 && number("gift", "loads") >= 1);
    assert!(functions["label"]["a"]["imports"].as_array().unwrap().contains(&"strlen".into()), "{out}");
    assert_eq!(error, "", "all functions are on both sides");
    let (out, _) = check(folder.path(), &["diff", old, "--against", "native.o", "--show", "asm", "-f", "label"], 1);
    assert!(out.contains("--- native.o: label") && out.contains("strlen"), "{out}");
    // Another source: what is only on one side is counted.
    let new = fixture("compare/new/shop.o");
    let (_, error) = check(folder.path(), &["diff", new.to_str().unwrap(), "--against", "native.o"], 1);
    assert!(error.contains("2 of 6 functions are not in `native.o`"), "{error}");
    assert!(error.contains("2 of 6 functions of `native.o` are not among those given"), "{error}");
}

#[test]
fn what_is_no_such_object_is_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let old = fixture("compare/old/shop.o");
    let old = old.to_str().unwrap();
    fs::write(folder.path().join("text.o"), "no object").unwrap();
    let trouble = |arguments: &[&str], expected: &str| {
        let (_, error) = check(folder.path(), &[&["diff", old, "--against"], arguments].concat(), 2);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    };
    trouble(&["nothing.o"], "cannot read `nothing.o`");
    trouble(&["text.o"], "`text.o` cannot be read as native code:");
    trouble(&[old], "it is a BPF object: give it as OLD or NEW");
    let mut native = fs::read(old).unwrap();
    native[18..20].copy_from_slice(&[183, 0]);
    fs::write(folder.path().join("arm.o"), native).unwrap();
    trouble(
        &["arm.o", "--target", "x86_64"],
        "`arm.o` is code for aarch64, and the target is x86_64: see `--target`",
    );
    trouble(&["kernel", "--target", "s390x"], "cannot compare with the kernel: this is");
}

#[cfg(target_os = "linux")]
#[test]
fn the_kernels_code_is_read_back() {
    use std::os::unix::process::CommandExt;

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| fixture(&format!("kernel/{name}.o")).to_str().unwrap().to_owned();
    let against = |name: &str| {
        let path = path(name);
        run(&mut command(folder.path(), &["diff", &path, "--against", "kernel", "--format", "json"]))
    };
    let (status, out, error) = against("xdp");
    if status == 2 && error.contains("bpf(2) is not allowed here") {
        // As the other tests that ask the kernel: continuous integration may run where nobody may.
        eprintln!("not tried: {error}");
        return;
    }
    assert_eq!(status, 1, "{error}");
    let xdp = functions(&out);
    for name in ["filter", "is_blocked"] {
        let row = &xdp[name];
        for side in ["a", "b"] {
            assert_eq!(row[side]["status"], "ok", "{row}");
            for measure in ["bytes", "insns", "calls", "branches", "loads", "cycles"] {
                assert!(row[side]["measures"][measure].as_u64().unwrap() > 0, "{side} {measure}: {row}");
            }
        }
    }
    let (status, out, error) = against("tracepoint");
    assert_eq!((status, functions(&out).len()), (1, 2), "{error}");
    // What it refuses is a row too.
    let shop = fixture("compare/old/shop.o");
    let (_, error) = check(folder.path(), &["diff", shop.to_str().unwrap(), "--against", "kernel"], 1);
    let refused = error.lines().find(|line| line.contains("`main` of `shop.o`"));
    assert!(refused.is_some_and(|line| line.contains("printf")), "{error}");
    whose_loader_it_is(folder.path());
    // SAFETY: it only asks for a number.
    if unsafe { libc::geteuid() } != 0 {
        return;
    }
    // Nobody may not ask.
    let copy = folder.path().join("bpf2native");
    // Not by this process: another test's child may be about to be started, with what is open for writing here, and nobody may run that.
    assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_bpf2native")).arg(&copy).status().unwrap().success());
    fs::copy(path("xdp"), folder.path().join("xdp.o")).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder.path(), open).unwrap();
    let mut nobody = Command::new(copy);
    nobody.current_dir(folder.path()).args(["diff", "xdp.o", "--against", "kernel"]).uid(65534).gid(65534);
    let (status, _, error) = run(&mut nobody);
    assert!(status == 2 && error.contains("bpf(2) is not allowed here") && error.contains("CAP_BPF"), "{error}");
}

/// Programs that want more than copied instructions are loaded by libbpf, where it is; else the row says whose loader it
/// is that gives up.
#[cfg(target_os = "linux")]
fn whose_loader_it_is(folder: &std::path::Path) {
    let object = fixture("faults/loader.o");
    let (_, out, error) =
        run(&mut command(folder, &["diff", object.to_str().unwrap(), "--against", "kernel", "--format", "json"]));
    let rows = functions(&out);
    assert_eq!(rows["plain"]["a"]["status"], "ok", "{error}");
    let line = |name: &str| {
        error.lines().find(|line| line.contains(&format!("`{name}` of `loader.o`"))).map(str::to_owned)
    };
    let refused = line("refused").unwrap();
    assert!(refused.contains("the kernel refuses") && refused.contains("invalid"), "{error}");
    // SAFETY: libbpf does nothing when it is loaded.
    let has_libbpf = !unsafe { libc::dlopen(c"libbpf.so.1".as_ptr(), libc::RTLD_LAZY) }.is_null();
    for name in ["version", "attached", "callback", "nested"] {
        let row = &rows[name]["a"];
        if has_libbpf {
            assert_eq!(row["status"], "ok", "{name}: {error}");
            assert!(row["measures"]["insns"].as_u64().unwrap() > 1, "{name}: {row}");
        } else {
            assert_eq!(row["status"], "failed", "{name}");
            let reason = line(name).unwrap();
            assert!(
                reason.contains("the kernel was not asked for") && reason.contains("install libbpf"),
                "{reason}"
            );
        }
    }
    if has_libbpf {
        assert_eq!(rows["step"]["a"]["status"], "ok", "a callback is a function of its own: {error}");
    }
}
