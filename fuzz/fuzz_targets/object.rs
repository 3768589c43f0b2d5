//! Any bytes as an object: read, decoded, and, if that goes well, optimised and translated. Never a panic, a hang or much
//! memory.

#![no_main]

use bpf2native::emit::{self, Purpose};
use bpf2native::{Config, Program};
use bpf2native::compare::listing;
use libfuzzer_sys::fuzz_target;

/// Objects above this size are read and not translated: the fuzzer wants many runs a second.
const TRANSLATED: usize = 1 << 14;

fuzz_target!(|bytes: &[u8]| {
    let Ok(program) = Program::from_bytes("fuzz.o", bytes) else { return };
    let _ = listing::bpf(&program, None);
    if bytes.len() <= TRANSLATED {
        let config = Config { threads: 1, ..Config::default() };
        let _ = emit::object(&program, &config, Purpose::Relocatable, "fuzz.o", &mut Vec::new());
    }
});
