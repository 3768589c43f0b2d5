//! `--coverage`: what ran of the program, in all tests together.
//!
//! In: the counters that each test's process has written. Out: an lcov file. The sources are those of the objects behind `--`, or of
//! all objects where there are none.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::bail;
use bpf2native::Program;
use bpf2native::internals::coverage::Counted;
use bpf2native::parse::Input;

use super::process::Runner;

/// The coverage of so many tests, as lcov.
pub fn lcov(
    counted: &Counted,
    runner: &Runner,
    tests: usize,
    program: &Program,
    shipped: &[Input],
) -> anyhow::Result<String> {
    if counted.counters() == 0 {
        bail!("no object has source lines, which coverage is about: compile with `-g`");
    }
    let mut sums = vec![0_u64; counted.counters()];
    let mut missing = 0;
    for number in 0..tests {
        match read(&runner.counts(number)).filter(|counts| counts.len() == sums.len()) {
            Some(counts) => sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum = sum.saturating_add(count)),
            // It was killed.
            None => missing += 1,
        }
    }
    if missing > 0 {
        crate::cli::console::warn_of(&format!(
            "{missing} of {tests} tests ended without telling what ran: they are not in the coverage"
        ));
    }
    let mut coverage = counted.coverage(&sums);
    let sources = sources(program, shipped);
    if !sources.is_empty() {
        coverage.files.retain(|file| sources.contains(file.name.as_str()));
    }
    Ok(coverage.to_lcov())
}

/// The source files of these objects.
fn sources<'a>(program: &'a Program, objects: &[Input]) -> BTreeSet<&'a str> {
    let names: BTreeSet<&str> = objects.iter().map(|object| object.name.as_str()).collect();
    let code = program.code.iter().map(|(_, code)| code);
    let code = code.filter(|code| names.contains(program.files[code.file].as_str()));
    code.flat_map(|code| code.lines.iter().map(|line| &*line.file)).collect()
}

fn read(path: &Path) -> Option<Vec<u64>> {
    let bytes = fs::read(path).ok()?;
    Some(bytes.chunks_exact(8).filter_map(|word| Some(u64::from_le_bytes(word.try_into().ok()?))).collect())
}
