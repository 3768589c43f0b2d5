//! What a loop computes in each iteration, as nodes for lanes of vectors.
//!
//! In: a loop, its induction variables, a value that it computes. Out: [`Nodes`]: loads, what is uniform (the same in all
//! iterations), and operations on these, operands first.
//!
//! | the value | its node |
//! |---|---|
//! | does not change in the loop | [`Kind::Uniform`] |
//! | is loaded at an address that moves by its size | [`Kind::Load`] |
//! | an extension, or a mask of the low bits, that changes nothing (`range.rs`) | that of its operand |
//! | one that does | [`Kind::Low`] |
//! | the lesser or the greater of two, by comparison and select | [`Kind::Extreme`] |
//! | what both clamp to less than 16 signed bits hold | [`Kind::Saturated`], before these |
//! | another select | [`Kind::Select`] (`selects.rs`) |
//! | arithmetic of integers and floats | [`Kind::Unary`], [`Kind::Binary`], [`Kind::Shift`], [`Kind::FloatUnary`], [`Kind::FloatBinary`] |
//! | anything else | none: the loop stays |
//!
//! At most [`MAX_NODES`] are made, and no value is looked at through more.

use std::collections::HashMap;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Function, Inst, InstructionData, Opcode, Value, ValueDef};

use super::joins::Joins;
use super::range::{self, Range};
use super::streams::Streams;
use crate::opt::ir::effects::is_pure;
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::ir::operands::{binary_operands, constant, unary};
use crate::opt::loops::induction::InductionVariables;

/// How many nodes a loop may have.
const MAX_NODES: usize = 64;

/// How many instructions on a path an unchanged value is looked for in.
const MAX_UNIFORM_DEPTH: usize = 3;

/// The index of a node.
pub(super) type NodeId = usize;

/// How a node's lanes are computed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// The same in all lanes.
    Uniform(Value),
    /// Loaded: the index of the stream.
    Load(usize),
    /// The low bits of a node, which are as many as the range has; above them, what the range says.
    Low(NodeId),
    /// The nearest number of 16 signed bits.
    Saturated(NodeId),
    /// All bits inverted, or the negative.
    Unary(Opcode, NodeId),
    /// Low bits that depend on the operands' low bits only.
    Binary(Opcode, [NodeId; 2]),
    /// A shift by a constant.
    Shift(Opcode, NodeId, u32),
    /// The lesser or the greater of two.
    Extreme { is_max: bool, compare: Compare },
    /// `values[0]` where the comparison holds, else `values[1]`.
    Select { code: IntCC, compare: Compare, values: [NodeId; 2] },
    /// A float computed from one.
    FloatUnary(Opcode, NodeId),
    /// A float computed from two.
    FloatBinary(Opcode, [NodeId; 2]),
}

/// A comparison of two nodes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compare {
    pub(super) operands: [NodeId; 2],
    /// Bits of the compared type.
    pub(super) bits: u32,
    /// Whether it is one of signed numbers.
    pub(super) is_signed: bool,
    /// Whether it compares the integers of the ranges.
    pub(super) is_exact: bool,
}

/// A value of each iteration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Bits of the scalar.
    pub(super) bits: u32,
    /// What it may be, if it is an integer.
    pub(super) range: Range,
}

/// The nodes of a loop.
pub(super) struct Nodes<'a> {
    pub(super) function: &'a Function,
    inner: &'a Loop,
    variables: &'a InductionVariables,
    joins: &'a Joins,
    pub(super) all: Vec<Node>,
    pub(super) streams: Streams,
    known: HashMap<Value, NodeId>,
    /// Values whose nodes are being made, each an operand of the one before.
    depth: usize,
}

impl<'a> Nodes<'a> {
    /// None yet.
    pub(super) fn new(
        function: &'a Function,
        inner: &'a Loop,
        variables: &'a InductionVariables,
        joins: &'a Joins,
    ) -> Nodes<'a> {
        let (all, streams, known) = (Vec::new(), Streams::default(), HashMap::new());
        Nodes { function, inner, variables, joins, all, streams, known, depth: 0 }
    }

    /// The node of a value.
    pub(super) fn of(&mut self, value: Value) -> Option<NodeId> {
        if let Some(&known) = self.known.get(&value) {
            return Some(known);
        }
        if self.depth == MAX_NODES {
            return None;
        }
        self.depth += 1;
        let node = self.make(value);
        self.depth -= 1;
        self.known.insert(value, node?);
        node
    }

    /// Makes the node of a value that has none yet.
    fn make(&mut self, value: Value) -> Option<NodeId> {
        let dfg = &self.function.dfg;
        let ty = dfg.value_type(value);
        if ty.is_vector() || ty.bits() > 64 || self.all.len() >= MAX_NODES || self.known.len() >= 4 * MAX_NODES {
            return None;
        }
        if self.is_uniform(value, MAX_UNIFORM_DEPTH) {
            return self.uniform(value);
        }
        match dfg.value_def(value) {
            ValueDef::Result(inst, 0) => self.result(inst, ty.bits()),
            ValueDef::Param(block, index) => {
                let join = self.joins.get(&block)?;
                let values = [*join.passed[0].get(index)?, *join.passed[1].get(index)?];
                self.select(join.condition, values, ty.bits())
            }
            _ => None,
        }
    }

    /// Whether the loop does not change a value. Floats, and what is on a path that not all iterations take, are no induction
    /// variables: those that are computed of such values are.
    fn is_uniform(&self, value: Value, depth: usize) -> bool {
        if let Some(step) = self.variables.step(self.function, self.inner, value) {
            return step == 0;
        }
        let dfg = &self.function.dfg;
        let ValueDef::Result(inst, _) = dfg.value_def(value) else { return false };
        let is_always = self.function.layout.inst_block(inst).is_some_and(|block| self.inner.is_always(block));
        depth > 0
            && (!is_always || dfg.value_type(value).is_float())
            && is_pure(dfg, inst)
            && dfg.inst_args(inst).iter().all(|&operand| self.is_uniform(operand, depth - 1))
    }

    /// The node of a value that the loop does not change: one for all that extend the same number.
    fn uniform(&mut self, value: Value) -> Option<NodeId> {
        let dfg = &self.function.dfg;
        let ty = dfg.value_type(value);
        if !ty.is_int() {
            return self.add(Kind::Uniform(value), ty.bits(), Range::unsigned(ty.bits()));
        }
        let range = range::of_uniform(dfg, value);
        if range.min == range.max {
            let is_same = |node: &Node| matches!(node.kind, Kind::Uniform(_)) && node.range == range;
            if let Some(same) = self.all.iter().position(is_same) {
                return Some(same);
            }
        }
        match unary(dfg, value) {
            Some((Opcode::Uextend | Opcode::Sextend | Opcode::Ireduce, from))
                if range::of_uniform(dfg, from) == range =>
            {
                self.of(from)
            }
            _ => self.add(Kind::Uniform(value), ty.bits(), range),
        }
    }

    /// Adds a node; none if there are too many.
    pub(super) fn add(&mut self, kind: Kind, bits: u32, range: Range) -> Option<NodeId> {
        self.all.push(Node { kind, bits, range });
        (self.all.len() <= MAX_NODES).then_some(self.all.len() - 1)
    }

    /// The node of an instruction's result of so many bits.
    fn result(&mut self, inst: Inst, bits: u32) -> Option<NodeId> {
        let dfg = &self.function.dfg;
        match dfg.insts[inst] {
            InstructionData::Load { opcode, .. } => {
                let stream = self.streams.load(self.function, self.variables, inst)?;
                self.add(Kind::Load(stream), bits, range::loaded(opcode).unwrap_or(Range::unsigned(bits)))
            }
            InstructionData::Unary { opcode, arg } => {
                let from = dfg.value_type(arg).bits();
                let operand = self.of(arg)?;
                let old = self.all[operand].range;
                match opcode {
                    Opcode::Uextend => self.low(operand, range::extended(old, from, false), bits),
                    Opcode::Sextend => self.low(operand, range::extended(old, from, true), bits),
                    Opcode::Ireduce => {
                        // Of what was extended from so many bits, these are what there was.
                        if let Kind::Low(inner) = self.all[operand].kind
                            && self.all[inner].bits == bits
                            && [Range::unsigned(bits), Range::signed(bits)].iter().any(|all| all.is_within(old))
                        {
                            return Some(inner);
                        }
                        self.low(operand, old.wrapped(bits), bits)
                    }
                    Opcode::Bnot => self.add(Kind::Unary(opcode, operand), bits, Range::unsigned(bits)),
                    Opcode::Ineg => {
                        let range = Range::of(0).minus(old).wrapped(bits);
                        self.add(Kind::Unary(opcode, operand), bits, range)
                    }
                    Opcode::Sqrt | Opcode::Fneg | Opcode::Fabs => {
                        self.add(Kind::FloatUnary(opcode, operand), bits, Range::unsigned(bits))
                    }
                    _ => None,
                }
            }
            InstructionData::Binary { opcode, args } => self.binary(opcode, args, bits),
            InstructionData::Ternary { opcode: Opcode::Select, args: [condition, one, other] } => {
                self.select(condition, [one, other], bits)
            }
            _ => None,
        }
    }

    /// The low bits of a node, or the node itself if it has this range.
    pub(super) fn low(&mut self, operand: NodeId, range: Range, bits: u32) -> Option<NodeId> {
        match self.all[operand].range == range {
            true => Some(operand),
            false => self.add(Kind::Low(operand), bits, range),
        }
    }

    fn binary(&mut self, opcode: Opcode, args: [Value; 2], bits: u32) -> Option<NodeId> {
        let dfg = &self.function.dfg;
        if matches!(opcode, Opcode::Ishl | Opcode::Ushr | Opcode::Sshr) {
            let amount = (constant(dfg, args[1])? % u64::from(bits)) as u32;
            return self.shift(opcode, args[0], amount, bits);
        }
        let operands = [self.of(args[0])?, self.of(args[1])?];
        let [one, other] = operands.map(|operand| self.all[operand].range);
        let range = match opcode {
            Opcode::Iadd => one.plus(other).wrapped(bits),
            Opcode::Isub => one.minus(other).wrapped(bits),
            Opcode::Imul => one.times(other).wrapped(bits),
            Opcode::Band => {
                let mask = constant(dfg, args[1]).or_else(|| constant(dfg, args[0]));
                let is_second = constant(dfg, args[1]).is_some();
                if let Some(low) = mask.and_then(range::low_bits).filter(|&low| low < bits) {
                    let (operand, old) = if is_second { (operands[0], one) } else { (operands[1], other) };
                    return self.low(operand, range::extended(old, low, false), bits);
                }
                match [one, other].into_iter().filter(|range| range.min >= 0).map(|range| range.max).min() {
                    Some(max) => Range { min: 0, max },
                    None => Range::unsigned(bits),
                }
            }
            // Bits that are zero in both are zero.
            Opcode::Bor | Opcode::Bxor if one.min >= 0 && other.min >= 0 => {
                let used = 128 - (one.max | other.max).leading_zeros();
                Range::unsigned(used.clamp(1, bits))
            }
            Opcode::Bor | Opcode::Bxor => Range::unsigned(bits),
            Opcode::Fadd | Opcode::Fsub | Opcode::Fmul | Opcode::Fdiv => {
                return self.add(Kind::FloatBinary(opcode, operands), bits, Range::unsigned(bits));
            }
            _ => return None,
        };
        self.add(Kind::Binary(opcode, operands), bits, range)
    }

    fn shift(&mut self, opcode: Opcode, shifted: Value, amount: u32, bits: u32) -> Option<NodeId> {
        let dfg = &self.function.dfg;
        // A shift to the left and back extends the bits that stay.
        if opcode != Opcode::Ishl
            && let Some([inner, by]) = binary_operands(dfg, shifted, Opcode::Ishl)
            && constant(dfg, by).is_some_and(|by| by % u64::from(bits) == u64::from(amount))
            && matches!(bits - amount, 8 | 16 | 32)
        {
            let operand = self.of(inner)?;
            let range = range::extended(self.all[operand].range, bits - amount, opcode == Opcode::Sshr);
            return self.low(operand, range, bits);
        }
        let operand = self.of(shifted)?;
        let old = self.all[operand].range;
        let range = match opcode {
            Opcode::Ishl => old.times(Range::of(1 << amount)).wrapped(bits),
            Opcode::Ushr if old.min >= 0 => old.shifted_right(amount),
            Opcode::Ushr => Range::unsigned(bits).shifted_right(amount),
            _ if old.fits_signed(bits) => old.shifted_right(amount),
            _ => Range::signed(bits).shifted_right(amount),
        };
        self.add(Kind::Shift(opcode, operand, amount), bits, range)
    }
}
