//! What is said when words of the command line, or what they name, make no sense; and texts that stay the same.

use std::fs;

use crate::command::{check, command, fixture, run};
use crate::translated::object;

/// A folder with two objects.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, from) in [("x.o", "faults/names.o"), ("y.o", "faults/names2.o")] {
        fs::copy(fixture(from), folder.path().join(name)).unwrap();
    }
    folder
}

/// A gate in continuous integration that looks at nothing must not pass.
#[test]
fn patterns_that_match_nothing_are_trouble() {
    let folder = folder();
    for (words, reason) in [
        ("diff x.o y.o --fail-on functoin_*", "no function and no file is `functoin_*`"),
        ("diff x.o y.o --fail-on !functoin_*", "no function and no file is `functoin_*`"),
        ("diff x.o y.o --fail-on bytes", "`bytes` is a column"),
        ("diff x.o y.o --fail-on bytes_pct", "as in `bytes_pct>5`"),
        ("diff x.o y.o --fail-on state=adde", "there is no `adde`; there are broken"),
        ("diff x.o y.o -f function=mian", "no function and no file is `mian`"),
        ("diff x.o y.o -f nothing*", "no function and no file is `nothing*`"),
        ("diff x.o y.o -f status_b=okay", "there is no `okay`; there are ok, failed"),
        ("report x.o -f nothing", "no function and no file is `nothing`"),
    ] {
        let (out, error) = check(folder.path(), &words.split(' ').collect::<Vec<_>>(), 2);
        assert!(error.contains(reason), "{words}: {error}");
        assert_eq!(out, "", "{words}");
    }
    for (words, status) in [
        ("diff x.o y.o --fail-on function_*", 1),
        ("diff x.o y.o --fail-on state=moved", 0),
        ("diff x.o x.o --fail-on nothing*", 0),
        ("report x.o -f of_*", 0),
        ("report x.o -f !of_*", 0),
    ] {
        check(folder.path(), &words.split(' ').collect::<Vec<_>>(), status);
    }
}

/// The code is the same, so the texts are: wherever the source was compiled, and with other lines above.
#[test]
fn golden_texts_name_no_place() {
    use std::process::Command;

    let clang = Command::new("clang-22").arg("--version").output();
    if !clang.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "`clang-22` is not installed");
        eprintln!("skipped: golden_texts_name_no_place: `clang-22` is not installed");
        return;
    }
    let text_of = |source: &str, options: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("code.c"), source).unwrap();
        // An absolute path, which is another one each time.
        let source = folder.path().join("code.c");
        let compiled = Command::new("clang-22")
            .current_dir(folder.path())
            .args(["-target", "bpf", "-O2", "-g", "-mcpu=v4", "-c", "-o", "code.o"])
            .arg(&source)
            .status();
        assert!(compiled.unwrap().success());
        let map = format!("--map-prefix={}=sources", folder.path().display());
        let mut arguments = vec!["golden", "texts", "code.o", "--bless", "--text", "asm", "--text", "bpf"];
        if options.contains(&"map") {
            arguments.push(&map);
        }
        check(folder.path(), &arguments, 0);
        fs::read_to_string(folder.path().join("texts/code.o/f.txt")).unwrap()
    };
    let source = "int f(int x)\n{\n    return x * 3 + 1;\n}\n";
    let text = text_of(source, &[]);
    assert!(text.contains("; code.c: return x * 3 + 1;"), "{text}");
    assert_eq!(text, text_of(&format!("/* one more line */\n\n{source}"), &[]));
    assert!(text_of(source, &["map"]).contains("; sources/code.c: return"), "{text}");
}

#[test]
fn prefixes_of_paths_are_mapped() {
    let folder = folder();
    let listing = |options: &[&str]| {
        let mut arguments = vec!["--emit", "asm", "x.o"];
        arguments.extend(options);
        check(folder.path(), &arguments, 0).0
    };
    assert!(listing(&[]).contains("; ./names.c:"), "{}", listing(&[]));
    assert!(listing(&["--map-prefix", ".=/src"]).contains("; /src/names.c:"));
    check(folder.path(), &["--emit", "asm", "x.o", "--map-prefix", "nothing"], 2);
}

/// Split BTF is of no use without its base, in each command that takes types.
#[test]
fn split_types_are_asked_for_their_base() {
    use object::{Object, ObjectSection};

    let folder = folder();
    let object = fs::read(fixture("btf/core_target.o")).unwrap();
    let file = object::File::parse(&*object).unwrap();
    let base = file.section_by_name(".BTF").unwrap().data().unwrap();
    let length = u32::from_le_bytes(base[20..24].try_into().unwrap());
    // A float, whose name is the only string.
    let words = [24, 0, 12, 12, 6, length, 16 << 24, 4].map(u32::to_le_bytes).concat();
    let split = [&[0x9f, 0xeb, 1, 0][..], &words, b"split\0"].concat();
    fs::write(folder.path().join("split"), split).unwrap();
    fs::write(folder.path().join("base"), base).unwrap();
    for from in ["core.o", "core_target.o"] {
        fs::copy(fixture("btf").join(from), folder.path().join(from)).unwrap();
    }
    let types = ["--btf", "split", "--btf-base"];
    for (words, failure) in [
        (&["inspect", "core.o"][..], 1),
        (&["-c", "core.o", "-o", "native.o"], 1),
        (&["report", "core.o"], 2),
        (&["diff", "core.o", "x.o"], 2),
    ] {
        let with = |types: &[&'static str]| [words, types].concat();
        let (_, error) = check(folder.path(), &with(&types[..2]), failure);
        let reason = "`split` is split BTF, which needs the BTF that it is based on: add --btf-base FILE \
                      (for a kernel module's, /sys/kernel/btf/vmlinux)";
        assert!(error.contains(reason), "{words:?}: {error}");
        let done = if words[0] == "diff" { 1 } else { 0 };
        check(folder.path(), &with(&[&types[..], &["base"]].concat()), done);
        check(folder.path(), &with(&[&types[..], &["core_target.o"]].concat()), done);
        check(folder.path(), &with(&["--btf-base", "base"]), 2);
        let (_, error) = check(folder.path(), &with(&["--btf", "base", "--btf-base", "base"]), failure);
        assert!(error.contains("`base` is not split BTF: leave --btf-base out"), "{words:?}: {error}");
        let (_, error) = check(folder.path(), &with(&[&types[..], &["x.o"]].concat()), failure);
        assert!(error.contains("`split` is not based on `x.o`"), "{words:?}: {error}");
    }
    // The types are an input, and what a report says of its options counts both.
    let (_, error) = check(folder.path(), &[&["-c", "core.o", "-o", "base"], &types[..], &["base"]].concat(), 2);
    assert!(error.contains("`base` is an input"), "{error}");
    let depfile = ["-c", "core.o", "-o", "native.o", "--depfile", "native.d"];
    check(folder.path(), &[&depfile, &types[..], &["base"]].concat(), 0);
    let rule = fs::read_to_string(folder.path().join("native.d")).unwrap();
    assert!(rule.starts_with("native.o: core.o split base\n"), "{rule}");
    let options = |types: &[&str]| {
        let (out, _) = check(folder.path(), &[&["report", "core.o", "--format", "json"], types].concat(), 0);
        out.lines().find(|line| line.contains("\"btf\"")).map(str::to_owned)
    };
    assert_ne!(options(&["--btf", "base"]), options(&["--btf", "split", "--btf-base", "base"]));
    assert_eq!(fs::read(folder.path().join("base")).unwrap(), base);
}

/// Code that runs on into the next function, as assembly may: it is not joined, and nobody should be surprised.
#[test]
fn running_off_a_functions_end_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let object = object("runs-off.o");
    let expected = [
        "at 0x8, function `plain`: control runs off the function's end, into `branch`, and traps there",
        "at 0x28, function `branch`: control runs off the function's end, into `jump`, and traps there",
        "at 0x38, function `jump`: `goto -7` leads out of the function, to 0x8, and traps",
    ];
    let (_, linked) = check(folder.path(), &[&object, "-o", "program"], 0);
    let (_, compiled) = check(folder.path(), &["-c", &object, "-o", "program.o"], 0);
    let (_, shown) = check(folder.path(), &["--emit", "asm", &object], 0);
    let (status, _, in_memory) = run(&mut command(folder.path(), &["run", &object]));
    assert_eq!(status, 0, "{in_memory}");
    for error in [linked, compiled, shown, in_memory] {
        let warnings: Vec<&str> = error.lines().collect();
        assert_eq!(warnings.len(), expected.len(), "{error}");
        for (warning, expected) in warnings.iter().zip(expected) {
            assert!(warning.starts_with("bpf2native: warning: "), "{warning}");
            assert!(warning.contains(&format!("runs-off.o: section `.text` {expected}")), "{warning}");
        }
    }
    let (_, error) = check(folder.path(), &["-c", &object, "-o", "program.o", "-O0"], 0);
    assert_eq!(error.lines().count(), expected.len());
}

/// Each undefined symbol once, with who refers to it, whoever finds out: the linker, or the loader in memory.
#[test]
fn undefined_symbols_name_those_who_refer_to_them() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["undefined.o", "undefined.other.o"] {
        fs::copy(object(name), folder.path().join(name)).unwrap();
    }
    let expected = [
        "`nowhere_called`, which undefined.other.o (function `other`) refers to",
        "`nowhere_data`, which undefined.o (function `main`, ./undefined.c:21) refers to",
        "`nowhere_from_both`, which undefined.o (function `main`, ./undefined.c:22), undefined.o (function `inner`, \
         ./undefined.c:16), undefined.other.o (function `other`) refers to",
        "`nowhere_pointed`, which undefined.o (section `.data`) refers to",
    ];
    let symbols = |error: &str| {
        let mut lines: Vec<String> =
            error.lines().filter_map(|line| line.strip_prefix("  ").map(str::to_owned)).collect();
        lines.sort();
        lines
    };
    let objects = ["undefined.o", "undefined.other.o"];
    let link = |options: &[&str]| check(folder.path(), &[&objects, &["-o", "program"][..], options].concat(), 1).1;
    let error = link(&[]);
    assert_eq!(symbols(&error), expected, "{error}");
    assert!(error.starts_with("bpf2native: error: 4 undefined symbols:\n"), "{error}");
    assert!(error.ends_with("\ngive the objects that define them, or name their library with `-l`\n"), "{error}");
    let (status, _, in_memory) = run(&mut command(folder.path(), &[&["run"][..], &objects].concat()));
    assert_eq!((status, symbols(&in_memory)), (1, symbols(&error)), "{in_memory}");
    // What else is wrong is in the linker's words.
    let other = link(&["-l", "no-such-library"]);
    assert!(other.contains("cannot find -lno-such-library"), "{other}");
    let unknown = link(&["--link-arg=-Wl,--undefined=nowhere_at_all,--require-defined=nowhere_at_all"]);
    assert!(unknown.contains("nowhere_at_all"), "{unknown}");
    assert_eq!(symbols(&unknown), expected, "{unknown}");
    assert!(!folder.path().join("program").exists());
}
