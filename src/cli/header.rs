//! The folder that has `bpf2native.h`, for `cflags`: the header is embedded in the command, which may be installed alone.
//!
//! | tried in this order | written |
//! |---|---|
//! | the folder of `--header-dir` | unless it has this header |
//! | `../include/bpf2native` from the command's folder, where a package puts it | never: another header there is passed over |
//! | `$XDG_CACHE_HOME/bpf2native/include-HASH`, or the same in `~/.cache` | unless it is there |
//!
//! The hash is the header's, so the folders of two versions are two, and the flags are the same each time. Without a
//! cache that can be written, the flags name no such folder, and a note says so.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

const NAME: &str = "bpf2native.h";
const HEADER: &str = include_str!("../../include/bpf2native.h");

/// The folder to search for the header, which is there.
pub fn folder(wanted: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    if let Some(folder) = wanted {
        write(folder).with_context(|| format!("cannot write `{}`", folder.join(NAME).display()))?;
        return Ok(Some(folder.to_owned()));
    }
    if let Some(folder) = installed().filter(|folder| has_header(folder)) {
        return Ok(Some(folder));
    }
    let Some(folder) = cache() else {
        eprintln!("note: no folder for {NAME}, since neither XDG_CACHE_HOME nor HOME is set: see --header-dir");
        return Ok(None);
    };
    match write(&folder) {
        Ok(()) => Ok(Some(folder)),
        Err(error) => {
            eprintln!("note: cannot write `{}`: {error}: see --header-dir", folder.join(NAME).display());
            Ok(None)
        }
    }
}

/// Where a package has it.
fn installed() -> Option<PathBuf> {
    let command = env::current_exe().ok()?;
    Some(command.parent()?.parent()?.join("include/bpf2native"))
}

fn cache() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join(format!("bpf2native/include-{:016x}", hash(HEADER.as_bytes()))))
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

fn has_header(folder: &Path) -> bool {
    fs::read(folder.join(NAME)).is_ok_and(|found| found == HEADER.as_bytes())
}

/// Puts the header there, whole at once: a compiler may be reading it.
fn write(folder: &Path) -> io::Result<()> {
    if has_header(folder) {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    let new = folder.join(format!("{NAME}.{}", std::process::id()));
    let written = fs::write(&new, HEADER).and_then(|()| fs::rename(&new, folder.join(NAME)));
    if written.is_err() {
        // It may not be there at all; what matters is the first error.
        let _ = fs::remove_file(&new);
    }
    written
}
