//! How long a script takes, beside the same tool in plain C: until its workload runs, and in END over a large map.

use std::process::Command;

use crate::folder::{Folder, Way, object};
use crate::native::bpf::{has_libbpf_headers, has_tracing};

/// The nanoseconds after or before this text, which may stand amid what else writes to the same file.
fn number(text: &str, mark: &str) -> u64 {
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    let (before, after) = text.split_once(mark).unwrap_or_else(|| panic!("no {mark:?} in {text}"));
    digits(after).or_else(|| digits(before.lines().last()?)).unwrap()
}

fn clock() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the struct is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// How much later than in plain C a workload may begin, in nanoseconds.
const MOST: u64 = 150_000_000;

/// The shortest of some runs of each: other work of the machine makes some longer, so they take turns.
fn shortest<const N: usize>(runs: [&dyn Fn() -> u64; N]) -> [u64; N] {
    let mut least = [u64::MAX; N];
    for _ in 0..9 {
        for (least, run) in least.iter_mut().zip(runs) {
            *least = run().min(*least);
        }
    }
    least
}

#[test]
fn a_workload_runs_soon() {
    if !has_tracing() || !has_libbpf_headers() {
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    let until = |command: &mut Command| {
        let since = clock();
        let out = folder.run(command.args([&workload, "now", "1"])).expect(0, "now");
        number(&out, "now ") - since
    };
    let twin = folder.twin("opens").get_program().to_owned();
    let executable = folder.executable("opens.clang22.o");
    let [native, translated, in_memory] = shortest([
        &|| until(Command::new(&twin).arg(object("opens.kernel.o"))),
        &|| until(&mut Command::new(&executable)),
        &|| until(&mut folder.script(Way::Memory, "opens.clang22.o")),
    ]);
    println!(
        "a workload runs after {} us in plain C, {} us by an executable, {} us by `run`",
        native / 1000,
        translated / 1000,
        in_memory / 1000
    );
    assert!(translated < native + MOST, "{translated} ns, and {native} ns in plain C");
    // A translator that is not optimised is no measure.
    assert!(cfg!(debug_assertions) || in_memory < native + MOST, "{in_memory} ns, and {native} ns in plain C");
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
        number(&out, " nanoseconds")
    };
    let [translated, batched, each] =
        shortest([&|| walk(Command::new(&script).arg("true")), &|| walk(&mut Command::new(&twin)), &|| {
            walk(Command::new(&twin).arg("each"))
        }]);
    println!(
        "END: {} us; in plain C {} us by many at once, {} us one by one",
        translated / 1000,
        batched / 1000,
        each / 1000
    );
    assert!(translated < each, "{translated} ns, and {each} ns in plain C");
    // The same batches; time of the processor, which differs from run to run while other work uses its caches.
    assert!(translated < batched * 3 / 2, "{translated} ns, and {batched} ns in plain C");
}
