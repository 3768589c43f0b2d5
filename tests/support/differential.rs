//! Random programs, translated and interpreted: the two must agree.
//!
//! In: seeds, translators. Out: nothing, or the smallest program on which a translator and the interpreter differ. The
//! rule: a program of a seed is always the same.

use bpf2native::{Config, Jit, Linker};

use super::asm::assemble;
use super::machines::Sample;
use super::random::{MEMORY, Random, Seed};
use super::{engine, hex, interp};

/// Far more than any program takes; those that shrinking makes may not end.
const FUEL: u64 = 2_000_000;

/// r0 and the memory afterwards.
pub type Outcome = (u64, [u8; MEMORY]);

/// A translator and what to call it in messages.
pub struct Translator {
    pub name: String,
    jit: Jit,
    linker: Linker,
}

impl Translator {
    pub fn new(name: &str, config: Config) -> Translator {
        let jit = Jit::new(&Config { threads: 1, ..config }).expect("this machine");
        Translator { name: name.to_owned(), jit, linker: engine::jit::linker() }
    }

    fn run(&self, name: &str, code: &[u8], mut memory: [u8; MEMORY]) -> Result<Outcome, String> {
        let r0 = engine::jit::run(&self.jit, &self.linker, name, code, &mut memory)?;
        Ok((r0, memory))
    }

    /// What is wrong with the translation of a program; `None` when nothing is, or when the program is not a valid one.
    pub fn difference(&self, name: &str, text: &str, memory: [u8; MEMORY]) -> Option<String> {
        let code = assemble(text).ok()?;
        let expected = interpret(&code, memory).ok()?;
        match self.run(name, &code, memory) {
            Ok(outcome) if outcome == expected => None,
            Ok((r0, _)) if r0 != expected.0 => Some(format!("r0 is {r0:#x}, not {:#x}", expected.0)),
            Ok((_, after)) => {
                Some(format!("the memory is\n{}, not\n{}", hex::encode(&after), hex::encode(&expected.1)))
            }
            Err(error) => Some(error),
        }
    }
}

/// r0 and the memory, by the interpreter.
pub fn interpret(code: &[u8], mut memory: [u8; MEMORY]) -> Result<Outcome, interp::Fault> {
    let r0 = interp::run(code, &mut memory, &|_, _| None, FUEL)?;
    Ok((r0, memory))
}

/// The program of a seed, and the seed, for what else is to be chosen.
fn program(value: u64) -> (Seed, Random) {
    let mut seed = Seed::new(value);
    // The sizes are of both kinds: many small programs, some large ones.
    let most = if seed.below(8) == 0 { 200 } else { 30 };
    let size = 1 + seed.below(most);
    let program = Random::new(&mut seed, size);
    (seed, program)
}

/// What a program runs on.
fn memory(seed: &mut Seed) -> [u8; MEMORY] {
    let mut memory = [0; MEMORY];
    memory.fill_with(|| seed.next() as u8);
    memory
}

/// The program of a seed for another machine; `choose` takes its settings from the seed.
pub fn sample(value: u64, choose: impl FnOnce(&mut Seed) -> Vec<usize>) -> Sample {
    let (mut seed, program) = program(value);
    let memory = memory(&mut seed);
    let settings = choose(&mut seed);
    Sample { seed: value, text: program.text(), memories: vec![memory.to_vec()], settings, program: Some(program) }
}

/// Runs the program of a seed on those translators that `choose` takes from the seed.
pub fn check<'a>(value: u64, choose: impl FnOnce(&mut Seed) -> &'a [Translator]) {
    let (seed, program) = program(value);
    check_program(value, seed, &program, choose);
}

/// Runs a program of constants that read as instructions, on those translators that `choose` takes from the seed.
pub fn check_constants<'a>(value: u64, choose: impl FnOnce(&mut Seed) -> &'a [Translator]) {
    let mut seed = Seed::new(value);
    let size = 1 + seed.below(12);
    let program = Random::of_constants(&mut seed, size);
    check_program(value, seed, &program, choose);
}

fn check_program<'a>(
    value: u64,
    mut seed: Seed,
    program: &Random,
    choose: impl FnOnce(&mut Seed) -> &'a [Translator],
) {
    let memory = memory(&mut seed);
    let translators = choose(&mut seed);

    let text = program.text();
    let code = assemble(&text).unwrap_or_else(|error| panic!("seed {value}: {error}\n{text}"));
    if let Err(fault) = interpret(&code, memory) {
        panic!("seed {value}: the program is not valid: {fault:?}\n{text}");
    }
    for translator in translators {
        let name = format!("seed {value}, {}", translator.name);
        let differs = |program: &Random| translator.difference(&name, &program.text(), memory);
        let Some(error) = differs(program) else { continue };
        let (program, error) = shrink(program.clone(), error, differs);
        panic!(
            "BPF2NATIVE_RANDOM_SEED={value} BPF2NATIVE_RANDOM_PROGRAMS=1, {}: {error}\nmemory {}\n{}",
            translator.name,
            hex::encode(&memory),
            program.text()
        );
    }
}

/// Runs a program of a seed, given as text, on translators.
pub fn check_text(value: u64, text: &str, memory: [u8; MEMORY], translators: &[Translator]) {
    let code = assemble(text).unwrap_or_else(|error| panic!("seed {value}: {error}\n{text}"));
    if let Err(fault) = interpret(&code, memory) {
        panic!("seed {value}: the program is not valid: {fault:?}\n{text}");
    }
    for translator in translators {
        let name = format!("seed {value}, {}", translator.name);
        if let Some(error) = translator.difference(&name, text, memory) {
            let (name, memory) = (&translator.name, hex::encode(&memory));
            panic!(
                "BPF2NATIVE_RANDOM_SEED={value} BPF2NATIVE_RANDOM_PROGRAMS=1, {name}: {error}\nmemory {memory}\n{text}"
            );
        }
    }
}

/// The smallest program found that still fails, and how.
pub fn shrink(
    mut program: Random,
    mut error: String,
    differs: impl Fn(&Random) -> Option<String>,
) -> (Random, String) {
    loop {
        let failing = |smaller: Random| differs(&smaller).map(|error| (smaller, error));
        let Some(next) = program.smaller().find_map(failing) else { return (program, error) };
        (program, error) = next;
    }
}
