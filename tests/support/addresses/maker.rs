//! Chooses ops that are valid where they stand.
//!
//! In: a seed, the state there, the functions that may be called. Out: ops, and the state after them.

use super::machine::{ARGUMENT, BYTES, Machine, Sum, Value};
use super::{Cond, Op, Operand, Place};
use crate::support::random::Seed;

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

/// Chooses ops.
pub struct Maker<'a> {
    pub seed: &'a mut Seed,
    pub functions: &'a [Vec<Op>],
    pub callees: std::ops::Range<usize>,
}

impl Maker<'_> {
    /// About so many ops that are valid here.
    pub fn ops(&mut self, machine: &mut Machine, count: usize, depth: usize) -> Vec<Op> {
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
                Op::Same { reg, scratch: dst, text: SAME[self.seed.below(SAME.len())] }
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
            31 => Op::CompareExchange { src: dst, place: self.place(machine, 8) },
            32..=34 if depth < 3 => {
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
