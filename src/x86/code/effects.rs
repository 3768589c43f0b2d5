//! What an instruction does to registers and flags.
//!
//! In: a decoded instruction. Out: its [`Uses`], as the decoder's tables say. The rule: what control goes to is not a part of
//! it: what a call reads and leaves is for who asks.

use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, InstructionInfoOptions, OpAccess, OpKind, Register,
    RflagsBits,
};

/// General registers, a bit each, by the processor's numbers.
pub(crate) type Set = u16;

/// The stack pointer.
pub(crate) const RSP: u8 = 4;

/// The frame pointer.
pub(crate) const RBP: u8 = 5;

/// Those that a function leaves as they were (System V psABI for x86-64, section 3.2.1), but for those of the frame.
pub(crate) const SAVED: Set = 1 << 3 | 0xf << 12;

/// Those that a call may read: arguments, and the number of vectors.
pub(crate) const ARGUMENTS: Set = 1 | 1 << 1 | 1 << 2 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9;

/// Those that hold results.
pub(crate) const RESULTS: Set = 1 | 1 << 2;

/// Where control goes after an instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flow {
    /// To the next one, or, of a branch, where that says.
    #[default]
    Next,
    /// To the next one, after a function.
    Call,
    /// To the caller.
    Return,
    /// Nowhere.
    Trap,
    /// Where a register or memory says.
    Elsewhere,
}

/// How many of the flags that conditions read an instruction writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flags {
    /// None of them.
    #[default]
    Kept,
    /// Some, or all of them at times.
    Changed,
    /// All, whatever they were; some may be undefined.
    Set,
}

/// What an instruction does with general registers, flags and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    /// Those whose values it may read: those that it writes in part, or at times, too.
    pub(crate) read: Set,
    /// Those that it may write, in part or as a whole.
    pub(crate) written: Set,
    /// What it does to the flags.
    pub(crate) flags: Flags,
    /// Whether it reads flags.
    pub(crate) reads_flags: bool,
    /// Whether it may write memory.
    pub(crate) stores: bool,
    /// Where control is after it.
    pub(crate) flow: Flow,
    /// Whether it moves the stack pointer without naming it, which then is in neither set.
    pub(crate) is_stack: bool,
}

/// Flags of arithmetic.
const STATUS: u32 =
    RflagsBits::OF | RflagsBits::SF | RflagsBits::ZF | RflagsBits::AF | RflagsBits::CF | RflagsBits::PF;

/// Those that a condition can be of.
const CONDITIONS: u32 = RflagsBits::OF | RflagsBits::SF | RflagsBits::ZF | RflagsBits::CF | RflagsBits::PF;

impl Uses {
    /// Of no instruction.
    pub(crate) const NOTHING: Uses = Uses {
        read: 0,
        written: 0,
        flags: Flags::Kept,
        reads_flags: false,
        stores: false,
        flow: Flow::Next,
        is_stack: false,
    };

    pub(crate) fn new(factory: &mut InstructionInfoFactory, instruction: &Instruction) -> Uses {
        let info = factory.info_options(instruction, InstructionInfoOptions::NO_MEMORY_USAGE);
        let mut uses = Uses {
            flow: flow(instruction),
            is_stack: instruction.is_stack_instruction(),
            flags: flags(instruction),
            reads_flags: instruction.rflags_read() & STATUS != 0,
            ..Uses::default()
        };
        for used in info.used_registers() {
            let Some(number) = number(used.register()) else { continue };
            let (reads, writes) = access(used.access());
            let is_whole = used.access() == OpAccess::Write && is_whole(used.register());
            if reads || writes && !is_whole {
                uses.read |= 1 << number;
            }
            if writes {
                uses.written |= 1 << number;
            }
        }
        if uses.is_stack && !names_stack_pointer(instruction) {
            uses.read &= !(1 << RSP);
            uses.written &= !(1 << RSP);
        }
        uses.stores = (0..instruction.op_count())
            .any(|operand| is_memory(instruction.op_kind(operand)) && access(info.op_access(operand)).1);
        uses
    }

    /// Those that it has to do with.
    pub(crate) fn named(self) -> Set {
        self.read | self.written
    }

    /// Whether it does nothing but set the flags.
    pub(crate) fn only_sets_flags(self) -> bool {
        self.flags == Flags::Set && self.written == 0 && !self.stores && self.flow == Flow::Next && !self.is_stack
    }
}

/// Whether an operand may be read, and may be written.
fn access(access: OpAccess) -> (bool, bool) {
    match access {
        OpAccess::None | OpAccess::NoMemAccess => (false, false),
        OpAccess::Read | OpAccess::CondRead => (true, false),
        OpAccess::Write => (false, true),
        // What is not written at times is read then.
        OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite => (true, true),
    }
}

fn is_memory(kind: OpKind) -> bool {
    !matches!(
        kind,
        OpKind::Register
            | OpKind::NearBranch16
            | OpKind::NearBranch32
            | OpKind::NearBranch64
            | OpKind::FarBranch16
            | OpKind::FarBranch32
            | OpKind::Immediate8
            | OpKind::Immediate8_2nd
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate64
            | OpKind::Immediate8to16
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64
    )
}

fn names_stack_pointer(instruction: &Instruction) -> bool {
    let is_stack_pointer = |register: Register| number(register) == Some(RSP);
    (0..instruction.op_count()).any(|operand| match instruction.op_kind(operand) {
        OpKind::Register => is_stack_pointer(instruction.op_register(operand)),
        OpKind::Memory => is_stack_pointer(instruction.memory_base()),
        _ => false,
    })
}

fn flow(instruction: &Instruction) -> Flow {
    match instruction.flow_control() {
        FlowControl::Next | FlowControl::ConditionalBranch => Flow::Next,
        FlowControl::Call | FlowControl::IndirectCall => Flow::Call,
        FlowControl::Return => Flow::Return,
        FlowControl::Exception => Flow::Trap,
        FlowControl::UnconditionalBranch
        | FlowControl::IndirectBranch
        | FlowControl::Interrupt
        | FlowControl::XbeginXabortXend => Flow::Elsewhere,
    }
}

fn flags(instruction: &Instruction) -> Flags {
    use iced_x86::Mnemonic::{Rcl, Rcr, Rol, Ror, Sal, Sar, Shl, Shld, Shr, Shrd};
    let modified = instruction.rflags_modified();
    // By a number in a register, which may be 0: then the flags stay.
    let is_shift = matches!(instruction.mnemonic(), Rcl | Rcr | Rol | Ror | Sal | Sar | Shl | Shld | Shr | Shrd);
    let last = instruction.op_count().saturating_sub(1);
    let may_be_nothing = is_shift && instruction.op_kind(last) == OpKind::Register;
    if modified & STATUS == 0 {
        Flags::Kept
    } else if modified & CONDITIONS == CONDITIONS && !may_be_nothing {
        Flags::Set
    } else {
        Flags::Changed
    }
}

/// Whether writing it leaves nothing of the whole register as it was.
fn is_whole(register: Register) -> bool {
    (Register::EAX..=Register::R15D).contains(&register) || (Register::RAX..=Register::R15).contains(&register)
}

/// The processor's number of a general register, of any size.
pub(crate) fn number(register: Register) -> Option<u8> {
    // The decoder counts them by size; `%ah` and its like come between `%bl` and `%spl`.
    const SETS: [(Register, Register, u8); 6] = [
        (Register::AL, Register::BL, 0),
        (Register::AH, Register::BH, 0),
        (Register::SPL, Register::R15L, RSP),
        (Register::AX, Register::R15W, 0),
        (Register::EAX, Register::R15D, 0),
        (Register::RAX, Register::R15, 0),
    ];
    let (first, _, number) = *SETS.iter().find(|(first, last, _)| (*first..=*last).contains(&register))?;
    Some(number + (register as u8 - first as u8))
}
