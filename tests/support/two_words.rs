//! Random programs of functions with results of two words.
//!
//! In: a seed. Out: assembly text. Functions call each other directly, through registers, recursively, and at their ends; what
//! they return in r2 is made, handed back from a parameter, passed on from a callee, or left out.
//!
//! | | |
//! |---|---|
//! | r1 at entry | how deep calls may go; a function whose r1 is 0 calls nothing |
//! | r0 | the first word; of an option 0 or 1 |
//! | r2 | the second word; of an option only where r0 is 1; of a function with one word nothing that is read |
//!
//! Only code shows that functions have second words: what is read by an instruction, at last, or is written for the caller
//! alone. That a word is where a callee of a register may read it shows nothing, so this is only done in programs of
//! which `main` shows that there are second words.

use std::fmt::Write;

use super::random::Seed;

/// What a function returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Result {
    One,
    Two,
    /// The second word is there if the first one is not 0.
    Option,
}

/// What is known of a function before its code is made.
#[derive(Clone, Copy)]
struct Declared {
    parameters: usize,
    result: Result,
}

struct Writer<'a> {
    seed: &'a mut Seed,
    text: String,
    functions: Vec<Declared>,
    labels: usize,
    /// The registers that have a value.
    defined: [bool; 10],
    /// Whether an instruction of `main` reads a second word.
    is_shown: bool,
}

/// A program.
pub fn program(seed: &mut Seed) -> String {
    let count = 1 + seed.below(6);
    let functions = (0..count).map(|_| {
        let result = *seed.pick(&[Result::One, Result::Two, Result::Two, Result::Option]);
        Declared { parameters: 1 + seed.below(3), result }
    });
    let functions = functions.collect();
    let mut writer =
        Writer { seed, text: String::new(), functions, labels: 0, defined: [false; 10], is_shown: false };
    writer.main();
    for index in 0..count {
        writer.function(index);
    }
    writer.text
}

impl Writer<'_> {
    fn line(&mut self, line: impl AsRef<str>) {
        writeln!(self.text, "{}", line.as_ref()).expect("a string takes all");
    }

    fn label(&mut self) -> String {
        self.labels += 1;
        format!("L{}", self.labels)
    }

    /// A register of these that has a value.
    fn any(&mut self, registers: &[usize]) -> Option<usize> {
        let known: Vec<usize> = registers.iter().copied().filter(|&register| self.defined[register]).collect();
        (!known.is_empty()).then(|| *self.seed.pick(&known))
    }

    /// Gives a register a value made of others, or a number.
    fn set(&mut self, register: usize) {
        let from = self.any(&[0, 1, 2, 3, 4, 5, 6, 7, 9]);
        match (self.seed.below(4), from) {
            (0, _) | (_, None) => {
                let number = self.seed.below(1000);
                self.line(format!("r{register} = {number}"));
            }
            (_, Some(from)) => {
                if from != register {
                    self.line(format!("r{register} = r{from}"));
                }
                let number = 1 + self.seed.below(30);
                let op = *self.seed.pick(&["+=", "*=", "^=", "-="]);
                if from == register || self.seed.below(3) > 0 {
                    self.line(format!("r{register} {op} {number}"));
                }
            }
        }
        self.defined[register] = true;
    }

    fn main(&mut self) {
        self.line("main:\nr7 = *(u64 *)(r1 + 0)\nr9 = *(u64 *)(r1 + 8)\nr6 = 3");
        self.defined = [false; 10];
        [6, 7, 9].into_iter().for_each(|register| self.defined[register] = true);
        if self.seed.below(2) == 0 && self.call(Some(Result::Two)) {
            self.line("r7 ^= r2");
            self.is_shown = true;
        }
        for _ in 0..1 + self.seed.below(3) {
            self.call(None);
            self.mix();
        }
        self.line("r0 = r7\nr0 *= 31\nr0 += r9\nexit");
    }

    /// Puts what there is into r7 or r9.
    fn mix(&mut self) {
        let into = *self.seed.pick(&[7, 9]);
        for register in 0..6 {
            if self.defined[register] && self.seed.below(4) > 0 {
                self.line(format!("r{into} *= 31\nr{into} ^= r{register}"));
            }
        }
    }

    /// Calls a function: any of these results, or one that `wanted` says. What it returns is in r0 and r2 then.
    fn call(&mut self, wanted: Option<Result>) -> bool {
        let fits = |declared: &Declared| wanted.is_none_or(|wanted| declared.result == wanted);
        let candidates: Vec<usize> =
            (0..self.functions.len()).filter(|&index| fits(&self.functions[index])).collect();
        if candidates.is_empty() {
            return false;
        }
        let callee = *self.seed.pick(&candidates);
        let Declared { parameters, result } = self.functions[callee];
        let by_register = self.seed.below(3) == 0;
        if by_register {
            self.line(format!("r8 = code_addr(f{callee}) ll"));
            let like = |other: &usize| {
                let other = self.functions[*other];
                other.parameters <= parameters && other.result == result
            };
            let alike: Vec<usize> = (0..self.functions.len()).filter(like).collect();
            let other = *self.seed.pick(&alike);
            let skip = self.label();
            self.line(format!("if r7 & 1 goto {skip}\nr8 = code_addr(f{other}) ll\n{skip}:"));
        }
        // A second word may be where it is wanted already.
        for parameter in (2..=parameters).rev() {
            if !self.defined[parameter] || self.seed.below(3) == 0 {
                self.set(parameter);
            } else if parameter == 2 && by_register && !self.is_shown {
                self.line("r2 ^= 1");
            }
        }
        self.line("r1 = r6\nr1 -= 1");
        self.line(if by_register { "callx r8".to_owned() } else { format!("call f{callee}") });
        (1..6).for_each(|register| self.defined[register] = false);
        self.defined[0] = true;
        self.defined[2] = result == Result::Two;
        if wanted.is_none() && result == Result::Option {
            let none = self.label();
            let into = *self.seed.pick(&[7, 9]);
            self.line(format!("if r0 == 0 goto {none}\nr{into} += r2\n{none}:"));
        }
        true
    }

    /// Gives what the function returns a value, and ends it.
    fn end(&mut self, result: Result) {
        match result {
            Result::One => self.set(0),
            Result::Two => {
                if !self.defined[2] || self.seed.below(2) == 0 {
                    self.set(2);
                }
                if !self.defined[0] || self.seed.below(2) == 0 {
                    self.set(0);
                }
            }
            Result::Option => {
                let none = self.label();
                self.line(format!("r0 = 0\nif r9 & 2 goto {none}"));
                self.defined[0] = false;
                if !self.defined[2] || self.seed.below(2) == 0 {
                    self.set(2);
                }
                self.line(format!("r0 = 1\n{none}:"));
            }
        }
        self.line("exit");
    }

    fn function(&mut self, index: usize) {
        let Declared { parameters, result } = self.functions[index];
        self.line(format!("f{index}:"));
        self.defined = [false; 10];
        (1..=parameters).for_each(|register| self.defined[register] = true);
        let deeper = self.label();
        let kept = 1 + self.seed.below(parameters);
        let [first, second] = [0; 2].map(|_| self.seed.below(8));
        self.line(format!("if r1 != 0 goto {deeper}\nr7 = r{kept}\nr9 = {first}"));
        let at_entry = self.defined;
        self.defined[7] = true;
        self.defined[9] = true;
        self.end(result);
        self.line(format!("{deeper}:\nr6 = r1\nr7 = r{kept}\nr9 = {second}"));
        self.defined = at_entry;
        [6, 7, 9].into_iter().for_each(|register| self.defined[register] = true);
        for _ in 0..self.seed.below(3) {
            match self.seed.below(3) {
                0 => {
                    let register = *self.seed.pick(&[0, 2, 3, 4, 5, 7, 9]);
                    self.set(register);
                }
                1 => self.mix(),
                _ => {
                    self.call(None);
                }
            }
        }
        // A call at the end.
        if self.seed.below(3) == 0 && self.call(Some(result)) {
            self.line("exit");
        } else {
            self.end(result);
        }
    }
}
