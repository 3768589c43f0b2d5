//! Calls in both directions: types checked against BTF, narrow parameters, callbacks, errors.

use std::sync::atomic::{AtomicI64, Ordering};

use bpf2native::jit::FunctionError;
use bpf2native::{Linker, Module};

use crate::native::{load, program};

const VERSIONS: [&str; 4] = ["v1", "v2", "v3", "v4"];

extern "C" fn half(value: f64) -> f64 {
    value / 2.0
}

fn types(version: &str) -> Module {
    let mut linker = Linker::new().no_libc();
    linker.func("half", half as extern "C" fn(f64) -> f64).unwrap();
    load(&program(&format!("api/types.{version}.o")), &linker)
}

/// Calls a function of a module by its type.
macro_rules! call {
    ($module:expr, $name:literal: ($($argument:expr => $ty:ty),*) -> $result:ty) => {{
        // SAFETY: the program is the test's own; the type is checked against its BTF.
        let function = unsafe { $module.func::<($($ty,)*), $result>($name) };
        function.unwrap().call(($($argument,)*))
    }};
}

#[test]
fn narrow_parameters_are_extended_on_the_way_in() {
    for version in VERSIONS {
        let module = types(version);
        assert_eq!(call!(module, "from_char": (-3 => i8) -> i64), -3, "{version}");
        assert_eq!(call!(module, "from_uchar": (253 => u8) -> i64), 253, "{version}");
        assert_eq!(call!(module, "from_short": (-30_000 => i16) -> i64), -30_000, "{version}");
        assert_eq!(call!(module, "from_ushort": (65_000 => u16) -> i64), 65_000, "{version}");
        assert_eq!(call!(module, "from_int": (i32::MIN => i32) -> i64), i64::from(i32::MIN), "{version}");
        assert_eq!(call!(module, "from_uint": (u32::MAX => u32) -> i64), i64::from(u32::MAX), "{version}");
        assert_eq!(call!(module, "from_bool": (true => bool) -> i64), 1001, "{version}");
        assert_eq!(call!(module, "from_bool": (false => bool) -> i64), 0, "{version}");
        let value = 12_345_678_901;
        assert_eq!(call!(module, "from_pointer": (&raw const value => *const i64) -> i64), value, "{version}");
    }
}

/// Native callers may leave anything above a narrow parameter's own bits.
#[test]
fn garbage_above_narrow_parameters_does_not_matter() {
    const GARBAGE: u64 = 0xdead_beef_dead_be00;
    for version in VERSIONS {
        let module = types(version);
        let raw = |name: &str, low: u64| {
            let address = module.function_address(name).unwrap();
            // SAFETY: on the tested machines a narrow parameter is passed in a whole register.
            let function: extern "C" fn(u64) -> i64 = unsafe { std::mem::transmute(address) };
            function(GARBAGE | low)
        };
        assert_eq!(raw("from_char", 0x80), -128, "{version}");
        assert_eq!(raw("from_uchar", 0x80), 128, "{version}");
        assert_eq!(raw("from_bool", 1), 1001, "{version}");
        assert_eq!(raw("from_short", 0x12), 0xbe12 - 0x10000, "{version}");
        assert_eq!(raw("from_ushort", 0x12), 0xbe12, "{version}");
    }
}

#[test]
fn narrow_results_are_whole() {
    for version in VERSIONS {
        let module = types(version);
        let wide = 0x1234_5678_9abc_def0;
        assert_eq!(call!(module, "to_char": (wide => i64) -> i8), -16, "{version}");
        assert_eq!(call!(module, "to_uchar": (wide => i64) -> u8), 0xf0, "{version}");
        assert_eq!(call!(module, "to_short": (wide => i64) -> i16), -8464, "{version}");
        assert_eq!(call!(module, "to_ushort": (wide => i64) -> u16), 0xdef0, "{version}");
        assert_eq!(call!(module, "to_int": (wide => i64) -> i32), 0x9abc_def0_u32 as i32, "{version}");
        assert_eq!(call!(module, "to_uint": (wide => i64) -> u32), 0x9abc_def0, "{version}");
        assert!(call!(module, "to_bool": (wide => i64) -> bool), "{version}");
        assert!(!call!(module, "to_bool": (0 => i64) -> bool), "{version}");
        let mut place = 0;
        call!(module, "to_nothing": (&raw mut place => *mut i64) -> ());
        assert_eq!(place, 77, "{version}");
    }
}

#[test]
fn functions_take_none_to_five_arguments() {
    for version in VERSIONS {
        let module = types(version);
        assert_eq!(call!(module, "none": () -> i64), 5);
        assert_eq!(call!(module, "one": (1 => i64) -> i64), 1);
        assert_eq!(call!(module, "two": (1 => i64, 2 => i64) -> i64), 12);
        assert_eq!(call!(module, "three": (1 => i64, 2 => i64, 3 => i64) -> i64), 123);
        assert_eq!(call!(module, "four": (1 => i64, 2 => i64, 3 => i64, 4 => i64) -> i64), 1234);
        assert_eq!(call!(module, "five": (1 => i64, 2 => i64, 3 => i64, 4 => i64, 5 => i64) -> i64), 12345);
        let mixed =
            call!(module, "mixed": (-1 => i8, 60_000 => u16, -5 => i32, true => bool, 1 << 40 => i64) -> i64);
        assert_eq!(mixed, -1 + 60_000 - 5 + 1 + (1 << 40), "{version}");
    }
}

#[test]
fn floats_travel_in_their_registers() {
    for version in VERSIONS {
        let module = types(version);
        assert_eq!(call!(module, "halve": (5.0 => f64) -> f64), 2.5, "{version}");
    }
}

#[test]
fn types_are_checked_once_against_the_program() {
    let module = types("v4");
    /// The error of a function that cannot be had with this type.
    macro_rules! refused {
        ($name:literal: ($($ty:ty),*) -> $result:ty) => {
            // SAFETY: it is not called.
            unsafe { module.func::<($($ty,)*), $result>($name) }.err().expect("the type is wrong").to_string()
        };
    }
    let two = "`two` is declared as `long two(long, long)`, and cannot be called as ";
    assert_eq!(refused!("two": (i64) -> i64), format!("{two}`int64_t two(int64_t)`"));
    assert_eq!(refused!("two": (i64, i64, i64) -> i64), format!("{two}`int64_t two(int64_t, int64_t, int64_t)`"));
    assert_eq!(refused!("two": (i64, i32) -> i64), format!("{two}`int64_t two(int64_t, int32_t)`"));
    assert_eq!(refused!("two": (i64, i64) -> i32), format!("{two}`int32_t two(int64_t, int64_t)`"));
    assert_eq!(refused!("two": (f64, i64) -> i64), format!("{two}`int64_t two(double, int64_t)`"));
    assert_eq!(refused!("two": () -> f32), format!("{two}`float two(void)`"));
    assert_eq!(
        refused!("halve": (f32) -> f32),
        "`halve` is declared as `double halve(double)`, and cannot be called as `float halve(float)`"
    );
    assert_eq!(
        refused!("halve": (u64) -> u64),
        "`halve` is declared as `double halve(double)`, and cannot be called as `int64_t halve(int64_t)`"
    );
    assert_eq!(
        refused!("from_pointer": (i32) -> i64),
        "`from_pointer` is declared as `long from_pointer(const long *)`, and cannot be called as \
         `int64_t from_pointer(int32_t)`"
    );
    assert_eq!(
        refused!("to_int": (i64) -> *const u8),
        "`to_int` is declared as `int to_int(long)`, and cannot be called as `void *to_int(int64_t)`"
    );
    // Signedness does not matter, nor does a result that nobody wants; a pointer is a word.
    // SAFETY: these are not called.
    unsafe {
        assert!(module.func::<(u64, u64), ()>("two").is_ok());
        assert!(module.func::<(u64, *const u8), usize>("two").is_ok());
        assert!(module.func::<(usize,), i64>("from_pointer").is_ok());
    }
}

#[test]
fn functions_without_a_type_take_integers_only() {
    let mut linker = Linker::new().no_libc();
    // SAFETY: the test does not call what calls it.
    unsafe { linker.symbol("half", half as *const std::ffi::c_void) }.unwrap();
    let module = load(&program("api/types.plain.o"), &linker);
    assert_eq!(call!(module, "two": (4 => i64, 2 => i64) -> i64), 42);
    // SAFETY: it is not called.
    let error = unsafe { module.func::<(f64,), f64>("halve") }.err().unwrap();
    let expected = "nothing says that `halve` is `double halve(double)`: compile it with -g, as floating-point \
                    numbers need its type";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn functions_that_are_not_there_are_named() {
    let module = load(&program("api/memory.o"), &Linker::new());
    // SAFETY: it is not called.
    let error = unsafe { module.func::<(), ()>("nxet") }.err().unwrap();
    assert_eq!(error.to_string(), "the program has no function `nxet`; it has `name`, `next`, `prime`, `store`");
    assert!(matches!(error, FunctionError::Missing { .. }));
    let module = types("v4");
    // SAFETY: it is not called.
    let error = unsafe { module.func::<(i64,), i64>("hidden") }.err().unwrap();
    assert_eq!(error.to_string(), "`hidden` is static: take the `static` away for native code to find it");
    assert_eq!(module.function_address("hidden"), None);
}

static CALLS: AtomicI64 = AtomicI64::new(0);

extern "C" fn count_calls(value: i64) -> i64 {
    CALLS.fetch_add(1, Ordering::SeqCst);
    value
}

extern "C" fn apply(function: extern "C" fn(i64) -> i64, value: i64) -> i64 {
    function(value)
}

extern "C" fn product(left: i64, right: i64) -> i64 {
    left * right
}

fn callbacks() -> Module {
    let mut linker = Linker::new();
    linker.func("count_calls", count_calls as extern "C" fn(i64) -> i64).unwrap();
    // SAFETY: it is a function of the type that the program declares.
    unsafe { linker.symbol("apply", apply as *const std::ffi::c_void) }.unwrap();
    load(&program("api/callbacks.o"), &linker)
}

#[test]
fn native_code_calls_functions_that_it_is_given() {
    let module = callbacks();
    let mut numbers = [3, 9, -4, 7, 0, 12, 5];
    let before = CALLS.load(Ordering::SeqCst);
    // qsort calls the program's comparator, which calls the host.
    call!(module, "sort": (numbers.as_mut_ptr() => *mut i32, numbers.len() as i64 => i64) -> ());
    assert_eq!(numbers, [12, 9, 7, 5, 3, 0, -4]);
    assert!(CALLS.load(Ordering::SeqCst) > before);
    assert_eq!(call!(module, "hand_out": (9 => i64) -> i64), 82);
    assert_eq!(call!(module, "ladder": (500 => i64) -> i64), 500 * 501 / 2);
}

#[test]
fn programs_call_functions_that_they_are_given() {
    let module = callbacks();
    assert_eq!(call!(module, "take": (product as *const () => *const (), 6 => i64) -> i64), 420);
    // A function of one module, given to another.
    let other = types("v4");
    let one = other.function_address("one").unwrap();
    call!(module, "keep": (one => *const std::ffi::c_void) -> ());
    assert_eq!(call!(module, "call_kept": (31 => i64) -> i64), 31);
}

/// A C `unsigned char` may be 2, which is no Rust `bool`.
#[test]
fn only_a_bool_is_a_bool() {
    let module = load(&program("faults/entries.o"), &Linker::new());
    // SAFETY: the fixture is trusted, and it is not called.
    unsafe {
        assert!(module.func::<(*const u8, u64), bool>("a_bool").is_ok());
        assert!(module.func::<(*const u8, u64), u8>("a_bool").is_ok());
        let error = module.func::<(*const u8, u64), bool>("a_char").err().unwrap();
        assert!(error.to_string().contains("_Bool a_char("), "{error}");
    }
}
