//! The computation of a loop's stored value, lane by lane in vectors.
//!
//! In: the value that a loop stores in each iteration. Out: [`Lanes`]: the loads that it is computed from, and what is
//! invariant; then the same computation in vectors.
//!
//! | the value, in as many low bits as are stored | the vector |
//! |---|---|
//! | is loaded, of that size | is loaded |
//! | is the low bits of a wider one, or an extension of such | is that one's vector |
//! | `+`, `-`, `&`, `\|`, `^`, `~` of such | the same, lane by lane |
//! | is loop-invariant | a splat |
//! | anything else | none |
//!
//! Sound: the low bits of these depend only on the operands' low bits. At most [`MAX_OPERATIONS`] values are visited.

use std::collections::HashMap;

use cranelift_codegen::cursor::FuncCursor;
use cranelift_codegen::ir::{
    DataFlowGraph, Function, Inst, InstBuilder, InstructionData, MemFlagsData, Opcode, Type, Value, ValueDef,
};

use super::induction::InductionVariables;
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::ir::memory_accesses::{self, MemoryAccess};
use crate::opt::ir::operands::type_of;

/// Bytes of a vector.
pub(crate) const VECTOR_BYTES: i64 = 16;

/// How many values are visited.
const MAX_OPERATIONS: usize = 24;

/// What is computed for each element.
#[derive(Default)]
pub(crate) struct Lanes {
    /// The loads.
    pub(crate) loads: Vec<MemoryAccess>,
    /// Loop-invariant operands.
    pub(crate) invariants: Vec<Value>,
    /// What is computed, operands first.
    operations: Vec<(Value, LaneOp)>,
}

/// How one value is computed.
#[derive(Clone, Copy)]
enum LaneOp {
    Load(usize),
    Invariant,
    Copy(Value),
    Not(Value),
    Binary(Opcode, [Value; 2]),
}

impl Lanes {
    /// Finds the computation of a value whose `size` low bytes are stored.
    pub(crate) fn find(
        function: &Function,
        inner: &Loop,
        variables: &InductionVariables,
        value: Value,
        size: u8,
    ) -> Option<Lanes> {
        let mut lanes = Lanes::default();
        lanes.add(function, inner, variables, value, size)?;
        (!lanes.loads.is_empty()).then_some(lanes)
    }

    /// Adds a value and what it is computed from.
    fn add(
        &mut self,
        function: &Function,
        inner: &Loop,
        variables: &InductionVariables,
        value: Value,
        size: u8,
    ) -> Option<()> {
        if self.operations.iter().any(|&(known, _)| known == value) {
            return Some(());
        }
        let dfg = &function.dfg;
        if self.operations.len() >= MAX_OPERATIONS || dfg.value_type(value).bytes() < u32::from(size) {
            return None;
        }
        let operation = if variables.step(function, inner, value) == Some(0) {
            self.invariants.push(value);
            LaneOp::Invariant
        } else {
            let ValueDef::Result(inst, _) = dfg.value_def(value) else { return None };
            let operation = lane_op(dfg, inst)?;
            if let LaneOp::Load(_) = operation {
                let access = memory_accesses::load(dfg, inst).filter(|access| access.size == size)?;
                self.loads.push(access);
                LaneOp::Load(self.loads.len() - 1)
            } else {
                for &operand in dfg.inst_args(inst) {
                    self.add(function, inner, variables, operand, size)?;
                }
                operation
            }
        };
        // The operands may have used up the limit.
        self.operations.push((value, operation));
        (self.operations.len() <= MAX_OPERATIONS).then_some(())
    }

    /// Whether the loop only copies what it loads.
    pub(crate) fn is_copy(&self) -> bool {
        self.loads.len() == 1
            && self.operations.iter().all(|(_, operation)| matches!(operation, LaneOp::Load(_) | LaneOp::Copy(_)))
    }

    /// Splats the invariants; `at` maps them to their values before the loop.
    pub(crate) fn splat(
        &self,
        cursor: &mut FuncCursor<'_>,
        size: u8,
        at: impl Fn(Value) -> Value,
    ) -> Option<Vec<Value>> {
        let (lane, vector) = types(size)?;
        let mut splats = Vec::with_capacity(self.invariants.len());
        for &value in &self.invariants {
            let scalar = at(value);
            let scalar = match cursor.func.dfg.value_type(scalar) {
                ty if ty == lane => scalar,
                _ => cursor.ins().ireduce(lane, scalar),
            };
            splats.push(cursor.ins().splat(vector, scalar));
        }
        Some(splats)
    }

    /// Computes a vector of the elements at `addresses`, one for each load, and of the splats.
    pub(crate) fn compute(
        &self,
        cursor: &mut FuncCursor<'_>,
        size: u8,
        addresses: &[Value],
        splats: &[Value],
    ) -> Option<Value> {
        let (_, vector) = types(size)?;
        let mut splats = splats.iter();
        let mut made: HashMap<Value, Value> = HashMap::new();
        let mut last = None;
        for &(value, operation) in &self.operations {
            let new = match operation {
                LaneOp::Load(load) => cursor.ins().load(vector, MemFlagsData::new(), *addresses.get(load)?, 0),
                LaneOp::Invariant => *splats.next()?,
                LaneOp::Copy(from) => *made.get(&from)?,
                LaneOp::Not(from) => cursor.ins().bnot(*made.get(&from)?),
                LaneOp::Binary(opcode, [one, other]) => {
                    let (one, other) = (*made.get(&one)?, *made.get(&other)?);
                    match opcode {
                        Opcode::Iadd => cursor.ins().iadd(one, other),
                        Opcode::Isub => cursor.ins().isub(one, other),
                        Opcode::Band => cursor.ins().band(one, other),
                        Opcode::Bor => cursor.ins().bor(one, other),
                        _ => cursor.ins().bxor(one, other),
                    }
                }
            };
            made.insert(value, new);
            last = Some(new);
        }
        last
    }
}

/// How the result of an instruction is computed; the index of a load is set by the caller.
fn lane_op(dfg: &DataFlowGraph, inst: Inst) -> Option<LaneOp> {
    Some(match dfg.insts[inst] {
        InstructionData::Load { .. } => LaneOp::Load(0),
        InstructionData::Unary { opcode: Opcode::Uextend | Opcode::Sextend | Opcode::Ireduce, arg } => {
            LaneOp::Copy(arg)
        }
        InstructionData::Unary { opcode: Opcode::Bnot, arg } => LaneOp::Not(arg),
        InstructionData::Binary {
            opcode: opcode @ (Opcode::Iadd | Opcode::Isub | Opcode::Band | Opcode::Bor | Opcode::Bxor),
            args,
        } => LaneOp::Binary(opcode, args),
        _ => return None,
    })
}

/// The types of an element and of a vector.
fn types(size: u8) -> Option<(Type, Type)> {
    let lane = type_of(size)?;
    Some((lane, lane.by(VECTOR_BYTES as u32 / u32::from(size))?))
}
