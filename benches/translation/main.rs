//! How fast objects are translated: `cargo bench --bench translation`.
//!
//! Programs in C, of some 100 to 500,000 BPF instructions, are compiled by clang-19 to a BPF object and to LLVM bitcode
//! for this machine. The object is translated here, the bitcode by llc-19; both go from a file in memory or the system's
//! cache to a native object. `--write` puts the table and the plot into BENCHMARKS.md.
//!
//! | figure | measured as |
//! |---|---|
//! | instructions a second | BPF instructions of the object divided by the least time of some runs, parsing included |
//! | ... on one thread | CPU time of the process, in process |
//! | ... on two | wall-clock time, in process |
//! | ... of llc | CPU time of the process, less that for an empty module |
//! | first call | wall-clock time from the bytes of a hello-world object to the end of its first call |
//! | memory | the largest resident set of `bpf2native -c -j1` |

#[path = "../programs/build.rs"]
#[allow(dead_code, reason = "the other benchmark uses the rest")]
mod build;
mod child;
mod first_call;
mod generate;
#[path = "../programs/suite.rs"]
#[allow(dead_code, reason = "the other benchmark uses the rest")]
mod suite;
#[path = "../support/mod.rs"]
mod support;

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use bpf2native::config::OptLevel;
use bpf2native::emit::{self, Purpose};
use bpf2native::{Config, Program};
use clap::Parser;

use build::Flavour;
use support::{document, plot};

/// Measures translation.
#[derive(Parser)]
struct Arguments {
    /// Programs of up to about so many instructions
    #[arg(long, default_value_t = 500_000)]
    largest: usize,
    /// Translations of each: the fastest counts
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Without llc
    #[arg(long)]
    no_llc: bool,
    /// Write the table and the plot to BENCHMARKS.md
    #[arg(long)]
    write: bool,
    /// Load this object once, call it, and print how long that took
    #[arg(long, hide = true)]
    first_call: Option<std::path::PathBuf>,
    /// What `cargo bench` says
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.first_call {
        Some(object) => first_call::child(object),
        None => run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Instructions aimed at, and the functions that have about as many.
const SIZES: [(usize, usize); 6] =
    [(100, 1), (1000, 10), (10_000, 93), (30_000, 280), (100_000, 930), (500_000, 4650)];

/// A translation that is measured.
struct Column {
    title: &'static str,
    level: OptLevel,
    threads: usize,
}

const COLUMNS: [Column; 4] = [
    Column { title: "-O2 -j2", level: OptLevel::O2, threads: 2 },
    Column { title: "-O2 -j1", level: OptLevel::O2, threads: 1 },
    Column { title: "-O1 -j1", level: OptLevel::O1, threads: 1 },
    Column { title: "-O0 -j1", level: OptLevel::O0, threads: 1 },
];

/// What came out for one size.
struct Row {
    instructions: usize,
    /// Instructions a second: `COLUMNS`, then llc -O0 and -O2.
    rates: Vec<Option<f64>>,
    /// Bytes.
    memory: u64,
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let hello = first_call::measure(&folder)?;
    println!("{hello}");
    let mut table = Table { rows: Vec::new(), llc: !arguments.no_llc };
    print!("{}", table.head());
    let sizes = SIZES.iter().filter(|(size, _)| *size <= arguments.largest);
    let empty = folder.join("empty.ll");
    std::fs::write(&empty, "").map_err(|error| error.to_string())?;
    let mut programs = Vec::new();
    for &(size, functions) in sizes {
        let source = folder.join(format!("generated-{functions}.c"));
        write_if_changed(&source, &generate::source(functions))?;
        let object = build::build(&source, Flavour::Bpf("clang-19", "v4"), &folder)?;
        // First of all, as long as this process is small: a child's largest resident set is never less than its parent's.
        let memory = child::peak_memory(&object, &folder)?;
        programs.push((size, source, object, memory));
    }
    for (size, source, object, memory) in programs {
        let runs = if size > 50_000 { arguments.runs.min(3) } else { arguments.runs };
        let bytes = std::fs::read(&object).map_err(|error| error.to_string())?;
        let instructions = instructions(&object)?;
        let mut rates: Vec<Option<f64>> =
            COLUMNS.iter().map(|column| Some(instructions as f64 / translate(&bytes, column, runs))).collect();
        if table.llc {
            let bitcode = build::build(&source, Flavour::Bitcode("clang-19"), &folder)?;
            for level in ["-O0", "-O2"] {
                let cost = llc(&bitcode, level, runs)? - llc(&empty, level, runs)?;
                // A small program costs less than the start of llc varies.
                rates.push((cost > 2e-3).then(|| instructions as f64 / cost));
            }
        }
        table.rows.push(Row { instructions, rates, memory });
        print!("{}", table.row(table.rows.len() - 1));
    }
    let text = format!("{hello}\n\n{}", table.text());
    println!("\n{}", table.memory());
    if arguments.write {
        let machine = document::machine(&["clang-19", "llc-19"]);
        document::replace("translation", &format!("{machine}\n\n{text}"))?;
        document::write_plot("translation.svg", &table.plot())?;
    }
    Ok(())
}

fn write_if_changed(path: &Path, text: &str) -> Result<(), String> {
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The slots of an object's code.
fn instructions(object: &Path) -> Result<usize, String> {
    let program = Program::from_files([object]).map_err(|error| error.to_string())?;
    Ok(program.code.iter().map(|(_, section)| section.bytes.len() / 8).sum())
}

/// The least seconds of several translations, from the object's bytes.
fn translate(bytes: &[u8], column: &Column, runs: usize) -> f64 {
    let config = Config::new().opt_level(column.level).threads(column.threads).clone();
    let run = || {
        let (start, cpu) = (Instant::now(), child::own_cpu_time());
        let program = Program::from_bytes("bench.o", bytes).expect("the object is clang's");
        let object = emit::object(&program, &config, Purpose::Relocatable, "bench.o");
        black_box(object.expect("the program is valid"));
        if column.threads == 1 { child::own_cpu_time() - cpu } else { start.elapsed().as_secs_f64() }
    };
    (0..runs).map(|_| run()).fold(f64::INFINITY, f64::min)
}

/// The least seconds of CPU time of several runs of llc.
fn llc(input: &Path, level: &str, runs: usize) -> Result<f64, String> {
    let runs = if level == "-O2" { runs.min(2) } else { runs };
    let run = |_| {
        let mut command = Command::new("llc-19");
        command.args([level, "-filetype=obj", "-relocation-model=pic", "-o", "/dev/null"]).arg(input);
        child::usage(&mut command).map(|usage| usage.seconds)
    };
    let times = (0..runs).map(run).collect::<Result<Vec<f64>, _>>()?;
    Ok(times.into_iter().fold(f64::INFINITY, f64::min))
}

/// The table.
struct Table {
    rows: Vec<Row>,
    llc: bool,
}

impl Table {
    fn titles(&self) -> Vec<&'static str> {
        let llc: &[_] = if self.llc { &["llc-19 -O0", "llc-19 -O2"] } else { &[] };
        COLUMNS.iter().map(|column| column.title).chain(llc.iter().copied()).collect()
    }

    fn head(&self) -> String {
        let titles = self.titles();
        format!("| instructions | {} | memory |\n|---:|{}\n", titles.join(" | "), "---:|".repeat(titles.len() + 1))
    }

    fn row(&self, row: usize) -> String {
        let row = &self.rows[row];
        let rates =
            row.rates.iter().map(|rate| rate.map_or("–".to_owned(), |rate| format!("{:.0} k/s", rate / 1e3)));
        let memory = row.memory as f64 / 1e6;
        format!("| {} | {} | {memory:.0} MB |\n", row.instructions, rates.collect::<Vec<_>>().join(" | "))
    }

    fn text(&self) -> String {
        let mut text = self.head();
        (0..self.rows.len()).for_each(|row| text.push_str(&self.row(row)));
        writeln!(text, "\n{}\n\n![instructions a second](docs/bench/translation.svg)", self.memory())
            .expect("a string takes all");
        text
    }

    /// How memory grows.
    fn memory(&self) -> String {
        match (self.rows.first(), self.rows.last()) {
            (Some(first), Some(last)) if last.instructions > first.instructions => {
                let slope = last.memory.saturating_sub(first.memory) as f64
                    / (last.instructions - first.instructions) as f64;
                format!(
                    "Memory at -O2 -j1 grows from {:.0} MB by {slope:.0} bytes an instruction.",
                    first.memory as f64 / 1e6
                )
            }
            _ => String::new(),
        }
    }

    fn plot(&self) -> String {
        let lines = self.titles().into_iter().enumerate().map(|(column, name)| plot::Line {
            name: name.to_owned(),
            points: self
                .rows
                .iter()
                .filter_map(|row| Some((row.instructions as f64, row.rates[column]?)))
                .collect(),
        });
        let lines: Vec<_> = lines.collect();
        plot::lines("Translation", "BPF instructions of the program", "BPF instructions a second", &lines)
    }
}
