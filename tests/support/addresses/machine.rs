//! What a program of frame addresses does, where the addresses are not known.
//!
//! In: an [`Op`], a [`Machine`]. Out: the machine afterwards, or [`Invalid`]: the op has no meaning that is the same
//! wherever frames lie. A value is a sum of multiples of the bases (the frame of each active function, the memory
//! argument) and a number; what is made of an address's bits is [`Value::Opaque`], which may be passed around and never
//! decides anything.

use super::{Cond, Op, Operand, Place};

/// How deep calls nest, and the bases: the frames, and the memory argument.
pub const DEPTH: usize = 3;
pub const ARGUMENT: usize = DEPTH;
const BASES: usize = DEPTH + 1;

/// Bytes of each frame, and of the memory argument.
pub const BYTES: usize = 64;

/// Multiples of the bases, and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    pub bases: [i64; BASES],
    pub number: u64,
}

impl Sum {
    pub const fn number(number: u64) -> Sum {
        Sum { bases: [0; BASES], number }
    }

    pub const fn base(base: usize, number: u64) -> Sum {
        let mut sum = Sum::number(number);
        sum.bases[base] = 1;
        sum
    }

    pub fn plus(self, other: Sum, times: i64) -> Sum {
        let bases = std::array::from_fn(|at| self.bases[at].wrapping_add(other.bases[at].wrapping_mul(times)));
        Sum { bases, number: self.number.wrapping_add(other.number.wrapping_mul(times.cast_unsigned())) }
    }

    pub fn is_number(self) -> bool {
        self.bases == [0; BASES]
    }

    /// The base of which it is an address, and how far it is from that.
    pub fn place(self) -> Option<(usize, i64)> {
        let base = (0..BASES).find(|&base| self.bases[base] == 1)?;
        (self == Sum::base(base, self.number)).then_some((base, self.number.cast_signed()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Sum(Sum),
    /// Bytes of an address: that sum's from `at` on.
    Part {
        of: Sum,
        at: usize,
        len: usize,
    },
    Opaque,
    /// What a call leaves in r1 to r5: not to be read.
    Undefined,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Byte {
    Known(u8),
    Part(Sum, usize),
    Opaque,
}

/// Why an op is not for this state.
#[derive(Debug)]
pub struct Invalid;

#[derive(Clone)]
pub struct Machine {
    pub registers: [Value; 10],
    pub depth: usize,
    pub memory: [[Byte; BYTES]; BASES],
    /// How many more ops may run.
    pub fuel: usize,
}

type Outcome<T = ()> = Result<T, Invalid>;

impl Machine {
    pub fn frame(&self) -> Sum {
        Sum::base(self.depth, 0)
    }

    pub fn value(&self, operand: Operand) -> Outcome<Value> {
        match operand {
            Operand::Imm(imm) => Ok(Value::Sum(Sum::number(i64::from(imm).cast_unsigned()))),
            Operand::Reg(10) => Ok(Value::Sum(self.frame())),
            Operand::Reg(reg) => match self.registers[reg] {
                Value::Undefined => Err(Invalid),
                value => Ok(value),
            },
        }
    }

    fn number(&self, reg: usize) -> Outcome<u64> {
        match self.value(Operand::Reg(reg))? {
            Value::Sum(sum) if sum.is_number() => Ok(sum.number),
            _ => Err(Invalid),
        }
    }

    /// The bytes that an access goes to.
    fn bytes(&mut self, place: Place, size: usize) -> Outcome<&mut [Byte]> {
        let Value::Sum(sum) = self.value(Operand::Reg(place.base))? else { return Err(Invalid) };
        let (base, at) = sum.place().ok_or(Invalid)?;
        let at = at.checked_add(place.offset.into()).ok_or(Invalid)?;
        let at = if base == ARGUMENT { at } else { at.checked_add(BYTES as i64).ok_or(Invalid)? };
        if base != ARGUMENT && base > self.depth {
            return Err(Invalid);
        }
        let at = usize::try_from(at).map_err(|_| Invalid)?;
        self.memory[base].get_mut(at..at.saturating_add(size)).ok_or(Invalid)
    }

    /// Whether the condition holds, where that is the same wherever frames lie.
    fn holds(&self, condition: Cond) -> Outcome<bool> {
        let (Value::Sum(left), Value::Sum(right)) =
            (self.value(Operand::Reg(condition.left))?, self.value(condition.right)?)
        else {
            return Err(Invalid);
        };
        let difference = left.plus(right, -1);
        let near = |sum: Sum| sum.place().is_some_and(|(_, at)| at.unsigned_abs() < 4096);
        match condition.op {
            "==" | "!=" if difference.is_number() => Ok((difference.number == 0) == (condition.op == "==")),
            // An address near an object is not 0.
            "==" | "!=" if near(left) && right == Sum::number(0) => Ok(condition.op == "!="),
            ">" | "<"
                if left.is_number() && right.is_number() || near(left) && near(right) && difference.is_number() =>
            {
                let (a, b) = match left.is_number() {
                    true => (left.number, right.number),
                    false => (left.number.wrapping_add(1 << 32), right.number.wrapping_add(1 << 32)),
                };
                Ok(if condition.op == ">" { a > b } else { a < b })
            }
            _ => Err(Invalid),
        }
    }

    pub fn run(&mut self, ops: &[Op], functions: &[Vec<Op>]) -> Outcome {
        ops.iter().try_for_each(|op| self.step(op, functions))
    }

    pub fn step(&mut self, op: &Op, functions: &[Vec<Op>]) -> Outcome {
        self.fuel = self.fuel.checked_sub(1).ok_or(Invalid)?;
        match op {
            Op::Alu { op, half, dst, src } => {
                let (left, right) = (self.value(Operand::Reg(*dst)), self.value(*src)?);
                let left = if *op == "=" { Value::Sum(Sum::number(0)) } else { left? };
                self.registers[*dst] = arithmetic(op, *half, left, right);
            }
            Op::Same { reg, scratch, .. } => {
                if reg == scratch || !matches!(self.value(Operand::Reg(*reg))?, Value::Sum(_)) {
                    return Err(Invalid);
                }
                self.registers[*scratch] = Value::Opaque;
            }
            Op::Constant { dst, value } => self.registers[*dst] = Value::Sum(Sum::number(*value)),
            Op::Load { size, signed, dst, place } => {
                let bytes = self.bytes(*place, *size)?.to_vec();
                self.registers[*dst] = loaded(&bytes, *signed);
            }
            Op::Store { size, place, src } => {
                let value = self.value(*src)?;
                self.put(*place, *size, value)?;
            }
            Op::Exchange { src, place } => {
                self.aligned(*place)?;
                let old = loaded(self.bytes(*place, 8)?, false);
                self.put(*place, 8, self.value(Operand::Reg(*src))?)?;
                self.registers[*src] = old;
            }
            Op::Add { src, place, fetch } => {
                self.aligned(*place)?;
                let old = loaded(self.bytes(*place, 8)?, false);
                let sum = arithmetic("+=", false, old, self.value(Operand::Reg(*src))?);
                self.put(*place, 8, sum)?;
                if *fetch {
                    self.registers[*src] = old;
                }
            }
            Op::CompareExchange { src, place } => {
                self.aligned(*place)?;
                let old = loaded(self.bytes(*place, 8)?, false);
                let (Value::Sum(held), Value::Sum(expected)) = (old, self.value(Operand::Reg(0))?) else {
                    return Err(Invalid);
                };
                let difference = held.plus(expected, -1);
                if !difference.is_number() {
                    return Err(Invalid);
                }
                if difference.number == 0 {
                    self.put(*place, 8, self.value(Operand::Reg(*src))?)?;
                }
                self.registers[0] = old;
            }
            Op::If { condition, then, otherwise } => {
                let way = if self.holds(*condition)? { then } else { otherwise };
                self.run(way, functions)?;
            }
            Op::Loop { counter, body } => loop {
                self.fuel = self.fuel.checked_sub(1).ok_or(Invalid)?;
                self.run(body, functions)?;
                let left = self.number(*counter)?.wrapping_sub(1);
                self.registers[*counter] = Value::Sum(Sum::number(left));
                if left == 0 {
                    break;
                }
            },
            Op::Call { callee } => self.call(*callee, functions)?,
        }
        Ok(())
    }

    fn put(&mut self, place: Place, size: usize, value: Value) -> Outcome {
        for (at, byte) in self.bytes(place, size)?.iter_mut().enumerate() {
            *byte = match value {
                Value::Sum(sum) if sum.is_number() => Byte::Known(sum.number.to_le_bytes()[at]),
                Value::Sum(sum) => Byte::Part(sum, at),
                Value::Part { of, at: start, len } if at < len => Byte::Part(of, start + at),
                _ => Byte::Opaque,
            };
        }
        Ok(())
    }

    fn aligned(&self, place: Place) -> Outcome {
        let Value::Sum(sum) = self.value(Operand::Reg(place.base))? else { return Err(Invalid) };
        let at = sum.number.wrapping_add_signed(place.offset.into());
        if at % 8 == 0 { Ok(()) } else { Err(Invalid) }
    }

    fn call(&mut self, callee: usize, functions: &[Vec<Op>]) -> Outcome {
        if self.depth + 1 == DEPTH {
            return Err(Invalid);
        }
        let kept = self.registers;
        self.depth += 1;
        self.prologue();
        self.run(&functions[callee], functions)?;
        let result = self.value(Operand::Reg(0))?;
        let is_dangling = matches!(result, Value::Sum(sum) if sum.bases[self.depth] != 0);
        // Nothing that is left of a frame says anything: its address is that of the next one, here.
        self.forget(self.depth);
        self.depth -= 1;
        self.registers = kept;
        self.registers[0] = if is_dangling { Value::Opaque } else { result };
        for reg in 1..=5 {
            self.registers[reg] = Value::Undefined;
        }
        Ok(())
    }

    /// What a callee starts with.
    fn prologue(&mut self) {
        for reg in [0, 6, 7, 8, 9] {
            self.registers[reg] = Value::Sum(Sum::number(reg as u64));
        }
        self.memory[self.depth] = super::frame();
    }

    fn forget(&mut self, base: usize) {
        for byte in self.memory.iter_mut().flatten() {
            if matches!(byte, Byte::Part(of, _) if of.bases[base] != 0) {
                *byte = Byte::Opaque;
            }
        }
    }
}

pub fn loaded(bytes: &[Byte], signed: bool) -> Value {
    let known: Option<Vec<u8>> =
        bytes.iter().map(|byte| if let Byte::Known(byte) = byte { Some(*byte) } else { None }).collect();
    if let Some(known) = known {
        let mut word = [0; 8];
        word[..known.len()].copy_from_slice(&known);
        let unused = 64 - 8 * known.len() as u32;
        let value = u64::from_le_bytes(word);
        let value = if signed { ((value << unused).cast_signed() >> unused).cast_unsigned() } else { value };
        return Value::Sum(Sum::number(value));
    }
    let Byte::Part(of, start) = bytes[0] else { return Value::Opaque };
    let is_part = bytes.iter().enumerate().all(|(at, byte)| *byte == Byte::Part(of, start + at));
    match (is_part, bytes.len()) {
        (true, 8) => Value::Sum(of),
        (true, len) if !signed => Value::Part { of, at: start, len },
        _ => Value::Opaque,
    }
}

fn arithmetic(op: &str, half: bool, left: Value, right: Value) -> Value {
    let (Value::Sum(a), Value::Sum(b)) = (left, right) else {
        return match (op, half) {
            ("=", false) => right,
            _ => Value::Opaque,
        };
    };
    if !half {
        match op {
            "=" => return right,
            "+=" => return Value::Sum(a.plus(b, 1)),
            "-=" => return Value::Sum(a.plus(b, -1)),
            "*=" if b.is_number() => return Value::Sum(Sum::number(0).plus(a, b.number.cast_signed())),
            "<<=" if b.is_number() => {
                return Value::Sum(Sum::number(0).plus(a, 1_i64.wrapping_shl(b.number as u32 & 63)));
            }
            _ => {}
        }
    }
    if !(a.is_number() && b.is_number()) {
        return Value::Opaque;
    }
    let (a, b) = (a.number, b.number);
    let (a, b) = if half { (u64::from(a as u32), u64::from(b as u32)) } else { (a, b) };
    let amount = b as u32 & if half { 31 } else { 63 };
    let value = match op {
        "=" => b,
        "+=" => a.wrapping_add(b),
        "-=" => a.wrapping_sub(b),
        "*=" => a.wrapping_mul(b),
        "&=" => a & b,
        "|=" => a | b,
        "^=" => a ^ b,
        "<<=" => a << amount,
        ">>=" => a >> amount,
        "s>>=" if half => u64::from(((a as u32).cast_signed() >> amount).cast_unsigned()),
        _ => (a.cast_signed() >> amount).cast_unsigned(),
    };
    Value::Sum(Sum::number(if half { u64::from(value as u32) } else { value }))
}
