//! Variables in arenas; what the fixture checks, `programs.rs` runs on every machine.

use bpf2native::{Linker, Program};

use crate::native::{fixture, load, program};

/// An embedder finds a variable where the program does, which is in the arena and not in the object's section.
#[test]
fn variables_are_found_in_the_arena() {
    let program = program("runtime/arena.o");
    let module = load(&program, &Linker::new());
    let sum = module.global::<u64>("sum").unwrap();
    assert_eq!(sum.get(), 5);
    sum.set(30).unwrap();
    // SAFETY: the function takes a number and returns one.
    let add = unsafe { module.func::<(u64,), u64>("add") }.unwrap();
    assert_eq!(add.call((4,)), 34);
    assert_eq!(sum.get(), 34);
    let first = module.global::<u32>("first").unwrap().as_ptr() as usize;
    // Both are in the first two pages.
    assert_eq!(first & !0x1fff, sum.as_ptr() as usize & !0x1fff);
    assert_eq!(module.data_address("sum"), Some(sum.as_ptr().cast()));
}

#[test]
fn variables_that_do_not_fit_are_an_error() {
    let path = fixture("runtime/arena_small.o");
    let error = Program::from_files([&path]).unwrap_err().to_string();
    let text =
        "map `arena`: its 1 pages are too few for the variables of section `.addr_space.1`, which take 5000 bytes";
    assert!(error.contains(text), "{error}");
}
