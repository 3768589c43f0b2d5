//! Standard output, and warnings.

use std::io::{self, Write};

use anyhow::Context;
use bpf2native::Warning;
use bpf2native::program::names;

/// Prints warnings to standard error.
pub fn warn(warnings: &[Warning]) {
    warnings.iter().for_each(|warning| warn_of(warning.text()));
}

/// Prints what is odd, as a warning.
pub fn warn_of(text: &str) {
    eprintln!("bpf2native: warning: {}", names::shown(text));
}

/// Writes text to standard output.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to standard output")
}
