//! Standard output, and warnings.

use std::io::{self, Write};

use anyhow::Context;
use bpf2native::program::names;

/// Prints warnings to standard error.
pub fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("bpf2native: warning: {}", names::shown(warning));
    }
}

/// Writes text to standard output.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to standard output")
}
