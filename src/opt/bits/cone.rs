//! The cone of a value: the instructions of its block that it is computed by, up to those that passes here cannot look into.
//!
//! In: a function, a value. Out: a [`Cone`], nodes in an order in which operands come before their users, the value last. The
//! rule: at most [`MAX_NODES`] are looked into, the latest of the block first, so that all of an idiom is there before what
//! computed its operand is. What is left is a leaf, as are values of other blocks.

use cranelift_codegen::ir::{Block, DataFlowGraph, Function, Inst, InstructionData, Opcode, Value, ValueDef};

use crate::opt::ir::operands::{MAX_LOOK_THROUGH, constant, size_of, unary};

/// How many instructions are looked into. The longest idiom, the reversal of 32 bits with each result zero-extended, has 100.
const MAX_NODES: usize = 160;

/// What a node computes, from nodes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Not looked into.
    Leaf,
    /// `opcode a`
    Unary(Opcode, usize),
    /// `opcode a, constant`
    WithConstant(Opcode, usize, u64),
    /// `opcode constant, a`, of one that does not commute.
    OfConstant(Opcode, u64, usize),
    /// `opcode a, b`
    Binary(Opcode, usize, usize),
}

/// A value of the cone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// The value.
    pub(super) value: Value,
    /// How many bits it has.
    pub(super) width: u32,
    /// Which of them may be ones, as far as the instruction alone says.
    pub(super) bits: u64,
    /// How it is computed.
    pub(super) operation: Operation,
}

/// A value, and what it is computed by.
pub(super) struct Cone {
    /// Operands before their users; the value is the last one.
    pub(super) nodes: Vec<Node>,
}

/// All bits of a number of this many bits.
pub(super) fn ones(width: u32) -> u64 {
    if width < 64 { (1 << width) - 1 } else { u64::MAX }
}

/// The constant that a value is, through conversions.
pub(super) fn number(dfg: &DataFlowGraph, value: Value) -> Option<u64> {
    let mut value = dfg.resolve_aliases(value);
    let mut kept = ones(dfg.value_type(value).bits());
    for _ in 0..MAX_LOOK_THROUGH {
        let Some((Opcode::Uextend | Opcode::Ireduce, inner)) = unary(dfg, value) else { break };
        value = inner;
        kept &= ones(dfg.value_type(value).bits());
    }
    constant(dfg, value).map(|number| number & kept)
}

/// The bits of a value that may be ones, as far as its instruction alone says.
fn possible_bits(dfg: &DataFlowGraph, value: Value) -> u64 {
    let all = ones(dfg.value_type(value).bits());
    let ValueDef::Result(inst, _) = dfg.value_def(value) else { return all };
    match dfg.insts[inst] {
        InstructionData::Load { opcode: Opcode::Uload8, .. } => 0xff,
        InstructionData::Load { opcode: Opcode::Uload16, .. } => 0xffff,
        InstructionData::Load { opcode: Opcode::Uload32, .. } => ones(32),
        InstructionData::Unary { opcode: Opcode::Uextend, arg } => ones(dfg.value_type(arg).bits()),
        _ => all,
    }
}

/// How an instruction computes its result, if it is looked into; operands in place of indices.
#[derive(Clone, Copy)]
enum Source {
    Unary(Opcode, Value),
    WithConstant(Opcode, Value, u64),
    OfConstant(Opcode, u64, Value),
    Binary(Opcode, Value, Value),
}

impl Source {
    fn of(function: &Function, inst: Inst) -> Option<Source> {
        let dfg = &function.dfg;
        let is_integer = |value: Value| size_of(dfg.value_type(value)).is_some();
        match dfg.insts[inst] {
            InstructionData::Unary { opcode, arg } if is_integer(arg) => {
                let is_known = matches!(
                    opcode,
                    Opcode::Uextend | Opcode::Ireduce | Opcode::Bswap | Opcode::Bnot | Opcode::Ineg
                );
                is_known.then(|| Source::Unary(opcode, dfg.resolve_aliases(arg)))
            }
            InstructionData::Binary { opcode, args } if is_integer(args[0]) => {
                let [left, right] = args.map(|arg| dfg.resolve_aliases(arg));
                let commutes =
                    matches!(opcode, Opcode::Band | Opcode::Bor | Opcode::Bxor | Opcode::Iadd | Opcode::Imul);
                let shifts = matches!(opcode, Opcode::Ishl | Opcode::Ushr | Opcode::Rotl | Opcode::Rotr);
                let subtracts = opcode == Opcode::Isub;
                if !commutes && !shifts && !subtracts && !matches!(opcode, Opcode::Udiv | Opcode::Urem) {
                    return None;
                }
                let width = dfg.value_type(left).bits();
                match (number(dfg, left), number(dfg, right)) {
                    (_, Some(amount)) if shifts => {
                        Some(Source::WithConstant(opcode, left, amount % u64::from(width)))
                    }
                    (_, Some(number)) => Some(Source::WithConstant(opcode, left, number & ones(width))),
                    (Some(number), None) if commutes => {
                        Some(Source::WithConstant(opcode, right, number & ones(width)))
                    }
                    (Some(number), None) if subtracts || opcode == Opcode::Ushr => {
                        Some(Source::OfConstant(opcode, number & ones(width), right))
                    }
                    (None, None) if commutes || subtracts => Some(Source::Binary(opcode, left, right)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn operands(self) -> impl Iterator<Item = Value> {
        let operands = match self {
            Source::Unary(_, a) | Source::WithConstant(_, a, _) | Source::OfConstant(_, _, a) => [Some(a), None],
            Source::Binary(_, a, b) => [Some(a), Some(b)],
        };
        operands.into_iter().flatten()
    }

    fn operation(self, index: impl Fn(Value) -> usize) -> Operation {
        match self {
            Source::Unary(opcode, a) => Operation::Unary(opcode, index(a)),
            Source::WithConstant(opcode, a, number) => Operation::WithConstant(opcode, index(a), number),
            Source::OfConstant(opcode, number, a) => Operation::OfConstant(opcode, number, index(a)),
            Source::Binary(opcode, a, b) => Operation::Binary(opcode, index(a), index(b)),
        }
    }
}

impl Cone {
    /// The cone of `root`, which `block` computes; values of which `is_leaf` says so are not looked into.
    pub(super) fn new(function: &Function, block: Block, root: Value, is_leaf: impl Fn(Value) -> bool) -> Cone {
        let mut cone = Exploration { function, block, seen: Vec::new(), pending: Vec::new(), leaves: Vec::new() };
        cone.see(root, &is_leaf);
        let mut found: Vec<(Value, Source)> = Vec::new();
        while let Some((inst, value)) = cone.latest() {
            match Source::of(function, inst).filter(|_| found.len() < MAX_NODES) {
                None => cone.leaves.push(value),
                Some(source) => {
                    found.push((value, source));
                    source.operands().for_each(|operand| cone.see(operand, &is_leaf));
                }
            }
        }
        let mut indices: Vec<(Value, usize)> = Vec::with_capacity(cone.leaves.len() + found.len());
        let mut nodes = Vec::with_capacity(indices.capacity());
        let node = |value: Value, operation| {
            let (width, bits) = (function.dfg.value_type(value).bits(), possible_bits(&function.dfg, value));
            Node { value, width, bits, operation }
        };
        for &value in &cone.leaves {
            indices.push((value, nodes.len()));
            nodes.push(node(value, Operation::Leaf));
        }
        // An operand comes before its user in the block.
        for &(value, source) in found.iter().rev() {
            let index = |operand| {
                let place = indices.iter().rev().find(|&&(known, _)| known == operand);
                place.expect("an operand is a leaf or earlier in the block").1
            };
            let operation = source.operation(index);
            indices.push((value, nodes.len()));
            nodes.push(node(value, operation));
        }
        Cone { nodes }
    }
}

/// A cone in the making.
struct Exploration<'f> {
    function: &'f Function,
    block: Block,
    seen: Vec<Value>,
    /// Instructions of the block that are not looked into yet, and their results.
    pending: Vec<(Inst, Value)>,
    leaves: Vec<Value>,
}

impl Exploration<'_> {
    fn see(&mut self, value: Value, is_leaf: impl Fn(Value) -> bool) {
        let value = self.function.dfg.resolve_aliases(value);
        if self.seen.contains(&value) {
            return;
        }
        self.seen.push(value);
        match self.function.dfg.value_def(value) {
            ValueDef::Result(inst, 0)
                if self.function.layout.inst_block(inst) == Some(self.block) && !is_leaf(value) =>
            {
                self.pending.push((inst, value));
            }
            _ => self.leaves.push(value),
        }
    }

    /// Takes out the pending instruction that is the last in the block.
    fn latest(&mut self) -> Option<(Inst, Value)> {
        let layout = &self.function.layout;
        let latest =
            (0..self.pending.len()).max_by(|&a, &b| layout.pp_cmp(self.pending[a].0, self.pending[b].0))?;
        Some(self.pending.swap_remove(latest))
    }
}
