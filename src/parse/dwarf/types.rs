//! From DWARF's entries to [`CType`] (DWARF 5 chapter 5), as [`crate::btf::Prototypes`] makes it of BTF.
//!
//! | entry | becomes |
//! |---|---|
//! | base type | by its encoding and size: `_Bool`, an integer, `float`, `double`, a complex number |
//! | enumeration | its integer |
//! | pointer, reference | a pointer |
//! | typedef, `const`, `volatile`, `restrict`, `_Atomic` | what it is of |
//! | struct, class, union | its scalars, arrays and members taken apart |
//! | a vector, as an array that is said to be one | nothing, and that is noted |
//! | anything else | nothing: the type is not known |

use std::collections::HashMap;
use std::sync::Arc;

use gimli::DwTag;

use super::{Described, Entry, Subprogram};
use crate::btf::{Aggregate, CType, LONG_DOUBLE, MAX_AGGREGATE, MAX_NESTING, Parameter, Prototype};
use crate::program::names;

/// The most steps of taking one struct apart.
const MAX_STEPS: usize = 1024;

/// Whether types are made of entries of this tag.
pub(super) fn is_of_types(tag: DwTag) -> bool {
    is_record(tag)
        || is_alias(tag)
        || is_pointer(tag)
        || matches!(
            tag,
            gimli::DW_TAG_base_type
                | gimli::DW_TAG_enumeration_type
                | gimli::DW_TAG_array_type
                | gimli::DW_TAG_subrange_type
                | gimli::DW_TAG_member
                | gimli::DW_TAG_inheritance
        )
}

fn is_record(tag: DwTag) -> bool {
    matches!(tag, gimli::DW_TAG_structure_type | gimli::DW_TAG_class_type | gimli::DW_TAG_union_type)
}

fn is_alias(tag: DwTag) -> bool {
    matches!(
        tag,
        gimli::DW_TAG_typedef
            | gimli::DW_TAG_const_type
            | gimli::DW_TAG_volatile_type
            | gimli::DW_TAG_restrict_type
            | gimli::DW_TAG_atomic_type
    )
}

fn is_pointer(tag: DwTag) -> bool {
    matches!(tag, gimli::DW_TAG_pointer_type | gimli::DW_TAG_reference_type | gimli::DW_TAG_rvalue_reference_type)
}

/// The types of one unit.
pub(super) struct Types<'e> {
    /// In order of their places.
    entries: &'e [Entry],
    /// For each entry, those directly below it.
    children: Vec<Vec<usize>>,
    known: HashMap<usize, Known>,
}

/// A type, and whether there is a vector in it: then it is not known.
type Known = (Option<CType>, bool);

/// A struct that is being taken apart.
struct Flat {
    scalars: Vec<(u32, CType)>,
    has_union: bool,
    has_array: bool,
    has_vector: bool,
    steps: usize,
}

impl<'e> Types<'e> {
    pub fn new(entries: &'e [Entry]) -> Types<'e> {
        let mut children = vec![Vec::new(); entries.len()];
        // The entries that the next one may be below of.
        let mut parents: Vec<usize> = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            while parents.last().is_some_and(|&parent| entries[parent].depth >= entry.depth) {
                parents.pop();
            }
            if let Some(&parent) = parents.last()
                && entries[parent].depth + 1 == entry.depth
            {
                children[parent].push(index);
            }
            parents.push(index);
        }
        Types { entries, children, known: HashMap::new() }
    }

    /// What a function is.
    pub fn describe(&mut self, function: &Subprogram) -> Described {
        let mut has_vector = false;
        let mut of = |place: usize| {
            let (ty, vector) = self.of(place);
            has_vector |= vector;
            ty
        };
        let result = function.result.map_or(Some(CType::Void), &mut of);
        let parameter = |place: &Option<usize>| Some(Parameter { name: None, ty: of((*place)?)? });
        // All of them, also where one is not known: another may have a vector.
        let parameters: Vec<Option<Parameter>> = function.parameters.iter().map(parameter).collect();
        let parameters: Option<Vec<Parameter>> = parameters.into_iter().collect();
        let prototype = parameters.zip(result.clone()).map(|(parameters, result)| Prototype {
            parameters,
            variadic: function.variadic,
            result,
        });
        Described { result, prototype, has_vector }
    }

    /// The type of the entry at this place.
    fn of(&mut self, place: usize) -> Known {
        if let Some(known) = self.known.get(&place) {
            return known.clone();
        }
        let mut flat =
            Flat { scalars: Vec::new(), has_union: false, has_array: false, has_vector: false, steps: MAX_STEPS };
        let ty = self.make(place, &mut flat);
        let known = (ty, flat.has_vector);
        self.known.insert(place, known.clone());
        known
    }

    fn make(&self, place: usize, flat: &mut Flat) -> Option<CType> {
        let (index, entry) = self.resolve(place)?;
        if entry.tag == gimli::DW_TAG_enumeration_type {
            return self.enumeration(entry);
        }
        flat.has_vector |= entry.is_vector;
        if !is_record(entry.tag) {
            return scalar(entry);
        }
        let size = u32::try_from(entry.size?).ok()?;
        if size <= MAX_AGGREGATE {
            self.record(index, 0, 0, flat)?;
        }
        let (mut scalars, has_union, has_array) =
            (std::mem::take(&mut flat.scalars), flat.has_union, flat.has_array);
        scalars.sort_by_key(|(offset, _)| *offset);
        let keyword = if entry.tag == gimli::DW_TAG_union_type { "union" } else { "struct" };
        let name = format!("{keyword} {}", names::printable(entry.name.as_deref().unwrap_or("(anon)")));
        let is_complex = false;
        Some(CType::Aggregate(Arc::new(Aggregate { name, size, scalars, has_union, has_array, is_complex })))
    }

    /// The integer of an enumeration: as its underlying type says, else unsigned.
    fn enumeration(&self, entry: &Entry) -> Option<CType> {
        let underlying = entry.ty.and_then(|ty| self.resolve(ty)).and_then(|(_, ty)| scalar(ty));
        underlying.or_else(|| scalar(entry))
    }

    fn entry(&self, place: usize) -> Option<(usize, &'e Entry)> {
        let index = self.entries.binary_search_by_key(&place, |entry| entry.offset).ok()?;
        Some((index, &self.entries[index]))
    }

    /// The entry behind typedefs and qualifiers.
    fn resolve(&self, place: usize) -> Option<(usize, &'e Entry)> {
        let mut at = place;
        for _ in 0..MAX_NESTING {
            let (index, entry) = self.entry(at)?;
            if !is_alias(entry.tag) {
                return Some((index, entry));
            }
            at = entry.ty?;
        }
        None
    }

    fn children(&self, index: usize) -> impl Iterator<Item = &'e Entry> + '_ {
        self.children[index].iter().map(|&child| &self.entries[child])
    }

    /// How many elements an array has, in all its dimensions.
    fn elements(&self, index: usize) -> u64 {
        let ranges =
            self.children(index).take(MAX_NESTING).filter(|child| child.tag == gimli::DW_TAG_subrange_type);
        ranges.fold(1, |all, range| all.saturating_mul(range.count.unwrap_or(0)))
    }

    fn record(&self, index: usize, base: u64, depth: usize, flat: &mut Flat) -> Option<()> {
        flat.has_union |= self.entries[index].tag == gimli::DW_TAG_union_type;
        for member in self.children(index) {
            flat.steps = flat.steps.checked_sub(1)?;
            // A base class is a member too; a member without a place is C++'s static one, or a union's.
            if !matches!(member.tag, gimli::DW_TAG_member | gimli::DW_TAG_inheritance) {
                continue;
            }
            match member.bits {
                Some((first, bits)) => self.bit_field(member, base, first, bits, flat)?,
                None => self.value(member.ty?, base.checked_add(member.at)?, depth + 1, flat)?,
            }
        }
        Some(())
    }

    fn value(&self, place: usize, offset: u64, depth: usize, flat: &mut Flat) -> Option<()> {
        flat.steps = flat.steps.checked_sub(1)?;
        if depth >= MAX_NESTING {
            return None;
        }
        let (index, entry) = self.resolve(place)?;
        if is_record(entry.tag) {
            return self.record(index, offset, depth, flat);
        }
        if entry.tag == gimli::DW_TAG_enumeration_type {
            flat.push(offset, self.enumeration(entry)?);
            return Some(());
        }
        if entry.tag != gimli::DW_TAG_array_type {
            match scalar(entry)? {
                CType::Aggregate(complex) => {
                    for (at, part) in &complex.scalars {
                        flat.push(offset.checked_add(u64::from(*at))?, part.clone());
                    }
                }
                scalar => flat.push(offset, scalar),
            }
            return Some(());
        }
        if entry.is_vector {
            flat.has_vector = true;
            return None;
        }
        flat.has_array = true;
        let count = self.elements(index);
        let element = entry.ty?;
        let bytes = self.size(element, 0)?;
        // No more elements than fit: so a flexible or an absurd array ends.
        for index in 0..if bytes == 0 { 0 } else { count } {
            let at = offset.saturating_add(bytes.saturating_mul(index));
            if at >= u64::from(MAX_AGGREGATE) {
                break;
            }
            self.value(element, at, depth + 1, flat)?;
        }
        Some(())
    }

    /// The bytes of an array's element.
    fn size(&self, place: usize, depth: usize) -> Option<u64> {
        let (index, entry) = self.resolve(place)?;
        if depth >= MAX_NESTING {
            return None;
        }
        if is_pointer(entry.tag) {
            return Some(8);
        }
        if entry.tag != gimli::DW_TAG_array_type {
            return entry.size;
        }
        Some(self.size(entry.ty?, depth + 1)?.saturating_mul(self.elements(index)))
    }

    /// The smallest aligned integer that has the bits; byte by byte, of a packed one that none has.
    fn bit_field(&self, member: &Entry, base: u64, first: u64, bits: u64, flat: &mut Flat) -> Option<()> {
        let (_, entry) = self.resolve(member.ty?)?;
        let last = first.checked_add(bits.checked_sub(1)?)?;
        let is_enumeration = entry.tag == gimli::DW_TAG_enumeration_type;
        let ty = if is_enumeration { self.enumeration(entry) } else { scalar(entry) };
        let signed = matches!(ty?, CType::Int { signed: true, .. });
        match [1u8, 2, 4, 8]
            .into_iter()
            .find(|&bytes| first / (8 * u64::from(bytes)) == last / (8 * u64::from(bytes)))
        {
            Some(bytes) => {
                let at = first / (8 * u64::from(bytes)) * u64::from(bytes);
                flat.push_bit_field(base.checked_add(at)?, CType::Int { bytes, signed });
            }
            None => {
                for byte in (first / 8..=last / 8).take(MAX_AGGREGATE as usize) {
                    flat.push(base.checked_add(byte)?, CType::Int { bytes: 1, signed: false });
                }
            }
        }
        Some(())
    }
}

impl Flat {
    /// Each is a member of its own, though others may be in the same integer.
    fn push_bit_field(&mut self, offset: u64, ty: CType) {
        match u32::try_from(offset) {
            Ok(offset) if offset < MAX_AGGREGATE && !self.has_union => self.scalars.push((offset, ty)),
            _ => self.push(offset, ty),
        }
    }

    /// What two members of a union have in common is said once.
    fn push(&mut self, offset: u64, ty: CType) {
        let Ok(offset) = u32::try_from(offset) else { return };
        if offset < MAX_AGGREGATE && !self.scalars.iter().any(|(at, other)| *at == offset && *other == ty) {
            self.scalars.push((offset, ty));
        }
    }
}

fn scalar(entry: &Entry) -> Option<CType> {
    if is_pointer(entry.tag) {
        return Some(CType::Pointer("void".into()));
    }
    let bytes = u8::try_from(entry.size?).ok()?;
    let int = |signed| matches!(bytes, 1 | 2 | 4 | 8 | 16).then_some(CType::Int { bytes, signed });
    if entry.tag == gimli::DW_TAG_enumeration_type {
        return int(false);
    }
    if entry.tag != gimli::DW_TAG_base_type {
        return None;
    }
    match entry.encoding? {
        gimli::DW_ATE_boolean if bytes == 1 => Some(CType::Bool),
        gimli::DW_ATE_boolean => int(false),
        gimli::DW_ATE_signed | gimli::DW_ATE_signed_char => int(true),
        gimli::DW_ATE_unsigned | gimli::DW_ATE_unsigned_char | gimli::DW_ATE_UTF => int(false),
        gimli::DW_ATE_float if bytes == 8 && entry.name.as_deref() == Some(LONG_DOUBLE) => Some(CType::LongDouble),
        gimli::DW_ATE_float => matches!(bytes, 4 | 8).then_some(CType::Float { bytes }),
        gimli::DW_ATE_complex_float => {
            matches!(bytes, 8 | 16).then(|| CType::complex(CType::Float { bytes: bytes / 2 }))
        }
        _ => None,
    }
}
