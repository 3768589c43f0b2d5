//! The BPF code of a batch as LLVM 23 would make it: stack arguments, struct results, `__int128` results.
//!
//! | | |
//! |---|---|
//! | the word `w` of a call, `w` < 5 | r1 to r5 |
//! | a later one | `*(u64 *)(r11 - 8 * (w - 4))` in the caller, `*(u64 *)(r11 + 8 * (w - 4))` in the callee |
//! | a struct result | through the pointer in the first word; of up to 16 bytes, by clang from version 23 on: r0, r2 |
//! | a result of `__int128` | r0, r2 |
//!
//! The code is as strict as BPF compilers may be. A callee takes `bool`, `char` and `short` to be extended to 64 bits
//! (v1, v2) and 32-bit integers not to be extended; a caller extends the first to 32 bits (v3, v4), and has garbage
//! above. What differs is reported as in [`super::ctext`], words of arguments from 3000 on.

use super::ctext::is_hidden;
use super::random::{Batch, Prototype, Random, Value};
use super::types::Type;
use super::words::{Word, bytes, number, words};

/// What a relocation refers to, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Call(String),
    Address(String),
}

/// A function of the object.
#[derive(Clone, Debug)]
pub struct Function {
    pub name: String,
    pub start: usize,
    pub end: usize,
    pub is_static: bool,
}

/// The code section.
pub struct Code {
    pub bytes: Vec<u8>,
    pub relocations: Vec<(usize, Reference)>,
    pub functions: Vec<Function>,
    big_endian: bool,
    random: Random,
}

/// Where a caller has the result of a call that returns a struct, below r10.
const RESULT: i16 = -400;

/// What stands behind it.
const CANARY: u64 = 0x0123_4567_89ab_cdef;

/// The code of a batch.
pub fn code(batch: &Batch, big_endian: bool) -> Code {
    let random = Random::new(batch.seed ^ 0xc0de);
    let mut code = Code { bytes: Vec::new(), relocations: Vec::new(), functions: Vec::new(), big_endian, random };
    for (number, prototype) in batch.prototypes.iter().enumerate() {
        if prototype.tail.is_none() {
            let (name, is_static) = (format!("b{number}"), is_hidden(number));
            code.function(&name, is_static, |code| code.callee(batch, number, prototype));
            if is_static {
                code.function(&format!("get_{name}"), false, |code| {
                    code.address(0, &name);
                    code.exit();
                });
            }
        }
        code.function(&format!("call_n{number}"), false, |code| code.caller(batch, number, prototype));
    }
    code
}

impl Code {
    fn function(&mut self, name: &str, is_static: bool, body: impl FnOnce(&mut Code)) {
        let start = self.bytes.len();
        body(self);
        self.functions.push(Function { name: name.to_owned(), start, end: self.bytes.len(), is_static });
    }

    fn insn(&mut self, opcode: u8, dst: u8, src: u8, offset: i16, imm: i32) {
        if self.big_endian {
            self.bytes.extend([opcode, dst << 4 | src]);
            self.bytes.extend(offset.to_be_bytes());
            self.bytes.extend(imm.to_be_bytes());
        } else {
            self.bytes.extend([opcode, src << 4 | dst]);
            self.bytes.extend(offset.to_le_bytes());
            self.bytes.extend(imm.to_le_bytes());
        }
    }

    fn load_imm(&mut self, dst: u8, value: u64) {
        self.insn(0x18, dst, 0, 0, value as i32);
        self.insn(0, 0, 0, 0, (value >> 32) as i32);
    }

    fn address(&mut self, dst: u8, name: &str) {
        self.relocations.push((self.bytes.len(), Reference::Address(name.to_owned())));
        self.load_imm(dst, 0);
    }

    fn call(&mut self, name: &str) {
        self.relocations.push((self.bytes.len(), Reference::Call(name.to_owned())));
        self.insn(0x85, 0, 1, 0, -1);
    }

    fn exit(&mut self) {
        self.insn(0x95, 0, 0, 0, 0);
    }

    /// `*(uN *)(base + offset) = src`
    fn store(&mut self, size: usize, base: u8, offset: i16, src: u8) {
        let opcode = [(8, 0x7b), (4, 0x63), (2, 0x6b), (1, 0x73)];
        let (_, opcode) = opcode.into_iter().find(|(bytes, _)| *bytes == size).expect("1, 2, 4 or 8 bytes");
        self.insn(opcode, base, src, offset, 0);
    }

    /// `dst = *(uN *)(base + offset)`
    fn load(&mut self, size: usize, dst: u8, base: u8, offset: i16) {
        let opcode = [(8, 0x79), (4, 0x61), (2, 0x69), (1, 0x71)];
        let (_, opcode) = opcode.into_iter().find(|(bytes, _)| *bytes == size).expect("1, 2, 4 or 8 bytes");
        self.insn(opcode, dst, base, offset, 0);
    }

    /// Reports `what` if the bits of r1 that count differ.
    fn check(&mut self, number: usize, what: usize, word: Word) {
        self.load_imm(2, word.mask);
        self.insn(0x5f, 1, 2, 0, 0);
        self.load_imm(2, word.bits & word.mask);
        self.insn(0x1d, 1, 2, 3, 0);
        self.insn(0xb7, 1, 0, 0, number as i32);
        self.insn(0xb7, 2, 0, 0, what as i32);
        self.call("report");
    }

    fn callee(&mut self, batch: &Batch, number: usize, prototype: &Prototype) {
        let by_pointer = batch.is_by_pointer(prototype.result.ty);
        let mut expected: Vec<Option<Word>> = if by_pointer { vec![None] } else { Vec::new() };
        for value in &prototype.parameters {
            let strict = |word: Word| match value.ty {
                Type::Scalar(scalar) if scalar.size() < 4 => Word { mask: u64::MAX, ..word },
                _ => word,
            };
            let words = words(&batch.structs, value, self.big_endian);
            expected.extend(words.into_iter().map(|word| Some(strict(word))));
        }
        let place = |word: usize| -8 * (word as i16 + 1);
        for word in 0..expected.len() {
            let register = match word {
                0..5 => word as u8 + 1,
                _ => {
                    self.load(8, 0, 11, 8 * (word as i16 - 4));
                    0
                }
            };
            self.store(8, 10, place(word), register);
        }
        for (index, word) in expected.iter().enumerate() {
            if let Some(word) = word {
                self.load(8, 1, 10, place(index));
                self.check(number, 3000 + index, *word);
            }
        }
        let garbage = self.random.next();
        let result = words(&batch.structs, &prototype.result, self.big_endian);
        match prototype.result.ty {
            Type::Void => {}
            ty if !batch.is_by_pointer(ty) => {
                for (register, word) in [0, 2].into_iter().zip(result) {
                    self.load_imm(register, word.with(garbage));
                }
            }
            _ => {
                self.load(8, 1, 10, place(0));
                for (offset, piece) in self.pieces(batch, &prototype.result) {
                    self.load_imm(2, piece.word.with(garbage));
                    self.store(piece.size, 1, offset, 2);
                }
                self.load_imm(0, garbage);
            }
        }
        self.exit();
    }

    fn caller(&mut self, batch: &Batch, number: usize, prototype: &Prototype) {
        let name = format!("n{number}");
        for (is_direct, what) in [(true, 1000), (false, 2000)] {
            let mut passed: Vec<Option<u64>> = Vec::new();
            if batch.is_by_pointer(prototype.result.ty) {
                passed.push(None);
                self.load_imm(1, CANARY);
                self.store(8, 10, RESULT + batch.structs.size(prototype.result.ty) as i16, 1);
            }
            for value in prototype.parameters.iter().chain(prototype.tail.iter().flatten()) {
                // Narrow ones are extended to 32 bits.
                let extended = |word: Word| match value.ty {
                    Type::Scalar(scalar) if scalar.size() < 4 => Word { mask: u32::MAX.into(), ..word },
                    _ => word,
                };
                for word in words(&batch.structs, value, self.big_endian) {
                    passed.push(Some(extended(word).with(self.random.next())));
                }
            }
            for (position, word) in (1..).zip(passed.iter().skip(5)) {
                self.load_imm(0, word.unwrap_or_default());
                self.store(8, 11, -8 * position, 0);
            }
            for (register, word) in (1..=5).zip(&passed) {
                match word {
                    Some(word) => self.load_imm(register, *word),
                    None => {
                        self.insn(0xbf, register, 10, 0, 0);
                        self.insn(0x07, register, 0, 0, RESULT.into());
                    }
                }
            }
            if is_direct {
                self.call(&name);
            } else {
                self.address(6, &name);
                self.insn(0x8d, 6, 0, 0, 0);
            }
            self.check_result(batch, number, what, &prototype.result);
        }
        self.exit();
    }

    fn check_result(&mut self, batch: &Batch, number: usize, what: usize, result: &Value) {
        match result.ty {
            Type::Void => {}
            ty if !batch.is_by_pointer(ty) => {
                self.insn(0xbf, 6, 0, 0, 0);
                self.insn(0xbf, 7, 2, 0, 0);
                let words = words(&batch.structs, result, self.big_endian);
                for (index, (register, word)) in [6, 7].into_iter().zip(words).enumerate() {
                    self.insn(0xbf, 1, register, 0, 0);
                    self.check(number, what + index, word);
                }
            }
            _ => {
                for (index, (offset, piece)) in self.pieces(batch, result).into_iter().enumerate() {
                    self.load(piece.size, 1, 10, RESULT + offset);
                    self.check(number, what + index, piece.word);
                }
                let behind = RESULT + batch.structs.size(result.ty) as i16;
                self.load(8, 1, 10, behind);
                self.check(number, what + 900, Word { bits: CANARY, mask: u64::MAX });
            }
        }
    }

    /// The bytes of a struct, in pieces that one instruction loads or stores.
    fn pieces(&self, batch: &Batch, value: &Value) -> Vec<(i16, Piece)> {
        let (bytes, mask) = bytes(&batch.structs, value, self.big_endian);
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let left = bytes.len() - at;
            let size = [8, 4, 2, 1].into_iter().find(|&size| size <= left).expect("at least one byte");
            let of = |bytes: &[u8]| number(&bytes[at..at + size], self.big_endian, true);
            pieces.push((at as i16, Piece { size, word: Word { bits: of(&bytes), mask: of(&mask) } }));
            at += size;
        }
        pieces
    }
}

struct Piece {
    size: usize,
    word: Word,
}
