//! Definitions of maps, as the runtime reads them.

use bpf2native::parse::{self, Input, Options, ParseError};
use bpf2native::program::maps::FieldKind;
use bpf2native::{Config, Jit, Linker, Program};

use crate::native::{bpf2native, fixture, output, program};

/// What `fixtures/runtime/define.c` says of its maps.
const DEFINED: &str = include_str!("define.txt");

#[test]
fn descriptors_are_what_the_sources_define() {
    let object = fixture("runtime/define.o");
    assert_eq!(output(bpf2native().arg("run").arg(&object)), DEFINED);
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    output(bpf2native().arg(&object).arg("-o").arg(&program));
    assert_eq!(output(&mut std::process::Command::new(&program)), DEFINED);
}

#[test]
fn the_model_has_the_same() {
    for (name, runtime) in [("define", true), ("define", false), ("define.be", true)] {
        let input =
            Input { name: name.to_owned(), bytes: std::fs::read(fixture(&format!("runtime/{name}.o"))).unwrap() };
        let options = if runtime { Options::default() } else { Options::without_runtime() };
        let program = parse::parse(&[input], &options).unwrap();
        let map = |name: &str| program.maps.iter().find(|map| map.name == name).unwrap();
        assert_eq!(program.maps.len(), 9);
        let special = map("special").definition.clone().unwrap();
        assert_eq!((special.kind, special.key_size, special.value_size, special.max_entries), (1, 2, 200, 100));
        assert_eq!((special.flags, special.numa_node, special.pinning), (1, 2, 1));
        assert_eq!(special.extra, 0x1234_5678_9abc_def0);
        let kinds: Vec<FieldKind> = special.fields.iter().map(|field| field.kind).collect();
        use FieldKind::{Kptr, ListHead, ListNode, RbNode, RbRoot, Refcount, SpinLock, Timer, WorkQueue};
        assert_eq!(
            kinds,
            [SpinLock, Timer, Timer, Kptr, Kptr, Kptr, WorkQueue, ListHead, RbRoot, ListNode, RbNode, Refcount]
        );
        assert_eq!(map("outer").values.iter().map(|value| value.index).collect::<Vec<_>>(), [0, 3]);
        assert_eq!(map("outer").definition.as_ref().unwrap().inner.as_ref().unwrap().max_entries, 3);
        assert_eq!(map("legacy").definition.as_ref().unwrap().flags, 3);
        assert!(map("ring").definition.as_ref().unwrap().fields.is_empty());
    }
}

#[test]
fn damaged_definitions_name_the_map() {
    let object = fixture("runtime/damaged.o");
    let error = Program::from_files([&object]).unwrap_err();
    assert!(matches!(&error, ParseError::Map { map, .. } if map == "untyped"), "{error}");
    let text = error.to_string();
    assert!(text.contains("damaged.o: map `untyped`: the object has no BTF") && text.contains("-g"), "{text}");
    // As plain data, it is no matter what the map is.
    let input = Input { name: "damaged.o".to_owned(), bytes: std::fs::read(&object).unwrap() };
    let program = parse::parse(&[input], &Options::without_runtime()).unwrap();
    assert_eq!(program.maps[0].definition, None);
}

#[test]
fn types_that_the_runtime_does_not_have_are_one_error() {
    let program = program("runtime/unknown.o");
    let Err(error) = Jit::new(&Config::new()).unwrap().load(&program, &Linker::new()) else { panic!("it loads") };
    let text = error.to_string();
    for (map, kind) in [("future", 99), ("other", 98)] {
        let object = fixture("runtime/unknown.o").display().to_string();
        let line = format!(
            "  map `{map}` of {object} is of type {kind}, which the runtime does not have; define `bpf_map_ops_{kind}`"
        );
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.starts_with("2 undefined symbols:") && !text.contains("`known`"), "{text}");
}
