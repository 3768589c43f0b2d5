//! Building: all BPF objects and what they lack of the runtime, as one native object, linked with the native ones into a library.
//!
//! In: the objects of both lists. Out: the program, and a temporary shared library that has all its functions. The rules:
//!
//! | | why |
//! |---|---|
//! | source lines | for backtraces |
//! | `const volatile` variables are writable | tests set them, as libbpf's skeletons do |
//! | what native objects refer to is looked for in the runtime | `bpf2native_xdp`, `bpf_helper_X`, asserts |
//! | `-Bsymbolic` | a program's function is the one that is called, whatever the command itself has of that name |
//! | `-z defs` | what is undefined is an error, all at once, before any test runs |

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bpf2native::aot::{self, Artifact, LinkOptions};
use bpf2native::config::Config;
use bpf2native::emit::{self, Purpose};
use bpf2native::internals::coverage::Counted;
use bpf2native::parse::{self, Options};
use bpf2native::program::{Binding, Id};
use bpf2native::{Cache, Program};

use super::inputs::Objects;
use super::options::TestArguments;
use crate::cli::console::{warn, warn_of};
use crate::cli::errors::WrongOptions;

/// What the runtime has for the command: who is told how a test ends.
const REPORT: &str = "bpf2native_test_report";

/// Merges the BPF objects of both lists.
pub fn program(arguments: &TestArguments, tests: &Objects, programs: &Objects) -> anyhow::Result<Program> {
    let inputs: Vec<_> = tests.bpf.iter().chain(&programs.bpf).cloned().collect();
    if inputs.is_empty() {
        return Err(WrongOptions("there is no BPF object: name the program's behind `--`".to_owned()).into());
    }
    let mut options = Options::default();
    let natives = tests.native.iter().chain(&programs.native);
    options.roots = natives.flat_map(|native| native.undefined.iter().cloned()).collect();
    options.roots.push(REPORT.to_owned());
    options.writable_constants = true;
    options.prefixes.clone_from(&arguments.map_prefix);
    options.btf = arguments.types.read()?.map(|(btf, _)| btf);
    options.kconfig = arguments.kconfig.read()?;
    let program = parse::parse(&inputs, &options)?;
    warn(&program.warnings);
    Ok(program)
}

/// The program, with counters if its coverage is wanted.
pub struct Build<'a> {
    pub program: &'a Program,
    pub counted: Option<&'a Counted>,
    pub config: &'a Config,
    pub cache: Option<&'a Cache>,
}

impl Build<'_> {
    /// Makes the library.
    pub fn library(
        &self,
        arguments: &TestArguments,
        tests: &Objects,
        programs: &Objects,
        to: &Path,
    ) -> anyhow::Result<()> {
        let program = self.counted.map_or(self.program, |counted| &counted.program);
        let (purpose, name) = (Purpose::SharedLibrary, "tests");
        let object = match self.cache {
            Some(cache) => emit::object_with_cache(program, self.config, purpose, name, cache),
            None => emit::object(program, self.config, purpose, name),
        }?;
        warn(&object.warnings);
        let natives = tests.native.iter().chain(&programs.native);
        let options = LinkOptions {
            linker: arguments.linker.clone(),
            arguments: link_arguments(natives.map(|native| native.path.clone()), arguments)?,
            ..LinkOptions::default()
        };
        let artifact = Artifact::SharedLibrary;
        let said = aot::link(&object.bytes, self.config.get_target(), artifact, &options, to)
            .map_err(|error| self.explained(&error.explained(self.program, artifact).to_string()))?;
        if !said.is_empty() {
            warn_of(&format!("the linker says:\n{said}"));
        }
        Ok(())
    }

    /// A linker's error, with what tests often do not know.
    fn explained(&self, error: &str) -> anyhow::Error {
        let mut text = error.to_owned();
        for (_, function) in self.program.functions.iter() {
            let file = self.program.code[function.section].file;
            let is_named = [format!("`{}`", function.name), format!("`{}'", function.name)];
            let is_missing = is_named.iter().any(|name| error.contains(name)) && error.contains("undefined");
            if is_missing && function.binding == Binding::Local && file.index() < self.program.given_files {
                text += &format!(
                    "\n`{}` is static in {}: take the `static` away, or test what calls it",
                    function.name, self.program.files[file]
                );
            }
        }
        if error.contains("recompile with -fPIC") {
            text += "\nnative objects become part of a shared library: compile them with `-fPIC`";
        }
        anyhow::anyhow!(text)
    }
}

/// What the linker gets beside the object: a library behind what needs it, and where it will be found.
fn link_arguments(
    natives: impl Iterator<Item = PathBuf>,
    arguments: &TestArguments,
) -> anyhow::Result<Vec<OsString>> {
    let mut words: Vec<OsString> = vec!["-Wl,-Bsymbolic".into(), "-Wl,-z,defs".into()];
    words.extend(natives.map(|path| with_folder(&path).into_os_string()));
    for folder in &arguments.libraries.paths {
        words.push(joined("-L", folder));
        words.push(joined("-Wl,-rpath,", &std::path::absolute(folder)?));
    }
    words.extend(arguments.libraries.libraries.iter().map(|name| format!("-l{name}").into()));
    words.push("-lm".into());
    Ok(words)
}

/// A path that no linker takes for an option.
fn with_folder(path: &Path) -> PathBuf {
    if path.as_os_str().as_encoded_bytes().starts_with(b"-") { Path::new(".").join(path) } else { path.to_owned() }
}

/// An option and what belongs to it, as one word.
fn joined(option: &str, rest: &Path) -> OsString {
    let mut word = OsString::from(option);
    word.push(rest);
    word
}
