//! What a program calls `free` or `memcpy` is its own, and what the runtime calls by such a name is libc's.

use std::process::Command;

use bpf2native::emit::{self, Purpose};
use bpf2native::{Config, Linker};
use object::{Object, ObjectSymbol};

use crate::native::{bpf2native, fixture, load, output, program};

/// What `main` of the fixture prints: 16 of 20 updates fit, 4 are -E2BIG; 4 of 20 deletions are -ENOENT.
const PRINTED: &str = "-28 7 8 42\n-8 10 109\n";

/// Of the fixture: variables and functions, weak ones among them.
const NAMES: [&str; 5] = ["calloc", "free", "memcpy", "memset", "sched_yield"];

#[test]
fn in_memory() {
    assert_eq!(output(bpf2native().arg("run").arg(fixture("runtime/libc_names.o"))), PRINTED);
    let module = load(&program("runtime/libc_names.o"), &Linker::new());
    // SAFETY: the program's function of that name takes and returns an int.
    let own = unsafe { module.func::<(i32,), i32>("memset") }.unwrap();
    assert_eq!((own.call((1,)), own.call((2,))), (10, 12), "the program's function is found by its name");
}

#[test]
fn in_executables() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let source = fixture("runtime/libc_names.o");
    output(bpf2native().arg(&source).arg("-o").arg(file("program")));
    assert_eq!(output(&mut Command::new(file("program"))), PRINTED);
    output(bpf2native().arg("-c").arg(&source).arg("-o").arg(file("object.o")));
    output(Command::new("cc").arg("-pie").arg(file("object.o")).arg("-o").arg(file("linked")));
    assert_eq!(output(&mut Command::new(file("linked"))), PRINTED);
}

/// An object cannot define a name for others and refer to another's of that name: it says so.
#[test]
fn no_other_object_sees_them() {
    for (source, target) in [("libc_names.o", "x86_64"), ("libc_names.o", "aarch64"), ("libc_names.be.o", "s390x")]
    {
        let program = program(&format!("runtime/{source}"));
        for purpose in [Purpose::Relocatable, Purpose::SharedLibrary, Purpose::SoleExecutable] {
            let config = Config::for_target(target.parse().unwrap());
            let made = emit::object(&program, &config, purpose, "test.o").unwrap();
            let file = object::File::parse(made.bytes.as_slice()).unwrap();
            for name in NAMES {
                let all = file.symbols().filter(|symbol| symbol.name() == Ok(name));
                let (undefined, own): (Vec<_>, Vec<_>) = all.partition(|symbol| symbol.is_undefined());
                assert!(own.iter().all(|symbol| symbol.is_local()), "{target} {purpose:?}: {name}");
                assert!(undefined.len() == 1, "{target} {purpose:?}: {name}");
                assert!(!own.is_empty() || purpose != Purpose::Relocatable, "{target}: {name}");
            }
            let warned = NAMES.iter().filter(|name| {
                let start = format!("`{name}` is the program's, and a function of libc that the runtime calls");
                made.warnings.iter().any(|warning| warning.text().starts_with(&start))
            });
            assert_eq!(warned.count(), if purpose == Purpose::SoleExecutable { 0 } else { 5 }, "{purpose:?}");
        }
    }
}

/// A name that only the program has is what it was.
#[test]
fn without_the_runtime_they_are_global() {
    use bpf2native::parse::{self, Input, Options};
    let bytes = std::fs::read(fixture("runtime/libc_names.o")).unwrap();
    let input = Input { name: "libc_names.o".to_owned(), bytes };
    let program = parse::parse(&[input], &Options::without_runtime()).unwrap();
    let object = emit::object(&program, &Config::new(), Purpose::Relocatable, "test.o").unwrap();
    let file = object::File::parse(object.bytes.as_slice()).unwrap();
    for name in NAMES {
        assert!(file.symbols().any(|symbol| symbol.name() == Ok(name) && symbol.is_global()), "{name}");
    }
    assert!(object.warnings.is_empty(), "{:?}", object.warnings);
}
