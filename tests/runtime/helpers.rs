//! Who defines a helper: the program, the embedder, the runtime; never a library or the process by the name in C.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bpf2native::parse::{self, Input, Options};
use bpf2native::{Config, Jit, Linker, Program};

use crate::native::{bpf2native, fixture, load, output, program, skip};

fn without_runtime(name: &str) -> Program {
    let bytes = fs::read(fixture(name)).unwrap();
    parse::parse(&[Input { name: name.to_owned(), bytes }], &Options::without_runtime()).unwrap()
}

/// `look(key)` of calls.o, as a number.
fn look(module: &bpf2native::Module, key: u32) -> u64 {
    // SAFETY: the program is the test's own, and has this function.
    unsafe { module.func::<(u32,), u64>("look") }.unwrap().call((key,))
}

#[test]
fn the_programs_own_functions_come_first() {
    let objects = ["runtime/calls.o", "runtime/own.o"].map(fixture);
    let mut linker = Linker::new();
    linker.func("bpf_map_lookup_elem", |_: u64, _: u64| -> u64 { 1 }).unwrap();
    let module = load(&Program::from_files(&objects).unwrap(), &linker);
    let address = look(&module, 1) as *const u64;
    // SAFETY: the program's own helper returns the address of its variable.
    assert_eq!(unsafe { *address }, 7);
    assert_eq!(look(&module, 2), 0);
    assert!(
        module.warnings().iter().any(|warning| warning.to_string().contains("`bpf_map_lookup_elem` is registered"))
    );
    // Both orders of the objects.
    let module = load(&Program::from_files(objects.iter().rev()).unwrap(), &Linker::new());
    assert_ne!(look(&module, 1), 0);
}

#[test]
fn what_is_registered_comes_before_the_runtime() {
    let with = program("runtime/calls.o");
    assert!(with.has_runtime());
    for program in [with, without_runtime("runtime/calls.o")] {
        for name in ["bpf_map_lookup_elem", "bpf_helper_map_lookup_elem"] {
            let keys = Arc::new(AtomicU64::new(0));
            let seen = keys.clone();
            let mut linker = Linker::new();
            linker
                .func(name, move |_: u64, key: *const u32| -> u64 {
                    // SAFETY: the program passes a key.
                    seen.fetch_add(u64::from(unsafe { *key }), Ordering::Relaxed);
                    77
                })
                .unwrap();
            linker.func("bpf_map_delete_elem", |_: u64, _: u64| -> i64 { 0 }).unwrap();
            let module = load(&program, &linker);
            assert_eq!((look(&module, 5), look(&module, 6)), (77, 77), "{name}");
            assert_eq!(keys.load(Ordering::Relaxed), 11);
            assert!(module.warnings().is_empty(), "{:?}", module.warnings());
        }
    }
}

#[test]
fn a_helper_that_nobody_defines_is_named_with_who_calls_it() {
    let program = without_runtime("runtime/calls.o");
    let Err(error) = Jit::new(&Config::new()).unwrap().load(&program, &Linker::new()) else { panic!("it loads") };
    let text = error.to_string();
    let line = "helper 1, `bpf_map_lookup_elem`, which runtime/calls.o (function `look`, ./calls.c:10) calls: define a \
                function `bpf_map_lookup_elem` in a BPF object, register one, or define the symbol \
                `bpf_helper_map_lookup_elem`";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("helper 3, `bpf_map_delete_elem`"), "{text}");
}

#[test]
fn the_command_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let output = |arguments: &[&str]| {
        let mut command = bpf2native();
        let output = command.args(arguments).arg(fixture("runtime/calls.o")).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let program = folder.path().join("program").display().to_string();
    for arguments in [&["run", "--no-runtime"][..], &["--no-runtime", "-o", &program]] {
        let text = output(arguments);
        assert!(text.contains("helper 1, `bpf_map_lookup_elem`, which "), "{text}");
        assert!(text.contains("define the symbol `bpf_helper_map_lookup_elem`"), "{text}");
    }
}

/// A folder where `-lbpf` finds the library; none where it is not installed.
fn libbpf(folder: &Path) -> Option<PathBuf> {
    let places = [
        "/usr/lib/x86_64-linux-gnu",
        "/lib/x86_64-linux-gnu",
        "/usr/lib64",
        "/usr/lib",
        "/usr/lib/aarch64-linux-gnu",
    ];
    let library = places.iter().map(|place| Path::new(place).join("libbpf.so.1")).find(|path| path.exists());
    let Some(library) = library else {
        skip("libbpf.so.1 is not installed");
        return None;
    };
    symlink(library, folder.join("libbpf.so")).unwrap();
    Some(folder.to_owned())
}

/// libbpf's `bpf_map_lookup_elem` takes a descriptor and three pointers, and is no helper.
#[test]
fn a_library_does_not_define_helpers_by_their_names_in_c() {
    let temporary = tempfile::tempdir().unwrap();
    let Some(folder) = libbpf(temporary.path()) else { return };
    let program = temporary.path().join("program");
    let object = fixture("runtime/counts.o");
    let expected = "0 2 2 42\n1 -22\n";
    assert_eq!(output(bpf2native().arg("run").arg("-L").arg(&folder).args(["-l", "bpf"]).arg(&object)), expected);
    output(bpf2native().arg("-L").arg(&folder).args(["-l", "bpf"]).arg(&object).arg("-o").arg(&program));
    assert_eq!(output(&mut Command::new(&program)), expected);

    // Nor where nothing else defines them.
    let run =
        bpf2native().args(["run", "--no-runtime", "-l", "bpf", "-L"]).arg(&folder).arg(&object).output().unwrap();
    let mut build = bpf2native();
    build.args(["--no-runtime", "-l", "bpf", "-L"]).arg(&folder).arg(&object).arg("-o").arg(&program);
    for output in [run, build.output().unwrap()] {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains("helper 1, `bpf_map_lookup_elem`"), "{text}");
    }
    let mut linker = Linker::new();
    // SAFETY: libbpf does nothing when it is loaded.
    unsafe { linker.library(folder.join("libbpf.so")) }.unwrap();
    assert!(Jit::new(&Config::new()).unwrap().load(&without_runtime("runtime/counts.o"), &linker).is_err());
}

/// A native function takes the place of the runtime's, by an asm label.
#[test]
fn native_objects_define_helpers_by_their_link_names() {
    let folder = tempfile::tempdir().unwrap();
    let source = "unsigned long found = 9;
        void *mine(void *map, const unsigned *key) __asm__(\"bpf_helper_map_lookup_elem\");
        void *mine(void *map, const unsigned *key) { return *key == 2 ? &found : 0; }";
    let file = |name: &str| folder.path().join(name);
    fs::write(file("mine.c"), source).unwrap();
    output(Command::new("cc").args(["-c", "-o"]).arg(file("mine.o")).arg(file("mine.c")));
    let object = fixture("runtime/counts.o");
    // count() counts in the native variable; the update before it is the runtime's, of the map.
    let expected = "0 2 2 11\n1 -22\n";
    output(bpf2native().arg("-c").arg(&object).arg("-o").arg(file("counts.o")));
    output(Command::new("cc").arg(file("counts.o")).arg(file("mine.o")).arg("-o").arg(file("linked")));
    assert_eq!(output(&mut Command::new(file("linked"))), expected);
    output(bpf2native().arg(&object).arg("-o").arg(file("built")).arg("--link-arg").arg(file("mine.o")));
    assert_eq!(output(&mut Command::new(file("built"))), expected);
}

/// A tail call of an embedder's function of that name returns.
#[test]
fn an_own_tail_call_is_a_helper_as_others() {
    let program = program("runtime/tail.o");
    let mut linker = Linker::new();
    linker.func("bpf_tail_call", |_: u64, _: u64, _: u64| -> u64 { 4 }).unwrap();
    let module = load(&program, &linker);
    let mut context = [5u64, 1];
    // SAFETY: the program takes a pointer to such a context.
    let start = unsafe { module.func::<(*mut u64,), i32>("start") }.unwrap();
    assert_eq!(start.call((context.as_mut_ptr(),)), 5);

    // By the link name, what is returned is called.
    extern "C" fn twelve(_context: *const u64) -> i64 {
        12
    }
    let mut linker = Linker::new();
    let address = twelve as extern "C" fn(*const u64) -> i64 as usize as u64;
    linker.func("bpf_helper_tail_call", move |_: u64, _: u64, _: u64| -> u64 { address }).unwrap();
    let module = load(&program, &linker);
    // SAFETY: as above.
    let start = unsafe { module.func::<(*mut u64,), i32>("start") }.unwrap();
    assert_eq!(start.call((context.as_mut_ptr(),)), 12);
}
