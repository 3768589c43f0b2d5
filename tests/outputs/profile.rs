//! Profiles: counts of a program whose control flow is known, in memory, in executables and libraries; files that many runs add to;
//! what is refused; what they are used for.

use std::path::{Path, PathBuf};
use std::process::Command;

use bpf2native::config::OptLevel;
use bpf2native::emit::{self, Purpose};
use bpf2native::profile::{FunctionProfile, Profile, ProfileError};
use bpf2native::{Config, Jit, Linker, Program, WarningKind};

use crate::native;

const FLOW: &str = "coverage/flow.o";

/// `argv` of a program that is called in this process.
static ARGUMENTS: [usize; 2] = [0; 2];

fn read(path: &Path) -> Profile {
    Profile::parse(&std::fs::read(path).unwrap()).unwrap()
}

fn function<'a>(profile: &'a Profile, name: &str) -> &'a FunctionProfile {
    profile.functions.iter().find(|function| function.name == name).unwrap()
}

/// Runs an object in this process; its profile.
fn counted(object: &str, config: &Config) -> Profile {
    let program = Program::from_files([native::fixture(object)]).unwrap();
    let module = Jit::new(config.clone().profile_generate(true)).unwrap().load(&program, &Linker::new()).unwrap();
    // SAFETY: the program is ours, and `main` has this type.
    let main = unsafe { module.func::<(i32, u64), i32>("main").unwrap() };
    assert_eq!(main.call((1, ARGUMENTS.as_ptr() as u64)), 0);
    assert!(module.coverage().is_none(), "nobody asked for it");
    module.profile().unwrap()
}

/// `run --profile-generate FILE`, with more options.
fn run(file: &Path, options: &[&str]) -> String {
    let mut command = native::bpf2native();
    command.args(["run", "--profile-generate"]).arg(file).args(options).arg(native::fixture(FLOW));
    native::output(&mut command)
}

/// An executable or library of the host, or of another machine, that adds to `own.profile`.
fn build(folder: &Path, object: &str, options: &[&str]) -> PathBuf {
    let output = folder.join("program");
    let mut command = native::bpf2native();
    command.current_dir(folder).args(["--profile-generate", "own.profile", "-o"]).arg(&output).args(options);
    native::output(command.arg(native::fixture(object)));
    output
}

#[test]
fn counts_are_the_same_at_all_levels_and_right() {
    let profile = counted(FLOW, &Config::new());
    let known = [("classify", 5), ("collatz", 2), ("fill", 1), ("main", 1), ("state", 9), ("unused", 0)];
    for (name, calls) in known {
        let function = function(&profile, name);
        assert_eq!((function.calls, function.blocks[0].count), (calls, calls), "{name}");
    }
    // Each way of `if (n & 1)`, `if (n < 0)`, and of the jump through a register.
    let outcomes: Vec<&[u64]> =
        profile.functions.iter().flat_map(|function| &function.blocks).map(|block| &block.outcomes[..]).collect();
    for expected in [&[17, 7][..], &[5, 0], &[3, 3, 3]] {
        assert!(outcomes.contains(&expected), "{expected:?}");
    }
    for level in [OptLevel::O0, OptLevel::O1] {
        assert_eq!(counted(FLOW, Config::new().opt_level(level)), profile);
    }
    assert_eq!(Profile::parse(profile.to_text().as_bytes()), Ok(profile));
}

#[test]
fn functions_without_lines_are_counted() {
    let lines = std::fs::read(native::fixture(FLOW)).unwrap();
    let mut bytes = lines.clone();
    for place in memchr::memmem::find_iter(&lines, ".BTF.ext").chain(memchr::memmem::find_iter(&lines, ".debug_")) {
        bytes[place + 1] = b'X';
    }
    let program = Program::from_bytes("flow.o", &bytes).unwrap();
    let module = Jit::new(Config::new().profile_generate(true)).unwrap().load(&program, &Linker::new()).unwrap();
    // SAFETY: the program is ours, and `main` has this type.
    let main = unsafe { module.func::<(i32, u64), i32>("main").unwrap() };
    assert_eq!(main.call((1, ARGUMENTS.as_ptr() as u64)), 0);
    assert_eq!(module.profile().unwrap(), counted(FLOW, &Config::new()));
}

#[test]
fn runs_are_added_up_and_others_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flow.profile");
    assert_eq!(run(&file, &[]), "28467\n");
    let once = read(&file);
    assert_eq!(once, counted(FLOW, &Config::new()));
    run(&file, &["-O0"]);
    let mut twice = once.clone();
    twice.merge(&once);
    assert_eq!(read(&file), twice);
    assert_eq!(function(&twice, "state").calls, 18);
    // An executable goes on where memory was left.
    let host = build(folder.path(), FLOW, &[]);
    native::output(Command::new(&host).current_dir(folder.path()).env("BPF2NATIVE_PROFILE", &file));
    assert_eq!(function(&read(&file), "state").calls, 27);
    // Of another version, and something else.
    for other in [counted("coverage/flow.O2.o", &Config::new()).to_text(), "lines\nof text\n".to_owned()] {
        std::fs::write(&file, &other).unwrap();
        let mut command = native::bpf2native();
        command.args(["run", "--profile-generate"]).arg(&file).arg(native::fixture(FLOW));
        let output = command.output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stderr).unwrap().contains("no profile of this program, and is replaced"));
        assert_eq!(read(&file), once);
        std::fs::write(&file, &other).unwrap();
        let mut command = Command::new(&host);
        let output = command.current_dir(folder.path()).env("BPF2NATIVE_PROFILE", &file).output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stderr).unwrap().contains("no profile of this program, and is replaced"));
        assert_eq!(read(&file), once);
    }
}

/// Counts of one that are as large as they can be stay so.
#[test]
fn sums_saturate() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.profile");
    let mut most = counted(FLOW, &Config::new());
    for function in &mut most.functions {
        function.calls = u64::MAX;
        function.blocks.iter_mut().for_each(|block| block.count = u64::MAX - 1);
    }
    std::fs::write(&file, most.to_text()).unwrap();
    let program = build(folder.path(), FLOW, &[]);
    native::output(Command::new(program).current_dir(folder.path()));
    let sum = read(&file);
    assert_eq!(function(&sum, "main").calls, u64::MAX);
    assert_eq!(function(&sum, "state").blocks[0].count, u64::MAX);
    assert_eq!(function(&sum, "unused").blocks[0].count, u64::MAX - 1);
}

#[test]
fn processes_that_end_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let program = build(folder.path(), FLOW, &[]);
    let file = folder.path().join("own.profile");
    let mut children = Vec::new();
    for number in 0..24 {
        let mut command = match number % 3 {
            0 => {
                let mut command = native::bpf2native();
                command.args(["run", "--profile-generate"]).arg(&file).arg(native::fixture(FLOW));
                command
            }
            _ => Command::new(&program),
        };
        children.push(command.current_dir(folder.path()).stdout(std::process::Stdio::null()).spawn().unwrap());
    }
    assert!(children.into_iter().all(|mut child| child.wait().unwrap().success()));
    assert_eq!(function(&read(&file), "state").calls, 24 * 9);
}

#[test]
fn executables_of_each_machine_write_what_is_read_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let expected = counted(FLOW, &Config::new()).to_text();
    let host = Config::new().get_target().machine();
    let mut ran = 0;
    for (target, object) in
        [("x86_64", "flow.o"), ("aarch64", "flow.o"), ("riscv64", "flow.o"), ("s390x", "flow.be.o")]
    {
        let program = folder.path().join("program");
        let mut command = Command::new(&program);
        if target != host {
            let (emulator, linker) = (format!("qemu-{target}"), format!("{target}-linux-gnu-gcc"));
            if !native::has_tool(&emulator) || !native::has_tool(&linker) {
                continue;
            }
            command = Command::new(emulator);
            command.arg("-L").arg(format!("/usr/{target}-linux-gnu")).arg(&program);
        }
        build(folder.path(), &format!("coverage/{object}"), &["--target", target]);
        let written = folder.path().join("own.profile");
        for runs in 1..=2 {
            assert_eq!(native::output(command.current_dir(folder.path())), "28467\n");
            let profile = read(&written);
            assert_eq!(function(&profile, "state").calls, 9 * runs, "{target}");
            if runs == 1 && object == "flow.o" {
                assert_eq!(profile.to_text(), expected, "{target}");
            }
        }
        std::fs::remove_file(written).unwrap();
        ran += 1;
    }
    assert!(ran > 0);
}

#[test]
fn libraries_write_when_their_program_ends() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libflow.so");
    let mut command = native::bpf2native();
    command.current_dir(folder.path()).args(["--shared", "--profile-generate", "own.profile", "-o"]).arg(&library);
    native::output(command.arg(native::fixture(FLOW)));
    let source = folder.path().join("main.c");
    std::fs::write(&source, "int unused(int); int main(void) { return unused(1) != 2; }\n").unwrap();
    let program = folder.path().join("main");
    native::output(Command::new("cc").arg(&source).arg(&library).arg("-o").arg(&program));
    native::output(Command::new(&program).current_dir(folder.path()));
    let profile = read(&folder.path().join("own.profile"));
    assert_eq!((function(&profile, "unused").calls, function(&profile, "main").calls), (1, 0));
}

#[test]
fn coverage_and_a_profile_are_of_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let (info, alone) = (folder.path().join("both.info"), folder.path().join("alone.info"));
    let file = folder.path().join("both.profile");
    run(&file, &["--coverage", info.to_str().unwrap()]);
    let object = native::fixture(FLOW);
    native::output(native::bpf2native().args(["run", "--coverage"]).arg(&alone).arg(&object));
    let expected = std::fs::read_to_string(&alone).unwrap();
    assert_eq!(std::fs::read_to_string(&info).unwrap(), expected);
    assert_eq!(read(&file), counted(FLOW, &Config::new()));
    let program = build(folder.path(), FLOW, &["--coverage", "own.info"]);
    native::output(Command::new(program).current_dir(folder.path()));
    assert_eq!(std::fs::read_to_string(folder.path().join("own.info")).unwrap(), expected);
    assert_eq!(read(&folder.path().join("own.profile")), read(&file));
}

/// The code of an object, and the warnings.
fn code(object: &str, profile: Profile, threads: usize) -> (Vec<u8>, Vec<String>) {
    let program = Program::from_files([native::fixture(object)]).unwrap();
    let config = Config::for_target("x86_64".parse().unwrap()).profile(profile).threads(threads).clone();
    let object = emit::object(&program, &config, Purpose::Relocatable, "flow.o").unwrap();
    let of_profiles = object.warnings.iter().filter(|warning| warning.kind() == WarningKind::Profile);
    (object.bytes, of_profiles.map(ToString::to_string).collect())
}

#[test]
fn a_profile_of_another_version_is_used_where_it_fits() {
    let own = counted(FLOW, &Config::new());
    let (bytes, warnings) = code(FLOW, own.clone(), 1);
    assert_eq!(warnings, [""; 0]);
    assert_eq!(code(FLOW, own.clone(), 4).0, bytes, "whatever the number of threads");
    // One function has changed.
    let mut other = own.clone();
    let changed = other.functions.iter_mut().find(|function| function.name == "state").unwrap();
    changed.digest ^= 1;
    let (partly, warnings) = code(FLOW, other, 1);
    assert!(matches!(&warnings[..], [text] if text.contains("of another version of `state`,")), "{warnings:?}");
    // Without the function it is the same.
    let mut absent = own.clone();
    absent.functions.retain(|function| function.name != "state");
    assert_eq!(code(FLOW, absent, 1), (partly, Vec::new()));
    // All have.
    let (unused, warnings) = code(FLOW, counted("coverage/flow.O2.o", &Config::new()), 1);
    assert!(matches!(&warnings[..], [text] if text.contains("`collatz`")), "{warnings:?}");
    let config = Config::for_target("x86_64".parse().unwrap());
    let program = Program::from_files([native::fixture(FLOW)]).unwrap();
    let without = emit::object(&program, &config, Purpose::Relocatable, "flow.o").unwrap().bytes;
    assert!(unused == without, "what does not fit changes nothing");
    // A profile of something else.
    let mut renamed = own;
    renamed.functions.iter_mut().for_each(|function| function.name.push('2'));
    let (unused, warnings) = code(FLOW, renamed, 1);
    assert!(unused == without);
    assert!(matches!(&warnings[..], [text] if text.contains("no function of this program")), "{warnings:?}");
}

#[test]
fn what_never_ran_is_cold() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flow.profile");
    run(&file, &[]);
    let clif = |options: &[&str]| {
        let mut command = native::bpf2native();
        command.args(["--emit", "clif", "--function", "classify"]).args(options);
        native::output(command.arg(native::fixture(FLOW)))
    };
    assert!(!clif(&[]).contains(" cold"));
    let used = clif(&["--profile-use", file.to_str().unwrap()]);
    assert!(used.contains(" cold"), "{used}");
    assert_eq!(
        clif(&["--profile-use", file.to_str().unwrap(), "-Z", "no-cold-blocks"]).matches(" cold").count(),
        0
    );
    // Several are added up, and the program does the same.
    let file = file.to_str().unwrap();
    let mut command = native::bpf2native();
    command.args(["run", "--profile-use", file, "--profile-use", file]).arg(native::fixture(FLOW));
    assert_eq!(native::output(&mut command), "28467\n");
}

#[test]
fn what_is_no_profile_is_refused() {
    let error = |text: &str| Profile::parse(text.as_bytes()).unwrap_err();
    let line = |line, reason| ProfileError::Line { line, reason };
    let head = "bpf2native profile 1\n";
    assert_eq!(error(""), ProfileError::Other);
    assert_eq!(error("TN:\nSF:flow.c\n"), ProfileError::Other);
    assert_eq!(error("bpf2native profile 1"), ProfileError::Other);
    assert_eq!(error("bpf2native profile 2\nanything"), ProfileError::Version(2));
    assert_eq!(error(head), ProfileError::Truncated);
    assert_eq!(Profile::parse(b"bpf2native profile 1\n\xff\nend\n").unwrap_err(), ProfileError::Other);
    assert!(Profile::parse(format!("{head}end\n").as_bytes()).unwrap().functions.is_empty());
    assert_eq!(error(&format!("{head}end\nmore")), line(3, "nothing follows `end`"));
    let function = |text: &str| error(&format!("{head}{text}"));
    assert_eq!(
        function("block 1\n"),
        line(2, "a function is expected (`function DIGEST CALLS BLOCKS NAME`), or `end`")
    );
    for digest in ["12", "+00000000000000f", "000000000000000g", "00000000000000001"] {
        let text = format!("function {digest} 1 1 main\n");
        assert_eq!(function(&text), line(2, "the digest is no 16 hexadecimal digits"));
    }
    let digest = "function 0123456789abcdef";
    assert_eq!(function(&format!("{digest} -1 1 main\n")), line(2, "the number of calls is none"));
    assert_eq!(function(&format!("{digest} 1 x main\n")), line(2, "the number of blocks is none"));
    assert_eq!(function(&format!("{digest} 1 1\n")), line(2, "the name is missing"));
    let large = format!("{digest} 1 {} main\n0 1\nend\n", usize::MAX);
    assert_eq!(function(&large), line(2, "there are fewer lines than it has blocks"));
    for block in ["0", "0 1 ", "0  1", "0 x", "0 18446744073709551616", "end"] {
        let expected = line(3, "a block is expected (`START COUNT [OUTCOME ...]`)");
        assert_eq!(function(&format!("{digest} 1 1 main\n{block}\nend\n")), expected, "`{block}`");
    }
    let order = format!("{digest} 1 2 main\n4 1\n4 1\nend\n");
    assert_eq!(function(&order), line(4, "blocks are in the order of their first instructions"));
    assert_eq!(function(&format!("{digest} 1 1 main\n0 1\n")), ProfileError::Truncated);
    // Each beginning of a whole one is broken, and none is a panic.
    let whole = counted(FLOW, &Config::new()).to_text();
    assert!((0..whole.len()).all(|length| Profile::parse(&whole.as_bytes()[..length]).is_err()));
    assert_eq!(Profile::parse(&vec![b'x'; (256 << 20) + 1]), Err(ProfileError::TooLarge((256 << 20) + 1)));
}

#[test]
fn the_command_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let object = native::fixture(FLOW);
    let said = |arguments: &[&str], status: i32| {
        let output = native::bpf2native().current_dir(folder.path()).args(arguments).arg(&object).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        said
    };
    std::fs::write(folder.path().join("broken"), "bpf2native profile 1\nfunction\n").unwrap();
    for command in [&["run", "--profile-use", "broken"][..], &["--profile-use", "broken", "-c"]] {
        let said = said(command, 1);
        assert!(said.contains("cannot use the profile `broken`: line 2: the digest is no 16"), "{said}");
    }
    assert!(said(&["run", "--profile-use", "absent"], 1).contains("cannot read `absent`"));
    assert!(said(&["run", "--profile-generate", "absent/x"], 1).contains("cannot write the profile `absent/x`"));
    said(&["--emit", "asm", "--profile-generate", "x"], 2);
    // Never over an input.
    run(&folder.path().join("own"), &[]);
    said(&["-c", "--profile-use", "own", "-o", "own"], 2);
    said(&["run", "--profile-generate", object.to_str().unwrap()], 2);
    assert!(said(&["run", "--profile-use", "own", "--profile-generate", "own"], 2).contains("`own` is an input"));
}
