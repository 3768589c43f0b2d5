//! The runtime's maps on other machines, under QEMU: the same operations have the same results as here, for both byte orders.
//!
//! Wants Debian's `gcc-<machine>-linux-gnu`, with which programs are linked, and `qemu-user`.

use std::process::Command;

use crate::native::{bpf2native, fixture, has_tool, output};

#[test]
fn maps_answer_the_same_on_aarch64() {
    check("aarch64", "runtime/maps_main.o");
}

#[test]
fn maps_answer_the_same_on_riscv64() {
    check("riscv64", "runtime/maps_main.o");
}

#[test]
fn maps_answer_the_same_on_s390x() {
    check("s390x", "runtime/maps_main.be.o");
}

fn check(machine: &str, object: &str) {
    let (compiler, emulator) = (format!("{machine}-linux-gnu-gcc"), format!("qemu-{machine}"));
    if !has_tool(&compiler) || !has_tool(&emulator) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let executable = folder.path().join("maps");
    output(bpf2native().args(["--target", machine]).arg(fixture(object)).arg("-o").arg(&executable));
    let there = output(Command::new(&emulator).arg("-L").arg(format!("/usr/{machine}-linux-gnu")).arg(&executable));
    let here = output(bpf2native().arg("run").arg(fixture("runtime/maps_main.o")));
    assert_eq!(here.lines().count(), 16);
    assert_eq!(there, here);
}
