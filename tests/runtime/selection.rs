//! What of the runtime a program gets, and what its objects then have.

use std::collections::BTreeSet;
use std::fs;

use bpf2native::emit::{self, Purpose};
use bpf2native::parse::{self, Input, Options};
use bpf2native::{Config, Jit, Linker, Program};
use object::{Object, ObjectSymbol};

use crate::native::{bpf2native, fixture, output, program};

fn read(name: &str, options: &Options) -> Program {
    let bytes = fs::read(fixture(name)).unwrap();
    parse::parse(&[Input { name: name.to_owned(), bytes }], options).unwrap()
}

fn object(program: &Program) -> Vec<u8> {
    emit::object(program, &Config::new(), Purpose::Relocatable, "test.o").unwrap().bytes
}

/// The names that an object defines for others.
fn defined(bytes: &[u8]) -> BTreeSet<String> {
    let file = object::File::parse(bytes).unwrap();
    let global = file.symbols().filter(|symbol| symbol.is_global() && !symbol.is_undefined());
    global.map(|symbol| symbol.name().unwrap().to_owned()).collect()
}

#[test]
fn a_program_that_needs_nothing_of_it_does_not_change() {
    // The last has maps, and nothing that could use them.
    for name in ["wc", "json", "maps"] {
        let name = format!("obj/clang22-v4/{name}.o");
        let (with, without) = (read(&name, &Options::default()), read(&name, &Options::without_runtime()));
        assert!(!with.has_runtime(), "{name}");
        assert_eq!(with.files.len(), without.files.len());
        assert!(object(&with) == object(&without), "{name}");
    }
}

#[test]
fn members_are_taken_for_helpers_and_maps() {
    let with = program("runtime/counts.o");
    let members: Vec<&str> = with.files.iter().skip(with.given_files).map(|(_, name)| name.as_str()).collect();
    assert!(members.iter().all(|name| name.starts_with("runtime(") && name.ends_with(".o)")), "{members:?}");
    assert!(members.iter().any(|name| name.contains("array")), "{members:?}");
    assert!(!members.iter().any(|name| name.contains("prog_array")), "{members:?}");
    let names = defined(&object(&with));
    for name in ["bpf_helper_map_lookup_elem", "bpf_map_ops_array", "count", "counts", "main"] {
        assert!(names.contains(name), "{name}: {names:?}");
    }
}

/// Of a member, only what is reached.
#[test]
fn functions_that_nothing_reaches_are_left_out() {
    let program = program("runtime/calls.o");
    let has = |name: &str| program.functions.iter().any(|(_, function)| function.name == name);
    assert!(has("bpf_helper_map_update_elem"), "the members have it");
    for purpose in [Purpose::Relocatable, Purpose::SharedLibrary, Purpose::Executable] {
        let object = emit::object(&program, &Config::new(), purpose, "test.o").unwrap();
        let names = defined(&object.bytes);
        assert!(names.contains("bpf_helper_map_lookup_elem"));
        assert!(!names.contains("bpf_helper_map_update_elem"), "{names:?}");
    }
    let module = Jit::new(&Config::new()).unwrap().load(&program, &Linker::new()).unwrap();
    assert!(module.function_address("bpf_helper_map_lookup_elem").is_some());
    assert!(module.function_address("bpf_helper_map_update_elem").is_none());
}

/// A process has 1024 keys of threads' own data, and may load more programs than that.
#[test]
fn programs_take_no_keys_of_threads_data() {
    for name in ["tail", "throws", "xdp_packets"] {
        let program = program(&format!("runtime/{name}.o"));
        let names: Vec<&str> = program.imports.iter().map(|(_, import)| import.name.as_str()).collect();
        assert!(names.contains(&"pthread_self"), "{name}: {names:?}");
        assert!(
            !names.iter().any(|name| name.starts_with("pthread_key") || name.ends_with("specific")),
            "{names:?}"
        );
    }
}

#[test]
fn a_root_is_taken_though_nothing_refers_to_it() {
    let mut options = Options::default();
    options.roots.push("bpf_helper_map_lookup_elem".to_owned());
    let program = read("obj/clang22-v4/wc.o", &options);
    assert!(program.has_runtime());
    let module = Jit::new(&Config::new()).unwrap().load_reachable(&program, &Linker::new(), ["main"]).unwrap();
    assert!(module.function_address("bpf_helper_map_lookup_elem").is_some());
    assert!(module.function_address("bpf_helper_map_update_elem").is_none());
}

#[test]
fn no_runtime_leaves_it_out() {
    let program = read("runtime/counts.o", &Options::without_runtime());
    assert!(!program.has_runtime());
    let map = &program.maps[0];
    assert!(program.data[map.section].relocations.is_empty(), "the definition is plain data");
    let bytes =
        output(bpf2native().args(["-c", "--no-runtime", "-o", "/dev/null"]).arg(fixture("runtime/counts.o")));
    assert_eq!(bytes, "");
    let names = defined(&object(&program));
    assert_eq!(names, ["count", "counts", "main"].map(str::to_owned).into());
}

/// Listings, measurements and `inspect` are of the objects that are given.
#[test]
fn listings_are_without_it() {
    let path = fixture("runtime/counts.o");
    for arguments in [&["--emit", "bpf"][..], &["--emit", "clif"], &["--emit", "asm"], &["inspect"], &["report"]] {
        let text = output(bpf2native().args(arguments).arg(&path));
        assert!(text.contains("count"), "{arguments:?}");
        let defines = ["map_ready", "runtime(", "next_key", "bpf_map_ops_array"];
        assert!(!defines.iter().any(|name| text.contains(name)), "{arguments:?}\n{text}");
    }
}
