//! The program that a command works on: its inputs, read as one.

use std::path::PathBuf;

use bpf2native::Program;
use bpf2native::parse::{self, Input, Options};

use super::args::Inputs;
use super::console::warn;
use super::errors::Usage;
use super::outputs;

/// What objects get of the runtime.
#[derive(Clone, Copy)]
pub enum Runtime<'a> {
    /// Nothing: they are listed, or `--no-runtime` is given.
    None,
    /// What they lack.
    Linked,
    /// That, and these functions.
    Loaded(&'a [&'a str]),
}

impl Runtime<'_> {
    /// The options of a parser that gives them that.
    pub fn options(self) -> Options {
        let mut options = match self {
            Runtime::None => Options::without_runtime(),
            Runtime::Linked | Runtime::Loaded(_) => Options::default(),
        };
        options.interface = false;
        if let Runtime::Loaded(names) = self {
            options.roots.extend(names.iter().map(|&name| name.to_owned()));
        }
        options
    }
}

/// Reads objects as one program, with these options and those of the command line, and prints its warnings.
pub fn read_with(inputs: &Inputs, options: Options) -> anyhow::Result<Program> {
    let program = parsed(inputs, options)?;
    warn(&program.warnings);
    Ok(program)
}

/// Reads objects as one program, with these options and those of the command line.
pub fn parsed(inputs: &Inputs, mut options: Options) -> anyhow::Result<Program> {
    if inputs.objects.is_empty() {
        return Err(Usage("no objects given; see `bpf2native --help`").into());
    }
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        Ok(Input { name, bytes: outputs::read(path)? })
    };
    let objects = inputs.objects.iter().map(read).collect::<anyhow::Result<Vec<Input>>>()?;
    options.prefixes.clone_from(&inputs.map_prefix);
    options.btf = inputs.types.read()?.map(|(btf, _)| btf);
    options.kconfig = inputs.kconfig.read()?;
    Ok(parse::parse(&objects, &options)?)
}
