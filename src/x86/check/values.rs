//! Value numbers of registers and flags: two with the same number hold the same value.
//!
//! In: moves, and that other instructions write a register. Out: the value number of each register, in Cranelift's code and in
//! the new one. Numbers stand for what was computed, not for the instructions that did: so it makes no difference whether a
//! move comes earlier or later, or not at all where nothing needs it.

use std::collections::HashMap;

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind};

use crate::x86::code::abi::RegisterSet;
use crate::x86::code::effects::number;
use crate::x86::code::fragments::{Fragment, FragmentKind};

/// The index of the flags, behind those of registers.
pub(crate) const FLAGS: usize = 16;

/// How many registers, with the flags.
pub(crate) const COUNT: usize = FLAGS + 1;

/// The value numbers of what they hold.
pub(crate) type ValueNumbers = [u32; COUNT];

/// What is known of the registers of both codes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Classes {
    /// Congruence classes: which hold the same value.
    of: [u8; 2 * COUNT],
    /// The constants that they hold: a move of the same one, which only one of the codes still has, changes nothing.
    constants: [Option<u64>; 2 * COUNT],
}

impl Classes {
    /// At the start of a function: each register holds the same in both codes.
    pub(crate) fn at_start() -> Classes {
        Classes { of: std::array::from_fn(|place| (place % COUNT) as u8), constants: [None; 2 * COUNT] }
    }
}

/// A value that is computed by a move.
#[derive(PartialEq, Eq, Hash)]
enum Value {
    Constant(u64),
    /// The low 32 bits of another one, zero-extended.
    Low32Bits(u32),
    /// A base, an index, its scale, a displacement: the sum.
    Address(u32, u32, u32, u64),
    /// The flags after a register was cleared by an exclusive or.
    FlagsOfZero,
}

/// A move: it reads registers, and writes one and nothing else, but for the flags where it clears one.
#[derive(Clone, Copy)]
pub(crate) struct Move {
    to: u8,
    from: From,
    /// Whether it is of 64 bits.
    is_64_bit: bool,
}

#[derive(Clone, Copy)]
enum From {
    Register(u8),
    Constant(u64),
    Zero,
    Address { base: Option<u8>, index: Option<u8>, scale: u32, displacement: u64 },
}

impl Move {
    pub(crate) fn read(fragment: &Fragment, code: &[u8]) -> Option<Move> {
        if fragment.is_relocated || !matches!(fragment.kind, FragmentKind::Instruction | FragmentKind::Rewritten(_))
        {
            return None;
        }
        let bytes = fragment.bytes(code)?;
        let rest = if bytes.first()? & 0xf0 == 0x40 { &bytes[1..] } else { bytes };
        // `mov` or `xor` of two registers; `lea`; `mov` of a constant of 4 bytes.
        let may_be = match *rest {
            [0x89 | 0x8b | 0x31 | 0x33, operands] => operands >> 6 == 3,
            [0x8d, ..] | [0xb8..=0xbf, _, _, _, _] => true,
            _ => false,
        };
        if !may_be {
            return None;
        }
        Move::of(&Decoder::new(64, bytes, DecoderOptions::NONE).decode())
    }

    fn of(instruction: &Instruction) -> Option<Move> {
        let register = instruction.op0_register();
        let to = number(register)?;
        let from = match instruction.mnemonic() {
            Mnemonic::Mov if instruction.op1_kind() == OpKind::Register => {
                From::Register(number(instruction.op1_register())?)
            }
            Mnemonic::Mov => From::Constant(instruction.immediate(1)),
            Mnemonic::Xor if instruction.op1_register() == register => From::Zero,
            Mnemonic::Lea if !instruction.is_ip_rel_memory_operand() => From::Address {
                base: number(instruction.memory_base()),
                index: number(instruction.memory_index()),
                scale: instruction.memory_index_scale(),
                displacement: instruction.memory_displacement64(),
            },
            _ => return None,
        };
        let size = register.size();
        (size >= 4).then_some(Move { to, from, is_64_bit: size == 8 })
    }
}

/// The value numbers that were given.
#[derive(Default)]
pub(crate) struct Values {
    known: HashMap<Value, u32>,
    /// Which numbers are constants'.
    constants: HashMap<u32, u64>,
    next: u32,
}

impl Values {
    /// A number of a value that nothing else holds.
    pub(crate) fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn number_of(&mut self, value: Value) -> u32 {
        let next = &mut self.next;
        *self.known.entry(value).or_insert_with(|| {
            *next += 1;
            *next
        })
    }

    /// The number of a constant.
    pub(crate) fn constant(&mut self, constant: u64) -> u32 {
        let number = self.number_of(Value::Constant(constant));
        self.constants.insert(number, constant);
        number
    }

    /// The number of the low 32 bits of a value.
    pub(crate) fn low_32_bits(&mut self, number: u32) -> u32 {
        self.number_of(Value::Low32Bits(number))
    }

    /// The numbers of constants, and fresh ones, the same for registers of the same class.
    pub(crate) fn start(&mut self, classes: &Classes) -> (ValueNumbers, ValueNumbers) {
        let first = self.next + 1;
        self.next += 2 * COUNT as u32;
        let (mut before, mut after) = ([0; COUNT], [0; COUNT]);
        for (place, number) in before.iter_mut().chain(&mut after).enumerate() {
            *number = match classes.constants[place] {
                Some(constant) => self.constant(constant),
                None => u32::from(classes.of[place]) + first,
            };
        }
        (before, after)
    }

    /// What a move does.
    pub(crate) fn run(&mut self, moved: Move, numbers: &mut ValueNumbers) {
        let of = |register: Option<u8>| register.map_or(0, |register| numbers[usize::from(register)]);
        let mut value = match moved.from {
            From::Register(register) => numbers[usize::from(register)],
            From::Constant(constant) => self.constant(constant),
            From::Zero => {
                numbers[FLAGS] = self.number_of(Value::FlagsOfZero);
                self.constant(0)
            }
            From::Address { base, index, scale, displacement } => {
                self.number_of(Value::Address(of(base), of(index), scale, displacement))
            }
        };
        // Constants are zero-extended already.
        if !moved.is_64_bit && !matches!(moved.from, From::Constant(_) | From::Zero) {
            value = self.low_32_bits(value);
        }
        numbers[usize::from(moved.to)] = value;
    }
}

/// The classes of what has the same key.
fn classes_by<K: PartialEq>(keys: impl Iterator<Item = K>) -> [u8; 2 * COUNT] {
    let mut seen: Vec<K> = Vec::with_capacity(2 * COUNT);
    let mut classes = [0; 2 * COUNT];
    for (class, key) in classes.iter_mut().zip(keys) {
        let place = seen.iter().position(|known| *known == key);
        *class = place.unwrap_or_else(|| {
            seen.push(key);
            seen.len() - 1
        }) as u8;
    }
    classes
}

impl Values {
    /// What is known where registers of both codes have these numbers.
    pub(crate) fn classes(&self, before: &ValueNumbers, after: &ValueNumbers) -> Classes {
        let numbers = || before.iter().chain(after).copied();
        let mut constants = [None; 2 * COUNT];
        for (constant, number) in constants.iter_mut().zip(numbers()) {
            *constant = self.constants.get(&number).copied();
        }
        Classes { of: classes_by(numbers()), constants }
    }
}

/// What is the same in both: the coarsest common refinement.
pub(crate) fn common(one: &Classes, other: &Classes) -> Classes {
    let pairs = one.constants.iter().zip(other.constants);
    let mut constants = [None; 2 * COUNT];
    for (constant, (&first, second)) in constants.iter_mut().zip(pairs) {
        *constant = first.filter(|_| first == second);
    }
    Classes { of: classes_by(one.of.iter().zip(other.of)), constants }
}

/// The registers of a set, by number.
pub(crate) fn registers(set: RegisterSet) -> impl Iterator<Item = usize> {
    (0..FLAGS).filter(move |&register| set >> register & 1 != 0)
}
