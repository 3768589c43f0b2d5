//! The table of instruction cases (`tests/isa/*.txt`, and the long generated ones) on every engine.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use bpf2native::config::OptLevel;
use support::cases::{self, Case};
use support::engine::{Engine, Problem};
use support::{engine, generated};

fn table() -> &'static [Case] {
    static TABLE: LazyLock<Vec<Case>> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/isa");
        let mut table = cases::read(&folder).unwrap_or_else(|error| panic!("{error}"));
        table.extend(generated::cases());
        table
    });
    &TABLE
}

/// Runs the table: fails with all the cases whose outcome is another, and says what the engine could not run.
fn check(engine: &dyn Engine) {
    let table = table();
    let name = engine.name();
    let results = match engine.run(table) {
        Ok(results) => results,
        Err(error) => return support::absent(name, &error),
    };
    assert_eq!(results.len(), table.len(), "{name} has left out cases");
    let mut unsupported: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
    let mut failures = Vec::new();
    for (case, result) in table.iter().zip(results) {
        match result {
            Ok(outcome) if outcome.r0 != case.r0 => {
                failures.push(format!("{}: r0 is {:#x}, not {:#x}", case.name, outcome.r0, case.r0));
            }
            Ok(outcome) if outcome.memory != case.memory_after => {
                let (is, not) = (support::hex::encode(&outcome.memory), support::hex::encode(&case.memory_after));
                failures.push(format!("{}: the memory is {is}, not {not}", case.name));
            }
            Ok(_) => {}
            Err(Problem::Unsupported(reason)) => {
                let block = case.name.split(' ').next().unwrap_or_default();
                *unsupported.entry(reason).or_default().entry(block).or_default() += 1;
            }
            Err(Problem::Failed(error)) => failures.push(format!("{}: {error}", case.name)),
        }
    }
    let left_out: usize = unsupported.values().flat_map(BTreeMap::values).sum();
    let mut report = format!("isa: {name}: {} cases, {left_out} of them not run\n", table.len());
    for (reason, blocks) in unsupported {
        let blocks: Vec<String> = blocks.iter().map(|(block, count)| format!("{block} ({count})")).collect();
        report += &format!("    {reason}: {}\n", blocks.join(", "));
    }
    support::say(&report);
    assert!(left_out < table.len() / 2, "{name} runs too few cases");
    let count = failures.len();
    assert!(failures.is_empty(), "{name}: {count} of {} cases fail:\n{}", table.len(), failures.join("\n"));
}

#[test]
fn interpreter() {
    check(&engine::interpreter::Interpreter);
}

#[test]
fn rbpf() {
    check(&engine::rbpf::Rbpf);
}

#[test]
#[cfg(target_os = "linux")]
fn kernel() {
    check(&engine::kernel::Kernel);
}

#[test]
fn jit() {
    check(&engine::jit::InProcess(OptLevel::O2));
}

#[test]
fn jit_unoptimised() {
    check(&engine::jit::InProcess(OptLevel::O0));
}

#[test]
fn aot() {
    check(&engine::aot::SharedLibrary);
}
