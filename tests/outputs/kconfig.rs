//! `--kconfig`: values of the kernel's configuration in programs.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

use bpf2native::parse::{Input, Kconfig, Options, ParseError, parse};

use crate::native;

const CONFIG: &str = "#
# Automatically generated file; DO NOT EDIT.
# Linux/x86 6.12.48 Kernel Configuration
#
CONFIG_BPF=y
CONFIG_BPF=n
CONFIG_IPV6=m
CONFIG_LETTER=y
CONFIG_SMALL=0xff
CONFIG_SHORT=-5
CONFIG_HZ=250
# CONFIG_ABSENT is not set
CONFIG_NAME=\"abcdefgh\"
CONFIG_ARCH_HAS_SYSCALL_WRAPPER=y
";

const EXPECTED: &str = "60c30 1 1\n1 1 y 255\n-5 250 abcde 0\n";

fn written(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("config");
    fs::write(&path, text).unwrap();
    path
}

fn run(config: &Path) -> Output {
    let mut command = native::bpf2native();
    command.arg("run").arg("--kconfig").arg(config).arg(native::fixture("faults/kconfig-strong.o"));
    command.output().unwrap()
}

#[test]
fn variables_have_the_values_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let config = written(folder.path(), CONFIG);
    let output = run(&config);
    assert_eq!(String::from_utf8_lossy(&output.stdout), EXPECTED);
    assert!(output.status.success(), "a pointer in data leads to the same variable: {output:?}");
    let packed = folder.path().join("config.gz");
    let mut encoder =
        flate2::write::GzEncoder::new(fs::File::create(&packed).unwrap(), flate2::Compression::fast());
    encoder.write_all(CONFIG.as_bytes()).unwrap();
    encoder.finish().unwrap();
    assert_eq!(run(&packed).stdout, EXPECTED.as_bytes());
    // An executable, of either byte order.
    let build = |target: &str, object: &str| {
        let program = folder.path().join(target);
        let mut command = native::bpf2native();
        command.args(["--target", target, "--kconfig"]).arg(&config).arg(native::fixture(object)).arg("-o");
        native::output(command.arg(&program));
        program
    };
    if cfg!(target_arch = "x86_64") {
        let program = build("x86_64", "faults/kconfig-strong.o");
        assert_eq!(native::output(&mut std::process::Command::new(program)), EXPECTED);
    }
    if native::has_tool("qemu-s390x") && native::has_tool("s390x-linux-gnu-gcc") {
        let program = build("s390x", "faults/kconfig-strong.be.o");
        let mut command = std::process::Command::new("qemu-s390x");
        assert_eq!(native::output(command.args(["-L", "/usr/s390x-linux-gnu"]).arg(program)), EXPECTED);
    }
}

#[test]
fn what_is_not_configured_is_named_all_at_once() {
    let object = native::fixture("faults/kconfig-strong.o");
    let output = native::bpf2native().arg("run").arg(&object).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    for name in ["CONFIG_BPF", "CONFIG_IPV6", "CONFIG_HZ", "CONFIG_NAME"] {
        assert!(error.contains(&format!("`{name}`")), "{name}: {error}");
    }
    assert!(!error.contains("LINUX_"), "they stand in no configuration: {error}");
    assert!(!error.contains("CONFIG_ABSENT") && !error.contains("CONFIG_SMALL"), "weak ones are 0: {error}");
    assert_eq!(error.matches("--kconfig").count(), 1, "{error}");
    // With a configuration, what is not in it.
    let folder = tempfile::tempdir().unwrap();
    let output = run(&written(folder.path(), &CONFIG.replace("CONFIG_HZ=", "CONFIG_OTHER=")));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("1 undefined symbol:") && error.contains("`CONFIG_HZ`"), "{error}");
    // The same where the linker finds out.
    let output = native::bpf2native().arg(&object).arg("-o").arg(folder.path().join("program")).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("`CONFIG_HZ`") && error.contains("--kconfig"), "{error}");
}

/// What stands in no configuration is that of the runtime's kernel, unless the configuration is of another one.
#[test]
fn the_kernels_version_without_a_configuration_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let first_line = |config: &str| {
        let output = run(&written(folder.path(), config));
        String::from_utf8(output.stdout).unwrap().lines().next().unwrap_or_default().to_owned()
    };
    let fragment = CONFIG.replace("# Linux/x86 6.12.48", "#").replace("CONFIG_ARCH_HAS_SYSCALL_WRAPPER=y\n", "");
    assert_eq!(first_line(&fragment), "61200 1 1");
    let whole = CONFIG.replace("6.12.48", "5.14.0").replace("CONFIG_ARCH_HAS_SYSCALL_WRAPPER=y\n", "");
    assert_eq!(first_line(&whole), "50e00 0 0");
    // Without the runtime there is no such kernel.
    let mut command = native::bpf2native();
    let output = command.args(["run", "--no-runtime"]).arg(native::fixture("faults/kconfig-strong.o")).output();
    let error = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(error.contains("`LINUX_KERNEL_VERSION`"), "{error}");
}

#[test]
fn values_that_do_not_fit_are_errors() {
    let bytes = fs::read(native::fixture("faults/kconfig-strong.o")).unwrap();
    let parsed = |line: &str| {
        let mut options = Options::default();
        // The first line of a name counts.
        options.kconfig = Some(Kconfig::parse(&format!("{line}\n{CONFIG}")));
        parse(&[Input { name: "x.o".to_owned(), bytes: bytes.clone() }], &options)
    };
    for line in [
        "CONFIG_BPF=m",
        "CONFIG_BPF=2",
        "CONFIG_IPV6=1",
        "CONFIG_IPV6=\"y\"",
        "CONFIG_LETTER=128",
        "CONFIG_LETTER=abc",
        "CONFIG_SMALL=256",
        "CONFIG_SMALL=-1",
        "CONFIG_SHORT=32768",
        "CONFIG_SHORT=-32769",
        "CONFIG_SHORT=y",
        "CONFIG_HZ=",
        "CONFIG_HZ=1 2",
        "CONFIG_NAME=abc",
        "CONFIG_NAME=\"",
        "LINUX_KERNEL_VERSION=0x100000000",
    ] {
        let name = line.split('=').next().unwrap();
        match parsed(line) {
            Err(ParseError::Kconfig { file, name: found, what }) => {
                assert_eq!((file.as_str(), found.as_str()), ("x.o", name), "{line}: {what}");
            }
            other => panic!("{line}: {:?}", other.map(|_| ())),
        }
    }
    for line in [
        "CONFIG_BPF=1",
        "CONFIG_IPV6=n",
        "CONFIG_LETTER=-128",
        "CONFIG_SMALL=0",
        "CONFIG_SHORT=-32768",
        "CONFIG_HZ=0xffffffffffffffff",
        "CONFIG_NAME=\"\"",
        "LINUX_KERNEL_VERSION=0x7fffffff",
    ] {
        assert!(parsed(line).is_ok(), "{line}");
    }
}

#[test]
fn what_is_no_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let said = |config: &Path| {
        let output = run(config);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(&written(folder.path(), "hello\n")).contains("is no kernel configuration"));
    assert!(said(&folder.path().join("absent")).contains("cannot read"));
    let damaged = folder.path().join("damaged.gz");
    fs::write(&damaged, [0x1f, 0x8b, 8, 0, 1, 2, 3]).unwrap();
    assert!(said(&damaged).contains("cannot unpack"));
}
