//! Calls between functions of a program: what callers pass.

#![allow(clippy::unwrap_used)]

mod support;

use bpf2native::config::{OptLevel, parse_triple};
use bpf2native::{Config, Program, listing};

/// The CLIF of a program, as it is lifted.
fn clif(text: &str) -> String {
    let program = Program::from_instructions("calls", &support::asm::assemble(text).unwrap()).unwrap();
    let config = Config { opt_level: OptLevel::O1, ..Config::for_target(parse_triple("x86_64").unwrap()) };
    listing::clif(&program, &config, None, &mut Vec::new()).unwrap()
}

/// How many parameters each function has, in order.
fn parameters(text: &str) -> Vec<usize> {
    let clif = clif(text);
    let functions = clif.lines().filter_map(|line| line.strip_prefix("function "));
    functions.map(|line| line.split_once(')').map_or(line, |(head, _)| head).matches("i64").count()).collect()
}

#[test]
fn callers_pass_what_callees_read() {
    let sum = "r0 = r1\nr0 += r2\nexit\n";
    // r3 to r5 are nothing to the function that calls it, nor to those that call that.
    assert_eq!(parameters(&format!("call f\nexit\nf:\ncall g\nexit\ng:\n{sum}")), [2, 2, 2]);
    // What the caller writes is not a parameter of its own.
    assert_eq!(parameters(&format!("r2 = 1\ncall f\nr0 += r6\nexit\nf:\n{sum}")), [1, 2]);
}

#[test]
fn recursive_functions_pass_what_they_read() {
    assert_eq!(parameters("call f\nexit\nf:\nr0 = r1\nif r1 == 0 goto +2\nr1 -= 1\ncall f\nexit"), [1, 1]);
    // In a ring, each reads what the others do.
    let ring = "call f\nexit
        f:\nr0 = r1\nif r1 == 0 goto +2\nr1 -= 1\ncall g\nexit
        g:\ncall h\nexit
        h:\nr0 = r3\ncall f\nexit";
    assert_eq!(parameters(ring), [3, 3, 3, 3]);
}

#[test]
fn calls_that_are_not_known_read_all() {
    // A pointer may lead to a function of five parameters.
    assert_eq!(parameters("call f\nexit\nf:\nr6 = 1\ncallx r6\nexit"), [5, 5]);
}
