//! The transfer functions of the escape analysis: what each instruction does to the registers' ranges, and to memory.
//!
//! In: the state before an instruction. Out: the state after it, and its [`Effects`]. The rules are the table in `escape.rs`.

use super::escape::{Effects, EscapeAnalysis, ExactAccess, ParameterEffects, State};
use super::intervals::Range;
use crate::btf::CType;
use crate::decode::insn::{AluOp, Callee, Insn, Operand, Reg, Size, WideImm, Width};
use crate::graph::{Instruction, registers_read};
use crate::program::Target;

/// The address of an access.
#[derive(Clone, Copy)]
struct Address {
    base: Reg,
    offset: i32,
}

impl EscapeAnalysis<'_> {
    /// Follows one instruction.
    pub(super) fn step(&mut self, index: usize, state: &mut State, effects: &mut Effects) {
        let graph = self.graph;
        let instruction = &graph.instructions[index];
        match instruction.insn {
            Insn::Alu { op, width, dst, src } => {
                let (left, right) = (state[dst.index()], operand(src, width, state));
                state[dst.index()] = alu(op, width, left, right, effects);
            }
            Insn::Neg { dst, .. } => {
                effects.escape(state[dst.index()]);
                state[dst.index()] = Range::ANY;
            }
            Insn::Endian { dst, size, .. } => {
                effects.escape(state[dst.index()]);
                state[dst.index()] = Range::bits(size.bits());
            }
            Insn::MovSx { width, from, dst, src } => {
                effects.escape(state[src.index()]);
                state[dst.index()] = sign_extended(width, from, state[src.index()]);
            }
            Insn::AddrSpaceCast { dst, src, .. } => state[dst.index()] = state[src.index()],
            Insn::LoadImm { dst, value } => {
                state[dst.index()] = match (instruction.target, value) {
                    (None, WideImm::Const(value)) => Range::number(value as i64, value as i64),
                    _ => Range::ANY,
                };
            }
            Insn::Load { size, signed, dst, base, offset } => {
                let at = access(index, Address { base, offset }, size, false, state, effects);
                state[dst.index()] = match self.known.accessed(index, at, size) {
                    Some(at) => self.slot(at),
                    None => Range::part(size, signed),
                };
            }
            Insn::Store { size, base, offset, src } => {
                let at = access(index, Address { base, offset }, size, false, state, effects);
                let value = operand(src, Width::W64, state);
                match self.known.accessed(index, at, size) {
                    Some(at) => self.store_slot(at, value),
                    None => effects.escape(value),
                }
            }
            Insn::LoadAcquire { .. }
            | Insn::StoreRelease { .. }
            | Insn::Atomic { .. }
            | Insn::Xchg { .. }
            | Insn::Cmpxchg { .. } => atomic(index, instruction.insn, state, effects),
            Insn::LoadStackArgument { dst, .. } => state[dst.index()] = Range::ANY,
            Insn::StoreStackArgument { src, .. } => effects.escape(operand(src, Width::W64, state)),
            Insn::LoadPacket { index, .. } => {
                effects.escape(state[Reg::R6.index()]);
                effects.escape(index.map_or(Range::ANY, |index| state[index.index()]));
                clobber(state, Range::ANY, Range::ANY);
            }
            Insn::Call(callee) => self.call(instruction, callee, state, effects),
            Insn::Branch { dst, src, .. } => {
                let operands = [state[dst.index()], operand(src, Width::W64, state)];
                effects.is_compared |= operands.iter().any(|operand| operand.may_be_address());
            }
            Insn::JumpRegister { reg } => effects.escape(state[reg.index()]),
            Insn::Exit => {
                let second = state[Reg::R2.index()].may_be_address() && graph.has_second();
                let is_returned = state[Reg::R0.index()].may_be_address() || second;
                effects.is_returned |= is_returned;
                effects.is_compared |= is_returned;
            }
            Insn::Jump { .. } | Insn::MayGoto { .. } => {}
        }
    }

    /// A call: what the callee does with its arguments, and what may be in r0 and r2 after it.
    fn call(&self, instruction: &Instruction, callee: Callee, state: &mut State, effects: &mut Effects) {
        let program = self.pointer_effects.program;
        let mut read = registers_read(program, instruction);
        // The arguments of an array call are in memory, and the callee reads other registers than these.
        let target = instruction.target.filter(|_| !matches!(callee, Callee::Array(_)));
        let own = match target {
            Some(Target::Function(function)) => Some(function),
            _ => None,
        };
        if let Some(graph) = own.and_then(|function| self.pointer_effects.graphs[function]) {
            read = read.intersection(graph.live_in);
        }
        let passed: Vec<(Reg, Range)> = Reg::arguments()
            .filter(|&reg| read.contains(reg))
            .map(|reg| (reg, state[reg.index()]))
            .filter(|(_, value)| value.may_be_address())
            .collect();
        if let Callee::Register(reg) = callee {
            effects.escape(state[reg.index()]);
        }
        let upwards = self.upwards(target);
        let mut unknown = Range::ANY;
        for &(reg, value) in &passed {
            let done = match (own, upwards) {
                (_, Some(_)) => ParameterEffects { below: 0, is_returned: true },
                (Some(function), _) => self.pointer_effects.of_parameter(function, reg, self.depth),
                _ => ParameterEffects::UNKNOWN,
            };
            effects.reach(value, done.below);
            if done.is_returned {
                unknown = Range::UNKNOWN;
            }
        }
        let result = match upwards {
            Some(true) => passed.iter().fold(Range::ANY, |result, (_, value)| result.union(value.and_above())),
            Some(false) => Range::ANY,
            None => unknown,
        };
        clobber(state, result, if upwards.is_some() { Range::ANY } else { unknown });
    }

    /// Whether a callee only goes upwards from its arguments, and then whether it may return a pointer.
    fn upwards(&self, target: Option<Target>) -> Option<bool> {
        let Some(Target::Import { import: id, addend: 0 }) = target else { return None };
        let import = &self.pointer_effects.program.imports[id];
        let result = import.prototype.as_ref().map(|prototype| &prototype.result);
        let is_pointer =
            !matches!(result, Some(CType::Int { .. } | CType::Void | CType::Float { .. } | CType::LongDouble));
        self.pointer_effects.resolution.facts(id).upwards.then_some(is_pointer)
    }
}

/// The value of an operand.
fn operand(operand: Operand, width: Width, state: &State) -> Range {
    match (operand, width) {
        (Operand::Reg(reg), _) => state[reg.index()],
        (Operand::Imm(imm), Width::W64) => Range::number(imm.into(), imm.into()),
        (Operand::Imm(imm), Width::W32) => Range::number((imm as u32).into(), (imm as u32).into()),
    }
}

/// The result of arithmetic. Addresses escape where it is not known as an address any more.
fn alu(op: AluOp, width: Width, left: Range, right: Range, effects: &mut Effects) -> Range {
    Range::alu(op, width, left, right).unwrap_or_else(|| {
        if op != AluOp::Mov {
            effects.escape(left);
        }
        effects.escape(right);
        Range::ANY
    })
}

/// The sign extension of the low part of a value.
fn sign_extended(width: Width, from: Size, value: Range) -> Range {
    let part = Range::part(from, true);
    if value.is_number_up_to(part.greatest_number()) {
        value
    } else if width == Width::W32 {
        Range::bits(32)
    } else {
        part
    }
}

/// Adds an access; its distance from the address at entry, if that is known.
fn access(
    instruction: usize,
    Address { base, offset }: Address,
    size: Size,
    is_atomic: bool,
    state: &State,
    effects: &mut Effects,
) -> Option<i64> {
    let base = state[base.index()];
    let at = base.exact_address().map(|at| at.saturating_add(i64::from(offset)));
    match at {
        Some(at) => effects.accesses.push(ExactAccess { instruction, at, size, is_atomic }),
        None => effects.reach(base, i64::from(offset)),
    }
    at
}

/// An atomic access. What it stores escapes: slots with atomic accesses stay in memory.
fn atomic(index: usize, insn: Insn, state: &mut State, effects: &mut Effects) {
    let width_size = |width| if width == Width::W32 { Size::W } else { Size::D };
    match insn {
        Insn::LoadAcquire { size, dst, base, offset } => {
            access(index, Address { base, offset }, size, true, state, effects);
            state[dst.index()] = Range::part(size, false);
        }
        Insn::StoreRelease { size, base, offset, src } => {
            access(index, Address { base, offset }, size, true, state, effects);
            effects.escape(state[src.index()]);
        }
        Insn::Atomic { width, fetch, base, offset, src, .. } => {
            access(index, Address { base, offset }, width_size(width), true, state, effects);
            effects.escape(state[src.index()]);
            if fetch {
                state[src.index()] = Range::ANY;
            }
        }
        Insn::Xchg { width, base, offset, src } => {
            access(index, Address { base, offset }, width_size(width), true, state, effects);
            effects.escape(state[src.index()]);
            state[src.index()] = Range::ANY;
        }
        Insn::Cmpxchg { width, base, offset, src } => {
            access(index, Address { base, offset }, width_size(width), true, state, effects);
            effects.escape(state[src.index()]);
            effects.escape(state[Reg::R0.index()]);
            state[Reg::R0.index()] = Range::ANY;
        }
        _ => {}
    }
}

/// The registers after a call, with its result.
fn clobber(state: &mut State, result: Range, high: Range) {
    for reg in Reg::arguments() {
        state[reg.index()] = Range::number(0, 0);
    }
    state[Reg::R0.index()] = result;
    state[Reg::R2.index()] = high;
}
