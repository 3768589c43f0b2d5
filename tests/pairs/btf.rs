//! The `.BTF` section of a batch (kernel `Documentation/bpf/btf.rst`).

use std::collections::HashMap;

use super::ctext::is_hidden;
use super::random::{Batch, Prototype};
use super::types::{Scalar, Type};

const INT: u32 = 1;
const POINTER: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;
const FLOAT: u32 = 16;

const STATIC: u32 = 0;
const GLOBAL: u32 = 1;
const EXTERN: u32 = 2;

/// Whether BTF leaves out the struct that the BPF function of this number returns, as that of LLVM 23 does, and DWARF
/// says it; both ways are tried.
pub fn is_in_dwarf(number: usize, prototype: &Prototype) -> bool {
    matches!(prototype.result.ty, Type::Struct(_)) && number % 4 < 2
}

/// Makes the section.
pub fn section(batch: &Batch, big_endian: bool) -> Vec<u8> {
    let mut writer =
        Writer { batch, big_endian, types: Vec::new(), count: 0, strings: vec![0], known: HashMap::new() };
    let int = Type::Scalar(Scalar::Int { bytes: 4, signed: true });
    let int = writer.of(int);
    let report = writer.function_type(&[int, int], false, 0);
    writer.function("report", report, EXTERN);
    let nothing = writer.function_type(&[], false, 0);
    let pointer = writer.of(Type::Scalar(Scalar::Pointer));
    let get = writer.function_type(&[], false, pointer);
    for (number, prototype) in batch.prototypes.iter().enumerate() {
        let parameters: Vec<u32> = prototype.parameters.iter().map(|value| writer.of(value.ty)).collect();
        let result = writer.of(prototype.result.ty);
        let of_import = writer.function_type(&parameters, prototype.tail.is_some(), result);
        writer.function(&format!("n{number}"), of_import, EXTERN);
        writer.function(&format!("call_n{number}"), nothing, GLOBAL);
        if prototype.tail.is_none() {
            let result = if is_in_dwarf(number, prototype) { 0 } else { result };
            let of_callee = writer.function_type(&parameters, false, result);
            let linkage = if is_hidden(number) { STATIC } else { GLOBAL };
            writer.function(&format!("b{number}"), of_callee, linkage);
            if is_hidden(number) {
                writer.function(&format!("get_b{number}"), get, GLOBAL);
            }
        }
    }
    writer.finish()
}

struct Writer<'a> {
    batch: &'a Batch,
    big_endian: bool,
    types: Vec<u8>,
    count: u32,
    strings: Vec<u8>,
    known: HashMap<String, u32>,
}

impl Writer<'_> {
    fn words(&mut self, words: &[u32]) {
        for word in words {
            let bytes = if self.big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
            self.types.extend(bytes);
        }
    }

    fn string(&mut self, text: &str) -> u32 {
        let at = self.strings.len() as u32;
        self.strings.extend(text.bytes().chain([0]));
        at
    }

    /// A type's three words, and what its kind adds.
    fn add(&mut self, name: &str, kind: u32, flag: bool, length: usize, third: u32, more: &[u32]) -> u32 {
        let name = if name.is_empty() { 0 } else { self.string(name) };
        self.words(&[name, u32::from(flag) << 31 | kind << 24 | length as u32, third]);
        self.words(more);
        self.count += 1;
        self.count
    }

    /// The id of a type, made once.
    fn of(&mut self, ty: Type) -> u32 {
        let name = self.batch.structs.name(ty);
        if let Some(&known) = self.known.get(&name) {
            return known;
        }
        let id = match ty {
            Type::Void => 0,
            Type::Scalar(scalar) => self.scalar(scalar),
            Type::Struct(index) => self.structure(index),
        };
        self.known.insert(name, id);
        id
    }

    fn scalar(&mut self, scalar: Scalar) -> u32 {
        let (name, size) = (scalar.name(), scalar.size() as u32);
        let signed = u32::from(scalar.is_signed());
        match scalar {
            Scalar::Bool => self.add(name, INT, false, 0, size, &[4 << 24 | 8]),
            Scalar::Int { .. } | Scalar::Int128 { .. } => {
                self.add(name, INT, false, 0, size, &[(signed << 24) | (8 * size)])
            }
            Scalar::Enum { signed } => self.add(&name[5..], ENUM, signed, 0, size, &[]),
            Scalar::Pointer => self.add("", POINTER, false, 0, 0, &[]),
            Scalar::Float | Scalar::Double => self.add(name, FLOAT, false, 0, size, &[]),
        }
    }

    fn structure(&mut self, index: usize) -> u32 {
        let of = &self.batch.structs.0[index];
        let (offsets, size) = self.batch.structs.layout(index);
        let mut members = Vec::new();
        for (number, (member, offset)) in of.members.iter().zip(offsets).enumerate() {
            let mut ty = self.of(member.ty);
            if member.count > 0 {
                let index = self.of(Type::Scalar(Scalar::Int { bytes: 4, signed: true }));
                ty = self.add("", ARRAY, false, 0, 0, &[ty, index, member.count as u32]);
            }
            members.extend([self.string(&format!("f{number}")), ty, 8 * offset as u32]);
        }
        let kind = if of.is_union { UNION } else { STRUCT };
        self.add(&format!("s{index}"), kind, false, of.members.len(), size as u32, &members)
    }

    fn function_type(&mut self, parameters: &[u32], variadic: bool, result: u32) -> u32 {
        let mut more: Vec<u32> = parameters.iter().flat_map(|&ty| [0, ty]).collect();
        if variadic {
            more.extend([0, 0]);
        }
        self.add("", FUNC_PROTO, false, more.len() / 2, result, &more)
    }

    fn function(&mut self, name: &str, ty: u32, linkage: u32) {
        self.add(name, FUNC, false, linkage as usize, ty, &[]);
    }

    /// The header, the types, the strings.
    fn finish(mut self) -> Vec<u8> {
        let types = std::mem::take(&mut self.types);
        let length = types.len() as u32;
        let magic = if self.big_endian { [0xeb, 0x9f] } else { [0x9f, 0xeb] };
        self.types.extend(magic);
        self.types.extend([1, 0]);
        self.words(&[24, 0, length, length, self.strings.len() as u32]);
        self.types.extend(types);
        self.types.extend(&self.strings);
        self.types
    }
}
