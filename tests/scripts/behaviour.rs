//! What a script is for its author: globals of both halves, records, timers, options, how it goes on and ends.

use std::process::Command;
use std::time::Instant;

use crate::folder::{Folder, Ran, WAYS, Way};
use crate::native::bpf::has_tracing;

#[test]
fn global_variables_are_the_same_memory_in_both_halves() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    for way in WAYS {
        // 4 threads add in the kernel, a timer in user space, to the same variable.
        let out =
            folder.run(folder.script(way, "shared.o").args([&workload, "threads", "200000"])).expect(0, "shared");
        let wanted = "BEGIN: a text, 1 2 3\nlimit 200, word unset, not set\nEND: a text, 10 2 3\n\
                      calls 800000, own 800100\nsum exact, ticks some\n";
        assert_eq!(out, wanted, "{way:?}");
    }
}

#[test]
fn constants_are_set_from_the_command_line() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    for way in WAYS {
        let set = |values: &[&str]| {
            let mut command = folder.script(way, "shared.o");
            for value in values {
                command.args(["--set", value]);
            }
            folder.run(command.args([&workload, "ends", "0"]))
        };
        let out = set(&["limit=7", "word=another", "is_set=true"]).expect(0, "set");
        assert!(out.contains("limit 7, word another, set\n"), "{out}");
        for (value, about) in [
            ("limit=256", "limit"),
            ("word=more than sixteen characters", "word"),
            ("nothing=1", "nothing"),
            ("limit", "limit"),
        ] {
            let ran = set(&[value]);
            assert!(ran.status != 0 && ran.out.is_empty() && ran.err.contains(about), "{value}: {ran:?}");
        }
    }
}

/// The numbers in a line that begins with this word.
fn numbers(text: &str, word: &str) -> Vec<u64> {
    let line = text.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("no {word} in {text}"));
    line.split(|byte: char| !byte.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn every_record_comes_that_the_kernel_did_not_drop() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    for way in WAYS {
        // Room for all: all come, in order.
        let ran = folder.run(folder.script(way, "events.o").args([&workload, "calls", "20000"]));
        let lost: u64 = if ran.err.is_empty() { 0 } else { numbers(&ran.err, "lost")[0] };
        let out = ran.expect(0, "events");
        assert!(out.starts_with("made 20000\nfirst 20000 + 0\nsecond 20000 + 0\n"), "{way:?}\n{out}");
        assert!(out.ends_with("wrong 0, out of order 0\n"), "{way:?}\n{out}");
        assert_eq!(numbers(&out, "third")[0] + lost, 20000, "{way:?}\n{out}");

        // Two pages, and 4 threads that fill them as fast as they can: what did not fit is known.
        let ran = folder.run(folder.script(way, "events.small.o").args([&workload, "threads", "50000"]));
        let (out, err) = (ran.out, ran.err);
        assert_eq!(numbers(&out, "made"), [200_000], "{out}");
        for which in ["first", "second"] {
            let [received, dropped] = numbers(&out, which)[..] else { panic!("{out}") };
            assert_eq!(received + dropped, 200_000, "{way:?}, {which}\n{out}");
            assert!(received > 0, "{out}");
        }
        let lost: u64 = if err.is_empty() { 0 } else { numbers(&err, "lost")[0] };
        assert_eq!(numbers(&out, "third")[0] + lost, 200_000, "{way:?}\n{out}\n{err}");
        assert_eq!(numbers(&out, "wrong")[0], 0, "{out}");
    }
}

#[test]
fn records_are_given_to_a_callback_of_the_scripts() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    for way in WAYS {
        let out =
            folder.run(folder.script(way, "callback.o").args([&workload, "calls", "2000"])).expect(0, "callback");
        assert_eq!(out, "some, all, in order\n", "{way:?}");
    }
}

#[test]
fn options_are_the_drivers_the_scripts_and_the_workloads() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    let run = |way, words: &[&str]| folder.run(folder.script(way, "hooks.o").args(words));
    for way in WAYS {
        let end = "BEGIN: a workload\nEND: time passed\n";
        let out = run(way, &[&workload, "sleeps", "300"]).expect(0, "no options");
        assert_eq!(out, end, "{way:?}");
        // With two dashes between them, and without.
        for words in
            [vec!["-s", "0", "-v", "--", &workload, "sleeps", "300"], vec!["-s0", "-v", &workload, "sleeps", "300"]]
        {
            let out = run(way, &words).expect(0, "options of the script");
            assert_eq!(out, format!("INIT: -s 0\nINIT: -v \n{end}"), "{way:?}");
        }
        // An option that the script does not have.
        assert_eq!(run(way, &["-q", &workload, "ends", "0"]).status, 2, "{way:?}");
        // The workload's own options are its own.
        assert_eq!(run(way, &["--", "sh", "-c", "exit 9"]).status, 9, "{way:?}");
    }
    // `run` has the driver's options too.
    let mut command = crate::native::bpf2native();
    command.current_dir(folder.path()).args(["run", "--set", "end_status=5"]).arg(crate::folder::object("hooks.o"));
    assert_eq!(folder.run(command.args(["--", &workload, "sleeps", "100"])).status, 5);
}

#[test]
fn the_status_is_the_workloads_unless_a_hook_says_otherwise() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    for way in WAYS {
        let run = |words: &[&str]| folder.run(folder.script(way, "hooks.o").args(words));
        assert_eq!(run(&[&workload, "ends", "3"]).status, 3);
        assert_eq!(run(&[&workload, "dies", "9"]).status, 128 + 9);
        assert_eq!(run(&[&workload, "dies", "15"]).status, 128 + 15);
        let out = run(&["--set", "end_status=4", &workload, "ends", "3"]).expect(4, "END's");
        assert!(out.contains("END: "), "{out}");
        // INIT and BEGIN can end it: the workload is not started.
        let touched = folder.path().join("touched");
        let touch = ["touch", touched.to_str().unwrap()];
        let out = run(&[&["-s", "6"], &touch[..]].concat()).expect(6, "INIT's");
        assert_eq!(out, "INIT: -s 6\n");
        let out = run(&[&["--set", "begin_status=7"], &touch[..]].concat()).expect(7, "BEGIN's");
        assert_eq!(out, "BEGIN: a workload\n");
        assert!(!touched.exists());
    }
}

#[test]
fn an_interrupt_ends_a_script_and_end_runs() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    for way in WAYS {
        // As a terminal sends it: to the script and its workload.
        let started = folder.start(folder.script(way, "hooks.o").args([&workload, "waits", "1"]));
        started.until("waiting");
        std::thread::sleep(std::time::Duration::from_millis(60));
        started.signal_all(libc::SIGINT);
        let out = started.end().expect(128 + 2, "interrupt");
        assert_eq!(out, "BEGIN: a workload\nwaiting\nEND: time passed\n", "{way:?}");

        // To the script alone: the workload is ended.
        let started = folder.start(folder.script(way, "hooks.o").args([&workload, "waits", "1"]));
        started.until("waiting");
        started.signal(libc::SIGTERM);
        let out = started.end().expect(128 + 15, "termination");
        assert!(out.ends_with("passed\n"), "{way:?}\n{out}");

        // Without a workload, until then.
        let started = folder.start(&mut folder.script(way, "hooks.o"));
        started.until("BEGIN: no workload\n");
        std::thread::sleep(std::time::Duration::from_millis(60));
        started.signal(libc::SIGINT);
        let out = started.end().expect(0, "no workload");
        assert_eq!(out, "BEGIN: no workload\nEND: time passed\n", "{way:?}");
    }
}

#[test]
fn a_duration_ends_a_script() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let workload = folder.workload();
    for way in WAYS {
        for (duration, least) in [("300ms", 300), ("1", 1000)] {
            let since = Instant::now();
            let out =
                folder.run(folder.script(way, "hooks.o").args(["--duration", duration])).expect(0, "duration");
            assert_eq!(out, "BEGIN: no workload\nEND: time passed\n", "{way:?}");
            assert!(since.elapsed().as_millis() >= least, "{:?}", since.elapsed());
        }
        // The workload ends with it.
        let out = folder.run(folder.script(way, "hooks.o").args(["--duration", "200ms", &workload, "waits", "1"]));
        assert_eq!(
            out.expect(128 + 15, "duration with a workload"),
            "BEGIN: a workload\nwaiting\nEND: time passed\n",
            "{way:?}"
        );
        let ran = folder.run(folder.script(way, "hooks.o").args(["--duration", "soon"]));
        assert!(ran.status != 0 && ran.out.is_empty() && ran.err.contains("soon"), "{ran:?}");
    }
}

#[test]
fn a_process_that_runs_already_is_followed() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    for way in WAYS {
        let target = folder.start(Command::new(folder.workload()).args(["waits", "1"]));
        target.until("waiting");
        let process = target.process().to_string();
        let started = folder.start(folder.script(way, "hooks.o").args(["-p", &process]));
        started.until("BEGIN: a workload\n");
        target.signal(libc::SIGKILL);
        assert_eq!(target.end().status, 128 + 9);
        let Ran { status, out, err } = started.end();
        assert_eq!((status, err.as_str()), (0, ""), "{way:?}\n{out}");
        assert!(out.contains("END: "), "{out}");
        let ran = folder.run(folder.script(way, "hooks.o").args(["-p", &process]));
        assert!(ran.status != 0 && ran.out.is_empty() && ran.err.contains(&process), "no such process: {ran:?}");
    }
}

#[test]
fn what_was_loaded_and_attached_is_said_if_asked() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let ran = folder.run(folder.script(Way::Executable, "shared.o").args(["-v", &folder.workload(), "ends", "0"]));
    assert!(ran.err.contains("shared_enter") && ran.err.contains("attach"), "{}", ran.err);
}
