//! Options and libraries of programs with a kernel half (`docs/scripts.md`).
//!
//! In: what the command line says, the program. Out: the words that its driver gets before its arguments, and how libbpf is found. The
//! rule: the driver reads its options itself; those of `run` are passed on.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use bpf2native::{Linker, Program};
use clap::Args;

use super::errors::Usage;

/// The name of libbpf's interface, version 1.
const LIBBPF: &str = ":libbpf.so.1";

/// The options of `run` for scripts with a kernel half.
#[derive(Args)]
#[command(next_help_heading = "Scripts with a kernel half")]
pub struct ScriptOptions {
    /// Watch this process, until it ends, in place of a workload
    #[arg(short, long, value_name = "PID", conflicts_with = "entry")]
    pub pid: Option<OsString>,
    /// Watch all processes
    #[arg(short, long, conflicts_with = "entry")]
    pub all: bool,
    /// Say what is loaded and attached, with the verifier's log of what is refused
    #[arg(short, long, conflicts_with = "entry")]
    pub verbose: bool,
    /// Stop after this time: 5, 5s, 100ms, 2m
    #[arg(long, value_name = "TIME", conflicts_with = "entry")]
    pub duration: Option<OsString>,
    /// Set a variable that is `const volatile`, or has an initial value, before the kernel half is loaded
    #[arg(long = "set", value_name = "NAME=VALUE", conflicts_with = "entry")]
    pub settings: Vec<OsString>,
    /// Attach XDP programs to this interface
    #[arg(short, long, value_name = "NAME", conflicts_with = "entry")]
    pub interface: Option<OsString>,
    /// Run BEGIN and END without the kernel half, with maps of their own
    #[arg(long, conflicts_with = "entry")]
    pub no_kernel: bool,
}

impl ScriptOptions {
    /// As words for the driver.
    fn words(&self) -> Vec<OsString> {
        let mut words = Vec::new();
        let mut add = |option: &str, value: Option<&OsString>| {
            words.push(OsString::from(option));
            words.extend(value.cloned());
        };
        self.pid.iter().for_each(|pid| add("--pid", Some(pid)));
        if self.all {
            add("--all", None);
        }
        if self.verbose {
            add("--verbose", None);
        }
        self.duration.iter().for_each(|time| add("--duration", Some(time)));
        self.settings.iter().for_each(|setting| add("--set", Some(setting)));
        self.interface.iter().for_each(|name| add("--interface", Some(name)));
        words
    }

    /// The arguments of a program: those of the command line, and for a script's driver its options before them.
    ///
    /// # Errors
    ///
    /// For options without a script that has them.
    pub fn arguments(&self, program: &Program, given: &[OsString]) -> anyhow::Result<Vec<OsString>> {
        let words = self.words();
        if !words.is_empty() && program.halves.as_ref().is_none_or(|halves| halves.driver.is_none()) {
            return Err(Usage(
                "-p, -a, -v, -i, --duration and --set are for scripts with a kernel half: kernel programs, and INIT, BEGIN, \
                 EVENT, TIMER or END; a program's own options go behind `--`",
            )
            .into());
        }
        Ok(words.into_iter().chain(given.iter().cloned()).collect())
    }
}

/// Opens libbpf for a program that loads its kernel half.
pub fn open_libbpf(program: &Program, linker: &mut Linker) -> anyhow::Result<()> {
    if program.halves.is_none() {
        return Ok(());
    }
    // SAFETY: libbpf does nothing when it is loaded.
    let opened = unsafe { linker.named_library(LIBBPF, &[]) };
    opened
        .map(|_| ())
        .context("the kernel half is loaded by libbpf 1, which is not installed: install `libbpf1`, or `libbpf`")
}

/// The libraries that a program which loads its kernel half is linked with, before those that are given.
pub fn libraries(program: &Program, linker: &Path, arguments: &[OsString]) -> Vec<String> {
    if program.halves.is_none() {
        return Vec::new();
    }
    let is_static =
        arguments.iter().any(|word| matches!(word.to_str(), Some("-static" | "--static" | "-static-pie")));
    if !is_static {
        return vec![LIBBPF.to_owned()];
    }
    let mut libraries = ["bpf", "elf", "z"].map(str::to_owned).to_vec();
    if finds(linker, "libzstd.a") {
        libraries.push("zstd".to_owned());
    }
    libraries
}

/// Whether the C compiler that links knows a library; it gives back the name of one that it does not.
fn finds(linker: &Path, file: &str) -> bool {
    let said = Command::new(linker).arg(format!("-print-file-name={file}")).output();
    said.is_ok_and(|said| PathBuf::from(String::from_utf8_lossy(&said.stdout).trim()).is_absolute())
}
