//! The opcode table: the one place that gives numbers and signs to operations (RFC 9669 section 3).
//!
//! An opcode byte is `code:4 source:1 class:3` in the arithmetic and jump classes, and `mode:3 size:2 class:3` in
//! the load and store classes.

use super::insn::{AluOp, AtomicOp, Cond, Size};

/// The class of an opcode: its low 3 bits.
pub mod class {
    #![allow(missing_docs)]
    pub const LD: u8 = 0;
    pub const LDX: u8 = 1;
    pub const ST: u8 = 2;
    pub const STX: u8 = 3;
    pub const ALU: u8 = 4;
    pub const JMP: u8 = 5;
    pub const JMP32: u8 = 6;
    pub const ALU64: u8 = 7;
}

/// The mode of a load or store: its high 3 bits.
pub mod mode {
    #![allow(missing_docs)]
    pub const IMM: u8 = 0;
    pub const ABS: u8 = 1;
    pub const IND: u8 = 2;
    pub const MEM: u8 = 3;
    pub const MEMSX: u8 = 4;
    pub const ATOMIC: u8 = 6;
}

/// The opcode of a 64-bit immediate load, the only instruction of two slots.
pub const LD_IMM64: u8 = 0x18;

/// Codes (the high 4 bits) of arithmetic and jump opcodes that are not in a table.
pub mod code {
    #![allow(missing_docs)]
    pub const NEG: u8 = 0x8;
    pub const END: u8 = 0xd;
    pub const JA: u8 = 0x0;
    pub const CALL: u8 = 0x8;
    pub const EXIT: u8 = 0x9;
    pub const JCOND: u8 = 0xe;
}

/// Whole `imm` fields of atomic instructions that are not a plain operation.
pub mod atomic {
    #![allow(missing_docs)]
    pub const FETCH: i32 = 0x01;
    pub const XCHG: i32 = 0xe1;
    pub const CMPXCHG: i32 = 0xf1;
    pub const LOAD_ACQUIRE: i32 = 0x100;
    pub const STORE_RELEASE: i32 = 0x110;
}

/// Arithmetic: code, offset field (signed division is `offset = 1`), operation, sign in assembly.
pub const ALU: [(u8, i16, AluOp, &str); 14] = [
    (0x0, 0, AluOp::Add, "+="),
    (0x1, 0, AluOp::Sub, "-="),
    (0x2, 0, AluOp::Mul, "*="),
    (0x3, 0, AluOp::Div, "/="),
    (0x3, 1, AluOp::SDiv, "s/="),
    (0x4, 0, AluOp::Or, "|="),
    (0x5, 0, AluOp::And, "&="),
    (0x6, 0, AluOp::Lsh, "<<="),
    (0x7, 0, AluOp::Rsh, ">>="),
    (0x9, 0, AluOp::Mod, "%="),
    (0x9, 1, AluOp::SMod, "s%="),
    (0xa, 0, AluOp::Xor, "^="),
    (0xb, 0, AluOp::Mov, "="),
    (0xc, 0, AluOp::Arsh, "s>>="),
];

/// Conditions: code, condition, sign in assembly.
pub const COND: [(u8, Cond, &str); 11] = [
    (0x1, Cond::Eq, "=="),
    (0x2, Cond::Gt, ">"),
    (0x3, Cond::Ge, ">="),
    (0x4, Cond::Set, "&"),
    (0x5, Cond::Ne, "!="),
    (0x6, Cond::SGt, "s>"),
    (0x7, Cond::SGe, "s>="),
    (0xa, Cond::Lt, "<"),
    (0xb, Cond::Le, "<="),
    (0xc, Cond::SLt, "s<"),
    (0xd, Cond::SLe, "s<="),
];

/// Atomic operations: `imm` without [`atomic::FETCH`], operation, sign and name in assembly.
pub const ATOMIC: [(i32, AtomicOp, &str, &str); 4] = [
    (0x00, AtomicOp::Add, "+=", "add"),
    (0x40, AtomicOp::Or, "|=", "or"),
    (0x50, AtomicOp::And, "&=", "and"),
    (0xa0, AtomicOp::Xor, "^=", "xor"),
];

/// Sizes by the 2-bit size field.
pub const SIZE: [Size; 4] = [Size::W, Size::H, Size::B, Size::D];

/// The sign of an arithmetic operation in assembly.
pub fn alu_sign(op: AluOp) -> &'static str {
    ALU.iter().find(|row| row.2 == op).map_or("?", |row| row.3)
}

/// The sign of a condition in assembly.
pub fn cond_sign(cond: Cond) -> &'static str {
    COND.iter().find(|row| row.1 == cond).map_or("?", |row| row.2)
}

/// The sign and the name of an atomic operation in assembly.
pub fn atomic_sign(op: AtomicOp) -> (&'static str, &'static str) {
    ATOMIC.iter().find(|row| row.1 == op).map_or(("?", "?"), |row| (row.2, row.3))
}
