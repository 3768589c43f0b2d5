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

use std::fmt::Write;

use super::random::Seed;
use machine::{ARGUMENT, BYTES, Byte, DEPTH, Machine, Sum, Value};

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

/// Detours of a value: what a 64-bit register holds afterwards is what it held before.
const SAME: [&str; 16] = [
    "R = -R\nR = -R",
    "R ^= -1\nR += 1\nR = -R",
    "R ^= 0x5a5a\nR ^= 0x5a5a",
    "R = bswap64 R\nR = bswap64 R",
    "S = R\nS >>= 32\nS <<= 32\nW = W\nR |= S",
    "S = R\nS >>= 32\nS <<= 32\nW = W\nR += S",
    "S = R\nS &= 7\nR &= -8\nR += S",
    "S = R\nS &= 4095\nR >>= 12\nR <<= 12\nR |= S",
    "R *= -1\nR *= -1",
    "R *= 3\nS = 0xaaaaaaaaaaaaaaab ll\nR *= S",
    "S = R\nS <<= 13\nR >>= 51\nR |= S\nS = R\nS <<= 51\nR >>= 13\nR |= S",
    "S = (s32)R\nR -= S\nR += S",
    "S = r10\nS -= R\nR = r10\nR -= S",
    "S = r10\nS ^= R\nR = r10\nR ^= S",
    "S = R\nS += S\nS -= R\nR = S",
    "S = 0\nS -= R\nR = 0\nR -= S",
];

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
            write_ops(body, &mut text, &mut labels);
            if index == 0 {
                result(&end, &mut text);
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

/// Chooses ops.
struct Maker<'a> {
    seed: &'a mut Seed,
    functions: &'a [Vec<Op>],
    callees: std::ops::Range<usize>,
}

impl Maker<'_> {
    /// About so many ops that are valid here.
    fn ops(&mut self, machine: &mut Machine, count: usize, depth: usize) -> Vec<Op> {
        let mut ops = Vec::new();
        while ops.len() < count {
            for _ in 0..30 {
                let some = self.some(machine, depth);
                let mut after = machine.clone();
                if after.run(&some, self.functions).is_ok() {
                    *machine = after;
                    ops.extend(some);
                    break;
                }
            }
            // A state in which nothing is valid any more is rare: then this is a try less.
            if self.seed.below(count) == 0 {
                break;
            }
        }
        ops
    }

    fn reg(&mut self) -> usize {
        self.seed.below(10)
    }

    /// A register that holds what is asked for, or any.
    fn reg_of(&mut self, machine: &Machine, is_it: impl Fn(Sum) -> bool) -> usize {
        let first = self.reg();
        let fits = |&reg: &usize| matches!(machine.registers[reg], Value::Sum(sum) if is_it(sum));
        (first..first + 10).map(|reg| reg % 10).find(fits).unwrap_or(first)
    }

    fn source(&mut self, machine: &Machine) -> Operand {
        match self.seed.below(6) {
            0 => Operand::Reg(10),
            1 => Operand::Imm(*self.seed.pick(&[0, 1, 8, -8, 16, -64, 4096, -4096, i32::MIN, i32::MAX])),
            2 => Operand::Reg(self.reg_of(machine, |sum| sum.place().is_some())),
            3 => Operand::Reg(self.reg_of(machine, Sum::is_number)),
            _ => Operand::Reg(self.reg()),
        }
    }

    /// A place of so many bytes, of one of the frames or the argument.
    fn place(&mut self, machine: &Machine, size: usize) -> Place {
        let base = match self.seed.below(4) {
            0 => 10,
            1 => self.reg(),
            _ => self.reg_of(machine, |sum| sum.place().is_some_and(|(base, _)| base != ARGUMENT)),
        };
        let step = if self.seed.below(4) == 0 { 1 } else { size };
        let wanted = (self.seed.below((BYTES - size) / step + 1) * step) as i64;
        let place = match machine.value(Operand::Reg(base)) {
            Ok(Value::Sum(sum)) => sum.place(),
            _ => None,
        };
        let offset = match place {
            Some((ARGUMENT, at)) => wanted.wrapping_sub(at),
            Some((_, at)) => (wanted - BYTES as i64).wrapping_sub(at),
            None => wanted,
        };
        // Often as it is: then a run-time distance decides.
        let offset = if base < 10 && self.seed.below(3) == 0 { 0 } else { offset };
        Place { base, offset: i16::try_from(offset).unwrap_or(0) }
    }

    fn condition(&mut self, machine: &Machine) -> Cond {
        let op = *self.seed.pick(&["==", "!=", ">", "<"]);
        let left = match self.seed.below(3) {
            0 => self.reg_of(machine, |sum| sum.place().is_some()),
            _ => self.reg_of(machine, Sum::is_number),
        };
        let right = match self.seed.below(3) {
            0 => self.source(machine),
            _ => Operand::Imm(self.seed.below(4) as i32),
        };
        Cond { left, op, right }
    }

    /// One op, or some that belong together.
    fn some(&mut self, machine: &Machine, depth: usize) -> Vec<Op> {
        const ALU: [&str; 6] = ["&=", "|=", "^=", ">>=", "s>>=", "<<="];
        let dst = self.reg();
        let alu = |op, dst, src| Op::Alu { op, half: false, dst, src };
        vec![match self.seed.below(40) {
            0..=3 => alu("=", dst, self.source(machine)),
            4..=8 => alu(*self.seed.pick(&["+=", "-=", "-="]), dst, self.source(machine)),
            9 => alu("*=", dst, Operand::Imm(*self.seed.pick(&[-1, 2, 3, 8, 0]))),
            10 => alu("<<=", dst, Operand::Imm(self.seed.below(4) as i32)),
            11 => {
                let half = self.seed.below(2) == 0;
                let op = if half && self.seed.below(2) == 0 { "=" } else { *self.seed.pick(&ALU) };
                Op::Alu { op, half, dst, src: self.source(machine) }
            }
            12 => {
                // A number of a known range.
                let dst = self.reg_of(machine, Sum::is_number);
                alu("&=", dst, Operand::Imm(*self.seed.pick(&[7, 8, 24, 56])))
            }
            13 => Op::Constant { dst, value: *self.seed.pick(&[0, 1 << 56, 1 << 63, u64::MAX, 100]) },
            14..=16 => {
                let reg = self.reg_of(machine, |sum| !sum.is_number());
                Op::Same { reg, scratch: dst, text: *self.seed.pick(&SAME) }
            }
            17..=19 => {
                // An address in the frame.
                let at = -(1 + self.seed.below(BYTES) as i32);
                return vec![alu("=", dst, Operand::Reg(10)), alu("+=", dst, Operand::Imm(at & !7))];
            }
            20..=23 => {
                let size = *self.seed.pick(&[1, 2, 4, 8, 8, 8]);
                Op::Load {
                    size,
                    signed: size < 8 && self.seed.below(3) == 0,
                    dst,
                    place: self.place(machine, size),
                }
            }
            24..=28 => {
                let size = *self.seed.pick(&[1, 2, 4, 8, 8, 8, 8, 8]);
                Op::Store { size, place: self.place(machine, size), src: self.source(machine) }
            }
            29 => Op::Exchange { src: dst, place: self.place(machine, 8) },
            30 => Op::Add { src: dst, place: self.place(machine, 8), fetch: self.seed.below(2) == 0 },
            31..=34 if depth < 3 => {
                let condition = self.condition(machine);
                let arm = |maker: &mut Self, count| maker.ops(&mut machine.clone(), count, depth + 1);
                let then = {
                    let count = 1 + self.seed.below(3);
                    arm(self, count)
                };
                let otherwise = {
                    let count = self.seed.below(3);
                    arm(self, count)
                };
                Op::If { condition, then: self.maybe_wild(machine, then), otherwise }
            }
            35 | 36 if depth < 2 => {
                let counter = self.reg_of(machine, |sum| sum.is_number() && (1..=8).contains(&sum.number));
                let count = 1 + self.seed.below(4);
                Op::Loop { counter, body: self.ops(&mut machine.clone(), count, depth + 1) }
            }
            _ if !self.callees.is_empty() => {
                let callee = self.callees.start + self.seed.below(self.callees.len());
                let mut ops = Vec::new();
                for reg in 1..=5 {
                    match self.seed.below(if reg <= 2 { 3 } else { 1 }) {
                        0 => ops.push(alu("=", reg, Operand::Imm(self.seed.below(9) as i32))),
                        1 => {
                            let at = -8 * (1 + self.seed.below(8) as i32);
                            ops.push(alu("=", reg, Operand::Reg(10)));
                            ops.push(alu("+=", reg, Operand::Imm(at)));
                        }
                        _ => ops.push(alu("=", reg, self.source(machine))),
                    }
                }
                ops.push(Op::Call { callee });
                for reg in 1..=5 {
                    let src = if self.seed.below(2) == 0 { Operand::Reg(0) } else { self.source(machine) };
                    let is_defined = matches!(src, Operand::Reg(0 | 6..) | Operand::Imm(_));
                    ops.push(alu("=", reg, if is_defined { src } else { Operand::Imm(reg as i32) }));
                }
                return ops;
            }
            _ => alu("=", dst, Operand::Imm(self.seed.below(9) as i32)),
        }]
    }

    /// A way with an access at any register put in, which is no valid one where the way is taken.
    fn maybe_wild(&mut self, machine: &Machine, mut ops: Vec<Op>) -> Vec<Op> {
        if self.seed.below(2) == 0 {
            let place = Place { base: self.reg(), offset: 8 * self.seed.below(8) as i16 };
            ops.push(Op::Store { size: 8, place, src: self.source(machine) });
        }
        ops
    }
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

fn label(labels: &mut usize) -> String {
    *labels += 1;
    format!("L{labels}")
}

fn write_ops(ops: &[Op], text: &mut String, labels: &mut usize) {
    let operand = |letter: char, src: &Operand| match src {
        Operand::Reg(reg) => format!("{letter}{reg}"),
        Operand::Imm(imm) => imm.to_string(),
    };
    let at = |place: &Place| format!("r{} {:+}", place.base, place.offset).replace('+', "+ ").replace('-', "- ");
    for op in ops {
        let line = match op {
            Op::Alu { op, half, dst, src } => {
                let letter = if *half { 'w' } else { 'r' };
                format!("{letter}{dst} {op} {}", operand(letter, src))
            }
            Op::Constant { dst, value } => format!("r{dst} = {value:#x} ll"),
            Op::Same { reg, scratch, text } => text
                .replace('R', &format!("r{reg}"))
                .replace('S', &format!("r{scratch}"))
                .replace('W', &format!("w{reg}")),
            Op::Load { size, signed, dst, place } => {
                format!("r{dst} = *({}{} *)({})", if *signed { 's' } else { 'u' }, size * 8, at(place))
            }
            Op::Store { size, place, src } => format!("*(u{} *)({}) = {}", size * 8, at(place), operand('r', src)),
            Op::Exchange { src, place } => format!("r{src} = xchg_64({}, r{src})", at(place)),
            Op::Add { src, place, fetch: true } => {
                format!("r{src} = atomic_fetch_add((u64 *)({}), r{src})", at(place))
            }
            Op::Add { src, place, fetch: false } => format!("lock *(u64 *)({}) += r{src}", at(place)),
            Op::Call { callee } => format!("call f{callee}"),
            Op::If { condition, then, otherwise } => {
                let (taken, end) = (label(labels), label(labels));
                let Cond { left, op, right } = condition;
                *text += &format!("if r{left} {op} {} goto {taken}\n", operand('r', right));
                write_ops(otherwise, text, labels);
                *text += &format!("goto {end}\n{taken}:\n");
                write_ops(then, text, labels);
                format!("{end}:")
            }
            Op::Loop { counter, body } => {
                let top = label(labels);
                *text += &format!("{top}:\n");
                write_ops(body, text, labels);
                format!("r{counter} -= 1\nif r{counter} != 0 goto {top}")
            }
        };
        *text += &line;
        text.push('\n');
    }
}

/// Puts all that does not depend on addresses into r0, and leaves no address in the memory argument.
fn result(end: &Machine, text: &mut String) {
    let is_shown = |value: Value| match value {
        Value::Sum(sum) if sum.is_number() => Some(""),
        Value::Sum(sum) if sum == Sum::base(0, sum.number) => Some("r1 -= r10\n"),
        _ => None,
    };
    // The registers first: they go into the frame, below what is looked at.
    for reg in 0..10 {
        *text += &match is_shown(end.registers[reg]) {
            Some(_) => format!("*(u64 *)(r10 - {}) = r{reg}\n", 80 + 8 * reg),
            None => String::new(),
        };
    }
    text.push_str("r0 = 1\n");
    let mut shown = |how: &str, at: usize| {
        *text += &format!("r1 = *(u64 *)(r10 - {at})\n{how}r0 *= 31\nr0 += r1\n");
    };
    for (reg, value) in end.registers.iter().enumerate() {
        if let Some(how) = is_shown(*value) {
            shown(how, 80 + 8 * reg);
        }
    }
    for (word, bytes) in end.memory[0].chunks(8).enumerate() {
        if let Some(how) = is_shown(machine::loaded(bytes, false)) {
            shown(how, BYTES - 8 * word);
        }
    }
    text.push_str("r9 = *(u64 *)(r10 - 72)\n");
    for (at, byte) in end.memory[ARGUMENT].iter().enumerate() {
        if !matches!(byte, Byte::Known(_)) {
            *text += &format!("*(u8 *)(r9 + {at}) = 0\n");
        }
    }
}
