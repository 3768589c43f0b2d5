//! The table of instruction cases (`tests/isa/*.txt`, and the long generated ones) on every engine.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use crate::support::cases::{self, Case};
use crate::support::engine::cross::{Emulated, machine};
use crate::support::engine::{Engine, Problem};
use crate::support::interp::Order;
use crate::support::{engine, generated};
use bpf2native::config::OptLevel;

fn table() -> &'static [Case] {
    static TABLE: LazyLock<Vec<Case>> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/isa");
        let mut table = cases::read(&folder).unwrap_or_else(|error| panic!("{error}"));
        table.extend(generated::cases());
        table
    });
    &TABLE
}

/// The table without the long programs, as it is on machines of this byte order. What it says of bytes is for little-endian
/// ones: for others, what the interpreter does counts, and the few cases that take a part of a number for an address are none.
fn short(order: Order) -> Vec<Case> {
    let longest = 1000;
    let short = table().iter().filter(|case| case.code.len() < 8 * longest).cloned();
    if order == Order::Little {
        return short.collect();
    }
    let all = table().len();
    let big = |mut case: Case| {
        case.memory_after.clone_from(&case.memory);
        case.r0 = engine::interpreter::run_in(order, &case.code, &mut case.memory_after).ok()?;
        Some(case)
    };
    let table: Vec<Case> = short.filter_map(big).collect();
    assert!(table.len() + 40 > all, "{} of {all} cases are none of big-endian machines", all - table.len());
    table
}

/// Runs the table on another machine: at each level, with as few and with as many features of its processors as can be.
fn check_machine(name: &str) {
    let machine = machine(name);
    let table = short(machine.order);
    for opt_level in [OptLevel::O2, OptLevel::O0] {
        for features in ["", machine.most_features()] {
            check_table(&Emulated { machine, setting: machine.setting(opt_level, features) }, &table);
        }
    }
}

/// Runs the table: fails with all the cases whose outcome is another, and says what the engine could not run.
fn check(engine: &dyn Engine) {
    check_table(engine, table());
}

fn check_table(engine: &dyn Engine, table: &[Case]) {
    let name = engine.name();
    let results = match engine.run(table) {
        Ok(results) => results,
        Err(error) => return crate::support::absent(name, &error),
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
                let (is, not) =
                    (crate::support::hex::encode(&outcome.memory), crate::support::hex::encode(&case.memory_after));
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
    crate::support::say(&report);
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

#[test]
fn aarch64() {
    check_machine("aarch64");
}

#[test]
fn riscv64() {
    check_machine("riscv64");
}

#[test]
fn s390x() {
    check_machine("s390x");
}
