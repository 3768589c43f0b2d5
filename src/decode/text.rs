//! The text of an instruction, in the syntax of LLVM's BPF assembler and of the kernel's verifier log.
//!
//! | | 64 bits | 32 bits |
//! |---|---|---|
//! | arithmetic | `r1 += r2`, `r1 s>>= 3` | `w1 += w2` |
//! | branch | `if r1 s> 5 goto +2` | `if w1 s> 5 goto +2` |
//! | memory | `r1 = *(u32 *)(r2 + 4)` | `*(u8 *)(r1 - 1) = w2` |

use std::fmt;

use super::insn::{ByteOrder, Callee, Insn, Operand, Reg, Size, WideImm, Width};
use super::opcode::{alu_sign, atomic_sign, cond_sign};

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.number())
    }
}

/// A register at a width: `r1` or `w1`.
struct Sized(Width, Reg);

impl fmt::Display for Sized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.0 {
            Width::W32 => 'w',
            Width::W64 => 'r',
        };
        write!(f, "{letter}{}", self.1.number())
    }
}

/// An operand at a width.
struct SizedOperand(Width, Operand);

impl fmt::Display for SizedOperand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Operand::Reg(reg) => Sized(self.0, reg).fmt(f),
            Operand::Imm(imm) => imm.fmt(f),
        }
    }
}

/// `r1 + 4`, `r10 - 8`.
struct Address(Reg, i32);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.1 < 0 { '-' } else { '+' };
        write!(f, "{} {sign} {}", self.0, self.1.unsigned_abs())
    }
}

const fn access_width(size: Size) -> Width {
    match size {
        Size::D => Width::W64,
        Size::B | Size::H | Size::W => Width::W32,
    }
}

const fn bits(width: Width) -> u8 {
    match width {
        Width::W32 => 32,
        Width::W64 => 64,
    }
}

impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Insn::Alu { op, width, dst, src } => {
                write!(f, "{} {} {}", Sized(width, dst), alu_sign(op), SizedOperand(width, src))
            }
            Insn::Neg { width, dst } => write!(f, "{0} = -{0}", Sized(width, dst)),
            Insn::MovSx { width, from, dst, src } => {
                write!(f, "{} = (s{}){}", Sized(width, dst), from.bits(), Sized(width, src))
            }
            Insn::AddrSpaceCast { dst, src, to, from } => {
                write!(f, "{dst} = addr_space_cast({src}, {to}, {from})")
            }
            Insn::Endian { order, size, dst } => {
                let name = match order {
                    ByteOrder::Little => "le",
                    ByteOrder::Big => "be",
                    ByteOrder::Swap => "bswap",
                };
                write!(f, "{dst} = {name}{} {dst}", size.bits())
            }
            Insn::LoadImm { dst, value } => write!(f, "{dst} = {value}"),
            Insn::Load { size, signed, dst, base, offset } => {
                let sign = if signed { 's' } else { 'u' };
                write!(f, "{dst} = *({sign}{} *)({})", size.bits(), Address(base, offset))
            }
            Insn::Store { size, base, offset, src } => {
                let value = SizedOperand(access_width(size), src);
                write!(f, "*(u{} *)({}) = {value}", size.bits(), Address(base, offset))
            }
            Insn::Atomic { op, width, fetch, base, offset, src } => {
                let (sign, name) = atomic_sign(op);
                let (bits, address, src) = (bits(width), Address(base, offset), Sized(width, src));
                if fetch {
                    write!(f, "{src} = atomic_fetch_{name}((u{bits} *)({address}), {src})")
                } else {
                    write!(f, "lock *(u{bits} *)({address}) {sign} {src}")
                }
            }
            Insn::Xchg { width, base, offset, src } => {
                let (name, address, src) = (xchg_name(width), Address(base, offset), Sized(width, src));
                write!(f, "{src} = {name}({address}, {src})")
            }
            Insn::Cmpxchg { width, base, offset, src } => {
                let (name, r0) = (cmpxchg_name(width), Sized(width, Reg::R0));
                write!(f, "{r0} = {name}({}, {r0}, {})", Address(base, offset), Sized(width, src))
            }
            Insn::LoadAcquire { size, dst, base, offset } => {
                let dst = Sized(access_width(size), dst);
                write!(f, "{dst} = load_acquire((u{} *)({}))", size.bits(), Address(base, offset))
            }
            Insn::StoreRelease { size, base, offset, src } => {
                let src = Sized(access_width(size), src);
                write!(f, "store_release((u{} *)({}), {src})", size.bits(), Address(base, offset))
            }
            Insn::LoadPacket { size, index: None, offset } => write!(f, "r0 = *(u{} *)skb[{offset}]", size.bits()),
            Insn::LoadPacket { size, index: Some(index), offset: 0 } => {
                write!(f, "r0 = *(u{} *)skb[{index}]", size.bits())
            }
            Insn::LoadPacket { size, index: Some(index), offset } => {
                write!(f, "r0 = *(u{} *)skb[{index} + {offset}]", size.bits())
            }
            Insn::LoadStackArgument { dst, position } => write!(f, "{dst} = *(u64 *)(r11 + {})", position * 8),
            Insn::StoreStackArgument { position, src } => {
                write!(f, "*(u64 *)(r11 - {}) = {}", position * 8, SizedOperand(Width::W64, src))
            }
            Insn::Jump { offset, long } => write!(f, "{} {offset:+}", if long { "gotol" } else { "goto" }),
            Insn::JumpRegister { reg } => write!(f, "gotox {reg}"),
            Insn::MayGoto { offset } => write!(f, "may_goto {offset:+}"),
            Insn::Branch { cond, width, dst, src, offset } => {
                let (dst, src) = (Sized(width, dst), SizedOperand(width, src));
                write!(f, "if {dst} {} {src} goto {offset:+}", cond_sign(cond))
            }
            Insn::Call(callee) => callee.fmt(f),
            Insn::Exit => f.write_str("exit"),
        }
    }
}

const fn xchg_name(width: Width) -> &'static str {
    match width {
        Width::W32 => "xchg32_32",
        Width::W64 => "xchg_64",
    }
}

const fn cmpxchg_name(width: Width) -> &'static str {
    match width {
        Width::W32 => "cmpxchg32_32",
        Width::W64 => "cmpxchg_64",
    }
}

impl fmt::Display for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Callee::Helper(number) => write!(f, "call {number}"),
            Callee::Local(offset) => write!(f, "call {offset:+}"),
            Callee::Kfunc(id) => write!(f, "call kfunc {id}"),
            Callee::Register(reg) => write!(f, "callx {reg}"),
            Callee::Array(list) => write!(f, "call with {} words at r2", list.words),
        }
    }
}

impl fmt::Display for WideImm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            WideImm::Const(value) => write!(f, "{value:#x} ll"),
            WideImm::MapByFd(fd) => write!(f, "map_by_fd({fd}) ll"),
            WideImm::MapValueByFd(fd, offset) => write!(f, "map_val(map_by_fd({fd})) + {offset} ll"),
            WideImm::Variable(id) => write!(f, "var_addr({id}) ll"),
            WideImm::Code(offset) => write!(f, "code_addr({offset:+}) ll"),
            WideImm::MapByIndex(index) => write!(f, "map_by_idx({index}) ll"),
            WideImm::MapValueByIndex(index, offset) => write!(f, "map_val(map_by_idx({index})) + {offset} ll"),
        }
    }
}
