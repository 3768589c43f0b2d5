//! The driver on other machines, under QEMU: what it calls of libc, of Linux and of libbpf, and what calls it, is the same there. No
//! emulated machine has a kernel that loads programs: what stands in for libbpf keeps maps in memory (`native/stand_in.c`).
//!
//! Wants Debian's `gcc-<machine>-linux-gnu` and `qemu-user`.

use std::path::Path;
use std::process::Command;

use crate::folder::{Folder, object};
use crate::native::{bpf2native, has_tool, output};

#[test]
fn scripts_run_on_aarch64() {
    check("aarch64", "phases.o");
}

#[test]
fn scripts_run_on_riscv64() {
    check("riscv64", "phases.o");
}

#[test]
fn scripts_run_on_s390x() {
    check("s390x", "phases.be.o");
}

fn check(machine: &str, script: &str) {
    let (compiler, emulator) = (format!("{machine}-linux-gnu-gcc"), format!("qemu-{machine}"));
    if !has_tool(&compiler) || !has_tool(&emulator) {
        return;
    }
    let folder = Folder::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts/native/stand_in.c");
    let library = folder.path().join("libbpf.so.1");
    let mut command = Command::new(&compiler);
    command.args(["-O1", "-w", "-shared", "-fPIC", "-Wl,-soname,libbpf.so.1", "-o"]).arg(&library).arg(source);
    output(&mut command);
    let executable = folder.path().join("script");
    let mut command = bpf2native();
    command.args(["--target", machine]).arg(object(script)).arg("-L").arg(folder.path()).arg("-o").arg(&executable);
    output(&mut command);

    let run = |words: &[&str]| {
        let mut command = Command::new(&emulator);
        command.arg("-L").arg(format!("/usr/{machine}-linux-gnu"));
        command.arg("-E").arg(format!("LD_LIBRARY_PATH={}", folder.path().display()));
        // Not for the workload, which is of this machine.
        folder.run(command.arg(&executable).args(words))
    };
    let end = "calls counted, map 10, sum 450000000000, 90000000000, missing 1\nEND: equal, timers 0, often ";
    let set = ["--set", "small=200", "--set=large=-5", "--set", "is_wanted=true", "--set=word=text"];
    let out = run(&[&set[..], &["one", "--", "sh", "-c", "exit 3"]].concat()).expect(3, machine);
    assert!(out.starts_with("BEGIN 2: one\n200 -5 1 text\n") && out.contains(end), "{machine}\n{out}");
    assert!(out.ends_with("END again\n"), "{machine}\n{out}");

    let out = run(&["--set=seconds=1", "sleep", "1.5"]).expect(0, machine);
    let timers = out.matches("TIMER\n").count();
    assert!(timers > 0 && out.contains(&format!("END: equal, timers {timers}, often ")), "{machine}\n{out}");
    assert!(!out.contains("often 0"), "{machine}\n{out}");

    let out = run(&["--duration=0.3s", "sleep", "30"]).expect(128 + libc::SIGTERM, machine);
    assert!(out.contains(end), "{machine}\n{out}");
    let out = run(&["sh", "-c", "kill -INT $PPID; sleep 1"]).expect(128 + libc::SIGINT, machine);
    assert!(out.contains(end), "{machine}\n{out}");

    let ran = run(&["no-such-command"]);
    assert!(
        ran.status == 127 && ran.err.contains("no-such-command") && !ran.out.contains("END"),
        "{machine}: {ran:?}"
    );
    let ran = run(&["--set", "small=-1", "true"]);
    assert!(ran.status == 2 && ran.err.contains("small"), "{machine}: {ran:?}");

    for (variable, said) in [
        ("REFUSED=1", "libbpf: refused: one -2 three 4 5 six 7 8 nine"),
        ("OLD=1", "libbpf 1.0 is too old: the kernel half needs 1.1 or later"),
    ] {
        let mut command = Command::new(&emulator);
        command.arg("-L").arg(format!("/usr/{machine}-linux-gnu")).args(["-E", variable, "-E"]);
        command.arg(format!("LD_LIBRARY_PATH={}", folder.path().display()));
        let ran = folder.run(command.arg(&executable).arg("true"));
        assert!(ran.status == 1 && ran.out.is_empty() && ran.err.contains(said), "{machine}: {ran:?}");
    }
}
