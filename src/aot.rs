//! Executables and shared libraries: an object, linked by the system's C compiler.
//!
//! In: an object's bytes. Out: a file. The linker is `cc`, or the cross compiler `<target>-gcc` for another machine,
//! or what the caller names.
//!
//! | flag | why |
//! |---|---|
//! | `-pie`, `-shared` | position independent |
//! | `-z text` | no text relocations |
//! | `-z noexecstack`, `-z relro`, `-z now` | nothing is writable and executable; tables are protected once relocated |
//! | `-lm`, as needed | libm is where C programs expect it to be |

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use target_lexicon::{Architecture, BinaryFormat, Triple};

use crate::codegen;
use crate::files::Pending;
use crate::graph::Unverified;
use crate::program::{FunctionId, Program};
use crate::resolution::Resolution;
use crate::select::select;
use crate::select::undefined::{self, MissingSymbol};

/// What to link into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Artifact {
    /// A program.
    Executable,
    /// A shared library.
    SharedLibrary,
}

/// How to link.
#[derive(Clone, Debug, Default)]
pub struct LinkOptions {
    /// The C compiler that links; by default the target's.
    pub linker: Option<PathBuf>,
    /// Libraries, as after `-l`.
    pub libraries: Vec<String>,
    /// Folders of libraries, as after `-L`.
    pub library_paths: Vec<PathBuf>,
    /// Further arguments for the C compiler.
    pub arguments: Vec<OsString>,
}

/// Why linking failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The object cannot be put where the linker finds it.
    #[error("cannot write a temporary object: {0}")]
    Temporary(#[source] std::io::Error),
    /// The result cannot be put where it belongs.
    #[error("cannot write `{}`: {source}", path.display())]
    Output {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The linker cannot be started.
    #[error("cannot run `{linker}`: {source}; install a C compiler, or name one with `--linker`")]
    Start {
        /// Its name.
        linker: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nothing defines some symbols that the program refers to.
    #[error("{}", Described { missing, output })]
    Undefined {
        /// Each of them once.
        missing: Vec<MissingSymbol>,
        /// What else the linker printed.
        output: String,
    },
    /// The linker failed, for another reason.
    #[error("`{linker}` failed ({status}):\n{output}")]
    Failed {
        /// Its name.
        linker: String,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// What it printed.
        output: String,
    },
}

/// Undefined symbols, as a text.
struct Described<'a> {
    missing: &'a [MissingSymbol],
    output: &'a str,
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        undefined::write_all(f, self.missing)?;
        write!(f, "\ngive the objects that define them, or name their library with `-l`")?;
        if self.output.is_empty() { Ok(()) } else { write!(f, "\n{}", self.output) }
    }
}

impl LinkError {
    /// In place of the linker's words for undefined symbols of the program, who refers to them; `roots` is what the
    /// object was made for. Its other words stay.
    #[must_use]
    pub fn explained(self, program: &Program, roots: Option<&[FunctionId]>) -> LinkError {
        let LinkError::Failed { output, .. } = &self else { return self };
        let graphs = codegen::each_graph(program, Unverified::Trap);
        let Ok(selection) = select(program, graphs, roots, Resolution::of_object(program)) else { return self };
        let imports = program.imports.iter();
        let imports = imports.map(|(id, import)| (undefined::linked_name(program, &selection, id), import.kconfig));
        let runtime = selection.runtime.keys().map(|name| (name.as_str(), false));
        let known: BTreeMap<&str, bool> = imports.chain(runtime).collect();
        let mut names: Vec<&str> = Vec::new();
        let mut others = Vec::new();
        for line in output.lines() {
            let is_undefined = line.contains("undefined");
            let name = line.split(|c: char| !is_of_name(c)).rev().find_map(|word| known.get_key_value(word));
            match name {
                Some((&name, _)) if is_undefined => names.push(name),
                _ if WHERE.iter().any(|part| line.contains(part)) => {}
                _ => others.push(line),
            }
        }
        let all: BTreeSet<&str> = names.iter().copied().collect();
        if all.is_empty() {
            return self;
        }
        let mut users = undefined::users(program, &selection, &all);
        let mut seen = BTreeSet::new();
        names.retain(|&name| seen.insert(name));
        let missing = names.into_iter().map(|name| MissingSymbol {
            name: name.to_owned(),
            users: users.remove(name).unwrap_or_default(),
            kconfig: known[name],
            forbidden: false,
        });
        LinkError::Undefined { missing: missing.collect(), output: others.join("\n") }
    }
}

/// Parts of lines of GNU ld, lld and mold that say where another line's symbol is, and of gcc's that linking has failed.
const WHERE: [&str; 3] = [": in function ", ">>> ", "collect2: "];

/// Whether symbols of C, C++ and Rust have this character.
fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '.' | '@')
}

/// The C compiler that links for a target.
pub fn default_linker(target: &Triple) -> PathBuf {
    let host = Triple::host();
    if target.architecture == host.architecture && target.operating_system == host.operating_system {
        return PathBuf::from("cc");
    }
    let machine = match target.architecture {
        Architecture::Riscv64(_) => "riscv64".to_owned(),
        other => other.to_string(),
    };
    PathBuf::from(format!("{machine}-linux-gnu-gcc"))
}

/// Links an object into `output`; what the linker says of it, which is nothing where all is well.
///
/// # Errors
///
/// [`LinkError`] with the linker's own words.
pub fn link(
    object: &[u8],
    target: &Triple,
    artifact: Artifact,
    options: &LinkOptions,
    output: &Path,
) -> Result<String, LinkError> {
    let failed = |source| LinkError::Output { path: output.to_owned(), source };
    let pending = Pending::new(output).map_err(failed)?;
    let mut file = tempfile::Builder::new().suffix(".o").tempfile().map_err(LinkError::Temporary)?;
    file.write_all(object).and_then(|()| file.flush()).map_err(LinkError::Temporary)?;

    let linker = options.linker.clone().unwrap_or_else(|| default_linker(target));
    let mut command = Command::new(&linker);
    // Names as they are, and words that are known.
    command.env("COLLECT_NO_DEMANGLE", "1").env("LC_ALL", "C");
    match artifact {
        Artifact::Executable => command.arg("-pie"),
        Artifact::SharedLibrary => command.arg("-shared"),
    };
    command.arg("-o").arg(pending.path()).arg(file.path());
    for path in &options.library_paths {
        command.arg("-L").arg(path);
    }
    command.args(options.libraries.iter().map(|library| format!("-l{library}")));
    if target.binary_format == BinaryFormat::Elf {
        command.args(["-Wl,-z,text", "-Wl,-z,noexecstack", "-Wl,-z,relro", "-Wl,-z,now"]);
        command.args(["-Wl,--as-needed", "-lm"]);
    }
    command.args(&options.arguments);

    let name = linker.display().to_string();
    let ran = command.output().map_err(|source| LinkError::Start { linker: name.clone(), source })?;
    let text = [ran.stdout, ran.stderr].concat();
    let words = String::from_utf8_lossy(&text).trim_end().replace(&*file.path().to_string_lossy(), "the program");
    let words = words.replace(&*pending.path().to_string_lossy(), &output.to_string_lossy());
    if ran.status.success() {
        return pending.commit().map(|()| words).map_err(failed);
    }
    Err(LinkError::Failed { linker: name, status: ran.status, output: words })
}
