//! What registers and flags hold, by name: two that hold the same name hold the same value.
//!
//! In: moves, and that others write a register. Out: a name for the content of each register, before and after the code was
//! laid out. The names say what was computed, not by which instructions: so a move that comes earlier or later, or not at all,
//! makes no difference once it is not needed.

use std::collections::HashMap;

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind};

use crate::x86::code::effects::{Set, number};
use crate::x86::code::pieces::{Item, Kind};

/// The number of the flags, behind those of registers.
pub(crate) const FLAGS: usize = 16;

/// Registers and flags.
pub(crate) const COUNT: usize = FLAGS + 1;

/// Names of what they hold.
pub(crate) type Names = [u32; COUNT];

/// What is known at a place, of both codes: registers with the same number hold the same.
pub(crate) type Classes = [u8; 2 * COUNT];

/// A value that is computed by a move.
#[derive(PartialEq, Eq, Hash)]
enum Value {
    Number(u64),
    /// The low half of another one.
    Low(u32),
    /// A base, an index, its scale, a displacement.
    Address(u32, u32, u32, u64),
    /// The flags after a register was cleared by an exclusive or.
    FlagsOfZero,
}

/// A move: it reads registers, and writes one and nothing else, but for the flags where it clears one.
#[derive(Clone, Copy)]
pub(crate) struct Move {
    to: u8,
    from: From,
    /// Of 64 bits.
    is_whole: bool,
}

#[derive(Clone, Copy)]
enum From {
    Register(u8),
    Number(u64),
    Zero,
    Address { base: Option<u8>, index: Option<u8>, scale: u32, displacement: u64 },
}

impl Move {
    pub(crate) fn read(item: &Item, code: &[u8]) -> Option<Move> {
        if item.is_relocated || !matches!(item.kind, Kind::Plain | Kind::Short(_)) {
            return None;
        }
        let bytes = item.bytes(code)?;
        let rest = if bytes.first()? & 0xf0 == 0x40 { &bytes[1..] } else { bytes };
        // Of two registers; of an address; of a number of 4 bytes; of a register with itself.
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
            Mnemonic::Mov => From::Number(instruction.immediate(1)),
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
        (size >= 4).then_some(Move { to, from, is_whole: size == 8 })
    }
}

/// Gives names.
#[derive(Default)]
pub(crate) struct Values {
    known: HashMap<Value, u32>,
    next: u32,
}

impl Values {
    /// A name that nothing has.
    pub(crate) fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn name(&mut self, value: Value) -> u32 {
        let next = &mut self.next;
        *self.known.entry(value).or_insert_with(|| {
            *next += 1;
            *next
        })
    }

    /// The name of a number.
    pub(crate) fn number(&mut self, number: u32) -> u32 {
        self.name(Value::Number(u64::from(number)))
    }

    /// The name of the low half of what has a name.
    pub(crate) fn low(&mut self, name: u32) -> u32 {
        self.name(Value::Low(name))
    }

    /// Names what is in registers where the same is in those of the same class.
    pub(crate) fn start(&mut self, classes: &Classes) -> (Names, Names) {
        let first = self.next + 1;
        let name = |class: u8| u32::from(class) + first;
        let (mut before, mut after) = ([0; COUNT], [0; COUNT]);
        for place in 0..COUNT {
            before[place] = name(classes[place]);
            after[place] = name(classes[COUNT + place]);
        }
        self.next += 2 * COUNT as u32;
        (before, after)
    }

    /// What a move does.
    pub(crate) fn run(&mut self, made: Move, names: &mut Names) {
        let of = |register: Option<u8>| register.map_or(0, |register| names[usize::from(register)]);
        let mut value = match made.from {
            From::Register(register) => names[usize::from(register)],
            From::Number(number) => self.name(Value::Number(number)),
            From::Zero => {
                names[FLAGS] = self.name(Value::FlagsOfZero);
                self.name(Value::Number(0))
            }
            From::Address { base, index, scale, displacement } => {
                self.name(Value::Address(of(base), of(index), scale, displacement))
            }
        };
        // A number is one of 32 bits, and its high half is clear.
        if !made.is_whole && !matches!(made.from, From::Number(_) | From::Zero) {
            value = self.low(value);
        }
        names[usize::from(made.to)] = value;
    }
}

/// Which registers hold the same, of both codes.
pub(crate) fn classes(before: &Names, after: &Names) -> Classes {
    let mut seen: Vec<u32> = Vec::with_capacity(2 * COUNT);
    let mut classes = [0; 2 * COUNT];
    for (class, &name) in classes.iter_mut().zip(before.iter().chain(after)) {
        let place = seen.iter().position(|&known| known == name);
        *class = place.unwrap_or_else(|| {
            seen.push(name);
            seen.len() - 1
        }) as u8;
    }
    classes
}

/// What is the same by both.
pub(crate) fn common(one: &Classes, other: &Classes) -> Classes {
    let mut seen: Vec<(u8, u8)> = Vec::with_capacity(2 * COUNT);
    let mut classes = [0; 2 * COUNT];
    for (class, pair) in classes.iter_mut().zip(one.iter().copied().zip(other.iter().copied())) {
        let place = seen.iter().position(|&known| known == pair);
        *class = place.unwrap_or_else(|| {
            seen.push(pair);
            seen.len() - 1
        }) as u8;
    }
    classes
}

/// The registers of a set, by number.
pub(crate) fn registers(set: Set) -> impl Iterator<Item = usize> {
    (0..FLAGS).filter(move |&register| set >> register & 1 != 0)
}
