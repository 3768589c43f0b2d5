//! The formats of a comparison, each as `fixtures/compare/expected` has it. They are made of two saved reports, so that
//! they do not change with the code generator; delete those to have them made again. `just bless` accepts what is new.

use std::fs;
use std::path::PathBuf;

use crate::command::{check, command, fixture, run};

fn expected() -> PathBuf {
    fixture("compare/expected")
}

fn is_blessing() -> bool {
    std::env::var_os("BPF2NATIVE_BLESS").is_some()
}

/// The two saved reports.
fn reports() {
    for side in ["old", "new"] {
        let path = expected().join(format!("{side}.json"));
        if is_blessing() && !path.exists() {
            let object = format!("../{side}/shop.o");
            let file = format!("{side}.json");
            let arguments = ["report", "--texts", "--target", "x86_64", &object, "-o", &file];
            check(&expected(), &arguments, 0);
        }
    }
}

/// Runs `diff old.json new.json` with more arguments and compares what it prints with a file.
fn shows(file: &str, arguments: &[&str]) {
    let all = [&["diff", "old.json", "new.json"], arguments].concat();
    let (out, error) = check(&expected(), &all, 1);
    assert_eq!(error, "", "{arguments:?}");
    is_expected(file, &out);
}

fn is_expected(file: &str, out: &str) {
    let path = expected().join(file);
    if is_blessing() {
        fs::write(&path, out).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let diff = similar::TextDiff::from_lines(expected.as_str(), out);
    let diff = diff.unified_diff().header(file, "now").to_string();
    assert!(diff.is_empty(), "{diff}\n`just bless` accepts it");
}

#[test]
fn each_format_is_as_it_was() {
    fs::create_dir_all(expected()).unwrap();
    reports();
    shows("table.txt", &[]);
    shows(
        "all.txt",
        &["--all", "-e", "function,state,status,bytes,spills_diff,cycles", "-s", "|bytes_diff|,function"],
    );
    shows("diff.csv", &["--format", "csv"]);
    shows("diff.json", &["--format", "json", "-f", "price"]);
    shows("diff.md", &["--format", "md"]);
    shows("asm.diff", &["--show", "asm"]);
    shows("clif.diff", &["--show", "clif", "-f", "price"]);
    shows("bpf.diff", &["--show", "bpf", "-f", "price"]);
}

#[test]
fn one_side_alone_has_the_same_columns() {
    let object = "../old/shop.o";
    let (out, _) =
        check(&expected(), &["report", object, "--format", "csv", "-e", "file,function,status_a,bpf"], 0);
    is_expected("report.csv", &out);
}

#[test]
fn a_comment_in_a_pull_request_is_never_too_long() {
    let folder = tempfile::tempdir().unwrap();
    for (side, object) in [("a", "compare/old/shop.o"), ("b", "compare/new/shop.o")] {
        fs::create_dir(folder.path().join(side)).unwrap();
        for number in 0..200 {
            let name = format!("{side}/a_rather_long_name_of_an_object_{number}.o");
            fs::copy(fixture(object), folder.path().join(name)).unwrap();
        }
    }
    let (status, out, _) = run(&mut command(folder.path(), &["diff", "a", "b", "--format", "md"]));
    assert_eq!(status, 1);
    assert!(out.len() < 65_536 && out.ends_with("</details>\n"), "{}", out.len());
    assert!(out.contains("\nand ") && out.contains("- and 190 more"), "{out}");
}
