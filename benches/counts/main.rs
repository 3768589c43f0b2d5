//! How many instructions translated programs execute on other machines: `cargo bench --bench counts -- aarch64`.
//!
//! Every program of the suite is compiled by clang for the machine, and for BPF and translated; both are linked with `driver.c` and run
//! under QEMU's user-mode emulator, whose plugin `count.c` counts instructions and accesses of memory. Both are run for few and for more
//! iterations, and the difference counts: what starts and ends a process does not. Counts are exact, whatever else the machine does.
//! `--write` puts the table into BENCHMARKS.md. See `--help`.
//!
//! | file | what |
//! |---|---|
//! | `count.c` | the plugin |
//! | `driver.c` | what calls a program |
//! | `machine.rs` | compilers, linkers and the emulator of a machine |

mod machine;
#[path = "../../tests/support/parallel.rs"]
mod parallel;
#[path = "../programs/suite.rs"]
#[allow(dead_code, reason = "each benchmark uses its part of it")]
mod suite;
#[path = "../support/mod.rs"]
mod support;

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use bpf2native::Config;
use bpf2native::config::{OptLevel, PassChange, Target};
use clap::Parser;

use machine::{Counts, Machine};
use suite::{Part, Program};

/// Counts the instructions that programs execute, translated and native.
#[derive(Parser)]
struct Arguments {
    /// The machine: aarch64, riscv64, s390x or x86_64
    machine: String,
    /// Only programs whose names contain one of these
    names: Vec<String>,
    /// The programs of floats, in place of the others
    #[arg(long, conflicts_with_all = ["whole", "vectors"])]
    floats: bool,
    /// The whole programs, in place of the others
    #[arg(long, conflicts_with = "vectors")]
    whole: bool,
    /// The programs that are loops over elements, in place of the others
    #[arg(long)]
    vectors: bool,
    /// Our code at this level
    #[arg(short = 'O', value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(0..=2))]
    level: Option<u8>,
    /// Our code with these passes, as `bpf2native -Z` has them, with commas
    #[arg(short = 'Z', value_name = "PASSES")]
    passes: Option<String>,
    /// Write the table to BENCHMARKS.md
    #[arg(long)]
    write: bool,
    /// What `cargo bench` says
    #[arg(long, hide = true)]
    bench: bool,
}

/// What came out for one program.
struct Row {
    name: String,
    ours: Counts,
    native: Counts,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("counts").join(&arguments.machine);
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let machine = Machine::new(&arguments.machine, config(arguments)?, &folder)?;
    let part = match (arguments.floats, arguments.whole, arguments.vectors) {
        (true, ..) => Part::Floats,
        (_, true, _) => Part::Whole,
        (.., true) => Part::Vectors,
        _ => Part::Programs,
    };
    let mut programs = suite::programs(part);
    let names = &arguments.names;
    programs.retain(|program| names.is_empty() || names.iter().any(|name| program.name.contains(name.as_str())));
    if programs.is_empty() {
        return Err(format!("no program's name contains {}", names.join(" or ")));
    }
    let rows: Vec<Row> = parallel::parallel(&programs, |program| measure(&machine, program))
        .into_iter()
        .collect::<Result<_, String>>()?;
    let table = table(&rows);
    print!("{table}");
    if arguments.write {
        support::document::replace(&format!("counts {} {}", arguments.machine, part.name()), &table)?;
    }
    Ok(())
}

/// The configuration of our code.
fn config(arguments: &Arguments) -> Result<Config, String> {
    let target = arguments.machine.parse::<Target>().map_err(|error| format!("{}: {error}", arguments.machine))?;
    let mut config = Config::for_target(target);
    if let Some(level) = arguments.level {
        config.opt_level([OptLevel::O0, OptLevel::O1, OptLevel::O2][usize::from(level)]);
    }
    let changes = arguments.passes.iter().flat_map(|words| words.split(','));
    let changes: Vec<PassChange> =
        changes.map(str::parse).collect::<Result<_, _>>().map_err(|error| format!("{error}"))?;
    let passes = config.effective_passes().changed(&changes);
    config.passes(passes);
    Ok(config)
}

fn measure(machine: &Machine, program: &Program) -> Result<Row, String> {
    let ours = machine.translated(program)?;
    let native = machine.native(program)?;
    let (result, ours) = machine.count(program, &ours)?;
    let (expected, native) = machine.count(program, &native)?;
    if result != expected {
        return Err(format!("{}: the result is {result} and not {expected}", program.name));
    }
    Ok(Row { name: program.name.clone(), ours, native })
}

/// The programs, the worst first, and the geometric means.
fn table(rows: &[Row]) -> String {
    let instructions = |row: &Row| row.ours.instructions as f64 / row.native.instructions.max(1) as f64;
    let accesses = |row: &Row| row.ours.accesses.max(1) as f64 / row.native.accesses.max(1) as f64;
    let mean =
        |of: &dyn Fn(&Row) -> f64| f64::exp(rows.iter().map(|row| of(row).ln()).sum::<f64>() / rows.len() as f64);
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by(|a, b| instructions(b).total_cmp(&instructions(a)));
    let mut text = String::from(
        "| program | instructions / clang's | accesses / clang's | instructions |\n|---|---:|---:|---:|\n",
    );
    let mut line = |name: &str, instructions: f64, accesses: f64, count: &str| {
        writeln!(text, "| {name} | {instructions:.2} | {accesses:.2} | {count} |").expect("a string takes all");
    };
    for row in sorted {
        line(&row.name, instructions(row), accesses(row), &row.ours.instructions.to_string());
    }
    line("geometric mean", mean(&instructions), mean(&accesses), "");
    text
}
