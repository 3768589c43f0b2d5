//! The DWARF of a batch: what its functions return, where BTF leaves that out.

use std::collections::HashMap;

use gimli::write::{AttributeValue, DwarfUnit, EndianVec, Sections, UnitEntryId};
use gimli::{
    DW_AT_byte_size, DW_AT_count, DW_AT_data_member_location, DW_AT_encoding, DW_AT_name, DW_AT_producer,
    DW_AT_type,
};
use gimli::{
    DW_TAG_array_type, DW_TAG_base_type, DW_TAG_enumeration_type, DW_TAG_member, DW_TAG_pointer_type,
    DW_TAG_structure_type, DW_TAG_subprogram, DW_TAG_subrange_type, DW_TAG_union_type,
};
use gimli::{Encoding, Format, RunTimeEndian};

use super::btf::is_in_dwarf;
use super::random::Batch;
use super::types::{Scalar, Type};

/// Names and bytes of the sections.
pub fn sections(batch: &Batch, big_endian: bool) -> Vec<(&'static str, Vec<u8>)> {
    let encoding = Encoding { format: Format::Dwarf32, version: 5, address_size: 8 };
    let mut writer = Writer { batch, dwarf: DwarfUnit::new(encoding), known: HashMap::new() };
    let producer = if batch.structs_in_registers { "clang version 23.1.0" } else { "clang version 22.1.8" };
    let root = writer.dwarf.unit.root();
    writer.set(root, DW_AT_producer, AttributeValue::String(producer.into()));
    for (number, prototype) in batch.prototypes.iter().enumerate() {
        if prototype.tail.is_none() && is_in_dwarf(number, prototype) {
            let ty = writer.of(prototype.result.ty);
            let function = writer.add(DW_TAG_subprogram, &format!("b{number}"));
            writer.set(function, DW_AT_type, AttributeValue::UnitRef(ty));
        }
    }
    let endian = if big_endian { RunTimeEndian::Big } else { RunTimeEndian::Little };
    let mut sections = Sections::new(EndianVec::new(endian));
    writer.dwarf.write(&mut sections).expect("DWARF without addresses");
    let mut all = Vec::new();
    sections
        .for_each(|id, data| -> Result<(), ()> {
            if !data.slice().is_empty() {
                all.push((id.name(), data.slice().to_vec()));
            }
            Ok(())
        })
        .expect("nothing fails");
    all
}

struct Writer<'a> {
    batch: &'a Batch,
    dwarf: DwarfUnit,
    known: HashMap<String, UnitEntryId>,
}

impl Writer<'_> {
    fn add(&mut self, tag: gimli::DwTag, name: &str) -> UnitEntryId {
        let root = self.dwarf.unit.root();
        self.add_to(root, tag, name)
    }

    fn add_to(&mut self, parent: UnitEntryId, tag: gimli::DwTag, name: &str) -> UnitEntryId {
        let id = self.dwarf.unit.add(parent, tag);
        if !name.is_empty() {
            self.set(id, DW_AT_name, AttributeValue::String(name.into()));
        }
        id
    }

    fn set(&mut self, id: UnitEntryId, name: gimli::DwAt, value: AttributeValue) {
        self.dwarf.unit.get_mut(id).set(name, value);
    }

    fn of(&mut self, ty: Type) -> UnitEntryId {
        let name = self.batch.structs.name(ty);
        if let Some(&known) = self.known.get(&name) {
            return known;
        }
        let size = self.batch.structs.size(ty) as u64;
        let id = match ty {
            Type::Void => unreachable!("a function without a result is not in DWARF"),
            Type::Scalar(Scalar::Pointer) => self.add(DW_TAG_pointer_type, ""),
            Type::Scalar(scalar) => {
                let tag = match scalar {
                    Scalar::Enum { .. } => DW_TAG_enumeration_type,
                    _ => DW_TAG_base_type,
                };
                let id = self.add(tag, scalar.name());
                let encoding = match scalar {
                    Scalar::Bool => gimli::DW_ATE_boolean,
                    Scalar::Float | Scalar::Double => gimli::DW_ATE_float,
                    _ if scalar.is_signed() => gimli::DW_ATE_signed,
                    _ => gimli::DW_ATE_unsigned,
                };
                if tag == DW_TAG_base_type {
                    self.set(id, DW_AT_encoding, AttributeValue::Encoding(encoding));
                }
                id
            }
            Type::Struct(index) => {
                let is_union = self.batch.structs.0[index].is_union;
                let tag = if is_union { DW_TAG_union_type } else { DW_TAG_structure_type };
                let id = self.add(tag, &format!("s{index}"));
                self.members(id, index);
                id
            }
        };
        self.set(id, DW_AT_byte_size, AttributeValue::Udata(size));
        self.known.insert(name, id);
        id
    }

    fn members(&mut self, parent: UnitEntryId, index: usize) {
        let (offsets, _) = self.batch.structs.layout(index);
        for (member, offset) in self.batch.structs.0[index].members.iter().zip(offsets) {
            let mut ty = self.of(member.ty);
            if member.count > 0 {
                let array = self.add(DW_TAG_array_type, "");
                self.set(array, DW_AT_type, AttributeValue::UnitRef(ty));
                let range = self.add_to(array, DW_TAG_subrange_type, "");
                self.set(range, DW_AT_count, AttributeValue::Udata(member.count as u64));
                ty = array;
            }
            let entry = self.add_to(parent, DW_TAG_member, "");
            self.set(entry, DW_AT_type, AttributeValue::UnitRef(ty));
            self.set(entry, DW_AT_data_member_location, AttributeValue::Udata(offset as u64));
        }
    }
}
