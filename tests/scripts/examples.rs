//! Each of `examples/scripts` beside the same tool in plain C against libbpf, on workloads that are the same each time: both print the
//! same, but for times and process numbers.

use std::process::Command;

use crate::folder::{Folder, Ran, WAYS, Way, object};
use crate::native::bpf::{has_libbpf_headers, has_tracing};

const COMPILERS: [&str; 2] = ["clang19", "clang22"];

/// Runs an example in every way, and its twin, with the same words; `seen` is what of their output has to be equal.
fn check(
    name: &str,
    folder: &Folder,
    words: &[&str],
    status: i32,
    seen: impl Fn(&str) -> Vec<String>,
) -> Vec<String> {
    let twin = folder.run(folder.twin(name).args(words)).expect(status, &format!("{name}'s twin"));
    let wanted = seen(&twin);
    assert!(!wanted.is_empty(), "{name}'s twin\n{twin}");
    for compiler in COMPILERS {
        for way in WAYS {
            let what = format!("{name} of {compiler}, {way:?}, {words:?}");
            let ran = folder.run(folder.script(way, &format!("{name}.{compiler}.o")).args(words));
            assert_eq!(ran.err, "", "{what}");
            let out = ran.expect(status, &what);
            assert_eq!(seen(&out), wanted, "{what}\n{out}\nand the twin\n{twin}");
        }
    }
    wanted
}

/// A line without its first words, with single spaces.
fn without(line: &str, words: usize) -> String {
    line.split_whitespace().skip(words).collect::<Vec<_>>().join(" ")
}

/// The lines that have a word, without their first words.
fn lines(text: &str, with: &str, words: usize) -> Vec<String> {
    text.lines().filter(|line| line.contains(with)).map(|line| without(line, words)).collect()
}

/// The numbers in a text.
fn numbers(text: &str) -> Vec<u64> {
    text.split(|byte: char| !byte.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn system_calls_are_counted_by_process() {
    if !has_tracing() || !has_libbpf_headers() {
        return;
    }
    let folder = Folder::new();
    // Other tests' workloads are counted as well: this one has a name of its own.
    let workload = folder.path().join("counted").display().to_string();
    std::fs::copy(folder.workload(), &workload).unwrap();
    let count = |work: &str, number: &str| {
        let seen = check("syscalls", &folder, &[&workload, work, number], 0, |out| lines(out, " counted ", 1));
        assert_eq!(seen.len(), 1, "{seen:?}");
        numbers(&seen[0])[0]
    };
    // What the workload's start and end call is the same each time.
    let others = count("calls", "0");
    assert_eq!(count("calls", "1000"), others + 1000);
    // Under load: 4 threads on all processors, none of their calls is lost. How they wait for each other differs from run to run.
    let thousands = |out: &str| {
        numbers(&lines(out, " counted ", 1)[0]).iter().map(|calls| format!("{} thousand", calls / 1000)).collect()
    };
    let seen = check("syscalls", &folder, &[&workload, "threads", "50000"], 0, thousands);
    assert_eq!(seen, ["200 thousand"]);
}

#[test]
fn opened_files_are_listed() {
    if !has_tracing() || !has_libbpf_headers() {
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    // Paths, errors, and how many; not the times.
    let seen = |out: &str| {
        let mut seen: Vec<String> = lines(out, " ns  ", 2);
        seen.extend(lines(out, "files were opened", 0));
        seen
    };
    let all = check("opens", &folder, &[&workload, "opens", "10"], 0, seen);
    assert_eq!(all.iter().filter(|line| *line == "/dev/null").count(), 10);
    assert_eq!(all.iter().filter(|line| *line == "/there/is/no/such/file: No such file or directory").count(), 10);
    let failed = check("opens", &folder, &["-f", &workload, "opens", "10"], 0, seen);
    assert_eq!(failed.len(), 21, "{failed:?}");
    // Each is in the histogram too.
    let out = folder.run(folder.script(Way::Memory, "opens.clang22.o").args([&workload, "opens", "10"])).out;
    let counted: u64 = out.lines().filter(|line| line.contains('|')).map(|line| numbers(line)[2]).sum();
    assert_eq!(counted as usize, all.len() - 1, "{out}");
}

#[test]
fn commands_are_listed_with_their_arguments() {
    if !has_tracing() || !has_libbpf_headers() {
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    // Other commands of this machine are listed as well, tests of our own among them: take the children of this workload.
    let seen = |out: &str| {
        let mine = out.lines().find(|line| line.contains(&workload)).unwrap_or_default();
        let process = mine.split_whitespace().nth(1).unwrap_or("none");
        let children = out.lines().filter(|line| line.split_whitespace().nth(2) == Some(process));
        std::iter::once(mine)
            .chain(children)
            .map(|line| line.split_whitespace().skip(3).collect::<Vec<_>>().join(" "))
            .collect()
    };
    let seen = check("execs", &folder, &[&workload, "execs", "3"], 0, seen);
    assert_eq!(seen[1..], ["true an argument -x"; 3], "{seen:?}");
}

#[test]
fn bytes_of_sockets_are_counted() {
    if !has_tracing() || !has_libbpf_headers() {
        return;
    }
    if !std::path::Path::new("/sys/kernel/tracing/events/sock/sock_send_length").exists() {
        crate::native::skip("the kernel has no tracepoint sock_send_length (Linux 6.3)");
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    // The last table is END's.
    let seen = |out: &str| {
        let mut lines = lines(out.rsplit("\n\n").nth(1).unwrap_or(out), " workload ", 1);
        lines.sort();
        lines
    };
    let seen = check("sockets", &folder, &[&workload, "sockets", "100"], 0, seen);
    assert_eq!(seen, ["workload tcp 101000 101000", "workload unix 700 700"]);
}

#[test]
fn waits_for_a_processor_are_counted() {
    if !has_tracing() || !has_libbpf_headers() {
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    // Each sleep is a wait unless it is over before the thread has left its processor; more come of others who want that.
    let seen = |out: &str| {
        let counted: u64 = out.lines().filter(|line| line.contains('|')).map(|line| numbers(line)[2]).sum();
        let line = out.lines().find(|line| line.contains("waits of")).unwrap_or_default();
        let is_sum = numbers(line).first() == Some(&counted);
        vec![
            format!("{}, {}", is_sum, (150..400).contains(&counted)),
            without(line, 3).replace(|c: char| c.is_ascii_digit(), ""),
        ]
    };
    let seen = check("runqlat", &folder, &[&workload, "sleeps", "200"], 0, seen);
    assert_eq!(seen, ["true, true", ". nanoseconds on average"]);
}

#[test]
fn calls_of_a_function_are_timed() {
    if !has_tracing() || !has_libbpf_headers() {
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    let seen = |out: &str| {
        let counted: u64 = out.lines().filter(|line| line.contains('|')).map(|line| numbers(line)[2]).sum();
        let mut seen = lines(out, "calls of", 0);
        seen.push(counted.to_string());
        seen
    };
    let found = check("funclat", &folder, &["-f", "qsort", &workload, "sorts", "50"], 0, seen);
    assert_eq!(found, ["50 calls of qsort:", "50"]);
    // A function that is not there: BEGIN ends the script, and the workload is not started.
    for way in WAYS {
        let Ran { status, out, err } = folder.run(folder.script(way, "funclat.clang22.o").args([
            "-f",
            "no_such_function",
            &workload,
            "waits",
            "1",
        ]));
        assert_eq!((status, out.as_str()), (1, ""), "{err}");
        assert!(err.contains("there is no no_such_function in libc.so.6"), "{err}");
    }
}

#[test]
fn leaks_are_found() {
    if !has_tracing() || !has_libbpf_headers() {
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    let seen =
        check("leaks", &folder, &[&workload, "allocates", "10"], 0, |out| out.lines().map(str::to_owned).collect());
    // The place is the workload's, by its file.
    let leaks: Vec<Vec<u64>> =
        seen.iter().filter(|line| line.contains("workload+0x")).map(|line| numbers(line)[..2].to_vec()).collect();
    assert_eq!(leaks, [[240, 10], [400, 10], [10000, 10]], "{seen:?}");
    assert_eq!(without(seen.last().unwrap(), 0), "10640 bytes in 30 pieces are not freed");
}

#[test]
fn packets_of_an_interface_are_counted() {
    if !has_tracing() || !has_libbpf_headers() || !crate::native::has_tool("bpftool") {
        return;
    }
    // It knows no --version.
    if Command::new("ip").arg("-V").output().is_err() {
        crate::native::skip("`ip` is not installed (Debian: iproute2)");
        return;
    }
    let folder = Folder::new();
    // In a network of its own: the loopback interface has nothing but the workload's packets, and ICMP's answers.
    let count = |tool: &Command| {
        let words: Vec<String> = std::iter::once(tool.get_program())
            .chain(tool.get_args())
            .map(|word| format!("'{}'", word.display()))
            .collect();
        let script = format!(
            "ip link set lo up; {} lo & until bpftool net show dev lo | grep -q 'lo('; do sleep 0.05; done
            {} packets 50; sleep 1.3; kill -INT $!; wait $!",
            words.join(" "),
            folder.workload()
        );
        let out =
            folder.run(Command::new("unshare").args(["-n", "bash", "-c", &script])).expect(0, &format!("{tool:?}"));
        let table = out.trim_end().rsplit("\n\n").next().unwrap();
        table.lines().filter(|line| line.len() > 40).map(|line| without(line, 0)).collect()
    };
    let wanted: Vec<String> = count(&folder.twin("xdptop"));
    // 100 bytes of UDP, with 42 before them; ICMP sends them back with 28 more.
    assert_eq!(wanted, ["PROTOCOL PORT PACKETS BYTES", "1 0 50 8500", "17 7777 50 7100"]);
    for compiler in COMPILERS {
        for way in WAYS {
            let found: Vec<String> = count(&folder.script(way, &format!("xdptop.{compiler}.o")));
            assert_eq!(found, wanted, "{compiler}, {way:?}");
        }
    }
}

/// What is committed is what these tests are about.
#[test]
fn every_example_has_its_objects() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scripts");
    let mut count = 0;
    for file in std::fs::read_dir(examples).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "c") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        for kind in ["clang19", "clang22", "kernel"] {
            assert!(object(&format!("{name}.{kind}.o")).exists(), "{name}.{kind}.o");
        }
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!((20..=150).contains(&lines), "{name} has {lines} lines");
        count += 1;
    }
    assert_eq!(count, 8);
}
