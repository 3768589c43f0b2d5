//! Random valid programs.
//!
//! In: a seed. Out: a [`Random`] program, as text for [`super::asm`], and smaller ones like it. The rule: what a program
//! does is defined by the instruction set alone. So every register and every stack slot that is read was written,
//! every access is in bounds, every loop ends, and an address never becomes part of a result.
//!
//! | register | use |
//! |---|---|
//! | r0 to r5 | data; r1 to r5 are written again after each call |
//! | r6 | data that lives across calls |
//! | r7, r8 | counters of loops; only read otherwise |
//! | r9 | the memory argument, of [`MEMORY`] bytes |

mod constants;
pub mod copies;
pub mod elements;
mod idioms;
mod instructions;
mod rounds;
mod small;

use std::fmt::Write;

/// Bytes of the memory argument, and of the stack that each function uses.
pub const MEMORY: usize = 64;

/// Where choices come from: bytes, as long as there are some, and SplitMix64.
#[derive(Clone)]
pub struct Seed {
    state: u64,
    bytes: std::vec::IntoIter<u8>,
    labels: usize,
}

impl Seed {
    pub fn new(state: u64) -> Seed {
        Seed { state, bytes: Vec::new().into_iter(), labels: 0 }
    }

    /// Each choice is of bytes of its own, so that a fuzzer that changes some changes one piece of the program.
    pub fn of_bytes(bytes: &[u8]) -> Seed {
        Seed { bytes: Vec::from(bytes).into_iter(), ..Seed::new(0) }
    }

    pub fn next(&mut self) -> u64 {
        if self.bytes.len() > 0 {
            return self.bytes.by_ref().take(8).fold(0, |value, byte| value << 8 | u64::from(byte));
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        match limit {
            0..=256 if self.bytes.len() > 0 => self.bytes.next().map_or(0, usize::from) % limit,
            _ => (self.next() % limit as u64) as usize,
        }
    }

    /// A number that no other label of the program has.
    fn label(&mut self) -> usize {
        self.labels += 1;
        self.labels
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Content of the memory argument: words at the edges, or any bytes.
pub fn memory(seed: &mut Seed) -> [u8; MEMORY] {
    let mut memory = [0; MEMORY];
    match seed.below(4) {
        0 => memory.fill_with(|| seed.next() as u8),
        _ => memory.chunks_mut(8).for_each(|word| word.copy_from_slice(&instructions::value(seed).to_le_bytes())),
    }
    memory
}

/// A piece of a program that can be left out as a whole.
#[derive(Clone, Debug)]
enum Piece {
    /// Instructions that belong together.
    Code(String),
    /// Two ways.
    If { condition: String, then: Vec<Piece>, otherwise: Vec<Piece> },
    /// A body that runs some times; `start` gives the counter its value, `again` counts and is the condition to go on.
    Loop { start: String, body: Vec<Piece>, again: String },
    /// Blocks that jump among each other until a counter is used up: control flow of any shape.
    Maze { counter: usize, times: usize, blocks: Vec<(Vec<Piece>, String, usize)> },
    /// The end of the function, under a condition.
    Exit { condition: String },
}

/// A function.
#[derive(Clone, Debug)]
struct Function {
    /// What its registers start with.
    start: Start,
    body: Vec<Piece>,
}

/// What the registers r0 to r6 of a function start with.
#[derive(Clone, Debug)]
enum Start {
    Values(Vec<u64>),
    /// The words of the memory argument.
    Input,
    /// It has no frame, and is of this kind.
    Small(small::Kind),
}

/// A program: the first function is `main`, and functions call only later ones.
#[derive(Clone, Debug)]
pub struct Random {
    functions: Vec<Function>,
}

impl Random {
    /// A program of about `size` pieces.
    pub fn new(seed: &mut Seed, size: usize) -> Random {
        let start = |seed: &mut Seed| Start::Values((0..7).map(|_| instructions::value(seed)).collect());
        Random::starting(seed, size, start)
    }

    /// A program that does something else for each content of its memory.
    pub fn of_input(seed: &mut Seed, size: usize) -> Random {
        Random::starting(seed, size, |_| Start::Input)
    }

    /// A program of constants that read as instructions, in functions whose last blocks come to nothing: the first one calls
    /// the others.
    pub fn of_constants(seed: &mut Seed, size: usize) -> Random {
        let values = (0..7).map(|_| instructions::value(seed)).collect();
        let call = |callee| Piece::Code(format!("{}\nr6 *= 31\nr6 ^= r0", instructions::call(seed, callee)));
        let calls = (1..=size).map(call).collect();
        let mut functions = vec![Function { start: Start::Values(values), body: calls }];
        for _ in 0..size {
            let (kind, body) = small::quotient(seed, size + 1);
            functions.push(Function { start: Start::Small(kind), body });
        }
        let (kind, body) = small::recursive();
        functions.push(Function { start: Start::Small(kind), body });
        Random { functions }
    }

    fn starting(seed: &mut Seed, size: usize, start: impl Fn(&mut Seed) -> Start) -> Random {
        let count = 1 + seed.below(3);
        let function = |index: usize, seed: &mut Seed| {
            if index > 0 && seed.below(2) == 0 {
                let (kind, body) = small::function(seed);
                return Function { start: Start::Small(kind), body };
            }
            let start = start(seed);
            let mut budget = size / count + 1;
            let body = pieces(seed, &mut budget, 0, index + 1..count);
            Function { start, body }
        };
        Random { functions: (0..count).map(|index| function(index, seed)).collect() }
    }

    /// Assembly text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut labels = 0;
        for (index, function) in self.functions.iter().enumerate() {
            writeln!(text, "f{index}:").expect("a string takes all");
            match &function.start {
                Start::Small(kind) => small::write(kind, index, &function.body, &mut text, &mut labels),
                start => function.write(start, &mut text, &mut labels, index == 0),
            }
        }
        text
    }

    /// Programs that lack one piece of this one, the largest pieces first.
    pub fn smaller(&self) -> impl Iterator<Item = Random> + '_ {
        let count = self.functions.iter().map(|function| size(&function.body)).sum();
        (0..count).map(|index| {
            let mut smaller = self.clone();
            let mut index = index;
            for function in &mut smaller.functions {
                if remove(&mut function.body, &mut index) {
                    break;
                }
            }
            smaller
        })
    }
}

/// How many pieces can be left out.
fn size(pieces: &[Piece]) -> usize {
    let inner = |piece: &Piece| match piece {
        Piece::Code(_) | Piece::Exit { .. } => 0,
        Piece::If { then, otherwise, .. } => size(then) + size(otherwise),
        Piece::Loop { body, .. } => size(body),
        Piece::Maze { blocks, .. } => blocks.iter().map(|block| size(&block.0)).sum(),
    };
    pieces.iter().map(|piece| 1 + inner(piece)).sum()
}

/// Leaves out the piece with this number, in the order of [`size`]; an `If` or a `Loop` leaves its content behind.
fn remove(pieces: &mut Vec<Piece>, number: &mut usize) -> bool {
    for at in 0..pieces.len() {
        if *number == 0 {
            let inner = match pieces.remove(at) {
                Piece::If { then, .. } => then,
                Piece::Loop { body, .. } => body,
                Piece::Code(_) | Piece::Maze { .. } | Piece::Exit { .. } => Vec::new(),
            };
            pieces.splice(at..at, inner);
            return true;
        }
        *number -= 1;
        let removed = match &mut pieces[at] {
            Piece::Code(_) | Piece::Exit { .. } => false,
            Piece::If { then, otherwise, .. } => remove(then, number) || remove(otherwise, number),
            Piece::Loop { body, .. } => remove(body, number),
            Piece::Maze { blocks, .. } => blocks.iter_mut().any(|block| remove(&mut block.0, number)),
        };
        if removed {
            return true;
        }
    }
    false
}

/// How often a loop runs that counts down: a number, or what a register says.
fn times_down(seed: &mut Seed, counter: usize) -> String {
    match seed.below(3) {
        0 => format!("r{counter} = r{}\nr{counter} &= {}\nr{counter} += 1", seed.below(7), seed.pick(&[3, 7, 31])),
        _ => format!("r{counter} = {}", 1 + seed.below(5)),
    }
}

/// How a loop starts to count, and the condition on which it goes on, after its count: of all kinds that end soon.
fn counting(seed: &mut Seed, counter: usize) -> (String, String) {
    let step = [1, 2, 3, 255, 0x1_0000, 0x100_0000][seed.below(6)];
    let times = 1 + seed.below(6) as i64;
    let copy = seed.below(7);
    let start = |value: i64| format!("r{counter} = {value:#x} ll");
    // From a number whose sums may wrap to one that an instruction can have.
    let end = [0, 1, step, -1, 0x7fff_0000][seed.below(5)];
    match seed.below(9) {
        0 => (start(end - times * step), format!("r{counter} += {step}\nif r{counter} != {end}")),
        1 => (start(end + times * step), format!("r{counter} += {}\nif r{counter} != {end}", -step)),
        2 => {
            (start(end - times * step), format!("r{copy} = r{counter}\nr{counter} += {step}\nif r{copy} != {end}"))
        }
        3 => (start(end - times * step), format!("w{counter} += {step}\nif w{counter} != {end}")),
        4 => {
            (start(end - times * step), format!("w{copy} = w{counter}\nw{counter} += {step}\nif w{copy} != {end}"))
        }
        5 | 6 => {
            let start = if seed.below(2) == 0 { start(end) } else { format!("r{counter} = r{}", seed.below(7)) };
            let (size, cond) = (seed.pick(&["r", "w"]), seed.pick(&["<", "<="]));
            let count = format!("{size}{copy} = {size}{counter}\nr{counter} += {step}");
            (start, format!("{count}\nif {size}{copy} {cond} {}", times * step))
        }
        _ => (times_down(seed, counter), format!("r{counter} -= 1\nif r{counter} != 0")),
    }
}

/// Random pieces; `depth` is that of loops, `callees` the functions that may be called.
fn pieces(seed: &mut Seed, budget: &mut usize, depth: usize, callees: std::ops::Range<usize>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let count = if depth == 0 { *budget } else { 1 + seed.below(5) };
    for _ in 0..count {
        let Some(rest) = budget.checked_sub(1) else { break };
        *budget = rest;
        let inner = |seed: &mut Seed, budget: &mut usize| self::pieces(seed, budget, depth + 1, callees.clone());
        pieces.push(match seed.below(40) {
            0..=2 if depth < 4 => Piece::If {
                condition: instructions::condition(seed),
                then: inner(seed, budget),
                otherwise: if seed.below(2) == 0 { inner(seed, budget) } else { Vec::new() },
            },
            3 if depth < 2 => {
                let counter = 7 + depth;
                let (start, again) = counting(seed, counter);
                Piece::Loop { start, body: inner(seed, budget), again }
            }
            4 if depth < 2 => {
                let count = 2 + seed.below(4);
                let block = |seed: &mut Seed, budget: &mut usize| {
                    (inner(seed, budget), instructions::condition(seed), seed.below(count))
                };
                let blocks = (0..count).map(|_| block(seed, budget)).collect();
                Piece::Maze { counter: 7 + depth, times: 1 + seed.below(12), blocks }
            }
            5 if seed.below(4) == 0 => Piece::Exit { condition: instructions::condition(seed) },
            6 | 7 if !callees.is_empty() => {
                let callee = callees.start + seed.below(callees.len());
                Piece::Code(instructions::call(seed, callee))
            }
            8..=11 => Piece::Code(idioms::idiom(seed)),
            12 => Piece::Code(rounds::round(seed)),
            _ => Piece::Code(instructions::instruction(seed)),
        });
    }
    pieces
}

impl Function {
    fn write(&self, start: &Start, text: &mut String, labels: &mut usize, is_main: bool) {
        let mut line = |line: String| writeln!(text, "{line}").expect("a string takes all");
        line("r9 = r1\nr7 = 3\nr8 = 5".to_owned());
        // A callee keeps its arguments.
        for register in (0..7).filter(|register| is_main || !(2..=5).contains(register)) {
            line(match start {
                Start::Values(values) => format!("r{register} = {:#x} ll", values[register]),
                Start::Input | Start::Small(_) => format!("r{register} = *(u64 *)(r9 + {})", 8 * register),
            });
        }
        for offset in (8..=MEMORY).step_by(8) {
            line(format!("*(u64 *)(r10 - {offset}) = {offset}"));
        }
        let exit = label(labels);
        write_pieces(&self.body, text, labels, &exit);
        // The result depends on all data registers and all of the stack.
        writeln!(text, "{exit}:").expect("a string takes all");
        for register in 1..=6 {
            writeln!(text, "r0 *= 31\nr0 += r{register}").expect("a string takes all");
        }
        for offset in (8..=MEMORY).step_by(8) {
            writeln!(text, "r1 = *(u64 *)(r10 - {offset})\nr0 *= 31\nr0 ^= r1").expect("a string takes all");
        }
        text.push_str("exit\n");
    }
}

fn label(labels: &mut usize) -> String {
    *labels += 1;
    format!("L{labels}")
}

fn write_pieces(pieces: &[Piece], text: &mut String, labels: &mut usize, exit: &str) {
    for piece in pieces {
        match piece {
            Piece::Code(code) => *text += &format!("{code}\n"),
            Piece::Exit { condition } => *text += &format!("if {condition} goto {exit}\n"),
            Piece::If { condition, then, otherwise } => {
                let (taken, end) = (label(labels), label(labels));
                *text += &format!("if {condition} goto {taken}\n");
                write_pieces(otherwise, text, labels, exit);
                *text += &format!("goto {end}\n{taken}:\n");
                write_pieces(then, text, labels, exit);
                *text += &format!("{end}:\n");
            }
            Piece::Loop { start, body, again } => {
                let top = label(labels);
                *text += &format!("{start}\n{top}:\n");
                write_pieces(body, text, labels, exit);
                *text += &format!("{again} goto {top}\n");
            }
            Piece::Maze { counter, times, blocks } => {
                let end = label(labels);
                let starts: Vec<String> = blocks.iter().map(|_| label(labels)).collect();
                *text += &format!("r{counter} = {times}\n");
                for ((block, condition, target), start) in blocks.iter().zip(&starts) {
                    *text += &format!("{start}:\n");
                    write_pieces(block, text, labels, exit);
                    *text += &format!("r{counter} -= 1\nif r{counter} == 0 goto {end}\n");
                    *text += &format!("if {condition} goto {}\n", starts[*target]);
                }
                *text += &format!("{end}:\n");
            }
        }
    }
}
