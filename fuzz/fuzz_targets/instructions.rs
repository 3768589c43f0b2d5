//! Any bytes as instructions: decoded, and, if that goes well, optimised and translated for one of the architectures, but
//! never run. Never a panic, a hang or much memory.

#![no_main]

use bpf2native::config::parse_triple;
use bpf2native::emit::{self, Purpose};
use bpf2native::{Config, Program};
use bpf2native::compare::listing;
use libfuzzer_sys::fuzz_target;

const ARCHITECTURES: [&str; 4] = ["x86_64", "aarch64", "riscv64", "s390x"];

fuzz_target!(|input: (u8, &[u8])| {
    let (architecture, bytes) = input;
    let Ok(program) = Program::from_instructions("fuzz", bytes) else { return };
    let _ = listing::bpf(&program, None);
    let name = ARCHITECTURES[usize::from(architecture) % ARCHITECTURES.len()];
    let config = Config { threads: 1, ..Config::for_target(parse_triple(name).expect("a known name")) };
    let _ = emit::object(&program, &config, Purpose::Relocatable, "fuzz.o", &mut Vec::new());
});
