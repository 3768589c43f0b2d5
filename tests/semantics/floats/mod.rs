//! Programs of floats: all comparisons and what may be asked of their results; random programs, beside the same ones in C that
//! a native compiler compiles, on each machine.
//!
//! | what | file |
//! |---|---|
//! | comparisons with each constant, for all pairs of special numbers | `comparisons.rs` |
//! | random programs, in BPF and in C | `random.rs` |
//! | the C that runs both | `check.c` |
//!
//! `BPF2NATIVE_RANDOM_SEED` and `BPF2NATIVE_RANDOM_PROGRAMS` as in `isa_random.rs`.

mod comparisons;
mod random;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use bpf2native::Config;
use bpf2native::config::{Pass, Passes};
use bpf2native::emit::{Purpose, object};
use bpf2native::parse::{Input, Options, parse};

use crate::support::asm::assemble;
use crate::support::elf::object_with_calls;
use crate::support::engine::cross::machine;
use crate::support::interp::Order;
use crate::support::seeds;
use random::Program;

/// Random programs.
const PROGRAMS: u64 = 400;

/// The same, for each other machine.
const EMULATED: u64 = 100;

/// A function of `check.c`'s table: a name, and that of the C function which does the same.
fn table(rows: &[(String, String)]) -> String {
    let mut text = String::from("#include \"check.h\"\n");
    let put = "a string takes all";
    for (translated, native) in rows {
        writeln!(text, "u64 {translated}(unsigned char *), {native}(unsigned char *);").expect(put);
    }
    text.push_str("const struct row rows[] = {\n");
    for (translated, native) in rows {
        writeln!(text, "\t{{ \"{translated}\", {translated}, {native} }},").expect(put);
    }
    text.push_str("\t{ 0, 0, 0 },\n};\n");
    text
}

/// Translates programs under settings, each under two of them, links them with the same ones in C, and runs all.
fn check(test: &str, order: Order, settings: &[(String, Config)], compiler: &str, run: Command, count: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let programs: Vec<Program> = seeds::of(test, count).map(Program::new).collect();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/semantics/floats");
    let mut c = String::from("#include \"check.h\"\n");
    programs.iter().for_each(|program| c.push_str(&program.c));
    std::fs::write(path("programs.c"), c).unwrap();
    let mut rows = Vec::new();
    let mut link = Command::new(compiler);
    // Clang and gcc would put products and sums into one instruction where there is one.
    let flags = ["-O2", "-w", "-ffp-contract=off", "-fno-builtin", "-static", "-I"];
    link.args(flags).arg(&here).arg("-o").arg(path("check"));
    for (number, (_, config)) in settings.iter().enumerate() {
        let is_of_it =
            |index: &usize| index % settings.len() == number || (index * 7 + 3) % settings.len() == number;
        let chosen: Vec<usize> = (0..programs.len()).filter(is_of_it).collect();
        if chosen.is_empty() {
            continue;
        }
        let names: Vec<String> = chosen.iter().map(|&index| format!("{}_{number}", programs[index].name)).collect();
        let codes: Vec<Vec<u8>> = chosen.iter().map(|&index| assemble(&programs[index].bpf).unwrap()).collect();
        let functions: Vec<_> = (0..chosen.len())
            .map(|at| (names[at].as_str(), codes[at].as_slice(), programs[chosen[at]].calls.as_slice()))
            .collect();
        let input = Input { name: "floats.o".to_owned(), bytes: object_with_calls(order, &functions) };
        let parsed = parse(&[input], &Options::without_runtime()).unwrap();
        let native = object(&parsed, config, Purpose::Relocatable, "floats.o").unwrap();
        let file = path(&format!("{number}.o"));
        std::fs::write(&file, native.bytes).unwrap();
        link.arg(file);
        rows.extend(names.into_iter().zip(chosen.iter().map(|&index| programs[index].name.clone())));
    }
    std::fs::write(path("table.c"), table(&rows)).unwrap();
    link.args([path("programs.c"), path("table.c"), here.join("check.c")]).arg("-lm");
    let output = link.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut run = run;
    let output = run.arg(path("check")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    if said != format!("{} functions\n", rows.len()) || !output.status.success() {
        let name = said.lines().next().and_then(|line| line.split(' ').next()).unwrap_or_default();
        let (program, number) = name.rsplit_once('_').unwrap_or_default();
        let setting = number.parse().ok().and_then(|number: usize| settings.get(number)).map(|setting| &setting.0);
        let text = programs.iter().find(|one| one.name == program).map(|one| format!("{}\n{}", one.bpf, one.c));
        panic!("{test}: {}: {setting:?}\n{said}{}", output.status, text.unwrap_or_default());
    }
}

/// All passes, none, each of those for floats alone and left out, and the others left out.
fn sets() -> Vec<(String, Passes)> {
    let own = [Pass::FloatCalls, Pass::FloatComparisons, Pass::FloatValues, Pass::FloatAnchors];
    let alone = own.iter().map(|&pass| (pass.name().to_owned(), Passes::NONE.with(pass)));
    let off = Pass::ALL.iter().map(|&pass| (format!("no-{}", pass.name()), Passes::ALL.without(pass)));
    let both = [("all".to_owned(), Passes::ALL), ("none".to_owned(), Passes::NONE)];
    both.into_iter().chain(alone).chain(off).collect()
}

#[test]
fn random_programs_of_floats() {
    let mut settings = Vec::new();
    for (name, passes) in sets() {
        settings.push((format!("-Z {name}"), Config::new().passes(passes).threads(1).clone()));
    }
    let mut features = Config::new();
    features.threads(1).features(["+sse4.1".parse().unwrap()]);
    settings.push(("--target-feature=+sse4.1".to_owned(), features));
    check("floats", Order::Little, &settings, "cc", Command::new("env"), PROGRAMS);
}

fn check_machine(name: &str) {
    let (test, machine) = (format!("floats on {name}"), machine(name));
    if !machine.is_ready(&test) {
        return;
    }
    let sets = sets();
    let sets: Vec<(&str, Passes)> = sets.iter().map(|(name, passes)| (name.as_str(), *passes)).collect();
    let settings: Vec<(String, Config)> =
        machine.with_passes(&sets).into_iter().map(|setting| (setting.name, setting.config)).collect();
    // Those of the first set of features: floats need none.
    let settings = &settings[..sets.len()];
    check(&test, machine.order, settings, &format!("{name}-linux-gnu-gcc"), machine.command(), EMULATED);
}

#[test]
fn random_programs_of_floats_on_aarch64() {
    check_machine("aarch64");
}

#[test]
fn random_programs_of_floats_on_riscv64() {
    check_machine("riscv64");
}

#[test]
fn random_programs_of_floats_on_s390x() {
    check_machine("s390x");
}
