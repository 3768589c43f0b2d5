//! Types at run time: what `bpf_snprintf_btf` and `bpf_seq_printf_btf` of the runtime print by (`runtime/helpers/types.h`).
//!
//! In: the types of the target, if there is one, and of the given objects. Out: read-only data, to which the runtime's pointer goes, in
//! a program that has that pointer; programs that do not print values by their types have none of it.
//!
//! The rule: a type of the target keeps its number there, as the kernel's loader gives it to programs; types of the objects come behind,
//! object by object, and so the code of an object gets other numbers than the compiler's (`btf::core::number_types`) unless it is the first,
//! and there is no target.

use std::collections::HashMap;

use super::block::Block;
use super::pointers;
use crate::btf::{Btf, Kind, TypeId};
use crate::program::{Endianness, FileId, Program, Target};

/// The runtime's pointer to the tables.
const POINTER: &str = "bpf2native_rt_types";
const SECTION: &str = ".data.rel.ro.types";

/// The tables of one program.
pub(super) struct TypeTables<'a> {
    endianness: Endianness,
    types: Vec<u8>,
    count: u32,
    parts: Vec<u8>,
    part_count: u32,
    text: Vec<u8>,
    /// Where each name is.
    names: HashMap<&'a str, u32>,
}

/// Whether a program asks for tables.
pub(super) fn are_wanted(program: &Program) -> bool {
    pointers::file(program, POINTER).is_some()
}

/// Gives them to a program that asks for them.
pub(super) fn add<'a>(types: impl IntoIterator<Item = &'a Btf>, program: &mut Program) {
    let Some(file) = pointers::file(program, POINTER) else { return };
    let mut tables = TypeTables {
        endianness: program.endianness,
        types: Vec::new(),
        count: 0,
        parts: Vec::new(),
        part_count: 0,
        text: vec![0],
        names: HashMap::from([("", 0)]),
    };
    // The first is void, once for all.
    tables.add_type(0, [0; 5], [0; 4]);
    for btf in types {
        tables.add(btf);
    }
    tables.finish(file, program);
}

impl<'a> TypeTables<'a> {
    /// Adds the types of an object.
    fn add(&mut self, btf: &'a Btf) {
        let base = self.count - 1;
        let number = |ty: TypeId| if ty == TypeId::VOID { 0 } else { base.saturating_add(ty.0) };
        for (_, ty) in btf.types() {
            let name = self.name(btf.name(ty.name));
            let first = self.part_count;
            // What it is of, its size, how many parts, the first of them; bits, and where they begin, signedness.
            let (of, size, count, bits) = match ty.kind {
                Kind::Int(int) => (0, int.bytes, 0, [int.bits, int.bit_offset, u8::from(int.signed)]),
                Kind::Pointer(of) => (number(of), 8, 0, [0; 3]),
                Kind::Array(array) => (number(array.element), 0, array.count, [0; 3]),
                Kind::Struct(composite) | Kind::Union(composite) => {
                    let members = btf.members(composite);
                    for member in members {
                        let name = self.name(btf.name(member.name));
                        self.add_part([name, number(member.ty), member.bit_offset, member.bit_size.into()]);
                    }
                    (0, composite.bytes, members.len() as u32, [0; 3])
                }
                Kind::Enum(all) | Kind::Enum64(all) => {
                    let enumerators = btf.enumerators(all);
                    for enumerator in enumerators {
                        let name = self.name(btf.name(enumerator.name));
                        self.add_part([name, enumerator.value as u32, (enumerator.value >> 32) as u32, 0]);
                    }
                    (0, all.bytes, enumerators.len() as u32, [0, 0, u8::from(all.signed)])
                }
                Kind::Float { bytes } => (0, bytes, 0, [0; 3]),
                kind => (kind.modified().map_or(0, number), 0, 0, [0; 3]),
            };
            let [bits, bit_offset, signed] = bits;
            self.add_type(name, [kind_number(ty.kind), of, size, count, first], [bits, bit_offset, signed, 0]);
        }
    }

    /// Puts the tables into the program.
    fn finish(self, file: FileId, program: &mut Program) {
        let mut block = Block::default();
        let header = block.add(32);
        block.put(header + 24, &self.endianness.double_word(u64::from(self.count)));
        let tables = [(0, &self.types), (8, &self.parts), (16, &self.text)];
        let places = tables.map(|(field, bytes)| {
            let at = block.add(bytes.len() as u64);
            block.put(at, bytes);
            (header + field, at)
        });
        let section = program.data.push(Block::default().into_constants(file, SECTION));
        for (field, at) in places {
            block.refer(field, Target::Data { section, offset: at.cast_signed() });
        }
        program.data[section] = block.into_constants(file, SECTION);
        pointers::set(program, POINTER, Target::Data { section, offset: header.cast_signed() });
    }

    /// Where a name is, as an offset into the text. Names that do not fit into 4 GiB are none.
    fn name(&mut self, name: &'a str) -> u32 {
        let text = &mut self.text;
        *self.names.entry(name).or_insert_with(|| {
            let Ok(at) = u32::try_from(text.len()) else { return 0 };
            text.extend(name.as_bytes());
            text.push(0);
            at
        })
    }

    /// Adds a `struct type`.
    fn add_type(&mut self, name: u32, [kind, of, size, count, first]: [u32; 5], bits: [u8; 4]) {
        self.count = self.count.saturating_add(1);
        let words = [name, kind, of, size, count, first];
        self.types.extend(words.iter().flat_map(|&word| self.endianness.word(word)));
        self.types.extend(bits);
    }

    /// Adds a `struct part`.
    fn add_part(&mut self, words: [u32; 4]) {
        self.part_count = self.part_count.saturating_add(1);
        self.parts.extend(words.iter().flat_map(|&word| self.endianness.word(word)));
    }
}

/// `BTF_KIND_*`.
fn kind_number(kind: Kind) -> u32 {
    match kind {
        Kind::Void => 0,
        Kind::Int(_) => 1,
        Kind::Pointer(_) => 2,
        Kind::Array(_) => 3,
        Kind::Struct(_) => 4,
        Kind::Union(_) => 5,
        Kind::Enum(_) => 6,
        Kind::Forward { .. } => 7,
        Kind::Typedef(_) => 8,
        Kind::Volatile(_) => 9,
        Kind::Const(_) => 10,
        Kind::Restrict(_) => 11,
        Kind::Function { .. } => 12,
        Kind::FunctionPrototype(_) => 13,
        Kind::Variable { .. } => 14,
        Kind::DataSection { .. } => 15,
        Kind::Float { .. } => 16,
        Kind::DeclTag { .. } => 17,
        Kind::TypeTag(_) => 18,
        Kind::Enum64(_) => 19,
        Kind::Unknown { kind } => kind.into(),
    }
}
