//! The driver: what runs when, how it ends before and after its workload, maps of the kernel in the user half, tools.
//!
//! Where the kernel refuses bpf(2), that is said by name (`has_tracing`).

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::folder::{Folder, Ran, Started, WAYS, Way};
use crate::leftovers;
use crate::native::bpf::has_tracing;

/// What `phases.o` makes in the kernel.
const PHASES: [&str; 3] = ["phases_enter", "first", "second"];

/// What it prints of its variables and maps, at its end.
const AT_END: &str = "calls counted, map 10, sum 450000000000, 90000000000, missing 1\n";

/// What it prints first, with its words before `--`.
fn begin(words: &str) -> String {
    format!("BEGIN {words}\n3 -1 0 unset\n")
}

/// A script whose BEGIN and END take so long, with words before the workload, that has begun.
fn started(folder: &Folder, way: Way, milliseconds: [u32; 2], workload: &[&str]) -> Started {
    let [begin, end] = milliseconds;
    let mut command = folder.script(way, "phases.o");
    command.args(["--set", &format!("begin_milliseconds={begin}"), "--set", &format!("end_milliseconds={end}")]);
    let started = folder.start(command.arg("--").args(workload));
    started.until("unset\n");
    started
}

fn is_ended(ran: &Ran) -> bool {
    ran.out.contains("END: equal") && ran.out.ends_with("END again\n")
}

#[test]
fn all_functions_of_a_kind_run_with_what_is_theirs() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    for way in WAYS {
        let mut command = folder.script(way, "phases.o");
        command.args(["--set", "seconds=1", "one", "two", "--", &workload, "sleeps", "1500"]);
        let since = Instant::now();
        let out = folder.run(&mut command).expect(0, "phases");
        let most = since.elapsed().as_millis() / 50 + 1;
        let rest = out.strip_prefix(&begin("3: one two")).unwrap_or_else(|| panic!("{way:?}\n{out}"));
        let (timers, rest) = rest.split_once(AT_END).unwrap_or_else(|| panic!("{way:?}\n{out}"));
        let (_, rest) = rest.split_once("END: equal, timers ").unwrap_or_else(|| panic!("{way:?}\n{out}"));
        let (count, rest) = rest.split_once(", often ").unwrap();
        let often: u128 = rest.strip_suffix("\nEND again\n").unwrap().parse().unwrap();
        // Once in a second, and in 50 ms: fewer where the machine has other things to do.
        assert_eq!(timers, "TIMER\n".repeat(count.parse().unwrap()), "{way:?}\n{out}");
        assert!(!timers.is_empty() && (5..=most).contains(&often), "{way:?}, {most}\n{out}");
    }
    leftovers::check(&PHASES, "a script with many functions");
}

#[test]
fn values_of_every_type_are_set_or_refused() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let executable = folder.executable("phases.o");
    let run = |settings: &[&str]| {
        let mut command = std::process::Command::new(&executable);
        command.args(settings.iter().map(|setting| format!("--set={setting}")));
        folder.run(command.args(["--", "true"]))
    };
    for (settings, wanted) in [
        (&["small=255", "large=0x10", "is_wanted=true", "word=seven77"][..], "255 16 1 seven77"),
        (&["small=0", "large=-9223372036854775808", "is_wanted=1", "word="], "0 -9223372036854775808 1 "),
        (&["small=010", "large=9223372036854775807", "is_wanted=false", "word=a=b"], "8 9223372036854775807 0 a=b"),
    ] {
        let out = run(settings).expect(0, "set");
        assert!(out.starts_with(&format!("BEGIN 1:\n{wanted}\n")), "{settings:?}\n{out}");
    }
    for setting in [
        "small=256",
        "small=-1",
        "small=",
        "small=1x",
        "small= 1",
        "small=99999999999999999999",
        "large=9223372036854775808",
        "large=-9223372036854775809",
        "large=--1",
        "is_wanted=2",
        "word=eight888",
        "unknown=1",
        "smal=1",
        "=1",
        "small",
    ] {
        let ran = run(&[setting]);
        assert!(ran.status == 2 && ran.out.is_empty() && ran.err.contains("--set"), "{setting}: {ran:?}");
    }
    leftovers::check(&PHASES, "values");
}

#[test]
fn options_that_are_wrong_are_named() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let run = |words: &[&str]| folder.run(folder.script(Way::Executable, "phases.o").args(words));
    for (words, said) in [
        (&["--duration", "5x"][..], "5x"),
        (&["--duration=0"], "`0`"),
        (&["--duration=99999999999999999999h"], "--duration"),
        (&["--duration"], "wants a value"),
        (&["-p", "no"], "`no`"),
        (&["-p0"], "--pid"),
        (&["--pid=99999999999"], "--pid"),
        (&["-i", "no-such-interface"], "no-such-interface"),
    ] {
        let ran = run(words);
        assert!(ran.status == 2 && ran.out.is_empty() && ran.err.contains(said), "{words:?}: {ran:?}");
    }
    // The largest process number that Linux has is 2^22.
    let ran = run(&["-p", "4194305"]);
    assert!(ran.status == 1 && ran.err.contains("4194305"), "{ran:?}");
    let help = run(&["-h"]).expect(0, "help");
    for word in ["--duration", "--set", "workload_pid", "small", "unsigned integer of 1 byte\n", "text of 8 bytes"]
    {
        assert!(help.contains(word), "{word}\n{help}");
    }
}

#[test]
fn names_that_nothing_has_are_all_said() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    for way in WAYS {
        for (object, names) in
            [("names.o", &["EVENT/numbers", "EVENT/missing"][..]), ("names.time.o", &["TIMER/soon"])]
        {
            let ran = folder.run(folder.script(way, object).arg("true"));
            assert!(ran.status == 1 && names.iter().all(|name| ran.err.contains(name)), "{way:?}: {ran:?}");
        }
    }
    leftovers::check(&["names_enter", "numbers"], "names");
}

#[test]
fn an_end_before_the_workload_begins_it_never() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let touched = folder.path().join("touched");
    let workload = ["touch", touched.to_str().unwrap()];
    for way in WAYS {
        // The first signal asks for the end, and BEGIN ends as it would have.
        for signal in [libc::SIGINT, libc::SIGTERM] {
            let script = started(&folder, way, [300, 0], &workload);
            script.signal(signal);
            let ran = script.end();
            assert!(ran.status == 128 + signal && is_ended(&ran), "{way:?}: {ran:?}");
        }
        // The second one does not wait for it.
        for signals in [[libc::SIGINT, libc::SIGINT], [libc::SIGTERM, libc::SIGINT]] {
            let (script, since) = (started(&folder, way, [30_000, 0], &workload), Instant::now());
            script.signal(signals[0]);
            sleep(Duration::from_millis(50));
            script.signal(signals[1]);
            let ran = script.end();
            assert!(ran.status == 128 + signals[1] && !ran.out.contains("END"), "{way:?}: {ran:?}");
            assert!(since.elapsed() < Duration::from_secs(20), "{way:?}: {:?}", since.elapsed());
        }
        assert!(!touched.exists(), "{way:?}");
        leftovers::check(&PHASES, "an end before the workload");
    }
}

#[test]
fn a_second_signal_ends_a_script_at_once() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    for way in WAYS {
        // A workload that SIGTERM does not end.
        let script = started(&folder, way, [0, 0], &["sh", "-c", "trap '' TERM; echo deaf; sleep 2; :"]);
        script.until("deaf");
        script.signal(libc::SIGTERM);
        sleep(Duration::from_millis(100));
        script.signal(libc::SIGTERM);
        let ran = script.end();
        assert!(ran.status == 128 + libc::SIGTERM && !ran.out.contains("END"), "{way:?}: {ran:?}");
        // An END that takes its time.
        let (script, since) = (started(&folder, way, [0, 30_000], &["true"]), Instant::now());
        script.until("END: equal");
        script.signal(libc::SIGINT);
        let ran = script.end();
        assert!(ran.status == 128 + libc::SIGINT && !ran.out.contains("END again"), "{way:?}: {ran:?}");
        assert!(since.elapsed() < Duration::from_secs(20), "{way:?}: {:?}", since.elapsed());
        leftovers::check(&PHASES, "a second signal");
    }
}

#[test]
fn a_workload_that_is_killed_while_it_is_held_has_ended() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    for way in WAYS {
        let script = started(&folder, way, [500, 0], &["true"]);
        let children = format!("/proc/{0}/task/{0}/children", script.process());
        let child: i32 = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
        // SAFETY: it is the child of our child, which has not waited for it.
        unsafe { libc::kill(child, libc::SIGKILL) };
        let ran = script.end();
        assert!(ran.status == 128 + libc::SIGKILL && is_ended(&ran), "{way:?}: {ran:?}");
    }
    leftovers::check(&PHASES, "a workload that is killed");
}

#[test]
fn helpers_of_maps_work_on_the_kernels() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    for way in WAYS {
        let out = folder.run(folder.script(way, "maps.o").arg("true")).expect(0, "maps");
        let wanted = "\
before: 0, update -9, each -9, fd -9
hash: full -7, again -17, missing 0, each 20000 sum 199990000, deleted in each 20000, failed 0, left 0, delete -2, flags -22
array: 6, written to a copy 5, same 0, after 64 1, outside 0, each 70 sum 5, stopped 3 at 2, delete -22
mapped: 8, same 1, outside 0, each 3 sum 8
per CPU: wrong 0, outside 0, each 1 all
queue: full -7, peek 0 1, first 1, then 2, empty -2, each -95, stack 2
bloom: 0 -2
trie: 2, each 1 sum 2
ring: -11, lookup 0
end: counted the same, 8, fd 1
";
        assert_eq!(out, wanted, "{way:?}");
    }
    leftovers::check(&["maps_enter", "mapped", "percpu_hash"], "maps");
}

#[test]
fn a_tool_loads_its_kernel_half_itself() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    for way in WAYS {
        let out = folder.run(&mut folder.script(way, "tool.o")).expect(0, "tool");
        let wanted = "same 1, fd before -9\nloaded 0, again 0, fd the map's\nelements 100, calls, seen by threes\n";
        assert_eq!(out, wanted, "{way:?}");
        // -EINVAL, the first time and again.
        let out = folder.run(folder.script(way, "tool.o").arg("refused")).expect(1, "refused");
        assert!(out.ends_with("loaded -22, again -22, fd another\n"), "{way:?}\n{out}");
    }
    leftovers::check(&["tool_enter", "tool_calls"], "a tool");
}

#[test]
fn maps_of_struct_ops_are_attached() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let known = "/proc/sys/net/ipv4/tcp_available_congestion_control";
    for way in WAYS {
        let out = folder.run(folder.script(way, "struct_ops.o").args(["cat", known])).expect(0, "struct_ops");
        assert!(out.lines().next().unwrap().contains("bpf_plain"), "{way:?}\n{out}");
        assert!(!std::fs::read_to_string(known).unwrap().contains("bpf_plain"), "{way:?}");
    }
    leftovers::check(&["begun", "threshold", "plain"], "struct_ops");
}

#[test]
fn xdp_programs_are_attached_to_the_interface_that_is_named() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let executable = folder.executable("interface.o");
    // A loopback device of its own, which is down: nothing comes in.
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new("unshare");
        folder.run(command.arg("-n").arg(&executable).args(words))
    };
    let ran = run(&["-v", "-i", "lo", "true"]);
    assert!(ran.err.contains("attached `interface_pass` (xdp)"), "{ran:?}");
    assert_eq!(ran.expect(0, "an interface"), "0 packets\n");
    let ran = run(&["true"]);
    assert!(ran.status == 1 && ran.err.contains("-i NAME") && ran.out.is_empty(), "{ran:?}");
    leftovers::check(&["interface_pass"], "an interface");
}

#[test]
fn a_workload_ends_with_the_process_that_is_watched() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    for way in WAYS {
        let watched = folder.start(std::process::Command::new("sleep").arg("0.5"));
        let process = watched.process().to_string();
        let script = folder.start(folder.script(way, "phases.o").args(["-p", &process, "sleep", "30"]));
        // A process that is not waited for has ended, too.
        let ran = script.end();
        watched.end().expect(0, "watched");
        assert!(ran.status == 128 + libc::SIGTERM && is_ended(&ran), "{way:?}: {ran:?}");
    }
    leftovers::check(&PHASES, "a process that is watched");
}
