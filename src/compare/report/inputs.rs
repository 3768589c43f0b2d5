//! The objects of a report, and their names.
//!
//! In: paths. Out: [`Object`]s, sorted by name.
//!
//! | given | objects | named |
//! |---|---|---|
//! | a file | it, whatever it is | by its file name |
//! | a folder | all files in it, at any depth, that end in `.o` and are not ELF files of another machine | by the path from the folder |
//!
//! Names do not depend on where the folder is, so that reports from different machines can be compared.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use object::elf;
use serde::{Deserialize, Serialize};

use super::ReportError;
use crate::files;

/// A shard: the files whose index in the order of names is `part - 1` modulo `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// From 1.
    pub part: u32,
    /// How many there are.
    pub of: u32,
}

impl FromStr for Shard {
    type Err = ReportError;

    fn from_str(text: &str) -> Result<Shard, ReportError> {
        let parts = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((part, of)) if (1..=of).contains(&part) => Ok(Shard { part, of }),
            _ => Err(ReportError::Shard(text.to_owned())),
        }
    }
}

/// An object, which is read when its turn comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is called in reports.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

impl Object {
    /// Its bytes.
    ///
    /// # Errors
    ///
    /// [`ReportError::Read`].
    pub fn read(&self) -> Result<Vec<u8>, ReportError> {
        files::read(&self.path).map_err(|source| unreadable(&self.path, source))
    }
}

/// The objects of a report, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// The objects, sorted by name.
    pub objects: Vec<Object>,
}

fn unreadable(path: &Path, source: std::io::Error) -> ReportError {
    ReportError::Read { path: path.display().to_string(), source }
}

impl Inputs {
    /// The objects that `paths` name: files, and folders of them.
    ///
    /// # Errors
    ///
    /// [`ReportError::Read`], [`ReportError::Empty`] for a folder without objects, [`ReportError::SameName`].
    pub fn find<P: AsRef<Path>>(paths: &[P]) -> Result<Inputs, ReportError> {
        let mut objects: BTreeMap<String, PathBuf> = BTreeMap::new();
        let mut add = |name: String, path: PathBuf| match objects.get(&name) {
            Some(first) => Err(ReportError::SameName {
                name,
                first: first.display().to_string(),
                second: path.display().to_string(),
            }),
            None => {
                objects.insert(name, path);
                Ok(())
            }
        };
        for path in paths {
            let path = path.as_ref();
            let metadata = fs::metadata(path).map_err(|source| unreadable(path, source))?;
            if metadata.is_dir() {
                let found = in_folder(path)?;
                if found.is_empty() {
                    return Err(ReportError::Empty { path: path.display().to_string() });
                }
                for (name, path) in found {
                    add(name, path)?;
                }
            } else {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                add(name.unwrap_or_default(), path.to_owned())?;
            }
        }
        let objects = objects.into_iter().map(|(name, path)| Object { name, path });
        Ok(Inputs { objects: objects.collect() })
    }

    /// Only a part of them.
    pub fn shard(mut self, shard: Shard) -> Inputs {
        let mut number = 0;
        self.objects.retain(|_| {
            let is_part = number % shard.of == shard.part - 1;
            number += 1;
            is_part
        });
        self
    }
}

/// The objects in a folder, by the path from it, with `/` whatever the system.
fn in_folder(folder: &Path) -> Result<Vec<(String, PathBuf)>, ReportError> {
    let mut found = Vec::new();
    let mut waiting = vec![(String::new(), folder.to_owned())];
    while let Some((prefix, folder)) = waiting.pop() {
        for entry in fs::read_dir(&folder).map_err(|source| unreadable(&folder, source))? {
            let entry = entry.map_err(|source| unreadable(&folder, source))?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            // A link to a folder is not followed: it may lead round.
            let kind = entry.file_type().map_err(|source| unreadable(&entry.path(), source))?;
            if kind.is_dir() {
                waiting.push((format!("{name}/"), entry.path()));
            } else if name.ends_with(".o") && !is_other_machine(&entry.path()) {
                found.push((name, entry.path()));
            }
        }
    }
    Ok(found)
}

/// Whether the file is a whole ELF header of another machine than BPF. What is damaged is not left out.
fn is_other_machine(path: &Path) -> bool {
    let mut head = [0; 20];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    if read.is_err() || head[..4] != elf::ELFMAG {
        return false;
    }
    let machine = [head[18], head[19]];
    let machine =
        if head[5] == elf::ELFDATA2MSB { u16::from_be_bytes(machine) } else { u16::from_le_bytes(machine) };
    machine != elf::EM_BPF
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_a_part_of_a_whole() {
        assert_eq!("3/8".parse::<Shard>().unwrap(), Shard { part: 3, of: 8 });
        for wrong in ["", "3", "0/8", "9/8", "1/0", "-1/3", "a/b"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
