//! `report` and `diff`: what they find, and their exit status.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::command::{check, command, fixture, run};

/// The two versions of `fixtures/compare/shop.c`.
fn shop() -> [String; 2] {
    ["compare/old", "compare/new"].map(|folder| fixture(folder).to_str().unwrap().to_owned())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The functions of a diff by name.
fn functions(diff: &Value) -> BTreeMap<String, Value> {
    let functions = diff["functions"].as_array().unwrap().iter();
    functions.map(|function| (function["function"].as_str().unwrap().to_owned(), function.clone())).collect()
}

#[test]
fn what_changed_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = shop();
    let (out, _) = check(folder.path(), &["diff", &old, &new, "--format", "json"], 1);
    let diff = json(&out);
    let functions = functions(&diff);
    let state = |name: &str| functions[name]["state"].as_str().unwrap();
    let states = ["gift", "refund", "vat", "label", "price", "hash", "main"].map(state);
    assert_eq!(states, ["removed", "added", "moved", "broken", "changed", "same", "changed"]);
    // It calls `tax` by another name. Offsets in its frame take more bytes: what `label`, which is broken, does with an address of it is
    // not known.
    assert_eq!((&functions["main"]["diff"]["cycles"], &functions["main"]["diff"]["bpf"]), (&0.into(), &0.into()));
    assert!(functions["main"]["diff"]["bytes"].as_i64().unwrap() > 0, "{}", functions["main"]);
    assert_eq!(functions["vat"]["a"]["function"], "tax");
    let price = &functions["price"];
    // One more branch, and a division.
    assert!(price["diff"]["branches"].as_i64().unwrap() > 0, "{price}");
    assert!(price["diff"]["bpf"].as_i64().unwrap() > 0 && price["pct"]["bytes"].as_f64().unwrap() > 0.0, "{price}");
    let error = functions["label"]["b"]["error"].as_str().unwrap();
    assert!(error.contains("function `label`: unknown opcode `0xff`"), "{error}");
    assert_eq!(diff["counts"]["broken"], 1);
    // The files' names do not matter where each side has one.
    for (side, name) in [(&old, "before.o"), (&new, "after.o")] {
        fs::copy(Path::new(side).join("shop.o"), folder.path().join(name)).unwrap();
    }
    let (renamed, _) = check(folder.path(), &["diff", "before.o", "after.o", "--format", "json"], 1);
    assert_eq!(json(&renamed)["counts"], diff["counts"]);
}

#[test]
fn functions_that_moved_to_another_file_are_found() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let copy = |from: &str, to: &str| fs::copy(fixture(from), folder.path().join(to)).unwrap();
    copy("compare/old/shop.o", "a/shop.o");
    copy("obj/clang22-v4/wc.o", "a/wc.o");
    copy("compare/old/shop.o", "b/trade.o");
    copy("obj/clang22-v4/wc.o", "b/wc.o");
    let (out, _) = check(folder.path(), &["diff", "a", "b", "--format", "json"], 1);
    let diff = json(&out);
    assert_eq!((&diff["counts"]["moved"], &diff["identical_files"]), (&6.into(), &1.into()), "{diff}");
    assert_eq!(functions(&diff)["price"]["a"]["file"], "shop.o");
}

#[test]
fn identical_inputs_are_not_translated() {
    let folder = tempfile::tempdir().unwrap();
    let [old, _] = shop();
    // Nothing can be translated for a processor that does not exist.
    let nowhere = ["--cpu", "no-such-cpu"];
    let same = [&["diff", &old, &old][..], &nowhere].concat();
    assert_eq!(check(folder.path(), &same, 0).0, "no differences; 1 file is identical\n");
    check(folder.path(), &[&same[..], &["--all"]].concat(), 0);
    let wc = fixture("obj/clang22-v4/wc.o");
    let (out, _) = check(folder.path(), &["diff", wc.to_str().unwrap(), wc.to_str().unwrap(), "--all"], 0);
    assert!(out.contains("main") && out.contains("no differences; 2 functions are the same"), "{out}");
}

#[test]
fn a_saved_report_is_as_good_as_the_objects() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = shop();
    check(folder.path(), &["report", &old, "-o", "old.json"], 0);
    check(folder.path(), &["report", &new, "--texts", "-o", "new.json"], 0);
    let (direct, _) = check(folder.path(), &["diff", &old, &new, "--format", "csv"], 1);
    for (a, b) in [("old.json", "new.json"), (old.as_str(), "new.json"), ("old.json", new.as_str())] {
        let (out, _) = check(folder.path(), &["diff", a, b, "--format", "csv"], 1);
        assert_eq!(out, direct, "{a} {b}");
    }
    let (out, _) = check(folder.path(), &["diff", "old.json", &old], 0);
    assert_eq!(out, "no differences; 6 functions are the same\n");
    let (out, _) = check(folder.path(), &["diff", "old.json", "new.json", "--show", "asm", "-f", "price"], 1);
    assert!(out.contains("price (shop.o): the report has no texts: make it with --texts"), "{out}");
    let (out, _) = check(folder.path(), &["diff", &old, "new.json", "--show", "asm", "-f", "price"], 1);
    assert!(out.contains("\n+") && out.contains("if (items[i].count >= 100)"), "{out}");
}

#[test]
fn two_settings_of_one_object_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let wc = fixture("obj/clang22-v4/wc.o");
    let wc = wc.to_str().unwrap();
    let (out, _) = check(folder.path(), &["diff", wc, "--a", "-O0", "--b", "-O2", "--format", "json"], 1);
    let diff = json(&out);
    assert_eq!((&diff["a"]["options"]["opt"], &diff["b"]["options"]["opt"]), (&"0".into(), &"2".into()));
    assert!(diff["totals"]["bytes"]["diff"].as_i64().unwrap() < 0, "{}", diff["totals"]);
    let arguments =
        ["diff", wc, "-O0", "--a", "--target x86_64", "--b", "--target aarch64 -O1", "--format", "json"];
    let diff = json(&check(folder.path(), &arguments, 1).0);
    let option = |side: &str, name: &str| diff[side]["options"][name].as_str().unwrap().to_owned();
    assert_eq!((option("a", "opt"), option("b", "opt")), ("0".to_owned(), "1".to_owned()));
    assert!(option("a", "target").starts_with("x86_64") && option("b", "target").starts_with("aarch64"));
    let (_, error) = check(folder.path(), &["diff", wc, "--a", "-O9", "--b", "-O2"], 2);
    assert!(error.contains("--a: invalid value '9'"), "{error}");
    let (_, error) = check(folder.path(), &["diff", wc], 2);
    assert!(error.contains("diff wants OLD and NEW"), "{error}");
}

#[test]
fn the_exit_status_is_that_of_diff() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = shop();
    let diff = |more: &[&str], status| {
        check(folder.path(), &[&["diff", old.as_str(), new.as_str()], more].concat(), status)
    };
    diff(&[], 1);
    // What the filters leave counts.
    diff(&["-f", "hash"], 0);
    diff(&["-f", "bytes_pct>1000"], 0);
    // With conditions, only they count, and for all rows.
    diff(&["--fail-on", "new failure"], 1);
    diff(&["--fail-on", "new failure", "-f", "hash"], 1);
    diff(&["--fail-on", "new failure", "-f", "!label"], 1);
    diff(&["--fail-on", "bytes_pct>1000"], 0);
    diff(&["--fail-on", "bytes_pct>1000", "--fail-on", "insns_diff>0"], 1);
    check(folder.path(), &["diff", &new, &old, "--fail-on", "new failure"], 0);
    // In continuous integration, a new failure is the condition.
    let in_ci = |a: &str, b: &str| run(command(folder.path(), &["diff", a, b]).env("CI", "true")).0;
    assert_eq!((in_ci(&old, &new), in_ci(&new, &old)), (1, 0));
    // Trouble.
    for (arguments, expected) in [
        (&["diff", "no-such-file", "x"][..], "cannot read `no-such-file`"),
        (&["diff", &old, &new, "-f", "size>5"], "there is no column `size`; there are file, function, state"),
        (&["diff", &old, &new, "-s", "size"], "there is no column `size`"),
        (&["diff", &old, &new, "-e", "size"], "there is no column `size`"),
        (&["diff", &old, &new, "--fail-on", "worse"], "no function and no file is `worse`"),
        (&["diff", ".", &new], "there are no BPF objects in `.`"),
        (&["report", "no-such-file"], "cannot read `no-such-file`"),
        (&["report", &old, "--shard", "9/8"], "`9/8` is not a part of a whole"),
    ] {
        let status = if expected.is_empty() { 0 } else { 2 };
        let (_, error) = check(folder.path(), arguments, status);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}

#[test]
fn filters_orders_and_columns_are_those_of_veristat() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = shop();
    let rows = |more: &[&str]| -> Vec<String> {
        let arguments = [&["diff", old.as_str(), new.as_str(), "--format", "csv", "--all", "-e", "function"], more];
        let (_, out, error) = run(&mut command(folder.path(), &arguments.concat()));
        assert!(error.is_empty(), "{error}");
        out.lines().skip(1).map(str::to_owned).collect()
    };
    assert_eq!(rows(&[]), ["gift", "hash", "label", "main", "price", "refund", "vat"]);
    assert_eq!(rows(&["-f", "bytes_pct>5"]), ["main", "price"]);
    assert_eq!(rows(&["-f", "state=changed", "-f", "cycles_diff=0"]), ["main"]);
    assert_eq!(rows(&["-f", "status_b!=ok"]), ["gift", "label"]);
    assert_eq!(rows(&["-f", "!*a*", "-f", "shop.o/*t"]), ["gift"]);
    assert_eq!(rows(&["-f", "bpf_b>0", "-s", "bpf_b^"]).first().unwrap(), "vat");
    assert_eq!(rows(&["-s", "bytes_diff,function"])[0], "price");
    let arguments = ["diff", &old, &new, "--format", "csv", "-e", "function,bpf,cycles_pct", "-f", "price"];
    let (out, _) = check(folder.path(), &arguments, 1);
    assert!(out.starts_with("function,bpf_a,bpf_b,bpf_diff,bpf_pct,cycles_pct\nprice,16,24,8,50.00,"), "{out}");
    let (out, _) = check(folder.path(), &["report", &old, "-e", "function,bpf", "-s", "bpf"], 0);
    let words: Vec<&str> = out.split_whitespace().collect();
    assert_eq!(words[..5], ["function", "bpf", "--------", "---", "main"], "{out}");
}

#[test]
fn a_function_that_cannot_be_translated_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let [_, new] = shop();
    fs::write(folder.path().join("broken.o"), "no object").unwrap();
    let broken = folder.path().join("broken.o");
    let (out, _) = check(folder.path(), &["report", &new, broken.to_str().unwrap(), "-o", "-"], 0);
    let report = json(&out);
    let statuses: BTreeMap<&str, &str> = report["functions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["function"].as_str().unwrap(), row["status"].as_str().unwrap()))
        .collect();
    let failed = statuses.iter().filter(|(_, status)| **status == "failed").map(|(name, _)| *name);
    assert_eq!((failed.collect::<Vec<_>>(), statuses["main"]), (vec!["label"], "ok"));
    assert_eq!(report["files"][0]["name"], "broken.o");
    assert!(report["files"][0]["error"].as_str().unwrap().contains("not an object or an archive"), "{report}");
    // A file that broke takes its functions along.
    fs::create_dir(folder.path().join("after")).unwrap();
    fs::write(folder.path().join("after/shop.o"), "no object").unwrap();
    let (out, _) =
        check(folder.path(), &["diff", &new, "after", "--fail-on", "new failure", "--format", "json"], 1);
    let counts = json(&out)["counts"].clone();
    assert_eq!((&counts["broken"], &counts["same"]), (&5.into(), &1.into()), "{counts}");
}
