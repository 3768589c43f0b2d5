//! Byte provenance: which value, and which byte of it, each byte of a value comes from.
//!
//! In: a function. Out: for each integer of at most 64 bits, eight [`Byte`]s, the least significant first: each is a constant
//! or a byte of some value, perhaps of the integer itself. One pass over the layout; a value that is used before it is
//! visited is its own origin, which is true of any value.
//!
//! | instruction | byte i of the result |
//! |---|---|
//! | `iconst` | a constant |
//! | `uextend`, `ireduce`, `bswap`, shifts by whole bytes | a byte of the operand, or 0 |
//! | `band` with a constant | the operand's where the mask is ff, 0 where it is 0 |
//! | `bor`, `bxor`, `iadd` where one operand's byte is 0 | the other's; for `iadd` as long as no lower byte may carry |
//! | `uloadN` | its own, then 0 |
//! | a block parameter that is always zero-extended (`zero_extension.rs`) | its own, then 0 |
//! | anything else | its own |

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{DataFlowGraph, Endianness, Function, Inst, InstructionData, Opcode, Value};

use crate::opt::ir::operands::{constant, size_of, value_map};
use crate::opt::ir::zero_extension;

/// The origin of a byte: a constant, or a byte of a value.
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

    /// The value that it is a byte of, and which byte.
    pub(crate) fn origin(self) -> Option<(Value, u8)> {
        (self.0 < Byte::CONSTANTS).then(|| (Value::from_u32(self.0 >> 3), (self.0 & 7) as u8))
    }
}

/// The bytes of all values of a function.
pub(crate) struct Provenance {
    /// One more than the index of a value's bytes; 0 for one that is its own origin.
    indices: SecondaryMap<Value, u32>,
    bytes: Vec<Bytes>,
}

/// Values from this number on would not fit in a [`Byte`].
const MAX_TRACKED_VALUES: usize = 1 << 28;

/// Where byte `index` of a number of `size` bytes lies in memory, from its start.
pub(crate) fn byte_offset(order: Endianness, size: u8, index: u8) -> u8 {
    match order {
        Endianness::Little => index,
        Endianness::Big => size - 1 - index,
    }
}

impl Provenance {
    /// Analyses a function; none if it has too many values.
    pub(crate) fn new(function: &Function) -> Option<Provenance> {
        let mut provenance = Provenance::of_parameters(function)?;
        for block in function.layout.blocks() {
            function.layout.block_insts(block).for_each(|inst| provenance.visit(&function.dfg, inst));
        }
        Some(provenance)
    }

    /// Starts with block parameters: the caller visits all instructions, in layout order.
    pub(crate) fn of_parameters(function: &Function) -> Option<Provenance> {
        let dfg = &function.dfg;
        if dfg.num_values() >= MAX_TRACKED_VALUES {
            return None;
        }
        let mut provenance = Provenance { indices: value_map(dfg), bytes: Vec::new() };
        for (parameter, size) in zero_extension::zero_extended_parameters(function) {
            provenance.set(parameter, own(parameter, usize::from(size)));
        }
        Some(provenance)
    }

    /// Finds the bytes of an instruction's result.
    pub(crate) fn visit(&mut self, dfg: &DataFlowGraph, inst: Inst) {
        if let &[result] = dfg.inst_results(inst)
            && let Some(bytes) = self.result(dfg, inst, result)
        {
            self.set(result, bytes);
        }
    }

    fn set(&mut self, value: Value, bytes: Bytes) {
        self.bytes.push(bytes);
        self.indices[value] = self.bytes.len() as u32;
    }

    /// The bytes of a value that is no alias; none if it is its own origin.
    pub(crate) fn known(&self, value: Value) -> Option<&Bytes> {
        self.bytes.get((self.indices[value] as usize).checked_sub(1)?)
    }

    /// The bytes of a value.
    pub(crate) fn of(&self, dfg: &DataFlowGraph, value: Value) -> Bytes {
        let value = dfg.resolve_aliases(value);
        match self.known(value) {
            Some(&bytes) => bytes,
            None => own(value, size_of(dfg.value_type(value)).map_or(8, usize::from)),
        }
    }

    /// Whether the lowest byte of a value is 0.
    fn ends_in_zero(&self, dfg: &DataFlowGraph, value: Value) -> bool {
        self.known(dfg.resolve_aliases(value)).is_some_and(|bytes| bytes[0] == Byte::ZERO)
    }

    /// The bytes of a result; none if it is its own origin.
    fn result(&self, dfg: &DataFlowGraph, inst: Inst, result: Value) -> Option<Bytes> {
        let size = usize::from(size_of(dfg.value_type(result))?);
        let is_integer = |value: Value| size_of(dfg.value_type(value)).is_some();
        let whole = || own(result, size);
        match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => {
                let mut bytes = whole();
                for (byte, value) in bytes.iter_mut().zip(imm.bits().to_le_bytes()).take(size) {
                    *byte = Byte::constant(value);
                }
                Some(bytes)
            }
            InstructionData::Unary { opcode, arg } if is_integer(arg) => match opcode {
                Opcode::Uextend => Some(self.of(dfg, arg)),
                Opcode::Ireduce => {
                    let mut bytes = self.of(dfg, arg);
                    bytes[size..].fill(Byte::ZERO);
                    Some(bytes)
                }
                Opcode::Bswap => {
                    let mut bytes = self.of(dfg, arg);
                    bytes[..size].reverse();
                    Some(bytes)
                }
                _ => None,
            },
            InstructionData::Binary { opcode, args: [left, right] } if is_integer(left) => match opcode {
                Opcode::Ishl | Opcode::Ushr => {
                    let amount = constant(dfg, right)?;
                    let (mut bytes, from) = (whole(), self.of(dfg, left));
                    shift(opcode, &mut bytes, from, amount as usize % (8 * size), size);
                    Some(bytes)
                }
                Opcode::Band | Opcode::Bor | Opcode::Bxor | Opcode::Iadd => {
                    // Most additions: the lowest byte may carry.
                    let may_carry = || !self.ends_in_zero(dfg, left) && !self.ends_in_zero(dfg, right);
                    if opcode == Opcode::Iadd && may_carry() {
                        return None;
                    }
                    let mut bytes = whole();
                    combine(opcode, &mut bytes, [self.of(dfg, left), self.of(dfg, right)], size);
                    Some(bytes)
                }
                _ => None,
            },
            InstructionData::Load { opcode: Opcode::Uload8, .. } => Some(own(result, 1)),
            InstructionData::Load { opcode: Opcode::Uload16, .. } => Some(own(result, 2)),
            InstructionData::Load { opcode: Opcode::Uload32, .. } => Some(own(result, 4)),
            _ => None,
        }
    }
}

/// The bytes of a value that is its own origin.
fn own(value: Value, size: usize) -> Bytes {
    std::array::from_fn(|index| if index < size { Byte::of(value, index) } else { Byte::ZERO })
}

fn shift(opcode: Opcode, bytes: &mut Bytes, from: Bytes, bits: usize, size: usize) {
    let whole = bits.is_multiple_of(8);
    let count = bits / 8;
    for (index, byte) in bytes.iter_mut().enumerate().take(size) {
        // The byte that is moved here if the shift is by whole bytes, else the lower one of the two that contribute bits.
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
