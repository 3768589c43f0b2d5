//! Which registers an instruction uses.
//!
//! In: a decoded instruction. Out: the general registers that its operands name. The rule: what has operands that are not
//! named, or is not known here, is not [`Uses::is_simple`], and uses any registers.

use iced_x86::{Instruction, Mnemonic, OpKind, Register};

/// General registers, a bit each, by the processor's numbers.
pub(super) type Set = u16;

/// The stack pointer.
pub(super) const RSP: u8 = 4;

/// The frame pointer.
pub(super) const RBP: u8 = 5;

/// Those that a function leaves as they were (System V psABI for x86-64, section 3.2.1), but for those of the frame.
pub(super) const SAVED: Set = 1 << 3 | 0xf << 12;

/// Those that a call may read: arguments, and the number of vectors.
pub(super) const ARGUMENTS: Set = 1 | 1 << 1 | 1 << 2 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9;

/// Those that hold results.
pub(super) const RESULTS: Set = 1 | 1 << 2;

/// Those that instructions use that do not name them.
pub(super) const IMPLICIT: Set = 0xff;

/// Where control goes after an instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Flow {
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

/// What an instruction does with general registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    /// Those whose values it may read.
    pub(super) read: Set,
    /// Those that it may write, in part or as a whole.
    pub(super) written: Set,
    /// Whether that is all that it reads and writes, but for memory, flags, vectors, and the stack pointer of [`Self::is_stack`].
    pub(super) is_simple: bool,
    /// Where control is after it.
    pub(super) flow: Flow,
    /// Whether it moves the stack pointer without naming it.
    pub(super) is_stack: bool,
}

impl Uses {
    /// Of no instruction.
    pub(super) const NOTHING: Uses =
        Uses { read: 0, written: 0, is_simple: true, flow: Flow::Next, is_stack: false };

    pub(super) fn new(instruction: &Instruction) -> Uses {
        use Mnemonic::{
            Call, Cmp, Enter, Jmp, Leave, Pop, Popf, Popfd, Popfq, Push, Pushf, Pushfd, Pushfq, Ret, Test, Ud2,
        };
        let mnemonic = instruction.mnemonic();
        let mut uses = Uses {
            is_simple: is_simple(instruction),
            flow: match mnemonic {
                Call => Flow::Call,
                Ret => Flow::Return,
                Ud2 => Flow::Trap,
                Jmp => Flow::Elsewhere,
                _ => Flow::Next,
            },
            is_stack: matches!(
                mnemonic,
                Call | Enter | Leave | Pop | Popf | Popfd | Popfq | Push | Pushf | Pushfd | Pushfq | Ret
            ),
            ..Uses::default()
        };
        let bit = |register: Register| number(register).map_or(0, |number| 1 << number);
        for operand in 0..instruction.op_count() {
            match instruction.op_kind(operand) {
                OpKind::Register => {
                    let bit = bit(instruction.op_register(operand));
                    if operand == 0 && !matches!(mnemonic, Cmp | Push | Test) {
                        uses.written = bit;
                    }
                    if operand > 0 || !overwrites(instruction) {
                        uses.read |= bit;
                    }
                }
                OpKind::Memory => {
                    uses.read |= bit(instruction.memory_base()) | bit(instruction.memory_index());
                }
                _ => {}
            }
        }
        if is_zero(instruction) {
            uses.read = 0;
        }
        uses
    }

    /// Those that it has to do with.
    pub(super) fn named(self) -> Set {
        self.read | self.written
    }
}

/// Whether the register that is its first operand has a new value that has nothing to do with the old one.
fn overwrites(instruction: &Instruction) -> bool {
    use Mnemonic::{Lea, Mov, Movd, Movq, Movsx, Movsxd, Movzx, Pop};
    is_whole(instruction.op0_register())
        && matches!(instruction.mnemonic(), Lea | Mov | Movd | Movq | Movsx | Movsxd | Movzx | Pop)
}

/// Whether it is an exclusive or of a whole register with itself.
fn is_zero(instruction: &Instruction) -> bool {
    let register = instruction.op0_register();
    instruction.mnemonic() == Mnemonic::Xor
        && instruction.op1_kind() == OpKind::Register
        && instruction.op1_register() == register
        && is_whole(register)
}

/// Whether writing it leaves nothing of the whole register as it was.
fn is_whole(register: Register) -> bool {
    (Register::EAX..=Register::R15D).contains(&register) || (Register::RAX..=Register::R15).contains(&register)
}

/// The processor's number of a general register, of any size.
pub(super) fn number(register: Register) -> Option<u8> {
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

/// Whether its operands are all that it has; the first may be written, and no other.
fn is_simple(instruction: &Instruction) -> bool {
    use Mnemonic::{
        Add, And, Bswap, Cmova, Cmovae, Cmovb, Cmovbe, Cmove, Cmovg, Cmovge, Cmovl, Cmovle, Cmovne, Cmovns, Cmovs,
        Cmp, Dec, Imul, Inc, Lea, Lzcnt, Mov, Movd, Movq, Movsx, Movsxd, Movzx, Neg, Not, Or, Pop, Popcnt, Push,
        Rol, Ror, Sar, Seta, Setae, Setb, Setbe, Sete, Setg, Setge, Setl, Setle, Setne, Setns, Sets, Shl, Shr, Sub,
        Test, Tzcnt, Xor,
    };
    match instruction.mnemonic() {
        // With one operand it has two registers more.
        Imul => instruction.op_count() > 1,
        Add | And | Bswap | Cmova | Cmovae | Cmovb | Cmovbe | Cmove | Cmovg | Cmovge | Cmovl | Cmovle | Cmovne
        | Cmovns | Cmovs | Cmp | Dec | Inc | Lea | Lzcnt | Mov | Movd | Movq | Movsx | Movsxd | Movzx | Neg
        | Not | Or | Pop | Popcnt | Push | Rol | Ror | Sar | Seta | Setae | Setb | Setbe | Sete | Setg | Setge
        | Setl | Setle | Setne | Setns | Sets | Shl | Shr | Sub | Test | Tzcnt | Xor => {
            !instruction.has_lock_prefix()
        }
        _ => false,
    }
}
