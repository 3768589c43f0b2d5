//! The map by which Linux `perf` names code in memory (`tools/perf/Documentation/jit-interface.txt`).
//!
//! In: names and addresses. Out: lines of `/tmp/perf-<pid>.map`, each `start size name` with hexadecimal numbers.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::symbol::Symbol;

/// The file that `perf` reads.
pub(super) fn path() -> PathBuf {
    PathBuf::from(format!("/tmp/perf-{}.map", std::process::id()))
}

/// Adds the functions of one program: in one write, so that programs loaded at the same time do not mix.
///
/// # Errors
///
/// If the file cannot be written, or is a link that someone else may have put there.
pub(super) fn append(symbols: &[Symbol]) -> io::Result<()> {
    let mut text = String::new();
    for symbol in symbols {
        let _ = writeln!(text, "{:x} {:x} {}", symbol.address, symbol.size, symbol.name);
    }
    let mut file = OpenOptions::new().append(true).create(true).custom_flags(libc::O_NOFOLLOW).open(path())?;
    file.write_all(text.as_bytes())
}
