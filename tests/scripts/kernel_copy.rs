//! The kernel's copy of an object with both halves: what is in it, and that libbpf and the kernel load it.

use object::{Object, ObjectSection, ObjectSymbol};

use crate::halves::{can_load, compile, compilers, kernel_copy, load, source};

/// Names of a copy's sections and symbols.
fn names(copy: &[u8]) -> (Vec<String>, Vec<String>) {
    let file = object::File::parse(copy).unwrap();
    let sections = file.sections().map(|section| section.name().unwrap().to_owned()).collect();
    let symbols = file.symbols().filter_map(|symbol| symbol.name().ok().map(str::to_owned)).collect();
    (sections, symbols)
}

#[test]
fn all_shapes_are_loaded() {
    for compiler in compilers() {
        let object = compile(compiler, &source("shapes.c"), &["-g"]);
        let copy = kernel_copy(&object).unwrap();
        let (sections, symbols) = names(&copy);
        for there in
            ["tp/syscalls/sys_enter_getpid", "tp_btf/task_newtask", ".maps", "license", ".data", ".bss", ".rodata"]
        {
            assert!(sections.iter().any(|name| name == there), "{compiler}: {there}: {sections:?}");
        }
        for absent in ["EVENT/events", "TIMER/100ms", ".rodata.str1.1", ".debug_info", ".relEVENT/events"] {
            assert!(!sections.iter().any(|name| name == absent), "{compiler}: {absent}: {sections:?}");
        }
        for absent in ["printf", "qsort", "stdout", "BEGIN", "END", "record", "compared"] {
            assert!(!symbols.iter().any(|name| name == absent), "{compiler}: {absent}");
        }
        for there in ["scaled", "weighed", "first", "second", "third", "bpf_task_from_pid", "LINUX_KERNEL_VERSION"]
        {
            assert!(symbols.iter().any(|name| name == there), "{compiler}: {there}");
        }
        if can_load() {
            let mut loaded = load(&copy).expect(compiler);
            loaded.programs.sort();
            assert_eq!(
                loaded.programs,
                [
                    "tp/syscalls/sys_enter_getpid first",
                    "tp/syscalls/sys_enter_getpid second",
                    "tp_btf/task_newtask third",
                ]
            );
            for map in ["counts", "events", "tails"] {
                assert!(loaded.maps.iter().any(|name| name == map), "{:?}", loaded.maps);
            }
        }
    }
}

#[test]
fn the_origins_form_is_loaded_with_types_and_without() {
    for compiler in compilers() {
        for flags in [&["-g"][..], &[]] {
            let object = compile(compiler, &source("legacy.c"), flags);
            let copy = kernel_copy(&object).unwrap();
            let (sections, _) = names(&copy);
            for there in ["tracepoint/raw_syscalls/sys_enter", "kprobe/schedule", ".maps", ".BTF"] {
                assert!(sections.iter().any(|name| name == there), "{compiler}: {there}: {sections:?}");
            }
            assert!(!sections.iter().any(|name| name == "maps"), "{compiler}: {sections:?}");
            if can_load() {
                let loaded = load(&copy).expect(compiler);
                assert_eq!(
                    loaded.programs,
                    ["tracepoint/raw_syscalls/sys_enter entered", "kprobe/schedule scheduled"]
                );
                assert!(loaded.maps.starts_with(&["counts".to_owned(), "others".to_owned()]), "{:?}", loaded.maps);
            }
        }
    }
}

#[test]
fn structs_of_operations_are_loaded() {
    for compiler in compilers() {
        let object = compile(compiler, &source("struct_ops.c"), &["-g"]);
        let copy = kernel_copy(&object).unwrap();
        if can_load() {
            let loaded = load(&copy).expect(compiler);
            assert_eq!(loaded.programs.len(), 4, "{:?}", loaded.programs);
            assert!(loaded.maps.iter().any(|name| name == "plain"), "{:?}", loaded.maps);
        }
    }
}

#[test]
fn big_endian_objects_have_big_endian_copies() {
    for compiler in compilers() {
        let little = compile(compiler, &source("shapes.c"), &["-g"]);
        let big = compile(compiler, &source("shapes.c"), &["-g", "-target", "bpfeb"]);
        let (little, big) = (kernel_copy(&little).unwrap(), kernel_copy(&big).unwrap());
        assert!(!object::File::parse(&*big).unwrap().is_little_endian());
        assert_eq!(names(&little), names(&big), "{compiler}");
    }
}

#[test]
fn the_copy_is_the_same_each_time_and_a_copy_of_itself() {
    for compiler in compilers() {
        let object = compile(compiler, &source("shapes.c"), &["-g"]);
        let copy = kernel_copy(&object).unwrap();
        assert_eq!(copy, kernel_copy(&object).unwrap(), "{compiler}");
        let again = kernel_copy(&copy).unwrap();
        assert_eq!(names(&copy), names(&again), "{compiler}");
    }
}

#[test]
fn damaged_objects_are_errors() {
    for compiler in compilers() {
        let object = compile(compiler, &source("shapes.c"), &["-g"]);
        for at in (0..object.len()).step_by(29) {
            let mut damaged = object.clone();
            damaged[at] ^= 0x55;
            let _ = kernel_copy(&damaged);
            let _ = kernel_copy(&object[..at]);
        }
    }
}
