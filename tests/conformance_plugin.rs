//! The conformance plugin, called as the bpf_conformance suite calls it: a process for each program, hex on standard
//! input, each byte with two blanks behind it.

mod support;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use support::asm::assemble;
use support::cases::{self, Case};
use support::elf;

/// Examples are built beside the tests, but only when all targets are: this makes sure that it is there and new.
fn plugin() -> &'static Path {
    static PLUGIN: LazyLock<PathBuf> = LazyLock::new(|| {
        let test = std::env::current_exe().expect("the test is a file");
        let folder = test.ancestors().nth(2).expect("tests are in a folder of the profile's");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--example", "conformance_plugin"]);
        cargo.args(if folder.ends_with("release") { &["--release"][..] } else { &[] });
        cargo.arg("--target-dir").arg(folder.parent().expect("a target folder"));
        let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo starts");
        assert!(status.success(), "the plugin cannot be built");
        folder.join("examples/conformance_plugin").with_extension(std::env::consts::EXE_EXTENSION)
    });
    &PLUGIN
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}  ").expect("a string takes all");
    }
    text
}

fn call(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(plugin());
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the plugin is built");
    let mut stdin = child.stdin.take().expect("it has a standard input");
    // A plugin that refuses its arguments reads nothing.
    let _ = writeln!(stdin, "{input}");
    drop(stdin);
    child.wait_with_output().expect("the plugin ends")
}

/// As the suite's runner: the memory only when there is some, then the options.
fn run(memory: &[u8], options: &[&str], code: &[u8]) -> Output {
    let memory = hex(memory);
    let mut arguments: Vec<&str> = if memory.is_empty() { Vec::new() } else { vec![&memory] };
    arguments.extend(options);
    call(&arguments, &hex(code))
}

/// The value that the suite reads from the output; the status must be 0.
fn value(output: &Output) -> Result<u64, String> {
    let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        return Err(format!("{}: {error}", output.status));
    }
    u64::from_str_radix(text.trim_end(), 16).map_err(|_| format!("it printed `{text}`"))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/isa")
}

/// One case of each block of the table: what a process each can do in little time.
fn sample() -> Vec<Case> {
    let mut table = cases::read(&folder()).unwrap_or_else(|error| panic!("{error}"));
    let block = |case: &Case| case.name.split([' ', '/']).next().unwrap_or_default().to_owned();
    table.dedup_by_key(|case| block(case));
    // The plugin has helper 5 only.
    table.retain(|case| !case.code.chunks(8).any(|slot| slot[..5] == [0x85, 0, 0, 0, 6]));
    table
}

#[test]
fn programs_in_every_mode() {
    let mut failures = Vec::new();
    for case in sample() {
        let elf = elf::object_of(&[("main", &case.code)]);
        let modes: [(&[&str], &[u8]); 4] = [
            (&[], &case.code),
            (&["--jit", "--debug"], &case.code),
            (&["--elf"], &elf),
            (&["--aot", "--elf"], &elf),
        ];
        for (options, bytes) in modes {
            match value(&run(&case.memory, options, bytes)) {
                Ok(r0) if r0 == case.r0 => {}
                Ok(r0) => failures.push(format!("{} {options:?}: {r0:#x}, not {:#x}", case.name, case.r0)),
                Err(error) => failures.push(format!("{} {options:?}: {error}", case.name)),
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn illegal_encodings_end_with_a_message_and_status_1() {
    let programs = cases::encodings(&folder().join("illegal.hex")).unwrap_or_else(|error| panic!("{error}"));
    let mut failures = Vec::new();
    for (name, code) in programs {
        let output = run(&[], &[], &code);
        if output.status.code() != Some(1) || output.stderr.is_empty() || !output.stdout.is_empty() {
            failures.push(format!("{name}: {}", output.status));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn output_is_all_64_bits_in_hex() {
    let code = assemble("r0 = 0xfedcba9876543210 ll\nexit").expect("it assembles");
    assert_eq!(run(&[], &[], &code).stdout, b"fedcba9876543210\n");
    let code = assemble("r0 = 0\nexit").expect("it assembles");
    assert_eq!(run(&[], &[], &code).stdout, b"0\n");
}

#[test]
fn the_program_as_an_argument() {
    let code = hex(&assemble("r0 = *(u8 *)(r1 + 1)\nr0 += r2\nexit").expect("it assembles"));
    for arguments in [
        vec!["01 02 03", "--program", &code],
        vec!["010203", "--jit", "--program", &code],
        vec!["01 02 03", "--program", &code, "--debug"],
    ] {
        assert_eq!(value(&call(&arguments, "")), Ok(5), "{arguments:?}");
    }
}

/// An older runner passes empty arguments where there is nothing.
#[test]
fn empty_arguments_are_none() {
    let code = hex(&assemble("r0 = r1\nr0 |= r2\nexit").expect("it assembles"));
    assert_eq!(value(&call(&["", ""], &code)), Ok(0));
}

#[test]
fn helpers_without_a_meaning_are_named() {
    let code = assemble("call 1\nexit").expect("it assembles");
    for options in [&["--jit"], &["--aot"]] {
        let output = run(&[], options, &code);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("map_lookup_elem"), "{message}");
    }
}

#[test]
fn what_is_no_hex_and_no_option_is_refused() {
    assert_eq!(call(&[], "95 00 0").status.code(), Some(1));
    assert_eq!(call(&[], "").status.code(), Some(1));
    assert_eq!(call(&["--jti"], "95 00 00 00 00 00 00 00").status.code(), Some(2));
    assert_eq!(call(&["zz"], "95 00 00 00 00 00 00 00").status.code(), Some(2));
}
