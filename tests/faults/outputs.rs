//! What is written, and what it is written over: an input never, a file whole or not at all.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command::{check, command, fixture, run};

/// A folder with an object in it, links to it, and a report.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::copy(fixture("obj/clang22-v4/words.o"), path.join("x.o")).unwrap();
    std::os::unix::fs::symlink("x.o", path.join("link.o")).unwrap();
    fs::hard_link(path.join("x.o"), path.join("hard.o")).unwrap();
    fs::create_dir(path.join("objects")).unwrap();
    fs::copy(fixture("obj/clang22-v4/words.o"), path.join("objects/y.o")).unwrap();
    check(path, &["report", "x.o", "-o", "x.json"], 0);
    folder
}

#[test]
fn no_command_writes_over_its_input() {
    let folder = folder();
    let path = folder.path();
    let object = fs::read(path.join("x.o")).unwrap();
    let report = fs::read(path.join("x.json")).unwrap();
    for words in [
        "-c x.o -o x.o",
        "-c x.o -o ./x.o",
        "-c x.o -o link.o",
        "-c link.o -o x.o",
        "-c x.o -o hard.o",
        "--shared x.o -o link.o",
        "x.o -o x.o",
        "--emit bpf x.o -o x.o",
        "-c x.o -o out.o --depfile x.o",
        "-c x.o -o out.o --depfile link.o",
        "-c x.o --btf objects/y.o -o objects/y.o",
        "-c x.o -o out.o --link-arg objects/y.o --depfile objects/y.o",
        "report x.o -o x.o",
        "report x.o -o link.o",
        "report objects -o objects/y.o",
        "report --merge x.json -o x.json",
        "diff x.o objects/y.o -o objects/y.o",
        "diff x.json x.o -o x.json",
        "diff objects x.json -o objects/y.o",
    ] {
        let arguments: Vec<&str> = words.split(' ').collect();
        let (_, error) = check(path, &arguments, 2);
        assert!(error.contains("is an input"), "{words}: {error}");
        assert_eq!(fs::read(path.join("x.o")).unwrap(), object, "{words}");
        assert_eq!(fs::read(path.join("x.json")).unwrap(), report, "{words}");
        assert!(fs::read(path.join("objects/y.o")).unwrap().starts_with(b"\x7fELF\x02"), "{words}");
    }
    let (_, error) = check(path, &["-c", "x.o", "-o", "out.o", "--depfile", "out.o"], 2);
    assert!(error.contains("the same file"), "{error}");
    assert!(!path.join("out.o").exists());
}

/// Files are cut off after some kilobytes, as on a full disk.
#[test]
fn a_file_is_written_whole_or_not_at_all() {
    for words in
        ["-c x.o -o out", "x.o -o out", "--shared x.o -o out", "report --texts x.o -o out", "-c x.o -o new"]
    {
        let folder = folder();
        let path = folder.path();
        fs::write(path.join("out"), "what was there").unwrap();
        let limited = format!("trap '' XFSZ; ulimit -f 1; exec \"$0\" {words}");
        let mut shell = Command::new("bash");
        shell.current_dir(path).args(["-c", &limited, env!("CARGO_BIN_EXE_bpf2native")]);
        let (status, _, error) = run(shell.env_remove("CI").env("TMPDIR", "/dev/shm"));
        assert_ne!(status, 0, "{words}");
        assert!(error.contains("error: "), "{words}: {error}");
        assert_eq!(fs::read_to_string(path.join("out")).unwrap(), "what was there", "{words}: {error}");
        let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        assert_eq!(names, ["hard.o", "link.o", "objects", "out", "x.json", "x.o"], "{words}");
    }
}

#[test]
fn a_link_stays_a_link_and_permissions_stay() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder();
    let path = folder.path();
    fs::write(path.join("real"), "old").unwrap();
    fs::set_permissions(path.join("real"), PermissionsExt::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("real", path.join("to-real")).unwrap();
    std::os::unix::fs::symlink("made", path.join("to-nothing")).unwrap();
    for (output, real) in [("to-real", "real"), ("to-nothing", "made")] {
        check(path, &["-c", "x.o", "-o", output], 0);
        assert!(fs::symlink_metadata(path.join(output)).unwrap().is_symlink());
        assert!(fs::read(path.join(real)).unwrap().starts_with(b"\x7fELF"));
    }
    let mode = |name: &str| fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("real"), 0o640);
    let mut shell = Command::new("sh");
    let masked = "umask 027; exec \"$0\" \"$@\"";
    shell.current_dir(path).args(["-c", masked, env!("CARGO_BIN_EXE_bpf2native"), "-c", "x.o", "-o", "masked"]);
    assert_eq!(run(&mut shell).0, 0);
    assert_eq!(mode("masked"), 0o640);
}

/// Renaming would put a file in the place of the device.
#[test]
fn devices_are_written_to() {
    let folder = folder();
    check(folder.path(), &["-c", "x.o", "-o", "/dev/null"], 0);
    let (_, error) = check(folder.path(), &["-c", "x.o", "-o", "/dev/full"], 1);
    assert!(error.contains("cannot write `/dev/full`: No space left on device"), "{error}");
    for device in ["/dev/null", "/dev/full"] {
        assert!(!fs::metadata(device).unwrap().is_file());
    }
    check(folder.path(), &["report", "x.o", "-o", "/dev/null"], 0);
}

#[test]
fn golden_texts_stay_in_their_folder() {
    let folder = folder();
    let path = folder.path();
    fs::create_dir(path.join("outside")).unwrap();
    for link in ["x.o", "golden.json"] {
        let golden = path.join("golden");
        let _ = fs::remove_dir_all(&golden);
        fs::create_dir(&golden).unwrap();
        let to = if link == "x.o" { "../outside" } else { "../outside/file" };
        fs::write(path.join("outside/file"), "not yours").unwrap();
        std::os::unix::fs::symlink(to, golden.join(link)).unwrap();
        let (status, out, error) = run(&mut command(path, &["golden", "golden", "x.o", "--bless"]));
        assert_eq!(status, 2, "{link}: {out}{error}");
        assert!(error.contains("symbolic link"), "{error}");
        assert_eq!(fs::read_dir(path.join("outside")).unwrap().count(), 1, "{link}");
        assert_eq!(fs::read_to_string(path.join("outside/file")).unwrap(), "not yours", "{link}");
    }
}

#[test]
fn what_does_not_end_or_is_a_folder_is_no_input() {
    let folder = folder();
    let path = folder.path();
    for words in ["-c /dev/zero", "inspect /dev/zero", "report --merge /dev/zero", "diff /dev/zero x.o"] {
        let arguments: Vec<&str> = words.split(' ').collect();
        let (status, out, error) = run(&mut command(path, &arguments));
        assert!(status == 1 || status == 2, "{words}: {status} {out}");
        assert!(error.contains("`/dev/zero`: it has more than 256 MiB, or does not end"), "{words}: {error}");
    }
    for words in
        ["-c objects", "inspect objects", "run objects", "-c x.o --btf objects", "diff x.o --against objects"]
    {
        let arguments: Vec<&str> = words.split(' ').collect();
        let (_, _, error) = run(&mut command(path, &arguments));
        assert!(error.contains("`objects`: it is a folder, and a file is wanted"), "{words}: {error}");
    }
    let error = bpf2native::Program::from_files([Path::new("/dev/zero")]).unwrap_err();
    assert!(error.to_string().contains("/dev/zero"), "{error}");
}
