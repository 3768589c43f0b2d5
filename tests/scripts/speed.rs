//! How long a script takes, beside the same tool in plain C: until its workload runs, and in END over a large map.

use std::process::Command;

use crate::folder::{Folder, Way};
use crate::native::bpf::{has_libbpf_headers, has_tracing};

/// The nanoseconds that a line `WORD N` or `N WORD` says.
fn number(text: &str, word: &str) -> u64 {
    let line = text.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("no {word} in {text}"));
    line.split_whitespace().find_map(|word| word.parse().ok()).unwrap()
}

fn clock() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the struct is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The shortest of some runs: other work of the machine makes some longer.
fn shortest(run: impl Fn() -> u64) -> u64 {
    (0..7).map(|_| run()).min().unwrap()
}

#[test]
fn a_workload_runs_soon() {
    if !has_tracing() || !has_libbpf_headers() {
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    let program = |command: Command| command.get_program().to_owned();
    let (twin, script) =
        (program(folder.twin("opens")), program(folder.script(Way::Executable, "opens.clang22.o")));
    let kernel_half = crate::folder::object("opens.kernel.o");
    let until = |command: &mut Command| {
        let since = clock();
        let out = folder.run(command.args([&workload, "now", "1"])).expect(0, "now");
        number(&out, "now") - since
    };
    let native = shortest(|| until(Command::new(&twin).arg(&kernel_half)));
    let translated = shortest(|| until(&mut Command::new(&script)));
    println!("workload runs after {} us, {} us in plain C", translated / 1000, native / 1000);
    assert!(translated < native + 150_000_000, "{translated} ns, and {native} ns in plain C");
}

#[test]
fn a_large_map_is_walked_as_fast_as_in_plain_c() {
    if !has_tracing() || !has_libbpf_headers() {
        return;
    }
    let folder = Folder::new();
    let script = folder.script(Way::Executable, "table.o").get_program().to_owned();
    let twin = folder.twin("table").get_program().to_owned();
    let walk = |command: &mut Command| {
        let out = folder.run(command).expect(0, "table");
        assert!(out.contains("100000 entries, 4999950000, 14999850000\n"), "{out}");
        number(&out, "nanoseconds")
    };
    let translated = shortest(|| walk(Command::new(&script).arg("true")));
    let batched = shortest(|| walk(&mut Command::new(&twin)));
    let each = shortest(|| walk(Command::new(&twin).arg("each")));
    println!(
        "END: {} us; in plain C {} us by many at once, {} us one by one",
        translated / 1000,
        batched / 1000,
        each / 1000
    );
    assert!(translated < each, "{translated} ns, and {each} ns in plain C");
    // The same batches, with what a busy machine adds.
    assert!(translated < batched * 3 / 2, "{translated} ns, and {batched} ns in plain C");
}
