//! Compiler-runtime functions that are one or a few native instructions: calls of them are lifted inline.
//!
//! Compilers call these for what BPF has no instruction for. gcc calls `__divdi3` for signed division before
//! -mcpu=v4.
//!
//! | function | CLIF |
//! |---|---|
//! | `__divdi3`, `__moddi3`, `__divsi3`, `__modsi3` | `sdiv`, `srem`, guarded as BPF's own |
//! | `__bpf_trap` (what LLVM 21 and later call where code is unreachable) | `trap` |
//! | `__udivdi3`, `__umoddi3`, `__udivsi3`, `__umodsi3` | `udiv`, `urem` |

use crate::decode::insn::{AluOp, Width};

/// A function that is lifted inline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Libcall {
    /// `a op b` of two integers of a width.
    Divide(AluOp, Width),
    /// Never reached.
    Trap,
}

/// The function of this name, if calls of it are lifted inline.
pub fn named(name: &str) -> Option<Libcall> {
    Some(match name {
        "__bpf_trap" => Libcall::Trap,
        "__divdi3" => Libcall::Divide(AluOp::SDiv, Width::W64),
        "__moddi3" => Libcall::Divide(AluOp::SMod, Width::W64),
        "__udivdi3" => Libcall::Divide(AluOp::Div, Width::W64),
        "__umoddi3" => Libcall::Divide(AluOp::Mod, Width::W64),
        "__divsi3" => Libcall::Divide(AluOp::SDiv, Width::W32),
        "__modsi3" => Libcall::Divide(AluOp::SMod, Width::W32),
        "__udivsi3" => Libcall::Divide(AluOp::Div, Width::W32),
        "__umodsi3" => Libcall::Divide(AluOp::Mod, Width::W32),
        _ => return None,
    })
}
