//! `fixtures/matrix.txt`: which sources are compiled in which ways, and which are refused. The file's head has the
//! format, `fixtures/build.sh` is its other reader.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::fixtures;

/// The contents of the file.
#[derive(Default)]
pub struct Matrix {
    /// The variants' names, in the file's order, and the machine if that is another one.
    variants: Vec<(String, Option<String>)>,
    groups: BTreeMap<String, Vec<String>>,
    builds: BTreeSet<(String, String)>,
    refused: BTreeSet<(String, String)>,
    archives: BTreeMap<String, Vec<String>>,
}

impl Matrix {
    /// Reads the file.
    pub fn read() -> Result<Matrix, String> {
        let path = fixtures().join("matrix.txt");
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut matrix = Matrix::default();
        for (number, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            matrix.line(&words).map_err(|error| format!("{}:{}: {error}", path.display(), number + 1))?;
        }
        Ok(matrix)
    }

    fn line(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            [] => {}
            [first, ..] if first.starts_with('#') => {}
            ["variant", name, _compiler, flags @ ..] => {
                let target = flags.first().and_then(|flag| flag.strip_prefix("--target="));
                self.variants.push(((*name).to_owned(), target.map(str::to_owned)));
            }
            ["group", name, list] => {
                let variants = self.expand(list)?;
                self.groups.insert((*name).to_owned(), variants);
            }
            ["build", list, sources @ ..] => {
                for variant in self.expand(list)? {
                    self.builds.extend(sources.iter().map(|source| (variant.clone(), (*source).to_owned())));
                }
            }
            ["archive", list, name, members @ ..] => {
                self.expand(list)?;
                let folder = Path::new(name).parent().unwrap_or(Path::new(""));
                let members = members.iter().map(|member| folder.join(member).display().to_string());
                self.archives.insert((*name).to_owned(), members.collect());
            }
            ["refuse", list, source, _message, ..] => {
                for variant in self.expand(list)? {
                    self.refused.insert((variant, (*source).to_owned()));
                }
            }
            _ => return Err(format!("not understood: {}", words.join(" "))),
        }
        Ok(())
    }

    fn expand(&self, list: &str) -> Result<Vec<String>, String> {
        let mut variants = Vec::new();
        for name in list.split(',') {
            if let Some(group) = self.groups.get(name) {
                variants.extend_from_slice(group);
            } else if self.variants.iter().any(|(variant, _)| variant == name) {
                variants.push(name.to_owned());
            } else {
                return Err(format!("`{name}` is neither a variant nor a group"));
            }
        }
        Ok(variants)
    }

    /// The names of the variants for a machine, or for any machine like this one, in the file's order.
    pub fn variants_of<'a>(&'a self, target: Option<&'a str>) -> impl Iterator<Item = &'a str> {
        let variants = self.variants.iter().filter(move |(_, of)| of.as_deref() == target);
        variants.map(|(variant, _)| variant.as_str())
    }

    /// All sources that something is built of.
    pub fn sources(&self) -> BTreeSet<&str> {
        self.builds.iter().map(|(_, source)| source.as_str()).collect()
    }

    /// The sources of an input: itself, or those of an archive's members.
    pub fn sources_of(&self, input: &str) -> Result<Vec<String>, String> {
        let Some(members) = self.archives.get(input) else {
            return Ok(vec![input.to_owned()]);
        };
        let source = |member: &String| {
            let all = self.sources();
            let found = all.iter().find(|source| object_name(source) == *member);
            found.map(|source| (*source).to_owned()).ok_or(format!("`{input}`: no source for member `{member}`"))
        };
        members.iter().map(source).collect()
    }

    /// The sources of several inputs.
    pub fn sources_of_all(&self, inputs: &[String]) -> Result<Vec<String>, String> {
        let lists = inputs.iter().map(|input| self.sources_of(input)).collect::<Result<Vec<_>, _>>()?;
        Ok(lists.concat())
    }

    /// Whether `variant` is meant to make all of these sources, and refuses none of them.
    pub fn makes(&self, variant: &str, sources: &[String]) -> bool {
        sources.iter().all(|source| {
            let key = (variant.to_owned(), source.clone());
            self.builds.contains(&key) && !self.refused.contains(&key)
        })
    }

    /// The committed file of an input, which is a source or an archive.
    pub fn object(&self, variant: &str, input: &str) -> PathBuf {
        let name = if self.archives.contains_key(input) { input.to_owned() } else { object_name(input) };
        fixtures().join("obj").join(variant).join(name)
    }
}

/// `programs/x/y.c` is compiled to `x/y.o`.
fn object_name(source: &str) -> String {
    let path = source.split_once('/').map_or(source, |(_, path)| path);
    Path::new(path).with_extension("o").display().to_string()
}
