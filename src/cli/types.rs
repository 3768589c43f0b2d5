//! `--btf` and `--btf-base`: the types for CO-RE relocations.
//!
//! In: the files' names. Out: [`Btf`], and the bytes that it was read from. The rule: errors name the file, and the option that is
//! missing or too many.

use std::path::{Path, PathBuf};

use anyhow::Context;
use bpf2native::btf::{Btf, BtfError};
use clap::Args;

use super::outputs;

#[derive(Args)]
pub struct Types {
    /// Apply CO-RE relocations for the types in this BTF (raw, or in an ELF file)
    #[arg(long, value_name = "FILE")]
    pub btf: Option<PathBuf>,
    /// The base BTF, where that of --btf is split: for a kernel module, the kernel's
    #[arg(long, value_name = "FILE", requires = "btf")]
    pub btf_base: Option<PathBuf>,
}

impl Types {
    /// The files that are read.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.btf.iter().chain(&self.btf_base).map(PathBuf::as_path)
    }

    /// The types, and the bytes of all files that they are from; none if there is no `--btf`.
    pub fn read(&self) -> anyhow::Result<Option<(Btf, Vec<u8>)>> {
        let Some(path) = &self.btf else { return Ok(None) };
        let mut bytes = outputs::read(path)?;
        let name = path.display();
        let Some(base_path) = &self.btf_base else {
            let btf = Btf::from_file_bytes(&bytes).or_else(|error| match error {
                BtfError::NeedsBase => Err(anyhow::anyhow!(
                    "`{name}` is split BTF, which needs the BTF that it is based on: add --btf-base FILE (for a \
                     kernel module's, /sys/kernel/btf/vmlinux)"
                )),
                error => Err(error).with_context(|| format!("cannot read the BTF of `{name}`")),
            })?;
            return Ok(Some((btf, bytes)));
        };
        let base_bytes = outputs::read(base_path)?;
        let base = Btf::from_file_bytes(&base_bytes)
            .with_context(|| format!("cannot read the BTF of `{}`", base_path.display()))?;
        let btf = Btf::from_file_bytes_on(&bytes, Some(&base)).or_else(|error| match error {
            BtfError::NoBase => Err(anyhow::anyhow!("`{name}` is not split BTF: leave --btf-base out")),
            // Type numbers and string offsets that the base does not have.
            BtfError::Type(_) | BtfError::String { .. } | BtfError::BaseByteOrder => {
                Err(error).with_context(|| format!("`{name}` is not based on `{}`", base_path.display()))
            }
            error => Err(error).with_context(|| format!("cannot read the BTF of `{name}`")),
        })?;
        bytes.extend(base_bytes);
        Ok(Some((btf, bytes)))
    }
}
