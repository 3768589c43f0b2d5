//! The programs of the benchmarks do the same when they are translated as natively: result and buffer.

use std::path::Path;

use bpf2native::config::OptLevel;
use bpf2native::{Config, Jit, Linker, Program as Translated};

#[path = "../benches/programs/build.rs"]
#[allow(dead_code, reason = "the benchmark uses the rest")]
mod build;
mod native;
#[path = "support/parallel.rs"]
mod parallel;
#[path = "../benches/programs/suite.rs"]
#[allow(dead_code, reason = "the benchmark uses the rest")]
mod suite;

use build::Flavour;

/// How often each does its work.
const ITERATIONS: u64 = 3;

type Bench = extern "C" fn(*mut u8, u64) -> u64;

/// The result, and the buffer after it. All runs have their buffer at one address, since programs keep pointers there.
fn run(bench: Bench, buffer: &mut [u64], bytes: usize) -> (u64, Vec<u64>) {
    // SAFETY: words are bytes.
    suite::fill(unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast(), bytes) });
    let result = bench(buffer.as_mut_ptr().cast(), ITERATIONS);
    (result, buffer.to_vec())
}

fn check(program: &suite::Program, folder: &Path, jits: &[(OptLevel, Jit)]) -> Result<(), String> {
    let object = build::object(program, "clang-19", folder)?;
    let native = Flavour::Native("clang-19", build::NO_VECTORS, 0);
    let library = build::build(&program.source(), native, folder)?;
    let mut buffer = vec![0_u64; program.buffer.div_ceil(8)];
    // SAFETY: the library is a program of the suite, without constructors; `bench` has this type in all of them.
    let expected = unsafe {
        let library = libloading::Library::new(library).map_err(|error| error.to_string())?;
        let bench = *library.get::<Bench>(b"bench").map_err(|error| error.to_string())?;
        run(bench, &mut buffer, program.buffer)
    };
    let translated = Translated::from_files([object]).map_err(|error| error.to_string())?;
    for (level, jit) in jits {
        let module = jit.load(&translated, &Linker::new()).map_err(|error| error.to_string())?;
        // SAFETY: the program is of the suite; `bench` has this type, and the module lives during the run.
        let found = unsafe {
            let bench = module.func::<(u64, u64), u64>("bench").map_err(|error| error.to_string())?;
            let bench = std::mem::transmute::<*const std::ffi::c_void, Bench>(bench.address());
            run(bench, &mut buffer, program.buffer)
        };
        if found != expected {
            let what = if found.0 == expected.0 { "the buffer differs" } else { "the result differs" };
            return Err(format!("{}: {level:?}: {what}: {:#x}, natively {:#x}", program.name, found.0, expected.0));
        }
    }
    Ok(())
}

/// With coverage, all levels get the same result as without, and count the same.
fn check_coverage(
    program: &suite::Program,
    folder: &Path,
    plain: &Jit,
    counting: &[(OptLevel, Jit)],
) -> Result<(), String> {
    let object = build::object(program, "clang-19", folder)?;
    let translated = Translated::from_files([object]).map_err(|error| error.to_string())?;
    let mut buffer = vec![0_u64; program.buffer.div_ceil(8)];
    let mut run_one = |jit: &Jit| {
        let module = jit.load(&translated, &Linker::new()).map_err(|error| error.to_string())?;
        // SAFETY: as in `check`.
        let found = unsafe {
            let bench = module.func::<(u64, u64), u64>("bench").map_err(|error| error.to_string())?;
            let bench = std::mem::transmute::<*const std::ffi::c_void, Bench>(bench.address());
            run(bench, &mut buffer, program.buffer)
        };
        Ok::<_, String>((found, module.coverage()))
    };
    let (expected, none) = run_one(plain)?;
    assert!(none.is_none());
    let mut first = None;
    for (level, jit) in counting {
        let (found, coverage) = run_one(jit)?;
        if found != expected {
            return Err(format!("{}: {level:?}: counting changes what it does", program.name));
        }
        let coverage = coverage.ok_or("it does not count")?;
        let lines = coverage.files.iter().flat_map(|file| &file.lines);
        if lines.filter(|line| line.count > 0).count() < 3 {
            return Err(format!("{}: {level:?}: few lines ran: {}", program.name, coverage.to_lcov()));
        }
        if *first.get_or_insert_with(|| coverage.clone()) != coverage {
            return Err(format!("{}: {level:?} counts otherwise", program.name));
        }
    }
    Ok(())
}

#[test]
fn programs_count_the_same_at_all_levels() {
    if !native::has_tool("clang-19") {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-coverage");
    std::fs::create_dir_all(&folder).unwrap();
    let jit =
        |opt_level| (opt_level, Jit::new(Config::new().opt_level(opt_level).coverage(true).threads(1)).unwrap());
    let counting = [OptLevel::O0, OptLevel::O1, OptLevel::O2].map(jit);
    let plain = Jit::new(Config::new().threads(1)).unwrap();
    let programs = suite::Part::ALL.map(suite::programs).concat();
    let results = parallel::parallel(&programs, |program| check_coverage(program, &folder, &plain, &counting));
    let failures: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn programs_do_the_same_as_natively() {
    if !native::has_tool("clang-19") {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    std::fs::create_dir_all(&folder).unwrap();
    let jit = |opt_level| (opt_level, Jit::new(Config::new().opt_level(opt_level).threads(1)).unwrap());
    let jits = [OptLevel::O0, OptLevel::O1, OptLevel::O2].map(jit);
    let programs = suite::Part::ALL.map(suite::programs).concat();
    assert!(programs.len() >= 120);
    let results = parallel::parallel(&programs, |program| check(program, &folder, &jits));
    let failures: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
