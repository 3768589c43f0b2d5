//! How far below r10 a function says that it goes, on any way, taken or not.
//!
//! In: ops. Out: whether one of them accesses memory at r10 and constants that lead further down than any frame reaches:
//! a translator may refuse such a program, since no stack has room for the frame, and must refuse no other one.
//!
//! For each register, the lowest sum of r10 and constants that it may hold, by any way to that place; nothing where a
//! variable is in it, which says nothing of the frame's size (`docs/frames.md`).

use super::{Op, Operand, Place};

/// Bytes of the largest frame.
const LARGEST: i64 = 64 << 20;

/// A register's distance from r10.
type Distances = [Option<i64>; 11];

/// Whether a function's code has an access further down than any frame reaches.
pub fn is_past_all_frames(body: &[Op]) -> bool {
    let mut walk = Walk { registers: [None; 11], is_past: false };
    walk.registers[10] = Some(0);
    walk.ops(body);
    walk.is_past
}

struct Walk {
    registers: Distances,
    is_past: bool,
}

/// Either of two states.
fn either(a: Distances, b: Distances) -> Distances {
    std::array::from_fn(|reg| match (a[reg], b[reg]) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    })
}

impl Walk {
    fn access(&mut self, place: &Place) {
        self.is_past |=
            self.registers[place.base].is_some_and(|at| at.saturating_add(place.offset.into()) < -LARGEST);
    }

    fn ops(&mut self, ops: &[Op]) {
        for op in ops {
            self.op(op);
        }
    }

    fn op(&mut self, op: &Op) {
        match op {
            Op::Alu { op, half, dst, src } => {
                let moved = |by: i64| self.registers[*dst].map(|at| at.saturating_add(by));
                self.registers[*dst] = match (*op, *half, *src) {
                    ("=", false, Operand::Reg(reg)) => self.registers[reg],
                    ("+=", false, Operand::Imm(imm)) => moved(imm.into()),
                    ("-=", false, Operand::Imm(imm)) => moved(-i64::from(imm)),
                    _ => None,
                };
            }
            Op::Constant { dst, .. } => self.registers[*dst] = None,
            // What is there afterwards was computed with variables.
            Op::Same { reg, scratch, .. } => {
                self.registers[*reg] = None;
                self.registers[*scratch] = None;
            }
            Op::Load { dst, place, .. } => {
                self.access(place);
                self.registers[*dst] = None;
            }
            Op::Store { place, .. } => self.access(place),
            Op::Exchange { src, place } => {
                self.access(place);
                self.registers[*src] = None;
            }
            Op::Add { src, place, fetch } => {
                self.access(place);
                if *fetch {
                    self.registers[*src] = None;
                }
            }
            Op::CompareExchange { place, .. } => {
                self.access(place);
                self.registers[0] = None;
            }
            Op::If { then, otherwise, .. } => {
                let before = self.registers;
                self.ops(then);
                let after = std::mem::replace(&mut self.registers, before);
                self.ops(otherwise);
                self.registers = either(self.registers, after);
            }
            // What comes round once more may be an address where there was none; what falls each time is moved by a variable.
            Op::Loop { body, .. } => {
                for _ in 0..self.registers.len() {
                    let before = self.registers;
                    self.ops(body);
                    self.registers = either(self.registers, before);
                }
                self.ops(body);
            }
            Op::Call { .. } => self.registers[..6].fill(None),
        }
    }
}
