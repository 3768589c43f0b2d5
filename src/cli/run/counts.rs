//! `run --coverage FILE` and `--profile-generate FILE`: what ran, written as lcov, and added to a profile, when the program ends.
//!
//! In: a module that counts, and the files. The rules are those of profiles of clang's: `%p` in the file's name is the process, and
//! a process that a signal ends, or that leaves by `_exit`, writes nothing. A child process writes only where `%p` gives it a file of
//! its own. A profile is locked while it is added to, as executables do (`src/coverage/profile.c`).

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::Context;
use bpf2native::Module;
use bpf2native::profile::Profile;

use crate::cli::console::warn_of;
use crate::cli::outputs;

/// Where counts go.
pub struct CountFiles {
    coverage: Option<PathBuf>,
    profile: Option<PathBuf>,
    /// The process that they were given to.
    process: u32,
}

impl CountFiles {
    pub fn new(coverage: Option<&Path>, profile: Option<&Path>) -> CountFiles {
        let [coverage, profile] = [coverage, profile].map(|path| path.map(Path::to_owned));
        CountFiles { coverage, profile, process: process::id() }
    }

    /// Writes what ran of a module in this process.
    pub fn write(&self, module: &Module) -> anyhow::Result<()> {
        let counted = "the program does not count what runs";
        if let Some(path) = self.own(self.coverage.as_deref()) {
            let coverage = module.coverage().context(counted)?;
            outputs::write(&path, coverage.to_lcov().as_bytes())?;
        }
        if let Some(path) = self.own(self.profile.as_deref()) {
            let profile = module.profile().context(counted)?;
            add_to(&path, profile).with_context(|| format!("cannot write the profile `{}`", path.display()))?;
        }
        Ok(())
    }

    /// The file of this process, if it writes one.
    fn own(&self, given: Option<&Path>) -> Option<PathBuf> {
        let given = given?;
        let path = with_process(given);
        (process::id() == self.process || path != given).then_some(path)
    }
}

/// Adds a profile to the file of one of the same program; of another one, or of another version, it is replaced.
fn add_to(path: &Path, profile: Profile) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    // It is unlocked when it is closed.
    file.lock()?;
    let mut before = Vec::new();
    file.read_to_end(&mut before)?;
    let sum = match Profile::parse(&before) {
        Ok(mut sum) if sum.is_of_same_program(&profile) => {
            sum.merge(&profile);
            sum
        }
        _ => {
            if !before.is_empty() {
                warn_of(&format!("{} is no profile of this program, and is replaced", path.display()));
            }
            profile
        }
    };
    replace(&mut file, sum.to_text().as_bytes(), !before.is_empty())
}

/// Replaces what is in a file that is open; what has no size cannot be cut.
fn replace(file: &mut File, text: &[u8], is_cut: bool) -> io::Result<()> {
    if is_cut {
        file.set_len(0)?;
    }
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text)
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
