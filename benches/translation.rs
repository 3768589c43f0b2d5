//! How fast objects are translated: instructions a second, by size and optimisation level.
//!
//! `cargo bench --bench translation` prints the table of BENCHMARKS.md. A program is a chain of functions of 100
//! instructions each: arithmetic, loads and stores in the frame, forward branches, and a call of the next function.

use std::time::{Duration, Instant};

use bpf2native::config::OptLevel;
use bpf2native::emit::{self, Purpose};
use bpf2native::{Config, Program};

/// Instructions in a function.
const FUNCTION: usize = 100;

/// Translations of one size: the fastest counts.
const RUNS: usize = 5;

/// One instruction's 8 bytes (RFC 9669 section 3.1).
fn slot(code: &mut Vec<u8>, opcode: u8, dst: u8, src: u8, offset: i16, imm: i32) {
    code.extend([opcode, dst | src << 4]);
    code.extend(offset.to_le_bytes());
    code.extend(imm.to_le_bytes());
}

/// A program of `functions` functions.
fn program(functions: usize) -> Vec<u8> {
    let mut code = Vec::new();
    for function in 0..functions {
        slot(&mut code, 0xb7, 0, 0, 0, function as i32); // r0 = function
        slot(&mut code, 0xbf, 6, 1, 0, 0); // r6 = r1
        for step in 0..(FUNCTION - 8) / 6 {
            let place = -8 * (1 + (step % 8) as i16);
            slot(&mut code, 0x0f, 6, 0, 0, 0); // r6 += r0
            slot(&mut code, 0x7b, 10, 6, place, 0); // *(u64 *)(r10 + place) = r6
            slot(&mut code, 0x61, 0, 10, place, 0); // r0 = *(u32 *)(r10 + place)
            slot(&mut code, 0x25, 0, 0, 1, step as i32); // if r0 > step goto +1
            slot(&mut code, 0x2c, 0, 6, 0, 0); // w0 *= w6
            slot(&mut code, 0x67, 6, 0, 0, 3); // r6 <<= 3
        }
        if function + 1 < functions {
            slot(&mut code, 0xbf, 1, 6, 0, 0); // r1 = r6
            let next = (function + 1) * FUNCTION;
            let here = code.len() / 8;
            slot(&mut code, 0x85, 0, 1, 0, (next - here) as i32 - 1); // call the next function
        }
        while code.len() / 8 < (function + 1) * FUNCTION - 1 {
            slot(&mut code, 0x0f, 0, 6, 0, 0); // r0 += r6
        }
        slot(&mut code, 0x95, 0, 0, 0, 0); // exit
    }
    code
}

/// The shortest of several translations.
fn translate(program: &Program, opt_level: OptLevel, threads: usize) -> Duration {
    let config = Config { opt_level, threads, ..Config::default() };
    let run = || {
        let start = Instant::now();
        let object = emit::object(program, &config, Purpose::Relocatable, "bench.o", &mut Vec::new());
        std::hint::black_box(object.expect("the program is valid"));
        start.elapsed()
    };
    (0..RUNS).map(|_| run()).min().expect("there are runs")
}

fn main() {
    println!("| instructions | -O0 -j1 | -O1 -j1 | -O2 -j1 | -O2 -j2 |");
    println!("|---|---|---|---|---|");
    for functions in [1, 10, 100, 1000, 5000] {
        let code = program(functions);
        let count = code.len() / 8;
        let program = Program::from_instructions("bench", &code).expect("the program is valid");
        let levels = [(OptLevel::O0, 1), (OptLevel::O1, 1), (OptLevel::O2, 1), (OptLevel::O2, 2)];
        let rates = levels.map(|(level, threads)| {
            let seconds = translate(&program, level, threads).as_secs_f64();
            format!("{:.0} k/s", count as f64 / seconds / 1e3)
        });
        println!("| {count} | {} |", rates.join(" | "));
    }
}
