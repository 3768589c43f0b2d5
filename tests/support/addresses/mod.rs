//! Random programs that compute with addresses of their frames, in all the ways that compilers and programmers have.
//!
//! In: a seed. Out: a program, as text for [`super::asm`], whose outcome does not depend on where frames lie, and
//! smaller ones like it. Each op is tried on a [`Machine`] when it is chosen, so the program is valid on the way that it
//! takes; what is on other ways may do anything, since the translator has to think of it and nobody gets there. Ways and
//! distances are chosen by the memory argument, which the translator does not know.
//!
//! | | |
//! |---|---|
//! | r0 to r8 | anything |
//! | r9 | anything; the memory argument at first |
//! | frames | 64 bytes each |
//! | at the end | what is a number, and what is an address in `main`'s frame less r10, goes into the result |

pub mod machine;
mod maker;
mod reach;
mod text;

use std::fmt::Write;

use super::random::Seed;
use machine::{ARGUMENT, BYTES, Byte, DEPTH, Machine, Sum, Value};
use maker::Maker;

/// Ops that a run may take.
const FUEL: usize = 20_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    Reg(usize),
    Imm(i32),
}

/// The memory at a register and an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub base: usize,
    pub offset: i16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cond {
    pub left: usize,
    pub op: &'static str,
    pub right: Operand,
}

#[derive(Clone, Debug)]
pub enum Op {
    Alu {
        op: &'static str,
        half: bool,
        dst: usize,
        src: Operand,
    },
    Constant {
        dst: usize,
        value: u64,
    },
    /// Instructions that leave a register as it is, by way of another; `text` has `R` and `S` for the two.
    Same {
        reg: usize,
        scratch: usize,
        text: &'static str,
    },
    Load {
        size: usize,
        signed: bool,
        dst: usize,
        place: Place,
    },
    Store {
        size: usize,
        place: Place,
        src: Operand,
    },
    Exchange {
        src: usize,
        place: Place,
    },
    Add {
        src: usize,
        place: Place,
        fetch: bool,
    },
    /// With r0 as the value that is expected.
    CompareExchange {
        src: usize,
        place: Place,
    },
    If {
        condition: Cond,
        then: Vec<Op>,
        otherwise: Vec<Op>,
    },
    /// The body runs until the counter, which is counted down after it, is 0.
    Loop {
        counter: usize,
        body: Vec<Op>,
    },
    Call {
        callee: usize,
    },
}

/// A program.
#[derive(Clone, Debug)]
pub struct Addresses {
    memory: [u8; BYTES],
    /// The first is `main`; a function calls only later ones.
    functions: Vec<Vec<Op>>,
}

fn start(memory: &[u8; BYTES]) -> Machine {
    let mut bytes = [[Byte::Opaque; BYTES]; DEPTH + 1];
    bytes[ARGUMENT] = memory.map(Byte::Known);
    bytes[0] = frame();
    let word = |at: usize| u64::from_le_bytes(memory[8 * at..8 * at + 8].try_into().expect("8 bytes"));
    let mut registers: [Value; 10] = std::array::from_fn(|at| Value::Sum(Sum::number(word(at.min(7)))));
    registers[8] = Value::Sum(Sum::number(8));
    registers[9] = Value::Sum(Sum::base(ARGUMENT, 0));
    Machine { registers, depth: 0, memory: bytes, fuel: FUEL }
}

/// What a frame holds at first: each word its number.
pub fn frame() -> [Byte; BYTES] {
    std::array::from_fn(|at| Byte::Known(if at % 8 == 0 { (at / 8) as u8 } else { 0 }))
}

impl Addresses {
    /// A program of about `size` ops, and the memory that it is for.
    pub fn new(seed: &mut Seed, size: usize) -> Addresses {
        let memory = memory(seed);
        let count = 1 + seed.below(3);
        let mut functions = vec![Vec::new(); count];
        for index in (0..count).rev() {
            let mut machine = start(&memory);
            if index > 0 {
                machine.depth = 1.max(index.min(DEPTH - 1));
                machine.memory[machine.depth] = frame();
                let at = |distance: i64| Value::Sum(Sum::base(0, distance.cast_unsigned()));
                machine.registers[1] = at(-8 * (1 + seed.below(7) as i64));
                machine.registers[2] = at(-8 * (1 + seed.below(7) as i64));
                machine.registers[9] = Value::Sum(Sum::number(9));
            }
            let size = if index == 0 { size } else { 1 + seed.below(8) };
            let mut maker = Maker { seed, functions: &functions, callees: index + 1..count };
            let body = maker.ops(&mut machine, size, 0);
            functions[index] = body;
        }
        Addresses { memory, functions }
    }

    pub fn memory(&self) -> [u8; BYTES] {
        self.memory
    }

    /// Whether it has an access, on whatever way, that is further from r10 than any frame reaches: it may be refused then.
    pub fn is_past_all_frames(&self) -> bool {
        self.functions.iter().any(|body| reach::is_past_all_frames(body))
    }

    /// The state at the end; none where a way that is taken has no meaning.
    fn end(&self) -> Option<Machine> {
        let mut machine = start(&self.memory);
        machine.run(&self.functions[0], &self.functions).ok()?;
        Some(machine)
    }

    /// Assembly text; none as in [`Addresses::end`].
    pub fn text(&self) -> Option<String> {
        let end = self.end()?;
        let (mut text, mut labels) = (String::new(), 0);
        for (index, body) in self.functions.iter().enumerate() {
            writeln!(text, "f{index}:").expect("a string takes all");
            if index == 0 {
                text.push_str("r9 = r1\nr8 = 8\n");
                (0..8).for_each(|at| text += &format!("r{at} = *(u64 *)(r9 + {})\n", 8 * at));
            } else {
                [0, 6, 7, 8, 9].iter().for_each(|at| text += &format!("r{at} = {at}\n"));
            }
            (0..8).for_each(|at| text += &format!("*(u64 *)(r10 - {}) = {at}\n", 64 - 8 * at));
            if index == 0 {
                text.push_str("*(u64 *)(r10 - 72) = r9\n");
            }
            text::write(body, &mut text, &mut labels);
            if index == 0 {
                text::result(&end, &mut text);
            }
            text.push_str("exit\n");
        }
        Some(text)
    }

    /// Programs that lack an op of this one; an `If` or a `Loop` may leave its content behind.
    pub fn smaller(&self) -> impl Iterator<Item = Addresses> + '_ {
        let count: usize = self.functions.iter().map(|body| count(body)).sum();
        (0..2 * count).filter_map(move |number| {
            let mut smaller = self.clone();
            let (mut index, keeps) = (number % count, number >= count);
            smaller.functions.iter_mut().find_map(|body| remove(body, &mut index, keeps))?.then_some(())?;
            smaller.end().map(|_| smaller)
        })
    }
}

/// Words that are good distances, counts and conditions.
fn memory(seed: &mut Seed) -> [u8; BYTES] {
    let mut memory = [0; BYTES];
    for word in memory.chunks_mut(8) {
        let value = match seed.below(8) {
            0 => seed.next() >> seed.below(64),
            1 => (1 << 56) + seed.below(64) as u64,
            2 => u64::MAX - seed.below(64) as u64,
            3 | 4 => (8 * seed.below(8)) as u64,
            _ => seed.below(5) as u64,
        };
        word.copy_from_slice(&value.to_le_bytes());
    }
    memory
}

/// How many ops there are.
fn count(ops: &[Op]) -> usize {
    let inner = |op: &Op| match op {
        Op::If { then, otherwise, .. } => count(then) + count(otherwise),
        Op::Loop { body, .. } => count(body),
        _ => 0,
    };
    ops.iter().map(|op| 1 + inner(op)).sum()
}

/// Leaves out the op with this number, in the order of [`count`]; false where it has no content that could be kept.
fn remove(ops: &mut Vec<Op>, number: &mut usize, keeps: bool) -> Option<bool> {
    for at in 0..ops.len() {
        if *number == 0 {
            let content = match ops.remove(at) {
                Op::If { then, otherwise, .. } => [then, otherwise].concat(),
                Op::Loop { body, .. } => body,
                _ => Vec::new(),
            };
            let has_content = !content.is_empty();
            if keeps {
                ops.splice(at..at, content);
            }
            return Some(has_content || !keeps);
        }
        *number -= 1;
        let removed = match &mut ops[at] {
            Op::If { then, otherwise, .. } => {
                remove(then, number, keeps).or_else(|| remove(otherwise, number, keeps))
            }
            Op::Loop { body, .. } => remove(body, number, keeps),
            _ => None,
        };
        if removed.is_some() {
            return removed;
        }
    }
    None
}
