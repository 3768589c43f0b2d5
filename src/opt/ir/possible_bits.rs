//! Which bits of an integer may be 1.
//!
//! In: a function. Out: for a value, a mask that has every bit which may be 1, over block parameters and around loops too.
//!
//! | value | may be 1 |
//! |---|---|
//! | a parameter of a block other than the entry | what may be of any argument |
//! | a constant, `uload8` and the like, a comparison, a count of bits | its own |
//! | `uextend`, `ireduce`, `band`, `bor`, `bxor`, `select`, shifts by a constant | of what may be of the operands |
//! | `iadd` | the longer operand's bits, and one more |
//! | `udiv`, `urem` | the dividend's bits |
//! | anything else, and what is found by more than [`MAX_VISITED`] steps | all of its type |
//!
//! The rule for parameters is the least set that satisfies it: all start with none, and grow by what their arguments may be. By induction
//! over the jumps taken, a parameter has no other bits. A parameter that grows again takes all bits up to a size in [`SIZES`], so each grows
//! a few times at most, and time is linear in the number of arguments.

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{BlockArg, DataFlowGraph, Function, InstructionData, Opcode, Type, Value, ValueDef};

use super::operands::{constant, value_map};

/// How many values are visited to find what one may be.
const MAX_VISITED: usize = 24;

/// The sizes in bits that a parameter grows to.
const SIZES: [u32; 5] = [1, 8, 16, 32, 64];

/// What is known of parameters.
pub(crate) struct PossibleBits {
    of_parameters: SecondaryMap<Value, u64>,
}

impl PossibleBits {
    /// Finds what parameters may be.
    pub(crate) fn new(function: &Function) -> PossibleBits {
        let dfg = &function.dfg;
        let mut bits = PossibleBits { of_parameters: value_map(dfg) };
        if let Some(entry) = function.layout.entry_block() {
            dfg.block_params(entry)
                .iter()
                .for_each(|&value| bits.of_parameters[value] = all(dfg.value_type(value)));
        }
        let mut arguments: Vec<(Value, Value)> = Vec::new();
        // The arguments that each parameter is part of, as lists in one vector: one more than the index of the first entry.
        let mut first: SecondaryMap<Value, u32> = value_map(dfg);
        let mut entries: Vec<(u32, u32)> = Vec::new();
        let mut work: Vec<u32> = Vec::new();
        for block in function.layout.blocks() {
            let Some(last) = function.layout.last_inst(block) else { continue };
            for call in dfg.insts[last].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
                let parameters = dfg.block_params(call.block(&dfg.value_lists));
                for (&parameter, argument) in parameters.iter().zip(call.args(&dfg.value_lists)) {
                    let BlockArg::Value(argument) = argument else {
                        bits.of_parameters[parameter] = all(dfg.value_type(parameter));
                        continue;
                    };
                    let index = arguments.len() as u32;
                    arguments.push((parameter, argument));
                    work.push(index);
                    let mut left = MAX_VISITED;
                    bits.visit(dfg, argument, &mut left, &mut |part| {
                        entries.push((index, first[part]));
                        first[part] = entries.len() as u32;
                    });
                }
            }
        }
        while let Some(index) = work.pop() {
            let Some(&(parameter, argument)) = arguments.get(index as usize) else { continue };
            let (old, new) = (bits.of_parameters[parameter], bits.of(dfg, argument));
            if new & !old == 0 {
                continue;
            }
            let grown = if old == 0 { new } else { up_to(old | new) & all(dfg.value_type(parameter)) };
            bits.of_parameters[parameter] = grown;
            let mut next = first[parameter];
            while let Some(&(user, after)) = (next as usize).checked_sub(1).and_then(|at| entries.get(at)) {
                work.push(user);
                next = after;
            }
        }
        bits
    }

    /// The bits of a value that may be 1.
    pub(crate) fn of(&self, dfg: &DataFlowGraph, value: Value) -> u64 {
        let mut left = MAX_VISITED;
        self.visit(dfg, value, &mut left, &mut |_| {})
    }

    /// The same; `part` gets each parameter that it was found from.
    fn visit(&self, dfg: &DataFlowGraph, value: Value, left: &mut usize, part: &mut dyn FnMut(Value)) -> u64 {
        let value = dfg.resolve_aliases(value);
        let ty = dfg.value_type(value);
        let every = all(ty);
        if *left == 0 || !ty.is_int() || ty.bits() > 64 {
            return every;
        }
        *left -= 1;
        let inst = match dfg.value_def(value) {
            ValueDef::Result(inst, 0) => inst,
            ValueDef::Param(..) => {
                part(value);
                return self.of_parameters[value];
            }
            _ => return every,
        };
        let mut of = |operand: Value| self.visit(dfg, operand, left, part);
        let found = match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => imm.bits() as u64,
            InstructionData::Load { opcode: Opcode::Uload8, .. } => 0xff,
            InstructionData::Load { opcode: Opcode::Uload16, .. } => 0xffff,
            InstructionData::Load { opcode: Opcode::Uload32, .. } => u64::from(u32::MAX),
            InstructionData::IntCompare { .. } | InstructionData::FloatCompare { .. } => 1,
            InstructionData::Unary { opcode: Opcode::Uextend | Opcode::Ireduce, arg } => of(arg),
            InstructionData::Unary { opcode: Opcode::Popcnt | Opcode::Clz | Opcode::Ctz, .. } => {
                low_ones(32 - ty.bits().leading_zeros())
            }
            InstructionData::Ternary { opcode: Opcode::Select, args: [_, one, other] } => of(one) | of(other),
            InstructionData::Binary { opcode, args: [one, other] } => match opcode {
                Opcode::Band => of(one) & of(other),
                Opcode::Bor | Opcode::Bxor => of(one) | of(other),
                Opcode::Iadd => {
                    let sum = of(one) | of(other);
                    low_ones(64 - sum.leading_zeros() + 1)
                }
                Opcode::Udiv | Opcode::Urem => low_ones(64 - of(one).leading_zeros()),
                Opcode::Ushr | Opcode::Ishl => match constant(dfg, other) {
                    Some(amount) => {
                        let (amount, bits) = (amount % u64::from(ty.bits()), of(one));
                        if opcode == Opcode::Ushr { bits >> amount } else { bits << amount }
                    }
                    None => every,
                },
                _ => every,
            },
            _ => every,
        };
        found & every
    }
}

/// All bits of a type, or all that there are of a longer one.
fn all(ty: Type) -> u64 {
    low_ones(ty.bits())
}

/// So many ones.
fn low_ones(count: u32) -> u64 {
    1_u64.checked_shl(count).map_or(u64::MAX, |bit| bit - 1)
}

/// All bits up to the size in [`SIZES`] that holds these.
fn up_to(bits: u64) -> u64 {
    let size = SIZES.into_iter().find(|&size| bits & !low_ones(size) == 0);
    size.map_or(u64::MAX, low_ones)
}
