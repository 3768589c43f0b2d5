//! Where results go: to standard output or to files, and never over an input.
//!
//! In: paths of the command line. Out: a usage error before anything is written, or files (see [`bpf2native::files`]).

use std::path::{Path, PathBuf};

use anyhow::Context;
use bpf2native::files;

use super::console::print;
use super::errors::WrongOptions;

/// Refuses outputs that are inputs or each other, also by other names and links.
pub fn check<'a>(outputs: &[&Path], inputs: impl IntoIterator<Item = &'a Path>) -> anyhow::Result<()> {
    let inputs: Vec<&Path> = inputs.into_iter().collect();
    for (number, output) in outputs.iter().enumerate() {
        if let Some(input) = inputs.iter().find(|input| is_read(input, output)) {
            let (output, input) = (output.display(), input.display());
            let which = if output.to_string() == input.to_string() { String::new() } else { format!(" `{input}`") };
            return Err(WrongOptions(format!("`{output}` is an input{which}: name another output")).into());
        }
        let is_same = |other: &&&Path| files::is_same(output, other) || output == *other;
        if let Some(other) = outputs[..number].iter().find(is_same) {
            let (output, other) = (output.display(), other.display());
            return Err(WrongOptions(format!("`{other}` and `{output}` are the same file, for two outputs")).into());
        }
    }
    Ok(())
}

/// Whether a file is an input, or an object in a folder that is one.
fn is_read(input: &Path, output: &Path) -> bool {
    if files::is_same(input, output) {
        // A terminal may be both.
        return output.is_file();
    }
    let (Ok(folder), Ok(output)) = (input.canonicalize(), output.canonicalize()) else { return false };
    input.is_dir() && output.starts_with(folder) && output.extension().is_some_and(|extension| extension == "o")
}

/// Reads an input.
pub fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    files::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

/// Writes a file.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    files::write(path, bytes).with_context(|| format!("cannot write `{}`", path.display()))
}

/// The file that `-o` names; none for `-`, which is standard output.
pub fn file(output: Option<&PathBuf>) -> Option<&Path> {
    output.map(PathBuf::as_path).filter(|path| path.as_os_str() != "-")
}

/// Writes text to the file that `-o` names, or to standard output.
pub fn write_text(output: Option<&PathBuf>, text: &str) -> anyhow::Result<()> {
    match file(output) {
        Some(path) => write(path, text.as_bytes()),
        None => print(text),
    }
}
