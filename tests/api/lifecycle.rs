//! When a program's constructors and destructors run.

use std::cell::RefCell;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

use bpf2native::{Linker, Module};

use crate::native::{load, program};

thread_local! {
    static EVENTS: RefCell<Vec<i32>> = const { RefCell::new(Vec::new()) };
}

extern "C" fn note(event: i32) {
    EVENTS.with_borrow_mut(|events| events.push(event));
}

fn events() -> Vec<i32> {
    EVENTS.with_borrow_mut(std::mem::take)
}

fn lifecycle(note: extern "C" fn(i32)) -> Module {
    let mut linker = Linker::new().no_libc();
    linker.func("note", note).unwrap();
    load(&program("api/lifecycle.o"), &linker)
}

#[test]
fn constructors_run_once_before_the_first_function_and_destructors_on_drop() {
    let module = lifecycle(note);
    assert_eq!(events(), [0; 0], "loading runs nothing");
    // SAFETY: the program is the test's own, and has this function.
    let is_ready = unsafe { module.func::<(), i32>("is_ready") }.unwrap();
    assert_eq!(events(), [1, 2], "by priority, then those without");
    assert_eq!(is_ready.call(()), 1);
    // SAFETY: as above.
    unsafe {
        module.func::<(), i32>("is_ready").unwrap();
        module.initialise();
    }
    assert_eq!(events(), [10]);
    drop(module);
    assert_eq!(events(), [3, 4], "those without a priority, then by falling priority");
}

#[test]
fn an_owned_function_keeps_its_program() {
    let module = lifecycle(note);
    // SAFETY: the program is the test's own, and has this function.
    let is_ready = unsafe { module.func_owned::<(), i32>("is_ready") }.unwrap();
    assert_eq!(events(), [1, 2]);
    let other = is_ready.clone();
    drop(module);
    drop(is_ready);
    assert_eq!(events(), [0; 0], "it is there as long as somebody has a part in it");
    assert_eq!((other.call(()), events()), (1, vec![10]));
    thread::spawn(move || assert_eq!(other.call(()), 1)).join().unwrap();
    assert_eq!(events(), [0; 0], "the destructors ran in the thread that dropped it");
}

#[test]
fn a_program_that_was_never_used_runs_nothing() {
    let module = lifecycle(note);
    assert!(module.function_address("is_ready").is_some());
    // SAFETY: it does nothing, as the constructors have not run.
    unsafe { module.finalise() };
    drop(module);
    assert_eq!(events(), [0; 0]);
}

#[test]
fn destructors_run_once() {
    let module = lifecycle(note);
    // SAFETY: the program is the test's own.
    unsafe {
        module.initialise();
        module.finalise();
        module.finalise();
    }
    drop(module);
    assert_eq!(events(), [1, 2, 3, 4]);
}

#[test]
fn constructors_run_once_even_if_threads_race() {
    static CONSTRUCTED: AtomicI32 = AtomicI32::new(0);
    extern "C" fn count(event: i32) {
        if event == 1 {
            CONSTRUCTED.fetch_add(1, Ordering::SeqCst);
        }
    }
    let module = lifecycle(count);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                // SAFETY: the program is the test's own, and has this function.
                let is_ready = unsafe { module.func::<(), i32>("is_ready") }.unwrap();
                assert_eq!(is_ready.call(()), 1, "the constructors are done when the function is handed out");
            });
        }
    });
    assert_eq!(CONSTRUCTED.load(Ordering::SeqCst), 1);
}
