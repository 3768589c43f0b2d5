//! Programs that throw (`fixtures/runtime/throws.c`): the kernel ends them with the same results.

use std::io::Write as _;
use std::process::Command;

use crate::kernel;
use crate::native::{bpf2native, fixture, output};
use crate::packets::has_kernel;

/// What `throws_main.c` prints.
pub const PRINTED: &str = "\
at_once: 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29
in_callees: 93 99 105 111 1000 1000 1000 2000 2000 147 153 159 165 171 177 183
sometimes: 35 37 39 41 43 45 1000 49 51 53 55 57 3026 3027 3028 3029
wide: -1 -1698898192 -1 -1698898192 -1 -1698898192 -1 -1698898192 -1 -1698898192 -1 -1698898192 -1 -1698898192 -1 -1698898192
with_callback: 29 31 33 35 37 39 10001 43 20001 47 49 511 531 551 571 591
tail_calls: 58 58 58 58 58 58 58 9 58 131 132 133 134 135 136 137
";

/// `sizeof(struct __sk_buff)`.
const CONTEXT: usize = 192;

#[test]
fn the_kernel_ends_programs_with_the_same_results() {
    if !has_kernel() {
        return;
    }
    let object = std::fs::read(fixture("runtime/throws.o")).unwrap();
    let knows_callbacks = kernel::libbpf_version() >= (1, 3);
    if !knows_callbacks {
        let _ = writeln!(
            std::io::stderr(),
            "runtime throws: libbpf 1.3 loads callbacks of exceptions, and this one is older"
        );
    }
    for line in PRINTED.lines() {
        let program = line.split_once(':').unwrap().0;
        if program == "with_callback" && !knows_callbacks {
            continue;
        }
        let loaded = kernel::Loaded::whole(&object, program).unwrap();
        let verdict = |length: usize| loaded.run(&vec![0; length], &[0; CONTEXT]).unwrap().verdict as i32;
        let verdicts: Vec<String> = (14..30).map(|length| verdict(length).to_string()).collect();
        assert_eq!(format!("{program}: {}", verdicts.join(" ")), line);
    }
}

/// In programs that are linked natively, too, where the runtime's functions are weak.
#[test]
fn in_objects_that_are_linked_natively() {
    let folder = tempfile::tempdir().unwrap();
    let native = ["throws_main", "throws"].map(|name| folder.path().join(format!("{name}.o")));
    for (name, native) in ["throws_main", "throws"].iter().zip(&native) {
        output(bpf2native().arg("-c").arg(fixture(&format!("runtime/{name}.o"))).arg("-o").arg(native));
    }
    let program = folder.path().join("program");
    output(Command::new("cc").args(&native).arg("-o").arg(&program));
    assert_eq!(output(&mut Command::new(&program)), PRINTED);
}

/// A `bpf_throw` of the user's is a function as others, and returns.
#[test]
fn an_own_function_takes_its_place() {
    use bpf2native::{Linker, Program};
    use std::sync::atomic::{AtomicU64, Ordering};

    static THROWN: AtomicU64 = AtomicU64::new(0);
    fn throw(cookie: u64) {
        THROWN.fetch_add(cookie, Ordering::Relaxed);
    }
    let program = Program::from_files([fixture("runtime/throws.o")]).unwrap();
    let mut linker = Linker::new();
    linker.func("bpf_throw", throw).unwrap();
    let module = crate::native::load(&program, &linker);
    // SAFETY: the program reads the first word of its context.
    let at_once = unsafe { module.func::<(*const u32,), i32>("at_once") }.unwrap();
    assert_eq!(at_once.call((std::ptr::from_ref(&17),)), 1);
    assert_eq!(THROWN.load(Ordering::Relaxed), 17);
}

/// Where no program catches: in a function that is called from outside, and in a helper's callback.
#[test]
fn what_nothing_catches_ends_the_process() {
    let object = fixture("runtime/helpers/own_throw.o");
    for (arguments, text) in [
        (&[][..], "bpf_throw: the program threw 0x000000000000002a, and no program runs that ends by it\n"),
        (
            &["--", "callback"],
            "bpf_throw: the program threw 0x000000000000002b, out of a callback, which a verifier refuses\n",
        ),
    ] {
        let ran = bpf2native().arg("run").arg(&object).args(arguments).output().unwrap();
        assert!(!ran.status.success());
        assert_eq!(String::from_utf8_lossy(&ran.stderr), text);
    }
}
