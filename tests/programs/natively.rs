//! The main job: what the programs in `fixtures` do when they are translated, ahead of time and in process, is what
//! they do when the system's compiler makes them, byte for byte.
//!
//! Kernel halves are left out (`--no-kernel`): what they do is in `tests/scripts`. The objects are those that `fixtures/build.sh` made; the native programs are made here, by `cc`. To try some:
//! `BPF2NATIVE_PROGRAMS=wc,json BPF2NATIVE_VARIANTS=clang19-v3 cargo test --test programs`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::cases::{self, Program};
use crate::harness::matrix::Matrix;
use crate::harness::native::Toolchain;
use crate::harness::run::{Outcome, differences, tool};
use crate::harness::{filter, parallel};

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
    let variants: Vec<&str> = matrix.variants_of(None).filter(|variant| wanted(variant)).collect();
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
        let sources = matrix.sources_of_all(&program.inputs).unwrap_or_else(|error| panic!("{error}"));
        let made = matrix.variants_of(None).any(|variant| matrix.makes(variant, &sources));
        assert!(made, "matrix.txt builds all of `{}` in no variant", program.name);
        unused.retain(|source| !sources.iter().any(|used| used == source));
    }
    assert!(unused.is_empty(), "no program of cases.txt uses {unused:?}");
}

fn reference<'a>(matrix: &Matrix, program: &'a Program) -> Reference<'a> {
    match matrix.sources_of_all(&program.inputs) {
        Ok(sources) => Reference { program, sources, outcomes: Toolchain::native().outcomes(matrix, program) },
        Err(error) => Reference { program, sources: Vec::new(), outcomes: Err(error) },
    }
}

/// The failures of a variant of a program, translated by both drivers.
fn check(matrix: &Matrix, program: &Program, variant: &str, expected: &[Outcome]) -> Vec<String> {
    let objects: Vec<PathBuf> = program.inputs.iter().map(|input| matrix.object(variant, input)).collect();
    if let Some(missing) = objects.iter().find(|object| !object.exists()) {
        return vec![format!("{} {variant}: {} is missing", program.name, missing.display())];
    }
    let folder = tempfile::tempdir().unwrap();
    let executable = folder.path().join("translated");
    let in_process: Vec<&Path> = [BPF2NATIVE, "run", "--no-kernel", "--argv0", "program"]
        .into_iter()
        .map(Path::new)
        .chain(objects.iter().map(PathBuf::as_path))
        .chain([Path::new("--")])
        .collect();
    let mut drivers: Vec<(&str, &[&Path])> = vec![("jit", &in_process)];
    let mut failures = Vec::new();
    let ahead_of_time: [&Path; 1] = [&executable];
    match tool(Command::new(BPF2NATIVE).arg("--no-kernel").args(&objects).arg("-o").arg(&executable)) {
        Ok(()) => drivers.push(("aot", &ahead_of_time)),
        Err(error) => failures.push(format!("{} {variant} aot: {error}", program.name)),
    }
    for (driver, command) in drivers {
        let problems = differences(program, expected, command);
        failures.extend(problems.map(|problem| format!("{} {variant} {driver} {problem}", program.name)));
    }
    failures
}
