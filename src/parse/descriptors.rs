//! Descriptors of maps: the `struct map` of `runtime/runtime.h` at each map's symbol.
//!
//! In: the program, whose maps have their definitions. Out: the same, where each map section has 128 bytes for each of its maps
//! in place of what compilers put there, with references to the runtime's operations and to what does not fit:
//!
//! | field | refers to |
//! |---|---|
//! | `ops` | `bpf_map_ops_<type>`: the runtime's, or undefined |
//! | `name`, `fields`, `values` | read-only data that is made here |
//! | `inner` | a descriptor behind those of the section's maps |
//! | `next` | the map that follows in the program; the first is in `bpf_maps_first` |
//!
//! The rule: what referred to a definition refers to its descriptor; sizes and byte order are the target's.

use std::collections::{BTreeMap, HashMap};

use super::block::{ALIGN, Block};
use super::error::ParseError;
use super::pointers;
use crate::elf::Object;
use crate::program::maps::{self, Map, MapDefinition};
use crate::program::{
    Contents, DataKind, DataSectionId, DataSymbolId, Endianness, FileId, IdVec, Import, ImportId, ImportKind,
    Program, PrototypeSource, Relocation, Target,
};

/// Bytes of a `struct map`.
const SIZE: u64 = 128;
/// Bytes of a `struct map_field`.
const FIELD: u64 = 16;
/// Bytes of a `struct map_value`.
const VALUE: u64 = 16;

/// Offsets of fields of a `struct map`.
mod offset {
    pub(super) const OPS: u64 = 0;
    pub(super) const NAME: u64 = 8;
    pub(super) const NUMBERS: u64 = 16;
    pub(super) const EXTRA: u64 = 40;
    pub(super) const PINNING: u64 = 48;
    pub(super) const FIELDS: u64 = 56;
    pub(super) const INNER: u64 = 64;
    pub(super) const VALUES: u64 = 72;
    pub(super) const NEXT: u64 = 88;
}

/// Where a `struct map` has the map's number in the program.
pub(super) const ID: u64 = 112;

/// The runtime's pointer to the program's first map.
const FIRST: &str = "bpf_maps_first";

/// Makes the descriptors; the maps of the object `kernel` are the kernel's, whose initial elements its loader sets.
pub(super) fn add(objects: &[Object<'_>], kernel: Option<FileId>, program: &mut Program) -> Result<(), ParseError> {
    if program.maps.is_empty() {
        return Ok(());
    }
    check(objects)?;
    let mut maps = std::mem::take(&mut program.maps);
    // As the sources have them; another name of a map is no other map.
    maps.sort_by_key(|map| (map.section, map.offset));
    maps.dedup_by_key(|map| (map.section, map.offset));
    let moved = Moved::new(&mut maps);
    moved.apply(program)?;
    let mut maker = Maker::new(program, kernel, &maps);
    for map in &mut maps {
        for value in &mut map.values {
            value.target = moved.target(maker.program, value.target)?;
        }
    }
    for (index, map) in maps.iter().enumerate() {
        maker.map(map, maps.get(index + 1));
        maker.number(map, index + 1);
    }
    maker.finish();
    let first = Target::Data { section: maps[0].section, offset: maps[0].offset.cast_signed() };
    pointers::set(program, FIRST, first);
    program.maps = maps;
    Ok(())
}

/// Refuses definitions that cannot be read.
fn check(objects: &[Object<'_>]) -> Result<(), ParseError> {
    for object in objects {
        for (symbol, definition) in &object.maps {
            if let Err(what) = definition {
                let map = crate::program::names::owned(object.symbols[*symbol].name);
                return Err(ParseError::Map { file: object.name.clone(), map, what: what.clone() });
            }
        }
    }
    Ok(())
}

/// Where definitions went.
struct Moved {
    /// By section: old offsets and sizes of its maps, and the new offsets; sorted.
    sections: BTreeMap<DataSectionId, Vec<(u64, u64, u64)>>,
}

impl Moved {
    /// Gives maps their new places, in the order of the old ones.
    fn new(maps: &mut [Map]) -> Moved {
        let mut sections: BTreeMap<DataSectionId, Vec<(u64, u64, u64)>> = BTreeMap::new();
        for map in maps.iter() {
            sections.entry(map.section).or_default().push((map.offset, map.size, 0));
        }
        for places in sections.values_mut() {
            places.sort_unstable();
            // Names of one definition are of one map.
            places.dedup_by_key(|(offset, ..)| *offset);
            for (place, new) in places.iter_mut().zip(0..) {
                place.2 = new * SIZE;
            }
        }
        let moved = Moved { sections };
        for map in maps {
            map.offset = moved.place(map.section, map.offset).unwrap_or_default();
            map.size = SIZE;
        }
        moved
    }

    /// The new offset of what was at `offset` of a map section.
    fn place(&self, section: DataSectionId, offset: u64) -> Option<u64> {
        let places = self.sections.get(&section)?;
        let at = places.partition_point(|(start, ..)| *start <= offset).checked_sub(1)?;
        let (start, size, new) = places[at];
        let within = offset - start;
        (within == 0 || within < size.min(SIZE)).then_some(new + within)
    }

    /// Moves everything that refers to a definition.
    fn apply(&self, program: &mut Program) -> Result<(), ParseError> {
        for id in program.symbols.ids() {
            let symbol = &mut program.symbols[id];
            if let Some(offset) = self.place(symbol.section, symbol.offset) {
                (symbol.offset, symbol.size) = (offset, SIZE);
            }
        }
        for id in program.code.ids() {
            let mut relocations = std::mem::take(&mut program.code[id].relocations);
            self.relocate(program, &mut relocations)?;
            program.code[id].relocations = relocations;
        }
        for id in program.data.ids() {
            let mut relocations = std::mem::take(&mut program.data[id].relocations);
            if !self.sections.contains_key(&id) {
                self.relocate(program, &mut relocations)?;
            }
            program.data[id].relocations = relocations;
        }
        Ok(())
    }

    fn relocate(&self, program: &Program, relocations: &mut [Relocation]) -> Result<(), ParseError> {
        relocations.iter_mut().try_for_each(|relocation| {
            relocation.target = self.target(program, relocation.target)?;
            Ok(())
        })
    }

    fn target(&self, program: &Program, target: Target) -> Result<Target, ParseError> {
        let Target::Data { section, offset } = target else { return Ok(target) };
        if !self.sections.contains_key(&section) {
            return Ok(target);
        }
        let place = u64::try_from(offset).ok().and_then(|offset| self.place(section, offset));
        let place = place.ok_or_else(|| {
            let data = &program.data[section];
            let what =
                format!("has no map at {offset:#x}, and something refers to that place; compile the object again");
            ParseError::Section { file: program.files[data.file].clone(), section: data.name.clone(), what }
        })?;
        Ok(Target::Data { section, offset: place.cast_signed() })
    }
}

/// Makes descriptors of one program.
struct Maker<'a> {
    program: &'a mut Program,
    kernel: Option<FileId>,
    endianness: Endianness,
    /// The new contents of map sections, and the section of what is read only.
    sections: BTreeMap<DataSectionId, Block>,
    constants: DataSectionId,
    /// Symbols of data, and imports, by name: of the runtime's operations.
    symbols: HashMap<String, DataSymbolId>,
    imports: HashMap<String, ImportId>,
    /// Symbols of maps, by place.
    names: HashMap<(DataSectionId, u64), DataSymbolId>,
}

impl<'a> Maker<'a> {
    fn new(program: &'a mut Program, kernel: Option<FileId>, maps: &[Map]) -> Maker<'a> {
        let mut sections: BTreeMap<DataSectionId, Block> = BTreeMap::new();
        for map in maps {
            let block = sections.entry(map.section).or_default();
            let end = block.bytes.len().max((map.offset + SIZE) as usize);
            block.bytes.resize(end, 0);
        }
        let file = program.data[maps[0].section].file;
        let constants = program.data.push(Block::default().into_constants(file, ".data.rel.ro.maps"));
        sections.insert(constants, Block::default());
        let is_operations = |name: &str| maps::of_ops_symbol(name).is_some() || name == maps::KERNEL_OPERATIONS;
        let operations = program.symbols.iter().filter(|(_, symbol)| is_operations(&symbol.name));
        let symbols = operations.map(|(id, symbol)| (symbol.name.clone(), id)).collect();
        let imports = program.imports.iter().filter(|(_, import)| is_operations(&import.name));
        let imports = imports.map(|(id, import)| (import.name.clone(), id)).collect();
        let names = program.symbols.iter().filter(|(_, symbol)| sections.contains_key(&symbol.section));
        let names = names.map(|(id, symbol)| ((symbol.section, symbol.offset), id)).collect();
        let endianness = program.endianness;
        Maker { program, kernel, endianness, sections, constants, symbols, imports, names }
    }

    /// Writes a map's descriptor at its place.
    fn map(&mut self, map: &Map, next: Option<&Map>) {
        let Some(definition) = &map.definition else { return };
        let name = self.text(&map.name);
        self.describe(map.section, map.offset, definition);
        let next = next.map(|next| self.target_of(next));
        let values = self.values(map);
        let block = self.sections.entry(map.section).or_default();
        block.refer(map.offset + offset::NAME, name);
        if let Some(next) = next {
            block.refer(map.offset + offset::NEXT, next);
        }
        if let Some(values) = values {
            block.refer(map.offset + offset::VALUES, values);
            let count = self.endianness.double_word(map.values.len() as u64);
            block.put(map.offset + offset::VALUES + 8, &count);
        }
    }

    /// Gives a map its number.
    fn number(&mut self, map: &Map, number: usize) {
        let number = self.endianness.word(number as u32);
        self.sections.entry(map.section).or_default().put(map.offset + ID, &number);
    }

    /// Writes what a definition says.
    fn describe(&mut self, section: DataSectionId, at: u64, definition: &MapDefinition) {
        let file = self.program.data[section].file;
        let operations = self.operations(definition.kind, file);
        let fields = self.fields(definition);
        let inner = definition.inner.as_ref().map(|inner| {
            let place = self.sections.entry(section).or_default().add(SIZE);
            self.describe(section, place, inner);
            Target::Data { section, offset: place.cast_signed() }
        });
        let MapDefinition { kind, key_size, value_size, max_entries, flags, numa_node, extra, pinning, .. } =
            *definition;
        let endianness = self.endianness;
        let block = self.sections.entry(section).or_default();
        block.refer(at + offset::OPS, operations);
        for (number, index) in [kind, key_size, value_size, max_entries, flags, numa_node].into_iter().zip(0..) {
            block.put(at + offset::NUMBERS + 4 * index, &endianness.word(number));
        }
        block.put(at + offset::EXTRA, &endianness.double_word(extra));
        block.put(at + offset::PINNING, &endianness.word(pinning));
        block.put(at + offset::PINNING + 4, &endianness.word(definition.fields.len() as u32));
        if let Some(fields) = fields {
            block.refer(at + offset::FIELDS, fields);
        }
        if let Some(inner) = inner {
            block.refer(at + offset::INNER, inner);
        }
    }

    fn constant(&mut self, size: u64) -> (&mut Block, u64, Target) {
        let section = self.constants;
        let block = self.sections.entry(section).or_default();
        let at = block.add(size);
        (block, at, Target::Data { section, offset: at.cast_signed() })
    }

    fn text(&mut self, text: &str) -> Target {
        let section = self.constants;
        let at = self.sections.entry(section).or_default().add_text(text);
        Target::Data { section, offset: at.cast_signed() }
    }

    fn fields(&mut self, definition: &MapDefinition) -> Option<Target> {
        let endianness = self.endianness;
        let fields = &definition.fields;
        if fields.is_empty() {
            return None;
        }
        let (block, at, target) = self.constant(FIELD * fields.len() as u64);
        for (field, index) in fields.iter().zip(0..) {
            for (number, word) in [field.kind as u32, field.offset, field.size].into_iter().zip(0..) {
                block.put(at + FIELD * index + 4 * word, &endianness.word(number));
            }
        }
        Some(target)
    }

    fn values(&mut self, map: &Map) -> Option<Target> {
        if map.values.is_empty() || self.kernel == Some(self.program.data[map.section].file) {
            return None;
        }
        let endianness = self.endianness;
        let (block, at, target) = self.constant(VALUE * map.values.len() as u64);
        for (value, index) in map.values.iter().zip(0..) {
            block.put(at + VALUE * index, &endianness.double_word(value.index));
            block.refer(at + VALUE * index + 8, value.target);
        }
        Some(target)
    }

    /// The operations of a type.
    fn operations(&mut self, kind: u32, file: FileId) -> Target {
        let name = match self.kernel {
            Some(kernel) if kernel == file => maps::KERNEL_OPERATIONS.to_owned(),
            _ => maps::ops_symbol(kind),
        };
        if let Some(&symbol) = self.symbols.get(&name) {
            return Target::Symbol { symbol, addend: 0 };
        }
        let imports: &mut IdVec<ImportId, Import> = &mut self.program.imports;
        let import = *self.imports.entry(name.clone()).or_insert_with(|| {
            imports.push(Import {
                name,
                weak: false,
                kind: ImportKind::Data,
                prototype: None,
                kconfig: false,
                ksym: false,
                prototype_from: PrototypeSource::None,
                files: vec![file],
                alias_of: None,
            })
        });
        Target::Import { import, addend: 0 }
    }

    fn target_of(&self, map: &Map) -> Target {
        match self.names.get(&(map.section, map.offset)) {
            Some(&symbol) => Target::Symbol { symbol, addend: 0 },
            None => Target::Data { section: map.section, offset: map.offset.cast_signed() },
        }
    }

    fn finish(self) {
        for (id, mut block) in self.sections {
            block.relocations.sort_by_key(|relocation| relocation.offset);
            let data = &mut self.program.data[id];
            (data.contents, data.relocations) = (Contents::Bytes(block.bytes), block.relocations);
            if id != self.constants {
                (data.kind, data.align) = (DataKind::Data, data.align.max(ALIGN));
            }
        }
    }
}
