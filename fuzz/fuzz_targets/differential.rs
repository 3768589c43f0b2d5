//! Bytes as the choices that make a valid program: what it does at -O2, at -O2 less one pass and at -O0 is what the
//! independent interpreter says, on several inputs.

#![no_main]

#[path = "../../tests/support"]
#[allow(dead_code)]
mod support {
    pub mod asm;
    pub mod hex;
    pub mod interp;
    pub mod random;
}

use std::sync::LazyLock;

use bpf2native::config::{Pass, Passes};
use bpf2native::{Config, Jit, Linker, Program};
use libfuzzer_sys::fuzz_target;
use support::random::{self, MEMORY, Random, Seed};
use support::{asm, hex, interp};

/// Steps of the interpreter: more than programs take.
const FUEL: u64 = 2_000_000;

/// Pieces of the largest program.
const PIECES: usize = 60;

/// Inputs of each program.
const INPUTS: u64 = 8;

/// All passes, none, and all but each.
static TRANSLATORS: LazyLock<Vec<(String, Jit)>> = LazyLock::new(|| {
    let mut settings = vec![("all".to_owned(), Passes::ALL), ("none".to_owned(), Passes::NONE)];
    settings.extend(Pass::ALL.iter().map(|&pass| (format!("no-{}", pass.name()), Passes::ALL.without(pass))));
    let translator = |(name, passes)| {
        let config = Config::new().passes(passes).threads(1).clone();
        (name, Jit::new(&config).expect("this machine is supported"))
    };
    settings.into_iter().map(translator).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let mut seed = Seed::of_bytes(bytes);
    let turn = 2 + seed.below(Pass::ALL.len());
    let size = 1 + seed.below(PIECES);
    let text = Random::of_input(&mut seed, size).text();
    let code = asm::assemble(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let program = Program::from_instructions("fuzz", &code).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let outcomes: Vec<_> = (0..INPUTS)
        .map(|number| {
            let before = random::memory(&mut Seed::new(number));
            let mut after = before;
            let r0 = interp::run(&code, &mut after, &|_, _| None, FUEL)
                .unwrap_or_else(|fault| panic!("the program is not valid: {fault:?}\n{text}"));
            (before, r0, after)
        })
        .collect();
    for (name, jit) in [0, 1, turn].map(|index| &TRANSLATORS[index]) {
        let module =
            jit.load(&program, &Linker::new()).unwrap_or_else(|error| panic!("-Z {name}: {error}\n{text}"));
        // SAFETY: `main` takes a pointer and a length, and the program keeps to its memory.
        let main = unsafe { module.func::<(*mut u8, u64), u64>("main") }.expect("there is a `main`");
        for (before, r0, expected) in &outcomes {
            let (mut after, input) = (*before, hex::encode(before));
            assert_eq!(main.call((after.as_mut_ptr(), MEMORY as u64)), *r0, "-Z {name}, memory {input}\n{text}");
            assert_eq!(hex::encode(&after), hex::encode(expected), "-Z {name}, memory {input}\n{text}");
        }
    }
});
