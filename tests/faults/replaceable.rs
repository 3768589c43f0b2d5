//! What a link may replace is not believed: bodies of weak functions, and what libc's function of a name does where the
//! program's host has its own.
//!
//! `weak.c` and `named.c` have one case for each fact that callers might believe (frame slots that nothing reaches,
//! arguments and results that nobody reads, bodies in place of calls, and so on), and each test here is one way in which
//! a link replaces them.

use std::path::{Path, PathBuf};
use std::process::Command;

use bpf2native::{Config, Jit, Linker, Program};
use tempfile::TempDir;

use crate::command::{check, fixture, run};
use crate::translated::object;

/// The cases of `weak.c`.
const WEAK: i32 = 15;

/// Cases of `named.c`.
const NAMED: u32 = 0x3ff;

/// Those of them that hold in an object without BTF, too: there types are libc's, functions of libc that compilers call
/// themselves keep their meaning, and a variadic function is called by its `v` form.
const PLAIN: u32 = 0x00f;

/// Compiles and links natively, as C that is not told to know libc's functions.
fn cc(folder: &Path, arguments: &[&str]) {
    let mut cc = Command::new("cc");
    cc.current_dir(folder).args(["-O2", "-w", "-fno-builtin", "-fPIC"]).args(arguments);
    let (status, _, error) = run(&mut cc);
    assert_eq!(status, 0, "cc {arguments:?}\n{error}");
}

fn source(name: &str) -> String {
    fixture("faults").join(name).into_os_string().into_string().unwrap()
}

/// Runs an executable: 0, or the first case that is wrong.
fn tried(program: PathBuf, preload: Option<&str>) {
    let mut command = Command::new(&program);
    command.env("LD_LIBRARY_PATH", program.parent().unwrap());
    if let Some(library) = preload {
        command.env("LD_PRELOAD", program.with_file_name(library));
    }
    let (status, _, error) = run(command.current_dir(program.parent().unwrap()));
    assert_eq!(status, 0, "the first case that is wrong, from 1\n{error}");
}

const LEVELS: [&str; 2] = ["-O2", "-O0"];

/// The objects of `weak.c`.
const WEAK_OBJECTS: [&str; 2] = ["weak.o", "weak.plain.o"];

#[test]
fn weak_functions_that_a_native_object_replaces() {
    for (name, level) in WEAK_OBJECTS.into_iter().flat_map(|name| LEVELS.map(|level| (name, level))) {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), &["-c", level, &object(name), "-o", "weak.o"], 0);
        cc(folder.path(), &[&source("weak_host.c"), &source("tried_main.c"), "weak.o", "-o", "program"]);
        tried(folder.path().join("program"), None);
    }
}

#[test]
fn weak_functions_that_another_bpf_object_replaces() {
    for name in WEAK_OBJECTS {
        let objects = [object(name), object("weak_host.o"), object("tried_main.o")];
        let inputs = objects.each_ref().map(String::as_str);
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), &[&inputs[..], &["-o", "program"]].concat(), 0);
        tried(folder.path().join("program"), None);
        check(folder.path(), &[&["run"], &inputs[..]].concat(), 0);
    }
}

/// A definition in an archive's member that something else takes counts more than a weak one of the program.
#[test]
fn weak_functions_of_an_executable_that_an_archive_replaces() {
    for name in WEAK_OBJECTS {
        let folder = tempfile::tempdir().unwrap();
        cc(folder.path(), &["-c", &source("weak_host.c"), "-o", "host.o"]);
        let (status, _, error) =
            run(Command::new("ar").current_dir(folder.path()).args(["rc", "libhost.a", "host.o"]));
        assert_eq!(status, 0, "{error}");
        let objects = [object(name), object("tried_main.taken.o")];
        let inputs = objects.each_ref().map(String::as_str);
        check(folder.path(), &[&inputs[..], &["-o", "program", "-L", ".", "-l", "host"]].concat(), 0);
        tried(folder.path().join("program"), None);
    }
}

/// As a shared library: the program's definitions and those of a library that is loaded before it take the place of weak ones.
#[test]
fn weak_functions_of_a_shared_library_that_the_program_replaces() {
    for name in WEAK_OBJECTS {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), &["--shared", &object(name), "-o", "libweak.so"], 0);
        cc(folder.path(), &["-shared", &source("weak_host.c"), "-o", "libhost.so"]);
        let main = source("tried_main.c");
        cc(folder.path(), &[&main, &source("weak_host.c"), "-rdynamic", "libweak.so", "-o", "own"]);
        tried(folder.path().join("own"), None);
        cc(folder.path(), &[&main, "libweak.so", "-o", "preloaded"]);
        tried(folder.path().join("preloaded"), Some("libhost.so"));
    }
}

/// Calls of functions that are not weak go to the library's own, whoever else has the name.
#[test]
fn other_functions_of_a_shared_library_stay() {
    let folder = tempfile::tempdir().unwrap();
    check(folder.path(), &["--shared", &object("weak.o"), "-o", "libweak.so"], 0);
    let (main, host) = (source("tried_main.c"), source("weak_host.c"));
    cc(folder.path(), &["-DOTHERWISE", &main, &host, "-rdynamic", "libweak.so", "-o", "own"]);
    tried(folder.path().join("own"), None);
}

#[test]
fn weak_functions_on_other_machines() {
    for (machine, name) in [("aarch64", "weak.o"), ("riscv64", "weak.o"), ("s390x", "weak.be.o")] {
        on_machine(machine, name, &["weak_host.c"], 0x7fff);
        on_machine(machine, &name.replace("weak", "weak.plain"), &["weak_host.c"], 0x7fff);
    }
}

#[test]
fn names_of_libc_on_other_machines() {
    for machine in ["aarch64", "riscv64"] {
        on_machine(machine, "named.o", &["-DMEMORY", "named_host.c"], NAMED);
        on_machine(machine, "named.plain.o", &["-DMEMORY", "named_host.c"], PLAIN);
    }
}

/// Replaces what an object has by a native one, for another machine.
fn on_machine(machine: &str, name: &str, host: &[&str], cases: u32) {
    let (compiler, emulator) = (format!("{machine}-linux-gnu-gcc"), format!("qemu-{machine}"));
    for tool in [&compiler, &emulator] {
        if Command::new(tool).arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "`{tool}` is not installed");
            eprintln!("{machine} is left out: `{tool}` is not installed");
            return;
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let target = format!("{machine}-unknown-linux-gnu");
    check(folder.path(), &["-c", "--target", &target, &object(name), "-o", "tried.o"], 0);
    let host = host.iter().map(|part| if part.starts_with('-') { (*part).to_owned() } else { source(part) });
    let mut gcc = Command::new(compiler);
    gcc.current_dir(folder.path()).args(["-O2", "-w", "-fno-builtin"]).args(host).arg(format!("-DCASES={cases}"));
    let (status, _, error) = run(gcc.arg(source("tried_main.c")).args(["tried.o", "-o", "program"]));
    assert_eq!(status, 0, "{machine}, {name}\n{error}");
    let root = format!("/usr/{machine}-linux-gnu");
    let (status, _, error) =
        run(Command::new(emulator).current_dir(folder.path()).args(["-L", &root, "./program"]));
    assert_eq!(status, 0, "{machine}, {name}: the first case that is wrong, from 1\n{error}");
}

/// In memory nothing takes the place of what the program has; what is registered of the same name is said to be in vain.
#[test]
fn weak_functions_in_memory_are_the_program_s() {
    extern "C" fn hook(_: i64, _: i64, _: i64, _: i64, _: i64) -> i64 {
        1
    }
    for name in WEAK_OBJECTS {
        let program = Program::from_files([object(name)]).unwrap();
        let mut linker = Linker::new();
        linker.func("hook", hook as extern "C" fn(i64, i64, i64, i64, i64) -> i64).unwrap();
        let module = Jit::new(&Config::new()).unwrap().load(&program, &linker).unwrap();
        assert!(module.warnings().iter().any(|warning| warning.text().contains("`hook` is registered")));
        // SAFETY: the object is one of the fixtures.
        let tried = unsafe { module.func::<(i32,), i64>("tried").unwrap() };
        let found: Vec<i64> = (0..WEAK).filter(|&case| case != 5).map(|case| tried.call((case,))).collect();
        assert_eq!(found, [0, 7, 7, 7, 0, 6, 7, 7, 9, 1, 111, 112, 213, 7]);
    }
}

/// A function with the types and bodies of `named_host.c`, compiled natively as a library.
fn library(folder: &TempDir, definitions: &[&str]) -> PathBuf {
    let definitions: Vec<String> = definitions.iter().map(|name| format!("-D{name}")).collect();
    let mut arguments: Vec<&str> = definitions.iter().map(String::as_str).collect();
    let host = source("named_host.c");
    arguments.extend(["-shared", "-Wl,-Bsymbolic", &host, "-o", "libhost.so"]);
    cc(folder.path(), &arguments);
    folder.path().join("libhost.so")
}

/// What is in an object with another type than libc's, and what has no type: neither is libc's.
#[test]
fn names_of_libc_that_a_native_object_has() {
    for (name, cases) in [("named.o", NAMED), ("named.plain.o", PLAIN)] {
        for level in LEVELS {
            let folder = tempfile::tempdir().unwrap();
            check(folder.path(), &["-c", level, &object(name), "-o", "named.o"], 0);
            let cases = format!("-DCASES={cases}");
            let (host, main) = (source("named_host.c"), source("tried_main.c"));
            cc(folder.path(), &[&cases, "-DMEMORY", &host, &main, "named.o", "-o", "program"]);
            tried(folder.path().join("program"), None);
        }
    }
}

#[test]
fn names_of_libc_that_the_program_of_a_shared_library_has() {
    for (name, cases) in [("named.o", NAMED), ("named.plain.o", PLAIN)] {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), &["--shared", &object(name), "-o", "libnamed.so"], 0);
        let cases = format!("-DCASES={cases}");
        let (host, main) = (source("named_host.c"), source("tried_main.c"));
        cc(folder.path(), &[&cases, &host, &main, "-DMEMORY", "-rdynamic", "libnamed.so", "-o", "program"]);
        tried(folder.path().join("program"), None);
    }
}

/// What the program defines itself is no name of libc's.
#[test]
fn names_of_libc_that_another_bpf_object_has() {
    let main = tempfile::tempdir().unwrap();
    cc(main.path(), &["-DCASES=0x37f", "-c", &source("tried_main.c"), "-o", "main.o"]);
    for name in ["named.o", "named.plain.o"] {
        let objects = [object(name), object("named_host.o")];
        let inputs = objects.each_ref().map(String::as_str);
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), &[&["-c"], &inputs[..], &["-o", "named.o"]].concat(), 0);
        let main = main.path().join("main.o").into_os_string().into_string().unwrap();
        cc(folder.path(), &[&main, "named.o", "-o", "program"]);
        tried(folder.path().join("program"), None);
        let program = Program::from_files(&objects).unwrap();
        let module = Jit::new(&Config::new()).unwrap().load(&program, &Linker::new()).unwrap();
        // SAFETY: the objects are fixtures.
        let tried = unsafe { module.func::<(i32,), i64>("tried").unwrap() };
        for case in (0..10).filter(|&case| case != 7) {
            assert_eq!(tried.call((case,)), 100 + i64::from(case), "case {case} of {name}");
        }
    }
}

/// In memory it is known who defines a name, whatever its type.
#[test]
fn names_of_libc_that_a_library_has() {
    for name in ["named.o", "named.same.o", "named.plain.o"] {
        let folder = tempfile::tempdir().unwrap();
        let mut linker = Linker::new();
        // SAFETY: it has no constructors.
        unsafe { linker.library(library(&folder, &["MEMORY"])).unwrap() };
        all_of_named(name, &linker);
    }
}

#[test]
fn names_of_libc_that_are_registered() {
    for name in ["named.o", "named.same.o", "named.plain.o"] {
        let folder = tempfile::tempdir().unwrap();
        // SAFETY: it has no constructors.
        let host = unsafe { libloading::Library::new(library(&folder, &["MEMORY"])).unwrap() };
        let mut linker = Linker::new();
        let names = "remove puts strchr rename memcmp memset memcpy printf abort vfork";
        for name in names.split_whitespace() {
            // SAFETY: these are functions, and named.c calls them by their types.
            unsafe {
                let address =
                    host.get::<*const std::ffi::c_void>(name.as_bytes()).unwrap().try_as_raw_ptr().unwrap();
                linker.symbol(name, address).unwrap();
            }
        }
        all_of_named(name, &linker);
    }
}

fn all_of_named(name: &str, linker: &Linker) {
    let program = Program::from_files([object(name)]).unwrap();
    let module = Jit::new(&Config::new()).unwrap().load(&program, linker).unwrap();
    // SAFETY: the object is one of the fixtures.
    let tried = unsafe { module.func::<(i32,), i64>("tried").unwrap() };
    for case in 0..10 {
        assert_eq!(tried.call((case,)), 100 + i64::from(case), "case {case} of {name}");
    }
}

/// An object without BTF calls `abort` as libc's, which takes nothing, unless somebody else is known to define it.
#[test]
fn a_name_of_libc_that_is_registered_with_another_type() {
    extern "C" fn abort(value: i64) -> i64 {
        value
    }
    let program = Program::from_files([object("named.plain.o")]).unwrap();
    let mut linker = Linker::new();
    linker.func("abort", abort as extern "C" fn(i64) -> i64).unwrap();
    let module = Jit::new(&Config::new()).unwrap().load(&program, &linker).unwrap();
    // SAFETY: the object is one of the fixtures.
    let tried = unsafe { module.func::<(i32,), i64>("tried").unwrap() };
    assert_eq!(tried.call((8,)), 108);
    extern "C" fn floats(_: f64) -> f64 {
        0.0
    }
    linker.allow_shadowing(true).func("abort", floats as extern "C" fn(f64) -> f64).unwrap();
    let error = Jit::new(&Config::new()).unwrap().load(&program, &linker).err().unwrap().to_string();
    assert!(error.contains("`abort` is registered as") && error.contains("compile it with -g"), "{error}");
}

/// Whoever has a `printf` of libc's type is asked for its `vprintf`, too; libc's is not called in its place.
#[test]
fn a_printf_that_is_registered() {
    let warning = "`printf` is not libc's, and whoever defines it has no `vprintf`";
    let program = Program::from_files([object("named.same.o")]).unwrap();
    for (definitions, is_said) in [(&["MEMORY"][..], true), (&["MEMORY", "LIST"][..], false)] {
        let folder = tempfile::tempdir().unwrap();
        let mut linker = Linker::new();
        // SAFETY: it has no constructors.
        unsafe { linker.library(library(&folder, definitions)).unwrap() };
        let module = Jit::new(&Config::new()).unwrap().load(&program, &linker).unwrap();
        let found = module.warnings().iter().any(|found| found.text().contains(warning));
        assert_eq!(found, is_said, "{:?}", module.warnings());
        // SAFETY: the object is one of the fixtures.
        let tried = unsafe { module.func::<(i32,), i64>("tried").unwrap() };
        assert_eq!(tried.call((7,)), 107);
    }
}

/// By its exact type, with the signature checked.
#[test]
fn a_name_of_libc_that_is_registered_with_libc_s_type() {
    extern "C" fn remove(path: *const std::ffi::c_char) -> std::ffi::c_int {
        // SAFETY: named.c has a number below what it passes.
        unsafe { *path.cast::<i64>().sub(1) as i32 }
    }
    for name in ["named.same.o", "named.plain.o"] {
        let program = Program::from_files([object(name)]).unwrap();
        let mut linker = Linker::new();
        linker.func("remove", remove as extern "C" fn(*const std::ffi::c_char) -> std::ffi::c_int).unwrap();
        let module = Jit::new(&Config::new()).unwrap().load(&program, &linker).unwrap();
        // SAFETY: the object is one of the fixtures.
        let tried = unsafe { module.func::<(i32,), i64>("tried").unwrap() };
        assert_eq!(tried.call((0,)), 100, "{name}");
    }
}
