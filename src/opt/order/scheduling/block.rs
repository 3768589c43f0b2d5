//! A block as nodes that read and write values.
//!
//! In: a block behind Cranelift's optimiser. Out: a [`ReadBlock`], whose last node is the terminator; and the block in another order
//! of nodes. The rule: an instruction that becomes none, since its result is in the register of its operand or is a constant, is no
//! node but part of those that use it, and goes right before the first of them.

use std::ops::Range;

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::entity::packed_option::PackedOption;
use cranelift_codegen::ir::{Block, DataFlowGraph, Function, Inst, Opcode, Value, ValueDef, types};
use cranelift_codegen::loop_analysis::LoopAnalysis;

use crate::opt::ir::effects::is_pure;
use crate::opt::ir::operands::{constant, defining_block, each_operand, value_map};

/// As many nodes as most large blocks have at most: room for so many is made at once.
const USUAL_SIZE: usize = 64;

/// An instruction that becomes one.
pub(super) struct Node {
    inst: Inst,
    /// Which of [`ReadBlock::reads`] are its, each value once.
    pub(super) reads: Range<usize>,
    /// The values that it writes.
    pub(super) writes: Range<usize>,
    /// The nodes next to it, of those whose order is to be kept, if it is one of them.
    pub(super) before: Option<usize>,
    pub(super) behind: Option<usize>,
    /// How many of the values that it reads are written in the block.
    pub(super) reads_written: usize,
    /// How many nodes read what it writes, each value for itself.
    pub(super) times_read: usize,
}

/// A value that the block reads or writes.
pub(super) struct BlockValue {
    /// Whether it is in a register of floats.
    pub(super) is_float: bool,
    /// The node that writes it; none where it comes from outside.
    pub(super) writer: Option<usize>,
    /// Whether it is used behind the block too.
    pub(super) is_live_out: bool,
    /// Which of [`ReadBlock::readers`] are its.
    pub(super) readers: Range<usize>,
}

/// A block.
pub(super) struct ReadBlock {
    pub(super) nodes: Vec<Node>,
    pub(super) values: Vec<BlockValue>,
    /// Values, node by node.
    pub(super) reads: Vec<usize>,
    /// Nodes, value by value.
    pub(super) readers: Vec<usize>,
    /// The instructions that are no nodes.
    others: Vec<Inst>,
}

impl ReadBlock {
    /// The values that a node reads.
    pub(super) fn reads(&self, node: usize) -> &[usize] {
        &self.reads[self.nodes[node].reads.clone()]
    }

    /// The nodes that read a value.
    pub(super) fn readers(&self, value: usize) -> &[usize] {
        &self.readers[self.values[value].readers.clone()]
    }
}

/// What is known of a function, and reused from one block to the next.
pub(super) struct Reading<'l> {
    loops: &'l LoopAnalysis,
    /// A block that uses each value, and whether another one does too.
    used_in: SecondaryMap<Value, (PackedOption<Block>, bool)>,
    /// The numbers of values in the block that is read.
    numbers: SecondaryMap<Value, Number>,
    /// Whether an instruction of the block that is written is no node, and has no place yet.
    is_waiting: SecondaryMap<Inst, bool>,
}

/// What a value is in a block.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Number {
    #[default]
    Unknown,
    Constant,
    Value(usize),
}

impl<'l> Reading<'l> {
    pub(super) fn new(function: &Function, loops: &'l LoopAnalysis) -> Reading<'l> {
        let dfg = &function.dfg;
        let mut used_in: SecondaryMap<Value, (PackedOption<Block>, bool)> = value_map(dfg);
        for block in function.layout.blocks() {
            for inst in function.layout.block_insts(block) {
                each_operand(dfg, inst, |value| {
                    let (first, in_others) = &mut used_in[dfg.resolve_aliases(value)];
                    match first.expand() {
                        None => *first = block.into(),
                        Some(first) => *in_others |= first != block,
                    }
                });
            }
        }
        Reading { loops, used_in, numbers: value_map(dfg), is_waiting: SecondaryMap::new() }
    }

    /// Reads a block.
    pub(super) fn read(&mut self, function: &Function, block: Block) -> ReadBlock {
        let dfg = &function.dfg;
        let mut read = ReadBlock {
            nodes: Vec::with_capacity(USUAL_SIZE),
            values: Vec::with_capacity(USUAL_SIZE),
            reads: Vec::with_capacity(2 * USUAL_SIZE),
            readers: Vec::new(),
            others: Vec::with_capacity(USUAL_SIZE),
        };
        let mut numbered: Vec<Value> = Vec::with_capacity(2 * USUAL_SIZE);
        // The last node that read each value.
        let mut last_reader: Vec<Option<usize>> = Vec::with_capacity(USUAL_SIZE);
        let mut last_ordered: Option<usize> = None;
        for inst in function.layout.block_insts(block) {
            if is_no_node(dfg, inst) {
                read.others.push(inst);
                let number = match dfg.inst_args(inst) {
                    [] => Number::Constant,
                    &[operand, ..] => {
                        self.number(function, block, dfg.resolve_aliases(operand), &mut read, &mut numbered)
                    }
                };
                for &result in dfg.inst_results(inst) {
                    self.numbers[result] = number;
                    numbered.push(result);
                    if let Number::Value(value) = number {
                        read.values[value].is_live_out |= self.is_used_elsewhere(result, block);
                    }
                }
                continue;
            }
            let (node, first_read) = (read.nodes.len(), read.reads.len());
            let mut reads_written = 0;
            each_operand(dfg, inst, |value| {
                let number = self.number(function, block, dfg.resolve_aliases(value), &mut read, &mut numbered);
                if let Number::Value(value) = number {
                    last_reader.resize(read.values.len(), None);
                    if last_reader[value].replace(node) != Some(node) {
                        read.reads.push(value);
                        if let Some(writer) = read.values[value].writer {
                            read.nodes[writer].times_read += 1;
                            reads_written += 1;
                        }
                    }
                }
            });
            let first_write = read.values.len();
            for &result in dfg.inst_results(inst) {
                self.numbers[result] = Number::Value(read.values.len());
                numbered.push(result);
                read.values.push(BlockValue {
                    is_float: is_float(dfg, result),
                    writer: Some(node),
                    is_live_out: self.is_used_elsewhere(result, block),
                    readers: 0..0,
                });
            }
            let before = if is_pure(dfg, inst) { None } else { last_ordered.replace(node) };
            if let Some(before) = before {
                read.nodes[before].behind = Some(node);
            }
            read.nodes.push(Node {
                inst,
                reads: first_read..read.reads.len(),
                writes: first_write..read.values.len(),
                before,
                behind: None,
                reads_written,
                times_read: 0,
            });
        }
        for value in numbered {
            self.numbers[value] = Number::Unknown;
        }
        find_readers(&mut read);
        read
    }

    /// The number of an operand, which is a new one where the value comes from outside.
    fn number(
        &mut self,
        function: &Function,
        block: Block,
        value: Value,
        read: &mut ReadBlock,
        numbered: &mut Vec<Value>,
    ) -> Number {
        let dfg = &function.dfg;
        if self.numbers[value] == Number::Unknown {
            numbered.push(value);
            self.numbers[value] = if constant(dfg, value).is_some() {
                Number::Constant
            } else {
                let around = self.loops.innermost_loop(block);
                let is_invariant = around.is_some_and(|around| {
                    defining_block(function, value).is_none_or(|from| !self.loops.is_in_loop(from, around))
                });
                read.values.push(BlockValue {
                    is_float: is_float(dfg, value),
                    writer: None,
                    is_live_out: is_invariant || self.is_used_elsewhere(value, block),
                    readers: 0..0,
                });
                Number::Value(read.values.len() - 1)
            };
        }
        self.numbers[value]
    }

    fn is_used_elsewhere(&self, value: Value, block: Block) -> bool {
        let (first, in_others) = self.used_in[value];
        in_others || first.expand().is_some_and(|first| first != block)
    }

    /// Puts a block into an order of nodes, whose last one is the terminator.
    pub(super) fn write(&mut self, function: &mut Function, block: Block, read: &ReadBlock, order: &[usize]) {
        for &inst in &read.others {
            self.is_waiting[inst] = true;
            function.layout.remove_inst(inst);
        }
        read.nodes.iter().for_each(|node| function.layout.remove_inst(node.inst));
        let Some((&terminator, others)) = order.split_last() else { return };
        for &node in others {
            self.place(function, block, read.nodes[node].inst);
        }
        for &inst in
            read.others.iter().filter(|&&inst| function.layout.inst_block(inst).is_none()).collect::<Vec<_>>()
        {
            self.place(function, block, inst);
        }
        self.place(function, block, read.nodes[terminator].inst);
    }

    /// Puts an instruction at the end, behind those that its operands wait for.
    fn place(&mut self, function: &mut Function, block: Block, inst: Inst) {
        let mut before: Vec<Inst> = Vec::new();
        each_operand(&function.dfg, inst, |value| {
            // What is no node has one operand, or the same one twice.
            let start = before.len();
            let mut value = value;
            while let ValueDef::Result(from, _) = function.dfg.value_def(value)
                && std::mem::take(&mut self.is_waiting[from])
            {
                before.push(from);
                match function.dfg.inst_args(from) {
                    [] => break,
                    &[operand, ..] => value = operand,
                }
            }
            before[start..].reverse();
        });
        self.is_waiting[inst] = false;
        before.into_iter().chain([inst]).for_each(|inst| function.layout.append_inst(inst, block));
    }
}

/// Whether an instruction becomes none: its result is a constant, or in the register of its operand.
fn is_no_node(dfg: &DataFlowGraph, inst: Inst) -> bool {
    let comes_from = |value: Value| match dfg.value_def(value) {
        ValueDef::Result(from, _) => Some(dfg.insts[from].opcode()),
        _ => None,
    };
    match (dfg.insts[inst].opcode(), dfg.inst_args(inst)) {
        (Opcode::Iconst | Opcode::Ireduce, _) => true,
        // The pairs of opaque values.
        (Opcode::Iconcat, &[low, high]) => dfg.resolve_aliases(low) == dfg.resolve_aliases(high),
        (Opcode::Isplit, &[pair]) => match dfg.value_def(pair) {
            ValueDef::Result(from, _) => dfg.insts[from].opcode() == Opcode::Iconcat && is_no_node(dfg, from),
            _ => false,
        },
        // An instruction of 32 bits clears those above.
        (Opcode::Uextend, &[narrow]) => {
            dfg.value_type(narrow) == types::I32
                && comes_from(narrow).is_some_and(|opcode| opcode != Opcode::Ireduce)
        }
        _ => false,
    }
}

fn is_float(dfg: &DataFlowGraph, value: Value) -> bool {
    !dfg.value_type(value).is_int()
}

/// Finds the readers of all values.
fn find_readers(read: &mut ReadBlock) {
    let mut ends = vec![0; read.values.len()];
    read.reads.iter().for_each(|&value| ends[value] += 1);
    let mut end = 0;
    for (value, count) in read.values.iter_mut().zip(&mut ends) {
        value.readers = end..end + *count;
        end = value.readers.end;
        *count = value.readers.start;
    }
    read.readers = vec![0; read.reads.len()];
    for (index, node) in read.nodes.iter().enumerate() {
        for &value in &read.reads[node.reads.clone()] {
            read.readers[ends[value]] = index;
            ends[value] += 1;
        }
    }
}
