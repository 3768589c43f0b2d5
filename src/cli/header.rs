//! The folder that has `bpf2native.h` and the other headers, for `cflags`: they are embedded in the command, which may be installed
//! alone.
//!
//! | tried in this order | written |
//! |---|---|
//! | the folder of `--header-dir` | unless it has these headers |
//! | `../include/bpf2native` from the command's folder, where a package puts it | never: a folder with other headers is passed over |
//! | `$XDG_CACHE_HOME/bpf2native/include-HASH`, or the same in `~/.cache` | unless it is there |
//!
//! The hash is the headers', so the folders of two versions are two, and the flags are the same each time. Without a
//! cache that can be written, the flags name no such folder, and a note says so.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// What errors call them.
const NAME: &str = "bpf2native.h";

/// A header of `include/`, with its name.
macro_rules! header {
    ($name:literal) => {
        ($name, include_str!(concat!("../../include/", $name)))
    };
}

const HEADERS: [(&str, &str); 7] = [
    header!("bpf2native.h"),
    header!("bpf2native_builtins.h"),
    header!("bpf2native_libbpf.h"),
    header!("bpf2native_packet.h"),
    header!("bpf2native_runtime.h"),
    header!("bpf2native_script.h"),
    header!("bpf2native_test.h"),
];

/// The folder to search for the headers, which are there.
pub fn folder(wanted: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    if let Some(folder) = wanted {
        write(folder).with_context(|| format!("cannot write `{}`", folder.join(NAME).display()))?;
        return Ok(Some(folder.to_owned()));
    }
    if let Some(folder) = installed().filter(|folder| has_headers(folder)) {
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
    Some(base.join(format!("bpf2native/include-{:016x}", hash())))
}

/// FNV-1a of all headers.
fn hash() -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    HEADERS.iter().flat_map(|(_, text)| text.bytes()).fold(0xcbf2_9ce4_8422_2325, step)
}

fn has_headers(folder: &Path) -> bool {
    HEADERS.iter().all(|header| has_header(folder, header))
}

fn has_header(folder: &Path, (name, text): &(&str, &str)) -> bool {
    fs::read(folder.join(name)).is_ok_and(|found| found == text.as_bytes())
}

/// Puts the headers there, each whole at once: a compiler may be reading it.
fn write(folder: &Path) -> io::Result<()> {
    HEADERS.iter().filter(|header| !has_header(folder, header)).try_for_each(|header| write_one(folder, header))
}

fn write_one(folder: &Path, (name, text): &(&str, &str)) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let new = folder.join(format!("{name}.{}", std::process::id()));
    let written = fs::write(&new, text).and_then(|()| fs::rename(&new, folder.join(name)));
    if written.is_err() {
        // It may not be there at all; what matters is the first error.
        let _ = fs::remove_file(&new);
    }
    written
}
