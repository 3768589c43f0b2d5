//! However a script ends, the kernel has nothing of it afterwards, and what was wrong is said.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::folder::{Folder, Ran, WAYS};
use crate::leftovers;
use crate::native::bpf::has_tracing;

/// What `endings.o` makes in the kernel. Only these tests run it, one at a time.
const ENDINGS: [&str; 3] = ["endings_enter", "endings.bss", "endings.rodata"];

static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    // Another test's failure is not this one's.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn nothing_is_left_after_a_script() {
    if !has_tracing() {
        return;
    }
    let _alone = alone();
    let folder = Folder::new();
    let workload = folder.workload();
    for way in WAYS {
        let run = |words: &[&str]| folder.run(folder.script(way, "endings.o").args(words));
        let plain_file = folder.path().join("plain");
        fs::write(&plain_file, "not a program").unwrap();

        let ran = run(&["./there-is-no-such-command", "1"]);
        assert_eq!(ran.status, 127, "{ran:?}");
        assert!(ran.err.contains("there-is-no-such-command") && !ran.out.contains("END"), "{ran:?}");
        let ran = run(&[plain_file.to_str().unwrap()]);
        assert_eq!(ran.status, 126, "{ran:?}");
        assert!(ran.err.contains("plain") && !ran.out.contains("END"), "{ran:?}");
        leftovers::check(&ENDINGS, "a workload that cannot be started");

        for words in
            [vec!["-s", "3", &workload, "ends", "0"], vec!["--set", "begin_status=3", &workload, "ends", "0"]]
        {
            assert_eq!(run(&words).status, 3);
            leftovers::check(&ENDINGS, "a script that ends itself");
        }
        assert_eq!(run(&[&workload, "dies", "9"]).status, 128 + 9);
        leftovers::check(&ENDINGS, "a workload that is killed");

        for signal in [libc::SIGINT, libc::SIGTERM] {
            let started = folder.start(folder.script(way, "endings.o").args([&workload, "waits", "1"]));
            started.until("waiting");
            assert!(leftovers::has("endings_enter"), "it is not loaded");
            started.signal_all(signal);
            started.end().expect(128 + signal, "signal");
            leftovers::check(&ENDINGS, "a signal in the middle");
        }

        // The script itself is killed, as by the kernel when there is no memory.
        let started = folder.start(folder.script(way, "endings.o").args([&workload, "waits", "1"]));
        started.until("waiting");
        started.signal_all(libc::SIGKILL);
        started.end().expect(128 + 9, "killed");
        leftovers::check(&ENDINGS, "a script that is killed");
    }
}

#[test]
fn a_kernel_half_that_the_verifier_refuses_is_shown_with_its_log() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let touched = folder.path().join("touched");
    for way in WAYS {
        let ran = folder.run(folder.script(way, "refused.o").arg("touch").arg(&touched));
        assert!(ran.status != 0 && ran.out.is_empty(), "{ran:?}");
        // The program, and the verifier's own words.
        for words in ["refused_enter", "invalid mem access 'map_value_or_null'"] {
            assert!(ran.err.contains(words), "{way:?}, {words}\n{}", ran.err);
        }
        assert!(!touched.exists());
        leftovers::check(&["refused_enter", "refused_map"], "a kernel half that is refused");
    }
}

#[test]
fn a_map_that_there_is_no_memory_for_is_named() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    let touched = folder.path().join("touched");
    for way in WAYS {
        let ran = folder.run(folder.script(way, "large.o").arg("touch").arg(&touched));
        assert!(ran.status != 0 && ran.out.is_empty() && ran.err.contains("large_map"), "{way:?}: {ran:?}");
        assert!(!touched.exists());
        leftovers::check(&["large_enter", "large_map"], "a map that is too large");
    }
}

#[test]
fn a_script_without_memory_of_its_own_ends_with_an_error() {
    if !has_tracing() {
        return;
    }
    let _alone = alone();
    let folder = Folder::new();
    let executable = folder.executable("endings.o");
    let (mut ended, mut worked) = (0, 0);
    // Address space in KiB: from nothing at all to what it needs.
    for limit in (2000..20000).step_by(500) {
        let mut command = Command::new("bash");
        command
            .arg("-c")
            .arg(format!("ulimit -v {limit} && exec {} true", executable.display()))
            .current_dir(folder.path());
        let Ran { status, out, err } = folder.run(&mut command);
        if status == 0 {
            worked += 1;
        } else {
            // An error that is said; of the shell's or the dynamic loader's, with their own status.
            assert!(!err.is_empty() && status < 128, "{limit} KiB: {status}\n{out}\n{err}");
            ended += 1;
        }
    }
    assert!(ended > 0 && worked > 0, "{ended} ended, {worked} worked");
    leftovers::check(&ENDINGS, "no memory");
}

#[test]
fn programs_that_nothing_says_where_to_attach_are_all_named() {
    if !has_tracing() {
        return;
    }
    let folder = Folder::new();
    for way in WAYS {
        let ran = folder.run(folder.script(way, "unattachable.o").arg("true"));
        assert!(ran.status != 0 && ran.out.is_empty(), "{ran:?}");
        for name in ["interface_packets", "group_packets", "set_autoattach", "-i"] {
            assert!(ran.err.contains(name), "{way:?}: {name}\n{}", ran.err);
        }
        leftovers::check(&["interface_packet", "group_packets"], "programs that cannot be attached");
    }
}

#[test]
fn what_the_machine_lacks_is_said() {
    if !has_tracing() {
        return;
    }
    let _alone = alone();
    let folder = Folder::new();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let executable = folder.executable("endings.o");

    // Root. (In a namespace of its own a user has no file system of its own either: so it is an executable.)
    let ran = folder.run(Command::new(&executable).arg("true").current_dir("/").uid(65534).gid(65534));
    assert!(ran.status != 0 && ran.out.is_empty() && ran.err.contains("root"), "{ran:?}");

    // tracefs.
    let executable = folder.executable("shared.o");
    let script = format!(
        "umount -l /sys/kernel/tracing; umount -l /sys/kernel/debug 2>/dev/null; exec {} true",
        executable.display()
    );
    let ran = folder.run(Command::new("unshare").args(["-m", "bash", "-c", &script]));
    assert!(ran.status != 0 && ran.out.is_empty(), "{ran:?}");
    assert!(ran.err.contains("mount -t tracefs tracefs /sys/kernel/tracing"), "{}", ran.err);

    // libbpf: a damaged file in its place.
    let damaged = folder.path().join("damaged");
    fs::write(&damaged, b"\x7fELF and nothing else").unwrap();
    let hide = format!(
        "for file in $(PATH=$PATH:/sbin ldconfig -p | sed -n 's/.*libbpf\\.so\\.1 .*=> //p'); do
            mount --bind {} $(readlink -f $file)
        done",
        damaged.display()
    );
    for way in WAYS {
        let words: Vec<String> = {
            let command = folder.script(way, "endings.o");
            std::iter::once(command.get_program())
                .chain(command.get_args())
                .map(|word| word.display().to_string())
                .collect()
        };
        let script = format!("{hide}; exec {} true", words.join(" "));
        let ran = folder.run(Command::new("unshare").args(["-m", "bash", "-c", &script]));
        assert!(ran.status != 0 && ran.out.is_empty() && ran.err.contains("libbpf.so.1"), "{way:?}: {ran:?}");
    }
    leftovers::check(&ENDINGS, "a machine that lacks something");
}
