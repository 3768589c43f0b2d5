//! Whether Cranelift's optimiser could make one value of two: what they are where all else is random.
//!
//! In: a function, block by block, dominators first. Out: a number for each value. The rule: the optimiser rewrites
//! arithmetic to what is equal for all inputs, so two values whose numbers differ stay two; those whose numbers are the same
//! may be one.
//!
//! | value | its number |
//! |---|---|
//! | a parameter of the function or of a block, what is loaded, what a call returns, halves (`isplit`, which Cranelift never looks through) | any, of its type |
//! | a parameter that is always the same value (`redundant_parameters.rs`) | that one's: Cranelift puts it in its place |
//! | an address of a stack slot or of a symbol | any, and the offset |
//! | an address out of the translator's own table | any, the same for the same place |
//! | constants, arithmetic but signed division, comparisons, selections, conversions of integers | what they compute of numbers |
//! | anything else, or that hangs on it | not known: it may be any other value |
//!
//! One look at each instruction.

use cranelift_codegen::entity::{EntityRef, SecondaryMap};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, DataFlowGraph, Function, Inst, InstructionData, Opcode, Type, Value};

use super::memory_accesses::of_values;
use crate::opt::memory::byte_provenance::size_of;
use crate::opt::scalar::redundant_parameters::{self, Known};

/// What there is one of each time it is named.
#[derive(Clone, Copy)]
enum Given {
    Value,
    Slot,
    Symbol,
}

/// The numbers of a function's values.
pub(crate) struct Numbers {
    numbers: SecondaryMap<Value, Option<u64>>,
    parameters: SecondaryMap<Value, Known>,
}

impl Numbers {
    /// Those of no block yet.
    pub(crate) fn new(function: &Function) -> Numbers {
        Numbers { numbers: of_values(&function.dfg), parameters: redundant_parameters::solve(function) }
    }

    /// The number of a value.
    pub(crate) fn of(&self, dfg: &DataFlowGraph, value: Value) -> Option<u64> {
        self.numbers[dfg.resolve_aliases(value)]
    }

    /// Gives the block's parameters theirs.
    pub(crate) fn enter(&mut self, function: &Function, block: Block) {
        let dfg = &function.dfg;
        for &parameter in dfg.block_params(block) {
            self.numbers[parameter] = match self.parameters[parameter] {
                Known::Same(value) | Known::Number(value) if function.layout.entry_block() != Some(block) => {
                    self.of(dfg, value)
                }
                _ => Some(narrow(given(Given::Value, parameter.index()), dfg.value_type(parameter))),
            };
        }
    }

    /// Gives the results of an instruction theirs.
    pub(crate) fn see(&mut self, dfg: &DataFlowGraph, inst: Inst) {
        let results = dfg.inst_results(inst);
        let opcode = dfg.insts[inst].opcode();
        if let [result] = *results {
            let ty = dfg.value_type(result);
            let number = match opcode {
                Opcode::Uload8 => given(Given::Value, result.index()) & 0xff,
                Opcode::Uload16 => given(Given::Value, result.index()) & 0xffff,
                Opcode::Uload32 => given(Given::Value, result.index()) & 0xffff_ffff,
                Opcode::Sload8 => given(Given::Value, result.index()) as i8 as u64,
                Opcode::Sload16 => given(Given::Value, result.index()) as i16 as u64,
                Opcode::Sload32 => given(Given::Value, result.index()) as i32 as u64,
                // The translator's own table, of which equal loads may be merged.
                Opcode::Load if dfg.insts[inst].memflags_data(dfg).is_some_and(|flags| flags.notrap()) => {
                    let offset = dfg.insts[inst].load_store_offset().unwrap_or_default();
                    let from = dfg.inst_args(inst).first().and_then(|&address| self.of(dfg, address));
                    self.numbers[result] = from.map(|from| mixed(from.wrapping_add_signed(i64::from(offset))));
                    return;
                }
                _ if opcode.can_load() || opcode.is_call() => given(Given::Value, result.index()),
                _ => {
                    self.numbers[result] = self.compute(dfg, inst, ty).map(|number| narrow(number, ty));
                    return;
                }
            };
            self.numbers[result] = Some(narrow(number, ty));
        } else if opcode.is_call() || opcode == Opcode::Isplit {
            for &result in results {
                self.numbers[result] = Some(narrow(given(Given::Value, result.index()), dfg.value_type(result)));
            }
        }
    }

    /// What arithmetic makes of numbers.
    fn compute(&self, dfg: &DataFlowGraph, inst: Inst, ty: Type) -> Option<u64> {
        size_of(ty)?;
        let number = |value: Value| self.of(dfg, value);
        Some(match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => imm.bits() as u64,
            InstructionData::StackAddr { stack_slot, offset, .. } => {
                given(Given::Slot, stack_slot.index()).wrapping_add_signed(i64::from(i32::from(offset)))
            }
            InstructionData::UnaryGlobalValue { global_value, .. } => given(Given::Symbol, global_value.index()),
            InstructionData::Unary { opcode, arg } => {
                let value = number(arg)?;
                match opcode {
                    Opcode::Uextend | Opcode::Ireduce => value,
                    Opcode::Sextend => signed(value, dfg.value_type(arg)) as u64,
                    Opcode::Bnot => !value,
                    Opcode::Ineg => value.wrapping_neg(),
                    Opcode::Bswap => value.swap_bytes() >> (64 - ty.bits()),
                    _ => return None,
                }
            }
            InstructionData::Binary { opcode, args } => {
                let [left, right] = [number(args[0])?, number(args[1])?];
                let by = (right % u64::from(ty.bits())) as u32;
                match opcode {
                    Opcode::Iadd => left.wrapping_add(right),
                    Opcode::Isub => left.wrapping_sub(right),
                    Opcode::Imul => left.wrapping_mul(right),
                    Opcode::Band => left & right,
                    Opcode::Bor => left | right,
                    Opcode::Bxor => left ^ right,
                    Opcode::Ishl => left << by,
                    Opcode::Ushr => left >> by,
                    Opcode::Sshr => (signed(left, ty) >> by) as u64,
                    Opcode::Rotl => left << by | left.checked_shr(ty.bits() - by).unwrap_or(0),
                    Opcode::Rotr => left >> by | left.checked_shl(ty.bits() - by).unwrap_or(0),
                    Opcode::Udiv => left.checked_div(right)?,
                    Opcode::Urem => left.checked_rem(right)?,
                    _ => return None,
                }
            }
            InstructionData::IntCompare { cond, args, .. } => {
                let [left, right] = [number(args[0])?, number(args[1])?];
                let of = dfg.value_type(args[0]);
                u64::from(holds(cond, [left, right], [left, right].map(|number| signed(number, of))))
            }
            InstructionData::Ternary { opcode: Opcode::Select, args: [condition, one, other] } => {
                if number(condition)? != 0 { number(one)? } else { number(other)? }
            }
            _ => return None,
        })
    }
}

/// Whether a comparison of two numbers holds.
fn holds(cond: IntCC, [a, b]: [u64; 2], [c, d]: [i64; 2]) -> bool {
    match cond {
        IntCC::Equal => a == b,
        IntCC::NotEqual => a != b,
        IntCC::UnsignedLessThan => a < b,
        IntCC::UnsignedLessThanOrEqual => a <= b,
        IntCC::UnsignedGreaterThan => a > b,
        IntCC::UnsignedGreaterThanOrEqual => a >= b,
        IntCC::SignedLessThan => c < d,
        IntCC::SignedLessThanOrEqual => c <= d,
        IntCC::SignedGreaterThan => c > d,
        IntCC::SignedGreaterThanOrEqual => c >= d,
    }
}

/// A number for what may be any.
fn given(what: Given, index: usize) -> u64 {
    mixed((index as u64) << 2 | what as u64)
}

/// SplitMix64.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The number in the bits of a type.
fn narrow(number: u64, ty: Type) -> u64 {
    match size_of(ty) {
        Some(size @ 1..8) => number & ((1 << (8 * size)) - 1),
        _ => number,
    }
}

fn signed(number: u64, ty: Type) -> i64 {
    let unused = 64_u32.saturating_sub(ty.bits());
    ((number << unused) as i64) >> unused
}
