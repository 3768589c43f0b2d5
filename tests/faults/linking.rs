//! Sections and groups as linkers know them: frame tables of weak and inline functions, duplicates that are dropped with
//! their section, sections that keep their names, bytes that are no function's, and what a program says once.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use object::{Object, ObjectComdat, ObjectSection, ObjectSymbol};

use crate::command::{check, command, fixture, run};
use crate::translated::{object, prints};

/// A linker that warns is one that fails.
const STRICT: &str = "-Wl,--fatal-warnings";

/// Links natively, and runs the program: what it prints.
fn linked(folder: &Path, arguments: &[&str]) -> String {
    let mut compiler = Command::new("c++");
    compiler.current_dir(folder).args(["-O1", STRICT, "-o", "program"]).args(arguments);
    let (status, out, error) = run(&mut compiler);
    assert_eq!(status, 0, "{arguments:?}\n{out}{error}");
    let (status, out, error) = run(Command::new(folder.join("program")).env("LD_LIBRARY_PATH", folder));
    assert_eq!(status, 0, "{arguments:?}\n{error}");
    out
}

fn source(name: &str) -> String {
    fixture("faults").join(name).into_os_string().into_string().unwrap()
}

/// The linkers that are there, as `-fuse-ld` names them.
fn linkers() -> Vec<&'static str> {
    let is_there = |name: &&str| Command::new(format!("ld.{name}")).arg("--version").output().is_ok();
    let found: Vec<&str> = ["bfd", "gold", "lld"].into_iter().filter(is_there).collect();
    assert!(found.contains(&"bfd"), "`ld.bfd` is not installed");
    found
}

/// What throws in place of a weak function is unwound by its own frame.
#[test]
fn exceptions_pass_what_takes_a_weak_function_s_place() {
    let main = source("replaced_main.cpp");
    for level in ["-O2", "-O0"] {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), &["-c", level, &object("replaced.o"), "-o", "replaced.o"], 0);
        for linker in linkers() {
            let out = linked(folder.path(), &[&format!("-fuse-ld={linker}"), &main, "replaced.o"]);
            assert_eq!(out, "205\ncaught xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", "{linker} {level}");
        }
        let (_, said) =
            check(folder.path(), &["--shared", level, &object("replaced.o"), "-o", "libreplaced.so"], 0);
        assert_eq!(said, "");
        let out = linked(folder.path(), &["-rdynamic", &main, "libreplaced.so"]);
        assert_eq!(out, "205\ncaught xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", "--shared {level}");
    }
}

/// Two objects with the same inline functions, variables and virtual tables: a program has each once, and unwinds.
#[test]
fn what_objects_share_is_linked_once() {
    let expected = "141 142\ncaught xxxxxxxxxxxxxxxxxxxx\ncaught xxxxxxxxxxxxxxxxxxxx\n";
    for flags in [&["-O2"][..], &["-O0"]] {
        let folder = tempfile::tempdir().unwrap();
        for name in ["once.o", "once.other.o"] {
            check(folder.path(), &[flags, &["-c", &object(name), "-o", name]].concat(), 0);
        }
        let main = source("once_main.cpp");
        for linker in linkers() {
            let out = linked(folder.path(), &[&format!("-fuse-ld={linker}"), &main, "once.o", "once.other.o"]);
            assert_eq!(out, expected, "{linker} {flags:?}");
            let functions =
                symbols(&folder.path().join("program"), |name| name.starts_with("_ZN3Box") || name == "_Z4deepi");
            assert!(functions.values().all(|&count| count == 1), "{linker}: {functions:?}");
        }
        let (one, other) = (object("once.o"), object("once.other.o"));
        let library = [flags, &["--shared", &one, &other, "-o", "libonce.so"]].concat();
        assert_eq!(check(folder.path(), &library, 0).1, "");
        assert_eq!(linked(folder.path(), &["-rdynamic", &main, "libonce.so"]), expected, "--shared {flags:?}");
    }
}

/// How often each function's code is in a file: symbols of functions, by name and place.
fn symbols(path: &Path, is_it: impl Fn(&str) -> bool) -> BTreeMap<String, usize> {
    let bytes = std::fs::read(path).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let mut places: BTreeMap<String, std::collections::BTreeSet<u64>> = BTreeMap::new();
    for symbol in file.symbols().filter(|symbol| symbol.is_definition()) {
        let name = symbol.name().unwrap();
        if is_it(name) {
            places.entry(name.to_owned()).or_default().insert(symbol.address());
        }
    }
    assert!(!places.is_empty());
    places.into_iter().map(|(name, places)| (name, places.len())).collect()
}

/// The groups of an object stay, with code and data in sections of their own.
#[test]
fn groups_stay_groups() {
    let folder = tempfile::tempdir().unwrap();
    check(folder.path(), &["-c", &object("once.o"), "-o", "once.o"], 0);
    let groups = |path: &Path| -> BTreeMap<String, usize> {
        let bytes = std::fs::read(path).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        let members = |comdat: object::Comdat<'_, '_>| {
            let sections = comdat.sections().map(|section| file.section_by_index(section).unwrap());
            sections.filter(|section| !section.name().unwrap().starts_with(".rel")).count()
        };
        file.comdats().map(|comdat| (comdat.name().unwrap().to_owned(), members(comdat))).collect()
    };
    let native = groups(&folder.path().join("once.o"));
    assert_eq!(native, groups(Path::new(&object("once.o"))));
    assert_eq!(native.len(), 8, "{native:?}");
}

#[test]
fn registries_between_the_ends_of_their_section() {
    let counts = "commands, 11, 6, 1\n";
    prints(&["registry.o"], &format!("add 7\nnegate -6\n2 {counts}"));
    prints(&["registry.o", "registry.more.o"], "add 7\nnegate -6\nsquare 36\nhalf 3\n4 commands, 22, 6, 1\n");
}

/// A native object adds to the registry of a BPF object, and the other way round.
#[test]
fn registries_with_native_parts() {
    let folder = tempfile::tempdir().unwrap();
    check(folder.path(), &["-c", &object("registry.o"), "-o", "registry.o"], 0);
    let mut compiler = Command::new("cc");
    compiler.current_dir(folder.path()).args(["-O2", "-w", "-DMORE", "-x", "c", "-c"]);
    let (status, _, error) = run(compiler.arg(source("registry.c")).args(["-o", "more.o"]));
    assert_eq!(status, 0, "{error}");
    let out = linked(folder.path(), &["registry.o", "more.o"]);
    // Compilers order the variables of an object as they like.
    let mut lines: Vec<&str> = out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["4 commands, 22, 6, 1", "add 7", "half 3", "negate -6", "square 36"]);
}

#[test]
fn sections_keep_their_names() {
    let folder = tempfile::tempdir().unwrap();
    check(folder.path(), &["-c", &object("registry.o"), "-o", "registry.o"], 0);
    let bytes = std::fs::read(folder.path().join("registry.o")).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    for (name, size, is_writable) in [("commands", 32, false), ("counts", 16, true)] {
        let section = file.section_by_name(name).unwrap();
        let object::SectionFlags::Elf { sh_flags } = section.flags() else { panic!("{:?}", section.flags()) };
        let writable = sh_flags & u64::from(object::elf::SHF_WRITE) != 0;
        // Pointers are written by the loader.
        assert_eq!(
            (section.size(), writable || name == "commands"),
            (size, is_writable || name == "commands"),
            "{name}"
        );
    }
}

#[test]
fn bytes_before_functions_are_data() {
    prints(&["prefixed.o"], "2147483644\noverflow 300\n1\n");
}

#[test]
fn a_program_says_its_licence_once() {
    prints(&["licensed.o", "licensed.second.o"], "");
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["-c", &object("licensed.o"), &object("licensed.mit.o"), "-o", "licensed.o"];
    let (status, _, error) = run(&mut command(folder.path(), &arguments));
    assert_eq!(status, 1);
    let names = ["licensed.o", "licensed.mit.o", "`license`", "other contents"];
    assert!(names.iter().all(|name| error.contains(name)), "{error}");
}

/// What the linker warns of is shown, though it makes the file.
#[test]
fn what_the_linker_says_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let linker = folder.path().join("linker");
    std::fs::write(&linker, "#!/bin/sh\necho it is no good >&2\nexec cc \"$@\"\n").unwrap();
    let mut permissions = std::fs::metadata(&linker).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(&linker, permissions).unwrap();
    let arguments = ["--shared", "--linker", "./linker", &object("replaced.o"), "-o", "lib.so"];
    let (_, error) = check(folder.path(), &arguments, 0);
    assert!(error.contains("warning: the linker says:\nit is no good"), "{error}");
    assert!(folder.path().join("lib.so").exists());
}

/// Objects by these flags are linked by libbpf, and what comes out is translated.
#[test]
fn bpftool_links_objects_by_its_flags() {
    let tools = ["bpftool", "clang-22"];
    if let Some(missing) = tools.into_iter().find(|tool| Command::new(tool).arg("--version").output().is_err()) {
        assert!(std::env::var_os("CI").is_none(), "`{missing}` is not installed");
        eprintln!("left out: `{missing}` is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (flags, _) = check(folder.path(), &["cflags", "--bpftool", "--header-dir", "."], 0);
    for (definition, output) in [("-DNAME=first", "first.o"), ("-DNAME=second -DMAIN -DPLAIN", "second.o")] {
        let mut clang = Command::new("clang-22");
        clang.current_dir(folder.path()).args(flags.split_whitespace()).args(definition.split(' '));
        let (status, _, error) = run(clang.args(["-c", &source("licensed.c"), "-o", output]));
        assert_eq!(status, 0, "{error}");
    }
    let mut linker = Command::new("bpftool");
    let (status, _, error) =
        run(linker.current_dir(folder.path()).args(["gen", "object", "all.o", "first.o", "second.o"]));
    assert_eq!(status, 0, "{error}");
    for inputs in [&["all.o"][..], &["first.o", "second.o"]] {
        assert_eq!(run(&mut command(folder.path(), &[&["run"], inputs].concat())).0, 0, "{inputs:?}");
    }
}

/// Linkers have nothing to warn of in any object: as shared libraries, where undefined symbols may stay. The index of frame
/// tables (`.eh_frame_hdr`) is there, which linkers leave out where they cannot read what it is of.
#[test]
fn no_linker_warns_of_any_fixture() {
    let mut found = Vec::new();
    for folder in ["obj/clang22-v4", "obj/clang19-v1-O0", "obj/gcc", "unwind", "faults"] {
        let entries = std::fs::read_dir(fixture(folder)).unwrap().map(|entry| entry.unwrap().path());
        found.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "o")));
    }
    // It wants clang's runtime for profiles, without which `ld.bfd` refuses it.
    found.retain(|path| !path.ends_with("covered.o"));
    found.sort();
    let folder = tempfile::tempdir().unwrap();
    let (mut linked, mut linked_with) = (0, Vec::new());
    for (path, linker) in found.iter().zip(linkers().into_iter().cycle()) {
        let name = path.to_str().unwrap();
        let uses = format!("-fuse-ld={linker}");
        let arguments = ["--shared", "-O0", name, "-o", "lib.so", "--link-arg", STRICT, "--link-arg", &uses];
        let (status, _, error) = run(&mut command(folder.path(), &arguments));
        // Some are for other machines, and some are refused.
        if status != 0 && !error.contains("failed (") {
            continue;
        }
        assert!(status == 0 && !error.contains("the linker says"), "{name} {linker}\n{error}");
        let bytes = std::fs::read(folder.path().join("lib.so")).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        assert!(file.section_by_name(".eh_frame_hdr").is_some(), "{name} {linker}");
        linked += 1;
        linked_with.push(linker);
    }
    linked_with.sort_unstable();
    linked_with.dedup();
    assert!(linked > 100 && linked_with.len() == linkers().len(), "{linked} {linked_with:?}");
}
