//! Random programs on other machines: what they do under QEMU is what the interpreter does.
//!
//! In: a machine, its settings, [`Sample`]s. Out: nothing, or a panic that names the seed, the machine and the setting of a
//! program that differs, as small as it could be made. The rule: many programs in one executable; a sample of a seed is
//! always the same.

use super::engine::Outcome;
use super::engine::cross::{Function, Machine, Run, Setting};
use super::random::Random;
use super::{asm, hex, interp, say};

/// Programs in one executable.
const BATCH: usize = 200;

/// Far more than any program takes; those that shrinking makes may not end.
const FUEL: u64 = 2_000_000;

/// A program, and what it runs on.
#[derive(Clone)]
pub struct Sample {
    pub seed: u64,
    pub text: String,
    /// The contents of the memory argument, one run each.
    pub memories: Vec<Vec<u8>>,
    /// Which of the settings translate it.
    pub settings: Vec<usize>,
    /// What smaller ones are made of, if they are.
    pub program: Option<Random>,
}

/// A sample with what it has to do.
struct Expected<'a> {
    sample: &'a Sample,
    code: Vec<u8>,
    outcomes: Vec<Outcome>,
}

impl<'a> Expected<'a> {
    fn new(machine: &Machine, sample: &'a Sample) -> Result<Expected<'a>, String> {
        let code = asm::assemble(&sample.text)?;
        let outcome = |memory: &Vec<u8>| {
            let mut memory = memory.clone();
            let r0 = interp::run_in(machine.order, &code, &mut memory, &|_, _| None, FUEL);
            Ok(Outcome { r0: r0.map_err(|fault| format!("the program is not valid: {fault:?}"))?, memory })
        };
        let outcomes: Result<Vec<Outcome>, String> = sample.memories.iter().map(outcome).collect();
        Ok(Expected { outcomes: outcomes?, code, sample })
    }
}

/// How a program differs, under a setting, from what it has to do.
struct Difference {
    /// Which of the programs.
    index: usize,
    setting: usize,
    text: String,
}

/// Runs samples until there are no more, or one differs.
pub fn check(test: &str, machine: &Machine, settings: &[Setting], samples: impl Iterator<Item = Sample>) {
    let mut samples = samples.peekable();
    let mut count = 0;
    while samples.peek().is_some() {
        let batch: Vec<Sample> = samples.by_ref().take(BATCH).collect();
        let expected = |sample| {
            Expected::new(machine, sample)
                .unwrap_or_else(|error| panic!("{}: {error}\n{}", again(sample.seed), sample.text))
        };
        let expected: Vec<Expected<'_>> = batch.iter().map(expected).collect();
        count += expected.len();
        let Some(found) = differences(machine, settings, &expected).into_iter().next() else { continue };
        let (sample, text) = shrink(machine, settings, &found, &batch[found.index]);
        panic!("{test}: {}, {}: {text}\n{}", again(sample.seed), settings[found.setting].name, sample.text);
    }
    say(&format!("{test}: {}: {count} programs\n", machine.name));
}

fn again(seed: u64) -> String {
    format!("BPF2NATIVE_RANDOM_SEED={seed} BPF2NATIVE_RANDOM_PROGRAMS=1")
}

/// Runs programs on all their memories, under all their settings: how they differ, in the order of the programs.
fn differences(machine: &Machine, settings: &[Setting], programs: &[Expected<'_>]) -> Vec<Difference> {
    let (mut functions, mut runs, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    for (index, Expected { sample, code, outcomes }) in programs.iter().enumerate() {
        for &setting in &sample.settings {
            let function = functions.len();
            functions.push(Function { code, setting });
            for (memory, outcome) in sample.memories.iter().zip(outcomes) {
                runs.push(Run { function, memory });
                expected.push((index, setting, outcome));
            }
        }
    }
    let outcomes = machine.run(settings, &functions, &runs);
    let mut found = Vec::new();
    for ((run, is), (index, setting, not)) in runs.iter().zip(outcomes).zip(expected) {
        if let Some(what) = difference(&is, not) {
            let memory = if run.memory.len() > 64 { "long".to_owned() } else { hex::encode(run.memory) };
            found.push(Difference { index, setting, text: format!("{what}\nmemory {memory}") });
        }
    }
    found
}

/// How a run differs from what it has to do.
fn difference(is: &Result<Outcome, String>, not: &Outcome) -> Option<String> {
    match is {
        Ok(outcome) if outcome == not => None,
        Ok(outcome) if outcome.r0 != not.r0 => Some(format!("r0 is {:#x}, not {:#x}", outcome.r0, not.r0)),
        Ok(outcome) => {
            let place = outcome.memory.iter().zip(&not.memory).position(|(is, not)| is != not).unwrap_or_default();
            let (is, not) = (outcome.memory[place], not.memory[place]);
            Some(format!("byte {place} of the memory is {is:#x}, not {not:#x}"))
        }
        Err(error) => Some(error.clone()),
    }
}

/// The smallest sample found that still differs, and how: in each step all that lack one piece run at once.
fn shrink(machine: &Machine, settings: &[Setting], found: &Difference, sample: &Sample) -> (Sample, String) {
    let (mut sample, mut text) = (sample.clone(), found.text.clone());
    sample.settings = vec![found.setting];
    loop {
        let Some(program) = &sample.program else { return (sample, text) };
        let smaller = |program: Random| Sample { text: program.text(), program: Some(program), ..sample.clone() };
        let candidates: Vec<Sample> = program.smaller().map(smaller).collect();
        // One that does not end is no smaller example.
        let valid = candidates.iter().filter_map(|sample| Expected::new(machine, sample).ok());
        let valid: Vec<Expected<'_>> = valid.collect();
        let Some(found) = differences(machine, settings, &valid).into_iter().next() else { return (sample, text) };
        (sample, text) = (valid[found.index].sample.clone(), found.text);
    }
}
