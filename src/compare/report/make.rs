//! Objects to a report, each object on its own, in parallel.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use super::{File, Hashes, Inputs, Object, Options, Report, ReportError, Row, SCHEMA, Status, tool};
use crate::btf::Btf;
use crate::codegen;
use crate::compare::measure::{self, Want, sha256};
use crate::config::{Config, Cpu, OptLevel, Pass, Passes};
use crate::parse::{self, Input};
use crate::program::{FunctionId, Program};

/// Who is told how far the work is: called once for each object that is done, from any thread.
pub type Progress<'a> = &'a (dyn Fn(&Object) + Sync);

/// BTF for CO-RE relocations, with the bytes that it was read from.
pub type Types<'a> = Option<(&'a Btf, &'a [u8])>;

/// What of a configuration makes a difference to the code.
pub fn options(config: &Config, btf: Types<'_>) -> Options {
    // A new setting has to be looked at here: does it change the code?
    let Config {
        target,
        cpu,
        features,
        opt_level,
        passes: _,
        threads: _,
        debug: _,
        perf_map: _,
        times: _,
        coverage: _,
        coverage_file: _,
        profile_generate: _,
        profile_file: _,
        profile,
    } = config;
    let passes = config.effective_passes();
    let names = || Pass::ALL.iter().filter(|&&pass| passes.contains(pass)).map(|pass| pass.name().to_owned());
    let cpu = match cpu {
        Cpu::Baseline => "baseline",
        Cpu::Native => "native",
        Cpu::Named(name) => name,
    };
    let opt = match opt_level {
        OptLevel::O0 => "0",
        OptLevel::O1 => "1",
        OptLevel::O2 => "2",
    };
    Options {
        target: target.to_string(),
        cpu: features.iter().fold(cpu.to_owned(), |cpu, feature| format!("{cpu},{feature}")),
        opt: opt.to_owned(),
        passes: (passes != Passes::of_level(*opt_level)).then(|| names().collect()),
        btf: btf.map(|(_, bytes)| sha256(bytes)),
        profile: profile.as_ref().map(|profile| sha256(profile.to_text().as_bytes())),
    }
}

/// Translates and measures the objects. What is wrong with one of them is in the report.
///
/// # Errors
///
/// [`ReportError::Read`] for an object that cannot be read, [`ReportError::Threads`].
pub fn make(
    inputs: &Inputs,
    config: &Config,
    btf: Types<'_>,
    want: Want,
    progress: Progress<'_>,
) -> Result<Report, ReportError> {
    let pool = codegen::thread_pool(config.threads)?;
    let parsing = parse::Options { btf: btf.map(|(btf, _)| btf.clone()), ..parse::Options::without_runtime() };
    let one = |object: &Object| {
        let measured = of_object(object, config, &parsing, want);
        progress(object);
        measured
    };
    let measured: Vec<_> = pool.install(|| inputs.objects.par_iter().map(one).collect());
    let (mut files, mut functions) = (Vec::new(), Vec::new());
    for measured in measured {
        let (file, rows) = measured?;
        files.push(file);
        functions.extend(rows);
    }
    let options = options(config, btf);
    Ok(Report { schema: SCHEMA, tool: tool(), options, shard: None, files, functions })
}

fn of_object(
    object: &Object,
    config: &Config,
    parsing: &parse::Options,
    want: Want,
) -> Result<(File, Vec<Row>), ReportError> {
    let bytes = object.read()?;
    let sha256 = sha256(&bytes);
    let file = |error| File { name: object.name.clone(), sha256, error };
    let program = match parse::parse(&[Input { name: object.name.clone(), bytes }], parsing) {
        Ok(program) => program,
        Err(error) => return Ok((file(Some(error.to_string())), Vec::new())),
    };
    match measure::program(&program, config, want) {
        Ok(functions) => Ok((file(None), rows(&object.name, &program, functions))),
        Err(error) => Ok((file(Some(error.to_string())), Vec::new())),
    }
}

fn rows(file: &str, program: &Program, functions: Vec<measure::Function>) -> Vec<Row> {
    let names = unique_names(program);
    let row = |function: measure::Function| {
        let section = program.functions[function.id].section;
        let row = Row {
            section: program.code[section].name.clone(),
            hashes: Hashes { bpf: function.bpf, ..Hashes::default() },
            ..Row::new(file, &names[&function.id], Status::Ok)
        };
        match function.result {
            Ok(measured) => row.with(measured),
            Err(error) => Row { status: Status::Failed(error), ..row },
        }
    };
    functions.into_iter().map(row).collect()
}

/// What the functions of an object are called in its rows: static functions of one name, and those of an archive's
/// members, are told apart.
pub(crate) fn unique_names(program: &Program) -> BTreeMap<FunctionId, String> {
    let mut known: HashMap<&str, u32> = HashMap::new();
    let names = program.functions.iter().map(|(id, function)| {
        let count = known.entry(&function.name).or_insert(0);
        *count += 1;
        (id, if *count == 1 { function.name.clone() } else { format!("{}#{count}", function.name) })
    });
    names.collect()
}
