//! From an object to its first call: what a program waits for that loads a plugin.
//!
//! In: a hello-world object. Out: wall-clock times of the phases, in processes that do nothing else, since the first time
//! in a process is what counts. The rule: of all processes, the one whose sum is least.

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use bpf2native::{Config, Jit, Linker, Program};

use super::build::{self, Flavour};
use super::suite;

/// Processes.
const RUNS: usize = 40;

/// Measures, and says it in a sentence.
pub fn measure(folder: &Path) -> Result<String, String> {
    let object = build::build(&suite::folder().join("hello.c"), Flavour::Bpf("clang-19", "v4"), folder)?;
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let run = |_| {
        let output =
            Command::new(&this).arg("--first-call").arg(&object).output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let times: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        <[f64; 4]>::try_from(times).map_err(|_| format!("hello world: {}", String::from_utf8_lossy(&output.stderr)))
    };
    let runs = (0..RUNS).map(run).collect::<Result<Vec<[f64; 4]>, String>>()?;
    let sum = |times: &[f64; 4]| times.iter().sum::<f64>();
    let best = runs.iter().min_by(|a, b| sum(a).total_cmp(&sum(b))).expect("there are runs");
    let [parse, jit, load, call] = best;
    Ok(format!(
        "Hello world (one function, which calls `snprintf`), from the object's bytes to the end of its first call, the \
         first time in a process: {:.2} ms ({parse:.2} ms to parse, {jit:.2} ms for `Jit::new`, {load:.2} ms to translate \
         and load, {call:.2} ms to call).",
        sum(best)
    ))
}

/// The child: prints milliseconds for parsing, for the translator, for loading, and for the call.
pub fn child(object: &Path) -> Result<(), String> {
    let bytes = std::fs::read(object).map_err(|error| format!("{}: {error}", object.display()))?;
    let start = Instant::now();
    let program = Program::from_bytes("hello.o", &bytes).map_err(|error| error.to_string())?;
    let parsed = Instant::now();
    let jit = Jit::new(&Config::new()).map_err(|error| error.to_string())?;
    let made = Instant::now();
    let module = jit.load(&program, &Linker::new()).map_err(|error| error.to_string())?;
    let loaded = Instant::now();
    // SAFETY: the program is `hello.c`, whose function writes to its buffer.
    let hello = unsafe { module.func::<(u64, u64), i32>("hello") }.map_err(|error| error.to_string())?;
    let mut buffer = [0_u8; 64];
    black_box(hello.call((buffer.as_mut_ptr() as u64, buffer.len() as u64)));
    let called = Instant::now();
    if !buffer.starts_with(b"Hello, world!") {
        return Err("it writes something else".to_owned());
    }
    for (from, to) in [(start, parsed), (parsed, made), (made, loaded), (loaded, called)] {
        print!("{:.4} ", (to - from).as_secs_f64() * 1e3);
    }
    Ok(())
}
