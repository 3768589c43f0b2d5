//! How fast translated programs are: `cargo bench --bench programs`.
//!
//! Every program of `programs.txt` is compiled natively and for BPF, translated, and measured on all engines in turn;
//! beside them rbpf, uBPF, and the kernel for what its verifier takes. `--write` puts the tables and the plot into
//! BENCHMARKS.md. See `--help`.
//!
//! | file | what |
//! |---|---|
//! | `suite.rs`, `programs.txt`, `c/` | the programs |
//! | `floats`, `vectors`, `whole`, each a `.txt` and a folder; `objects.sh` | those of floats, loops over elements, and whole ones, with their objects |
//! | `build.rs` | clang and gcc |
//! | `engines.rs`, `peers.rs`, `kernel.rs` | what runs them |
//! | `flat.rs`, `padding.rs`, `memory.rs` | objects for engines that know none; placement; the buffer |
//! | `measure.rs`, `size.rs` | time; size of code |
//! | `report.rs`, `notes.md`, `whole.md` | tables for BENCHMARKS.md; what the disassembly of the slowest shows |

mod arguments;
#[cfg(target_os = "linux")]
#[path = "../../tests/support/bpf.rs"]
mod bpf;
mod build;
mod engines;
mod flat;
#[cfg(target_os = "linux")]
mod kernel;
mod measure;
mod memory;
mod padding;
#[path = "../../tests/support/parallel.rs"]
mod parallel;
mod peers;
mod report;
mod size;
mod suite;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;
use engines::Engine;
use memory::Memory;
use peers::{Compiler, Peers};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where compiled programs are kept.
fn build_folder() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// Cargo's folder for what it builds.
fn target() -> PathBuf {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR"));
    own.parent().map_or_else(|| own.to_owned(), Path::to_owned)
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let folder = build_folder()?;
    let mut memory = Memory::new();
    let chosen = arguments.programs();
    if let Some(compiler) = arguments.trial {
        return trial(compiler, arguments, &chosen, &mut memory, &folder);
    }
    let peers = if arguments.has_peers() {
        Peers::build(&target())?;
        Some(Peers::open(&target())?)
    } else {
        None
    };
    let columns = arguments.columns(peers.is_some())?;
    let engines: Vec<Engine> = columns.iter().map(|column| column.engine.clone()).collect();
    parallel::parallel(&chosen, |program| {
        for engine in &engines {
            engines::prepare(program, engine, arguments.placements, &folder)?;
        }
        Ok(())
    })
    .into_iter()
    .collect::<Result<Vec<()>, String>>()?;
    let mut report = report::Report::new(&columns, arguments.effort());
    report.head();
    for program in &chosen {
        let measured =
            measure::measure(program, &engines, arguments.effort(), peers.as_ref(), &mut memory, &folder)?;
        let sizes = size::sizes(program, &engines, &folder)?;
        report.add(measured, sizes);
    }
    report.totals();
    #[cfg(target_os = "linux")]
    if arguments.has_kernel() {
        report.kernel(kernel::compare(&chosen, arguments.rounds, &mut memory, &folder));
    }
    if arguments.write {
        report.write(arguments.part())?;
    }
    Ok(())
}

/// Runs one program on one of the peers' compilers, and prints the result: what the parent compares.
fn trial(
    compiler: Compiler,
    arguments: &Arguments,
    chosen: &[suite::Program],
    memory: &mut Memory,
    folder: &Path,
) -> Result<(), String> {
    let peers = Peers::open(&target())?;
    let engine = Engine::Peer(compiler, arguments.level());
    for program in chosen {
        let answer = match engines::load(program, &engine, 1, Some(&peers), memory, folder) {
            Ok(loaded) => {
                memory.fill(program.buffer);
                format!("{:016x}", loaded[0].run(memory, arguments.iterations))
            }
            Err(error) => error.lines().next().unwrap_or_default().to_owned(),
        };
        println!("{answer}");
    }
    Ok(())
}
