//! The types of functions, by DWARF, where BTF does not say them or cannot be believed: the object's own `.debug_info`
//! (of `-g`) is asked for a `DW_TAG_subprogram` of the function's linkage name, or of its name.
//!
//! In: the objects, and names of functions. Out: for each name that is found, what it is said to be. What of that is
//! taken is decided in [`super::prototypes`]. And `struct_results` of the program (`producer`).
//!
//! | file | owns |
//! |---|---|
//! | `mod` | sections, units, the entries that matter |
//! | `types` | entries to [`CType`] |
//! | `alignment` | alignments of frames |
//! | `producer` | the compiler's version |
//! | `lines` | source lines |
//! | `entry_registers` | where parameters are when functions are entered |
//!
//! Rules:
//! - DWARF is a help and not a part of the program: what is damaged, or not known here, says nothing.
//! - Two functions of one name of different types say nothing of it.
//! - The work is in proportion to the sections: attributes are counted, since they may take no bytes, and so are
//!   tables of abbreviations, since units may share them.

mod alignment;
mod entry_registers;
mod lines;
mod producer;
mod types;

pub(super) use producer::add_struct_results;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use gimli::{
    Abbreviations, Attribute, AttributeValue, DebugAbbrev, DebugInfo, DebugInfoUnitHeadersIter, DebugLineStr,
    DebugStr, DebugStrOffsets, DebugStrOffsetsBase, DwTag, EndianSlice, RunTimeEndian, UnitHeader,
};
use object::Endianness;

use crate::btf::{CType, Prototype};
use crate::elf::section_names::DWARF;
use crate::elf::{Object, RawRelocation, SymbolHome};
use crate::program::{FileId, Id};

pub(super) use alignment::add as align_frames;
pub(super) use entry_registers::add as add_words;
pub(super) use lines::add as add_lines;

type Slice<'a> = EndianSlice<'a, RunTimeEndian>;

/// The bits of an address that are a place in a section: those above are one more than the section's index.
const PLACE_BITS: u32 = 40;

/// Bytes of abbreviations that are read for one object, at most.
const MOST_ABBREVIATIONS: usize = 64 << 20;

/// Names of functions, of each object.
pub(super) type Names = BTreeMap<FileId, BTreeSet<String>>;

/// What DWARF says of a function.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Described {
    /// What it returns; none for a type that is not known here.
    pub(super) result: Option<CType>,
    /// Its whole type; none if a part of it is not known here.
    pub(super) prototype: Option<Prototype>,
    /// A vector is passed by value, or in a struct.
    pub(super) has_vector: bool,
}

impl Described {
    /// What two descriptions of one name have in common.
    fn agree(self, other: Described) -> Option<Described> {
        if self == other {
            return Some(self);
        }
        let has_vector = self.has_vector || other.has_vector;
        (self.result == other.result).then_some(Described { result: self.result, prototype: None, has_vector })
    }
}

/// What is known of functions, of each object.
pub(super) type Descriptions = BTreeMap<FileId, BTreeMap<String, Described>>;

/// What `objects` say of functions of these names.
pub(super) fn read(objects: &[Object<'_>], wanted: Names) -> Descriptions {
    let described = wanted.into_iter().filter_map(|(file, names)| {
        let described = Sections::new(objects.get(file.index())?)?.functions(&names);
        Some((file, described))
    });
    described.collect()
}

/// The sections of one object, relocated.
struct Sections<'a> {
    data: [Cow<'a, [u8]>; DWARF.len()],
    endian: RunTimeEndian,
}

impl<'a> Sections<'a> {
    /// None where there is no DWARF.
    fn new(object: &Object<'a>) -> Option<Sections<'a>> {
        let data = DWARF.map(|name| {
            let section = object.sections.iter().find(|section| section.name == name && !section.data.is_empty());
            section.map_or(Cow::Borrowed(&[][..]), |section| relocated(section.data, &section.relocations, object))
        });
        let endian = match object.endian {
            Endianness::Little => RunTimeEndian::Little,
            Endianness::Big => RunTimeEndian::Big,
        };
        (!data[0].is_empty()).then_some(Sections { data, endian })
    }

    /// The functions of these names.
    fn functions(&self, wanted: &BTreeSet<String>) -> BTreeMap<String, Described> {
        let (mut reader, mut units) = self.reader(wanted);
        while let Ok(Some(header)) = units.next() {
            // A unit that is damaged ends early; the next one starts where its header says.
            let _ = reader.unit(&header);
        }
        reader.found.into_iter().filter_map(|(name, ty)| Some((name, ty?))).collect()
    }

    fn reader<'w>(&'w self, wanted: &'w BTreeSet<String>) -> (Reader<'w, 'w>, DebugInfoUnitHeadersIter<Slice<'w>>) {
        let [info, abbreviations, strings, offsets, line_strings, _] = &self.data;
        let info = DebugInfo::new(info, self.endian);
        let texts = Texts {
            strings: DebugStr::new(strings, self.endian),
            line_strings: DebugLineStr::new(line_strings, self.endian),
            offsets: DebugStrOffsets::from(EndianSlice::new(offsets, self.endian)),
        };
        let reader = Reader {
            texts,
            abbreviations: DebugAbbrev::new(abbreviations, self.endian),
            abbreviation_bytes: abbreviations.len(),
            abbreviations_left: MOST_ABBREVIATIONS,
            known: HashMap::new(),
            attributes_left: 4 * self.data[0].len(),
            wanted,
            found: BTreeMap::new(),
        };
        (reader, info.units())
    }
}

/// The bytes with their relocations applied. LLVM's are against the start of a section, with the addend in place.
fn relocated<'a>(data: &'a [u8], relocations: &[RawRelocation], object: &Object<'_>) -> Cow<'a, [u8]> {
    let mut data = Cow::Borrowed(data);
    for relocation in relocations {
        let symbol = object.symbols.get(relocation.symbol);
        let value = symbol.map_or(0, |symbol| symbol.value);
        let (size, value) = match relocation.kind {
            // R_BPF_64_ABS32, R_BPF_64_NODYLD32, bpf-gcc's R_BPF_DATA_32.
            3 | 4 | 11 => (4, value),
            // R_BPF_64_ABS64, bpf-gcc's R_BPF_DATA_64: an address.
            2 | 12 => match symbol.map(|symbol| symbol.home) {
                Some(SymbolHome::Section(section)) => (8, value.wrapping_add((section as u64 + 1) << PLACE_BITS)),
                _ => continue,
            },
            _ => continue,
        };
        let Ok(at) = usize::try_from(relocation.offset) else { continue };
        if value == 0 && relocation.addend.is_none() {
            continue;
        }
        let Some(end) = at.checked_add(size).filter(|&end| end <= data.len()) else { continue };
        let field = &mut data.to_mut()[at..end];
        let is_little = object.endian == Endianness::Little;
        let mut bytes = [0; 8];
        // Little-endian, with zeros behind.
        bytes[..size].copy_from_slice(field);
        if !is_little {
            bytes[..size].reverse();
        }
        let addend = relocation.addend.map_or(u64::from_le_bytes(bytes), i64::cast_unsigned);
        bytes = value.wrapping_add(addend).to_le_bytes();
        if !is_little {
            bytes[..size].reverse();
        }
        field.copy_from_slice(&bytes[..size]);
    }
    data
}

/// Where names are.
struct Texts<'a> {
    strings: DebugStr<Slice<'a>>,
    line_strings: DebugLineStr<Slice<'a>>,
    offsets: DebugStrOffsets<Slice<'a>>,
}

impl Texts<'_> {
    fn of(&self, unit: &Header<'_>, base: usize, value: &AttributeValue<Slice<'_>>) -> Option<String> {
        let bytes = match *value {
            AttributeValue::String(bytes) => bytes,
            AttributeValue::DebugStrRef(offset) => self.strings.get_str(offset).ok()?,
            AttributeValue::DebugLineStrRef(offset) => self.line_strings.get_str(offset).ok()?,
            AttributeValue::DebugStrOffsetsIndex(index) => {
                let base = DebugStrOffsetsBase(base);
                let offset = self.offsets.get_str_offset(unit.encoding().format, base, index).ok()?;
                self.strings.get_str(offset).ok()?
            }
            _ => return None,
        };
        Some(bytes.to_string().ok()?.to_owned())
    }
}

type Header<'a> = UnitHeader<Slice<'a>>;

/// A function: places are those of types.
struct Subprogram {
    name: String,
    /// None for `void`.
    result: Option<usize>,
    parameters: Vec<Option<usize>>,
    variadic: bool,
}

/// An entry that types are made of.
struct Entry {
    tag: DwTag,
    /// How deep it is nested.
    depth: isize,
    /// Its place in the unit.
    offset: usize,
    name: Option<String>,
    /// Another entry's place.
    ty: Option<usize>,
    size: Option<u64>,
    encoding: Option<gimli::DwAte>,
    /// Of a member, in bytes.
    at: u64,
    /// Of a bit-field: its first bit, and how many.
    bits: Option<(u64, u64)>,
    /// Of an array's dimension: how many elements.
    count: Option<u64>,
    /// Of an array: it is a vector.
    is_vector: bool,
}

/// Reads the units of an object.
struct Reader<'a, 'w> {
    texts: Texts<'a>,
    abbreviations: DebugAbbrev<Slice<'a>>,
    abbreviation_bytes: usize,
    abbreviations_left: usize,
    known: HashMap<usize, Arc<Abbreviations>>,
    attributes_left: usize,
    wanted: &'w BTreeSet<String>,
    /// None for a name with two types.
    found: BTreeMap<String, Option<Described>>,
}

impl<'a> Reader<'a, '_> {
    /// Reads a unit; none where it is damaged, or too much.
    fn unit(&mut self, header: &Header<'a>) -> Option<()> {
        let abbreviations = self.abbreviations(header)?;
        let (functions, base) = self.functions(header, &abbreviations)?;
        if functions.is_empty() {
            return Some(());
        }
        let entries = self.entries(header, &abbreviations, base)?;
        let mut types = types::Types::new(&entries);
        for function in functions {
            let described = types.describe(&function);
            let found = self.found.entry(function.name).or_insert_with(|| Some(described.clone()));
            *found = found.take().and_then(|found| found.agree(described));
        }
        Some(())
    }

    fn abbreviations(&mut self, header: &Header<'a>) -> Option<Arc<Abbreviations>> {
        let offset = header.debug_abbrev_offset();
        if let Some(known) = self.known.get(&offset.0) {
            return Some(Arc::clone(known));
        }
        let bytes = self.abbreviation_bytes.checked_sub(offset.0)?;
        self.abbreviations_left = self.abbreviations_left.checked_sub(bytes)?;
        let table = Arc::new(self.abbreviations.abbreviations(offset).ok()?);
        self.known.insert(offset.0, Arc::clone(&table));
        Some(table)
    }

    /// The attributes of a unit's first entry, and where its table of strings starts.
    fn unit_attributes(&mut self, header: &Header<'a>) -> Option<(Vec<Attribute<Slice<'a>>>, usize)> {
        let table = self.abbreviations(header)?;
        let mut entries = header.entries_raw(&table, None).ok()?;
        let abbreviation = entries.read_abbreviation().ok()??;
        self.attributes_left = self.attributes_left.checked_sub(abbreviation.attributes().len())?;
        let mut attributes = Vec::new();
        entries.read_attributes(abbreviation.attributes(), &mut attributes).ok()?;
        let base = attributes.iter().find_map(|attribute| match attribute.value() {
            AttributeValue::DebugStrOffsetsBase(offset) => Some(offset.0),
            _ => None,
        });
        Some((attributes, base.unwrap_or(0)))
    }

    /// The functions of wanted names, and where the unit's table of strings starts.
    fn functions(&mut self, header: &Header<'a>, table: &Abbreviations) -> Option<(Vec<Subprogram>, usize)> {
        let mut functions: Vec<Subprogram> = Vec::new();
        let mut base = 0;
        // The depth of the parameters of the last one.
        let mut inside = None;
        self.each(header, table, |reader, tag, depth, _, attributes| {
            if matches!(tag, gimli::DW_TAG_compile_unit | gimli::DW_TAG_partial_unit) {
                for attribute in attributes {
                    if let AttributeValue::DebugStrOffsetsBase(offset) = attribute.value() {
                        base = offset.0;
                    }
                }
            }
            if inside.is_some_and(|inside| depth < inside) {
                inside = None;
            }
            if let (Some(function), true) = (functions.last_mut(), inside == Some(depth)) {
                match tag {
                    gimli::DW_TAG_formal_parameter => function.parameters.push(type_of(attributes)),
                    gimli::DW_TAG_unspecified_parameters => function.variadic = true,
                    _ => {}
                }
            }
            if tag != gimli::DW_TAG_subprogram {
                return;
            }
            // What a compiler makes without a word in the source (thunks of C++) is said to have no parameters.
            let is_artificial = attributes.iter().any(|attribute| attribute.name() == gimli::DW_AT_artificial);
            let (mut name, mut linkage_name) = (None, None);
            for attribute in attributes {
                let value = attribute.value();
                match attribute.name() {
                    gimli::DW_AT_name => name = reader.texts.of(header, base, &value),
                    gimli::DW_AT_linkage_name => linkage_name = reader.texts.of(header, base, &value),
                    _ => {}
                }
            }
            let name = linkage_name.or(name).filter(|name| !is_artificial && reader.wanted.contains(name));
            if let Some(name) = name {
                let result = type_of(attributes);
                functions.push(Subprogram { name, result, parameters: Vec::new(), variadic: false });
                inside = Some(depth + 1);
            }
        })?;
        Some((functions, base))
    }

    /// All entries of a unit that types are made of, in order.
    fn entries(&mut self, header: &Header<'a>, table: &Abbreviations, base: usize) -> Option<Vec<Entry>> {
        let mut entries = Vec::new();
        self.each(header, table, |reader, tag, depth, offset, attributes| {
            if types::is_of_types(tag) {
                let text = |value: &AttributeValue<Slice<'_>>| reader.texts.of(header, base, value);
                entries.push(entry(tag, depth, offset, attributes, &text));
            }
        })?;
        Some(entries)
    }

    /// Calls `visit` with the tag, the depth, the place and the attributes of each entry of a unit.
    fn each(
        &mut self,
        header: &Header<'a>,
        table: &Abbreviations,
        mut visit: impl FnMut(&Self, DwTag, isize, usize, &[Attribute<Slice<'a>>]),
    ) -> Option<()> {
        let mut entries = header.entries_raw(table, None).ok()?;
        let mut attributes = Vec::new();
        while !entries.is_empty() {
            let (depth, offset) = (entries.next_depth(), entries.next_offset().0);
            let Some(abbreviation) = entries.read_abbreviation().ok()? else { continue };
            let tag = abbreviation.tag();
            self.attributes_left = self.attributes_left.checked_sub(abbreviation.attributes().len())?;
            let is_of_functions = matches!(
                tag,
                gimli::DW_TAG_compile_unit
                    | gimli::DW_TAG_partial_unit
                    | gimli::DW_TAG_subprogram
                    // It has parameters too, and ends those of a function before it.
                    | gimli::DW_TAG_subroutine_type
                    | gimli::DW_TAG_formal_parameter
                    | gimli::DW_TAG_unspecified_parameters
            );
            if is_of_functions || types::is_of_types(tag) {
                entries.read_attributes(abbreviation.attributes(), &mut attributes).ok()?;
                visit(self, tag, depth, offset, &attributes);
            } else {
                entries.skip_attributes(abbreviation.attributes()).ok()?;
            }
        }
        Some(())
    }
}

/// What an entry says.
fn entry(
    tag: DwTag,
    depth: isize,
    offset: usize,
    attributes: &[Attribute<Slice<'_>>],
    text: &dyn Fn(&AttributeValue<Slice<'_>>) -> Option<String>,
) -> Entry {
    let (name, ty, size, encoding, count) = (None, None, None, None, None);
    let (at, bits, is_vector) = (0, None, false);
    let mut entry = Entry { tag, depth, offset, name, ty, size, encoding, at, bits, count, is_vector };
    let (mut bit_size, mut bit_offset) = (None, None);
    for attribute in attributes {
        let value = attribute.value();
        match attribute.name() {
            gimli::DW_AT_name => entry.name = text(&value),
            gimli::DW_AT_type => entry.ty = place(&value),
            gimli::DW_AT_byte_size => entry.size = value.udata_value(),
            gimli::DW_AT_data_member_location => entry.at = value.udata_value().unwrap_or(u64::MAX),
            gimli::DW_AT_bit_size => bit_size = value.udata_value(),
            gimli::DW_AT_data_bit_offset => bit_offset = value.udata_value(),
            gimli::DW_AT_GNU_vector => entry.is_vector = true,
            gimli::DW_AT_count => entry.count = value.udata_value(),
            gimli::DW_AT_upper_bound => {
                entry.count = value.udata_value().map(|last| last.saturating_add(1));
            }
            gimli::DW_AT_encoding => {
                if let AttributeValue::Encoding(encoding) = value {
                    entry.encoding = Some(encoding);
                }
            }
            _ => {}
        }
    }
    entry.bits = bit_offset.zip(bit_size);
    entry
}

/// The place of the type that an entry says.
fn type_of(attributes: &[Attribute<Slice<'_>>]) -> Option<usize> {
    let ty = attributes.iter().find(|attribute| attribute.name() == gimli::DW_AT_type)?;
    place(&ty.value())
}

/// The place in the unit that a value refers to.
fn place(value: &AttributeValue<Slice<'_>>) -> Option<usize> {
    match value {
        AttributeValue::UnitRef(offset) => Some(offset.0),
        _ => None,
    }
}
