//! The command line, and the columns that it asks for.

use bpf2native::Config;
use bpf2native::config::{OptLevel, Pass, PassChange};
use clap::Parser;

use super::build::{NO_VECTORS, is_installed};
use super::engines::{Engine, LEVELS, TRIAL};
use super::measure::Effort;
use super::peers::Compiler;
use super::suite::{self, Part, Program};

/// Measures programs, translated and native.
#[derive(Parser)]
pub struct Arguments {
    /// Only programs whose names contain one of these
    names: Vec<String>,
    /// Runs of each program at each placement: the fastest counts
    #[arg(long, default_value_t = 9)]
    pub rounds: usize,
    /// Places in memory that each program is measured at
    #[arg(long, default_value_t = 4)]
    pub placements: usize,
    /// Microseconds of a native run
    #[arg(long, default_value_t = 1000)]
    micros: u64,
    /// Without rbpf and uBPF
    #[arg(long)]
    no_peers: bool,
    /// Without the kernel
    #[arg(long)]
    no_kernel: bool,
    /// The programs of floats (objects of LLVM 23) beside clang-22, in place of the others
    #[arg(long)]
    floats: bool,
    /// The whole programs (objects of clang-22) beside clang-22, in place of the others
    #[arg(long, conflicts_with = "floats")]
    whole: bool,
    /// The programs that are loops over elements (objects of LLVM 23) beside clang-22, in place of the others
    #[arg(long, conflicts_with_all = ["floats", "whole"])]
    vectors: bool,
    /// Only our code of clang-19's objects beside clang-19 without vectors
    #[arg(long)]
    quick: bool,
    /// A further column: our code at this level
    #[arg(short = 'O', value_name = "LEVEL")]
    levels: Vec<String>,
    /// A further column: our code with these passes, as `bpf2native -Z` has them, with commas
    #[arg(short = 'Z', value_name = "PASSES")]
    passes: Vec<String>,
    /// A further column: our code with counters of coverage
    #[arg(long)]
    coverage: bool,
    /// A further column: our code by a profile of what is measured
    #[arg(long)]
    profile: bool,
    /// A further column for each pass: without it
    #[arg(long)]
    each: bool,
    /// Write the tables and the plot to BENCHMARKS.md
    #[arg(long)]
    pub write: bool,
    /// Run once on one of the peers' compilers, and print the result
    #[arg(long, hide = true)]
    pub trial: Option<Compiler>,
    /// How often, with --trial
    #[arg(long, hide = true, default_value_t = TRIAL)]
    pub iterations: u64,
    /// An object of which level, with --trial
    #[arg(long, hide = true, value_parser = LEVELS, default_value = LEVELS[0])]
    level: String,
    /// What `cargo bench` says
    #[arg(long, hide = true)]
    bench: bool,
}

/// A column of the table.
pub struct Column {
    /// Its head.
    pub title: String,
    /// What is measured.
    pub engine: Engine,
}

impl Arguments {
    /// The programs that are measured.
    pub fn programs(&self) -> Vec<Program> {
        suite::programs(self.part()).into_iter().filter(|program| self.wants(&program.name)).collect()
    }

    /// Which part of BENCHMARKS.md is written.
    pub fn part(&self) -> Part {
        match (self.floats, self.whole, self.vectors) {
            (true, ..) => Part::Floats,
            (_, true, _) => Part::Whole,
            (.., true) => Part::Vectors,
            _ => Part::Programs,
        }
    }

    /// Whether the kernel is measured too: its verifier knows no floats, and refuses large programs.
    pub fn has_kernel(&self) -> bool {
        !self.no_kernel && self.part() == Part::Programs
    }

    /// Whether a program was asked for.
    fn wants(&self, name: &str) -> bool {
        match self.trial {
            Some(_) => self.names.iter().any(|part| name == part),
            None => self.names.is_empty() || self.names.iter().any(|part| name.contains(part)),
        }
    }

    /// The level of the object with --trial.
    pub fn level(&self) -> &'static str {
        LEVELS.into_iter().find(|&level| level == self.level).unwrap_or(LEVELS[0])
    }

    /// Whether peers are measured.
    pub fn has_peers(&self) -> bool {
        !self.no_peers && !self.quick && self.part() == Part::Programs
    }

    pub fn effort(&self) -> Effort {
        Effort { rounds: self.rounds, placements: self.placements, run: self.micros as f64 * 1e3 }
    }

    /// What is measured; the first column is what the others are compared with.
    pub fn columns(&self, peers: bool) -> Result<Vec<Column>, String> {
        let column = |title: &str, engine| Column { title: title.to_owned(), engine };
        let ours = |clang, config: &Config| Engine::Translated(clang, Box::new(config.clone()));
        let config = Config::default();
        let (native, clang) = match self.part() {
            Part::Programs => ("clang-19", "clang-19"),
            Part::Floats | Part::Vectors => ("clang-22", "LLVM 23"),
            Part::Whole => ("clang-22", "clang-22"),
        };
        let mut columns = vec![
            column(&format!("{native} novec"), Engine::Native(native, NO_VECTORS)),
            column(&format!("ours, {clang}"), ours(native, &config)),
        ];
        if !self.quick {
            if self.part() == Part::Programs {
                columns.push(column("ours, clang-22", ours("clang-22", &config)));
            }
            columns.push(column("clang-22", Engine::Native("clang-22", &["-O2"])));
            columns.push(column("gcc", Engine::Native("gcc", &["-O2"])));
        }
        for level in &self.levels {
            let opt_level = match level.as_str() {
                "0" => OptLevel::O0,
                "1" => OptLevel::O1,
                "2" => OptLevel::O2,
                _ => return Err(format!("-O{level}: there are 0, 1 and 2")),
            };
            let config = config.clone().opt_level(opt_level).clone();
            columns.push(column(&format!("ours -O{level}"), ours(native, &config)));
        }
        if self.coverage {
            let config = config.clone().coverage(true).clone();
            columns.push(column("ours with coverage", ours("clang-19", &config)));
        }
        if self.profile {
            columns.push(column("ours by a profile", Engine::Profiled(native, Box::new(config.clone()))));
        }
        let each = Pass::ALL.iter().map(|pass| format!("no-{}", pass.name()));
        for words in self.passes.iter().cloned().chain(each.filter(|_| self.each)) {
            let changes = words.split(',').map(str::parse).collect::<Result<Vec<PassChange>, _>>();
            let changes = changes.map_err(|error| error.to_string())?;
            let passes = config.effective_passes().changed(&changes);
            let config = config.clone().passes(passes).clone();
            columns.push(column(&format!("ours -Z {words}"), ours(native, &config)));
        }
        if peers {
            columns.push(column("rbpf JIT", Engine::Peer(Compiler::Own, LEVELS[0])));
            columns.push(column("rbpf Cranelift", Engine::Peer(Compiler::Cranelift, LEVELS[0])));
            columns.push(column("uBPF JIT", Engine::Peer(Compiler::Ubpf, LEVELS[0])));
        }
        let missing = columns.iter().find_map(|column| match &column.engine {
            Engine::Native(compiler, _) | Engine::Translated(compiler, _) | Engine::Profiled(compiler, _)
                if !is_installed(compiler) =>
            {
                Some(compiler)
            }
            _ => None,
        });
        match missing {
            Some(compiler) => Err(format!("`{compiler}` is not installed")),
            None => Ok(columns),
        }
    }
}
