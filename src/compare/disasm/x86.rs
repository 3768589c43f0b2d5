//! x86-64: the text is capstone's, in AT&T syntax; what the instruction does is iced's.
//!
//! In: the bytes of an instruction, and its text. Out: its [`Class`]. The rule: what control and memory operands do is read
//! from iced's tables; the text says only where an address stands in it. Bytes that iced decodes in another way than capstone
//! are taken for an instruction that does nothing to control and memory.

use std::ops::Range;

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, InstructionInfoOptions, Mnemonic,
    OpAccess, OpKind, Register,
};

use super::operands::{operands, split};
use super::{Class, Control, FrameBase, FrameOperand, Reference};

/// Prefixes that capstone writes as words before the mnemonic.
const PREFIXES: [&str; 7] = ["lock", "rep", "repne", "repe", "notrack", "bnd", "data16"];

/// Classifies instructions, one after the other.
pub(crate) struct Classifier {
    factory: InstructionInfoFactory,
}

impl Classifier {
    pub(crate) fn new() -> Classifier {
        Classifier { factory: InstructionInfoFactory::new() }
    }

    /// What the instruction does that has these bytes and this text, at an offset.
    pub(crate) fn classify(&mut self, bytes: &[u8], text: &str, offset: u32) -> Class {
        let instruction = Decoder::with_ip(64, bytes, u64::from(offset), DecoderOptions::NONE).decode();
        if instruction.is_invalid() || instruction.len() != bytes.len() {
            return Class::plain();
        }
        let (loads, stores) = self.access(&instruction);
        let reference = reference(&instruction, text);
        Class { kind: kind(&instruction), reference, loads, stores, frame: frame(&instruction) }
    }

    /// Whether it reads and writes memory by explicit operands.
    fn access(&mut self, instruction: &Instruction) -> (bool, bool) {
        let options = InstructionInfoOptions::NO_MEMORY_USAGE | InstructionInfoOptions::NO_REGISTER_USAGE;
        let info = self.factory.info_options(instruction, options);
        let memory = (0..instruction.op_count()).filter(|&operand| is_memory(instruction.op_kind(operand)));
        memory.map(|operand| info.op_access(operand)).fold((false, false), |(loads, stores), access| match access {
            OpAccess::Read | OpAccess::CondRead => (true, stores),
            OpAccess::Write | OpAccess::CondWrite => (loads, true),
            OpAccess::ReadWrite | OpAccess::ReadCondWrite => (true, true),
            OpAccess::None | OpAccess::NoMemAccess => (loads, stores),
        })
    }
}

/// What it does to control.
fn kind(instruction: &Instruction) -> Control {
    match instruction.flow_control() {
        FlowControl::Call | FlowControl::IndirectCall if instruction.mnemonic() == Mnemonic::Call => Control::Call,
        FlowControl::UnconditionalBranch | FlowControl::IndirectBranch => Control::Jump,
        FlowControl::ConditionalBranch => Control::Branch,
        FlowControl::Return => Control::Return,
        FlowControl::Exception => Control::Trap,
        _ if matches!(instruction.mnemonic(), Mnemonic::Hlt | Mnemonic::Int3) => Control::Trap,
        // System calls and interrupts come back to the next instruction.
        _ => Control::Plain,
    }
}

/// The operand that is relative to the instruction: the target of a direct branch, or an address by `%rip`.
fn reference(instruction: &Instruction, text: &str) -> Option<Reference> {
    let is_direct = (0..instruction.op_count()).any(|operand| {
        matches!(instruction.op_kind(operand), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64)
    });
    if is_direct {
        let span = operands(text, start_of_operands(text)).pop()?;
        return Some(Reference { offset: Some(instruction.near_branch_target().cast_signed()), span });
    }
    if instruction.is_ip_rel_memory_operand() {
        let offset = Some(instruction.ip_rel_memory_address().cast_signed());
        return Some(Reference { offset, span: displacement_of_rip(text)? });
    }
    None
}

/// Where the operands start, behind prefixes and the mnemonic.
fn start_of_operands(text: &str) -> usize {
    let (mut word, mut from) = split(text);
    while PREFIXES.contains(&word) && from < text.len() {
        let (next, length) = split(&text[from..]);
        word = next;
        from += length;
    }
    from
}

/// Where the displacement of `displacement(%rip)` stands; it may be empty.
fn displacement_of_rip(text: &str) -> Option<Range<usize>> {
    let end = text.find("(%rip)")?;
    let start = text[..end].rfind([' ', '*', ':']).map_or(0, |before| before + 1);
    Some(start..end)
}

/// Its memory operand, if that is at a constant offset from the stack pointer or the frame pointer.
fn frame(instruction: &Instruction) -> Option<FrameOperand> {
    let has_memory = (0..instruction.op_count()).any(|operand| instruction.op_kind(operand) == OpKind::Memory);
    if !has_memory || instruction.memory_index() != Register::None {
        return None;
    }
    let base = match instruction.memory_base() {
        Register::RSP => FrameBase::Stack,
        Register::RBP => FrameBase::Frame,
        _ => return None,
    };
    Some(FrameOperand { base, offset: instruction.memory_displacement64().cast_signed() })
}

fn is_memory(kind: OpKind) -> bool {
    matches!(
        kind,
        OpKind::Memory
            | OpKind::MemorySegSI
            | OpKind::MemorySegESI
            | OpKind::MemorySegRSI
            | OpKind::MemorySegDI
            | OpKind::MemorySegEDI
            | OpKind::MemorySegRDI
            | OpKind::MemoryESDI
            | OpKind::MemoryESEDI
            | OpKind::MemoryESRDI
    )
}
