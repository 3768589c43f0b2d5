//! What undefined symbols refer to: order, duplicates, allow-lists, weak symbols, and the errors for what is missing
//! or has another type.

use std::ffi::{c_char, c_void};

use bpf2native::jit::LinkerError;
use bpf2native::parse::{self, Input, Options};
use bpf2native::{Config, Jit, Linker, LoadError, Program, WarningKind};

#[cfg(feature = "cli")]
use crate::native::{bpf2native, output};
use crate::native::{fixture, load, program};

extern "C" fn long_text(_text: *const c_char) -> u64 {
    1_000_000
}

extern "C" fn longer_text(_text: *const c_char) -> u64 {
    2_000_000
}

extern "C" fn triple(value: i32) -> i32 {
    value * 3
}

/// The error of loading a program that must not load.
fn refusal(program: &Program, linker: &Linker) -> String {
    match Jit::new(&Config::new()).unwrap().load(program, linker) {
        Ok(_) => panic!("the program loads"),
        Err(error) => error.to_string(),
    }
}

/// What `length("four")` is under a linker.
fn length(linker: &Linker) -> i64 {
    let module = load(&program("api/linking.o"), linker);
    // SAFETY: the program is the test's own, and has this function.
    let length = unsafe { module.func::<(*const c_char,), i64>("length") }.unwrap();
    length.call((c"four".as_ptr(),))
}

#[test]
fn registered_symbols_win_over_libc() {
    let mut linker = Linker::new();
    assert_eq!(length(&linker), 4);
    linker.func("strlen", long_text as extern "C" fn(*const c_char) -> u64).unwrap();
    assert_eq!(length(&linker), 1_000_000);
}

#[test]
fn a_name_is_registered_once_unless_shadowing_is_allowed() {
    let mut linker = Linker::new();
    linker.func("strlen", long_text as extern "C" fn(*const c_char) -> u64).unwrap();
    let again = linker.func("strlen", longer_text as extern "C" fn(*const c_char) -> u64).err().unwrap();
    assert!(matches!(&again, LinkerError::Duplicate(name) if name == "strlen"));
    assert_eq!(again.to_string(), "`strlen` is registered already; call `allow_shadowing` first to replace it");
    assert_eq!(length(&linker), 1_000_000, "the first registration still holds");

    linker.allow_shadowing(true);
    linker.func("strlen", longer_text as extern "C" fn(*const c_char) -> u64).unwrap();
    assert_eq!(length(&linker), 2_000_000);

    linker.allow_shadowing(false);
    assert!(linker.func("strlen", long_text as extern "C" fn(*const c_char) -> u64).is_err());
}

#[test]
fn an_allow_list_has_nothing_of_libc() {
    let expected = format!(
        "1 undefined symbol:\n  `strlen`, which {} (function `length`, ./linking.c:14) refers to (this process has it, and the linker \
         leaves the process out)\nregister them, give the objects that define them, or name their library with `-l`",
        fixture("api/linking.o").display()
    );
    assert_eq!(refusal(&program("api/linking.o"), &Linker::new().no_libc()), expected);

    let mut linker = Linker::new().no_libc();
    linker.func("strlen", long_text as extern "C" fn(*const c_char) -> u64).unwrap();
    let module = load(&program("api/linking.o"), &linker);
    // SAFETY: the program is the test's own, and has this function.
    let process = unsafe { module.func::<(), i32>("process") }.unwrap();
    assert_eq!(process.call(()), -1, "libc has getpid, but a weak symbol must not find it");
}

#[test]
fn an_allow_list_has_no_helper_that_prints() {
    // mov r1, 0; call 10000; exit
    let call_print = [0xb7, 1, 0, 0, 0, 0, 0, 0, 0x85, 0, 0, 0, 0x10, 0x27, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let program = Program::from_instructions("print", &call_print).unwrap();
    assert!(
        refusal(&program, &Linker::new().no_libc()).contains("helper 10000, which print (function `main`) calls")
    );
    load(&program, &Linker::new());
}

#[test]
fn weak_symbols_are_zero_where_nothing_defines_them() {
    let mut linker = Linker::new();
    // SAFETY: the program is the test's own, and has functions of these types.
    let check = |linker: &Linker, call: i32, data: usize| unsafe {
        let module = load(&program("api/linking.o"), linker);
        assert_eq!(module.func::<(i32,), i32>("call_nowhere").unwrap().call((5,)), call);
        assert_eq!(module.func::<(), *const i32>("data_nowhere").unwrap().call(()) as usize, data);
        assert_eq!(module.func::<(), i32>("process").unwrap().call(()), std::process::id() as i32);
    };
    check(&linker, -5, 0);
    static VALUE: i32 = 9;
    linker.func("nowhere", triple as extern "C" fn(i32) -> i32).unwrap();
    // SAFETY: the program takes it for an int.
    unsafe { linker.symbol("absent_data", (&raw const VALUE).cast::<c_void>()) }.unwrap();
    check(&linker, 15, &raw const VALUE as usize);
}

#[test]
fn one_error_names_all_undefined_symbols_and_who_refers_to_them() {
    let object = fixture("api/missing.o").display().to_string();
    // The runtime may come to have the helper.
    let input = Input { name: object.clone(), bytes: std::fs::read(&object).unwrap() };
    let program = parse::parse(&[input], &Options::without_runtime()).unwrap();
    let expected = format!(
        "4 undefined symbols:\n  \
         `missing_data`, which {object} (function `first`, ./missing.c:14) refers to\n  \
         `missing_one`, which {object} (function `first`, ./missing.c:14), {object} (function `second`, ./missing.c:19) refers to\n  \
         `missing_two`, which {object} (section `.rodata`) refers to\n  \
         helper 7, `bpf_get_prandom_u32`, which {object} (function `third`, ./missing.c:24) calls: define a function \
         `bpf_get_prandom_u32` in a BPF object, register one, or define the symbol `bpf_helper_get_prandom_u32`\n\
         register them, give the objects that define them, or name their library with `-l`"
    );
    let message = refusal(&program, &Linker::new());
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&message), sorted(&expected), "{message}");

    let Err(LoadError::Unresolved(error)) = Jit::new(&Config::new()).unwrap().load(&program, &Linker::new()) else {
        panic!("another error")
    };
    assert_eq!(error.missing.len(), 4);
    assert!(error.missing.iter().all(|symbol| !symbol.forbidden && !symbol.users.is_empty()));
}

#[test]
fn registered_functions_must_have_the_declared_types() {
    extern "C" fn two(_: *const c_char, _: i32) -> u64 {
        0
    }
    extern "C" fn narrow(_: i32) -> u64 {
        0
    }
    extern "C" fn nothing(_: *const c_char) {}
    extern "C" fn float(_: *const c_char) -> f64 {
        0.0
    }
    let declared = "`strlen` is declared as `unsigned long strlen(const char *)`, and is registered as ";
    let check = |linker: &Linker, registered: &str| {
        assert_eq!(refusal(&program("api/linking.o"), linker), format!("{declared}`{registered}`"));
    };
    let mut linker = Linker::new();
    linker.allow_shadowing(true);
    linker.func("strlen", two as extern "C" fn(*const c_char, i32) -> u64).unwrap();
    check(&linker, "int64_t strlen(void *, int32_t)");
    linker.func("strlen", narrow as extern "C" fn(i32) -> u64).unwrap();
    check(&linker, "int64_t strlen(int32_t)");
    linker.func("strlen", nothing as extern "C" fn(*const c_char)).unwrap();
    check(&linker, "void strlen(void *)");
    linker.func("strlen", float as extern "C" fn(*const c_char) -> f64).unwrap();
    check(&linker, "double strlen(void *)");
}

#[test]
fn floats_need_a_declaration() {
    extern "C" fn half(value: f64) -> f64 {
        value / 2.0
    }
    let mut linker = Linker::new().no_libc();
    linker.func("half", half as extern "C" fn(f64) -> f64).unwrap();
    let expected = "`half` is registered as `double half(double)`, and the program does not say that it passes \
                    floating-point numbers to it: compile it with -g";
    assert_eq!(refusal(&program("api/types.plain.o"), &linker), expected);
}

#[test]
fn a_registered_name_that_the_program_defines_is_a_warning() {
    let mut linker = Linker::new();
    linker.func("length", long_text as extern "C" fn(*const c_char) -> u64).unwrap();
    let module = load(&program("api/linking.o"), &linker);
    let [warning] = module.warnings() else { panic!("{:?}", module.warnings()) };
    assert_eq!(warning.to_string(), "`length` is registered, and the program has its own, which it uses");
    assert_eq!(warning.kind(), WarningKind::Registered);
}

#[test]
fn a_library_that_is_not_there_is_named() {
    let mut linker = Linker::new();
    // SAFETY: there is no such library.
    let error = unsafe { linker.library("libno_such_library.so") }.err().unwrap().to_string();
    assert!(error.starts_with("cannot open library `libno_such_library.so`: "), "{error}");
}

#[test]
#[cfg(feature = "cli")]
fn static_parts_of_libc_and_the_library_of_mathematics_are_found() {
    let expected = "1024 3feaed548f090cee\nregistered last, runs first\nregistered first, runs last\ndestructor\n";
    for flags in [&[][..], &["-lm"], &["-lm", "-lpthread"]] {
        let printed = output(bpf2native().arg("run").args(flags).arg(fixture("api/exits.o")));
        assert_eq!(printed, expected, "{flags:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let executable = folder.path().join("exits");
    output(bpf2native().arg(fixture("api/exits.o")).arg("-o").arg(&executable));
    assert_eq!(output(&mut std::process::Command::new(&executable)), expected);
}

#[test]
fn only_what_roots_reach_is_loaded() {
    let (program, jit) = (program("api/callbacks.o"), Jit::new(&Config::new()).unwrap());
    assert!(jit.load(&program, &Linker::new()).is_err(), "it calls what is not there");
    let load = |roots: &[&str]| jit.load_reachable(&program, &Linker::new(), roots);
    let module = load(&["take"]).unwrap();
    assert_eq!(module.function_names().collect::<Vec<_>>(), ["take"]);
    let error = load(&["take", "no_such_function"]).err().unwrap();
    assert!(matches!(error, LoadError::Root(_)), "{error:?}");
    assert!(error.to_string().starts_with("the program has no function `no_such_function`; it has `"), "{error}");
}
