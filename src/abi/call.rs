//! Values across the border, as CLIF.
//!
//! | direction | integer of n < 64 bits | `double` |
//! |---|---|---|
//! | BPF to native | `ireduce.in`, `sextend`/`uextend` as the platform wants | `bitcast.f64` |
//! | native to BPF | `ireduce.in`, `sextend`/`uextend` to 64 bits for 8 and 16 bits, else as it is | `bitcast.i64` |

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::FunctionBuilder;
use target_lexicon::Architecture;

use super::parts::{Kind, Part};
use super::{Abi, WORD};

impl Abi {
    /// The native arguments of a call that passes these words.
    pub fn arguments(&self, builder: &mut FunctionBuilder<'_>, words: &[Value]) -> Vec<Value> {
        let parts: Vec<Part> = self.all_parts(words.len()).collect();
        parts.into_iter().map(|part| self.to_native(builder, part, words[part.word])).collect()
    }

    /// The BPF words of the native parameters of a function; a word that no parameter sets is `None`.
    pub fn parameters(&self, builder: &mut FunctionBuilder<'_>, values: &[Value]) -> Vec<Option<Value>> {
        let mut words = vec![None; self.words(0)];
        for (part, &value) in self.parts.iter().zip(values) {
            words[part.word] = Some(to_bpf(builder, *part, value));
        }
        words
    }

    /// The word of a call's native result, if it has one.
    pub fn result(&self, builder: &mut FunctionBuilder<'_>, results: &[Value]) -> Option<Value> {
        let (part, &value) = (self.result?, results.first()?);
        Some(match part.kind {
            // Callers extend narrow results themselves.
            Kind::Int { .. } => value,
            Kind::F32 | Kind::F64 => to_bpf(builder, part, value),
        })
    }

    /// The native results of a function that returns this word.
    pub fn results(&self, builder: &mut FunctionBuilder<'_>, word: Value) -> Vec<Value> {
        self.result.map(|part| self.to_native(builder, part, word)).into_iter().collect()
    }

    fn to_native(&self, builder: &mut FunctionBuilder<'_>, part: Part, word: Value) -> Value {
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

fn to_bpf(builder: &mut FunctionBuilder<'_>, part: Part, value: Value) -> Value {
    match part.kind {
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
