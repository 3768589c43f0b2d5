//! `run --coverage FILE`: what ran, written as lcov when the program ends.
//!
//! In: a module that counts, and the file. The rules are those of profiles of clang's: `%p` in the file's name is the process, and
//! a process that a signal ends, or that leaves by `_exit`, writes nothing. A child process writes only where `%p` gives it a file of
//! its own.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::Context;
use bpf2native::Module;

use crate::cli::outputs;

/// Where coverage goes.
pub struct CoverageFile {
    /// As given.
    path: PathBuf,
    /// The process that it was given to.
    process: u32,
}

impl CoverageFile {
    pub fn new(path: &Path) -> CoverageFile {
        CoverageFile { path: path.to_owned(), process: process::id() }
    }

    /// Writes what ran of a module in this process.
    pub fn write(&self, module: &Module) -> anyhow::Result<()> {
        let path = with_process(&self.path);
        if process::id() != self.process && path == self.path {
            return Ok(());
        }
        let coverage = module.coverage().context("the program does not count what runs")?;
        outputs::write(&path, coverage.to_lcov().as_bytes())
    }
}

/// The path, with the process's id in place of `%p`.
fn with_process(path: &Path) -> PathBuf {
    let id = process::id().to_string();
    let mut name = Vec::new();
    let mut rest = path.as_os_str().as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        match behind.strip_prefix(b"p") {
            Some(behind) if first == b'%' => {
                name.extend(id.bytes());
                rest = behind;
            }
            _ => {
                name.push(first);
                rest = behind;
            }
        }
    }
    OsString::from_vec(name).into()
}
