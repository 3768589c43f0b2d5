//! Exceptions, panics and backtraces pass through translated functions: in executables and in memory.

use std::ffi::{CStr, c_char, c_int, c_long};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::native::{bpf2native, compile_host, fixture, has_tool, load, output, program};
use bpf2native::Linker;
use libloading::{Library, Symbol};

const PROGRAM: &str = "unwind/unwind.o";

#[test]
fn exceptions_and_backtraces_pass_through_an_executable() {
    if !has_tool("c++") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for flags in [&["-O", "2"][..], &["-O", "0"], &["-g"]] {
        let (object, executable) = (folder.path().join("unwind.native.o"), folder.path().join("unwind"));
        output(bpf2native().args(flags).arg("-c").arg(fixture(PROGRAM)).arg("-o").arg(&object));
        compile_host(&["-DPROGRAM", "-Wl,--fatal-warnings"], &[&object], &executable);
        let printed = output(&mut std::process::Command::new(&executable));
        let expected = "returns 21\n\
                        outer: caught \"thrown with 4\", 2 destructors\n\
                        descend: caught \"thrown with 1\", 2 destructors\n\
                        wide: caught \"thrown with 7\", 2 destructors\n\
                        by_pointer: caught \"thrown with 8\", 2 destructors\n\
                        outer: 3 more frames\n\
                        descend: 100 more frames\n\
                        wide: 1 more frames\n\
                        by_pointer: 3 more frames\n";
        assert_eq!(printed, expected, "{flags:?}");
    }
}

type Function = unsafe extern "C" fn(c_long) -> c_long;
type CatchFrom = unsafe extern "C" fn(Function, c_long, *mut c_char, usize) -> c_int;
type FramesFrom = unsafe extern "C" fn(Function, c_long) -> c_int;

#[test]
fn exceptions_and_backtraces_pass_through_code_in_memory() {
    if !has_tool("c++") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libhost.so");
    compile_host(&["-shared", "-fPIC"], &[], &path);
    let mut linker = Linker::new();
    // SAFETY: the library is the test's own.
    unsafe { linker.library(&path) }.unwrap();
    let program = program(PROGRAM);
    // The second module's frames must be found too, and the first one's when the second is gone.
    let first = load(&program, &linker);
    let second = load(&program, &linker);
    let check = |module: &bpf2native::Module| {
        // SAFETY: the functions are the test's own, of these types.
        unsafe {
            let host = Library::new(&path).unwrap();
            let catch_from: Symbol<'_, CatchFrom> = host.get(b"catch_from\0").unwrap();
            let frames_from: Symbol<'_, FramesFrom> = host.get(b"frames_from\0").unwrap();
            let callback: Symbol<'_, Function> = host.get(b"callback\0").unwrap();
            let native = frames_from(*callback, 1);
            for (name, argument, thrown, depth) in [
                ("outer", 1, "thrown with 4", 3),
                ("descend", 100, "thrown with 1", 100),
                ("wide", 7, "thrown with 7", 1),
                ("by_pointer", 8, "thrown with 8", 3),
            ] {
                let address = module.function_address(name).unwrap();
                let function: Function = std::mem::transmute(address);
                let mut text = [0; 100];
                let destructors = catch_from(function, argument, text.as_mut_ptr(), text.len());
                assert_eq!(CStr::from_ptr(text.as_ptr()).to_str().unwrap(), thrown, "{name}");
                assert_eq!(destructors, 2, "{name}");
                assert_eq!(frames_from(function, argument) - native, depth, "{name}");
            }
        }
    };
    check(&first);
    check(&second);
    drop(second);
    check(&first);
}

extern "C-unwind" fn panic_back(value: i64) -> i64 {
    panic!("panicked with {value}");
}

extern "C" fn touch(bytes: *mut c_char, size: i64) {
    // SAFETY: the program passes a buffer of that size.
    unsafe { bytes.write_bytes(1, size as usize) }
}

#[test]
fn panics_pass_through_code_in_memory() {
    let mut linker = Linker::new().no_libc();
    linker.func("callback", panic_back as extern "C-unwind" fn(i64) -> i64).unwrap();
    linker.func("touch", touch as extern "C" fn(*mut c_char, i64)).unwrap();
    let module = load(&program(PROGRAM), &linker);
    for (name, argument, expected) in [
        ("outer", 1, "panicked with 4"),
        ("descend", 50, "panicked with 1"),
        ("wide", 3, "panicked with 3"),
        ("by_pointer", 9, "panicked with 9"),
    ] {
        // SAFETY: the program is the test's own, and has this function.
        let function = unsafe { module.func::<(i64,), i64>(name) }.unwrap();
        let panic = catch_unwind(AssertUnwindSafe(|| function.call((argument,)))).unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some(expected), "{name}");
    }
}

#[test]
fn every_compiled_function_has_a_frame_description() {
    // Those of the source, an adapter, and the search for it.
    let folder = tempfile::tempdir().unwrap();
    let object = folder.path().join("unwind.native.o");
    for target in ["x86_64", "aarch64", "riscv64"] {
        output(bpf2native().args(["--target", target, "-c"]).arg(fixture(PROGRAM)).arg("-o").arg(&object));
        assert_eq!(frame_descriptions(&std::fs::read(&object).unwrap()), 9, "{target}");
    }
}

/// How many FDEs there are in an object's `.eh_frame`.
fn frame_descriptions(object: &[u8]) -> usize {
    use gimli::UnwindSection;
    use object::{Object, ObjectSection};
    let file = object::File::parse(object).unwrap();
    let section = file.section_by_name(".eh_frame").expect("the object has .eh_frame");
    let data = section.data().unwrap();
    let table = gimli::EhFrame::new(data, gimli::RunTimeEndian::Little);
    let bases = gimli::BaseAddresses::default().set_eh_frame(section.address());
    let mut entries = table.entries(&bases);
    let mut count = 0;
    while let Some(entry) = entries.next().unwrap() {
        count += usize::from(matches!(entry, gimli::CieOrFde::Fde(_)));
    }
    count
}
