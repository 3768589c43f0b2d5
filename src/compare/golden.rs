//! Golden texts: the code of each function as it was last accepted, kept beside the sources, so that a change in code
//! generation shows in review.
//!
//! In: a folder, and the objects when it is created. Out: the files that the folder should have ([`Golden::texts`]), the
//! differences ([`check`]), or the folder brought up to date ([`bless`]).
//!
//! | in the folder | what |
//! |---|---|
//! | `golden.json` | the objects (paths from the folder), how they are translated, which texts, and the files below |
//! | `FILE/FUNCTION.txt` | a function; in names, bytes other than letters, digits and `_.-` are `%` and the byte in hexadecimal |
//!
//! Texts name source files and show their lines, without line numbers: a line that is added above changes nothing. Of an
//! absolute path, only the file's name is left, unless a prefix map makes it relative.
//!
//! Only files that `golden.json` lists are ever removed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::measure::{Measure, TextKind, Want, sha256};
use super::report::{self, Inputs, Progress, ReportError, Row, SCHEMA, Status};
use crate::config::{self, Config, Cpu, OptLevel, PassChange, Passes};
use crate::files;
use crate::program::prefix::{PrefixMap, PrefixMapError, mapped};

const MANIFEST: &str = "golden.json";

/// Names of files are at most this long; longer ones end in a hash.
const LONGEST_NAME: usize = 120;

/// The manifest of a folder of golden texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    schema: u32,
    /// Objects and folders, by their paths from the folder.
    objects: Vec<String>,
    target: String,
    cpu: String,
    opt: String,
    /// The passes; none where they are those of the optimisation level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passes: Option<Vec<String>>,
    texts: Vec<TextKind>,
    /// Replacements for prefixes of source paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    prefixes: Vec<String>,
    /// The files.
    files: Vec<String>,
}

/// Why golden texts cannot be made or checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GoldenError {
    /// A file cannot be read or written.
    #[error("cannot {verb} `{path}`: {source}")]
    File {
        /// `read`, `write` or `remove`.
        verb: &'static str,
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The folder is not one of golden texts.
    #[error("`{path}` has no golden texts: name the objects, with --bless")]
    NotThere {
        /// The folder.
        path: String,
    },
    /// The manifest is invalid.
    #[error("`{path}`: {reason}")]
    Manifest {
        /// The manifest.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The objects cannot be translated.
    #[error(transparent)]
    Report(#[from] ReportError),
}

fn failed(verb: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> GoldenError {
    let path = path.display().to_string();
    move |source| GoldenError::File { verb, path, source }
}

/// A difference between a folder and what it should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The file, from the folder.
    pub file: String,
    /// The unified diff.
    pub diff: String,
}

impl Golden {
    /// Golden texts of `objects`, to be kept in `folder`.
    ///
    /// # Errors
    ///
    /// [`GoldenError::File`] for an object that is not there.
    pub fn new(
        folder: &Path,
        objects: &[PathBuf],
        config: &Config,
        texts: &[TextKind],
    ) -> Result<Golden, GoldenError> {
        fs::create_dir_all(folder).map_err(failed("write", folder))?;
        let folder = folder.canonicalize().map_err(failed("read", folder))?;
        let objects = objects.iter().map(|path| {
            let path = path.canonicalize().map_err(failed("read", path))?;
            Ok(relative(&folder, &path))
        });
        let options = report::options(config, None);
        Ok(Golden {
            schema: SCHEMA,
            objects: objects.collect::<Result<_, GoldenError>>()?,
            target: options.target,
            cpu: options.cpu,
            opt: options.opt,
            passes: options.passes,
            texts: texts.to_vec(),
            prefixes: Vec::new(),
            files: Vec::new(),
        })
    }

    /// The same, with prefixes of source paths replaced.
    pub fn with_prefixes(self, prefixes: &[PrefixMap]) -> Golden {
        Golden { prefixes: prefixes.iter().map(ToString::to_string).collect(), ..self }
    }

    /// Reads the manifest of a folder.
    ///
    /// # Errors
    ///
    /// [`GoldenError::NotThere`], [`GoldenError::Manifest`].
    pub fn read(folder: &Path) -> Result<Golden, GoldenError> {
        let path = folder.join(MANIFEST);
        let bytes = match files::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(GoldenError::NotThere { path: folder.display().to_string() });
            }
            Err(source) => return Err(failed("read", &path)(source)),
        };
        let refuse = |reason: String| GoldenError::Manifest { path: path.display().to_string(), reason };
        let golden: Golden = serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
        if golden.schema != SCHEMA {
            return Err(refuse(format!("it has schema {}, and this version reads schema {SCHEMA}", golden.schema)));
        }
        // They will be removed if they are stale.
        if let Some(outside) = golden.files.iter().find(|file| !is_inside(file)) {
            return Err(refuse(format!("`{outside}` is outside of the folder")));
        }
        Ok(golden)
    }

    fn config(&self, threads: usize) -> Result<Config, String> {
        let target = config::parse_triple(&self.target).map_err(|error| error.to_string())?;
        // The processor, followed by features.
        let (cpu, features) =
            self.cpu.split_once(',').map_or((self.cpu.as_str(), None), |(cpu, list)| (cpu, Some(list)));
        let features = features.into_iter().flat_map(|list| list.split(',')).map(str::parse);
        let features = features.collect::<Result<_, _>>();
        let features = features.map_err(|error: <config::Feature as std::str::FromStr>::Err| error.to_string())?;
        let cpu = match cpu {
            "baseline" => Cpu::Baseline,
            "native" => Cpu::Native,
            name => Cpu::Named(name.to_owned()),
        };
        let opt_level = match self.opt.as_str() {
            "0" => OptLevel::O0,
            "1" => OptLevel::O1,
            "2" => OptLevel::O2,
            other => return Err(format!("`{other}` is no level of optimisation")),
        };
        let passes = self.passes.as_ref().map(|names| {
            let changes: Result<Vec<PassChange>, _> = names.iter().map(|name| name.parse()).collect();
            changes.map(|changes| Passes::NONE.changed(&changes)).map_err(|error| error.to_string())
        });
        Ok(Config { cpu, features, opt_level, passes: passes.transpose()?, threads, ..Config::for_target(target) })
    }

    fn inputs(&self, folder: &Path) -> Result<Inputs, GoldenError> {
        let objects: Vec<PathBuf> = self.objects.iter().map(|path| folder.join(path)).collect();
        Ok(Inputs::find(&objects)?)
    }

    /// How many objects there are.
    ///
    /// # Errors
    ///
    /// [`GoldenError::Report`] when they cannot be found.
    pub fn object_count(&self, folder: &Path) -> Result<usize, GoldenError> {
        Ok(self.inputs(folder)?.objects.len())
    }

    /// The files that `folder` should have, with what should be in them.
    ///
    /// # Errors
    ///
    /// [`GoldenError`] when the objects cannot be read, or one of them is no BPF object.
    pub fn texts(
        &self,
        folder: &Path,
        threads: usize,
        progress: Progress<'_>,
    ) -> Result<BTreeMap<String, String>, GoldenError> {
        let refuse =
            |reason: String| GoldenError::Manifest { path: folder.join(MANIFEST).display().to_string(), reason };
        let config = self.config(threads).map_err(refuse)?;
        let report = report::make(&self.inputs(folder)?, &config, None, Want::Texts, progress)?;
        if let Some((name, error)) = report.files.iter().find_map(|file| Some((&file.name, file.error.as_ref()?))) {
            return Err(GoldenError::Manifest { path: name.clone(), reason: error.clone() });
        }
        let prefixes: Result<Vec<PrefixMap>, _> = self.prefixes.iter().map(|map| map.parse()).collect();
        let prefixes = prefixes.map_err(|error: PrefixMapError| refuse(error.to_string()))?;
        let files = report.functions.iter().map(|row| {
            let file = format!("{}/{}.txt", escaped(&row.file), escaped(&row.function));
            (file, self.text(row, &prefixes))
        });
        Ok(files.collect())
    }

    fn text(&self, row: &Row, prefixes: &[PrefixMap]) -> String {
        let mut text = format!("; {} ({}, section `{}`)\n", row.function, row.file, row.section);
        // Writing to a string does not fail.
        let _ = writeln!(text, "; {} -O{} --cpu {}", self.target, self.opt, self.cpu);
        if let Status::Failed(error) = &row.status {
            let _ = writeln!(text, "error: {error}");
        }
        let Some(texts) = &row.texts else { return text };
        let number = |measure| row.measure(measure).unwrap_or(0);
        let _ = writeln!(
            text,
            "; {} bytes, {} instructions, frame {}, spills {}, reloads {}",
            number(Measure::Bytes),
            number(Measure::Insns),
            number(Measure::Frame),
            number(Measure::Spills),
            number(Measure::Reloads)
        );
        for &kind in &self.texts {
            let _ = writeln!(text, "\n{}:", kind.name());
            let mut last = None;
            for line in texts.of(kind) {
                if line.source != last
                    && let Some(source) = texts.source(line)
                {
                    last = line.source;
                    let _ = writeln!(text, "; {}: {}", shown_path(prefixes, &source.file), source.text);
                }
                let _ = writeln!(text, "{}", line.text);
            }
        }
        text
    }
}

/// A source file's path in a golden text: the same wherever the object was compiled.
fn shown_path(prefixes: &[PrefixMap], path: &str) -> String {
    let path = mapped(prefixes, path).unwrap_or_else(|| path.to_owned());
    let path = path.strip_prefix("./").unwrap_or(&path);
    match path.starts_with('/') {
        true => path.rsplit('/').next().unwrap_or_default().to_owned(),
        false => path.to_owned(),
    }
}

/// The differences between `folder` and `texts`: changed, missing, and stale files.
///
/// # Errors
///
/// [`GoldenError::File`] for a file that cannot be read.
pub fn check(
    folder: &Path,
    golden: &Golden,
    texts: &BTreeMap<String, String>,
) -> Result<Vec<Difference>, GoldenError> {
    let mut differences = Vec::new();
    let stale = golden.files.iter().filter(|file| !texts.contains_key(*file));
    for (file, new) in texts.iter().map(|(file, text)| (file, text.as_str())).chain(stale.map(|file| (file, ""))) {
        let path = folder.join(file);
        let old = match files::read(&path) {
            // A checkout may have other line endings.
            Ok(bytes) => String::from_utf8_lossy(&bytes).replace("\r\n", "\n"),
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(source) => return Err(failed("read", &path)(source)),
        };
        if old == new {
            continue;
        }
        let shown = path.display().to_string();
        let name = |text: &str| if text.is_empty() { "/dev/null".to_owned() } else { shown.clone() };
        let diff = similar::TextDiff::from_lines(old.as_str(), new);
        let diff = diff.unified_diff().context_radius(3).header(&name(&old), &name(new)).to_string();
        differences.push(Difference { file: file.clone(), diff });
    }
    differences.sort_by(|left, right| left.file.cmp(&right.file));
    Ok(differences)
}

/// Writes `texts` and the manifest to `folder`, and removes files that `previous` has and `texts` has not. Returns how
/// many files were written or removed.
///
/// # Errors
///
/// [`GoldenError::File`].
pub fn bless(
    folder: &Path,
    golden: &Golden,
    previous: Option<&Golden>,
    texts: &BTreeMap<String, String>,
) -> Result<usize, GoldenError> {
    let mut changed = 0;
    refuse_links(folder, texts.keys().map(String::as_str).chain([MANIFEST]))?;
    for (file, text) in texts {
        let path = folder.join(file);
        if files::read(&path).is_ok_and(|old| old == text.as_bytes()) {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed("write", parent))?;
        }
        files::write(&path, text.as_bytes()).map_err(failed("write", &path))?;
        changed += 1;
    }
    let stale = previous.iter().flat_map(|previous| &previous.files).filter(|file| !texts.contains_key(*file));
    for file in stale {
        let path = folder.join(file);
        match fs::remove_file(&path) {
            Ok(()) => changed += 1,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(failed("remove", &path)(source)),
        }
        // The folder of an object goes with its last function; it is not empty before.
        if let Some(parent) = path.parent() {
            let _ = fs::remove_dir(parent);
        }
    }
    let golden = Golden { files: texts.keys().cloned().collect(), ..golden.clone() };
    let mut json = serde_json::to_string_pretty(&golden).expect("strings have a JSON form");
    json.push('\n');
    let path = folder.join(MANIFEST);
    files::write(&path, json.as_bytes()).map_err(failed("write", &path))?;
    Ok(changed)
}

/// Refuses files that are symbolic links, or in folders that are: writing to them would write somewhere else.
fn refuse_links<'a>(folder: &Path, names: impl Iterator<Item = &'a str>) -> Result<(), GoldenError> {
    for path in names.flat_map(|name| Path::new(name).ancestors()).filter(|path| !path.as_os_str().is_empty()) {
        let path = folder.join(path);
        if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()) {
            let reason = "it is a symbolic link, and leads out of the folder of golden texts; remove it";
            return Err(failed("write", &path)(std::io::Error::other(reason)));
        }
    }
    Ok(())
}

/// A name as a file name that is valid on every system.
fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'.' if at == 0 => escaped.push_str("%2e"),
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'.' | b'-' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02x}")),
        }
    }
    if escaped.len() > LONGEST_NAME {
        escaped.truncate(LONGEST_NAME - 17);
        escaped.push('~');
        escaped.push_str(&sha256(name.as_bytes())[..16]);
    }
    escaped
}

/// Whether a relative path stays in its folder.
fn is_inside(path: &str) -> bool {
    Path::new(path).components().all(|component| matches!(component, Component::Normal(_)))
}

/// The relative path from a folder to a path, with `/` on every system; both are absolute.
fn relative(from: &Path, to: &Path) -> String {
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
    let up = from[common..].iter().map(|_| "..".to_owned());
    let down = to[common..].iter().map(|component| component.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_file_names() {
        assert_eq!(escaped("_ZN3foo3barEv"), "_ZN3foo3barEv");
        assert_eq!(escaped("xdp/rx+0x18"), "xdp%2frx%2b0x18");
        assert_eq!(escaped(".."), "%2e.");
        let (first, second) = (escaped(&"a".repeat(300)), escaped(&"a".repeat(301)));
        assert!(first.len() == LONGEST_NAME && second.len() == LONGEST_NAME && first != second);
    }

    #[test]
    fn paths_lead_from_the_folder() {
        assert_eq!(relative(Path::new("/a/b/c"), Path::new("/a/d.o")), "../../d.o");
        assert_eq!(relative(Path::new("/a"), Path::new("/a/b/d.o")), "b/d.o");
        assert!(is_inside("x.o/main.txt") && !is_inside("../x") && !is_inside("/x"));
    }
}
