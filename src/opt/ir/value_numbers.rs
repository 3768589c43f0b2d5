//! Whether Cranelift's optimiser could make one value of two: their values for one random input.
//!
//! In: a function, block by block, dominators first. Out: a number for each value. The rule: the optimiser rewrites an
//! expression only to one that is equal for all inputs, so two values whose numbers differ stay two; those whose numbers are
//! equal may become one.
//!
//! | value | its number |
//! |---|---|
//! | a parameter of the function or of a block, a load, a call's result, half of a pair (`isplit`, which Cranelift never looks through) | random, of its type |
//! | a parameter that is always the same value (`parameter_values.rs`) | that value's: Cranelift replaces the parameter by it |
//! | the address of a stack slot or of a symbol | random, plus the offset |
//! | an address loaded from the translator's own table | random, the same for the same table entry |
//! | constants, arithmetic but signed division, comparisons, selects, conversions of integers | computed from the operands' numbers |
//! | anything else, and what is computed from it | not known: it may be equal to any value |
//!
//! Each instruction is visited once.

use cranelift_codegen::entity::{EntityRef, SecondaryMap};
use cranelift_codegen::ir::{Block, DataFlowGraph, Function, Inst, InstructionData, Opcode, Type, Value};

use super::evaluate::{evaluate, narrow};
use super::operands::{size_of, value_map};
use super::parameter_values::{ParameterValue, parameter_values};

/// What gets a random number.
#[derive(Clone, Copy)]
enum Input {
    Value,
    Slot,
    Symbol,
}

/// The numbers of a function's values.
pub(crate) struct ValueNumbers {
    numbers: SecondaryMap<Value, Option<u64>>,
    parameters: SecondaryMap<Value, ParameterValue>,
}

impl ValueNumbers {
    /// No block has been entered yet.
    pub(crate) fn new(function: &Function) -> ValueNumbers {
        ValueNumbers { numbers: value_map(&function.dfg), parameters: parameter_values(function) }
    }

    /// The number of a value; none if it is not known.
    pub(crate) fn of(&self, dfg: &DataFlowGraph, value: Value) -> Option<u64> {
        self.numbers[dfg.resolve_aliases(value)]
    }

    /// Numbers the parameters of a block.
    pub(crate) fn enter(&mut self, function: &Function, block: Block) {
        let dfg = &function.dfg;
        for &parameter in dfg.block_params(block) {
            self.numbers[parameter] = match self.parameters[parameter] {
                ParameterValue::Same(value) | ParameterValue::Constant(value)
                    if function.layout.entry_block() != Some(block) =>
                {
                    self.of(dfg, value)
                }
                _ => Some(narrow(random(Input::Value, parameter.index()), dfg.value_type(parameter))),
            };
        }
    }

    /// Numbers the results of an instruction.
    pub(crate) fn visit(&mut self, dfg: &DataFlowGraph, inst: Inst) {
        let results = dfg.inst_results(inst);
        let opcode = dfg.insts[inst].opcode();
        if let [result] = *results {
            let ty = dfg.value_type(result);
            let number = match opcode {
                Opcode::Uload8 => random(Input::Value, result.index()) & 0xff,
                Opcode::Uload16 => random(Input::Value, result.index()) & 0xffff,
                Opcode::Uload32 => random(Input::Value, result.index()) & 0xffff_ffff,
                Opcode::Sload8 => random(Input::Value, result.index()) as i8 as u64,
                Opcode::Sload16 => random(Input::Value, result.index()) as i16 as u64,
                Opcode::Sload32 => random(Input::Value, result.index()) as i32 as u64,
                // The translator's own table of addresses: equal loads may be merged.
                Opcode::Load if dfg.insts[inst].memflags_data(dfg).is_some_and(|flags| flags.notrap()) => {
                    let offset = dfg.insts[inst].load_store_offset().unwrap_or_default();
                    let from = dfg.inst_args(inst).first().and_then(|&address| self.of(dfg, address));
                    self.numbers[result] = from.map(|from| split_mix(from.wrapping_add_signed(i64::from(offset))));
                    return;
                }
                _ if opcode.can_load() || opcode.is_call() => random(Input::Value, result.index()),
                _ => {
                    self.numbers[result] = self.compute(dfg, inst, ty).map(|number| narrow(number, ty));
                    return;
                }
            };
            self.numbers[result] = Some(narrow(number, ty));
        } else if opcode.is_call() || opcode == Opcode::Isplit {
            for &result in results {
                self.numbers[result] = Some(narrow(random(Input::Value, result.index()), dfg.value_type(result)));
            }
        }
    }

    /// Evaluates arithmetic.
    fn compute(&self, dfg: &DataFlowGraph, inst: Inst, ty: Type) -> Option<u64> {
        size_of(ty)?;
        let number = |value: Value| self.of(dfg, value);
        Some(match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => imm.bits() as u64,
            InstructionData::StackAddr { stack_slot, offset, .. } => {
                random(Input::Slot, stack_slot.index()).wrapping_add_signed(i64::from(i32::from(offset)))
            }
            InstructionData::UnaryGlobalValue { global_value, .. } => random(Input::Symbol, global_value.index()),
            _ => return evaluate(dfg, inst, number),
        })
    }
}

/// The random number of an input, the same each time.
fn random(what: Input, index: usize) -> u64 {
    split_mix((index as u64) << 2 | what as u64)
}

/// A step of SplitMix64, a hash that is a bijection.
fn split_mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
