//! Values across the border, as CLIF.
//!
//! | direction | integer of n < 64 bits | `double` | part of a struct |
//! |---|---|---|---|
//! | BPF to native | `ireduce.in`, `sextend`/`uextend` as the platform wants | `bitcast.f64` | `ushr` to its byte first |
//! | native to BPF | the same to 64 bits for 8 and 16 bits, else as it is | `bitcast.i64` | `ishl`, `bor` into its word |
//!
//! A struct result is a pointer in BPF's first word. Where it comes back in registers natively, a caller stores them
//! through the pointer, and a callee gets a pointer to a stack slot of its own and loads them at its end. Or it is in r0 and
//! r2: then its parts are those of an argument, and what goes through a pointer natively is put there by the callee and
//! loaded by the caller.
//!
//! What goes by the address of a copy is copied into a stack slot by the caller, and out of it by the callee.

use cranelift_codegen::ir::{
    InstBuilder, MemFlagsData, StackSlot, StackSlotData, StackSlotKind, Type, Value, types,
};
use cranelift_frontend::FunctionBuilder;
use target_lexicon::Architecture;

use super::Abi;
use super::parts::{Part, PartKind, ResultAbi};
use super::place::ArgumentSlot;
use super::platform::WORD;

/// The words that a call returns.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResultWords {
    /// r0.
    pub first: Option<Value>,
    /// r2, for a result of 128 bits.
    pub second: Option<Value>,
}

/// The native arguments of a call.
#[derive(Clone, Debug)]
pub struct NativeArguments {
    /// In the order of the signature.
    pub values: Vec<Value>,
    /// Where the callee puts a result that BPF has in r0 and r2.
    pair: Option<StackSlot>,
}

/// What a function has at its entry.
#[derive(Clone, Debug, Default)]
pub struct EntryValues {
    /// The words of its parameters; one that no parameter sets is `None`.
    pub words: Vec<Option<Value>>,
    /// Where its result is put, if it is a struct that goes back in registers.
    result: Option<StackSlot>,
    /// Where its result goes that BPF has in r0 and r2, if that is in memory.
    pair: Option<Value>,
}

impl Abi {
    /// The native arguments of a call that passes these words.
    pub fn arguments(&self, builder: &mut FunctionBuilder<'_>, words: &[Value]) -> NativeArguments {
        let mut pair = None;
        let values = self.slots(words.len()).into_iter().map(|slot| match slot {
            ArgumentSlot::Result => words[0],
            ArgumentSlot::PairResult | ArgumentSlot::WordsResult => {
                let slot = stack_slot(builder, 2);
                pair = Some(slot);
                builder.ins().stack_addr(WORD, slot, 0)
            }
            ArgumentSlot::Part(part) => self.part_of(builder, part, words),
            ArgumentSlot::Reference { word, size } => self.copy_of(builder, &words[word..], size),
            ArgumentSlot::Padding => builder.ins().iconst(WORD, 0),
            ArgumentSlot::FloatPadding => builder.ins().f64const(0.0),
        });
        NativeArguments { values: values.collect(), pair }
    }

    /// The BPF words of the native parameters of a function.
    pub fn enter(&self, builder: &mut FunctionBuilder<'_>, values: &[Value]) -> EntryValues {
        let mut entered = EntryValues { words: vec![None; self.words], result: None, pair: None };
        if let ResultAbi::Registers { size, .. } = &self.result {
            let slot = stack_slot(builder, size.div_ceil(8));
            entered.words[0] = Some(builder.ins().stack_addr(WORD, slot, 0));
            entered.result = Some(slot);
        }
        for (slot, &value) in self.slots(self.words).into_iter().zip(values) {
            match slot {
                ArgumentSlot::Result => entered.words[0] = Some(value),
                ArgumentSlot::PairResult | ArgumentSlot::WordsResult => entered.pair = Some(value),
                ArgumentSlot::Part(part) => add_part(builder, &mut entered.words, part, value),
                ArgumentSlot::Reference { word, size } => {
                    for (index, value) in self.words_at(builder, value, size).into_iter().enumerate() {
                        entered.words[word + index] = Some(value);
                    }
                }
                ArgumentSlot::Padding | ArgumentSlot::FloatPadding => {}
            }
        }
        entered
    }

    /// The address of a copy of `size` bytes that these words have.
    fn copy_of(&self, builder: &mut FunctionBuilder<'_>, words: &[Value], size: u32) -> Value {
        let count = size.div_ceil(8);
        let slot = stack_slot(builder, count);
        for (index, &word) in (0i32..).zip(words).take(count as usize) {
            let mut word = word;
            if let Some(unused) = self.left_of_integer(size) {
                word = builder.ins().ishl_imm_u(word, unused);
            }
            let address = builder.ins().stack_addr(WORD, slot, index * 8);
            builder.ins().store(MemFlagsData::new(), word, address, 0);
        }
        builder.ins().stack_addr(WORD, slot, 0)
    }

    /// The words of the `size` bytes at an address, and no byte after them.
    fn words_at(&self, builder: &mut FunctionBuilder<'_>, address: Value, size: u32) -> Vec<Value> {
        let flags = MemFlagsData::new();
        let count = size.div_ceil(8);
        let slot = stack_slot(builder, count);
        for (at, ty) in pieces(size) {
            let piece = builder.ins().load(ty, flags, address, at);
            let to = builder.ins().stack_addr(WORD, slot, at);
            builder.ins().store(flags, piece, to, 0);
        }
        let word = |index| {
            let from = builder.ins().stack_addr(WORD, slot, index * 8);
            let word = builder.ins().load(WORD, flags, from, 0);
            match self.left_of_integer(size) {
                Some(unused) => builder.ins().ushr_imm_u(word, unused),
                None => word,
            }
        };
        (0..count as i32).map(word).collect()
    }

    /// How many bits of a word of memory come before a struct of less than 8 bytes, which is an integer in BPF.
    fn left_of_integer(&self, size: u32) -> Option<i64> {
        let is_big_endian = self.platform.architecture == Architecture::S390x;
        (is_big_endian && size < 8).then(|| i64::from(64 - 8 * size))
    }

    /// The words of a call's native results; `words` are those that it passed, and `arguments` what they became.
    pub fn result(
        &self,
        builder: &mut FunctionBuilder<'_>,
        results: &[Value],
        words: &[Value],
        arguments: &NativeArguments,
    ) -> ResultWords {
        match &self.result {
            ResultAbi::Nothing => ResultWords::default(),
            ResultAbi::Word(kind) => {
                let word = match kind {
                    // Callers extend narrow results themselves.
                    PartKind::Int { .. } => results[0],
                    PartKind::F32 | PartKind::F64 => to_bpf(builder, *kind, results[0]),
                };
                ResultWords { first: Some(word), second: None }
            }
            ResultAbi::Pair => ResultWords { first: Some(results[0]), second: Some(results[1]) },
            ResultAbi::PairInMemory => {
                let load = |offset| {
                    let address = builder.ins().stack_addr(WORD, arguments.pair?, offset);
                    Some(builder.ins().load(WORD, MemFlagsData::new(), address, 0))
                };
                let [first, second] = [0, 8].map(load);
                ResultWords { first, second }
            }
            ResultAbi::Parts { parts, .. } => {
                let mut words = [None; 2];
                for (&part, &value) in parts.iter().zip(results) {
                    add_part(builder, &mut words, part, value);
                }
                let [first, second] = words;
                ResultWords { first, second }
            }
            &ResultAbi::WordsInMemory { size } => {
                let mut load = |index: u32| {
                    let address = builder.ins().stack_addr(WORD, arguments.pair?, index as i32 * 8);
                    let word = builder.ins().load(WORD, MemFlagsData::new(), address, 0);
                    Some(match self.left_of_integer(size) {
                        Some(unused) => builder.ins().ushr_imm_u(word, unused),
                        None => word,
                    })
                };
                let [first, second] = [0, 1].map(|index| if index * 8 < size { load(index) } else { None });
                ResultWords { first, second }
            }
            ResultAbi::Registers { size, parts } => {
                for (part, &value) in parts.iter().zip(results) {
                    store_part(builder, *part, value, words[0], *size);
                }
                ResultWords { first: Some(words[0]), second: None }
            }
            ResultAbi::Memory => ResultWords { first: Some(words[0]), second: None },
        }
    }

    /// The native results of a function that returns these words, as many as [`Abi::returned_words`].
    pub fn results(&self, builder: &mut FunctionBuilder<'_>, entered: &EntryValues, words: &[Value]) -> Vec<Value> {
        match (&self.result, entered.result) {
            (ResultAbi::Word(kind), _) => {
                vec![self.to_native(builder, *kind, words[0])]
            }
            (ResultAbi::Pair, _) => words.to_vec(),
            (ResultAbi::PairInMemory, _) => {
                if let Some(pointer) = entered.pair {
                    builder.ins().store(MemFlagsData::new(), words[0], pointer, 0);
                    builder.ins().store(MemFlagsData::new(), words[1], pointer, 8);
                }
                Vec::new()
            }
            (ResultAbi::Parts { parts, .. }, _) => {
                parts.iter().map(|&part| self.part_of(builder, part, words)).collect()
            }
            (&ResultAbi::WordsInMemory { size }, _) => {
                if let Some(pointer) = entered.pair {
                    self.store_words(builder, pointer, words, size);
                }
                Vec::new()
            }
            (ResultAbi::Registers { parts, .. }, Some(slot)) => {
                let load = |part: &Part| {
                    let address = builder.ins().stack_addr(WORD, slot, part.offset());
                    builder.ins().load(part.kind.ty(), MemFlagsData::new(), address, 0)
                };
                parts.iter().map(load).collect()
            }
            // The platforms that want the pointer back have it from Cranelift.
            (ResultAbi::Nothing | ResultAbi::Registers { .. } | ResultAbi::Memory, _) => Vec::new(),
        }
    }

    /// A native value that has bytes of these words.
    fn part_of(&self, builder: &mut FunctionBuilder<'_>, part: Part, words: &[Value]) -> Value {
        let mut word = words[part.word];
        if part.byte > 0 {
            word = builder.ins().ushr_imm_u(word, part.shift());
        }
        if let Some(&next) = words.get(part.word + 1).filter(|_| part.crosses()) {
            let high = builder.ins().ishl_imm_u(next, 64 - part.shift());
            word = builder.ins().bor(word, high);
        }
        self.to_native(builder, part.kind, word)
    }

    /// Stores the `size` bytes that these words have through a pointer, and no byte after them.
    fn store_words(&self, builder: &mut FunctionBuilder<'_>, pointer: Value, words: &[Value], size: u32) {
        let flags = MemFlagsData::new();
        let copy = self.copy_of(builder, words, size);
        for (at, ty) in pieces(size) {
            let piece = builder.ins().load(ty, flags, copy, at);
            builder.ins().store(flags, piece, pointer, at);
        }
    }

    fn to_native(&self, builder: &mut FunctionBuilder<'_>, kind: PartKind, word: Value) -> Value {
        match kind {
            PartKind::Int { bits: 64.., .. } => word,
            PartKind::Int { bits, signed } => match self.platform.architecture {
                Architecture::S390x => extend(builder, word, bits, signed, WORD),
                Architecture::Riscv64(_) => {
                    let low = extend(builder, word, bits, signed, types::I32);
                    builder.ins().sextend(WORD, low)
                }
                _ if bits >= 32 => word,
                _ => {
                    let low = extend(builder, word, bits, signed, types::I32);
                    builder.ins().uextend(WORD, low)
                }
            },
            PartKind::F64 => builder.ins().bitcast(types::F64, MemFlagsData::new(), word),
            PartKind::F32 => {
                let low = builder.ins().ireduce(types::I32, word);
                builder.ins().bitcast(types::F32, MemFlagsData::new(), low)
            }
        }
    }
}

/// Stores a register of a struct of `size` bytes through a pointer, and no byte after the struct.
fn store_part(builder: &mut FunctionBuilder<'_>, part: Part, value: Value, pointer: Value, size: u32) {
    let flags = MemFlagsData::new();
    let left = size as i32 - part.offset();
    if left >= part.kind.ty().bytes() as i32 {
        builder.ins().store(flags, value, pointer, part.offset());
        return;
    }
    let mut rest = to_bpf(builder, part.kind, value);
    let mut at = 0;
    for bytes in [4, 2, 1] {
        if left & bytes != 0 {
            let offset = part.offset() + at;
            match bytes {
                4 => builder.ins().istore32(flags, rest, pointer, offset),
                2 => builder.ins().istore16(flags, rest, pointer, offset),
                _ => builder.ins().istore8(flags, rest, pointer, offset),
            };
            rest = builder.ins().ushr_imm_u(rest, i64::from(bytes) * 8);
            at += bytes;
        }
    }
}

/// Offsets and types of the accesses that make up so many bytes.
fn pieces(size: u32) -> impl Iterator<Item = (i32, Type)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let ty = match size - at {
            0 => return None,
            8.. => WORD,
            4.. => types::I32,
            2.. => types::I16,
            _ => types::I8,
        };
        let piece = (at as i32, ty);
        at += ty.bytes();
        Some(piece)
    })
}

/// Puts a native value into the bytes of words that it is.
fn add_part(builder: &mut FunctionBuilder<'_>, words: &mut [Option<Value>], part: Part, value: Value) {
    let mut add = |builder: &mut FunctionBuilder<'_>, word: usize, value| {
        let Some(word) = words.get_mut(word) else { return };
        *word = Some(match *word {
            Some(rest) => builder.ins().bor(rest, value),
            None => value,
        });
    };
    let mut value =
        if part.member { member_to_bpf(builder, part.kind, value) } else { to_bpf(builder, part.kind, value) };
    if part.crosses() {
        let high = builder.ins().ushr_imm_u(value, 64 - part.shift());
        add(builder, part.word + 1, high);
    }
    if part.byte > 0 {
        value = builder.ins().ishl_imm_u(value, part.shift());
    }
    add(builder, part.word, value);
}

/// A stack slot of so many words.
fn stack_slot(builder: &mut FunctionBuilder<'_>, words: u32) -> StackSlot {
    builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, words * WORD.bytes(), 4))
}

/// The bits of a struct's member, and zeros above them.
fn member_to_bpf(builder: &mut FunctionBuilder<'_>, kind: PartKind, value: Value) -> Value {
    match kind {
        PartKind::Int { bits: bits @ ..64, .. } => extend(builder, value, bits, false, WORD),
        kind => to_bpf(builder, kind, value),
    }
}

fn to_bpf(builder: &mut FunctionBuilder<'_>, kind: PartKind, value: Value) -> Value {
    match kind {
        PartKind::Int { bits: 32.., .. } => value,
        PartKind::Int { bits, signed } => extend(builder, value, bits, signed, WORD),
        PartKind::F64 => builder.ins().bitcast(WORD, MemFlagsData::new(), value),
        PartKind::F32 => {
            let low = builder.ins().bitcast(types::I32, MemFlagsData::new(), value);
            builder.ins().uextend(WORD, low)
        }
    }
}

/// The low `bits` of a word, extended to `to`.
fn extend(builder: &mut FunctionBuilder<'_>, word: Value, bits: u8, signed: bool, to: Type) -> Value {
    let narrow = match bits {
        8 => types::I8,
        16 => types::I16,
        _ => types::I32,
    };
    let low = builder.ins().ireduce(narrow, word);
    if narrow == to {
        low
    } else if signed {
        builder.ins().sextend(to, low)
    } else {
        builder.ins().uextend(to, low)
    }
}
