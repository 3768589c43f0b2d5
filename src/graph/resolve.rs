//! Instructions joined with what they refer to.
//!
//! In: the bytes and relocations of a function. Out: one [`Instruction`] for each instruction, with its target.
//!
//! | instruction | target |
//! |---|---|
//! | `call` with a relocation | the relocation's function or import |
//! | `call` of a local function | the function that starts there |
//! | 64-bit immediate load with a relocation | the relocation's |
//! | `code_addr` | the function that starts there, or the label |
//!
//! An access of the frame gets the offset that was meant ([`offsets`]).
//!
//! An instruction that only a verifier refuses ([`Unverified`]) becomes a jump out of the function: that traps.

use super::error::GraphError;
use super::model::{Instruction, Unverified};
use super::offsets::{self, Lost};
use crate::decode::insn::{Callee, Insn, WideImm};
use crate::decode::{DecodeError, SLOT, decode, opcode};
use crate::program::{FunctionId, Program, Target};

/// A jump that leads out of every function.
const OUTSIDE: Insn = Insn::Jump { offset: i32::MAX, long: true };

/// The instructions of `function`, in code order; `refused` gets the reasons of those that were replaced.
pub(super) fn instructions(
    program: &Program,
    function: FunctionId,
    unverified: Unverified,
    refused: &mut Vec<GraphError>,
) -> Result<Vec<Instruction>, GraphError> {
    let of = &program.functions[function];
    let code = &program.code[of.section];
    let place = |offset| program.place(of.section, Some(function), offset);
    let end = of.end.min(code.bytes.len() as u64);
    let mut relocations = {
        let first = code.relocations.partition_point(|relocation| relocation.offset < of.start);
        code.relocations[first..].iter().peekable()
    };
    let mut instructions = Vec::with_capacity((end.saturating_sub(of.start) / SLOT as u64) as usize);
    let mut offset = of.start;
    while offset < end {
        // The second slot of an immediate load may not lie in the next function.
        let bytes = &code.bytes[offset as usize..end as usize];
        let mut insn = match decode(bytes, program.endianness) {
            Ok(insn) => insn,
            Err(source) => {
                let error = GraphError::Decode { place: place(offset), source };
                if unverified == Unverified::Refuse || !is_about_registers(source) {
                    return Err(error);
                }
                refused.push(error);
                instructions.push(Instruction { offset, insn: OUTSIDE, target: None });
                let slots = if bytes[0] == opcode::LD_IMM64 { 2 } else { 1 };
                offset += (slots * SLOT) as u64;
                continue;
            }
        };
        match offsets::restored(insn, of.stack_size) {
            Ok(meant) => insn = meant,
            Err(lost) => {
                let (place, insn) = (place(offset), insn.to_string());
                let error = match lost {
                    Lost::Above => GraphError::AboveFrame { place, insn },
                    Lost::Several { size } => GraphError::LargeFrame { place, insn, size },
                };
                if unverified == Unverified::Refuse {
                    return Err(error);
                }
                refused.push(error);
                instructions.push(Instruction { offset, insn: OUTSIDE, target: None });
                offset += SLOT as u64;
                continue;
            }
        }
        let next = offset + (insn.slots() * SLOT) as u64;
        while relocations.next_if(|relocation| relocation.offset < offset).is_some() {}
        let relocation = relocations.next_if(|relocation| relocation.offset < next).map(|found| found.target);
        let target = match (insn, relocation) {
            (Insn::Call(Callee::Local(_) | Callee::Helper(_)), Some(target)) => match target {
                Target::Function(_) | Target::Import { addend: 0, .. } | Target::Absolute(_) => {
                    if let Ok(found) = code.array_calls.binary_search_by_key(&offset, |(offset, _)| *offset) {
                        insn = Insn::Call(Callee::Array(code.array_calls[found].1));
                    }
                    Some(target)
                }
                Target::Symbol { .. } | Target::Label { .. } | Target::Data { .. } | Target::Import { .. } => {
                    return Err(GraphError::NotAFunction { place: place(offset), insn: insn.to_string() });
                }
            },
            (Insn::LoadImm { .. }, Some(target)) => Some(target),
            (_, Some(_)) => {
                return Err(GraphError::Relocation { place: place(offset), insn: insn.to_string() });
            }
            (Insn::Call(Callee::Local(distance)), None)
            | (Insn::LoadImm { value: WideImm::Code(distance), .. }, None) => {
                let to = offset as i64 + SLOT as i64 * (i64::from(distance) + 1);
                let called = u64::try_from(to).ok().and_then(|to| program.function_at(of.section, to));
                let Some(called) = called else {
                    let (insn, section) = (insn.to_string(), code.name.clone());
                    return Err(GraphError::CallOutside { place: place(offset), insn, to, section });
                };
                Some(Target::Function(called))
            }
            (_, None) => None,
        };
        instructions.push(Instruction { offset, insn, target });
        offset = next;
    }
    Ok(instructions)
}

/// Whether the encoding is legal but for the choice of a register.
fn is_about_registers(error: DecodeError) -> bool {
    matches!(error, DecodeError::Register { .. } | DecodeError::FramePointer(_))
}
