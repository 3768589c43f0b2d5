//! Search for libraries, as a linker does for `-lNAME`.
//!
//! In: the name and the folders of `-L`. Out: files that the system's loader opens.
//!
//! | found | opened |
//! |---|---|
//! | a shared library | it |
//! | an archive | a shared library that the C compiler makes of all its members |
//! | a linker script (text: `INPUT`, `GROUP`, `AS_NEEDED`) | what it names, in order |
//!
//! Folders are searched in order, each for `libNAME.so` and then for `libNAME.a`; then those where GNU ld looks by
//! itself. `-l:FILE` is a file of that name. What is in none of them, the loader may find by its own configuration.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempPath;

use super::error::LinkerError;
use crate::files;

/// How deep linker scripts may name linker scripts.
const MAX_SCRIPTS: usize = 8;

/// The start of an archive.
const ARCHIVE: &[u8] = b"!<arch>\n";
/// The start of an ELF file.
const ELF: &[u8] = b"\x7fELF";

/// A file for the loader.
pub(super) enum Found {
    /// A library, or a name that the loader may know.
    Library(PathBuf),
    /// A temporary one, which is removed once it is open.
    Made(TempPath),
}

impl Found {
    /// Its path.
    pub(super) fn path(&self) -> &Path {
        match self {
            Found::Library(path) => path,
            Found::Made(path) => path,
        }
    }
}

/// Finds `-lNAME`.
pub(super) fn find(name: &str, folders: &[PathBuf]) -> Result<Vec<Found>, LinkerError> {
    let mut found = Vec::new();
    Search { folders }.add_named(name, &mut found, 0)?;
    Ok(found)
}

struct Search<'a> {
    folders: &'a [PathBuf],
}

impl Search<'_> {
    fn add_named(&self, name: &str, found: &mut Vec<Found>, depth: usize) -> Result<(), LinkerError> {
        let names = match name.strip_prefix(':') {
            Some(file) => vec![file.to_owned()],
            None => vec![format!("lib{name}.so"), format!("lib{name}.a")],
        };
        let folders = self.folders.iter().cloned().chain(default_folders());
        let path =
            folders.flat_map(|folder| names.iter().map(move |name| folder.join(name))).find(|path| path.is_file());
        match path {
            Some(path) => self.add_file(&path, found, depth),
            None => {
                found.push(Found::Library(names.into_iter().next().unwrap_or_default().into()));
                Ok(())
            }
        }
    }

    fn add_file(&self, path: &Path, found: &mut Vec<Found>, depth: usize) -> Result<(), LinkerError> {
        let failed = |reason: String| LinkerError::Library { name: path.display().to_string(), reason };
        let mut head = [0; ARCHIVE.len()];
        let length = File::open(path)
            .and_then(|mut file| file.read(&mut head))
            .map_err(|error| failed(error.to_string()))?;
        let head = &head[..length];
        if head == ARCHIVE {
            found.push(Found::Made(shared(path).map_err(failed)?));
        } else if head.starts_with(ELF) {
            found.push(Found::Library(path.to_owned()));
        } else {
            let text = files::read(path).map_err(|error| failed(error.to_string()))?;
            let text = String::from_utf8(text)
                .map_err(|_| failed("it is no library, archive or linker script".to_owned()))?;
            if depth == MAX_SCRIPTS {
                return Err(failed("linker scripts name each other".to_owned()));
            }
            let parent = path.parent().unwrap_or(Path::new(""));
            for word in script_inputs(&text) {
                match word.strip_prefix("-l") {
                    Some(name) => self.add_named(name, found, depth + 1)?,
                    None => {
                        let input = parent.join(word);
                        // An archive in a script has static parts of a library, which the process already has.
                        if input.extension().is_none_or(|extension| extension != "a") {
                            self.add_file(&input, found, depth + 1)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// The inputs of a linker script, in order. Other commands and comments are skipped.
fn script_inputs(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("/*") {
        plain.push_str(before);
        plain.push(' ');
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    let spaced = plain.replace('(', " ( ").replace(')', " ) ").replace([',', ';'], " ");
    let mut inputs = Vec::new();
    // For each open parenthesis, whether it holds inputs.
    let mut open: Vec<bool> = Vec::new();
    let mut previous = "";
    for word in spaced.split_whitespace() {
        match word {
            "(" => open.push(matches!(previous, "INPUT" | "GROUP" | "AS_NEEDED")),
            ")" => drop(open.pop()),
            "AS_NEEDED" => {}
            word if open.last() == Some(&true) => inputs.push(word.trim_matches('"').to_owned()),
            _ => {}
        }
        previous = word;
    }
    inputs
}

/// The default folders of GNU ld.
fn default_folders() -> Vec<PathBuf> {
    let machine = std::env::consts::ARCH;
    let multiarch =
        ["/usr/local/lib", "/lib", "/usr/lib"].map(|folder| PathBuf::from(format!("{folder}/{machine}-linux-gnu")));
    let plain =
        ["/usr/local/lib64", "/lib64", "/usr/lib64", "/usr/local/lib", "/lib", "/usr/lib"].map(PathBuf::from);
    multiarch.into_iter().chain(plain).collect()
}

/// Links an archive into a shared library.
fn shared(archive: &Path) -> Result<TempPath, String> {
    let made =
        tempfile::Builder::new().suffix(".so").tempfile().map_err(|error| error.to_string())?.into_temp_path();
    let mut command = Command::new("cc");
    command
        .args(["-shared", "-o"])
        .arg(&made)
        .arg("-Wl,--whole-archive")
        .arg(archive)
        .arg("-Wl,--no-whole-archive");
    let advice = "it is an archive, which `cc` has to make a shared library of";
    let output = command.output().map_err(|error| format!("{advice}: cannot run `cc`: {error}"))?;
    if !output.status.success() {
        return Err(format!("{advice}:\n{}", String::from_utf8_lossy(&output.stderr).trim_end()));
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_name_their_inputs() {
        let libm = "/* GNU ld script\n*/\nOUTPUT_FORMAT(elf64-x86-64)\n\
                    GROUP ( /lib/libm.so.6  AS_NEEDED ( /lib/libmvec.so.1 ) )\n";
        assert_eq!(script_inputs(libm), ["/lib/libm.so.6", "/lib/libmvec.so.1"]);
        assert_eq!(script_inputs("INPUT(libncurses.so.6 -ltinfo)"), ["libncurses.so.6", "-ltinfo"]);
        assert_eq!(script_inputs("INPUT(\"b.so\", c.so); EXTERN(x) /* INPUT(y)"), ["b.so", "c.so"]);
        assert_eq!(script_inputs(")))((("), [""; 0]);
    }
}
