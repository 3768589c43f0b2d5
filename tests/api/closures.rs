//! Functions of the host that are Rust's: function items, closures without state, and closures with it.

use std::ffi::{c_int, c_long, c_void};
use std::mem::transmute;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use bpf2native::{Config, Jit, Linker, LoadError, Module, Words};

use crate::native::{load, program};

/// Calls a function of a module by its type.
macro_rules! call {
    ($module:expr, $name:literal: ($($argument:expr => $ty:ty),*) -> $result:ty) => {{
        // SAFETY: the program is the test's own; the type is checked against its BTF.
        let function = unsafe { $module.func::<($($ty,)*), $result>($name) };
        function.unwrap().call(($($argument,)*))
    }};
}

/// Loads some functions of the program.
fn load_some(linker: &Linker, roots: &[&str]) -> Module {
    Jit::new(&Config::new()).unwrap().load_reachable(&program("api/closures.o"), linker, roots).unwrap()
}

fn twice(value: c_long) -> c_long {
    value * 2
}

#[test]
fn function_items_are_registered_as_they_are() {
    fn thirteen() -> c_int {
        13
    }
    fn mean(a: f64, b: c_long) -> f64 {
        (a + b as f64) / 2.0
    }
    let mut linker = Linker::new().no_libc();
    linker.func("add", twice).unwrap().func("none", thirteen).unwrap().func("blend", mean).unwrap();
    linker.func("flip", |value: bool| !value).unwrap();
    let module = load_some(&linker, &["call_add", "call_none", "call_blend", "call_flip", "call_table"]);
    assert_eq!(call!(module, "call_add": (21 => i64) -> i64), 42);
    assert_eq!(call!(module, "call_none": () -> i32), 13);
    assert_eq!(call!(module, "call_blend": (2.5 => f64, 2 => i64) -> f64), 2.25);
    assert!(call!(module, "call_flip": (false => bool) -> bool));
    assert_eq!(call!(module, "call_table": (0 => i64, 4 => i64) -> i64), 8);
    assert_eq!(call!(module, "call_table": (1 => i64, 5 => i64) -> i64), 10, "through its address");
}

#[test]
fn pointers_to_functions_are_registered_whatever_their_convention() {
    extern "C" fn of_c(value: c_long) -> c_long {
        value + 1
    }
    // SAFETY: it is safe to call.
    unsafe extern "C-unwind" fn of_c_unwind(value: c_long) -> c_long {
        value + 2
    }
    let answer = |linker: &Linker| {
        let module = load_some(linker, &["call_add"]);
        call!(module, "call_add": (40 => i64) -> i64)
    };
    let mut linker = Linker::new();
    linker.allow_shadowing(true);
    linker.func("add", of_c as extern "C" fn(c_long) -> c_long).unwrap();
    assert_eq!(answer(&linker), 41);
    linker.func("add", of_c_unwind as unsafe extern "C-unwind" fn(c_long) -> c_long).unwrap();
    assert_eq!(answer(&linker), 42);
    linker.func("add", twice as fn(c_long) -> c_long).unwrap();
    assert_eq!(answer(&linker), 80);
    linker.func("add", |value: c_long| of_c(value)).unwrap();
    assert_eq!(answer(&linker), 41);
}

#[test]
fn closures_have_the_state_that_they_captured() {
    let (offset, notes) = (100, Arc::new(Mutex::new(Vec::new())));
    let kept = notes.clone();
    let mut linker = Linker::new().no_libc();
    linker.func("add", move |value: c_long| value + offset).unwrap();
    linker.func("note", move |event: c_int| kept.lock().unwrap().push(event)).unwrap();
    let module = load_some(&linker, &["call_add", "call_note", "call_table"]);
    assert_eq!(call!(module, "call_add": (5 => i64) -> i64), 105);
    assert_eq!(call!(module, "call_table": (1 => i64, 7 => i64) -> i64), 107, "through its address");
    call!(module, "call_note": (3 => i32) -> ());
    call!(module, "call_note": (-4 => i32) -> ());
    assert_eq!(*notes.lock().unwrap(), [3, -4]);
}

/// Two closures of one type, in two modules of one program, each with its own state.
#[test]
fn each_module_has_the_state_of_its_linker() {
    let of = |offset: c_long| {
        let mut linker = Linker::new();
        linker.func("add", move |value: c_long| value + offset).unwrap();
        load_some(&linker, &["call_add"])
    };
    let (one, two) = (of(1), of(2));
    assert_eq!(call!(one, "call_add": (10 => i64) -> i64), 11);
    assert_eq!(call!(two, "call_add": (10 => i64) -> i64), 12);
}

#[test]
fn closures_take_and_return_every_type() {
    let k = 1;
    let mut linker = Linker::new();
    linker
        .func("narrow", move |a: i8, b: u8, c: i16, d: u16, e: i32| {
            assert_eq!((a, b, c, d, e), (-1, 255, -2, 65_534, -3));
            a - k
        })
        .unwrap();
    let k = 1;
    linker.func("byte", move |value: u8| value + k).unwrap();
    let k = true;
    linker.func("flip", move |value: bool| value ^ k).unwrap();
    let k = 0.25;
    linker.func("single", move |value: f32| value + k).unwrap();
    let k = 0.5;
    linker.func("blend", move |a: f64, b: i64| a * k + b as f64).unwrap();
    let k = 7;
    linker.func("wide", move |value: i128, more: i64| -value - i128::from(more) - k).unwrap();
    let k = 1;
    linker.func("pair", move |first: u64, second: u64| Words { first: first + k, second: second + 2 * k }).unwrap();
    linker.func("total", move |value: Words, more: u64| value.first + 10 * value.second + 100 * more + k).unwrap();
    let roots = ["call_narrow", "call_byte", "byte_address", "call_flip", "call_single", "call_blend"];
    let others = ["wide_address", "call_pair", "pair_address", "call_total"];
    let module = load_some(&linker, &[&roots[..], &others].concat());
    let narrow = call!(module, "call_narrow": (-1 => i64, 255 => i64, -2 => i64, 65_534 => i64, -3 => i64) -> i64);
    assert_eq!(narrow, -2);
    assert_eq!(call!(module, "call_byte": (0xff_fe => i64) -> i64), 255);
    assert!(call!(module, "call_flip": (false => bool) -> bool));
    assert!(!call!(module, "call_flip": (true => bool) -> bool));
    assert_eq!(call!(module, "call_single": (1.5 => f32) -> f32), 1.75);
    assert_eq!(call!(module, "call_blend": (3.0 => f64, -4 => i64) -> f64), -2.5);
    let mut words = Words { first: 3, second: 4 };
    let pointer = (&raw mut words).cast::<c_void>();
    assert_eq!(call!(module, "call_total": (pointer => *mut c_void, 5 => u64) -> u64), 544);
    call!(module, "call_pair": (pointer => *mut c_void, 30 => u64, 40 => u64) -> ());
    assert_eq!(words, Words { first: 31, second: 42 });

    // Native code calls the same functions.
    let byte = call!(module, "byte_address": () -> *const c_void);
    let wide = call!(module, "wide_address": () -> *const c_void);
    let pair = call!(module, "pair_address": () -> *const c_void);
    // SAFETY: the program declares them so.
    unsafe {
        assert_eq!(transmute::<*const c_void, extern "C" fn(u8) -> u8>(byte)(254), 255);
        let large = i128::MAX / 3;
        assert_eq!(transmute::<*const c_void, extern "C" fn(i128, i64) -> i128>(wide)(large, 5), -large - 12);
        assert_eq!(
            transmute::<*const c_void, extern "C" fn(u64, u64) -> Words>(pair)(1, 2),
            Words { first: 2, second: 4 }
        );
    }
}

#[test]
fn closures_take_many_arguments_of_both_kinds() {
    type Many = extern "C" fn(i64, i64, i64, i64, i64, i64, i64, i64, f64, f32, f64, i32) -> i64;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    let mut linker = Linker::new();
    let many =
        move |a: i64, b: i64, c: i64, d: i64, e: i64, f: i64, g: i64, h: i64, i: f64, j: f32, k: f64, l: i32| {
            kept.lock().unwrap().push(([a, b, c, d, e, f, g, h], [i, f64::from(j), k], l));
            a + h
        };
    linker.func("many", many).unwrap();
    let scale = 2.0;
    let floats = move |a: f64, b: f64, c: f64, d: f64, e: f64, f: f64, g: f64, h: f64, i: f64, j: i64| {
        (a + b + c + d + e + f + g + h + i) * scale + j as f64
    };
    linker.func("floats", floats).unwrap();
    let module = load_some(&linker, &["call_many", "many_address", "call_floats"]);
    assert_eq!(call!(module, "call_many": (0.5 => f64, 1.5 => f32, -2.5 => f64) -> i64), 9);
    assert_eq!(call!(module, "call_floats": (1.25 => f64, -3 => i64) -> f64), 19.5);
    let many = call!(module, "many_address": () -> *const c_void);
    // SAFETY: the program declares it so.
    let many: Many = unsafe { transmute(many) };
    assert_eq!(many(10, 20, 30, 40, 50, 60, 70, 80, 5.5, 6.5, 7.5, i32::MIN), 90);
    let expected = [
        ([1, 2, 3, 4, 5, 6, 7, 8], [0.5, 1.5, -2.5], -9),
        ([10, 20, 30, 40, 50, 60, 70, 80], [5.5, 6.5, 7.5], i32::MIN),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn libc_calls_closures_that_it_is_given() {
    let calls = Arc::new(AtomicUsize::new(0));
    let kept = calls.clone();
    let mut linker = Linker::new();
    let order = move |left: *const c_int, right: *const c_int| {
        kept.fetch_add(1, Ordering::Relaxed);
        // SAFETY: qsort passes elements.
        unsafe { (*left).cmp(&*right) as c_int }
    };
    linker.func("order", order).unwrap();
    let module = load_some(&linker, &["sort"]);
    let mut numbers = [3, 9, -4, 7, 0, 12, 5];
    call!(module, "sort": (numbers.as_mut_ptr() => *mut i32, numbers.len() as i64 => i64) -> ());
    assert_eq!(numbers, [-4, 0, 3, 5, 7, 9, 12]);
    assert!(calls.load(Ordering::Relaxed) >= numbers.len() - 1);
}

#[test]
fn closures_are_called_from_several_threads() {
    let total = Arc::new(AtomicI64::new(0));
    let kept = total.clone();
    let mut linker = Linker::new();
    linker.func("add", move |value: c_long| kept.fetch_add(value, Ordering::Relaxed).min(0) + value).unwrap();
    let module = load_some(&linker, &["call_add_often"]);
    thread::scope(|scope| {
        for number in 1..=4 {
            let module = &module;
            scope.spawn(move || {
                assert_eq!(call!(module, "call_add_often": (number => i64, 1000 => i64) -> i64), number);
            });
        }
    });
    assert_eq!(total.load(Ordering::Relaxed), 1000 * (1 + 2 + 3 + 4));
}

/// Counts how often it is dropped.
struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A linker whose `add` has a guard, and the number of drops.
fn guarded() -> (Linker, Arc<AtomicUsize>) {
    let dropped = Arc::new(AtomicUsize::new(0));
    let guard = Guard(dropped.clone());
    let mut linker = Linker::new();
    let add = move |value: c_long| value + guard.0.load(Ordering::SeqCst) as c_long;
    linker.func("add", add).unwrap();
    (linker, dropped)
}

#[test]
fn state_is_dropped_when_no_linker_and_no_module_has_it() {
    let (linker, dropped) = guarded();
    let count = || dropped.load(Ordering::SeqCst);
    let module = load_some(&linker, &["call_add"]);
    let other = load_some(&linker.clone(), &["call_add"]);
    drop(linker);
    assert_eq!(call!(module, "call_add": (7 => i64) -> i64), 7);
    drop(module);
    assert_eq!(count(), 0, "the other module has it");
    // SAFETY: the program is the test's own, and has this function.
    let owned = unsafe { other.func_owned::<(i64,), i64>("call_add") }.unwrap();
    drop(other);
    assert_eq!((count(), owned.call((8,))), (0, 8), "an owned function keeps its module");
    drop(owned);
    assert_eq!(count(), 1);

    let (linker, dropped) = guarded();
    let count = || dropped.load(Ordering::SeqCst);
    drop(load_some(&linker, &["call_add"]));
    assert_eq!(count(), 0, "the linker has it");
    drop(linker);
    assert_eq!(count(), 1);

    let (mut linker, dropped) = guarded();
    assert!(linker.func("add", twice).is_err());
    linker.allow_shadowing(true).func("add", twice).unwrap();
    assert_eq!(dropped.load(Ordering::SeqCst), 1, "another one has its name");
}

/// What has no bytes can be dropped, too.
#[test]
fn closures_without_bytes_are_kept_as_others_are() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Mark;
    impl Drop for Mark {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::SeqCst);
        }
    }
    let mark = Mark;
    let mut linker = Linker::new();
    linker
        .func("add", move |value: c_long| {
            let _kept: &Mark = &mark;
            value + DROPPED.load(Ordering::SeqCst) as c_long
        })
        .unwrap();
    let module = load_some(&linker, &["call_add"]);
    drop(linker);
    assert_eq!(call!(module, "call_add": (1 => i64) -> i64), 1);
    drop(module);
    assert_eq!(DROPPED.load(Ordering::SeqCst), 1);
}

#[test]
fn programs_that_do_not_load_keep_nothing() {
    let (linker, dropped) = guarded();
    // Other functions are not there.
    assert!(Jit::new(&Config::new()).unwrap().load(&program("api/closures.o"), &linker).is_err());
    drop(linker);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn destructors_may_call_closures() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let kept = events.clone();
    let mut linker = Linker::new().no_libc();
    linker.func("note", move |event: c_int| kept.lock().unwrap().push(event)).unwrap();
    let module = load(&program("api/lifecycle.o"), &linker);
    drop(linker);
    // SAFETY: the program is the test's own.
    unsafe { module.initialise() };
    drop(module);
    assert_eq!(*events.lock().unwrap(), [1, 2, 3, 4]);
    assert_eq!(Arc::strong_count(&events), 1);
}

#[test]
fn panics_of_rust_functions_pass_through_the_program() {
    fn item(value: c_long) -> c_long {
        panic!("item {value}")
    }
    let text = "state".to_owned();
    let closure = move |value: c_long| -> c_long { panic!("{text} {value}") };
    let mut linker = Linker::new();
    linker.allow_shadowing(true);
    let panic = |linker: &Linker| {
        let module = load_some(linker, &["call_add"]);
        // SAFETY: the program is the test's own, and has this function.
        let function = unsafe { module.func::<(i64,), i64>("call_add") }.unwrap();
        let panic = catch_unwind(AssertUnwindSafe(|| function.call((6,)))).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    };
    assert_eq!(panic(linker.func("add", item).unwrap()), "item 6");
    assert_eq!(panic(linker.func("add", closure).unwrap()), "state 6");
}

#[test]
fn the_types_of_rust_functions_are_checked() {
    let k = 1;
    let mut linker = Linker::new();
    linker.allow_shadowing(true);
    let refusal = |linker: &Linker| {
        let loaded =
            Jit::new(&Config::new()).unwrap().load_reachable(&program("api/closures.o"), linker, ["call_add"]);
        let Err(LoadError::Unresolved(error)) = loaded else { panic!("it loads, or another error") };
        error.to_string()
    };
    let expected =
        |registered: &str| format!("`add` is declared as `long add(long)`, and is registered as `{registered}`");
    linker.func("add", move |value: i32| value + k).unwrap();
    assert_eq!(refusal(&linker), expected("int32_t add(int32_t)"));
    linker.func("add", |value: f64| value).unwrap();
    assert_eq!(refusal(&linker), expected("double add(double)"));
    linker.func("add", move || k).unwrap();
    assert_eq!(refusal(&linker), expected("int32_t add(void)"));
}

/// An object without BTF passes words.
#[test]
fn programs_without_types_call_closures() {
    let offset = 5;
    let program = {
        // r1 = 7; call helper 7000; exit
        let code = [[0xb7, 1, 0, 0, 7, 0, 0, 0], [0x85, 0, 0, 0, 0x58, 0x1b, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]];
        bpf2native::Program::from_instructions("helper", code.as_flattened()).unwrap()
    };
    let name = match Jit::new(&Config::new()).unwrap().load(&program, &Linker::new()) {
        Err(LoadError::Unresolved(error)) => error.missing[0].name.clone(),
        _ => panic!("the helper is not there"),
    };
    let mut linker = Linker::new();
    linker.func(&name, move |value: u64| value + offset).unwrap();
    let module = load(&program, &linker);
    assert_eq!(call!(module, "main": () -> u64), 12);
}
