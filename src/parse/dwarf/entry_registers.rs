//! In which registers the parameters of functions are at their entry, by DWARF's locations: how many words a static function takes.
//!
//! The type of a function that only its own object calls may be another one than the source's: compilers remove parameters of such
//! functions, and pass what a pointer points to in place of the pointer, as several words (LLVM's argument promotion, which DWARF
//! of clang up to 22 does not tell: `DW_CC_nocall` is from 23 on, pull request 178973). But where a parameter is when its function is
//! entered, debuggers need to know. In: the objects, and the program with its functions. Out: `words` of those of which it is certain.
//!
//! | a function's entry (`DW_TAG_subprogram`) | `words` |
//! |---|---|
//! | has `n` parameters (`DW_TAG_formal_parameter`), and at its first instruction each is in the register of its place, r1, r2, and so on | `n` |
//! | has one without a location there, in another register, or in pieces; is variadic; has none | nothing is said |
//!
//! The rule: only what clang says, since functions of Rust have parameters that are in no source (`#[track_caller]`). A function without
//! parameters may be a part that LLVM has taken out of another (`f.cold.1`), whose words DWARF has no name for. Only objects with calls
//! through registers are asked: in others nobody wants to know. One walk over `.debug_info`; of each list of locations at most
//! [`MOST_STEPS`] items are read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gimli::{
    AttributeValue, DebugAddr, DebugAddrBase, DebugLoc, DebugLocLists, DebugLocListsBase, Expression,
    LocationLists, LocationListsOffset, Operation, RawLocListEntry,
};

use super::{Header, PLACE_BITS, Reader, Sections, Slice, relocated};
use crate::decode::SLOT;
use crate::elf::Object;
use crate::elf::section_names::LOCATIONS;
use crate::program::{CodeSectionId, FileId, FunctionId, Id, Program};

/// Items of a list of locations that are read: a base address, and the first location.
const MOST_STEPS: usize = 2;

/// The opcode of a call through a register.
const CALL_REGISTER: u8 = 0x8d;

/// The functions of an object that are looked for: by the index of their section, and their place in it.
type Wanted = HashMap<u64, FunctionId>;

/// Adds to `program`, which was made of `objects`.
pub(in crate::parse) fn add(objects: &[Object<'_>], program: &mut Program) {
    for (file, wanted) in wanted(objects, program) {
        let Some(object) = objects.get(file.index()) else { continue };
        let Some(sections) = Sections::new(object) else { continue };
        let mut found: BTreeMap<FunctionId, Option<usize>> = BTreeMap::new();
        sections.entry_words(object, |address, words| {
            let Some(&function) = wanted.get(&address) else { return };
            found.entry(function).and_modify(|found| *found = found.filter(|_| *found == words)).or_insert(words);
        });
        for (function, words) in found {
            program.functions[function].words = words;
        }
    }
}

/// The functions that only their own objects call, in objects with calls through registers.
fn wanted(objects: &[Object<'_>], program: &Program) -> BTreeMap<FileId, Wanted> {
    let calls = |bytes: &[u8]| bytes.chunks(SLOT).any(|slot| slot.first() == Some(&CALL_REGISTER));
    let code = program.code.iter().filter(|(_, code)| calls(&code.bytes));
    let files: BTreeSet<FileId> = code.map(|(_, code)| code.file).collect();
    let sections = files.iter().filter_map(|&file| Some((file, by_name(objects.get(file.index())?))));
    let sections: BTreeMap<FileId, BTreeMap<&str, Option<u64>>> = sections.collect();
    let index = |section: CodeSectionId| {
        let code = &program.code[section];
        *sections.get(&code.file)?.get(&*code.name)?
    };
    let mut wanted: BTreeMap<FileId, Wanted> = BTreeMap::new();
    for (id, function) in program.functions.iter().filter(|(_, function)| !function.is_reachable_from_native()) {
        if let Some(index) = index(function.section) {
            let of_file = wanted.entry(program.code[function.section].file).or_default();
            of_file.insert((index + 1) << PLACE_BITS | function.start, id);
        }
    }
    wanted
}

/// The indices of an object's sections; none for a name that two have.
fn by_name<'a>(object: &Object<'a>) -> BTreeMap<&'a str, Option<u64>> {
    let mut sections = BTreeMap::new();
    for (index, section) in object.sections.iter().enumerate() {
        sections.entry(section.name).and_modify(|index| *index = None).or_insert(Some(index as u64));
    }
    sections
}

/// Where locations are.
struct Locations<'a> {
    lists: LocationLists<Slice<'a>>,
    addresses: DebugAddr<Slice<'a>>,
}

/// What a unit's first entry says of locations.
#[derive(Clone, Copy)]
struct Bases {
    low_pc: u64,
    addresses: DebugAddrBase,
    lists: DebugLocListsBase,
}

/// A function whose parameters are being read.
struct Open {
    /// That of its parameters.
    depth: isize,
    address: u64,
    /// How many parameters there were, if each is where it is expected.
    words: Option<usize>,
}

impl Sections<'_> {
    /// Calls `each` with the address of each function that has code, and how many words it has, if that is certain.
    fn entry_words(&self, object: &Object<'_>, mut each: impl FnMut(u64, Option<usize>)) {
        let [addresses, old, lists] = LOCATIONS.map(|name| {
            let section = object.sections.iter().find(|section| section.name == name);
            section.map(|section| relocated(section.data, &section.relocations, object)).unwrap_or_default()
        });
        let locations = Locations {
            lists: LocationLists::new(DebugLoc::new(&old, self.endian), DebugLocLists::new(&lists, self.endian)),
            addresses: DebugAddr::from(Slice::new(&addresses, self.endian)),
        };
        let none = BTreeSet::new();
        let (mut reader, mut units) = self.reader(&none);
        while let Ok(Some(header)) = units.next() {
            if reader.is_clang_s(&header) {
                // A unit that is damaged ends early; the next one starts where its header says.
                let _ = reader.entry_words(&header, &locations, &mut each);
            }
        }
    }
}

impl<'a> Reader<'a, '_> {
    /// Whether clang has made a unit.
    fn is_clang_s(&mut self, header: &Header<'a>) -> bool {
        let Some((attributes, base)) = self.unit_attributes(header) else { return false };
        let producer = attributes.iter().find(|attribute| attribute.name() == gimli::DW_AT_producer);
        let text = producer.and_then(|producer| self.texts.of(header, base, &producer.value()));
        text.is_some_and(|text| text.contains("clang version "))
    }

    fn entry_words(
        &mut self,
        header: &Header<'a>,
        locations: &Locations<'a>,
        each: &mut impl FnMut(u64, Option<usize>),
    ) -> Option<()> {
        let bases = self.bases(header, locations)?;
        let table = self.abbreviations(header)?;
        let mut open: Option<Open> = None;
        self.each(header, &table, |_, tag, depth, _, attributes| {
            if let Some(function) = open.take_if(|function| depth < function.depth) {
                each(function.address, function.words.filter(|&words| words > 0));
            }
            let value = |name| {
                let found = attributes.iter().find(|attribute| attribute.name() == name);
                found.map(|attribute| attribute.value())
            };
            match (tag, &mut open) {
                (gimli::DW_TAG_formal_parameter, Some(function)) if depth == function.depth => {
                    let location = value(gimli::DW_AT_location);
                    let register = location.and_then(|of| locations.register(header, bases, &of, function.address));
                    let expected = function.words.map(|words| words + 1);
                    function.words = expected.filter(|&expected| register.map(usize::from) == Some(expected));
                }
                (gimli::DW_TAG_unspecified_parameters, Some(function)) if depth == function.depth => {
                    function.words = None;
                }
                (gimli::DW_TAG_subprogram, _) => {
                    let address = value(gimli::DW_AT_low_pc).and_then(|of| locations.address(header, bases, &of));
                    open = address.map(|address| Open { depth: depth + 1, address, words: Some(0) });
                }
                _ => {}
            }
        })?;
        if let Some(function) = open {
            each(function.address, function.words.filter(|&words| words > 0));
        }
        Some(())
    }

    fn bases(&mut self, header: &Header<'a>, locations: &Locations<'a>) -> Option<Bases> {
        let (attributes, _) = self.unit_attributes(header)?;
        let mut bases = Bases { low_pc: 0, addresses: DebugAddrBase(0), lists: DebugLocListsBase(0) };
        for attribute in &attributes {
            match attribute.value() {
                AttributeValue::DebugAddrBase(base) => bases.addresses = base,
                AttributeValue::DebugLocListsBase(base) => bases.lists = base,
                _ => {}
            }
        }
        let low_pc = attributes.iter().find(|attribute| attribute.name() == gimli::DW_AT_low_pc);
        bases.low_pc = low_pc.and_then(|of| locations.address(header, bases, &of.value())).unwrap_or(0);
        Some(bases)
    }
}

impl<'a> Locations<'a> {
    fn address(&self, unit: &Header<'a>, bases: Bases, value: &AttributeValue<Slice<'a>>) -> Option<u64> {
        match *value {
            AttributeValue::Addr(address) => Some(address),
            AttributeValue::DebugAddrIndex(index) => self.by_index(unit, bases, index),
            _ => None,
        }
    }

    fn by_index(&self, unit: &Header<'a>, bases: Bases, index: gimli::DebugAddrIndex) -> Option<u64> {
        self.addresses.get_address(unit.address_size(), bases.addresses, index).ok()
    }

    /// The register that something is in, whole, at an address; none if it is anywhere else.
    fn register(
        &self,
        unit: &Header<'a>,
        bases: Bases,
        location: &AttributeValue<Slice<'a>>,
        address: u64,
    ) -> Option<u16> {
        let expression = match *location {
            AttributeValue::Exprloc(expression) => expression,
            AttributeValue::LocationListsRef(list) => self.first(unit, bases, list, address)?,
            AttributeValue::DebugLocListsIndex(index) => {
                let list = self.lists.get_offset(unit.encoding(), bases.lists, index).ok()?;
                self.first(unit, bases, list, address)?
            }
            _ => return None,
        };
        let mut operations = expression.operations(unit.encoding());
        match (operations.next(), operations.next()) {
            (Ok(Some(Operation::Register { register })), Ok(None)) => Some(register.0),
            _ => None,
        }
    }

    /// The first location of a list, if it begins at an address.
    fn first(
        &self,
        unit: &Header<'a>,
        bases: Bases,
        list: LocationListsOffset,
        address: u64,
    ) -> Option<Expression<Slice<'a>>> {
        let mut items = self.lists.raw_locations(list, unit.encoding()).ok()?;
        let mut base = bases.low_pc;
        for _ in 0..MOST_STEPS {
            let (begin, expression) = match items.next().ok()?? {
                RawLocListEntry::BaseAddress { addr } => {
                    base = addr;
                    continue;
                }
                RawLocListEntry::BaseAddressx { addr } => {
                    base = self.by_index(unit, bases, addr)?;
                    continue;
                }
                RawLocListEntry::AddressOrOffsetPair { begin, data, .. }
                | RawLocListEntry::OffsetPair { begin, data, .. } => (base.wrapping_add(begin), data),
                RawLocListEntry::StartxEndx { begin, data, .. }
                | RawLocListEntry::StartxLength { begin, data, .. } => (self.by_index(unit, bases, begin)?, data),
                RawLocListEntry::StartEnd { begin, data, .. }
                | RawLocListEntry::StartLength { begin, data, .. } => (begin, data),
                RawLocListEntry::DefaultLocation { .. } => return None,
            };
            return (begin == address).then_some(expression);
        }
        None
    }
}
