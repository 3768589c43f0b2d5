//! The instruction set as a type: a value of [`Insn`] is a legal instruction (RFC 9669 and what came after), and
//! nothing that is illegal can be written down as one.
//!
//! In: nothing. Out: the enum that [`super::decode`] makes, the disassembler prints and the lifter translates.

use crate::program::ArrayCall;

/// A register that an instruction may name: r0 to r10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reg(u8);

impl Reg {
    /// The result of a call and of a function.
    pub const R0: Reg = Reg(0);
    /// The first argument.
    pub const R1: Reg = Reg(1);
    /// The second argument.
    pub const R2: Reg = Reg(2);
    /// r3: the third argument.
    pub const R3: Reg = Reg(3);
    /// The context of LD_ABS and LD_IND, and the first register that a callee keeps.
    pub const R6: Reg = Reg(6);
    /// The frame pointer: read-only, the end of the stack frame.
    pub const FRAME: Reg = Reg(10);
    /// How many there are.
    pub const COUNT: usize = 11;

    /// The register of this number, up to 10.
    pub const fn new(number: u8) -> Option<Reg> {
        if number <= 10 { Some(Reg(number)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its number, as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// r0 to r10.
    pub fn all() -> impl Iterator<Item = Reg> {
        (0..=10).map(Reg)
    }

    /// r1 to r5: the registers of arguments, which a call clobbers.
    pub fn arguments() -> impl ExactSizeIterator<Item = Reg> {
        (0..5u8).map(|k| Reg(1 + k))
    }

    /// r6 to r9: the registers that a callee keeps.
    pub fn callee_saved() -> impl ExactSizeIterator<Item = Reg> {
        (0..4u8).map(|k| Reg(6 + k))
    }
}

/// The width of an arithmetic instruction or a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// The low half of the registers; a result is zero-extended.
    W32,
    /// The whole registers.
    W64,
}

/// The size of an access to memory, or of a part of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Size {
    /// One byte.
    B,
    /// Two bytes.
    H,
    /// Four bytes.
    W,
    /// Eight bytes.
    D,
}

impl Size {
    /// Bytes.
    pub const fn bytes(self) -> u8 {
        match self {
            Size::B => 1,
            Size::H => 2,
            Size::W => 4,
            Size::D => 8,
        }
    }

    /// Bits.
    pub const fn bits(self) -> u8 {
        self.bytes() * 8
    }
}

/// The source operand: a register or a 32-bit immediate, which 64-bit instructions sign-extend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// `BPF_X`.
    Reg(Reg),
    /// `BPF_K`.
    Imm(i32),
}

/// A two-operand arithmetic operation (RFC 9669 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AluOp {
    /// `dst += src`
    Add,
    /// `dst -= src`
    Sub,
    /// `dst *= src`
    Mul,
    /// `dst = src == 0 ? 0 : dst / src`, unsigned
    Div,
    /// `dst = src == 0 ? 0 : src == -1 && dst == MIN ? MIN : dst s/ src`
    SDiv,
    /// `dst |= src`
    Or,
    /// `dst &= src`
    And,
    /// `dst <<= src & (width - 1)`
    Lsh,
    /// `dst >>= src & (width - 1)`, logical
    Rsh,
    /// `dst = src == 0 ? dst : dst % src`, unsigned
    Mod,
    /// `dst = src == 0 ? dst : src == -1 ? 0 : dst s% src`
    SMod,
    /// `dst ^= src`
    Xor,
    /// `dst = src`
    Mov,
    /// `dst s>>= src & (width - 1)`, arithmetic
    Arsh,
}

/// A condition (RFC 9669 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cond {
    /// `dst == src`
    Eq,
    /// `dst != src`
    Ne,
    /// `dst > src`, unsigned
    Gt,
    /// `dst >= src`, unsigned
    Ge,
    /// `dst < src`, unsigned
    Lt,
    /// `dst <= src`, unsigned
    Le,
    /// `dst & src != 0`
    Set,
    /// `dst s> src`
    SGt,
    /// `dst s>= src`
    SGe,
    /// `dst s< src`
    SLt,
    /// `dst s<= src`
    SLe,
}

/// A read-modify-write of memory (RFC 9669 section 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtomicOp {
    /// `*p += src`
    Add,
    /// `*p |= src`
    Or,
    /// `*p &= src`
    And,
    /// `*p ^= src`
    Xor,
}

/// What a byte-order instruction does (RFC 9669 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// `leN`: to little-endian; on a little-endian machine it only truncates.
    Little,
    /// `beN`: to big-endian.
    Big,
    /// `bswapN`: always swaps.
    Swap,
}

/// The value of a 64-bit immediate load, by its source register (RFC 9669 section 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WideImm {
    /// 0: the number.
    Const(u64),
    /// 1: `map_by_fd(imm)`.
    MapByFd(i32),
    /// 2: `map_val(map_by_fd(imm)) + next_imm`.
    MapValueByFd(i32, i32),
    /// 3: `var_addr(imm)`.
    Variable(i32),
    /// 4: `code_addr(imm)`: the slot this many after the instruction's first, plus one.
    Code(i32),
    /// 5: `map_by_idx(imm)`.
    MapByIndex(i32),
    /// 6: `map_val(map_by_idx(imm)) + next_imm`.
    MapValueByIndex(i32, i32),
}

/// Whom a call instruction calls (RFC 9669 section 4.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Callee {
    /// Source register 0: a helper by number.
    Helper(u32),
    /// Source register 1: the slot this many after the next one. With a relocation, what that says.
    Local(i32),
    /// Source register 2: a kernel function by BTF id.
    Kfunc(u32),
    /// `callx`: the address in a register.
    Register(Reg),
    /// No encoding has it: a call of `bpf2native.h`, which its relocation tells.
    Array(ArrayCall),
}

/// One instruction. Jump offsets count 8-byte slots from the next instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Insn {
    /// `dst = dst op src`
    Alu {
        /// The operation.
        op: AluOp,
        /// Its width.
        width: Width,
        /// Left operand and result.
        dst: Reg,
        /// Right operand.
        src: Operand,
    },
    /// `dst = -dst`
    Neg {
        /// Its width.
        width: Width,
        /// Operand and result.
        dst: Reg,
    },
    /// `dst = (sN)src`: sign-extends to the width.
    MovSx {
        /// The width that it extends to.
        width: Width,
        /// The part of `src` that it extends; narrower than `width`.
        from: Size,
        /// Result.
        dst: Reg,
        /// Operand.
        src: Reg,
    },
    /// `dst = addr_space_cast(src, to, from)`: one address space here, so a plain move.
    AddrSpaceCast {
        /// Result.
        dst: Reg,
        /// Operand.
        src: Reg,
        /// Address space of the result.
        to: u16,
        /// Address space of the operand.
        from: u16,
    },
    /// `dst = beN dst`, truncated to the size.
    Endian {
        /// To which byte order.
        order: ByteOrder,
        /// 16, 32 or 64 bits.
        size: Size,
        /// Operand and result.
        dst: Reg,
    },
    /// `dst = imm ll`: takes two slots.
    LoadImm {
        /// Result.
        dst: Reg,
        /// The value.
        value: WideImm,
    },
    /// `dst = *(uN *)(base + offset)`, or `sN` when signed.
    Load {
        /// Bytes read.
        size: Size,
        /// Sign-extends to 64 bits, else zero-extends.
        signed: bool,
        /// Result.
        dst: Reg,
        /// Address.
        base: Reg,
        /// Added to the address: 16 bits, but where [`crate::graph`] knows better.
        offset: i32,
    },
    /// `*(uN *)(base + offset) = src`
    Store {
        /// Bytes written.
        size: Size,
        /// Address.
        base: Reg,
        /// Added to the address: 16 bits, but where [`crate::graph`] knows better.
        offset: i32,
        /// Value.
        src: Operand,
    },
    /// `lock *p op= src`; with `fetch`, `src` becomes the old value.
    Atomic {
        /// The operation.
        op: AtomicOp,
        /// Width of the memory.
        width: Width,
        /// Whether `src` becomes the old value.
        fetch: bool,
        /// Address.
        base: Reg,
        /// Added to the address: 16 bits, but where [`crate::graph`] knows better.
        offset: i32,
        /// Right operand.
        src: Reg,
    },
    /// `src = xchg(p, src)`
    Xchg {
        /// Width of the memory.
        width: Width,
        /// Address.
        base: Reg,
        /// Added to the address: 16 bits, but where [`crate::graph`] knows better.
        offset: i32,
        /// New value, then the old one.
        src: Reg,
    },
    /// `r0 = cmpxchg(p, r0, src)`
    Cmpxchg {
        /// Width of the memory.
        width: Width,
        /// Address.
        base: Reg,
        /// Added to the address: 16 bits, but where [`crate::graph`] knows better.
        offset: i32,
        /// New value.
        src: Reg,
    },
    /// `dst = load_acquire(p)`, zero-extended.
    LoadAcquire {
        /// Bytes read.
        size: Size,
        /// Result.
        dst: Reg,
        /// Address.
        base: Reg,
        /// Added to the address: 16 bits, but where [`crate::graph`] knows better.
        offset: i32,
    },
    /// `store_release(p, src)`
    StoreRelease {
        /// Bytes written.
        size: Size,
        /// Address.
        base: Reg,
        /// Added to the address: 16 bits, but where [`crate::graph`] knows better.
        offset: i32,
        /// Value.
        src: Reg,
    },
    /// `r0 = *(uN *)skb[index + imm]`: the legacy packet loads LD_ABS and LD_IND; the context is r6.
    LoadPacket {
        /// Bytes read: 1, 2 or 4, in network byte order.
        size: Size,
        /// LD_IND's register.
        index: Option<Reg>,
        /// Added to it.
        offset: i32,
    },
    /// `dst = *(u64 *)(r11 + 8 * position)`: an argument that came on the stack.
    LoadStackArgument {
        /// Result.
        dst: Reg,
        /// 1 for the sixth argument.
        position: u16,
    },
    /// `*(u64 *)(r11 - 8 * position) = src`: an argument for the next call.
    StoreStackArgument {
        /// 1 for the sixth argument.
        position: u16,
        /// Value.
        src: Operand,
    },
    /// `goto offset` (`gotol` when it does not fit 16 bits).
    Jump {
        /// Slots after the next instruction.
        offset: i32,
        /// Encoded as `gotol`.
        long: bool,
    },
    /// `gotox dst`: through a register.
    JumpRegister {
        /// The address.
        reg: Reg,
    },
    /// `may_goto offset`: taken when the frame's loop budget is used up (kernel `BPF_JCOND`).
    MayGoto {
        /// Slots after the next instruction.
        offset: i16,
    },
    /// `if dst cond src goto offset`
    Branch {
        /// The condition.
        cond: Cond,
        /// Its width.
        width: Width,
        /// Left operand.
        dst: Reg,
        /// Right operand.
        src: Operand,
        /// Slots after the next instruction.
        offset: i16,
    },
    /// `r0 = callee(r1, r2, r3, r4, r5)`
    Call(Callee),
    /// `return r0`
    Exit,
}

impl Insn {
    /// How many 8-byte slots it takes: 2 for [`Insn::LoadImm`], else 1.
    pub const fn slots(&self) -> usize {
        match self {
            Insn::LoadImm { .. } => 2,
            _ => 1,
        }
    }

    /// Whether control never goes on to the next instruction.
    pub const fn is_terminator(&self) -> bool {
        matches!(self, Insn::Jump { .. } | Insn::JumpRegister { .. } | Insn::Exit)
    }

    /// The offset of a direct jump, in slots from the next instruction.
    pub const fn jump_offset(&self) -> Option<i32> {
        match *self {
            Insn::Jump { offset, .. } => Some(offset),
            Insn::MayGoto { offset } | Insn::Branch { offset, .. } => Some(offset as i32),
            _ => None,
        }
    }
}
