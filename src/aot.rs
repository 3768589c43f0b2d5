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

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::files::Pending;
use target_lexicon::{Architecture, BinaryFormat, Triple};

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
    /// The linker failed. For undefined symbols, its words name them.
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
