//! A saved report: measurements of the code of some objects, to be compared with another report.
//!
//! In: objects ([`Inputs`]) and a [`Config`](crate::Config). Out: a [`Report`], which is written as JSON and read back.
//! The same objects and options give the same bytes, in whatever folder, on however many threads.
//!
//! | file | what |
//! |---|---|
//! | `inputs.rs` | which files, and what they are called |
//! | `make.rs` | objects to a report |
//! | `merge.rs` | the reports of a corpus' parts to one |
//!
//! The JSON (`"schema": 1`); what has nothing to say is left out:
//!
//! | field | what |
//! |---|---|
//! | `schema` | 1; another number is another form, which is refused |
//! | `tool` | the name and version of what made it |
//! | `options` | `target` (a triple), `cpu` (and features: `haswell,-avx2`), `opt` (`0` to `2`), `passes` (names of `-Z`, if not those of the level), `btf` (SHA-256 of the types for CO-RE, with those of their base), `profile` (SHA-256 of its text) |
//! | `shard` | `{"part": 3, "of": 8}`: only these of the files |
//! | `files[]` | `name`, `sha256`; `error` where the file cannot be read as a BPF object |
//! | `functions[]` | by file, in the order of the file |
//! | `.file`, `.function`, `.section` | names; a function whose name another one of the file has is `name#2` |
//! | `.status` | `ok`, or `failed` and `error` |
//! | `.measures` | numbers by name: [`Measure`] |
//! | `.imports` | names of functions and variables of others |
//! | `.hashes` | SHA-256 of `bpf` (instructions, without the names of what they use), `clif`, `code` (and relocations) |
//! | `.texts` | only where they were asked for: `bpf`, `clif`, `asm`: lines of `text`, `bpf` (slot), `source` (index of `sources`); `sources[]`: `file`, `line`, `text` |

mod inputs;
mod make;
mod merge;

use serde::{Deserialize, Serialize};

use super::measure::{Measure, Measured, Measures, TextKind, Texts};
use crate::program::names::{self, is_unprintable};

pub(crate) use make::unique_names;

pub use inputs::{Inputs, Object, Shard};
pub use make::{Progress, Types, make, options};
pub use merge::merge;

/// The form of the JSON.
pub const SCHEMA: u32 = 1;

/// Measurements of the code of some objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What made it: `bpf2native 0.1.0`.
    pub tool: String,
    /// How the objects were translated.
    pub options: Options,
    /// Which part of a larger whole it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// The objects, by name.
    pub files: Vec<File>,
    /// Their functions, by file, in the order of the file.
    pub functions: Vec<Row>,
}

/// How objects were translated: what makes a difference to the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The triple.
    pub target: String,
    /// `baseline`, `native`, or a name.
    pub cpu: String,
    /// `0`, `1` or `2`.
    pub opt: String,
    /// The optimisations that are on, by the names that `-Z` has; none where they are those of the level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passes: Option<Vec<String>>,
    /// SHA-256 of the BTF that CO-RE relocations were applied for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub btf: Option<String>,
    /// SHA-256 of the profile's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name, relative to what was given.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Why it has no functions here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Whether a function could be translated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", content = "error", rename_all = "lowercase")]
pub enum Status {
    /// It could.
    Ok,
    /// It could not: why.
    Failed(String),
}

impl Status {
    /// Whether it could.
    pub fn is_ok(&self) -> bool {
        *self == Status::Ok
    }

    /// `ok` or `failed`.
    pub fn name(&self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Failed(_) => "failed",
        }
    }
}

/// Hashes of a function's texts and code: SHA-256, hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hashes {
    /// The BPF code; the same wherever it is and whatever the functions and data that it uses are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bpf: Option<String>,
    /// The CLIF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clif: Option<String>,
    /// The native code and its relocations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its object: the name of a [`File`].
    pub file: String,
    /// Its name.
    pub function: String,
    /// The code section that it is in; empty for native code.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub section: String,
    /// Whether it could be translated.
    #[serde(flatten)]
    pub status: Status,
    /// The numbers; none if it could not.
    #[serde(default, skip_serializing_if = "Measures::is_empty")]
    pub measures: Measures,
    /// The functions and variables of others that it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
    /// Hashes.
    pub hashes: Hashes,
    /// Its texts, if they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub texts: Option<Texts>,
}

impl Row {
    /// A function of which nothing is measured.
    pub fn new(file: &str, function: &str, status: Status) -> Row {
        Row {
            file: file.to_owned(),
            function: function.to_owned(),
            section: String::new(),
            status,
            measures: Measures::default(),
            imports: Vec::new(),
            hashes: Hashes::default(),
            texts: None,
        }
    }

    /// The function with what was measured.
    pub fn with(self, measured: Measured) -> Row {
        Row {
            measures: measured.measures,
            imports: measured.imports,
            hashes: Hashes { clif: measured.clif, code: Some(measured.code), ..self.hashes },
            texts: measured.texts,
            ..self
        }
    }

    /// One number.
    pub fn measure(&self, measure: Measure) -> Option<u64> {
        self.measures.get(&measure).copied()
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A file or a folder cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// As given.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is nothing to report on.
    #[error("there are no BPF objects in `{path}` (files that end in `.o`)")]
    Empty {
        /// The folder.
        path: String,
    },
    /// Two objects have one name.
    #[error("`{first}` and `{second}` would both be called `{name}`: give the folder that holds both")]
    SameName {
        /// The name.
        name: String,
        /// One of them.
        first: String,
        /// The other one.
        second: String,
    },
    /// Not `3/8`.
    #[error("`{0}` is not a part of a whole: write `3/8` for the third of eight")]
    Shard(String),
    /// Nothing of any object can be translated.
    #[error(transparent)]
    Measure(#[from] crate::compare::measure::MeasureError),
    /// The threads cannot be started.
    #[error(transparent)]
    Threads(#[from] crate::codegen::CompileError),
    /// Not JSON, or not such JSON.
    #[error("`{path}` is not a report of bpf2native: {reason}")]
    Json {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A report of another form.
    #[error("`{path}` is a report of schema {found}, and this version reads schema {SCHEMA}")]
    Schema {
        /// The file.
        path: String,
        /// Its number.
        found: u64,
    },
    /// Reports that are not parts of one whole.
    #[error("`{second}` cannot be merged with `{first}`: {reason}")]
    Merge {
        /// The first one.
        first: String,
        /// The one that does not go with it.
        second: String,
        /// Why.
        reason: String,
    },
    /// Parts are missing.
    #[error("parts of the whole are missing: {0}")]
    Parts(String),
}

impl Report {
    /// Reads a saved report; `path` is for errors.
    ///
    /// # Errors
    ///
    /// [`ReportError::Json`] and [`ReportError::Schema`] when it is none.
    pub fn from_json(path: &str, bytes: &[u8]) -> Result<Report, ReportError> {
        let failed = |reason: String| ReportError::Json { path: path.to_owned(), reason };
        // The schema first: another one has other fields.
        #[derive(Deserialize)]
        struct Head {
            schema: Option<u64>,
        }
        let head: Head = serde_json::from_slice(bytes).map_err(|error| failed(error.to_string()))?;
        match head.schema {
            Some(found) if found == u64::from(SCHEMA) => {}
            Some(found) => return Err(ReportError::Schema { path: path.to_owned(), found }),
            None => return Err(failed("it has no `schema`".to_owned())),
        }
        let report: Report = serde_json::from_slice(bytes).map_err(|error| failed(error.to_string()))?;
        report.check().map_err(failed)?;
        Ok(report)
    }

    /// What a report of this tool keeps to: each name once, each function's file listed.
    fn check(&self) -> Result<(), String> {
        if let Some(text) = self.words().find(|text| text.contains(|c| is_unprintable(c) && c != '\t')) {
            return Err(format!("`{}` is not printable, which no name in a report is", names::owned(text)));
        }
        let mut files = std::collections::BTreeSet::new();
        for file in &self.files {
            if !files.insert(&file.name) {
                return Err(format!("the file `{}` is listed twice", file.name));
            }
        }
        let mut functions = std::collections::BTreeSet::new();
        for row in &self.functions {
            if !files.contains(&row.file) {
                return Err(format!("the function `{}` is in `{}`, which is not listed", row.function, row.file));
            }
            if !functions.insert((&row.file, &row.function)) {
                return Err(format!("the function `{}` of `{}` is listed twice", row.function, row.file));
            }
        }
        Ok(())
    }

    /// What is shown of it that may come from objects, but for errors, whose lines are the translator's.
    fn words(&self) -> impl Iterator<Item = &str> {
        let files = self.files.iter().map(|file| file.name.as_str());
        let rows = self.functions.iter().flat_map(|row| {
            let texts = row.texts.iter().flat_map(|texts| {
                let sources = texts.sources.iter().flat_map(|source| [source.file.as_str(), source.text.as_str()]);
                TextKind::ALL.iter().flat_map(|&kind| texts.of(kind)).map(|line| line.text.as_str()).chain(sources)
            });
            let names = [row.file.as_str(), row.function.as_str(), row.section.as_str()];
            names.into_iter().chain(row.imports.iter().map(String::as_str)).chain(texts)
        });
        files.chain(rows)
    }

    /// The JSON, with a newline at its end.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("strings and numbers have a JSON form");
        text.push('\n');
        text
    }
}

/// What this version is called in reports.
pub fn tool() -> String {
    format!("bpf2native {}", env!("CARGO_PKG_VERSION"))
}
