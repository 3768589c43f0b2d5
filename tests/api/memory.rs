//! Memory of loaded programs: never writable and executable, constants protected, all of it gone after drop; and
//! modules that are used and dropped from other threads.

use std::ffi::{CStr, c_char};
use std::thread;

use bpf2native::{Config, Jit, Linker, Module, TypedFunction};

use crate::native::{load, program};

fn memory() -> Module {
    load(&program("api/memory.o"), &Linker::new())
}

fn next(module: &Module) -> TypedFunction<'_, (), i32> {
    // SAFETY: the program is the test's own, and has this function.
    unsafe { module.func("next") }.unwrap()
}

#[test]
fn data_is_reached_by_name() {
    let module = memory();
    let counter = module.data_address("counter").unwrap().cast::<i32>();
    // SAFETY: the variable is an int of a live module that no other thread uses.
    unsafe {
        assert_eq!(*counter, 40);
        assert_eq!(next(&module).call(()), 41);
        assert_eq!(*counter, 41);
        *counter = 99;
    }
    assert_eq!(next(&module).call(()), 100);
    let primes = module.data_address("primes").unwrap().cast::<[i32; 4]>();
    // SAFETY: the constant is an array of four.
    assert_eq!(unsafe { *primes }, [2, 3, 5, 7]);
    assert_eq!(module.data_address("nothing"), None);
}

#[test]
fn modules_of_one_program_have_their_own_data() {
    let program = program("api/memory.o");
    let jit = Jit::new(&Config::new()).unwrap();
    let modules: Vec<Module> = (0..5).map(|_| jit.load(&program, &Linker::new()).unwrap()).collect();
    for (index, module) in modules.iter().enumerate() {
        for _ in 0..index {
            next(module).call(());
        }
    }
    let values: Vec<i32> = modules.iter().map(|module| next(module).call(())).collect();
    assert_eq!(values, [41, 42, 43, 44, 45]);
}

#[test]
fn modules_are_called_and_dropped_in_other_threads() {
    let module = memory();
    // SAFETY: the program is the test's own, and has these functions.
    let (prime, name) = unsafe {
        let prime = module.func::<(u32,), i32>("prime").unwrap();
        (prime, module.func::<(u32,), *const c_char>("name").unwrap())
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for index in 0..1000 {
                    assert_eq!(prime.call((index,)), [2, 3, 5, 7][index as usize % 4]);
                    // SAFETY: the program returns a constant string of a live module.
                    let text = unsafe { CStr::from_ptr(name.call((index,))) };
                    assert_eq!(text.to_bytes(), [&b"zero"[..], b"one", b"two"][index as usize % 3]);
                }
            });
        }
    });
    thread::spawn(move || {
        assert_eq!(next(&module).call(()), 41);
        drop(module);
    })
    .join()
    .unwrap();
}

#[test]
fn programs_load_in_several_threads_at_once() {
    let program = program("api/memory.o");
    let jit = Jit::new(Config::new().threads(1).debug(true)).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let module = jit.load(&program, &Linker::new()).unwrap();
                    assert_eq!(next(&module).call(()), 41);
                }
            });
        }
    });
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::process::Command;

    use bpf2native::{Config, Jit, Linker};

    use super::{memory, next, program};
    use crate::native::output;

    /// The mappings of this process: start, end, permissions.
    fn mappings() -> Vec<(usize, usize, String)> {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let mapping = |line: &str| {
            let mut words = line.split(' ');
            let (start, end) = words.next().unwrap().split_once('-').unwrap();
            let address = |text| usize::from_str_radix(text, 16).unwrap();
            (address(start), address(end), words.next().unwrap().to_owned())
        };
        maps.lines().map(mapping).collect()
    }

    fn permissions(address: usize) -> Option<String> {
        let mut mappings = mappings().into_iter();
        mappings.find(|(start, end, _)| (*start..*end).contains(&address)).map(|(.., permissions)| permissions)
    }

    #[test]
    fn no_page_is_writable_and_executable() {
        let module = memory();
        let address = |name| module.data_address(name).unwrap() as usize;
        next(&module).call(());
        let both = |permissions: &str| permissions.contains('w') && permissions.contains('x');
        let mappings = mappings();
        assert!(!mappings.iter().any(|(.., permissions)| both(permissions)), "{mappings:?}");
        assert_eq!(permissions(module.function_address("next").unwrap() as usize).as_deref(), Some("r-xp"));
        assert_eq!(permissions(address("primes")).as_deref(), Some("r--p"));
        // A table of addresses is written while the program is linked, and not afterwards.
        assert_eq!(permissions(address("names")).as_deref(), Some("r--p"));
        assert_eq!(permissions(address("counter")).as_deref(), Some("rw-p"));
        assert_eq!(permissions(address("zeros")).as_deref(), Some("rw-p"));
    }

    /// Set in the process that has this test to itself.
    const ALONE: &str = "BPF2NATIVE_MEMORY_TEST";

    /// In a process of its own: other tests of the crate would take memory meanwhile.
    #[test]
    fn memory_is_gone_after_drop() {
        if std::env::var_os(ALONE).is_some() {
            return load_and_drop();
        }
        let mut alone = Command::new(std::env::current_exe().unwrap());
        alone.args(["--exact", "memory::linux::memory_is_gone_after_drop"]).env(ALONE, "1");
        let out = output(&mut alone);
        assert!(out.contains("1 passed"), "{out}");
    }

    fn load_and_drop() {
        /// Resident pages of this process.
        fn resident() -> usize {
            let text = fs::read_to_string("/proc/self/statm").unwrap();
            text.split(' ').nth(1).unwrap().parse().unwrap()
        }
        let program = program("api/memory.o");
        let jit = Jit::new(Config::new().debug(true).threads(1)).unwrap();
        let load = |times| {
            for _ in 0..times {
                let module = jit.load(&program, &Linker::new()).unwrap();
                assert_eq!(next(&module).call(()), 41);
                let zeros = module.data_address("zeros").unwrap().cast::<u8>();
                // SAFETY: the variable has 64 KiB, and no other thread uses it.
                unsafe { zeros.write_bytes(1, 65536) };
            }
        };
        load(100);
        let (before, mapped) = (resident(), mappings().len());
        load(1000);
        let (after, mapped_after) = (resident(), mappings().len());
        // A leak of the code's page alone would be 1000 pages.
        assert!(after < before + 600, "{before} resident pages before, {after} after");
        assert!(mapped_after < mapped + 100, "{mapped} mappings before, {mapped_after} after");
    }
}
