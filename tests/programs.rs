//! The main job: what the programs in `fixtures` do when they are translated, ahead of time and in process, is what
//! they do when the system's compiler makes them, byte for byte.
//!
//! The objects are those that `fixtures/build.sh` made; the native programs are made here, by `cc`. To try some:
//! `BPF2NATIVE_PROGRAMS=wc,json BPF2NATIVE_VARIANTS=clang19-v3 cargo test --test programs`.

#![allow(clippy::unwrap_used)]

mod harness;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::cases::{self, Case, Program};
use harness::matrix::Matrix;
use harness::run::{Outcome, difference, run, tool};
use harness::{fixtures, parallel};

const BPF2NATIVE: &str = env!("CARGO_BIN_EXE_bpf2native");

/// A program with the native outcomes of its cases, or why there are none.
struct Reference<'a> {
    program: &'a Program,
    sources: Vec<String>,
    outcomes: Result<Vec<Outcome>, String>,
}

#[test]
fn programs_do_the_same_translated_as_native() {
    let matrix = Matrix::read().unwrap_or_else(|error| panic!("{error}"));
    let programs = cases::read().unwrap_or_else(|error| panic!("{error}"));
    let wanted = filter("BPF2NATIVE_PROGRAMS");
    let programs: Vec<&Program> = programs.iter().filter(|program| wanted(&program.name)).collect();
    let references = parallel(&programs, |program| reference(&matrix, program));

    let wanted = filter("BPF2NATIVE_VARIANTS");
    let variants: Vec<&String> = matrix.variants.iter().filter(|variant| wanted(variant)).collect();
    let mut failures: Vec<String> = Vec::new();
    let mut runs = Vec::new();
    for reference in &references {
        match &reference.outcomes {
            Err(error) => failures.push(format!("{} native: {error}", reference.program.name)),
            Ok(outcomes) => {
                let variants = variants.iter().filter(|variant| matrix.makes(variant, &reference.sources));
                runs.extend(variants.map(|variant| (reference.program, *variant, outcomes)));
            }
        }
    }
    assert!(!runs.is_empty() || !failures.is_empty(), "no program and variant is wanted");
    let checked = parallel(&runs, |(program, variant, outcomes)| check(&matrix, program, variant, outcomes));
    failures.extend(checked.into_iter().flatten());
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// Every source that is compiled is in a program that is run, and every program is compiled in some way.
#[test]
fn every_object_is_run() {
    let matrix = Matrix::read().unwrap_or_else(|error| panic!("{error}"));
    let programs = cases::read().unwrap_or_else(|error| panic!("{error}"));
    let mut unused: BTreeSet<&str> = matrix.sources();
    for program in &programs {
        let sources = sources(&matrix, program).unwrap_or_else(|error| panic!("{error}"));
        let made = matrix.variants.iter().any(|variant| matrix.makes(variant, &sources));
        assert!(made, "matrix.txt builds all of `{}` in no variant", program.name);
        unused.retain(|source| !sources.iter().any(|used| used == source));
    }
    assert!(unused.is_empty(), "no program of cases.txt uses {unused:?}");
}

/// Whether a name is wanted: the variable has all wanted ones with commas, or is not set.
fn filter(variable: &str) -> impl Fn(&str) -> bool {
    let list = std::env::var(variable).ok();
    move |name| list.as_ref().is_none_or(|list| list.split(',').any(|wanted| wanted == name))
}

fn sources(matrix: &Matrix, program: &Program) -> Result<Vec<String>, String> {
    let lists = program.inputs.iter().map(|input| matrix.sources_of(input)).collect::<Result<Vec<_>, _>>()?;
    Ok(lists.concat())
}

fn reference<'a>(matrix: &Matrix, program: &'a Program) -> Reference<'a> {
    match sources(matrix, program) {
        Ok(sources) => Reference { program, sources, outcomes: native(matrix, program) },
        Err(error) => Reference { program, sources: Vec::new(), outcomes: Err(error) },
    }
}

/// What the cases of a program have to do: what `cases.txt` says, and where that leaves the output open, what the
/// native program prints. The native program must end as `cases.txt` says, too.
fn native(matrix: &Matrix, program: &Program) -> Result<Vec<Outcome>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let executable = folder.path().join("native");
    if program.cases.iter().any(|case| case.stdout.is_none()) {
        compile(matrix, program, folder.path(), &executable)?;
    }
    let outcome = |case: &Case| {
        if let Some(stdout) = &case.stdout {
            return Ok(Outcome { stdout: stdout.clone(), stderr: Vec::new(), status: case.status });
        }
        let outcome = run(&[&executable], case).map_err(|error| format!("{}: {error}", case.name))?;
        if outcome.status == case.status {
            return Ok(outcome);
        }
        let error = String::from_utf8_lossy(&outcome.stderr).into_owned();
        Err(format!("{}: ends with {:?}, not {:?}\n{error}", case.name, outcome.status, case.status))
    };
    program.cases.iter().map(outcome).collect()
}

/// Compiles and links a program with `cc`, archives as archives.
fn compile(matrix: &Matrix, program: &Program, folder: &Path, executable: &Path) -> Result<(), String> {
    let mut link = Command::new("cc");
    for (number, input) in program.inputs.iter().enumerate() {
        let mut objects = Vec::new();
        for (member, source) in matrix.sources_of(input)?.iter().enumerate() {
            let object = folder.join(format!("{number}-{member}.o"));
            tool(Command::new("cc").args(["-O1", "-w", "-c"]).arg(fixtures().join(source)).arg("-o").arg(&object))?;
            objects.push(object);
        }
        if input.ends_with(".a") {
            let archive = folder.join(format!("{number}.a"));
            tool(Command::new("ar").arg("rcs").arg(&archive).args(&objects))?;
            objects = vec![archive];
        }
        link.args(&objects);
    }
    tool(link.arg("-o").arg(executable))
}

/// The failures of a variant of a program, translated by both drivers.
fn check(matrix: &Matrix, program: &Program, variant: &str, expected: &[Outcome]) -> Vec<String> {
    let objects: Vec<PathBuf> = program.inputs.iter().map(|input| matrix.object(variant, input)).collect();
    if let Some(missing) = objects.iter().find(|object| !object.exists()) {
        return vec![format!("{} {variant}: {} is missing", program.name, missing.display())];
    }
    let folder = tempfile::tempdir().unwrap();
    let executable = folder.path().join("translated");
    let in_process: Vec<&Path> = [Path::new(BPF2NATIVE), Path::new("run")]
        .into_iter()
        .chain(objects.iter().map(PathBuf::as_path))
        .chain([Path::new("--")])
        .collect();
    let mut drivers: Vec<(&str, &[&Path])> = vec![("jit", &in_process)];
    let mut failures = Vec::new();
    let ahead_of_time: [&Path; 1] = [&executable];
    match tool(Command::new(BPF2NATIVE).args(&objects).arg("-o").arg(&executable)) {
        Ok(()) => drivers.push(("aot", &ahead_of_time)),
        Err(error) => failures.push(format!("{} {variant} aot: {error}", program.name)),
    }
    for (driver, command) in drivers {
        for (case, expected) in program.cases.iter().zip(expected) {
            let problem = match run(command, case) {
                Ok(actual) => difference(expected, &actual),
                Err(error) => Some(error),
            };
            let name = &case.name;
            failures
                .extend(problem.map(|problem| format!("{} {variant} {driver} {name}:\n{problem}", program.name)));
        }
    }
    failures
}
