//! What an instruction does to registers and flags.
//!
//! In: a decoded instruction. Out: its [`Effects`], as iced's tables say. The rule: they are the instruction's own. What the
//! function reads that a call or a jump goes to is not among them; whoever asks adds it ([`abi`](super::abi)).

use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, InstructionInfoOptions, OpAccess, OpKind, Register,
    RflagsBits,
};

use super::abi::{RSP, RegisterSet};

/// Where control goes after an instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// To the next one; after a conditional branch, perhaps to its target.
    #[default]
    Next,
    /// To a function, and then to the next one.
    Call,
    /// To the caller.
    Return,
    /// To the trap handler.
    Trap,
    /// Anywhere else: a jump, direct or through a register or memory.
    Elsewhere,
}

/// Which of the flags that conditions read an instruction writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flags {
    /// None of them.
    #[default]
    Kept,
    /// Some; or all, but not always.
    Changed,
    /// All, whatever they were; some may be undefined.
    Set,
}

/// What an instruction does with general registers, flags and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    /// Registers that it may read; those that it writes in part or conditionally are among them.
    pub(crate) read: RegisterSet,
    /// Registers that it may write, in part or as a whole.
    pub(crate) written: RegisterSet,
    /// What it does to the flags.
    pub(crate) flags: Flags,
    /// Whether it reads flags.
    pub(crate) reads_flags: bool,
    /// Whether it may write memory.
    pub(crate) stores: bool,
    /// Where control is after it.
    pub(crate) transfer: Transfer,
    /// Whether it is a call that keeps all registers, and reads none of these.
    pub(crate) keeps_registers: bool,
    /// Whether it moves the stack pointer without naming it (`push`, `call`); that is in neither set then.
    pub(crate) is_stack: bool,
}

/// Flags of arithmetic.
const STATUS: u32 =
    RflagsBits::OF | RflagsBits::SF | RflagsBits::ZF | RflagsBits::AF | RflagsBits::CF | RflagsBits::PF;

/// Those that a condition can be of.
const CONDITIONS: u32 = RflagsBits::OF | RflagsBits::SF | RflagsBits::ZF | RflagsBits::CF | RflagsBits::PF;

impl Effects {
    /// None.
    pub(crate) const NOTHING: Effects = Effects {
        read: 0,
        written: 0,
        flags: Flags::Kept,
        reads_flags: false,
        stores: false,
        transfer: Transfer::Next,
        keeps_registers: false,
        is_stack: false,
    };

    pub(crate) fn new(factory: &mut InstructionInfoFactory, instruction: &Instruction) -> Effects {
        let info = factory.info_options(instruction, InstructionInfoOptions::NO_MEMORY_USAGE);
        let mut effects = Effects {
            transfer: transfer(instruction),
            is_stack: instruction.is_stack_instruction(),
            flags: flags(instruction),
            reads_flags: instruction.rflags_read() & STATUS != 0,
            ..Effects::default()
        };
        for used in info.used_registers() {
            let Some(number) = number(used.register()) else { continue };
            let (reads, writes) = access(used.access());
            let is_whole = used.access() == OpAccess::Write && is_whole(used.register());
            if reads || writes && !is_whole {
                effects.read |= 1 << number;
            }
            if writes {
                effects.written |= 1 << number;
            }
        }
        if effects.is_stack && !names_stack_pointer(instruction) {
            effects.read &= !(1 << RSP);
            effects.written &= !(1 << RSP);
        }
        effects.stores = (0..instruction.op_count())
            .any(|operand| is_memory(instruction.op_kind(operand)) && access(info.op_access(operand)).1);
        effects
    }

    /// Registers that it reads or writes.
    pub(crate) fn named(self) -> RegisterSet {
        self.read | self.written
    }

    /// Whether it does nothing but set the flags.
    pub(crate) fn only_sets_flags(self) -> bool {
        self.flags == Flags::Set
            && self.written == 0
            && !self.stores
            && self.transfer == Transfer::Next
            && !self.is_stack
    }
}

/// Whether an operand may be read, and may be written.
fn access(access: OpAccess) -> (bool, bool) {
    match access {
        OpAccess::None | OpAccess::NoMemAccess => (false, false),
        OpAccess::Read | OpAccess::CondRead => (true, false),
        OpAccess::Write => (false, true),
        // A register that may stay as it is counts as read.
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

fn transfer(instruction: &Instruction) -> Transfer {
    match instruction.flow_control() {
        FlowControl::Next | FlowControl::ConditionalBranch => Transfer::Next,
        FlowControl::Call | FlowControl::IndirectCall => Transfer::Call,
        FlowControl::Return => Transfer::Return,
        FlowControl::Exception => Transfer::Trap,
        FlowControl::UnconditionalBranch
        | FlowControl::IndirectBranch
        | FlowControl::Interrupt
        | FlowControl::XbeginXabortXend => Transfer::Elsewhere,
    }
}

fn flags(instruction: &Instruction) -> Flags {
    use iced_x86::Mnemonic::{Rcl, Rcr, Rol, Ror, Sal, Sar, Shl, Shld, Shr, Shrd};
    let modified = instruction.rflags_modified();
    // A shift by 0 keeps the flags, and a count in a register may be 0.
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

/// Whether writing it replaces all 64 bits of the register.
fn is_whole(register: Register) -> bool {
    register.is_gpr32() || register.is_gpr64()
}

/// The processor's number of a general register, of any size.
pub(crate) fn number(register: Register) -> Option<u8> {
    register.is_gpr().then(|| register.full_register() as u8 - Register::RAX as u8)
}
