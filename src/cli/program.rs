//! The program that a command works on: its inputs, read as one.

use std::path::PathBuf;

use bpf2native::Program;
use bpf2native::parse::{self, Input, Options};

use super::args::Inputs;
use super::console::warn;
use super::errors::Usage;
use super::outputs;

/// Reads objects as one program, with what they lack of the runtime or without, and prints its warnings.
pub fn read(inputs: &Inputs, runtime: bool) -> anyhow::Result<Program> {
    read_with(inputs, if runtime { Options::default() } else { Options::without_runtime() })
}

/// Reads objects as one program, with these options and those of the command line, and prints its warnings.
pub fn read_with(inputs: &Inputs, mut options: Options) -> anyhow::Result<Program> {
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
    let program = parse::parse(&objects, &options)?;
    warn(&program.warnings);
    Ok(program)
}
