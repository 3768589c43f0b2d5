//! Values across the border, as CLIF.
//!
//! | direction | integer of n < 64 bits | `double` | part of a struct |
//! |---|---|---|---|
//! | BPF to native | `ireduce.in`, `sextend`/`uextend` as the platform wants | `bitcast.f64` | `ushr` to its byte first |
//! | native to BPF | the same to 64 bits for 8 and 16 bits, else as it is | `bitcast.i64` | `ishl`, `bor` into its word |
//!
//! A struct result is a pointer in BPF's first word. Where it comes back in registers natively, a caller stores them
//! through the pointer, and a callee gets a pointer to a stack slot of its own and loads them at its end.

use cranelift_codegen::ir::{
    InstBuilder, MemFlagsData, StackSlot, StackSlotData, StackSlotKind, Type, Value, types,
};
use cranelift_frontend::FunctionBuilder;
use target_lexicon::Architecture;

use super::parts::{Kind, Part, ResultAbi};
use super::{Abi, WORD};

/// The words that a call returns.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResultWords {
    /// r0.
    pub low: Option<Value>,
    /// r2, for a result of 128 bits.
    pub high: Option<Value>,
}

/// What a function has at its entry.
#[derive(Clone, Debug, Default)]
pub struct Entered {
    /// The words of its parameters; one that no parameter sets is `None`.
    pub words: Vec<Option<Value>>,
    /// Where its result is put, if it is a struct that goes back in registers.
    result: Option<StackSlot>,
}

impl Abi {
    /// The native arguments of a call that passes these words.
    pub fn arguments(&self, builder: &mut FunctionBuilder<'_>, words: &[Value]) -> Vec<Value> {
        let hidden = (self.result == ResultAbi::Memory).then(|| words[0]);
        let parts: Vec<Part> = self.all_parts(words.len()).collect();
        let parts = parts.into_iter().map(|part| self.to_native(builder, part, words[part.word]));
        hidden.into_iter().chain(parts).collect()
    }

    /// The BPF words of the native parameters of a function.
    pub fn enter(&self, builder: &mut FunctionBuilder<'_>, values: &[Value]) -> Entered {
        let mut entered = Entered { words: vec![None; self.words(0)], result: None };
        let mut values = values.iter().copied();
        match &self.result {
            ResultAbi::Memory => entered.words[0] = values.next(),
            ResultAbi::Registers { size, .. } => {
                let size = size.next_multiple_of(8);
                let slot =
                    builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, 3));
                entered.words[0] = Some(builder.ins().stack_addr(WORD, slot, 0));
                entered.result = Some(slot);
            }
            ResultAbi::Word(_) | ResultAbi::Pair => {}
        }
        for (part, value) in self.parts.iter().zip(values) {
            let mut value = to_bpf(builder, part.kind, value);
            if part.byte > 0 {
                value = builder.ins().ishl_imm_u(value, i64::from(part.byte) * 8);
            }
            let word = &mut entered.words[part.word];
            *word = Some(match *word {
                Some(rest) => builder.ins().bor(rest, value),
                None => value,
            });
        }
        entered
    }

    /// The words of a call's native results; `words` are those that it passed.
    pub fn result(&self, builder: &mut FunctionBuilder<'_>, results: &[Value], words: &[Value]) -> ResultWords {
        match &self.result {
            ResultAbi::Word(kind) => {
                let low = match kind {
                    // Callers extend narrow results themselves.
                    Kind::Int { .. } => results[0],
                    Kind::F32 | Kind::F64 => to_bpf(builder, *kind, results[0]),
                };
                ResultWords { low: Some(low), high: None }
            }
            ResultAbi::Pair => ResultWords { low: Some(results[0]), high: Some(results[1]) },
            ResultAbi::Registers { size, parts } => {
                for (part, &value) in parts.iter().zip(results) {
                    store_part(builder, *part, value, words[0], *size);
                }
                ResultWords { low: Some(words[0]), high: None }
            }
            ResultAbi::Memory => ResultWords { low: Some(words[0]), high: None },
        }
    }

    /// The native results of a function that returns these words.
    pub fn results(
        &self,
        builder: &mut FunctionBuilder<'_>,
        entered: &Entered,
        [low, high]: [Value; 2],
    ) -> Vec<Value> {
        match (&self.result, entered.result) {
            (ResultAbi::Word(kind), _) => {
                vec![self.to_native(builder, Part { word: 0, byte: 0, kind: *kind }, low)]
            }
            (ResultAbi::Pair, _) => vec![low, high],
            (ResultAbi::Registers { parts, .. }, Some(slot)) => {
                let load = |part: &Part| {
                    let address = builder.ins().stack_addr(WORD, slot, part.offset());
                    builder.ins().load(part.kind.ty(), MemFlagsData::new(), address, 0)
                };
                parts.iter().map(load).collect()
            }
            // The platforms that want the pointer back have it from Cranelift.
            (ResultAbi::Registers { .. } | ResultAbi::Memory, _) => Vec::new(),
        }
    }

    fn to_native(&self, builder: &mut FunctionBuilder<'_>, part: Part, word: Value) -> Value {
        let word = match part.byte {
            0 => word,
            byte => builder.ins().ushr_imm_u(word, i64::from(byte) * 8),
        };
        match part.kind {
            Kind::Int { bits: 64.., .. } => word,
            Kind::Int { bits, signed } => match self.platform.architecture {
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
            Kind::F64 => builder.ins().bitcast(types::F64, MemFlagsData::new(), word),
            Kind::F32 => {
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

fn to_bpf(builder: &mut FunctionBuilder<'_>, kind: Kind, value: Value) -> Value {
    match kind {
        Kind::Int { bits: 32.., .. } => value,
        Kind::Int { bits, signed } => extend(builder, value, bits, signed, WORD),
        Kind::F64 => builder.ins().bitcast(WORD, MemFlagsData::new(), value),
        Kind::F32 => {
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
