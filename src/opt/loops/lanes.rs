//! What a loop computes of each element, as it is done to all elements of a vector.
//!
//! In: the value that a loop stores in each round. Out: [`Lanes`]: the loads that it is computed from, and what stays the
//! same in all rounds; then the same computation, in vectors.
//!
//! | the value, in as many low bits as are stored | the vector |
//! |---|---|
//! | is loaded, of that size | is loaded |
//! | is the low bits of a wider one, or the wider one of such | is its vector |
//! | `+`, `-`, `&`, `\|`, `^`, `~` of such | the same, lane by lane |
//! | stays the same in all rounds | that in each lane |
//! | anything else | none |
//!
//! Sound: the low bits of these depend on no others. At most [`LARGEST`] values are looked at.

use std::collections::HashMap;

use cranelift_codegen::cursor::FuncCursor;
use cranelift_codegen::ir::{
    DataFlowGraph, Function, Inst, InstBuilder, InstructionData, MemFlagsData, Opcode, Type, Value, ValueDef,
};

use super::discovery::Loop;
use super::idioms::WIDE;
use super::induction::Steps;
use crate::opt::ir::memory_accesses::{self, Access};
use crate::opt::memory::byte_provenance::type_of;

/// How many values are looked at.
const LARGEST: usize = 24;

/// What is computed of each element.
#[derive(Default)]
pub(crate) struct Lanes {
    /// The loads.
    pub(crate) loads: Vec<Access>,
    /// What stays the same.
    pub(crate) same: Vec<Value>,
    /// What is computed: operands come first.
    steps: Vec<(Value, Step)>,
}

/// How one value is made.
#[derive(Clone, Copy)]
enum Step {
    Load(usize),
    Same,
    Copy(Value),
    Not(Value),
    Two(Opcode, [Value; 2]),
}

impl Lanes {
    /// Of a value whose `size` low bytes are stored.
    pub(crate) fn find(function: &Function, inner: &Loop, steps: &Steps, value: Value, size: u8) -> Option<Lanes> {
        let mut lanes = Lanes::default();
        lanes.add(function, inner, steps, value, size)?;
        (!lanes.loads.is_empty()).then_some(lanes)
    }

    fn add(&mut self, function: &Function, inner: &Loop, steps: &Steps, value: Value, size: u8) -> Option<()> {
        if self.steps.iter().any(|&(known, _)| known == value) {
            return Some(());
        }
        let dfg = &function.dfg;
        if self.steps.len() >= LARGEST || dfg.value_type(value).bytes() < u32::from(size) {
            return None;
        }
        let step = if steps.of(function, inner, value) == Some(0) {
            self.same.push(value);
            Step::Same
        } else {
            let ValueDef::Result(inst, _) = dfg.value_def(value) else { return None };
            let step = step(dfg, inst)?;
            if let Step::Load(_) = step {
                let access = memory_accesses::load(dfg, inst).filter(|access| access.size == size)?;
                self.loads.push(access);
                Step::Load(self.loads.len() - 1)
            } else {
                for &operand in dfg.inst_args(inst) {
                    self.add(function, inner, steps, operand, size)?;
                }
                step
            }
        };
        // Operands may have taken the last places.
        self.steps.push((value, step));
        (self.steps.len() <= LARGEST).then_some(())
    }

    /// The instruction that a value is loaded by, if all that is done to it is to copy it.
    pub(crate) fn is_copy(&self) -> bool {
        self.loads.len() == 1 && self.steps.iter().all(|(_, step)| matches!(step, Step::Load(_) | Step::Copy(_)))
    }

    /// Fills vectors with what stays the same, which `at` says the value of.
    pub(crate) fn splat(
        &self,
        cursor: &mut FuncCursor<'_>,
        size: u8,
        at: impl Fn(Value) -> Value,
    ) -> Option<Vec<Value>> {
        let (lane, vector) = types(size)?;
        let mut filled = Vec::with_capacity(self.same.len());
        for &value in &self.same {
            let scalar = at(value);
            let scalar = match cursor.func.dfg.value_type(scalar) {
                ty if ty == lane => scalar,
                _ => cursor.ins().ireduce(lane, scalar),
            };
            filled.push(cursor.ins().splat(vector, scalar));
        }
        Some(filled)
    }

    /// Computes a vector: of the elements at `addresses`, one for each load, and of what stays the same.
    pub(crate) fn compute(
        &self,
        cursor: &mut FuncCursor<'_>,
        size: u8,
        addresses: &[Value],
        filled: &[Value],
    ) -> Option<Value> {
        let (_, vector) = types(size)?;
        let mut filled = filled.iter();
        let mut made: HashMap<Value, Value> = HashMap::new();
        let mut last = None;
        for &(value, step) in &self.steps {
            let new = match step {
                Step::Load(load) => cursor.ins().load(vector, MemFlagsData::new(), *addresses.get(load)?, 0),
                Step::Same => *filled.next()?,
                Step::Copy(from) => *made.get(&from)?,
                Step::Not(from) => cursor.ins().bnot(*made.get(&from)?),
                Step::Two(opcode, [one, other]) => {
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

/// How the result of an instruction is made.
fn step(dfg: &DataFlowGraph, inst: Inst) -> Option<Step> {
    Some(match dfg.insts[inst] {
        InstructionData::Load { .. } => Step::Load(0),
        InstructionData::Unary { opcode: Opcode::Uextend | Opcode::Sextend | Opcode::Ireduce, arg } => {
            Step::Copy(arg)
        }
        InstructionData::Unary { opcode: Opcode::Bnot, arg } => Step::Not(arg),
        InstructionData::Binary {
            opcode: opcode @ (Opcode::Iadd | Opcode::Isub | Opcode::Band | Opcode::Bor | Opcode::Bxor),
            args,
        } => Step::Two(opcode, args),
        _ => return None,
    })
}

/// The types of an element, and of a vector of such.
fn types(size: u8) -> Option<(Type, Type)> {
    let lane = type_of(size)?;
    Some((lane, lane.by(WIDE as u32 / u32::from(size))?))
}
