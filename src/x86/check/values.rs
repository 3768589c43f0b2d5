//! Value numbers of registers, flags and spill slots: two with the same number hold the same value.
//!
//! In: moves, spills and reloads among them, and that other instructions write a register. Out: the value number of each of these
//! places, in Cranelift's code and in the new one. Numbers stand for what was computed, not for the instructions that did: so it makes no difference whether a
//! move comes earlier or later, or not at all where nothing needs it.

use std::collections::HashMap;
use std::hash::Hash;

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

use crate::x86::code::abi::RegisterSet;
use crate::x86::code::effects::number;
use crate::x86::code::fragments::{Fragment, FragmentKind};
use crate::x86::code::spill_slots::SpillSlots;

/// The index of the flags, behind those of registers.
pub(crate) const FLAGS: usize = 16;

/// The index of the first spill slot: how many registers there are, with the flags.
pub(crate) const SLOTS: usize = FLAGS + 1;

/// The value numbers of what all places hold.
pub(crate) type ValueNumbers = Vec<u32>;

/// What is known of the places of both codes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Classes {
    /// Congruence classes: which hold the same value.
    of: Vec<u32>,
    /// The constants that they hold: a move of the same one, which only one of the codes still has, changes nothing.
    constants: Vec<Option<u64>>,
}

impl Classes {
    /// At the start of a function with so many spill slots: each place holds the same in both codes.
    pub(crate) fn at_start(slots: usize) -> Classes {
        let count = SLOTS + slots;
        Classes {
            of: (0..2 * count).map(|place| (place % count) as u32).collect(),
            constants: vec![None; 2 * count],
        }
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

/// A move: it reads registers or a slot, and writes one and nothing else, but for the flags where it clears one.
#[derive(Clone, Copy)]
pub(crate) struct Move {
    to: usize,
    from: From,
    /// Whether it is of 64 bits.
    is_64_bit: bool,
}

#[derive(Clone, Copy)]
enum From {
    Place(usize),
    Constant(u64),
    Zero,
    Address { base: Option<u8>, index: Option<u8>, scale: u32, displacement: u64 },
}

impl Move {
    /// Reads one; spills and reloads are moves where slots are known.
    pub(crate) fn read(fragment: &Fragment, code: &[u8], slots: Option<&SpillSlots>) -> Option<Move> {
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
            [0x89 | 0x8b, ..] => slots.is_some(),
            _ => false,
        };
        if !may_be {
            return None;
        }
        let instruction = Decoder::new(64, bytes, DecoderOptions::NONE).decode();
        match slots.filter(|_| instruction.mnemonic() == Mnemonic::Mov) {
            Some(slots) if instruction.op_kinds().any(|kind| kind == OpKind::Memory) => {
                Move::of_slot(&instruction, slots)
            }
            _ => Move::of(&instruction),
        }
    }

    /// A spill of 64 bits, or a reload, of all or of the low half.
    fn of_slot(instruction: &Instruction, slots: &SpillSlots) -> Option<Move> {
        let slot = SLOTS + slot(instruction, slots)?;
        if instruction.op0_kind() == OpKind::Memory {
            let register = instruction.op1_register();
            let is_whole = instruction.op1_kind() == OpKind::Register && register.size() == 8;
            let from = From::Place(number(register)?.into());
            return is_whole.then_some(Move { to: slot, from, is_64_bit: true });
        }
        let register = instruction.op0_register();
        let size = register.size();
        let to = number(register)?.into();
        (size >= 4).then_some(Move { to, from: From::Place(slot), is_64_bit: size == 8 })
    }

    fn of(instruction: &Instruction) -> Option<Move> {
        let register = instruction.op0_register();
        let to = number(register)?.into();
        let from = match instruction.mnemonic() {
            Mnemonic::Mov if instruction.op1_kind() == OpKind::Register => {
                From::Place(number(instruction.op1_register())?.into())
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
    /// Which numbers are of values that are less than so much.
    bounds: HashMap<u32, u32>,
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

    /// The number of a value that is less than `bound`: its low 32 bits are all of it.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let number = self.fresh();
        self.known.insert(Value::Low32Bits(number), number);
        self.bounds.insert(number, bound);
        number
    }

    /// Whether the value with this number is known to be less than `bound`.
    pub(crate) fn is_below(&self, number: u32, bound: u32) -> bool {
        self.bounds.get(&number).is_some_and(|&known| known <= bound)
    }

    /// The numbers of constants, and fresh ones, the same for places of the same class.
    pub(crate) fn start(&mut self, classes: &Classes) -> (ValueNumbers, ValueNumbers) {
        let first = self.next + 1;
        self.next += classes.of.len() as u32;
        let number = |(&class, &constant): (&u32, &Option<u64>)| match constant {
            Some(constant) => self.constant(constant),
            None => class + first,
        };
        let mut before: ValueNumbers = classes.of.iter().zip(&classes.constants).map(number).collect();
        let after = before.split_off(before.len() / 2);
        (before, after)
    }

    /// What a move does.
    pub(crate) fn run(&mut self, moved: Move, numbers: &mut ValueNumbers) {
        let of = |register: Option<u8>| register.map_or(0, |register| numbers[usize::from(register)]);
        let mut value = match moved.from {
            From::Place(place) => numbers[place],
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
        numbers[moved.to] = value;
    }
}

/// The classes of what has the same key.
fn classes_by<K: Eq + Hash>(keys: impl Iterator<Item = K>) -> Vec<u32> {
    let mut seen: HashMap<K, u32> = HashMap::new();
    let class = |key: K| {
        let next = seen.len() as u32;
        *seen.entry(key).or_insert(next)
    };
    keys.map(class).collect()
}

impl Values {
    /// What is known where places of both codes have these numbers.
    pub(crate) fn classes(&self, before: &ValueNumbers, after: &ValueNumbers) -> Classes {
        let numbers = || before.iter().chain(after).copied();
        let constants = numbers().map(|number| self.constants.get(&number).copied()).collect();
        Classes { of: classes_by(numbers()), constants }
    }
}

/// What is the same in both: the coarsest common refinement.
pub(crate) fn common(one: &Classes, other: &Classes) -> Classes {
    let pairs = one.constants.iter().zip(&other.constants);
    let constants = pairs.map(|(&first, &second)| first.filter(|_| first == second)).collect();
    Classes { of: classes_by(one.of.iter().zip(&other.of)), constants }
}

/// The index of the slot that an instruction's memory operand is.
pub(crate) fn slot(instruction: &Instruction, slots: &SpillSlots) -> Option<usize> {
    let is_direct = instruction.memory_base() == Register::RSP && instruction.memory_index() == Register::None;
    slots.index(u32::try_from(instruction.memory_displacement64()).ok().filter(|_| is_direct)?)
}

/// The registers of a set, by number.
pub(crate) fn registers(set: RegisterSet) -> impl Iterator<Item = usize> {
    (0..FLAGS).filter(move |&register| set >> register & 1 != 0)
}
