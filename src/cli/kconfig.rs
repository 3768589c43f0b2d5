//! `--kconfig`: the kernel's configuration, for variables of `.kconfig`.
//!
//! In: the file's name. Out: [`Kconfig`]. The rule: a file that is packed is unpacked, and one that is no configuration is an error.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bpf2native::parse::Kconfig;
use clap::Args;
use flate2::read::GzDecoder;

use super::outputs;

/// What a gzip file begins with (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Bytes of the largest configuration; that of a distribution has 300 kB.
const LARGEST: u64 = 1 << 26;

#[derive(Args)]
pub struct KconfigOption {
    /// Take the values of `.kconfig` variables from this kernel configuration: /proc/config.gz, /boot/config-VERSION
    #[arg(long = "kconfig", value_name = "FILE")]
    pub file: Option<PathBuf>,
}

impl KconfigOption {
    /// The configuration, if there is one.
    pub fn read(&self) -> anyhow::Result<Option<Kconfig>> {
        self.file.as_deref().map(read).transpose()
    }
}

fn read(path: &Path) -> anyhow::Result<Kconfig> {
    let mut bytes = outputs::read(path)?;
    let name = path.display();
    if bytes.starts_with(&GZIP) {
        let mut plain = Vec::new();
        let unpacked = GzDecoder::new(&*bytes).take(LARGEST + 1).read_to_end(&mut plain);
        unpacked.with_context(|| format!("cannot unpack `{name}`"))?;
        bytes = plain;
    }
    if bytes.len() as u64 > LARGEST {
        anyhow::bail!("`{name}` is no kernel configuration: it has more than {} MiB", LARGEST >> 20);
    }
    let text = String::from_utf8_lossy(&bytes);
    if !text.lines().any(|line| line.starts_with("CONFIG_") || line.starts_with("LINUX_")) {
        anyhow::bail!("`{name}` is no kernel configuration: it has no line `CONFIG_NAME=value`");
    }
    Ok(Kconfig::parse(&text))
}
