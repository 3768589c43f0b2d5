//! Functions that cannot be translated, among functions that can: each has its own error, and leaves nothing behind that the
//! next function on the same thread meets. All on one thread, so that it is the same thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use bpf2native::codegen;
use bpf2native::compare::measure::{self, Want};
use bpf2native::config::{OptLevel, parse_triple};
use bpf2native::{Config, Jit, Linker, Program};
use target_lexicon::Architecture;

use crate::command::{check, command, run};
use crate::support::interp::Order;
use crate::support::random::{Random, Seed};
use crate::support::{asm, elf, seeds};
use crate::translated::object;

/// The functions of `lift-errors.c`, and whether they can be translated.
const FUNCTIONS: [(&str, bool); 8] = [
    ("money1", false),
    ("good1", true),
    ("good2", true),
    ("money2", false),
    ("money3", false),
    ("good3", true),
    ("good4", true),
    ("money4", false),
];

/// Part of each error.
const REASON: &str = "`strfmon`, called by way of bpf2native.h, takes doubles after the `...`";

#[test]
fn a_report_has_the_error_of_each_and_the_code_of_the_others() {
    let folder = Path::new(".");
    for level in ["-O0", "-O1", "-O2"] {
        let csv = |name: &str| check(folder, &["report", "-j", "1", level, "--format", "csv", &object(name)], 0).0;
        let (with_errors, without) = (csv("lift-errors.o"), csv("lift-errors.good.o"));
        for (name, is_good) in FUNCTIONS {
            let row = |csv: &str| {
                let row = csv.lines().find(|row| row.split(',').nth(1) == Some(name)).map(str::to_owned);
                let row = row.unwrap_or_else(|| panic!("no {name}:\n{csv}"));
                row.split_once(',').unwrap().1.to_owned()
            };
            if is_good {
                assert_eq!(row(&with_errors), row(&without), "{level}: {name}");
            } else {
                assert!(
                    row(&with_errors).starts_with(&format!("{name},failed,")),
                    "{level}: {}",
                    row(&with_errors)
                );
            }
        }
    }
}

#[test]
fn each_route_ends_in_the_first_error() {
    let (bad, good) = (object("lift-errors.o"), object("lift-errors.good.o"));
    let folder = tempfile::tempdir().unwrap();
    let routes: [&[&str]; 6] = [
        &["-c", "-o", "x.o"],
        &["--shared", "-o", "x.so"],
        &["--emit", "clif"],
        &["--emit", "clif-opt"],
        &["--emit", "asm"],
        &["run", "--entry", "money1"],
    ];
    for route in routes {
        for level in ["-O0", "-O2"] {
            let arguments = [route, &["-j", "1", level, &bad]].concat();
            let (status, _, error) = run(&mut command(folder.path(), &arguments));
            assert!(
                status == 1 && error.contains(REASON) && error.contains("money1"),
                "{route:?}: {status}\n{error}"
            );
        }
    }
    let (status, out, error) = run(&mut command(folder.path(), &["diff", "-j", "1", &good, &bad]));
    assert!(status == 1 && error.is_empty() && out.contains("money4"), "{status}\n{out}{error}");
    let both = ["report", "-j", "1", &bad, &good];
    check(folder.path(), &both, 0);
}

/// What a host does that goes on after an error.
#[test]
fn a_host_may_go_on_with_the_same_translator() {
    let jit = Jit::new(&Config { threads: 1, ..Config::default() }).unwrap();
    let linker = Linker::new();
    let load = |name: &str| {
        let program = Program::from_files([object(name)]).unwrap();
        jit.load(&program, &linker).map_err(|error| error.to_string())
    };
    for _ in 0..3 {
        assert!(load("lift-errors.o").err().unwrap().contains(REASON));
        let module = load("lift-errors.good.o").unwrap();
        // SAFETY: it reads 8 words, by its source.
        let good = unsafe { module.func::<(u64, u64), u64>("good1") }.unwrap();
        let words = [1_u64; 8];
        assert_eq!(good.call((words.as_ptr() as u64, 1)), 2);
    }
}

/// Damage of a function's code: an instruction that is none, any byte, a jump out of it, or arguments that nobody passes.
fn damage(seed: &mut Seed, code: &mut Vec<u8>) {
    let slot = 8 * seed.below(code.len() / 8);
    match seed.below(5) {
        0 => code[slot] = seed.next() as u8,
        1 => code[slot + seed.below(8)] ^= 1 << seed.below(8),
        2 => code[slot..slot + 8].copy_from_slice(&[0x05, 0, 0xff, 0x7f, 0, 0, 0, 0]),
        // A call of a function at the end, which has stack arguments: the lifter's error, after half a function.
        _ => {
            let distance = (code.len() - slot) as i32 / 8 - 1;
            code[slot..slot + 4].copy_from_slice(&[0x85, 0x10, 0, 0]);
            code[slot + 4..slot + 8].copy_from_slice(&distance.to_le_bytes());
            code.extend(asm::assemble("r0 = *(u64 *)(r11 + 16)\nr0 += r1\nexit").unwrap());
        }
    }
}

/// What is measured of the functions, or why they are not translated, by the name.
fn measured(
    functions: &[(String, Vec<u8>)],
    order: Order,
    config: &Config,
    threads: usize,
) -> Option<Vec<(String, Result<String, String>)>> {
    let functions: Vec<(&str, &[u8])> = functions.iter().map(|(name, code)| (name.as_str(), &code[..])).collect();
    let program = Program::from_bytes("damaged.o", &elf::object_in(order, &functions)).ok()?;
    let pool = codegen::thread_pool(threads).unwrap();
    let all = pool.install(|| measure::program(&program, config, Want::Texts)).ok()?;
    let of = |function: measure::Function| {
        let name = program.functions[function.id].name.clone();
        (name, function.result.map(|measured| measured.code))
    };
    Some(all.into_iter().map(of).collect())
}

/// A function that cannot be translated changes nothing of the others, and no damage is a panic.
#[test]
fn random_functions_that_are_damaged_fail_alone() {
    let (mut failures, mut lifted_half) = (0, 0);
    let targets = ["x86_64", "aarch64", "riscv64", "s390x"].map(|name| parse_triple(name).unwrap());
    for value in seeds::of("damaged", 40) {
        let mut seed = Seed::new(value);
        let again = format!("BPF2NATIVE_RANDOM_SEED={value} BPF2NATIVE_RANDOM_PROGRAMS=1");
        let opt_level = *seed.pick(&[OptLevel::O0, OptLevel::O1, OptLevel::O2]);
        let target = seed.pick(&targets).clone();
        let order = if target.architecture == Architecture::S390x { Order::Big } else { Order::Little };
        let config = Config { opt_level, threads: 1, ..Config::for_target(target) };
        let functions: Vec<(String, Vec<u8>)> = (0..8)
            .map(|index| {
                let size = 1 + seed.below(30);
                let text = Random::of_input(&mut seed, size).text();
                (
                    format!("function_{index}"),
                    asm::assemble(&text).unwrap_or_else(|error| panic!("{again}: {error}")),
                )
            })
            .collect();
        let mut damaged = functions;
        let mut is_damaged = [false; 8];
        for _ in 0..1 + seed.below(5) {
            let index = seed.below(8);
            damage(&mut seed, &mut damaged[index].1);
            is_damaged[index] = true;
        }
        let measure = |threads| {
            let result = catch_unwind(AssertUnwindSafe(|| measured(&damaged, order, &config, threads)));
            result.unwrap_or_else(|_| panic!("{again}: a panic"))
        };
        // One thread reuses what it has for one function after the other; many threads have a function each.
        let (Some(result), Some(apart)) = (measure(1), measure(damaged.len())) else { continue };
        for (name, result) in &result {
            if let Err(error) = result {
                failures += 1;
                lifted_half += usize::from(error.contains("arguments on the stack"));
            }
            let index = name.strip_prefix("function_").and_then(|number| number.parse::<usize>().ok());
            if index.is_some_and(|index| !is_damaged[index]) {
                let alone = &apart.iter().find(|(other, _)| other == name).unwrap().1;
                assert_eq!(result, alone, "{again}: {name}");
            }
        }
    }
    crate::support::say(&format!("damaged: {failures} functions failed, {lifted_half} of them in the lifter\n"));
}
