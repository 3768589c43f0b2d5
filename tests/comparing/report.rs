//! Saved reports: the same bytes for the same input, parts of a whole, and files that are no reports.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::command::{check, command, fixture, run};

/// Copies some objects into a folder.
fn objects(folder: &Path) {
    fs::create_dir_all(folder.join("lib")).unwrap();
    for (from, to) in [
        ("compare/new/shop.o", "shop.o"),
        ("obj/clang22-v4/wc.o", "lib/wc.o"),
        ("obj/clang22-v4/calls.o", "lib/calls.o"),
        ("obj/gcc/wc.o", "wc.o"),
        ("obj/clang22-v4/switches.o", "switches.o"),
    ] {
        fs::copy(fixture(from), folder.join(to)).unwrap();
    }
    // Neither of these is an object that counts.
    fs::write(folder.join("notes.txt"), "no object").unwrap();
    let mut native = fs::read(fixture("obj/clang22-v4/wc.o")).unwrap();
    native[18] = 62;
    fs::write(folder.join("native.o"), native).unwrap();
}

#[test]
fn the_same_objects_make_the_same_bytes() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let deep = second.path().join("another/place");
    objects(&first.path().join("in"));
    objects(&deep.join("elsewhere"));
    let arguments = |folder, threads| ["report", "--texts", folder, "-o", "-", "-j", threads];
    let (_, one, error) = run(command(first.path(), &arguments("in", "1")).env("LC_ALL", "C"));
    assert_eq!(error, "");
    assert!(one.contains("\"name\": \"lib/wc.o\"") && !one.contains("native.o"), "{one}");
    let (_, two, _) = run(command(first.path(), &arguments("in/", "2")).env("LC_ALL", "tr_TR.UTF-8"));
    assert!(one == two, "threads or locale show");
    let absolute = deep.join("elsewhere");
    let (_, three, _) = run(command(&deep, &arguments(absolute.to_str().unwrap(), "2")).env("TZ", "Asia/Tokyo"));
    assert!(one == three, "the folder shows");
}

#[test]
fn parts_make_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    objects(&path.join("in"));
    check(path, &["report", "in", "-o", "whole.json"], 0);
    for part in ["1", "2", "3"] {
        let (shard, file) = (format!("{part}/3"), format!("{part}.json"));
        check(path, &["report", "in", "--shard", &shard, "-o", &file], 0);
    }
    check(path, &["report", "--merge", "3.json", "1.json", "2.json", "-o", "merged.json"], 0);
    let [whole, merged] = ["whole.json", "merged.json"].map(|file| fs::read_to_string(path.join(file)).unwrap());
    assert!(whole == merged, "the merged report is another one");

    let refused = |arguments: &[&str], expected: &str| {
        let (_, error) = check(path, &[&["report", "--merge"], arguments].concat(), 2);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    };
    refused(&["1.json", "3.json"], "parts of the whole are missing: 2/3");
    refused(&["1.json", "1.json"], "`1.json` cannot be merged with `1.json`: both are the same part");
    refused(&["1.json", "whole.json"], "they are parts of different wholes");
    check(path, &["report", "in", "--shard", "2/3", "-O1", "-o", "other.json"], 0);
    refused(&["1.json", "other.json"], "its options are others");
    check(path, &["report", "in/wc.o", "-o", "a.json"], 0);
    check(path, &["report", "in/wc.o", "in/shop.o", "-o", "b.json"], 0);
    refused(&["a.json", "b.json"], "both have the file `wc.o`");
    check(path, &["report", "in/shop.o", "-o", "c.json"], 0);
    check(path, &["report", "--merge", "a.json", "c.json", "-o", "d.json"], 0);
    assert_eq!(fs::read(path.join("d.json")).unwrap(), fs::read(path.join("b.json")).unwrap());
}

#[test]
fn what_is_no_report_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let shop = fixture("compare/old/shop.o");
    check(path, &["report", shop.to_str().unwrap(), "-o", "good.json"], 0);
    let good = fs::read_to_string(path.join("good.json")).unwrap();
    let bad = path.join("bad.json");
    let refused = |text: &str, expected: &str| {
        fs::write(&bad, text).unwrap();
        let (_, error) = check(path, &["diff", "bad.json", "good.json"], 2);
        assert!(error.contains("bad.json") && error.contains(expected), "{expected}: {error}");
    };
    for (from, to, expected) in [
        ("\"schema\": 1", "\"schema\": 7", "is a report of schema 7, and this version reads schema 1"),
        ("\"schema\": 1,", "", "it has no `schema`"),
        ("\"tool\":", "\"fool\":", "unknown field `fool`"),
        ("\"status\": \"ok\"", "\"status\": \"fine\"", "unknown variant `fine`"),
        ("\"bytes\":", "\"bites\":", "unknown variant `bites`"),
        ("\"bpf\": 5", "\"bpf\": -5", "invalid value: integer `-5`"),
        ("\"file\": \"shop.o\"", "\"file\": \"ship.o\"", "is in `ship.o`, which is not listed"),
        ("\"function\": \"hash\"", "\"function\": \"price\"", "the function `price` of `shop.o` is listed twice"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        refused(&text, expected);
    }
    refused("{", "EOF while parsing");
    refused(&format!("{{\"schema\": 1, \"files\": {}", "[".repeat(100_000)), "bad.json");
    // Cut off anywhere, it is trouble and no crash.
    for length in (1..good.len()).step_by(good.len() / 40) {
        let Some(text) = good.get(..length) else { continue };
        fs::write(&bad, text).unwrap();
        check(path, &["diff", "bad.json", "good.json"], 2);
    }
}

/// A report of an object, as JSON.
fn report(arguments: &[&str], object: &str) -> serde_json::Value {
    let object = fixture(object);
    let all = [&["report", object.to_str().unwrap(), "--texts", "-o", "-"], arguments].concat();
    serde_json::from_str(&check(Path::new("."), &all, 0).0).unwrap()
}

fn function<'a>(report: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let functions = report["functions"].as_array().unwrap();
    functions.iter().find(|function| function["function"] == name).unwrap()
}

#[test]
fn spills_and_reloads_are_the_accesses_to_spill_slots() {
    // In a function without variables in its frame, they are all accesses to the frame after the prologue, which saves
    // registers, but for the epilogue's.
    let report_of_shop = report(&["--target", "x86_64", "-O0"], "compare/old/shop.o");
    for name in ["price", "hash", "gift", "label", "tax"] {
        let function = function(&report_of_shop, name);
        let lines = function["texts"]["asm"].as_array().unwrap().iter();
        let lines: Vec<&str> = lines.map(|line| line["text"].as_str().unwrap().trim()).collect();
        let is_store = |line: &&&str| line.ends_with("(%rsp)") && !line.starts_with("cmp");
        let is_load = |line: &&&str| line.contains("(%rsp), ");
        let start = lines.iter().position(|line| line.starts_with("subq $")).unwrap() + 1;
        let saved = lines[start..]
            .iter()
            .take_while(is_store)
            .filter(|line| ["%rbx", "%r12", "%r13", "%r14", "%r15"].iter().any(|register| line.contains(register)));
        let saved = saved.count();
        let (stores, loads) = (lines.iter().filter(is_store).count(), lines.iter().filter(is_load).count());
        let number = |measure: &str| function["measures"][measure].as_u64().unwrap() as usize;
        assert_eq!((number("spills"), number("reloads")), (stores - saved, loads - saved), "{name}: {lines:#?}");
        assert!(number("spills") > 0, "{name}");
    }
    // Elsewhere, a function that needs next to no slots with a good allocation has many with a poor one.
    for (target, object) in [
        ("x86_64", "obj/clang22-v4/sha256sum.o"),
        ("aarch64", "obj/clang22-v4/sha256sum.o"),
        ("riscv64", "obj/clang22-v4/sha256sum.o"),
        ("s390x", "obj/clang22-v4-s390x/sha256sum.o"),
    ] {
        let spills = |level: &str| {
            let report = report(&["--target", target, level], object);
            function(&report, "sum")["measures"]["spills"].as_u64().unwrap()
        };
        let (good, poor) = (spills("-O2"), spills("-O0"));
        assert!(good <= 2 && poor > 4 * good.max(1), "{target}: {good} {poor}");
    }
}

/// Processor time of a command, in microseconds.
fn processor_time(folder: &Path, arguments: &[&str]) -> u64 {
    let mut child = command(folder, arguments).stdout(Stdio::null()).spawn().unwrap();
    // SAFETY: the structure is of numbers, and the kernel fills it.
    let (mut status, mut usage) = (0, unsafe { std::mem::zeroed::<libc::rusage>() });
    // SAFETY: the child is not waited for before, and both pointers are to variables.
    let waited = unsafe { libc::wait4(child.id() as libc::pid_t, &raw mut status, 0, &raw mut usage) };
    assert_eq!((waited as u32, libc::WIFEXITED(status)), (child.id(), true));
    // It is gone already.
    let _ = child.wait();
    let time = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// Four times the objects take less than eight times the processor time, where 16 would be quadratic; the best of three
/// tries counts.
#[test]
fn a_large_folder_takes_time_in_proportion() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let fill = |count: usize| {
        for (side, object) in [("a", "compare/old/shop.o"), ("b", "compare/new/shop.o")] {
            let into = path.join(format!("{count}/{side}"));
            fs::create_dir_all(&into).unwrap();
            for number in 0..count {
                fs::copy(fixture(object), into.join(format!("{number}.o"))).unwrap();
            }
        }
    };
    let diff = |count: usize| {
        let (a, b) = (format!("{count}/a"), format!("{count}/b"));
        // Translation is the same for each object, and is least at -O0.
        let settings = ["-O0", "-j", "1", "--format", "csv", "-e", "state", "-o", "diff.csv"];
        processor_time(path, &[&["diff", &a, &b], &settings[..]].concat())
    };
    fill(100);
    fill(400);
    let mut ratios = Vec::new();
    while ratios.len() < 3 && ratios.last().is_none_or(|ratio| *ratio >= 8.0) {
        let (few, many) = (diff(100), diff(400));
        ratios.push(many as f64 / few as f64);
    }
    let out = fs::read_to_string(path.join("diff.csv")).unwrap();
    let changed = out.lines().filter(|line| *line == "changed").count();
    assert_eq!((changed, out.lines().count()), (800, 2401));
    assert!(ratios.iter().any(|ratio| *ratio < 8.0), "four times the objects take {ratios:.1?} times the time");
}
