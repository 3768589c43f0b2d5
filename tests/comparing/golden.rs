//! `golden`: what it writes and finds; and the code of the project's own fixtures, which `just bless` accepts.

use std::fs;

use crate::command::{self, check, fixture};

#[test]
fn the_code_of_the_fixtures_is_as_it_was() {
    let mut folders = Vec::new();
    for entry in fs::read_dir(fixture("golden")).unwrap() {
        folders.push(entry.unwrap().path());
    }
    assert!(folders.len() >= 2);
    for folder in folders {
        let (status, out, error) = command::run(&mut command::command(&folder, &["golden", ".", "-j", "2"]));
        assert_eq!(
            status,
            0,
            "code generation changed; `just bless` accepts it\n{}\n{out}{error}",
            folder.display()
        );
    }
}

#[test]
fn texts_are_written_checked_and_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::copy(fixture("compare/old/shop.o"), path.join("shop.o")).unwrap();
    let (_, error) = check(path, &["golden", "texts"], 2);
    assert!(error.contains("`texts` has no golden texts: name the objects, with --bless"), "{error}");
    check(path, &["golden", "texts", "shop.o"], 2);
    let arguments = [
        "golden",
        "texts",
        "shop.o",
        "--bless",
        "--text",
        "bpf",
        "--text",
        "asm",
        "-O1",
        "--target",
        "x86_64",
        "--target-feature",
        "-sse4.1,+avx",
    ];
    assert_eq!(check(path, &arguments, 0).0, "6 functions, 6 files changed\n");
    let price = fs::read_to_string(path.join("texts/shop.o/price.txt")).unwrap();
    assert!(price.starts_with("; price (shop.o, section `.text`)\n"), "{price}");
    for part in ["-O1", "\nbpf:\n", "\nasm:\n", "; shop.c: sum += tax(price);", " bytes, "] {
        assert!(price.contains(part), "{part}: {price}");
    }
    assert_eq!(check(path, &["golden", "texts"], 0).0, "6 functions are as they were\n");
    assert_eq!(check(path, &["golden", "texts", "--bless"], 0).0, "6 functions, 0 files changed\n");

    // Another folder to work in, and the other version of the program.
    fs::copy(fixture("compare/new/shop.o"), path.join("shop.o")).unwrap();
    let (out, _) = check(&path.join("texts"), &["golden", "."], 1);
    for part in [
        "--- ./shop.o/price.txt\n+++ ./shop.o/price.txt\n@@ ",
        "+; shop.c: if (items[i].count >= 100)\n",
        "--- ./shop.o/gift.txt\n+++ /dev/null\n",
        "--- /dev/null\n+++ ./shop.o/refund.txt\n",
        "+error: shop.o: section `.text`",
        "to accept them: bpf2native golden . --bless\n",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(!out.contains("hash.txt"), "{out}");
    fs::write(path.join("texts/notes.txt"), "mine").unwrap();
    check(path, &["golden", "texts", "--bless"], 0);
    assert_eq!(check(path, &["golden", "texts"], 0).0, "6 functions are as they were\n");
    assert!(path.join("texts/notes.txt").exists() && !path.join("texts/shop.o/gift.txt").exists());
    // A file that was changed or lost by hand.
    fs::write(path.join("texts/shop.o/hash.txt"), "something\n").unwrap();
    fs::remove_file(path.join("texts/shop.o/main.txt")).unwrap();
    let (out, _) = check(path, &["golden", "texts"], 1);
    assert!(out.contains("-something\n") && out.contains("+++ texts/shop.o/main.txt"), "{out}");
    assert!(out.contains("2 of 6 files differ"), "{out}");
}

#[test]
fn a_manifest_that_makes_no_sense_is_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (shop, manifest) = (fixture("compare/old/shop.o"), path.join("golden.json"));
    check(path, &["golden", ".", shop.to_str().unwrap(), "--bless"], 0);
    let good = fs::read_to_string(&manifest).unwrap();
    for (from, to, expected) in [
        ("\"schema\": 1", "\"schema\": 2", "it has schema 2, and this version reads schema 1"),
        ("shop.o/gift.txt", "../gift.txt", "`../gift.txt` is outside of the folder"),
        ("shop.o\"\n", "nothing.o\"\n", "cannot read"),
        ("baseline", "no-such-cpu", "`no-such-cpu` is not a processor"),
        ("\"opt\": \"2\"", "\"opt\": \"7\"", "`7` is no level of optimisation"),
        ("\"asm\"", "\"wasm\"", "unknown variant `wasm`"),
        ("{", "", "golden.json`"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        fs::write(&manifest, bad).unwrap();
        let (_, error) = check(path, &["golden", "."], 2);
        assert!(error.contains(expected), "{from}: {error}");
    }
}
