//! Each access of memory happens as the program says (`docs/memory-model.md`): the code is stepped through an instruction at
//! a time, and the accesses that it makes to the memory argument are compared with the interpreter's.
//!
//! `BPF2NATIVE_RANDOM_SEED` and `BPF2NATIVE_RANDOM_PROGRAMS` as in `semantics/isa_random.rs`.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::unwrap_used)]

mod support;

#[path = "accesses/compare.rs"]
mod compare;
#[path = "accesses/orders.rs"]
mod orders;
#[path = "accesses/programs.rs"]
mod programs;
#[path = "accesses/random.rs"]
mod random;
#[path = "accesses/step.rs"]
mod step;

use bpf2native::config::{OptLevel, Pass, Passes};
use bpf2native::{Config, Jit, Linker, Program};

use support::interp::Order;
use support::random::{Seed, copies, elements};
use support::{asm, engine, interp, seeds};

/// Far more than any program takes.
const FUEL: u64 = 1 << 20;

/// A translator, and what to call it.
struct Engine {
    name: &'static str,
    jit: Jit,
    linker: Linker,
}

/// All passes, some of them alone, and none.
fn engines() -> Vec<Engine> {
    let some = |passes: &[Pass]| passes.iter().fold(Passes::NONE, |set, &pass| set.with(pass));
    let settings = [
        ("-O2", OptLevel::O2, Passes::ALL),
        ("-O2 -Z none,loop-vectors", OptLevel::O2, some(&[Pass::LoopVectors])),
        ("-O2 -Z none,egraph", OptLevel::O2, some(&[Pass::Egraph])),
        (
            "-O2 -Z none,load-combining,store-merging,egraph",
            OptLevel::O2,
            some(&[Pass::LoadCombining, Pass::StoreMerging, Pass::Egraph]),
        ),
        ("-O2 -Z none,unrolling,egraph", OptLevel::O2, some(&[Pass::Unrolling, Pass::Egraph])),
        ("-O1", OptLevel::O1, Passes::NONE),
        ("-O0", OptLevel::O0, Passes::NONE),
    ];
    let engine = |(name, opt_level, passes)| {
        let config = Config::new().opt_level(opt_level).passes(passes).threads(1).clone();
        Engine { name, jit: Jit::new(&config).unwrap(), linker: engine::jit::linker() }
    };
    settings.map(engine).into()
}

impl Engine {
    /// What is wrong with the accesses of a program's translation, if anything.
    fn difference(&self, text: &str, memory: &[u8]) -> Option<String> {
        let code = asm::assemble(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let mut expected = Aligned::new(memory);
        let run = interp::recorded(Order::Little, &code, expected.bytes(), &|_, _| None, FUEL);
        let (r0, wanted) = run.unwrap_or_else(|fault| panic!("{fault:?}\n{text}"));
        let program = Program::from_instructions("accesses", &code).unwrap();
        let module = self.jit.load(&program, &self.linker).unwrap();
        let main = module.function_address("main").unwrap();
        // SAFETY: `main` takes a pointer and a length, and keeps to that memory, as the interpreter has seen.
        let (got, found) = unsafe {
            let main: extern "C" fn(u64, u64) -> u64 = std::mem::transmute(main);
            let mut after = Aligned::new(memory);
            let result = step::run(main, after.bytes());
            assert!(after.bytes() == expected.bytes(), "{}: the memory differs\n{text}", self.name);
            result
        };
        if got != r0 {
            return Some(format!("r0 is {got:#x}, not {r0:#x}"));
        }
        compare::difference(&wanted, &found, memory.len())
    }
}

/// Bytes that start at a multiple of 64.
struct Aligned {
    bytes: Vec<u8>,
    length: usize,
}

impl Aligned {
    fn new(bytes: &[u8]) -> Aligned {
        let mut aligned = Aligned { bytes: vec![0; bytes.len() + 64], length: bytes.len() };
        aligned.bytes().copy_from_slice(bytes);
        aligned
    }

    fn bytes(&mut self) -> &mut [u8] {
        let start = self.bytes.as_ptr().align_offset(64);
        &mut self.bytes[start..start + self.length]
    }
}

/// Runs each of the programs by each of the engines.
fn check(engines: &[Engine], programs: &[(String, String)]) {
    let mut memory = vec![0; programs::MEMORY];
    let mut seed = Seed::new(17);
    memory.fill_with(|| seed.next() as u8);
    // A null pointer's place, for what ends there.
    memory[programs::ZERO..][..8].fill(0);
    let mut wrong = Vec::new();
    for engine in engines {
        for (name, text) in programs {
            if let Some(error) = engine.difference(text, &memory) {
                wrong.push(format!("{name}, {}: {error}\n", engine.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.concat());
}

#[test]
fn the_table_of_programs() {
    check(&engines(), &programs::all());
}

/// With all passes, and with those over loops alone.
#[test]
fn loops_over_elements() {
    check(&engines()[..2], &programs::loops());
}

#[test]
fn random_programs() {
    let engines = engines();
    for value in seeds::of("accesses", 200) {
        let mut seed = Seed::new(value);
        let program = random::program(&mut seed);
        let mut memory = vec![0; random::MEMORY];
        memory.fill_with(|| seed.next() as u8);
        // All passes together more often than others.
        let chosen = if seed.below(2) == 0 { 0 } else { seed.below(engines.len()) };
        let engine = &engines[chosen];
        let Some(error) = engine.difference(&program.concat(), &memory) else { continue };
        let (program, error) = shrink(engine, &memory, program, error);
        panic!(
            "BPF2NATIVE_RANDOM_SEED={value} BPF2NATIVE_RANDOM_PROGRAMS=1, {}: {error}\n{}",
            engine.name,
            program.concat()
        );
    }
}

/// Loops over elements, with all passes, and with those over loops alone.
#[test]
fn random_elements() {
    let engines = engines();
    for value in seeds::of("accesses of elements", 150) {
        let mut seed = Seed::new(value);
        let program = elements::program(&mut seed);
        let mut memory = vec![0; elements::MEMORY];
        memory.fill_with(|| seed.next() as u8);
        let engine = &engines[seed.below(2)];
        if let Some(error) = engine.difference(&program, &memory) {
            panic!(
                "BPF2NATIVE_RANDOM_SEED={value} BPF2NATIVE_RANDOM_PROGRAMS=1, {}: {error}\n{program}",
                engine.name
            );
        }
    }
}

/// Copies of a few bytes, with all passes, and with that over copies alone.
#[test]
fn random_copies() {
    let config = Config::new().passes(Passes::NONE.with(Pass::CopyMerging)).threads(1).clone();
    let alone =
        Engine { name: "-Z none,copy-merging", jit: Jit::new(&config).unwrap(), linker: engine::jit::linker() };
    let engines = [engines().swap_remove(0), alone];
    for value in seeds::of("accesses of copies", 150) {
        let mut seed = Seed::new(value);
        let program = copies::program(&mut seed);
        let mut memory = vec![0; copies::MEMORY];
        memory.fill_with(|| seed.next() as u8);
        let engine = seed.pick(&engines);
        if let Some(error) = engine.difference(&program, &memory) {
            panic!(
                "BPF2NATIVE_RANDOM_SEED={value} BPF2NATIVE_RANDOM_PROGRAMS=1, {}: {error}\n{program}",
                engine.name
            );
        }
    }
}

/// The same with as few pieces as still fail: the first and the last stay.
fn shrink(engine: &Engine, memory: &[u8], mut program: Vec<String>, mut error: String) -> (Vec<String>, String) {
    let mut piece = 1;
    while piece + 1 < program.len() {
        let mut smaller = program.clone();
        smaller.remove(piece);
        match engine.difference(&smaller.concat(), memory) {
            Some(found) => (program, error) = (smaller, found),
            None => piece += 1,
        }
    }
    (program, error)
}
