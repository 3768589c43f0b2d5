//! The kernel's copy of an object with both halves: what is in it, and that libbpf and the kernel load it.

use object::{Object, ObjectSection, ObjectSymbol};

use std::time::{Duration, Instant};

use bpf2native::Program;
use bpf2native::parse::{self, Input, Options, ParseError};

use crate::halves::{can_load, compile, compile_text, compilers, kernel_copy, load, source};

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

/// Strings that both halves have in one section, and code of the user half that cannot be reached.
#[test]
fn strings_of_both_halves_are_each_halfs_own() {
    let text = r#"
        #include <linux/bpf.h>
        #include <bpf/bpf_helpers.h>
        int printf(const char *format, ...);
        int seen;
        SEC("raw_tp/sys_enter") int entered(void *context)
        {
            char name[16] = "";
            bpf_get_current_comm(name, sizeof(name));
            seen += bpf_strncmp(name, sizeof(name), "none") == 0;
            return 0;
        }
        SEC("raw_tp/sys_exit") int left(unsigned long long *context)
        {
            return context[1] == 12345;
        }
        void END(void) { printf("%d\n", seen); printf("none"); __builtin_trap(); }
        char LICENSE[] SEC("license") = "GPL";
    "#;
    for compiler in compilers() {
        // The older one has no trap.
        let text =
            if compiler == "clang-19" { text.replace("__builtin_trap()", "(void)0") } else { text.to_owned() };
        let object = compile_text(compiler, &text, &["-g"]);
        let program = parsed(&object).unwrap();
        let halves = program.halves.as_ref().unwrap();
        let shared: Vec<&str> = halves.shared.iter().map(|&id| program.data[id].name.as_str()).collect();
        assert_eq!(shared, [".bss"], "{compiler}: strings are constants of each half");
        let copy = kernel_copy(&object).unwrap();
        assert!(names(&copy).0.iter().any(|name| name == ".rodata.str1.1"), "{compiler}");
        if can_load() {
            assert_eq!(load(&copy).expect(compiler).programs.len(), 2);
        }
    }
}

/// Sources of this folder with the flags that they are compiled with.
const SOURCES: [(&str, &[&str]); 4] =
    [("shapes.c", &["-g"]), ("legacy.c", &["-g"]), ("legacy.c", &[]), ("struct_ops.c", &["-g"])];

/// Some bytes are something else, or the end is not there: no panic.
#[test]
fn random_damage_is_an_error_or_a_copy() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for compiler in compilers() {
        for (name, flags) in SOURCES {
            let object = compile(compiler, &source(name), flags);
            let mut errors = 0;
            for _ in 0..100 {
                let mut damaged = object.clone();
                for _ in 0..1 + next() % 4 {
                    let at = next() as usize % damaged.len();
                    damaged[at] = match next() % 3 {
                        0 => 0,
                        1 => 0xff,
                        _ => next() as u8,
                    };
                }
                errors += usize::from(parsed(&damaged).is_err());
            }
            assert!(errors > 0, "{compiler}: {name}: no damage was noticed");
            for length in (0..object.len()).step_by(397) {
                assert!(parsed(&object[..length]).is_err(), "{compiler}: {name}: {length}");
            }
        }
    }
}

/// An object as a program, of which the kernel half is wanted.
fn parsed(object: &[u8]) -> Result<Program, ParseError> {
    let mut options = Options::default();
    options.kernel_half = true;
    parse::parse(&[Input { name: "script.o".to_owned(), bytes: object.to_vec() }], &options)
}

/// Thousands of functions, of which one half calls the other one's in a chain.
#[test]
fn large_objects_take_no_more_time_than_their_size() {
    let Some(compiler) = compilers().next() else { return };
    let text = |count: usize| {
        let mut text = String::from(
            "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\nint puts(const char *text);\n\
             __attribute__((noinline)) int f0(int value) { return puts(\"end\"); }\n",
        );
        for index in 1..count {
            text += &format!(
                "__attribute__((noinline)) int f{index}(int value) {{ return f{}(value + 1) + puts(\"{index}\"); }}\n",
                index - 1
            );
        }
        text += &format!("SEC(\"xdp\") int pass(struct xdp_md *context) {{ return f{}(1); }}\n", count - 1);
        text + "int BEGIN(void) { return 0; } char LICENSE[] SEC(\"license\") = \"GPL\";\n"
    };
    let object = compile_text(compiler, &text(2000), &["-g"]);
    let start = Instant::now();
    let error = parsed(&object).unwrap_err().to_string();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(error.len() < 100_000, "{}", error.len());
    assert!(error.contains("pass -> f1999 -> f1998"), "{error}");
    assert!(error.contains(" -> ... -> "), "{error}");
}
