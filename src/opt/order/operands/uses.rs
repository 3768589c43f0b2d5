//! Who needs a value.
//!
//! In: a function; then its blocks one by one, each from its end up. Out: of each register's value, in how many blocks it is used, and
//! how behind where the walk is. The rule: instructions that become none use nothing, but for what they are in the way of.

use std::cmp::Ordering;

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::entity::packed_option::PackedOption;
use cranelift_codegen::ir::{Block, DataFlowGraph, Function, Inst, Value};

use super::in_place::{register, same_register};
use crate::opt::ir::operands::{each_operand, value_map};

/// The uses of all values.
pub(super) struct Uses(SecondaryMap<Value, Of>);

/// The uses of a value; but for `register` and `first_reader`, of the register that it is in.
#[derive(Clone, Copy, Default)]
struct Of {
    /// The value whose register it is in.
    register: PackedOption<Value>,
    /// The first instruction that reads it of those that were seen.
    first_reader: PackedOption<Inst>,
    /// A block that uses it.
    used_in: PackedOption<Block>,
    /// Whether another one does too.
    is_used_in_others: bool,
    /// The block in which `last` is the last use.
    behind_in: PackedOption<Block>,
    last: PackedOption<Inst>,
    /// How many uses of that block were seen: one, or more.
    is_used_twice: bool,
    /// Whether the last use writes over it.
    is_written_over: bool,
    /// How many instructions that keep their order were seen at the last use, itself among them.
    ordered: u32,
}

impl Uses {
    /// Those of a function, of which nothing was seen.
    pub(super) fn new(function: &Function) -> Uses {
        let dfg = &function.dfg;
        let mut values: SecondaryMap<Value, Of> = value_map(dfg);
        for block in function.layout.blocks() {
            for inst in function.layout.block_insts(block) {
                each_operand(dfg, inst, |value| {
                    let of = &mut values[value];
                    let register = of.register.expand().unwrap_or_else(|| {
                        let register = register(dfg, value);
                        of.register = register.into();
                        register
                    });
                    let of = &mut values[register];
                    match of.used_in.expand() {
                        None => of.used_in = block.into(),
                        Some(used_in) => of.is_used_in_others |= used_in != block,
                    }
                });
            }
        }
        Uses(values)
    }

    /// The value whose register an operand is in.
    pub(super) fn register(&self, operand: Value) -> Value {
        self.0[operand].register.expand().unwrap_or(operand)
    }

    pub(super) fn is_used_in_one_block(&self, register: Value) -> bool {
        !self.0[register].is_used_in_others
    }

    /// Whether a register is used in this block, behind where the walk is.
    pub(super) fn is_used_behind(&self, register: Value, block: Block) -> bool {
        self.0[register].behind_in == block.into()
    }

    /// The last use of a register that is used behind, if that does not write over it.
    pub(super) fn last_that_keeps(&self, register: Value) -> Option<Inst> {
        let of = &self.0[register];
        of.last.expand().filter(|_| !of.is_written_over)
    }

    /// The last use of a register in this block, behind where the walk is, if that writes over it.
    pub(super) fn last_in_place(&self, register: Value, block: Block) -> Option<Inst> {
        let of = &self.0[register];
        of.last.expand().filter(|_| of.behind_in == block.into() && of.is_written_over)
    }

    /// Whether a register is used once only behind where the walk is.
    pub(super) fn is_used_once(&self, register: Value) -> bool {
        !self.0[register].is_used_twice
    }

    /// Whether no instruction that keeps its order lies between the last use of a register and here, where so many were seen.
    pub(super) fn is_next_in_order(&self, register: Value, ordered: u32) -> bool {
        self.0[register].ordered == ordered
    }

    /// The first instruction that reads a value, of those that were seen.
    pub(super) fn first_reader(&self, value: Value) -> Option<Inst> {
        self.0[value].first_reader.expand()
    }

    /// Sees an instruction, which writes over a register or none; so many that keep their order were seen with it.
    pub(super) fn add(
        &mut self,
        dfg: &DataFlowGraph,
        block: Block,
        inst: Inst,
        written_over: Option<Value>,
        ordered: u32,
    ) {
        let is_none = same_register(dfg, inst, 0).is_some();
        each_operand(dfg, inst, |value| {
            self.0[value].first_reader = inst.into();
            if is_none {
                return;
            }
            let register = self.register(value);
            let of = &mut self.0[register];
            if of.behind_in != block.into() {
                of.behind_in = block.into();
                of.last = inst.into();
                of.is_used_twice = false;
                of.is_written_over = written_over == Some(register);
                of.ordered = ordered;
            } else if of.last != inst.into() {
                of.is_used_twice = true;
            }
        });
    }

    /// Sees an instruction that went down right behind others that were seen, and writes over a register.
    pub(super) fn add_below(&mut self, function: &Function, block: Block, inst: Inst, written_over: Value) {
        let layout = &function.layout;
        let compare = |other: PackedOption<Inst>| {
            let other = other.expand().filter(|&other| layout.inst_block(other) == Some(block))?;
            Some(layout.pp_cmp(other, inst))
        };
        each_operand(&function.dfg, inst, |value| {
            if compare(self.0[value].first_reader) != Some(Ordering::Less) {
                self.0[value].first_reader = inst.into();
            }
            let register = self.register(value);
            let of = &mut self.0[register];
            of.is_used_twice = of.behind_in == block.into();
            if !of.is_used_twice || compare(of.last) == Some(Ordering::Less) {
                of.behind_in = block.into();
                of.last = inst.into();
                of.is_written_over = written_over == register;
            }
        });
    }
}
