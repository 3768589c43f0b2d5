//! Without a command: translates objects to an executable, a shared library, an object or text.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use bpf2native::aot::{self, Artifact, LinkOptions};
use bpf2native::compare::listing;
use bpf2native::config::{Pass, Target};
use bpf2native::emit::EntryPoints;
use bpf2native::emit::{self, Purpose};
use bpf2native::internals::codegen::Until;
use bpf2native::internals::pipeline::{self, Stage};
use bpf2native::times::Phase;
use bpf2native::{Program, Warning};

use super::args::{Build, Emit, Inputs};
use super::console::{print, warn, warn_of};
use super::errors::{Usage, WrongOptions};
use super::outputs;
use super::program::{Runtime, read_with};
use super::script;
use super::timing::Timing;

pub fn build(arguments: &Build) -> anyhow::Result<()> {
    let emit = match (arguments.object, arguments.shared, arguments.emit) {
        (true, ..) => Emit::Obj,
        (_, true, _) => Emit::Shared,
        (_, _, emit) => emit.unwrap_or(Emit::Exe),
    };
    let is_text = matches!(emit, Emit::Asm | Emit::ClifOpt | Emit::Clif | Emit::Bpf);
    if arguments.function.is_some() && !is_text {
        return Err(Usage("`--function` goes with `--emit asm`, `clif-opt`, `clif` or `bpf`").into());
    }
    let counts = [("--coverage", &arguments.coverage), ("--profile-generate", &arguments.profile_generate)];
    if let Some((option, _)) = counts.iter().find(|(_, file)| file.is_some()).filter(|_| is_text) {
        return Err(WrongOptions(format!("`{option}` goes with executables, shared libraries and objects")).into());
    }
    let until = until(arguments, emit)?;
    let output = output(arguments, emit)?;
    check_outputs(arguments, &output)?;
    let timing = Timing::new(arguments.time);
    let runtime = if is_text || arguments.no_runtime { Runtime::None } else { Runtime::Linked };
    let mut options = runtime.options();
    options.coverage = arguments.coverage.is_some();
    options.profile = arguments.profile_generate.is_some();
    options.kernel_half = !arguments.no_kernel && !is_text;
    let program = timing.phase(Phase::Parse, || read_with(&arguments.inputs, options))?;
    let mut config = arguments.generation.config()?;
    config.times(timing.times()).coverage(arguments.coverage.is_some());
    config.coverage_file(arguments.coverage.clone().unwrap_or_default());
    config.profile_generate(arguments.profile_generate.is_some());
    config.profile_file(arguments.profile_generate.clone().unwrap_or_default());
    let only = arguments.function.as_deref();
    if let Some(only) = only
        && !program.functions.iter().any(|(_, function)| function.name == only)
    {
        anyhow::bail!("there is no function `{only}`; `bpf2native inspect` lists them");
    }
    let text = match emit {
        Emit::Bpf => Some((listing::bpf(&program, only)?, Vec::new())),
        Emit::Clif => Some(listed(listing::clif_until(&program, &config, only, until)?)),
        Emit::ClifOpt => Some(listed(listing::optimised(&program, &config, only)?)),
        Emit::Asm => Some(listed(listing::assembly(&program, &config, only)?)),
        Emit::Exe | Emit::Shared | Emit::Obj => None,
    };
    if let Some((text, warnings)) = text {
        warn(&warnings);
        write(&output, text.as_bytes())?;
    } else {
        if emit == Emit::Exe && EntryPoints::of(&program).is_empty() {
            anyhow::bail!(
                "there is no function `main`, `BEGIN` or `END` to start an executable; `-c` and `--shared` need none"
            );
        }
        let name = arguments.inputs.objects[0].file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let purpose = match emit {
            Emit::Exe if arguments.link_arguments.is_empty() => Purpose::SoleExecutable,
            Emit::Exe => Purpose::Executable,
            Emit::Shared => Purpose::SharedLibrary,
            _ => Purpose::Relocatable,
        };
        let object = match arguments.generation.cache() {
            Some(cache) => emit::object_with_cache(&program, &config, purpose, &name, &cache),
            None => emit::object(&program, &config, purpose, &name),
        }?;
        warn(&object.warnings);
        let artifact = match emit {
            Emit::Exe => Some(Artifact::Executable),
            Emit::Shared => Some(Artifact::SharedLibrary),
            _ => None,
        };
        match (artifact, &output) {
            (None, _) => write(&output, &object.bytes)?,
            (Some(artifact), Output::File(path)) => {
                let options = link_options(arguments, &program, config.get_target());
                let said = timing
                    .phase(Phase::Link, || aot::link(&object.bytes, config.get_target(), artifact, &options, path))
                    .map_err(|error| error.explained(&program, artifact))?;
                if !said.is_empty() {
                    warn_of(&format!("the linker says:\n{said}"));
                }
            }
            (Some(_), Output::Standard) => {
                return Err(Usage("an executable or a shared library cannot go to standard output").into());
            }
        }
    }
    if let (Some(depfile), Output::File(path)) = (&arguments.depfile, &output) {
        write_depfile(depfile, path, &arguments.inputs)?;
    }
    timing.print();
    Ok(())
}

/// Where CLIF is shown, if not as Cranelift gets it.
fn until(arguments: &Build, emit: Emit) -> anyhow::Result<Option<Until>> {
    let Some(pass) = arguments.after else { return Ok(None) };
    if emit != Emit::Clif {
        return Err(Usage("`--after` goes with `--emit clif`").into());
    }
    match pipeline::stage(pass) {
        Some(Stage::Select | Stage::Plan | Stage::Lift) => Ok(Some(Until::Lifted)),
        Some(Stage::Clif) if pass == Pass::Inlining => Ok(Some(Until::Inlining)),
        Some(Stage::Clif) => Ok(Some(Until::Clif(pass))),
        Some(Stage::Cranelift | Stage::OptimisedClif) => {
            Err(Usage("what Cranelift's optimiser makes of a function is `--emit clif-opt`").into())
        }
        _ => Err(WrongOptions(format!(
            "`{0}` works on machine code, which `--emit asm` shows; `-Z no-{0}` is the code without it",
            pass.name()
        ))
        .into()),
    }
}

fn listed(listing: listing::Listing) -> (String, Vec<Warning>) {
    (listing.text, listing.warnings)
}

/// Where the result goes.
enum Output {
    Standard,
    File(PathBuf),
}

/// Refuses outputs that are inputs, for the linker too.
fn check_outputs(arguments: &Build, output: &Output) -> anyhow::Result<()> {
    let mut outputs: Vec<&Path> = arguments.depfile.iter().map(PathBuf::as_path).collect();
    if let Output::File(path) = output {
        outputs.push(path);
    }
    let linked = arguments.link_arguments.iter().map(Path::new);
    let profiles = arguments.generation.profile_use.iter().map(PathBuf::as_path);
    outputs::check(&outputs, arguments.inputs.paths().chain(linked).chain(profiles))
}

/// The output that was asked for, or the default: text to standard output, `x.native.o` beside `x.o`, and, as
/// cc, `a.out`.
fn output(arguments: &Build, emit: Emit) -> anyhow::Result<Output> {
    if let Some(path) = &arguments.output {
        return Ok(if path == Path::new("-") { Output::Standard } else { Output::File(path.clone()) });
    }
    Ok(match emit {
        Emit::Asm | Emit::ClifOpt | Emit::Clif | Emit::Bpf => Output::Standard,
        Emit::Exe => Output::File(PathBuf::from("a.out")),
        Emit::Obj | Emit::Shared => {
            let Some(first) = arguments.inputs.objects.first() else {
                return Err(Usage("no objects given; see `bpf2native --help`").into());
            };
            let name = Path::new(first.file_stem().unwrap_or_default());
            Output::File(name.with_extension(if emit == Emit::Obj { "native.o" } else { "so" }))
        }
    })
}

fn write(output: &Output, bytes: &[u8]) -> anyhow::Result<()> {
    match output {
        Output::Standard => match std::str::from_utf8(bytes) {
            Ok(text) => print(text),
            Err(_) => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush()).context("cannot write to standard output")
            }
        },
        Output::File(path) => outputs::write(path, bytes),
    }
}

fn link_options(arguments: &Build, program: &Program, target: &Target) -> LinkOptions {
    let linker = arguments.linker.clone().unwrap_or_else(|| aot::default_linker(target));
    let mut libraries = script::libraries(program, &linker, &arguments.link_arguments);
    libraries.extend(arguments.libraries.libraries.iter().cloned());
    LinkOptions {
        linker: arguments.linker.clone(),
        libraries,
        library_paths: arguments.libraries.paths.clone(),
        arguments: arguments.link_arguments.clone(),
    }
}

/// Writes a rule as `cc -MD` does, with an empty rule for each input so that a removed one stops no build.
fn write_depfile(depfile: &Path, output: &Path, inputs: &Inputs) -> anyhow::Result<()> {
    let escape =
        |path: &Path| path.display().to_string().replace('$', "$$").replace('#', "\\#").replace(' ', "\\ ");
    let inputs: Vec<String> = inputs.paths().map(escape).collect();
    let mut text = format!("{}: {}\n", escape(output), inputs.join(" "));
    for input in &inputs {
        text.push_str(&format!("\n{input}:\n"));
    }
    outputs::write(depfile, text.as_bytes())
}
