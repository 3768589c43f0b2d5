//! Where the bytes of a value come from.
//!
//! In: a function. Out: for each integer of at most 64 bits, eight [`Byte`]s, the least significant first: each is a
//! constant, or a byte of some value, perhaps of itself. One pass over the layout; what is used before it is seen is its
//! own source, which is true of any value.
//!
//! | instruction | byte i of the result |
//! |---|---|
//! | `iconst` | a constant |
//! | `uextend`, `ireduce`, `bswap`, shifts by whole bytes | a byte of the operand, or 0 |
//! | `band` with a constant | the operand's where the mask is ff, 0 where it is 0 |
//! | `bor`, `bxor`, `iadd` where one operand's byte is 0 | the other's; for `iadd` as long as no lower byte may carry |
//! | `uloadN` | its own, then 0 |
//! | a block's parameter whose arguments all have high halves of 0 (`zero_high_half.rs`) | its own, then 0 |
//! | anything else | its own |

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{DataFlowGraph, Function, Inst, InstructionData, Opcode, Type, Value, ValueDef, types};

use crate::opt::ir::memory_accesses::of_values;
use crate::opt::ir::zero_high_half;

/// Where a byte comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Byte(u32);

/// The bytes of a value, the least significant first; those past its type are 0.
pub(crate) type Bytes = [Byte; 8];

impl Byte {
    const CONSTANTS: u32 = 0xffff_ff00;
    /// The constant 0.
    pub(crate) const ZERO: Byte = Byte(Byte::CONSTANTS);

    const fn constant(value: u8) -> Byte {
        Byte(Byte::CONSTANTS | value as u32)
    }

    fn of(value: Value, index: usize) -> Byte {
        Byte(value.as_u32() << 3 | index as u32)
    }

    /// Its value, if it is constant.
    pub(crate) fn as_constant(self) -> Option<u8> {
        (self.0 >= Byte::CONSTANTS).then_some(self.0 as u8)
    }

    /// The value that it is a byte of, and which.
    pub(crate) fn source(self) -> Option<(Value, u8)> {
        (self.0 < Byte::CONSTANTS).then(|| (Value::from_u32(self.0 >> 3), (self.0 & 7) as u8))
    }
}

/// The bytes of all values of a function.
pub(crate) struct Sources {
    /// One more than the place of a value's bytes; none for one that is its own source.
    places: SecondaryMap<Value, u32>,
    bytes: Vec<Bytes>,
}

/// Values from this number on would not fit in a [`Byte`].
const LIMIT: usize = 1 << 28;

/// The size of an integer that has bytes here.
pub(crate) fn size_of(ty: Type) -> Option<u8> {
    matches!(ty, types::I8 | types::I16 | types::I32 | types::I64).then(|| ty.bytes() as u8)
}

/// The integer type of 1, 2, 4 or 8 bytes.
pub(crate) fn type_of(size: u8) -> Option<Type> {
    Type::int(u16::from(size) * 8).filter(|&ty| size_of(ty).is_some())
}

/// The number that a value always is.
pub(crate) fn constant(dfg: &DataFlowGraph, value: Value) -> Option<u64> {
    match dfg.value_def(dfg.resolve_aliases(value)) {
        ValueDef::Result(inst, _) => match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => Some(imm.bits() as u64),
            _ => None,
        },
        _ => None,
    }
}

impl Sources {
    /// Finds them; none for a function of too many values.
    pub(crate) fn new(function: &Function) -> Option<Sources> {
        let mut sources = Sources::of_parameters(function)?;
        for block in function.layout.blocks() {
            function.layout.block_insts(block).for_each(|inst| sources.see(&function.dfg, inst));
        }
        Some(sources)
    }

    /// Those of parameters; all instructions are to be seen, in the order of the layout.
    pub(crate) fn of_parameters(function: &Function) -> Option<Sources> {
        let dfg = &function.dfg;
        if dfg.num_values() >= LIMIT {
            return None;
        }
        let mut sources = Sources { places: of_values(dfg), bytes: Vec::new() };
        for parameter in zero_high_half::clear_parameters(function) {
            sources.set(parameter, own(parameter, 4));
        }
        Some(sources)
    }

    /// Finds those of an instruction's result.
    pub(crate) fn see(&mut self, dfg: &DataFlowGraph, inst: Inst) {
        if let &[result] = dfg.inst_results(inst)
            && let Some(bytes) = self.result(dfg, inst, result)
        {
            self.set(result, bytes);
        }
    }

    fn set(&mut self, value: Value, bytes: Bytes) {
        self.bytes.push(bytes);
        self.places[value] = self.bytes.len() as u32;
    }

    /// The bytes of a value.
    pub(crate) fn of(&self, dfg: &DataFlowGraph, value: Value) -> Bytes {
        let value = dfg.resolve_aliases(value);
        let place = (self.places[value] as usize).checked_sub(1);
        match place.and_then(|place| self.bytes.get(place)) {
            Some(&bytes) => bytes,
            None => own(value, size_of(dfg.value_type(value)).map_or(8, usize::from)),
        }
    }

    /// The bytes of a result; none if they are its own.
    fn result(&self, dfg: &DataFlowGraph, inst: Inst, result: Value) -> Option<Bytes> {
        let size = usize::from(size_of(dfg.value_type(result))?);
        let is_narrow = |value: Value| size_of(dfg.value_type(value)).is_some();
        let mut bytes = own(result, size);
        match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => {
                for (byte, value) in bytes.iter_mut().zip(imm.bits().to_le_bytes()).take(size) {
                    *byte = Byte::constant(value);
                }
            }
            InstructionData::Unary { opcode, arg } if is_narrow(arg) => match opcode {
                Opcode::Uextend => return Some(self.of(dfg, arg)),
                Opcode::Ireduce => bytes[..size].copy_from_slice(&self.of(dfg, arg)[..size]),
                Opcode::Bswap => {
                    let from = self.of(dfg, arg);
                    (0..size).for_each(|index| bytes[index] = from[size - 1 - index]);
                }
                _ => return None,
            },
            InstructionData::Binary { opcode, args: [left, right] } if is_narrow(left) => match opcode {
                Opcode::Ishl | Opcode::Ushr => {
                    let amount = constant(dfg, right)?;
                    let from = self.of(dfg, left);
                    shift(opcode, &mut bytes, from, amount as usize % (8 * size), size);
                }
                Opcode::Band | Opcode::Bor | Opcode::Bxor | Opcode::Iadd => {
                    let sides = [self.of(dfg, left), self.of(dfg, right)];
                    // Most sums: the lowest byte carries, or may.
                    if opcode == Opcode::Iadd && sides.iter().all(|side| side[0] != Byte::ZERO) {
                        return None;
                    }
                    combine(opcode, &mut bytes, sides, size);
                }
                _ => return None,
            },
            InstructionData::Load { opcode: Opcode::Uload8, .. } => bytes[1..].fill(Byte::ZERO),
            InstructionData::Load { opcode: Opcode::Uload16, .. } => bytes[2..].fill(Byte::ZERO),
            InstructionData::Load { opcode: Opcode::Uload32, .. } => bytes[4..].fill(Byte::ZERO),
            _ => return None,
        }
        Some(bytes)
    }
}

/// A value that is its own source.
fn own(value: Value, size: usize) -> Bytes {
    std::array::from_fn(|index| if index < size { Byte::of(value, index) } else { Byte::ZERO })
}

fn shift(opcode: Opcode, bytes: &mut Bytes, from: Bytes, bits: usize, size: usize) {
    let whole = bits.is_multiple_of(8);
    let count = bits / 8;
    for (index, byte) in bytes.iter_mut().enumerate().take(size) {
        // The byte that moves here if the shift is by whole bytes, else the lower one of the two that meet here.
        let moved = if opcode == Opcode::Ishl { index.checked_sub(count) } else { Some(index + count) };
        match moved.filter(|&moved| moved < size) {
            None => *byte = Byte::ZERO,
            Some(moved) if whole => *byte = from[moved],
            Some(_) => {}
        }
    }
}

fn combine(opcode: Opcode, bytes: &mut Bytes, [left, right]: [Bytes; 2], size: usize) {
    let mut may_carry = false;
    for index in 0..size {
        let (a, b) = (left[index], right[index]);
        let known = match opcode {
            Opcode::Band => match (a.as_constant(), b.as_constant()) {
                (Some(0), _) | (_, Some(0)) => Some(Byte::ZERO),
                (Some(0xff), _) => Some(b),
                (_, Some(0xff)) => Some(a),
                _ => (a == b).then_some(a),
            },
            Opcode::Bor if a == b => Some(a),
            _ if a == Byte::ZERO => Some(b),
            _ if b == Byte::ZERO => Some(a),
            _ => None,
        };
        match known {
            Some(byte) if opcode != Opcode::Iadd || !may_carry => bytes[index] = byte,
            _ => may_carry = true,
        }
    }
}
