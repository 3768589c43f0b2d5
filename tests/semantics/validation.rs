//! Translation validation: a random function, optimised, does what it does unoptimised, on thousands of inputs.
//!
//! An input is the content of the memory argument, which all registers start with, so conditions go either way and loops
//! run as often as the input says. The interpreter runs some of the inputs too.
//!
//! `BPF2NATIVE_RANDOM_SEED` and `BPF2NATIVE_RANDOM_PROGRAMS` as in `isa_random.rs`.

use crate::support::asm::assemble;
use crate::support::differential::{self, Outcome};
use crate::support::engine::cross::machine;
use crate::support::machines::{self, Sample};
use crate::support::random::{self, MEMORY, Random, Seed};
use crate::support::{crash, engine, hex, seeds};
use bpf2native::config::Passes;
use bpf2native::{Config, Jit, Linker, Module, Program};

/// Functions, where the environment says nothing.
const FUNCTIONS: u64 = 150;

/// Inputs of each.
const INPUTS: usize = 2_000;

/// One input in so many is for the interpreter too.
const INTERPRETED: usize = 50;

/// Functions for each other machine, and inputs of each of these.
const EMULATED: (u64, usize) = (50, 40);

/// All optimisations on, and all off.
struct Translators {
    on: Jit,
    off: Jit,
    linker: Linker,
}

impl Translators {
    fn new() -> Translators {
        let jit = |passes| Jit::new(Config::new().passes(passes).threads(1)).unwrap();
        Translators { on: jit(Passes::ALL), off: jit(Passes::NONE), linker: engine::jit::linker() }
    }

    fn load(&self, code: &[u8]) -> Result<[Module; 2], String> {
        let program = Program::from_instructions("random", code).map_err(|error| error.to_string())?;
        let load = |jit: &Jit| jit.load(&program, &self.linker).map_err(|error| error.to_string());
        Ok([load(&self.on)?, load(&self.off)?])
    }
}

fn run(module: &Module, name: &str, mut memory: [u8; MEMORY]) -> Outcome {
    // SAFETY: `main` takes a pointer and a length, and the program keeps to its memory.
    let main = unsafe { module.func::<(u64, u64), u64>("main") }.unwrap();
    let r0 = crash::named(name, || main.call((memory.as_mut_ptr() as u64, MEMORY as u64)));
    (r0, memory)
}

/// How a program's outcomes differ on an input.
fn difference([on, off]: &[Module; 2], name: &str, memory: [u8; MEMORY]) -> Option<String> {
    let (on, off) = (run(on, name, memory), run(off, name, memory));
    (on != off).then(|| {
        let text = |(r0, memory): &Outcome| format!("r0 {r0:#x}, memory {}", hex::encode(memory));
        format!("on {}\noptimised   {}\nunoptimised {}", hex::encode(&memory), text(&on), text(&off))
    })
}

/// The function of a seed, and the seed for its inputs.
fn function(number: u64) -> (Seed, Random) {
    let mut seed = Seed::new(number);
    let size = 5 + seed.below(60);
    let program = Random::of_input(&mut seed, size);
    (seed, program)
}

fn check(translators: &Translators, number: u64) {
    let (mut seed, program) = function(number);
    let again = format!("BPF2NATIVE_RANDOM_SEED={number} BPF2NATIVE_RANDOM_PROGRAMS=1");
    let code = assemble(&program.text()).unwrap_or_else(|error| panic!("{again}: {error}\n{}", program.text()));
    let modules = translators.load(&code).unwrap_or_else(|error| panic!("{again}: {error}\n{}", program.text()));
    for index in 0..INPUTS {
        let memory = random::memory(&mut seed);
        if index % INTERPRETED == 0 {
            let expected = differential::interpret(&code, memory).unwrap_or_else(|fault| {
                panic!("{again}: the program is not valid: {fault:?}\n{}", program.text());
            });
            assert_eq!(run(&modules[0], &again, memory), expected, "{again}\n{}", program.text());
        }
        let Some(error) = difference(&modules, &again, memory) else { continue };
        let differs = |smaller: &Random| {
            let code = assemble(&smaller.text()).ok()?;
            // One that does not end is no smaller example.
            differential::interpret(&code, memory).ok()?;
            difference(&translators.load(&code).ok()?, &again, memory)
        };
        let (program, error) = differential::shrink(program, error, differs);
        panic!("{again}: {error}\n{}", program.text());
    }
}

#[test]
fn random_functions_optimised_do_what_unoptimised_ones_do() {
    let translators = Translators::new();
    for number in seeds::of("validation", FUNCTIONS) {
        check(&translators, number);
    }
}

/// Each with all passes and with none, with one set of features, on inputs that the interpreter runs, all of them.
fn check_machine(name: &str) {
    let (test, machine) = (format!("validation on {name}"), machine(name));
    if !machine.is_ready(&test) {
        return;
    }
    let settings = machine.with_passes(&[("all", Passes::ALL), ("none", Passes::NONE)]);
    let (functions, inputs) = EMULATED;
    let samples = seeds::of(&test, functions).map(|number| {
        let (mut seed, program) = function(number);
        let memories = (0..inputs).map(|_| random::memory(&mut seed).to_vec()).collect();
        let on = 2 * seed.below(settings.len() / 2);
        let settings = vec![on, on + 1];
        Sample { seed: number, text: program.text(), memories, settings, program: Some(program) }
    });
    machines::check(&test, machine, &settings, samples);
}

#[test]
fn random_functions_on_aarch64() {
    check_machine("aarch64");
}

#[test]
fn random_functions_on_riscv64() {
    check_machine("riscv64");
}

#[test]
fn random_functions_on_s390x() {
    check_machine("s390x");
}
